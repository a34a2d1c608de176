"""JSON as a tree that is shown: numbers as they are written, texts that hold JSON opened, and more than JSON allows read."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Number(str):
    """A number by its digits, or what stood where one should be (NaN)."""

    __slots__ = ()


class JsonText(NamedTuple):
    """A text that holds an object or array, opened."""

    value: Any


class Unshowable(ValueError):  # noqa: N818 - it is no fault
    """Bytes that are no JSON, however leniently they are read."""


_decoder = json.JSONDecoder(strict=False, parse_int=Number, parse_float=Number, parse_constant=Number)


def read(value: bytes | str) -> Any:
    """The tree of a JSON value. Raises Unshowable.

    >>> read('{"a": 1.50, "b": "[NaN]"}')
    {'a': '1.50', 'b': JsonText(value=['NaN'])}
    """
    try:
        return _opened(_decoder.decode(value.decode() if isinstance(value, bytes) else value))
    except (ValueError, RecursionError) as error:
        raise Unshowable(str(error)) from None


def _opened(value: Any) -> Any:
    match value:
        case dict():
            return {name: _opened(inner) for name, inner in value.items()}
        case list():
            return [_opened(inner) for inner in value]
        case str() if type(value) is str and value.lstrip()[:1] in ("{", "["):
            try:
                return JsonText(_opened(_decoder.decode(value)))
            except (ValueError, RecursionError):
                return value
    return value


def plain(tree: Any) -> Any:
    """The tree as values that any JSON writer takes; numbers as exact as a float is, what is none as text."""
    match tree:
        case JsonText(inner):
            return plain(inner)
        case Number():
            try:
                return int(tree) if tree.lstrip("-").isdigit() else float(tree)
            except ValueError:
                return str(tree)
        case dict():
            return {name: plain(inner) for name, inner in tree.items()}
        case list():
            return [plain(inner) for inner in tree]
    return tree
