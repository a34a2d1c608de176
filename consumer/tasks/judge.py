"""The judge: every event-minute is judged once, in order, when the watermark has left it.

So what is found, and when it was known, depends on the events alone and not on how they were batched, partitioned or
interrupted: events up to `hold_minutes` out of order are there when their minute is judged. Later ones amend numbers,
not findings. Between the minutes with events, ticks are due: a silence that is long enough, the end of ten minutes of
the day so far, the end of a slot of shares, a day that closes. They fire at their own minute, whenever the gap is seen.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from consumer.core.timestamps import MINUTE_MS
from consumer.tasks.judge_contract import field_minute
from consumer.tasks.judge_metrics import ALL, BY_SHARE, NEVER, MetricJudge, touched_by
from consumer.tasks.judge_minutes import HeldMinutes
from consumer.tasks.judge_shares import ShareJudge, Slot
from consumer.tasks.judge_state import JudgeClock, OpenDay, Standing
from detectors.alerts import Severity
from detectors.keying import KeyingState, judge_keying, see
from detectors.schema_watch import SchemaState, SchemaWatch
from detectors.totals import STEP_MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from consumer.core.daybook import Day
    from consumer.tasks.draft import Draft
    from consumer.tasks.judge_metrics import Again
    from consumer.tasks.judge_state import HeldMinute, JudgeOptions
    from consumer.tasks.minds import Minds
    from detectors.finding import Finding
    from detectors.orders import Acceptance
    from detectors.silence import SilenceRules
    from detectors.verdict import Check, Normal

Minutes = list[tuple[int, "HeldMinute"]]
"""Minutes in order, with what came in each."""

_BUSY_STEP_EVENTS = 100
_QUIET_STEP_MINUTES = 60
"""The day so far is looked at every ten minutes on a busy site, every hour on a quiet one, but for odd hours."""

_FIRST_LOOK_MINUTES = 60
"""The first hour tells little of a day, and the day before closes in it."""

_WHOLE_DAY_FROM_MINUTES = 60
"""A stream's first day that begins later is no whole day: it tells nothing of what is normal."""

_HALF_A_DAY = 12
"""An input without an event from this hour of its last day on has not got the whole of it."""

_LEAST_GAP_MINUTES = 5
"""Shorter quiet spells are not remembered."""


class Judged(NamedTuple):
    """What a minute, or a tick, brought: findings; of a day that closed with it the checks, and what was normal by
    metric; of a day that begins the incidents that stood before it."""

    minute: int
    day: str
    findings: list[Finding]
    checks: list[Check] = []  # noqa: RUF012 - never changed
    standing: tuple[Standing, ...] = ()
    normal: dict[str, Normal] = {}  # noqa: RUF012 - as above


class _Here(NamedTuple):
    """The open day of the minute at hand, and the minute at which it begins."""

    day: str
    start: int
    open_day: OpenDay


class _OfSlot(NamedTuple):
    """What the shares say of a slot that is over at `minute`, and the day that it began in."""

    minute: int
    day: str
    findings: list[Finding]


