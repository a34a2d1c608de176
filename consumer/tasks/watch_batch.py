"""Facts while the watch merges them: what they change in days, transaction ids, alerts and event time."""

from __future__ import annotations

from statistics import median_low
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.core.daybook import Day, Span, by_hour, receipt
from consumer.core.facts import Command, GateReport
from consumer.core.instant import LAST_MS
from consumer.core.purchases import PurchaseFact, Remembered, remember
from consumer.core.record import Output
from consumer.core.rejection import PURCHASE_INVALID
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.core.watermark import Progress, reached, watermark
from consumer.core.wire import WireError, read_facts, to_json
from consumer.tasks.draft import Draft
from consumer.tasks.judge import Judge
from consumer.tasks.minds import Minds
from consumer.tasks.watch_state import WatchClock, WatchOptions, WatchState
from detectors import purchases
from detectors.alerts import Layer, Severity, quarantines
from detectors.book import Book
from detectors.orders import Order
from detectors.sentences import cut
from detectors.unmeasurable import KINDS, over_with, unmeasurable
from detectors.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Collection

    from consumer.core.days import Receipt
    from consumer.core.record import Record
    from consumer.tasks.judge import Judged
    from detectors.alerts import Alert
    from detectors.finding import Finding

MOST_QUIET_MS = 7 * DAY_MS
"""At the end of all input a stream may be continued after a pause shorter than this."""

MOST_FLAGS = 100
"""Incidents that a day names."""

MOST_DAYS_NAMED = 10
"""Days that the message of a collision names: the newest."""


