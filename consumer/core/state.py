"""Keyed state that moves in one way only: by applying changes, live after the commit and on restore alike.

A task's state is a set of tables (dicts). Deciding never touches them; it answers with changes, one `Delta` a table.
The changes are the journal entry. A rolling snapshot rides along: every batch re-writes the next slice of keys, so
that after a full turn everything older than the turn's beginning can be cut from the journal.
"""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

K = TypeVar("K")
V = TypeVar("V")


class Delta(msgspec.Struct, Generic[K, V], omit_defaults=True):
    """Changes of one table: keys with their new values, and keys that are gone."""

    put: dict[K, V] = {}
    gone: list[K] = []

    def apply(self, table: dict[K, V]) -> None:
        """Moves the table: the only place that does."""
        table.update(self.put)
        for key in self.gone:
            table.pop(key, None)

    def __len__(self) -> int:
        return len(self.put) + len(self.gone)


class Turn(msgspec.Struct, frozen=True):
    """Where the rolling snapshot stands, as written in a journal entry: the turn's number, whether this entry begins
    it, and whether it completes it (then everything before the entry that began it is not needed any more)."""

    number: int = 0
    begins: bool = False
    completes: bool = False


FEWEST_KEYS = 1_000
"""A turn begins only after this many changes (or as many as there were keys when the last one began): small state is not
re-written all the time. Not as many as there are now: where every change is a new key, that would never be."""

SLICE = 256
"""At least this many keys are re-written in a batch while a turn is under way."""


class Slice(NamedTuple):
    """The next keys to re-write, as (table number, key), and where the walk stands afterwards."""

    turn: Turn
    keys: list[tuple[int, Any]]
    pending: list[tuple[int, Any]]
    reached: int


class RollingSnapshot:
    """Walks over the tables' keys, a slice a batch, again and again.

    `next_slice` changes nothing; `advance` is told once the batch is committed, so an aborted batch walks the same
    slice again. After a restore a new turn begins: the old one's place is not known any more.
    """

    def __init__(self) -> None:
        self._number = 0
        self._pending: list[tuple[int, Any]] = []
        self._reached = 0
        self._changes_since = FEWEST_KEYS
        self._keys_then = 0

    def next_slice(self, tables: list[dict[Any, Any]], changed: int) -> Slice:
        """The slice that goes with a batch that changes so many keys: empty between two turns."""
        begins = not self._pending
        keys = min(sum(map(len, tables)), self._keys_then)
        if begins and self._changes_since + changed < max(FEWEST_KEYS, keys):
            return Slice(Turn(self._number), [], [], 0)
        pending = _all_keys(tables) if begins else self._pending
        start = 0 if begins else self._reached
        reached = start + max(SLICE, changed)
        turn = Turn(self._number + begins, begins, reached >= len(pending))
        return Slice(turn, pending[start:reached], pending, reached)

    def advance(self, done: Slice, changed: int) -> None:
        """The batch with this slice is committed."""
        self._number = done.turn.number
        if done.turn.begins:
            self._changes_since, self._keys_then = 0, len(done.pending)
        else:
            self._changes_since += changed + 1
        self._pending, self._reached = ([], 0) if done.turn.completes else (done.pending, done.reached)

    def resume(self, turn: Turn) -> None:
        """An entry of the journal says that the snapshot stood here."""
        self._number = turn.number


def _all_keys(tables: list[dict[Any, Any]]) -> list[tuple[int, Any]]:
    return [(number, key) for number, table in enumerate(tables) for key in table]