class Judge:
    """Judges minutes while a batch is decided."""

    def __init__(
        self,
        options: JudgeOptions,
        minutes: Draft[int, HeldMinute],
        minds: Minds,
        memo: dict[str, Any],
        gone: Callable[[str], Mapping[str, str]],
    ) -> None:
        """`gone`: the metrics of a day that cannot be measured, and why, as far as it is known."""
        self._options = options
        self._minds = minds
        self.clock = minds.of("clock", JudgeClock)
        self.minutes = HeldMinutes(minutes, self.clock.judged, self._come_late)
        self._schema = SchemaWatch(options.expectations, minds.of("schema", SchemaState))
        self._shares = ShareJudge(options, options.shares, minds)
        self._slots_over: deque[_OfSlot] = deque()
        """Slots of which there is something to say, until that is due."""
        self._here: _Here | None = None
        self._metrics = MetricJudge(options, minds, self.clock, memo)
        self._gone = gone
        self._ended = False
        self._nothing_before = 0
        """No other tick than a silence of events is due before this minute: a bound, so that an ordinary minute costs a
        comparison."""
        self._no_silence_before = self._no_purchase_silence_before = 0
        """No silence is told before this minute, whatever comes until then: what comes only puts it off."""
        self._soonest = 0
        """No silence of events is told so soon after the last one."""
        self._closings: dict[str, int] = {}

    def _come_late(self, minute: int, more: HeldMinute) -> None:
        """What comes of a minute that is judged already only completes its day's course."""
        day = self._options.zone.day_of(minute)
        if day in self.clock.days:
            _count(self._open(day), minute - self._start(day), more)

    # -- time goes on --------------------------------------------------------------------------------------------

    def advance(self, mark_ms: int, days: Callable[[str], Day | None]) -> Iterator[Judged]:
        """Judges every minute that the watermark has left by the hold; those that bring nothing are left out. `days`
        gives a day's sums."""
        last = mark_ms // MINUTE_MS - 1 - self._options.hold_minutes
        if last <= self.clock.judged:
            return
        self._sums = days
        due = self.minutes.until(last)
        of_fields, of_slots = self._look_at_fields(due), self._look_at_slots(due, last + 1)
        for minute, held in due:
            if minute >= self._nothing_before or minute >= self._no_silence_before:
                yield from self._ticks(minute)
            judged = self._take(minute, held, of_fields.get(minute, ()), of_slots.get(minute))
            if judged is not None:
                yield judged
            self.clock.judged = minute
        yield from self._ticks(last + 1)
        self.clock.judged = last

    def _look_at_fields(self, due: Minutes) -> dict[int, list[Finding]]:
        """What the rules about fields say of minutes, if anything. They know nothing of the other rules, so they look at all
        minutes that are due at once: a processor does one thing many times much faster than many things in turn."""
        update = self._schema.update
        return {minute: found for minute, held in due if (found := update(field_minute(minute, held)))}

    def _look_at_slots(self, due: Minutes, until: int) -> dict[int, _OfSlot]:
        """Puts minutes into slots, and has the shares look at those that are over by then, likewise at once. What they say
        is told when each slot is over; of those that are full before their time it is returned, by their last minute."""
        clock, options = self.clock, self._options
        slot, full = self._minds.of("slot", Slot), {}
        end = NEVER if clock.slot < 0 else self._slot_end(clock.slot)
        for minute, held in due:
            if end <= minute:
                self._end_slot(end)
                slot = self._minds.of("slot", Slot)
            if clock.slot < 0:
                clock.slot, end = minute, self._slot_end(minute)
            slot.add(held.facts)
            if slot.events >= options.slot_trials:
                full[minute] = self._look_at_slot(minute + 1)
                slot, end = self._minds.of("slot", Slot), NEVER
        if end <= until:
            self._end_slot(end)
        return full

    def _end_slot(self, minute: int) -> None:
        """A slot is over because its time is."""
        over = self._look_at_slot(minute)
        if over.findings:
            self._slots_over.append(over)
            self._soon(minute)

    def _look_at_slot(self, minute: int) -> _OfSlot:
        clock = self.clock
        first, clock.slot = clock.slot, -1
        slot = self._minds.of("slot", Slot)
        self._minds.drop("slot")
        day = self._options.zone.day_of(first)
        return _OfSlot(minute, day, self._shares.look(slot, first, minute, day))

    def _ticks(self, until: int) -> Iterator[Judged]:
        """Everything that is due up to the beginning of a minute, in order."""
        while self._nothing_before <= until or self._no_silence_before <= until:
            dues = self._dues(until)
            slot, step, events, purchases, close = dues
            self._nothing_before = min(slot, step, purchases, close)
            minute = min(self._nothing_before, events)
            if minute > until:
                break
            judged = self._acts[dues.index(minute)](self, minute)  # of several at one minute the first
            if judged is not None and (judged.findings or judged.checks):
                yield judged

    def _dues(self, until: int) -> tuple[int, ...]:
        """When each of the things to do is due, if that is until then; else some minute that is no later."""
        clock, options = self.clock, self._options
        if self._no_silence_before <= until:
            self._no_silence_before = self._metrics.silence_due(options.event_silence, clock.event, until)
            self._soonest = self._metrics.soonest(options.event_silence)
        if self._no_purchase_silence_before <= until:
            due = self._metrics.silence_due(options.purchase_silence, clock.purchase, until)
            self._no_purchase_silence_before = max(due, clock.purchase_look)
        return (
            self._slots_over[0].minute if self._slots_over else NEVER,
            NEVER if clock.stepped < 0 else clock.stepped,
            self._no_silence_before,
            self._no_purchase_silence_before,
            self._closes(clock.days[0]) if clock.days else NEVER,
        )

    def _ask_again(self) -> None:
        """What was known of when silences are told is not so any more."""
        self._nothing_before = self._no_silence_before = self._no_purchase_silence_before = self._soonest = 0

    def _soon(self, minute: int) -> None:
        """Something new is due then."""
        self._nothing_before = min(self._nothing_before, minute)

    def _slot_end(self, minute: int) -> int:
        return (minute // self._options.slot_minutes + 1) * self._options.slot_minutes

    # -- a minute with events ------------------------------------------------------------------------------------

    def _take(
        self, minute: int, held: HeldMinute, of_fields: Sequence[Finding], of_slot: _OfSlot | None
    ) -> Judged | None:
        """What the minute brought; None if nothing."""
        clock, options, facts = self.clock, self._options, held.facts
        day, here = options.zone.day_of(minute), self._here
        standing: tuple[Standing, ...] = ()
        if here is None or here.day != day:
            standing = () if day in clock.days else tuple(clock.standing.values())
            here = self._here = _Here(day, self._start(day), self._open(day))
        _, start, open_day = here
        if clock.event < 0 and minute - start >= _WHOLE_DAY_FROM_MINUTES:
            self._touch(day, ALL)
        found: list[Finding] = []
        if facts.events:
            if minute - clock.event >= _LEAST_GAP_MINUTES or clock.event < 0 or clock.silent:
                found += self._comes(options.event_silence, here, open_day.event_gaps, clock.event, minute)
            clock.event = minute
            self._no_silence_before = max(self._no_silence_before, minute + self._soonest)
        if held.purchases:
            gaps = open_day.purchase_gaps
            found += self._comes(options.purchase_silence, here, gaps, clock.purchase, minute)
            if clock.purchase_look >= 0:
                self._nothing_before = self._no_purchase_silence_before = 0
            clock.purchase, clock.purchase_look, clock.purchase_events = minute, -1, 0
        _count(open_day, minute - start, held)
        if clock.stepped < 0:
            clock.stepped = _next_step(start, minute)
            self._soon(clock.stepped)
        for finding in of_fields:
            # notes have no day: those of one kind join
            found.append(finding if finding.word == "happened" else msgspec.structs.replace(finding, day=day))
        if of_slot is not None:
            found += self._hear_slot(of_slot).findings
        return self._judged(minute + 1, day, found, standing) if found or standing else None

    def _comes(
        self, rules: SilenceRules, here: _Here, gaps: list[tuple[int, int]], last: int, minute: int
    ) -> list[Finding]:
        """Something came again after the minute `last`: a quiet spell is remembered, a silence is over."""
        if minute - last >= _LEAST_GAP_MINUTES and last >= here.start:
            gaps.append((last - here.start, minute - here.start))
        if last >= 0 and rules.rule not in self.clock.silent:
            return []
        self._ask_again()
        over = self._metrics.ends_silence(rules, minute, here.day)
        return [] if over is None else [over]

    def accept(self, accepted: Acceptance) -> None:
        """An operator takes the present level as normal: the detectors forget what was before."""
        kind, subject, metric = accepted.kind, accepted.subject, accepted.metric
        self.clock.standing.pop(f"{kind}/{subject}", None)
        by_gate = self._schema.accept(kind, subject) or self._shares.accept(kind, subject)
        if metric is not None and (metric in BY_SHARE or not by_gate):
            self._metrics.accept(metric, accepted.day)
        self._ask_again()

    def see_clients(self, partition: int, clients: list[int]) -> None:
        """A sample of the clients that a partition's batch brought."""
        if clients:
            see(self._minds.of("keying", KeyingState), partition, clients)

    def keying(self) -> Judged | None:
        """Whether the input is keyed by client, as far as the sample tells."""
        minute = self.clock.judged + 1
        if minute <= 0:
            return None
        day = self._options.zone.day_of(minute - 1)
        found = judge_keying(self._minds.of("keying", KeyingState), minute, day)
        return self._judged(minute, day, found) if found else None

    # -- ticks ---------------------------------------------------------------------------------------------------

    def _tell_slot(self, _minute: int) -> Judged:
        return self._hear_slot(self._slots_over.popleft())

    def _hear_slot(self, over: _OfSlot) -> Judged:
        found = [finding for finding in over.findings if self._metrics.hear_share(finding)]
        return self._judged(over.minute, over.day, found)

    def _end_step(self, minute: int) -> Judged | None:
        clock = self.clock
        clock.stepped = -1
        day = self._options.zone.day_of(minute - 1)
        open_day, start = self._open(day), self._start(day)
        since = max(clock.looked, start)
        events = sum(
            open_day.course.events[(since - start) // STEP_MINUTES : (minute - start) // STEP_MINUTES]
        )
        quiet = events < _BUSY_STEP_EVENTS and (minute - start) % _QUIET_STEP_MINUTES != 0
        early = minute - start < _FIRST_LOOK_MINUTES
        found = None if early else self._metrics.step(day, open_day, minute, if_odd=quiet)
        if found is not None:
            clock.looked = minute
        return self._judged(minute, day, found) if found else None

    def _events_fall_silent(self, minute: int) -> Judged:
        return self._falls_silent(self._options.event_silence, self.clock.event, minute)

    def _purchases_fall_silent(self, minute: int) -> Judged | None:
        """Unless so few events came as well that no more purchases were to be expected."""
        clock = self.clock
        since = _next_step(self._start(self._options.zone.day_of(clock.purchase)), clock.purchase)
        events = clock.purchase_events + sum(self._events_after(clock.purchase, day) for day in clock.days)
        level, again = self._metrics.purchases_to_come(clock.purchase, minute, events, since)
        if again is not None:
            clock.purchase_look = self._no_purchase_silence_before = again
            return None
        return self._falls_silent(self._options.purchase_silence, clock.purchase, minute, level)

    def _falls_silent(self, rules: SilenceRules, last: int, minute: int, level: float = 1.0) -> Judged:
        day = self._options.zone.day_of(minute)
        self._open(day)
        return self._judged(minute, day, [self._metrics.falls_silent(rules, last, minute, day, level)])

    def _events_after(self, minute: int, day: str) -> int:
        """An open day's events after the step that a minute lies in, on that day or another."""
        if day < self._options.zone.day_of(minute):
            return 0
        into = minute - self._start(day)
        return sum(self._open(day).course.events[into // STEP_MINUTES + 1 if into >= 0 else 0 :])

    def _close(self, minute: int) -> Judged:
        """The oldest open day closes."""
        day = self.clock.days[0]
        sums = self._sums(day)
        open_day = self._minds.of(f"day/{day}", OpenDay)
        found: list[Finding] = []
        checks: list[Check] = []
        normal: dict[str, Normal] = {}
        if sums is not None and sums.events:
            cut = self._cut_short(sums)
            gone = dict.fromkeys(ALL, cut) if cut else self._gone(day)
            self._metrics.amend(self._sums)
            found, checks, normal = self._metrics.close(day, sums, open_day, minute, gone)
            self._forget_resolved(found)
        if self.clock.purchase >= 0:
            self.clock.purchase_events += self._events_after(self.clock.purchase, day)
        self.clock.days = self.clock.days[1:]
        self._minds.drop(f"day/{day}")
        self._here = None
        self._ask_again()
        return Judged(minute, day, found, checks, normal=normal)

    def again(self, day: str, sums: Day, metrics: Collection[str]) -> Again:
        """What a closed day that was amended says of some metrics now. Nothing is learned."""
        return self._metrics.again(day, sums, metrics)

    _acts: ClassVar = (_tell_slot, _end_step, _events_fall_silent, _purchases_fall_silent, _close)
    """What is done when it is due, in the order of `_dues`."""

    def end(self, last_ms: int, days: Callable[[str], Day | None]) -> Iterator[Judged]:
        """There will be no more: what is held up to here is judged, and the open days close. That nothing comes any more
        is no silence."""
        yield from self.advance(last_ms + (self._options.hold_minutes + 1) * MINUTE_MS, days)
        if self.clock.slot >= 0:
            yield self._hear_slot(self._look_at_slot(self.clock.judged + 1))
        self._sums = days
        self._ended = True
        while self.clock.days:
            yield self._close(self._closes(self.clock.days[0]))

    def _cut_short(self, sums: Day) -> str:
        """Where the input ended within the first half of its last day: then the whole cannot be judged. Else empty."""
        hours = [hour for hour, events in enumerate(sums.hour_events) if events]
        if not self._ended or len(self.clock.days) > 1 or not hours or hours[-1] >= _HALF_A_DAY:
            return ""
        return f"the input ends before {hours[-1] + 1:02d}:00"

    # -- days ----------------------------------------------------------------------------------------------------

    def _judged(
        self, minute: int, day: str, findings: list[Finding], standing: tuple[Standing, ...] = ()
    ) -> Judged:
        """Notes which incidents begin and end, and that they touch the day."""
        self._forget_resolved(findings)
        for finding in findings:
            if finding.word == "opened" and finding.severity is not Severity.P2_NOTE:
                name = f"{finding.kind}/{finding.subject}"
                metrics = touched_by(finding, self._options.cause_fields)
                self.clock.standing[name] = Standing(
                    finding.kind, finding.subject, finding.layer, finding.severity, metrics
                )
                for touched in {day, self._options.zone.day_of(finding.since_minute)}:
                    self._touch(touched, metrics)
        return Judged(minute, day, findings, standing=standing)

    def _forget_resolved(self, findings: list[Finding]) -> None:
        """What is over touches no later day."""
        for finding in findings:
            if finding.word == "resolved":
                self.clock.standing.pop(f"{finding.kind}/{finding.subject}", None)

    def _touch(self, day: str, metrics: Iterable[str]) -> None:
        """What an incident touches teaches nothing about what is normal."""
        if day in self.clock.days:
            open_day = self._minds.of(f"day/{day}", OpenDay)
            open_day.touched = sorted({*open_day.touched, *metrics})

    def _open(self, day: str) -> OpenDay:
        if day not in self.clock.days:
            self.clock.days = sorted([*self.clock.days, day])
            self._soon(self._closes(day))
            for standing in self.clock.standing.values():
                self._touch(day, standing.metrics)
        return self._minds.of(f"day/{day}", OpenDay)

    def _start(self, day: str) -> int:
        return self._options.zone.start_ms(day) // MINUTE_MS

    def _closes(self, day: str) -> int:
        """A little before the day closes for its readers, so that its verdict is there by then."""
        closing = self._closings.get(day)
        if closing is None:
            wait = max(self._options.lateness_minutes - self._options.hold_minutes, 0)
            closing = self._closings[day] = self._options.zone.end_ms(day) // MINUTE_MS + wait
        return closing


def _next_step(start: int, minute: int) -> int:
    """When the step after a minute's begins, on a day that began at `start`."""
    return start + ((minute - start) // STEP_MINUTES + 1) * STEP_MINUTES


def _count(open_day: OpenDay, at: int, held: HeldMinute) -> None:
    """Adds a minute, `at` of the day, to its day's course. Self-declared robots are left out: that a crawler comes one
    night and not the next is nothing that people did. They open a session with an event each, without a referrer."""
    course, facts = open_day.course, held.facts
    events, sessions, direct, robots = facts.events, facts.sessions, facts.direct, facts.robots
    events -= facts.robots_nameless
    if robots:
        events, sessions, direct = events - robots, sessions - robots, direct - min(robots, max(direct, 0))
    course.count(at, max(events, 0), sessions, direct)
    if held.purchases:
        course.add(at, held.purchases, held.cents, held.cents_squared)
