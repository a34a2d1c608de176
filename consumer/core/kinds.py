"""What a value looks like, in one word, so that a key that went and a key that came can be told to be the same.

A kind says nothing about the value itself: it may be a person's.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, get_args

Kind = Literal[
    "empty", "uuid", "hex", "url", "timestamp", "email", "integer-text", "number-text", "json", "word", "text",
    "number", "bool", "object", "array",
]  # fmt: skip
"""`empty`: null or a text of white space. `word`: a text without white space. `number-text`: a number as text."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_LOOKED_AT = 512
"""Characters of a text that are looked at."""

_TEXTS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("integer-text", re.compile(r"[+-]?\d+\Z", re.ASCII)),
    ("number-text", re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\Z", re.ASCII)),
    ("uuid", re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)),
    ("hex", re.compile(r"[0-9a-f]{16,}\Z", re.IGNORECASE)),
    ("timestamp", re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d.*)?\Z", re.ASCII)),
    ("url", re.compile(r"[a-z][a-z0-9+.\-]*://", re.IGNORECASE)),
    ("email", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")),
    ("json", re.compile(r"\s*[{\[]")),
    ("word", re.compile(r"\S+\Z")),
)


def kind_of(value: object) -> Kind:
    """The kind of a JSON value.

    >>> [kind_of(v) for v in ("6f9619ff-8b86-d011-b42d-00c04fc964ff", "GA1.2.3", "https://a.b/", "12", None, 1, [])]
    ['uuid', 'word', 'url', 'integer-text', 'empty', 'number', 'array']
    """
    match value:
        case None:
            return "empty"
        case str():
            return _of_text(value[:_LOOKED_AT])
        case bool():
            return "bool"
        case int() | Decimal():
            return "number"
        case dict():
            return "object"
        case _:
            return "array"


def _of_text(text: str) -> Kind:
    if not text or text.isspace():
        return "empty"
    return next((kind for kind, pattern in _TEXTS if pattern.match(text)), "text")
