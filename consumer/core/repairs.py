r"""Repairs of an event's JSON: rename, drop, set, cast. What a repair does not touch stays as it is, to the byte.

A path leads through objects, arrays and texts that hold JSON. What is not there is left alone; a repair that cannot be
done where it should be (`Repaired.misfits`) leaves that place as it was.

>>> event = b'{"clientId": "7-a",  "event_data": "{\\"revenue\\": \\"79.50\\"}"}'
>>> repairs = [Rename.read("clientId=client_id"), Cast.read("event_data.revenue=number")]
>>> repaired(event, repairs).value
b'{"client_id": "7-a",  "event_data": "{\\"revenue\\": 79.50}"}'
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import msgspec

from consumer.core import json_text
from consumer.core.json_path import EVERY, Path, PathError, parse_path
from consumer.core.json_text import Edit, Span, TextError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumer.core.json_path import Step

Kind = Literal["number", "string", "integer", "boolean"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_MOST_DIGITS = 30


class RepairError(ValueError):
    """A text that is no repair; its own text is one sentence."""


class _MisfitError(Exception):
    """A repair that cannot be done at the place where it should be; its text says why."""


class Rename(NamedTuple):
    """Gives members another name."""

    path: Path
    name: str

    @classmethod
    def read(cls, text: str) -> Rename:
        """Of `path=name`. The name may be given as a path in the same object, too. Raises RepairError."""
        path, new = _halves("rename", text)
        target = _path("rename", new)
        if len(target.steps) > 1 and target.parent == path.parent:
            target = Path(target.steps[-1:])
        name = target.steps[0] if len(target.steps) == 1 else None
        if not isinstance(name, str) or not isinstance(path.steps[-1], str):
            raise RepairError(
                f"rename {text[:80]}: only the name of a field can be changed, not where it stands: write event_data.old=new"
            )
        return cls(path, name)

    def __str__(self) -> str:
        return f"rename {self.path} to {self.name}"

    def edits(self, text: str, holder: Span, step: Step) -> list[Edit]:
        """What changes in the object."""
        if text[holder.start] != "{":
            return []
        members = json_text.members(text, holder.start)
        if not any(member.name == step for member in members):
            return []
        there = [number for number, member in enumerate(members) if member.name == self.name != step]
        if any(text[slice(*members[number].value)] != "null" for number in there):
            raise _MisfitError(f"{self.name} is there already")
        if there:  # a null makes room, at the first of two looks
            return _cut([Span(member.key.start, member.value.end) for member in members], there)
        new = json_text.written(self.name, ascii_only=text.isascii())
        return [Edit(*member.key, new) for member in members if member.name == step]


class Drop(NamedTuple):
    """Takes members or elements out."""

    path: Path

    @classmethod
    def read(cls, text: str) -> Drop:
        """Of a path. Raises RepairError."""
        return cls(_path("drop", text))

    def __str__(self) -> str:
        return f"drop {self.path}"

    def edits(self, text: str, holder: Span, step: Step) -> list[Edit]:
        """What changes in the object or array."""
        if text[holder.start] == "{":
            members = json_text.members(text, holder.start)
            gone = [number for number, member in enumerate(members) if member.name == step]
            return _cut([Span(member.key.start, member.value.end) for member in members], gone)
        if text[holder.start] == "[":
            elements = json_text.elements(text, holder.start)
            gone = [number for number in range(len(elements)) if step in (EVERY, number)]
            return _cut(elements, gone)
        return []


class SetTo(NamedTuple):
    """Puts a value (its JSON) at the place, whether something is there or not."""

    path: Path
    value: str

    @classmethod
    def read(cls, text: str) -> SetTo:
        """Of `path=value`: JSON if it is JSON, else a text. Raises RepairError."""
        path, value = _halves("set", text)
        if not json_text.is_writable(value):
            raise RepairError("set: the command line is not UTF-8")
        try:
            msgspec.json.decode(value, type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError):
            value = json_text.written(value, ascii_only=False)
        return cls(path, value.strip())

    def __str__(self) -> str:
        return f"set {self.path}"

    def edits(self, text: str, holder: Span, step: Step) -> list[Edit]:
        """What changes in the object or array."""
        value = _ascii(self.value) if text.isascii() else self.value
        if text[holder.start] == "{" and isinstance(step, str):
            members = json_text.members(text, holder.start)
            known = [Edit(*member.value, value) for member in members if member.name == step]
            return known or [_added(text, holder, members, step, value)]
        if text[holder.start] == "[" and not isinstance(step, str):
            elements = json_text.elements(text, holder.start)
            edits = [Edit(*place, value) for number, place in enumerate(elements) if step in (EVERY, number)]
            if edits or step == EVERY:
                return edits
            raise _MisfitError(f"there are only {len(elements)} elements")
        raise _MisfitError("there is nothing that could hold it")


class Cast(NamedTuple):
    """Gives values another type, where what they say allows it. A null stays null."""

    path: Path
    kind: Kind

    @classmethod
    def read(cls, text: str) -> Cast:
        """Of `path=number`, `string`, `integer` or `boolean`. Raises RepairError."""
        path, kind = _halves("cast", text)
        if kind not in KINDS:
            raise RepairError(f"cast {text[:80]}: {kind[:20]!r} is no type: write one of {', '.join(KINDS)}")
        return cls(path, kind)

    def __str__(self) -> str:
        return f"cast {self.path} to {self.kind}"

    def edits(self, text: str, holder: Span, step: Step) -> list[Edit]:
        """What changes in the object or array."""
        edits = []
        for place in _within(text, holder, step):
            before = text[slice(*place)]
            after = before if before == "null" else _as(before, self.kind)
            if after is None:
                raise _MisfitError(f"what is there is no {self.kind}")
            if after != before:
                edits.append(Edit(*place, after))
        return edits


Repair = Rename | Drop | SetTo | Cast


class Repaired(NamedTuple):
    """An event after its repairs. `misfits`: what could not be done, in words without any value."""

    value: bytes
    misfits: tuple[str, ...]


def repaired(value: bytes, repairs: Iterable[Repair]) -> Repaired:
    """The event with the repairs done one after the other. Raises TextError if the value is no JSON in UTF-8."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise TextError("it is not UTF-8") from None
    json_text.whole(text)
    misfits = []
    for repair in repairs:
        text, misfit = _repair(text, repair)
        misfits += misfit
    return Repaired(text.encode(), tuple(misfits))


