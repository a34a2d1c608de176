"""Facts while the watch merges them: what they change in days, transaction ids, alerts and event time."""

from __future__ import annotations

from statistics import median_low
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from consumer.core.daybook import Day, receipt
from consumer.core.facts import Command, GateReport
from consumer.core.instant import LAST_MS, rfc3339
from consumer.core.purchases import PurchaseFact, Remembered, remember
from consumer.core.record import Output
from consumer.core.rejection import PURCHASE_INVALID
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.core.watermark import Progress, watermark
from consumer.core.wire import WireError, read_facts, to_json
from consumer.tasks.watch_state import Incident, WatchClock, WatchOptions, WatchState
from detectors import purchases
from detectors.alerts import LIVE, Alert, Severity, identity

if TYPE_CHECKING:
    from consumer.core.record import Record

K = TypeVar("K")
V = TypeVar("V")


class Draft(Generic[K, V]):
    """A table as it will be: reads through to the table, keeps what is written to itself."""

    def __init__(self, table: dict[K, V]) -> None:
        self._table = table
        self.put: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value as it will be; None if there is none."""
        value = self.put.get(key)
        return self._table.get(key) if value is None else value

    def __setitem__(self, key: K, value: V) -> None:
        self.put[key] = value

    def merged(self) -> dict[K, V]:
        """The whole table as it will be."""
        return {**self._table, **self.put}


MOST_QUIET_MS = 7 * DAY_MS
"""At the end of all input a stream may be continued after a pause shorter than this."""

MOST_DAYS_NAMED = 10
"""Days that the message of a collision names: the newest."""

EXPIRES_MS = DAY_MS
"""An incident that is over when it happens (a collision, an invalid purchase) leaves the open list a day of event
time after its last evidence."""


class WatchBatch:
    """Facts while they are merged: what they change. The task itself stays as it was."""

    def __init__(self, state: WatchState, options: WatchOptions) -> None:
        self._options = options
        self._zone = options.zone
        self._days = Draft(state.days)
        self._ids = Draft(state.ids)
        self._incidents = Draft(state.incidents)
        self._partitions = Draft(state.partitions)
        self._clocks = Draft(state.clock)
        self.clock = state.clock.get("", WatchClock())
        self._amended: set[str] = set()
        self._told: set[str] = set()
        self._furthest_before = self.clock.furthest_ms
        self._told_alerts: set[str] = set()
        self.purchases: dict[str, int] = {}

    def drafts(self) -> list[Draft]:  # type: ignore[type-arg]
        """The tables as they will be, in the order of `WatchState.tables`."""
        return [self._days, self._ids, self._incidents, self._partitions, self._clocks]

    def read(self, record: Record) -> None:
        """Merges one record of the facts topic. Raises WireError if it cannot be."""
        message = read_facts(record.value())
        if isinstance(message, Command):
            self._obey(message)
        else:
            self._merge(message)

    def _merge(self, report: GateReport) -> None:
        before = self._partitions.get(report.partition) or Progress()
        if report.sequence != before.sequence + (report.part == 1):
            raise WireError(
                f"facts of input partition {report.partition} are missing: "
                f"number {report.sequence} came after number {before.sequence}"
            )
        self._amended.clear()
        for minute, facts in report.facts.minutes.items():
            self._day(self._zone.day_of(minute)).add(facts)
            if facts.rejected:
                self._note_invalid(minute, facts.rejected)
        for fact in report.facts.purchases:
            self._purchase(fact)
        progress = Progress(
            report.sequence, before.stream_ms, before.log_ms, before.idle_since_ms, before.end_ms
        )
        if report.part == report.parts:
            progress = Progress(
                report.sequence, report.stream_ms, report.log_ms, report.idle_since_ms, report.end_ms
            )
        self._partitions[report.partition] = progress
        self._move_on(report)

    def _day(self, day: str) -> Day:
        """The day to change; a closed one gets its next revision with this record."""
        draft = self._days.put.get(day)
        if draft is None:
            known = self._days.get(day)
            draft = self._days.put[day] = Day() if known is None else known.copy()
        self._told.add(day)
        if draft.closed_at_ms is not None:
            self._amended.add(day)
        return draft

    def _purchase(self, fact: PurchaseFact) -> None:
        day = self._zone.day_of(fact.at_ms // MINUTE_MS)
        known = self._ids.get(fact.id)
        if known is not None and self._forgotten(known):
            known = None
        now, changes = remember(known, fact, day)
        self._ids[fact.id] = now
        for change in changes:
            self._day(change.day).change(change)
        if now.collided:
            self._note_collision(fact.id, now)
        outcome = (
            "collided"
            if now.collided
            else "invalid"
            if now.amount is None
            else "counted"
            if known is None
            else "replayed"
        )
        self.purchases[outcome] = self.purchases.get(outcome, 0) + 1

    def _forgotten(self, known: Remembered) -> bool:
        mark = self.clock.watermark_ms
        return mark is not None and known.last_ms < mark - self._options.memory_ms

    def _move_on(self, report: GateReport) -> None:
        """Event time goes on: days become real, days close, incidents expire."""
        told = [self._partitions.get(p) or Progress() for p in self._partitions.merged()]
        mark = watermark(told, report.partitions, self.clock.watermark_ms)
        streams = [p.stream_ms for p in told if p.stream_ms is not None]
        furthest = max(
            [*streams, *(m for m in (mark, self.clock.furthest_ms) if m is not None)], default=None
        )
        clock = WatchClock(mark, furthest, report.contract)
        if clock != self.clock:
            self._clocks[""] = clock
        moved, self.clock = clock.watermark_ms != self.clock.watermark_ms, clock
        at_ms = mark if mark is not None else report.wall_ms
        for day in sorted(self._amended):
            self._day(day).revise(at_ms, "late events" if report.facts.minutes else "")
        if moved and mark is not None:
            self._close(mark)
            self._expire(mark)

    def _close(self, mark: int) -> None:
        """Closes the days that the watermark has left by the allowed lateness."""
        for day, sums in sorted(self._days.merged().items()):
            if sums.closed_at_ms is None:
                closes_at = self._closing_ms(day)
                if closes_at <= mark:
                    draft = self._day(day)
                    draft.closed_at_ms = closes_at
                    draft.revise(closes_at)

    def _closing_ms(self, day: str) -> int:
        """When a day closes: the allowed lateness after its end, but within the calendar (RFC 3339 ends with 9999)."""
        return min(self._zone.end_ms(day) + self._options.lateness_ms, LAST_MS)

    def end(self) -> None:
        """Every real day closes: there will be no more."""
        furthest = self.clock.furthest_ms
        if furthest is not None:
            last = self._last_day(self._zone.day_of(furthest // MINUTE_MS))
            mark = self._closing_ms(last)
            furthest = max(furthest, self._zone.start_ms(last))
            self.clock = WatchClock(mark, furthest, self.clock.contract)
            self._clocks[""] = self.clock
            self._close(mark)
            self._expire(mark)

    def _last_day(self, reached: str) -> str:
        """The last real day at the end of all input. A stream of few visitors does not get to its last days by itself
        (half of the last 32 visitors must be there). They are real if they follow within a week and have at least a
        tenth of a usual day's events: what a clock that runs ahead names has not."""
        days = {day: sums.events for day, sums in sorted(self._days.merged().items()) if sums.events}
        real = [events for day, events in days.items() if day <= reached]
        for day, events in days.items():
            if day > reached and self._zone.start_ms(day) - self._zone.end_ms(reached) < MOST_QUIET_MS:
                if real and events * 10 < median_low(real):
                    continue
                reached = day
                real.append(events)
        return reached

    def _obey(self, command: Command) -> None:
        """An operator's command; one that does not fit (an unknown day or action, a day that is not quarantined)
        changes nothing: nobody has looked at what quarantines a day later."""
        day = self._days.get(command.target)
        if command.action == "release" and day is not None and day.status() == "quarantined":
            draft = self._day(command.target)
            draft.released = True
            draft.revise(self.clock.watermark_ms or command.wall_ms, command.reason, command.by)

    def _note_collision(self, transaction: str, now: Remembered) -> None:
        known_at = now.first_ms if now.clashed_ms is None else now.clashed_ms
        days = sorted(now.occurrences)[-MOST_DAYS_NAMED:]
        count = sum(now.occurrences.values())
        self._note(
            identity(purchases.COLLISION, transaction, ""),
            Alert(
                id="",
                severity=Severity.P0_BLOCKER,
                kind=purchases.COLLISION,
                layer="gate",
                metric="purchases",
                subject=transaction,
                day=days[-1],
                state="open",
                first_seen=rfc3339(now.first_ms),
                opened_at=rfc3339(known_at),
                count=count,
                message=(
                    f"Transaction id {transaction} came {count} times with different contents ({', '.join(days)}). "
                    "None of them is counted and these days are quarantined: find out which order is the true one, "
                    "then release the day."
                ),
                evidence={"days": days},
            ),
            now.last_ms,
        )

    def _note_invalid(self, minute: int, rejected: dict[str, int]) -> None:
        reasons = [reason for reason in PURCHASE_INVALID if reason in rejected]
        if not reasons:
            return
        day, at = self._zone.day_of(minute), rfc3339(minute * MINUTE_MS)
        invalid = self._day(day).rejected
        found = {reason.value: invalid[reason] for reason in sorted(PURCHASE_INVALID) if reason in invalid}
        count = sum(found.values())
        self._note(
            identity(purchases.INVALID, "", day),
            Alert(
                id="",
                severity=Severity.P2_NOTE,
                kind=purchases.INVALID,
                layer="gate",
                metric="purchases",
                subject=None,
                day=day,
                state="open",
                first_seen=at,
                opened_at=at,
                count=count,
                message=(
                    f"{count} purchase{'s' if count > 1 else ''} on {day} could not be counted "
                    f"({', '.join(found)}). The day is marked at risk; the events lie in the dead letters."
                ),
                evidence={"reasons": found},
            ),
            minute * MINUTE_MS,
        )

    def _note(self, name: str, alert: Alert, last_ms: int) -> None:
        """Opens an incident, or updates the one that is known: its beginning and its opening stay, if earlier."""
        known = self._incidents.get(name)
        first_seen, opened_at = alert.first_seen, alert.opened_at
        if known is not None:
            first_seen = min(first_seen, known.alert.first_seen)
            opened_at = min(opened_at, known.alert.opened_at)
            last_ms = max(last_ms, known.last_ms)
        alert = msgspec.structs.replace(alert, id=name, first_seen=first_seen, opened_at=opened_at)
        self._incidents[name] = Incident(alert, last_ms)
        self._told_alerts.add(name)

    def _expire(self, mark: int) -> None:
        for name, incident in self._incidents.merged().items():
            over = min(incident.last_ms + EXPIRES_MS, LAST_MS)
            if incident.alert.state in LIVE and over <= mark:
                alert = msgspec.structs.replace(incident.alert, state="expired", resolved_at=rfc3339(over))
                self._incidents[name] = Incident(alert, incident.last_ms)
                self._told_alerts.add(name)

    def outputs(self) -> list[Output]:
        """The receipts of real days and the alerts that changed."""
        return [*self._receipts(), *self._alerts()]

    def _receipts(self) -> list[Output]:
        furthest = self.clock.furthest_ms
        if furthest is None:
            return []
        today = self._zone.day_of(furthest // MINUTE_MS)
        outputs = []
        for day in sorted(self._told | self._newly_real(today)):
            sums = self._days.get(day)
            if sums is not None and day <= today:
                written = receipt(day, sums, self.clock.contract, self._zone.name, self.clock.watermark_ms)
                outputs.append(Output(self._options.days_topic, to_json(written), day.encode(), partition=0))
        return outputs

    def _newly_real(self, today: str) -> set[str]:
        """Days that events had named before any stream got there, and that one has reached now."""
        before = self._furthest_before
        reached = "" if before is None else self._zone.day_of(before // MINUTE_MS)
        return {day for day in self._days.merged() if reached < day <= today} if reached < today else set()

    def _alerts(self) -> list[Output]:
        outputs = []
        for name in sorted(self._told_alerts):
            incident = self._incidents.get(name)
            if incident is not None:
                outputs.append(
                    Output(self._options.alerts_topic, to_json(incident.alert), name.encode(), partition=0)
                )
        return outputs
