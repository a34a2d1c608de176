"""A table as it will be once a batch is committed: what is decided reads and writes here, the table stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

K = TypeVar("K")
V = TypeVar("V")


class Draft(Generic[K, V]):
    """Reads through to the table, keeps what is written and what is gone to itself."""

    def __init__(self, table: dict[K, V]) -> None:
        self._table = table
        self.put: dict[K, V] = {}
        self.gone: set[K] = set()

    @property
    def before(self) -> dict[K, V]:
        """The table as it is: to look at, not to change."""
        return self._table

    def get(self, key: K) -> V | None:
        """The value as it will be; None if there is none."""
        value = self.put.get(key)
        return value if value is not None or key in self.gone else self._table.get(key)

    def __setitem__(self, key: K, value: V) -> None:
        self.put[key] = value
        self.gone.discard(key)

    def __delitem__(self, key: K) -> None:
        self.put.pop(key, None)
        if key in self._table:
            self.gone.add(key)

    def drop(self, keys: Iterable[K]) -> None:
        """Deletes many."""
        put, gone, table = self.put, self.gone, self._table
        for key in keys:
            put.pop(key, None)
            if key in table:
                gone.add(key)

    def merged(self) -> dict[K, V]:
        """The whole table as it will be."""
        merged = {**self._table, **self.put}
        for key in self.gone:
            merged.pop(key, None)
        return merged
