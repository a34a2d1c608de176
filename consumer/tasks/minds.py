"""The detectors' memories: packed in a journalled table, unpacked once a batch and only where they are asked for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import msgspec

if TYPE_CHECKING:
    from consumer.tasks.draft import Draft

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode


@cache
def _as_new(kind: Any) -> bytes:
    """How a memory without anything in it is packed."""
    return _encode(kind())


class Kept(NamedTuple):
    """A memory as it is packed and unpacked."""

    packed: bytes
    memory: Any


def _canonical(packed: bytes, kind: type[Any]) -> Kept:
    """As it is packed once it was unpacked: an int in a float's place would make equal memories unequal bytes."""
    memory = msgspec.msgpack.decode(packed, type=kind)
    return Kept(_encode(memory), memory)


class Minds:
    """Memories by name. One that was asked for may be changed in place; `store` writes those that did change.

    `kept` spares the next batch the unpacking of what this one wrote: it is used up by the first who asks, and only if
    the table has the same bytes.
    """

    def __init__(self, table: Draft[str, bytes], kept: dict[str, Kept] | None = None) -> None:
        self._table = table
        self._held: dict[str, Any] = {}
        self._kept: dict[str, Kept] = {} if kept is None else kept

    def of(self, name: str, kind: type[T]) -> T:
        """The memory of this name, a new one if there is none."""
        held = self._held.get(name)
        if held is None:
            packed, kept = self._table.get(name), self._kept.pop(name, None)
            if packed is None:
                held = kind()
            elif kept is not None and kept.packed == packed:
                held = kept.memory
            else:
                held = msgspec.msgpack.decode(packed, type=kind)
            self._held[name] = held
        return cast("T", held)

    def join(self, name: str, other: str) -> None:
        """Two names mean one memory, that of the other, until they part; they must be equal."""
        self._kept.pop(name, None)
        self._held[name] = self._held[other]

    def part(self, name: str, kind: type[T]) -> T:
        """The memory of this name, which no other name means from now on."""
        held = self._held[name] = msgspec.msgpack.decode(_encode(self._held[name]), type=kind)
        return held

    def packed(self, name: str) -> bytes | None:
        """The memory as it lies in the table: equal bytes, equal memory. Only of one not asked for in this batch."""
        self.store(name)
        return self._table.get(name)

    def drop(self, name: str) -> None:
        """Forgets a memory for good."""
        self._held.pop(name, None)
        self._kept.pop(name, None)
        del self._table[name]

    def store(self, *names: str) -> None:
        """Writes what changed, of these memories or of all: one that was only looked at leaves no trace, nor one that is
        as new again."""
        for name in names or tuple(self._held):
            held = self._held.get(name)
            if held is not None:
                packed, before = _encode(held), self._table.get(name)
                if packed == _as_new(type(held)):  # type: ignore[arg-type]  # a type can be hashed
                    if before is not None:
                        del self._table[name]
                elif packed != before:
                    kept = self._kept[name] = _canonical(packed, type(held))
                    self._table[name] = kept.packed