def _repair(text: str, repair: Repair) -> tuple[str, list[str]]:
    misfits: list[str] = []
    reached = 0

    def edits(inner: str, holder: Span, step: Step) -> list[Edit]:
        nonlocal reached
        reached += 1
        try:
            return repair.edits(inner, holder, step)
        except _MisfitError as why:
            misfits.append(f"{repair}: {why}")
            return []

    for _ in range(2 if isinstance(repair, Rename) else 1):
        misfits.clear()
        try:
            found = _walk(text, json_text.whole(text), repair.path.steps, edits)
        except TextError:
            return text, [f"{repair}: a text on the way there is no JSON"]
        text = json_text.apply(text, found)
    if isinstance(repair, SetTo) and not reached and EVERY not in repair.path.steps:
        misfits.append(f"{repair}: there is no {repair.path.parent}")
    return text, misfits[:1]


def _walk(
    text: str, place: Span, steps: tuple[Step, ...], act: Callable[[str, Span, Step], list[Edit]]
) -> list[Edit]:
    """The edits that `act` wants of every object or array that holds the last step."""
    if text[place.start] == '"':
        literal = json_text.Literal(text, place)
        if literal.text.lstrip()[:1] not in ("{", "["):
            return act(text, place, steps[0]) if len(steps) == 1 else []
        inner = _walk(literal.text, json_text.whole(literal.text), steps, act)
        return [literal.outward(edit) for edit in inner]
    if len(steps) == 1:
        return act(text, place, steps[0])
    return [edit for inner in _within(text, place, steps[0]) for edit in _walk(text, inner, steps[1:], act)]


