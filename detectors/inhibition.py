"""Who holds whom back: a symptom goes under its cause when either opens, and is freed when it outlives the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors import life
from detectors.causes import CAUSES_OF, SEVERAL_COLLISIONS, rank
from detectors.grace import grace
from detectors.moment import MINUTE_MS
from detectors.purchases import COLLISION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from detectors.causes import Fields
    from detectors.life import Entry
    from detectors.shelf import Shelf

MOST_NOTES = 100
"""Notes that a cause lists; what it explains besides stays a note of its own."""

_DEEPEST = 100


class Inhibition:
    """Holds back and frees, by `detectors/causes.py`. The table and its index are the book's."""

    def __init__(
        self,
        get: Callable[[str], Entry | None],
        keep: Callable[[Entry], None],
        shelf: Shelf,
        fields: Fields,
    ) -> None:
        self._get = get
        self._keep = keep
        self._shelf = shelf
        self._fields = fields

    def settle(self, fresh: Iterable[str], now_ms: int) -> None:
        """Alerts were opened: each may be a symptom of what is known, and the cause of what stands."""
        new = set(fresh)
        causes = set(self._fresh_causes(new))
        for name in self._candidates(new, causes):
            entry = self._get(name)
            if entry is None or not entry.live or entry.alert.state == "inhibited":
                continue
            cause = self._cause_of(entry, self._known_causes(entry) if name in new else causes, now_ms)
            if cause is not None:
                self._hold(entry, cause, now_ms)

    def free_at(self, entry: Entry) -> int | None:
        """When a symptom is to be freed; None while its cause lives, or while nothing says that it outlived it."""
        if entry.alert.state != "inhibited":
            return None
        cause = self._get(entry.alert.caused_by or "")
        if cause is None:
            return entry.last_ms
        ends_ms = self._explained_until(cause, entry)
        if ends_ms is None or not grace(entry.alert, self._fields).evidenced:
            return ends_ms
        return entry.last_ms if entry.last_ms >= ends_ms else None

    def release(self, entry: Entry, at_ms: int) -> None:
        """A symptom's cause is over: another one holds it back from now on, or none does."""
        self.drop(entry)
        cause = self._cause_of(entry, self._known_causes(entry), at_ms)
        if cause is None:
            self._keep(life.freed(entry, at_ms))
        else:
            self._hold(entry, cause, at_ms)

    def held_by(self, cause: Entry) -> list[Entry]:
        """The symptoms that are held back by this alert now."""
        named = (self._get(name) for name in cause.alert.explains or ())
        return [
            entry
            for entry in named
            if entry is not None
            and entry.alert.state == "inhibited"
            and entry.alert.caused_by == cause.alert.id
        ]

    def drop(self, entry: Entry) -> None:
        """The cause of this alert does not list it any more."""
        cause = self._get(entry.alert.caused_by or "")
        listed = [] if cause is None else cause.alert.explains or []
        if cause is not None and entry.alert.id in listed:
            self._keep(life.explaining(cause, [name for name in listed if name != entry.alert.id]))

    def _hold(self, entry: Entry, cause: Entry, at_ms: int) -> None:
        listed = cause.alert.explains or []
        if not entry.loud and len(listed) >= MOST_NOTES:
            if entry.alert.state == "inhibited":
                self._keep(life.freed(entry, at_ms))
            return
        name = entry.alert.id
        # but for a gate's, whose severity says what a day may be used for
        if cause.live and cause.loud and cause.alert.layer == "watch":
            cause = life.at_least(cause, entry.alert.severity, at_ms)
        self._keep(life.explaining(cause, [*(one for one in listed if one != name), name]))
        self._keep(life.inhibited(entry, cause.alert.id, at_ms))

    def _cause_of(self, entry: Entry, names: Iterable[str], at_ms: int) -> Entry | None:
        """The best of these causes: one that lives, the most specific, the earliest."""
        best: tuple[bool, int, str, str] | None = None
        found: Entry | None = None
        for name in names:
            cause = self._get(name)
            if cause is None or not self._holds(cause, entry, at_ms):
                continue
            how = rank(cause.alert, entry.alert, self._fields)
            if how is None:
                continue
            order = (not cause.live, how, cause.alert.opened_at, name)
            if (best is None or order < best) and not self._follows(cause, entry):
                best, found = order, cause
        return found

    def _holds(self, cause: Entry, entry: Entry, at_ms: int) -> bool:
        ends_ms = self._explained_until(cause, entry)
        seen_ms = entry.last_ms if grace(entry.alert, self._fields).evidenced else at_ms
        return ends_ms is None or seen_ms < ends_ms

    def _explained_until(self, cause: Entry, symptom: Entry) -> int | None:
        """How long the cause explains the symptom; None = as long as it lives, and it does."""
        over_ms = cause.over_ms
        return None if over_ms is None else over_ms + grace(symptom.alert, self._fields).minutes * MINUTE_MS

    def _follows(self, cause: Entry, entry: Entry) -> bool:
        """Whether the cause is itself, at last, explained by the entry."""
        above: Entry | None = cause
        for _ in range(_DEEPEST):
            if above is None:
                return False
            if above.alert.id == entry.alert.id:
                return True
            above = self._get(above.alert.caused_by or "")
        return True

    def _known_causes(self, entry: Entry) -> Iterator[str]:
        """Every alert that may explain this one."""
        kind, subject = entry.condition
        for cause in CAUSES_OF.get(kind, ()):
            if cause == COLLISION:
                yield from self._collision()
            else:
                yield from self._shelf.live(cause)
                yield from self._shelf.over(cause)
        if not entry.loud:
            yield from self._shelf.about(kind, subject)
            yield from self._shelf.about(kind, "")

    def _collision(self) -> list[str]:
        """The first of several collisions stands for all of them."""
        live = self._shelf.live(COLLISION)
        entries = [entry for name in live if (entry := self._get(name)) is not None]
        if len(entries) < SEVERAL_COLLISIONS:
            return []
        return [min(entries, key=lambda entry: (entry.alert.opened_at, entry.alert.id)).alert.id]

    def _fresh_causes(self, new: set[str]) -> Iterator[str]:
        """The new alerts that may explain others; of collisions only the one that stands for all."""
        collided = False
        for name in new:
            entry = self._get(name)
            if entry is not None and entry.alert.kind == COLLISION:
                collided = True
            elif entry is not None:
                yield name
        if collided:
            yield from self._collision()

    def _candidates(self, new: set[str], causes: set[str]) -> list[str]:
        """The alerts that may go under another: the new ones, and those that a new one may explain."""
        found = set(new)
        entries = [entry for name in causes if (entry := self._get(name)) is not None]
        kinds = {entry.alert.kind for entry in entries}
        for symptom, explained_by in CAUSES_OF.items():
            if not kinds.isdisjoint(explained_by):
                found.update(self._shelf.live(symptom))
        for entry in entries:
            if entry.loud:
                kind, subject = entry.condition
                found.update(self._shelf.about(kind, subject) if subject else self._shelf.live(kind))
        return sorted(found, key=self._opened)

    def _opened(self, name: str) -> tuple[str, str, str]:
        entry = self._get(name)
        return ("", "", name) if entry is None else (entry.alert.opened_at, entry.alert.first_seen, name)
