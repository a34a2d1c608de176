"""The table of alerts while a batch is decided: what is written is indexed, told, and remembered if something will be
due; what is due happens in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from detectors import life
from detectors.inhibition import Inhibition
from detectors.life import EXPIRES_MS, Entry
from detectors.moment import DAY_MS
from detectors.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from detectors.alerts import Alert
    from detectors.causes import Fields

FORGET_MS = 35 * DAY_MS
"""An alert that has been over for so long leaves the table; in `sluice.alerts` it stays."""


class Entries(Protocol):
    """The table of entries by alert id, as it will be."""

    def get(self, key: str, /) -> Entry | None:
        """The entry; None if there is none."""

    def __setitem__(self, key: str, value: Entry, /) -> None: ...

    def __delitem__(self, key: str, /) -> None: ...

    def merged(self) -> dict[str, Entry]:
        """All of them."""
        ...


class Ledger:
    """The entries, their index and their causes, kept in step. `told` are the ids of those that changed; `left` is the
    last word on those of them that have left the table since: a batch may be longer than they are remembered."""

    def __init__(self, entries: Entries, fields: Fields) -> None:
        table = entries.merged()
        self.told: set[str] = set()
        self.left: dict[str, Alert] = {}
        self._entries = entries
        self._shelf = Shelf(table)
        self.causes = Inhibition(self.get, self.keep, self._shelf, fields)
        for name, entry in sorted(table.items()):
            self._remind(name, entry)

    def turn(self, now_ms: int) -> None:
        """Whatever is due by now happens, at the time at which it was due, the earliest first."""
        while (reminder := self._shelf.due(now_ms)) is not None:
            at_ms, name = reminder
            entry = self.get(name)
            due_ms = None if entry is None else self._due(entry)
            if entry is not None and due_ms is not None and due_ms <= at_ms:  # else there is a later reminder
                self._happen(entry, due_ms)

    def _due(self, entry: Entry) -> int | None:
        """When something becomes of the alert by itself; None while nothing does."""
        if not entry.live:
            over_ms = entry.over_ms
            return None if over_ms is None else over_ms + FORGET_MS
        ends = None if entry.lasting else entry.last_ms + EXPIRES_MS
        times = (ends, entry.until_ms, self.causes.free_at(entry))
        return min((ms for ms in times if ms is not None), default=None)

    def _happen(self, entry: Entry, at_ms: int) -> None:
        if not entry.live:
            self._forget(entry, at_ms)
        elif not entry.lasting and entry.last_ms + EXPIRES_MS == at_ms:
            self.keep(life.expired(entry))
        elif entry.until_ms == at_ms:
            self.keep(life.heard_again(entry))
        else:
            self.causes.release(entry, at_ms)

    def _forget(self, entry: Entry, at_ms: int) -> None:
        name = entry.alert.id
        if name in self.told:
            self.left[name] = entry.alert
        del self._entries[name]
        self._shelf.forget(name, entry)
        for symptom in self.causes.held_by(entry):
            self.causes.release(symptom, at_ms)

    def keep(self, entry: Entry) -> None:
        """The entry as it is now: in the table, in the index, among what is told, and in mind if something is due."""
        name = entry.alert.id
        was = self.get(name)
        self._entries[name] = entry
        self._shelf.see(name, entry)
        self.told.add(name)
        self._remind(name, entry)
        if was is not None and was.live and not entry.live:
            for symptom in self.causes.held_by(entry):
                self._remind(symptom.alert.id, symptom)

    def _remind(self, name: str, entry: Entry) -> None:
        due_ms = self._due(entry)
        if due_ms is not None:
            self._shelf.remind(due_ms, name)

    def get(self, name: str) -> Entry | None:
        """The entry; None if there is none."""
        return self._entries.get(name)

    def of(self, kind: str, subject: str) -> list[Entry]:
        """A condition's alerts, the latest last."""
        entries = [entry for name in self._shelf.about(kind, subject) if (entry := self.get(name))]
        return sorted(
            entries, key=lambda entry: (entry.alert.opened_at, entry.step, entry.loud, entry.alert.id)
        )

    def alerts_of(self, kinds: Iterable[str]) -> Iterator[Alert]:
        """All alerts of some kinds, live or over, in no particular order."""
        names = (name for kind in kinds for name in (*self._shelf.live(kind), *self._shelf.over(kind)))
        return (entry.alert for name in names if (entry := self.get(name)))

    def alerts(self) -> Iterator[Alert]:
        """All alerts, live or over, in no particular order."""
        return (entry.alert for entry in self._entries.merged().values())
