"""Which unknown key took a lost field's place: it came when the field went, as often, with values of the same kind."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from detectors.fields import REST, SEPARATOR, Counts, FieldMinute, parent

if TYPE_CHECKING:
    from collections.abc import Collection

_MOST_KEYS = 200
_MOST_KINDS = 16
_MOST_TEXT = 200
_FORGET_MINUTES = 24 * 60
"""A key that did not come for so long is new again when it does."""

_EARLY_MINUTES = 2
_RARE_KIND = 0.05
_LIKE = (0.6, 1.5)
"""As often as the field was lost, give or take those that lie in a minute that is only half of the fault's."""

_KIN = (
    frozenset({"word", "text", "hex", "uuid", "integer-text"}),
    frozenset({"number", "number-text", "integer-text"}),
    frozenset({"array", "object", "json"}),
)
"""Kinds between which one field's values move by themselves, as those of ids do."""

_EMPTY = "empty"
"""Says nothing about a field: most of its values may be null."""


class Key(msgspec.Struct, array_like=True):
    """A key that the contract does not know: when it was first and last seen, how often, its values' kinds, and the
    path of the field whose place it took."""

    first: int
    last: int
    count: int = 0
    kinds: Counts = {}
    taken_by: str = ""


class Keys(msgspec.Struct, omit_defaults=True):
    """At most 200 unknown keys, and the kinds of the contract fields' values."""

    unknown: dict[str, Key] = {}
    known: dict[str, Counts] = {}


def learn(keys: Keys, minute: FieldMinute, paths: Collection[str]) -> None:
    """Takes a minute's keys in; `paths` are the contract's."""
    for text, count in sorted(minute.unknown.items()):
        name = text[:_MOST_TEXT]
        if name == REST or count <= 0:
            continue
        key = keys.unknown.get(name)
        if key is None or minute.minute - key.last > _FORGET_MINUTES:
            key = keys.unknown[name] = Key(minute.minute, minute.minute)
        key.last = minute.minute
        key.count += count
    for text, count in sorted(minute.kinds.items()):
        name, _, kind = text.rpartition(SEPARATOR)
        if kind == _EMPTY:
            continue
        if name in keys.unknown:
            _count(keys.unknown[name].kinds, kind, count)
        elif name in paths:
            _count(keys.known.setdefault(name, {}), kind, count)
    while len(keys.unknown) > _MOST_KEYS:
        del keys.unknown[min(keys.unknown, key=lambda name: (keys.unknown[name].count, name))]


def _count(kinds: Counts, kind: str, count: int) -> None:
    if kind in kinds or len(kinds) < _MOST_KINDS:
        kinds[kind] = kinds.get(kind, 0) + count


class Match(NamedTuple):
    """What may have taken a field's place: `sure` by its count, `perhaps` (wait a minute), or nothing."""

    key: str
    word: Literal["sure", "perhaps", "none"]


def find(keys: Keys, path: str, since: int, hits: int, taken: frozenset[str]) -> Match:
    r"""The key that most likely took the place of a field that `hits` lost since a minute.

    >>> keys = Keys()
    >>> learn(keys, FieldMinute(10, unknown={"clientId": 12}, kinds={"clientId\\x1fuuid": 1}), frozenset())
    >>> find(keys, "client_id", 10, 12, frozenset())
    Match(key='clientId', word='sure')
    >>> find(keys, "client_id", 20, 12, frozenset()).word
    'none'
    """
    again = [name for name, key in keys.unknown.items() if key.taken_by == path and key.last >= since]
    if again:
        return Match(max(again), "sure")
    near = [name for name, key in keys.unknown.items() if _near(keys, name, key, path, since, taken)]
    sure = [n for n in near if _LIKE[0] * hits <= keys.unknown[n].count <= _LIKE[1] * hits]
    if sure:
        return Match(max(sure, key=lambda name: (_alike(name, path), name)), "sure")
    some = [n for n in near if keys.unknown[n].count >= hits / 4]
    return Match(max(some), "perhaps") if some else Match("", "none")


def _near(keys: Keys, name: str, key: Key, path: str, since: int, taken: frozenset[str]) -> bool:
    fits = parent(name) == parent(path) and name not in taken
    return fits and key.first >= since - _EARLY_MINUTES and _same_kind(key.kinds, keys.known.get(path, {}))


def _same_kind(new: Counts, old: Counts) -> bool:
    """Whether values may be those of the same field; nothing known does not speak against it."""
    if not new or not old:
        return True
    usual = max(new, key=lambda kind: (new[kind], kind))
    kinds = {kind for kind, count in old.items() if count >= _RARE_KIND * sum(old.values())}
    return usual in kinds or any(usual in kin and not kinds.isdisjoint(kin) for kin in _KIN)


def _alike(name: str, path: str) -> float:
    """How alike two names are, 0 to 1, but for their writing.

    >>> _alike("clientId", "client_id"), _alike("x", "client_id")
    (1.0, 0.0)
    """
    one, two = ("".join(c for c in text.lower() if c.isalnum()) for text in (name, path))
    return SequenceMatcher(None, one, two).ratio()
