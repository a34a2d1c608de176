"""A dead letter for a person to look at: why, where it stood, what has become of it, and the event with the place marked.

Everything in it was written by strangers: each line is one printable line (`escape.py`), and without `unmask` there is no
personal data in it (`personal.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from consumer.core.dead_letters import MEANINGS
from consumer.core.instant import rfc3339
from consumer.core.json_path import PathError, parse_path
from consumer.core.rejection import is_ours
from reports.render import json_tree, personal
from reports.render.escape import terminal
from reports.render.json_tree import JsonText, Number, Unshowable

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.core.dead_letters import Letter, Outcome, PutBack

MOST_TEXT = 300
"""Characters of one text in the event."""

MOST_LINES = 500

_AROUND = 60
"""Characters shown on each side of the place at which JSON ends to be JSON."""

_BYTE = re.compile(r"\(byte (\d{1,9})\)")


class Shown(NamedTuple):
    """A dead letter with what is known of it. `name` is where it lies: `3/42`."""

    name: str
    letter: Letter
    outcome: Outcome
    put_back: PutBack | None


class Line(NamedTuple):
    """One line; `marked` is the offending place, or what points at it."""

    text: str
    marked: bool = False


def lines(shown: Shown, contract: Contract, *, unmask: bool) -> list[Line]:
    """The whole of it, line by line."""
    return [
        *(Line(f"{label:<9} {value}") for label, value in _head(shown)),
        Line(f"{'key':<9} {_bytes(shown.letter.record.key(), unmask=unmask)}"),
        *_headers(shown.letter, unmask=unmask),
        Line(""),
        *_body(shown.letter, contract, unmask=unmask),
    ]


def _head(shown: Shown) -> list[tuple[str, str]]:
    letter = shown.letter
    headers = {name: _text(value) for name, value in letter.record.headers() or []}
    stood = str(letter.place)
    if letter.attempts:
        stood += f" (its event stood first at {letter.first}, and was put back {_times(letter.attempts)})"
    head = [
        ("letter", shown.name),
        ("why", f"{terminal(letter.reason, 40)}: {personal.text(terminal(letter.message))}"),
        ("where", terminal(letter.path)),
        ("stood at", terminal(stood)),
        (
            "rejected",
            terminal(
                f"{_moment(letter.at_ms)} by {headers.get('componentName')} {headers.get('componentVersion')}"
            ),
        ),
        ("outcome", f"{shown.outcome}: {MEANINGS[shown.outcome]}"),
    ]
    if (told := shown.put_back) is not None:
        repairs = "; ".join(told.repairs) or "without repairs"
        head.append(("put back", terminal(f"{told.at} by {told.by}, to {told.place}: {repairs}")))
    return head


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _moment(ms: int) -> str:
    return rfc3339(ms) if ms >= 0 else "at an unknown time"


def _headers(letter: Letter, *, unmask: bool) -> list[Line]:
    label, found = "headers", []
    for name, value in letter.record.headers() or []:
        shown = terminal(_text(value)) if is_ours(name) else _bytes(value, unmask=unmask)
        found.append(Line(f"{label:<9} {personal.text(terminal(name, 64))}: {shown}"))
        label = ""
    return found


def _bytes(value: bytes | None, *, unmask: bool) -> str:
    if value is None:
        return "none"
    return terminal(_text(value)) if unmask else personal.shape(value)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


# ── the event ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _body(letter: Letter, contract: Contract, *, unmask: bool) -> list[Line]:
    value = letter.record.value()
    if letter.truncated:
        return [
            Line(
                f"(its value did not fit and was left out; it may still be in the input at {letter.place})",
                marked=True,
            )
        ]
    if not value:
        return [Line("(it has no value)" if value is None else "(its value is empty)", marked=True)]
    try:
        tree = json_tree.read(value)
    except Unshowable:
        return _no_json(value, letter.message, unmask=unmask)
    before = (
        [*_no_json(value, letter.message, unmask=unmask), Line("")] if _BYTE.search(letter.message) else []
    )
    if not unmask:
        tree = personal.masked(tree, contract)
    found = before + _Tree(_steps(letter.path), personal.text(letter.message)).lines(tree)
    more = len(found) - MOST_LINES
    return found if more <= 0 else [*found[:MOST_LINES], Line(f"… and {more} lines more")]


def _steps(path: str) -> tuple[Any, ...]:
    try:
        return parse_path(path).steps
    except PathError:
        return ()


def _no_json(value: bytes, message: str, *, unmask: bool) -> list[Line]:
    """A piece of what is no JSON, around the place where it ends to be."""
    found = _BYTE.search(message)
    at = min(int(found[1]), len(value)) if found else 0
    before, after = _text(value[max(0, at - _AROUND) : at]), _text(value[at : at + _AROUND])
    if not unmask:
        before, after = personal.skeleton(before), personal.skeleton(after)
    before, after = ("".join(c if c.isprintable() else "�" for c in piece) for piece in (before, after))
    form = "" if unmask else ", of which only the form is shown"
    return [
        Line(f"({len(value)} bytes{form})"),
        Line(
            ("…" if at > _AROUND else "") + before + after + ("…" if len(value) > at + _AROUND else ""),
            marked=True,
        ),
        Line(" " * (len(before) + (at > _AROUND)) + "^ " + terminal(personal.text(message)), marked=True),
    ]


class _Tree:
    """An event as indented JSON, with the place that `steps` leads to marked, or the nearest that is there."""

    def __init__(self, steps: tuple[Any, ...], message: str) -> None:
        self._steps = steps
        self._message = terminal(message)
        self._lines: list[Line] = []

    def lines(self, tree: Any) -> list[Line]:
        """All lines."""
        self._write(tree, "", "", "", self._steps or None)
        return self._lines

    def _write(self, tree: Any, indent: str, before: str, after: str, left: tuple[Any, ...] | None) -> None:
        """One value: `before` stands before it on its line, `after` behind it on its last one; `left` are the steps from
        here to the place, None where the place is elsewhere."""
        here = left == ()
        if isinstance(tree, JsonText):
            before, tree = f"{before}(JSON text) ", tree.value
        missing = bool(left) and not _has(tree, left[0] if left else None)
        first = len(self._lines)
        if isinstance(tree, dict | list) and tree:
            self._write_inside(tree, indent, before, after, left, missing=missing)
        else:
            self._lines.append(Line(indent + before + _scalar(tree) + after))
        if here:
            self._lines[first:] = [line._replace(marked=True) for line in self._lines[first:]]
        if here or (missing and not (isinstance(tree, dict | list) and tree)):
            self._lines.insert(first + 1, self._pointer(len(indent + before)))

    def _write_inside(
        self, tree: Any, indent: str, before: str, after: str, left: tuple[Any, ...] | None, *, missing: bool
    ) -> None:
        opening, closing = "{}" if isinstance(tree, dict) else "[]"
        self._lines.append(Line(indent + before + opening))
        if missing:
            self._lines.append(self._pointer(len(indent) + 2))
        items = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree))
        for number, (step, inner) in enumerate(items, 1):
            name = f"{_quoted(personal.text(step)[:64])}: " if isinstance(tree, dict) else ""
            rest = left[1:] if left and left[0] == step else None
            self._write(inner, indent + "  ", name, "," if number < len(items) else "", rest)
        self._lines.append(Line(indent + closing + after))

    def _pointer(self, column: int) -> Line:
        return Line(" " * column + "^ " + self._message, marked=True)


def _has(tree: Any, step: Any) -> bool:
    if isinstance(tree, dict):
        return step in tree
    return isinstance(tree, list) and isinstance(step, int) and step < len(tree)


def _scalar(tree: Any) -> str:
    match tree:
        case Number():
            return tree[:MOST_TEXT]
        case str():
            return _quoted(tree)
        case dict():
            return "{}"
        case list():
            return "[]"
    return str(tree).lower() if isinstance(tree, bool) else "null"


def _quoted(value: str) -> str:
    """A text as JSON on one line: what a terminal would obey or hide stands as its escape."""
    cut = value if len(value) <= MOST_TEXT else value[: MOST_TEXT - 1] + "…"
    written = msgspec.json.encode(cut.encode("utf-8", "replace").decode()).decode()
    return "".join(c if c.isprintable() else _escaped(c) for c in written)


def _escaped(character: str) -> str:
    number = ord(character)
    if number > 0xFFFF:  # noqa: PLR2004 - JSON writes these as a pair
        number -= 0x10000
        return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
    return f"\\u{number:04x}"


# ── for programs ────────────────────────────────────────────────────────────────────────────────────────────────────


def as_json(shown: Shown, contract: Contract, *, unmask: bool) -> dict[str, Any]:
    """The whole of it as one JSON object; `raw` (the value as it lies there) only where it is asked for."""
    letter = shown.letter
    value = letter.record.value()
    told: dict[str, Any] = {
        "letter": shown.name,
        "reason": letter.reason,
        "message": letter.message,
        "path": letter.path,
        "rejected_at": rfc3339(letter.at_ms) if letter.at_ms >= 0 else None,
        "stood_at": str(letter.place),
        "first_at": str(letter.first),
        "attempts": letter.attempts,
        "outcome": shown.outcome,
        "put_back": shown.put_back,
        "key": _shown(letter.record.key(), unmask=unmask),
        "headers": {
            name: _shown(content, unmask=unmask or is_ours(name))
            for name, content in letter.record.headers() or []
        },
        "bytes": None if value is None else len(value),
        "event": None,
    }
    if value:
        try:
            tree = json_tree.read(value)
            told["event"] = json_tree.plain(tree if unmask else personal.masked(tree, contract))
        except Unshowable:
            told["event"] = None
    if unmask:
        told["raw"] = None if value is None else _text(value)
    return told


def _shown(value: bytes | None, *, unmask: bool) -> str | None:
    if value is None:
        return None
    return _text(value) if unmask else personal.shape(value)