def _within(text: str, holder: Span, step: Step) -> list[Span]:
    """Where the values stand that a step leads to."""
    if text[holder.start] == "{":
        return [member.value for member in json_text.members(text, holder.start) if member.name == step]
    if text[holder.start] == "[":
        elements = json_text.elements(text, holder.start)
        return [place for number, place in enumerate(elements) if step in (EVERY, number)]
    return []


def _cut(pieces: list[Span], gone: list[int]) -> list[Edit]:
    """Takes pieces out of an object or array, each with one comma."""
    if not gone:
        return []
    if len(gone) == len(pieces):
        return [Edit(pieces[0].start, pieces[-1].end, "")]
    tail = len(pieces)
    while tail - 1 in gone:
        tail -= 1
    edits = [Edit(pieces[n].start, pieces[n + 1].start, "") for n in gone if n < tail]
    return edits + ([Edit(pieces[tail - 1].end, pieces[-1].end, "")] if tail < len(pieces) else [])


def _added(text: str, holder: Span, members: list[json_text.Member], name: str, value: str) -> Edit:
    """A new last member, spaced like those before it."""
    key = json_text.written(name, ascii_only=text.isascii())
    if not members:
        return Edit(holder.start + 1, holder.start + 1, f"{key}:{value}")
    last = members[-1]
    colon = text[last.key.end : last.value.start]
    comma = ", " if colon.endswith(" ") else ","
    if len(members) > 1:
        comma = text[members[-2].value.end : last.key.start]
    return Edit(last.value.end, last.value.end, f"{comma}{key}{colon}{value}")


def _as(value: str, kind: Kind) -> str | None:
    """The JSON of a value (no null) as another type; None where it is none.

    >>> _as('" 79.50 "', "number"), _as("12.0", "integer"), _as("7", "string"), _as('"TRUE"', "boolean")
    ('79.50', '12', '"7"', 'true')
    >>> _as('"1,299"', "number"), _as("12.5", "integer"), _as("[]", "string"), _as("true", "number")
    (None, None, None, None)
    """
    plain = value
    if value.startswith('"'):
        plain = json_text.Literal(value, Span(0, len(value))).text.strip()
    match kind:
        case "string" if value.startswith('"'):
            return value
        case "string":
            return f'"{value}"' if value in ("true", "false") or _NUMBER.fullmatch(value) else None
        case "boolean":
            return {"true": "true", "1": "true", "false": "false", "0": "false"}.get(plain.lower())
        case "number":
            return plain if _NUMBER.fullmatch(plain) else None
        case "integer":
            return _integer(plain) if _NUMBER.fullmatch(plain) else None


def _integer(digits: str) -> str | None:
    if re.fullmatch(r"-?\d+", digits, re.ASCII):
        return digits
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    if number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
        return None
    return str(int(number))


def _ascii(value: str) -> str:
    """JSON with everything beyond ASCII escaped."""
    return "".join(c if c.isascii() else json_text.written(c, ascii_only=True)[1:-1] for c in value)


def _path(repair: str, text: str) -> Path:
    if not json_text.is_writable(text):
        raise RepairError(f"{repair}: the command line is not UTF-8")
    try:
        path = parse_path(text.strip())
    except PathError as error:
        raise RepairError(f"{repair} {text[:80]}: {error}") from None
    if not path.steps:
        raise RepairError(f"{repair} {text[:80]}: name a place within the event")
    return path


def _halves(repair: str, text: str) -> tuple[Path, str]:
    """The path before the first `=` that does not belong to it, and what follows."""
    at = text.find("=")
    while at > 0:
        try:
            return _path(repair, text[:at]), text[at + 1 :].strip() if repair != "set" else text[at + 1 :]
        except RepairError:
            at = text.find("=", at + 1)
    raise RepairError(f"{repair} {text[:80]}: write it like {_EXAMPLES[repair]}")


_EXAMPLES = {
    "rename": "clientId=client_id",
    "set": "event_data.currency=EUR",
    "cast": "event_data.revenue=number",
}