class WatchBatch:
    """Facts while they are merged: what they change. The task itself stays as it was."""

    def __init__(self, state: WatchState, options: WatchOptions, memo: dict[str, Any]) -> None:
        self._options = options
        self._zone = options.zone
        self._days = Draft(state.days)
        self._ids = Draft(state.ids)
        self._entries = Draft(state.alerts)
        self._book = Book(self._entries, options.judge.cause_fields)
        self._collisions: dict[str, list[Finding]] = {}
        self._invalid_minutes: set[int] = set()
        self._partitions = Draft(state.partitions)
        self._clocks = Draft(state.clock)
        self._minutes = Draft(state.minutes)
        self._minds = Draft(state.minds)
        self._mind = Minds(self._minds, memo.setdefault("minds", {}))
        self._judge = Judge(options.judge, self._minutes, self._mind, memo, self._gone)
        self.clock = state.clock.get("", WatchClock())
        self._amended: set[str] = set()
        self._put_back: set[str] = set()
        self._told: set[str] = set()
        self._furthest_before = self.clock.furthest_ms
        self.purchases: dict[str, int] = {}

    def drafts(self) -> list[Draft]:  # type: ignore[type-arg]
        """The tables as they will be, in the order of `WatchState.tables`."""
        return [
            self._days,
            self._ids,
            self._entries,
            self._partitions,
            self._clocks,
            self._minutes,
            self._minds,
        ]

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
        minutes = report.facts.minutes
        for day, hour, some in by_hour(minutes, self._zone):
            self._day(day).add(some, hour)
        self._invalid_minutes.update(
            minute
            for minute, facts in minutes.items()
            if facts.rejected and not PURCHASE_INVALID.isdisjoint(facts.rejected)
        )
        self._judge.minutes.add(minutes)
        for minute, facts in report.facts.taken_back.items():
            self._day(self._zone.day_of(minute)).take_back(facts)
            self._put_back.add(self._zone.day_of(minute))
        for fact in report.facts.purchases:
            self._purchase(fact)
        self._judge.see_clients(report.partition, report.facts.clients)
        progress = msgspec.structs.replace(before, sequence=report.sequence)
        if report.part == report.parts:
            others = [it for number, it in self._partitions.merged().items() if number != report.partition]
            progress = before.told(
                report.sequence, report.stream_ms, report.idle_since_ms, report.end_ms, reached(others)
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
        if fact.replaces and not changes:
            return  # it was told before, and comes to the same
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
            if known is None or fact.replaces
            else "replayed"
        )
        self.purchases[outcome] = self.purchases.get(outcome, 0) + 1
        if outcome == "counted" and now.amount is not None:
            self._judge.minutes.purchase(fact.at_ms // MINUTE_MS, float(now.amount))
        elif outcome == "replayed":
            self._judge.minutes.replay(fact.at_ms // MINUTE_MS)

    def _forgotten(self, known: Remembered) -> bool:
        mark = self.clock.watermark_ms
        return mark is not None and known.last_ms < mark - self._options.memory_ms

    def _move_on(self, report: GateReport) -> None:
        """Event time goes on: days become real, days close, incidents expire."""
        told = list(self._partitions.merged().values())
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
        late = "late events" if report.facts.minutes else ""
        why = dict.fromkeys(self._amended, "dead letters put back" if report.facts.taken_back else late)
        if moved and mark is not None:
            for judged in self._judge.advance(mark, self._days.get):
                self._hear(judged)
            self._book.take(self._judge.clock.judged + 1)
            keying = self._judge.keying()
            if keying is not None:
                self._hear(keying)
        self._tell_of_purchases()
        back = {day: self._mend(day) for day in sorted(self._put_back)}
        self._put_back.clear()
        for day in sorted(self._amended):
            self._judge_again(day, back.get(day, ()))
            self._day(day).revise(at_ms, why.get(day, ""))
        if moved and mark is not None:
            self._close(mark)

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
            for judged in self._judge.end(self.clock.furthest_ms or mark, self._days.get):
                self._hear(judged)
            over = mark if mark < LAST_MS - DAY_MS else mark + 2 * DAY_MS  # what nothing can outlast any more
            self._book.take(over // MINUTE_MS)
            self._close(mark)

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
        at_ms = self.clock.watermark_ms or command.wall_ms
        if command.action != "release":
            order = Order(
                command.action, command.target, command.by, command.reason, at_ms, command.arguments
            )
            accepted = self._book.obey(order)
            if accepted is not None:
                self._judge.accept(accepted)
            return
        day = self._days.get(command.target)
        if day is not None and day.status() == "quarantined":
            draft = self._day(command.target)
            draft.released = True
            draft.revise(at_ms, command.reason, command.by, command.wall_ms)

    def _note_collision(self, transaction: str, now: Remembered) -> None:
        known_at = now.first_ms if now.clashed_ms is None else now.clashed_ms
        days = sorted(now.occurrences)[-MOST_DAYS_NAMED:]
        count = sum(now.occurrences.values())
        judged = self._judge.clock.judged
        if judged >= 0 and known_at // MINUTE_MS < judged - self._options.judge.lateness_minutes:
            known_at = (judged + 1) * MINUTE_MS  # it came late: known only now
        self._collisions[transaction] = [
            purchases.collision(transaction, count, days, now.first_ms // MINUTE_MS, -(-at_ms // MINUTE_MS))
            for at_ms in sorted({known_at, max(known_at, now.last_ms)})
        ]

    def _hear(self, judged: Judged) -> None:
        """What a judged minute brought: alerts, and what the days that they touch have to say of them."""
        self._book.take(judged.minute, judged.findings)
        for finding in judged.findings:
            if finding.word == "opened" and finding.severity is not Severity.P2_NOTE:
                for day in self._days_of(finding):
                    self._flag(day, finding.kind, finding.subject, finding.layer, finding.severity)
        for standing in judged.standing:
            self._flag(judged.day, standing.kind, standing.subject, standing.layer, standing.severity)
        if not judged.checks and not judged.findings:
            return
        sums = self._days.get(judged.day)
        if sums is not None:
            self._note_gone(judged.day, sums)
        if sums is not None and judged.checks:
            self._day(judged.day).answers = judged.checks
            self._day(judged.day).normal = judged.normal

    def _gone(self, day: str) -> dict[str, str]:
        """The metrics of the day whose input was gone in a part of it, and was not put back."""
        fields, sums = self._options.judge.cause_fields, self._days.get(day)
        return unmeasurable(self._alerts_of(day, KINDS), fields, () if sums is None else sums.mended(fields))

    def _alerts_of(self, day: str, kinds: Collection[str] | None = None) -> list[Alert]:
        return self._book.between(self._zone.start_ms(day), self._zone.end_ms(day), kinds)

    def _note_gone(self, day: str, sums: Day) -> None:
        """The metrics of the day that cannot be measured, and which of its flags are over with what was put back."""
        gone, over = self._gone(day), self._flags_over(day, sums)
        if (gone, over) != (sums.unmeasurable, sums.over):
            changed = self._day(day)
            changed.unmeasurable, changed.over = gone, over

    def _flags_over(self, day: str, sums: Day) -> list[str]:
        fields = self._options.judge.cause_fields
        mended = sums.mended(fields)
        over = over_with(self._alerts_of(day), fields, mended) if mended else set()
        return [name for name in sorted(sums.flags) if tuple(name.split("/", 1)) in over]

    def _mend(self, day: str) -> Collection[str]:
        """Dead letters of the day were put back, and count. What its alerts no longer say, because they are forgotten,
        stays as it was. Returns the metrics that can be measured again."""
        sums = self._day(day)
        before, gone = sums.unmeasurable, self._gone(day)
        known = unmeasurable(self._alerts_of(day, KINDS), self._options.judge.cause_fields)
        sums.unmeasurable = {
            metric: why for metric, why in before.items() if metric in gone or metric not in known
        }
        sums.over = sorted({*sums.over, *self._flags_over(day, sums)})
        return before.keys() - sums.unmeasurable.keys()

    def _judge_again(self, day: str, back: Collection[str]) -> None:
        """A closed day is judged as what it is now: by the metrics that it was judged by, and those that are back. Numbers
        follow, and what it is taken for; no time does, and nothing is opened."""
        sums = self._day(day)
        again = self._judge.again(day, sums, {*sums.normal, *back} - sums.unmeasurable.keys())
        now = {check.rule: check for check in again.checks}
        sums.answers = [now.get(check.rule, check) for check in sums.answers]
        sums.normal |= again.normal
        sums.over = sorted(
            {*sums.over, *(name for rule in again.withdrawn if (name := f"{rule}/") in sums.flags)}
        )
        for finding in again.findings:
            self._book.amend(finding)

    def _days_of(self, finding: Finding) -> list[str]:
        """The days from the first evidence to the one in which it was known, the last few of them."""
        first, last = finding.since_minute, finding.known_minute - 1
        minutes = [*range(max(first, last - MOST_DAYS_NAMED * 1440), last, 1440), last]
        return sorted({self._zone.day_of(minute) for minute in minutes})

    def _flag(self, day: str, kind: str, subject: str, layer: Layer, severity: Severity) -> None:
        """Marks a day that an incident touches: a blocker of the gate quarantines it."""
        name = f"{kind}/{subject}"
        known = self._days.get(day)
        blocks = quarantines(layer, severity)
        check = Check(
            kind,
            "quarantined" if blocks else "at_risk",
            f"an alert: {cut(subject)}" if subject else "an alert",
        )
        if known is None or (known.flags.get(name) == check and name not in known.over):
            return
        if name in known.flags or len(known.flags) < MOST_FLAGS:
            sums = self._day(day)
            sums.flags[name] = check
            sums.over = [other for other in sums.over if other != name]
            sums.released = sums.released and not blocks  # what was released was what was known then

    def _tell_of_purchases(self) -> None:
        """What happened to single purchases is known when it is merged, and told at once: no order of arrival changes
        what it comes to."""
        found = self._of_collisions()
        found += [
            self._invalid(self._zone.day_of(minute), minute)
            for minute in sorted(self._invalid_minutes)
            if self._day(self._zone.day_of(minute)).purchase_invalid
        ]
        if found:
            self._book.take(self._judge.clock.judged + 1, found)
        self._collisions.clear()
        self._invalid_minutes.clear()

    def _of_collisions(self) -> list[Finding]:
        """Each colliding transaction id for itself, and those that a day has too many of together: which ones are told
        for themselves is then a matter of what came first."""
        if not self._collisions:
            return []
        told = self._book.subjects_by_day(purchases.COLLISION)
        beyond: dict[str, Finding] = {}
        found: list[Finding] = []
        for transaction, findings in self._collisions.items():
            first, last = findings[0], findings[-1]
            day = last.day or ""
            if self._book.knows(purchases.COLLISION, transaction):
                found += findings
            elif told[day] < purchases.MOST_COLLISIONS:
                told[day] += 1
                found += findings
            else:
                known = beyond.get(day, last)
                count = self._day(day).collisions
                since = min(first.since_minute, known.since_minute)
                beyond[day] = purchases.collisions(
                    day, count, since, max(last.known_minute, known.known_minute)
                )
        return [*found, *beyond.values()]

    def _invalid(self, day: str, minute: int) -> Finding:
        """The note of a day's invalid purchases, of which this minute had some."""
        sums = self._day(day)
        invalid = {
            reason.value: sums.rejected[reason] for reason in PURCHASE_INVALID if reason in sums.rejected
        }
        return purchases.invalid_note(day, minute, invalid)

    def settle(self) -> None:
        """Everything is read: what the detectors remember goes into its table."""
        self._mind.store()
        self._minds.put = dict(sorted(self._minds.put.items()))

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
                written = self._receipt(day, sums)
                outputs.append(Output(self._options.days_topic, to_json(written), day.encode(), partition=0))
        return outputs

    def _receipt(self, day: str, sums: Day) -> Receipt:
        span = Span(day, self._zone.name, self._zone.start_ms(day), self._zone.end_ms(day))
        fields = self._options.judge.expectations.fields
        return receipt(span, sums, self.clock.contract, self.clock.watermark_ms, fields)

    def _newly_real(self, today: str) -> set[str]:
        """Days that events had named before any stream got there, and that one has reached now."""
        before = self._furthest_before
        reached = "" if before is None else self._zone.day_of(before // MINUTE_MS)
        return {day for day in self._days.merged() if reached < day <= today} if reached < today else set()

    def _alerts(self) -> list[Output]:
        outputs = []
        for name in sorted(self._book.told):
            alert = self._book.last_word(name)
            if alert is not None:
                outputs.append(Output(self._options.alerts_topic, to_json(alert), name.encode(), partition=0))
        return outputs
