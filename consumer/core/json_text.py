r"""JSON as the text that it is: where its parts stand, and changing some of them while every other byte stays.

Reads more than JSON allows (NaN, Infinity, control characters within texts), so that what is wrong with an event can be
taken out of it. A text within JSON can hold JSON itself (`event_data` often does): `Literal` leads into it and back.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from json.decoder import scanstring  # type: ignore[attr-defined]  # it is there, only the stubs leave it out
from typing import Any, NamedTuple

_decoder = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)
_white = re.compile(r"[ \t\n\r]*").match
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
"""One character of a text as JSON writes it: a surrogate pair is one."""


class TextError(ValueError):
    """A text that is no JSON, or too deep; its own text is one sentence."""


class Span(NamedTuple):
    """A piece of a text, from `start` to before `end`."""

    start: int
    end: int


class Member(NamedTuple):
    """One member of an object: its name, and where its name (with quotes) and its value stand."""

    name: str
    key: Span
    value: Span


class Edit(NamedTuple):
    """A piece of a text, and what is to stand there instead."""

    start: int
    end: int
    new: str


def apply(text: str, edits: list[Edit]) -> str:
    """The text with the pieces changed. They must not overlap.

    >>> apply("abc", [Edit(2, 3, "z"), Edit(0, 1, "xx")])
    'xxbz'
    """
    parts: list[str] = []
    at = 0
    for start, end, new in sorted(edits):
        parts += (text[at:start], new)
        at = end
    return "".join([*parts, text[at:]])


def whole(text: str) -> Span:
    """Where the one JSON value stands that the text must be. Raises TextError."""
    start = _skip(text, 0)
    end = _end(text, start)
    if _skip(text, end) != len(text):
        raise TextError("something follows the JSON value")
    return Span(start, end)


def members(text: str, start: int) -> list[Member]:
    """The members of the object that begins there, in order. Raises TextError."""
    found: list[Member] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        name, after = _name(text, at)
        value = _skip(text, after)
        if text[value : value + 1] != ":":
            raise TextError("a name is not followed by a colon")
        value = _skip(text, value + 1)
        end = _end(text, value)
        found.append(Member(name, Span(at, after), Span(value, end)))
        at = _next(text, end, "}")
    return found


def elements(text: str, start: int) -> list[Span]:
    """The elements of the array that begins there, in order. Raises TextError."""
    found: list[Span] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        end = _end(text, at)
        found.append(Span(at, end))
        at = _next(text, end, "]")
    return found


class Literal:
    """A text within JSON: what it says, and which piece of what is written stands for which of its characters."""

    def __init__(self, text: str, span: Span) -> None:
        self._written = text[span.start + 1 : span.end - 1]
        places = (len(found[0]) for found in _CHARACTER.finditer(self._written))
        self._offsets = list(accumulate(places, initial=span.start + 1))
        self.text: str = _name(text, span.start)[0]

    def outward(self, edit: Edit) -> Edit:
        """An edit of what the text says, as one of what is written: in ASCII where all of it is."""
        new = json.dumps(edit.new, ensure_ascii=self._written.isascii())[1:-1]
        return Edit(self._offsets[edit.start], self._offsets[edit.end], new)


def written(value: Any, *, ascii_only: bool) -> str:
    """A value as JSON, in the way of the text that it goes into."""
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False)


def is_writable(text: str) -> bool:
    """Whether the text can be UTF-8: lone surrogates, of an argument in another encoding, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _skip(text: str, at: int) -> int:
    """The next place that is no white space."""
    found = _white(text, at)
    return found.end() if found else at


def _end(text: str, start: int) -> int:
    """Where the value ends that begins there."""
    try:
        _, end = _decoder.raw_decode(text, start)
    except RecursionError:
        raise TextError("it is nested too deeply") from None
    except ValueError as error:
        raise TextError(f"it is no JSON: {error}") from None
    return end


def _name(text: str, at: int) -> tuple[str, int]:
    """The text that begins there with its quote, and where it ends."""
    if text[at : at + 1] != '"':
        raise TextError("a name is no text")
    try:
        name, end = scanstring(text, at + 1, False)  # noqa: FBT003 - not strict: control characters are let through
    except ValueError as error:
        raise TextError(f"it is no JSON: {error}") from None
    return name, end


def _next(text: str, end: int, closing: str) -> int:
    """Where the next member or element begins, or the closing bracket stands."""
    at = _skip(text, end)
    if text[at : at + 1] == closing:
        return at
    if text[at : at + 1] != ",":
        raise TextError("a comma is missing")
    at = _skip(text, at + 1)
    if text[at : at + 1] == closing:
        raise TextError("something is missing after a comma")
    return at
