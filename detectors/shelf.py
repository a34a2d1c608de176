"""The alerts by what they are asked for: by condition, by kind while they are live, and by when something is due."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.life import Entry

Ids = dict[str, None]
"""Ids in the order in which they came."""


class Shelf:
    """Where to find which alerts. Made from the whole table once, then told of every change."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._conditions: dict[tuple[str, str], Ids] = {}
        self._live: dict[str, Ids] = {}
        self._over: dict[str, Ids] = {}
        self._due: list[tuple[int, str]] = []
        for name in sorted(entries):
            self.see(name, entries[name])

    def see(self, name: str, entry: Entry) -> None:
        """An alert as it is now."""
        kind = entry.alert.kind
        self._conditions.setdefault(entry.condition, {})[name] = None
        here, there = (self._live, self._over) if entry.live else (self._over, self._live)
        here.setdefault(kind, {})[name] = None
        there.get(kind, {}).pop(name, None)

    def forget(self, name: str, entry: Entry) -> None:
        """An alert that is not in the table any more."""
        for ids in (
            self._conditions.get(entry.condition, {}),
            self._live.get(entry.alert.kind, {}),
            self._over.get(entry.alert.kind, {}),
        ):
            ids.pop(name, None)

    def about(self, kind: str, subject: str) -> list[str]:
        """The ids of a condition's alerts, live or over."""
        return list(self._conditions.get((kind, subject), ()))

    def live(self, kind: str | None = None) -> list[str]:
        """The ids of live alerts: of a kind, or all of them."""
        kinds = sorted(self._live) if kind is None else [kind]
        return [name for one in kinds for name in self._live.get(one, ())]

    def over(self, kind: str | None = None) -> list[str]:
        """The ids of alerts that are over: of a kind, or all of them."""
        kinds = sorted(self._over) if kind is None else [kind]
        return [name for one in kinds for name in self._over.get(one, ())]

    def remind(self, at_ms: int, name: str) -> None:
        """Something about this alert may be due then."""
        heappush(self._due, (at_ms, name))

    def due(self, at_ms: int) -> tuple[int, str] | None:
        """The earliest reminder that is due by now, with its time; it is taken out. None = there is none."""
        return heappop(self._due) if self._due and self._due[0][0] <= at_ms else None
