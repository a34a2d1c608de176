r"""Where something stands within an event, as an operator writes it: `event_data.items[].item_price`.

Names are parted by dots, `[0]` is an element of an array, `[]` (or `[*]`) every one, `["a name"]` a name that has dots
or brackets in it; a leading `$.` (JSONPath, as dead letters have it) may be left out.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

_PLAIN = re.compile(r"[^.\[\]\"'\s]+")
_INDEX = re.compile(r"\[(\d{1,6}|\*|)\]", re.ASCII)
_QUOTED = re.compile(r"""\[("(?:[^"\\]|\\.)*"|'[^'\\]*')\]""")

MOST_STEPS = 32
"""Deeper than any event that is meant to be one."""


class Every(NamedTuple):
    """Every element of an array."""


EVERY: Final = Every()

Step = str | int | Every


class PathError(ValueError):
    """A text that is no path; its own text is one sentence."""


class Path(NamedTuple):
    """The steps from the event down; none = the event itself."""

    steps: tuple[Step, ...]

    @property
    def parent(self) -> Path:
        """The same without the last step."""
        return Path(self.steps[:-1])

    def __str__(self) -> str:
        text = ""
        for step in self.steps:
            match step:
                case str() if _PLAIN.fullmatch(step):
                    text += f".{step}" if text else step
                case str():
                    text += f"[{msgspec.json.encode(step).decode()}]"
                case int():
                    text += f"[{step}]"
                case Every():
                    text += "[]"
        return text or "$"


def parse_path(text: str) -> Path:
    r"""The path that a text names. Raises PathError.

    >>> parse_path("$.event_data.items[0].price").steps, parse_path("items[]").steps
    (('event_data', 'items', 0, 'price'), ('items', Every()))
    >>> str(parse_path('a["b.c"][*]'))
    'a["b.c"][]'
    """
    steps: list[Step] = []
    at, wants_name = 0, True
    if text == "$" or text.startswith(("$.", "$[")):
        at, wants_name = 1, False
        if text[1:2] == ".":
            at, wants_name = 2, True
    while at < len(text):
        at, step, wants_name = _step(text, at, wants_name=wants_name)
        if step is not None:
            steps.append(step)
    if wants_name or len(steps) > MOST_STEPS:
        raise _error(text)
    return Path(tuple(steps))


def _step(text: str, at: int, *, wants_name: bool) -> tuple[int, Step | None, bool]:
    """What stands at a place of the text: where it ends, the step (none for a dot), and whether a name must follow."""
    if wants_name and (found := _PLAIN.match(text, at)):
        return found.end(), found[0], False
    if text[at] == "." and not wants_name:
        return at + 1, None, True
    if (not wants_name or at == 0) and (found := _INDEX.match(text, at)):
        return found.end(), EVERY if found[1] in ("", "*") else int(found[1]), False
    if (not wants_name or at == 0) and (found := _QUOTED.match(text, at)):
        try:
            name = msgspec.json.decode(found[1], type=str) if found[1][0] == '"' else found[1][1:-1]
        except msgspec.DecodeError as error:
            raise _error(text) from error
        return found.end(), name, False
    raise _error(text)


def _error(text: str) -> PathError:
    return PathError(
        f"{text[:80]!r} is no path: write it like event_data.revenue or event_data.items[].price"
    )
