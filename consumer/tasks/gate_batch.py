"""One batch of the gate while it is decided: the hot path, and everything that hangs on it.

record ─▶ decode ─▶ timestamp, event name ─▶ identity ─▶ stream clock ─▶ session ─▶ facts
│                                                     └─▶ purchase ─▶ facts
└─ not usable: dead letter, counted at the stream's time
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.core.attribution import Attribution
from consumer.core.decode import DECODE_ERRORS, SURELY_USUAL, Shape, beyond_limits, decode
from consumer.core.events import Event, Events, values_of
from consumer.core.facts import MOST_NOTED, NONE, REST, Facts, sample
from consumer.core.identifier import MOST_ID, shortened, told
from consumer.core.purchase_notes import PurchaseNotes
from consumer.core.purchases import PurchaseReader
from consumer.core.record import NO_TIMESTAMP, Output
from consumer.core.rejection import Reason, Rejection
from consumer.core.requeue import MARK, again
from consumer.core.robots import Robots
from consumer.core.sessions import WIDTH, Sessions, lived_through, place
from consumer.core.timestamps import FRACTIONS, MINUTE_MS, SECONDS_OF_HOUR, HourCache, parse
from consumer.core.watermark import MAJORITY, NO_LOG, UNKNOWN, StreamClock
from consumer.tasks.gate_notes import Notes
from consumer.tasks.gate_rejects import Rejects
from consumer.tasks.gate_times import FAR_FROM_STREAM, Unusable
from consumer.tasks.task import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.core.record import Record
    from consumer.core.requeue import Counted
    from consumer.tasks.gate_state import GateOptions, PartitionState


COUNTED_ONCE = ("identity_missing", "sessions", "direct", "stale")
"""Counts that go up by one an event."""


class Compiled:
    """What a gate works out once from its options: look-ups for the hot path."""

    def __init__(self, options: GateOptions) -> None:
        self.options = options
        self.events = Events(options.contract)
        self.attribution = Attribution(options.contract.campaign_parameters, options.contract.own_domains)
        self.purchases = PurchaseReader(options.contract)
        self.purchase_notes = PurchaseNotes(options.contract)
        self.robots = Robots()
        self.hours = HourCache()
        self.unusable = Unusable(options)


STALE_MS = 10 * MINUTE_MS
"""An event further behind its stream is `stale`: far more than one is late on its way."""

_DISORDER_MS = 2 * MINUTE_MS
"""Events of one partition may come so far out of order."""


MOST_NAMES = 500


class Names(dict[str, str]):
    """Event names of a batch, each by itself; beyond 500 different ones the rest shares one."""

    def __missing__(self, name: str) -> str:
        if len(self) >= MOST_NAMES:
            name = REST
        return self.setdefault(name, name)


class Batch:
    """One batch while it is decided: what it saw and what it changed. The task itself stays as it was."""

    def __init__(self, compiled: Compiled, sessions: dict[str, Sessions], state: PartitionState) -> None:
        self._sessions = sessions
        self._compiled = compiled
        self._options = compiled.options
        self.clock = StreamClock(state.clock, compiled.options.clock)
        self.changed: dict[str, Sessions] = {}
        self.passed: list[Output] = []
        self.tally = Tally()
        self._seen: dict[tuple[int, Shape, str], list[int]] = {}
        """Events by minute, shape and name: a list of one count, which goes up without another look-up."""
        self._at: dict[str, list[int]] = {count: [] for count in COUNTED_ONCE}
        """The minutes of what counts one more of these in `MinuteFacts`."""
        self._openers: list[str] = []
        self._robots: list[tuple[int, Shape]] = []
        """Minute and shape of what self-declared robots opened sessions with, and of what they sent without identity."""
        self._nameless: list[tuple[int, Shape]] = []
        self._names = Names()
        self._facts = Facts()
        self.rejects = Rejects(self._facts, self.clock, self.tally, state.undated)
        self._tells_repeats = True
        self._notes = Notes(compiled.options.contract, compiled.purchase_notes, self._facts)
        compiled.events.forget_if_many()

    def read(self, records: Sequence[Record]) -> None:
        """Judges the records. This is the hot path: everything here is paid for by every event."""
        options, compiled, clock = self._options, self._compiled, self.clock
        events, plain, decode_plain = compiled.events, compiled.events.plain, compiled.events.decode_plain
        shapes, learn = events.by_types, events.learn
        hours, robots, is_direct = compiled.hours, compiled.robots, compiled.attribution.is_direct
        seen, changed, sessions, openers = self._seen, self.changed, self._sessions, self._openers
        anonymous, opened, directly, stale = (self._at[count].append for count in COUNTED_ONCE)
        robotic, nameless = self._robots.append, self._nameless.append
        voices, jumps, now_ms, ceiling_ms = clock.voices, clock.jumps, clock.now_ms, clock.ceiling_ms
        gap_ms, memory_ms = options.sessions.gap_ms, options.sessions.memory_ms
        max_ahead_ms, max_age_ms, earliest_ms = options.max_ahead_ms, options.max_age_ms, options.earliest_ms
        purchase_event, valid = options.contract.purchase_event or None, bool(options.valid_topic)
        hour_of = hours.get  # of a class derived from dict, [] costs five times as much
        newest_age_ms, mark = -max_age_ms, MARK[0]
        for record in records:
            value: Any = record.value()
            shape = error = None
            if plain:
                try:
                    event = decode_plain(value)
                except DECODE_ERRORS as raised:
                    error = raised
                else:
                    shape = shapes.get((*map(type, values_of(event)),)) or learn(event, value)
            if shape is None or (len(value) > SURELY_USUAL and beyond_limits(value)):
                event, shape = events.decode(value, error)
                plain = events.plain
                if shape is None:
                    self.rejects.reject(record, event)
                    now_ms = clock.now_ms
                    continue
            client = event.identity if shape.identity else None
            if not client or client.isspace():  # `client_of`, written out
                client = None
            elif len(client) > MOST_ID:
                client = shortened(client)

            kind, log_ms = record.timestamp()
            if kind == NO_TIMESTAMP:
                log_ms = NO_LOG
            text = "" if shape.timestamp is None else event.timestamp
            try:
                hour_ms = hour_of(text[:14]) or hours[text[:14]]
                at_ms = hour_ms + (SECONDS_OF_HOUR[text[14:19]] + FRACTIONS[text[19:]])
            except KeyError:
                at_ms = parse(text)  # type: ignore[assignment]
            if (
                at_ms is None  # type: ignore[redundant-expr]  # parse() says so
                or shape.event_name is None
                or not earliest_ms <= at_ms <= log_ms + max_ahead_ms
                or (
                    not newest_age_ms <= now_ms - at_ms <= max_age_ms
                    and len(voices) >= MAJORITY
                    and now_ms != UNKNOWN
                )
            ) and not self._log_vouches(shape, at_ms, log_ms):
                rejection = compiled.unusable.why(shape, at_ms, log_ms, now_ms)
                self.rejects.reject(record, rejection, self._own_minute(rejection, at_ms))
                # it has a voice in what time it is, all the same, so that a stream that began with broken clocks, or paused for
                # years, finds its time again
                if rejection.reason in FAR_FROM_STREAM and earliest_ms <= at_ms <= log_ms + max_ahead_ms:
                    clock.hear(client, at_ms, log_ms)
                now_ms, ceiling_ms = clock.now_ms, clock.ceiling_ms
                continue

            name = event.event_name
            back = again(record.headers()) if value[-1] == mark else None
            if back is not None:
                if back.counted.visit:
                    self._repaired(record, event, shape, at_ms, back.counted)
                    continue
                self.rejects.take_back(back.counted)
            if client not in voices:
                clock.hear(client, at_ms, log_ms)
                now_ms, ceiling_ms = clock.now_ms, clock.ceiling_ms
            elif jumps and client in jumps and at_ms <= ceiling_ms:
                clock.takes_back(client, at_ms)
            if at_ms > now_ms:
                if at_ms <= ceiling_ms and at_ms <= log_ms:
                    now_ms = clock.now_ms = at_ms
                else:
                    clock.believe(client, at_ms, log_ms)
                    now_ms, ceiling_ms = clock.now_ms, clock.ceiling_ms
            elif now_ms - at_ms > STALE_MS and back is None:
                stale((clock.arrived_ms(log_ms) or now_ms) // MINUTE_MS)

            minute = at_ms // MINUTE_MS
            cell = (minute, shape, name)
            count = seen.get(cell)
            if count is None:
                count = self._see_first(cell, value)
            count[0] += 1

            if client is None:
                anonymous(minute)
                if shape.user_agent is not None and robots[event.user_agent]:
                    nameless((minute, shape))
            else:
                known = changed.get(client) or sessions.get(client)
                lag = 0 if at_ms >= now_ms else (now_ms - at_ms) // MINUTE_MS
                if known is None:
                    direct = is_direct(
                        None if shape.page_url is None else event.page_url,
                        None if shape.referrer is None else event.referrer,
                    )
                    changed[client] = (at_ms, at_ms, 1 if direct else 0, lag)
                    opened(minute)
                    if direct:
                        directly(minute)
                    openers.append(client)
                    if shape.user_agent is not None and robots[event.user_agent]:
                        robotic((minute, shape))
                elif (
                    len(known) == WIDTH
                    and 0 < at_ms - known[1] <= gap_ms
                    and (at_ms >= now_ms or known[1] + known[3] * MINUTE_MS >= now_ms - memory_ms)
                ):
                    changed[client] = (known[0], at_ms, known[2], lag)
                else:
                    self._place(client, known, at_ms, log_ms, event, shape, comes_again=back is not None)

            if name == purchase_event and self._purchase(record, event, shape, at_ms):
                continue
            if valid:
                self._pass(record, minute)
        self.tally.records += len(records)

    def _see_first(self, cell: tuple[int, Shape, str], value: bytes) -> list[int]:
        """The count for an event whose minute, shape and name have none yet; beyond 500 names the rest has one together."""
        minute, shape, name = cell
        kept = self._names.get(name) or self._names[name]
        count = None if kept == name else self._seen.get((minute, shape, kept))
        if count is None:
            count = self._seen[minute, shape, kept] = [0]
            if shape.unknown or shape not in self._notes.shapes:
                fields: Any = decode(value)
                self._notes.kinds(fields, shape, minute)
        return count

    def _log_vouches(self, shape: Shape, at_ms: int | None, log_ms: int) -> bool:
        """Whether an event far from its stream is one of now by the log's own clock: then the stream was wrong."""
        rules = self._options.clock
        if at_ms is None or at_ms < self._options.earliest_ms or shape.event_name is None or log_ms == NO_LOG:
            return False
        return log_ms - rules.live_ms <= at_ms <= log_ms + rules.log_tolerance_ms

    def _own_minute(self, rejection: Rejection, at_ms: int | None) -> int | None:
        """The minute of a rejected event that has a time worth believing: only its name is missing."""
        guess = self.clock.best_guess_ms()
        if rejection.reason is not Reason.EVENT_NAME_MISSING or at_ms is None or guess is None:
            return None
        return at_ms // MINUTE_MS if abs(at_ms - guess) <= self._options.max_age_ms else None

    def _place(
        self,
        client: str,
        known: Sessions,
        at_ms: int,
        log_ms: int,
        event: Event,
        shape: Shape,
        *,
        comes_again: bool,
    ) -> None:
        """The less common ways of an event with its client's sessions: open, join, prolong backwards, come again."""

        def is_direct() -> bool:
            page_url = None if shape.page_url is None else event.page_url
            referrer = None if shape.referrer is None else event.referrer
            return self._compiled.attribution.is_direct(page_url, referrer)

        minute = at_ms // MINUTE_MS
        if not comes_again and self._tells_repeats and lived_through(known, at_ms):
            self._facts.minute(self._came_at(at_ms, log_ms)).repeated += 1
        placed, deltas = place(known, at_ms, self._sessions_ms(), self._options.sessions, is_direct)
        self.changed[client] = placed
        if len(deltas) == 1:
            self._openers.append(client)
            if shape.user_agent is not None and self._compiled.robots[event.user_agent]:
                self._robots.append((minute, shape))
        for of_minute, sessions, direct in deltas:
            facts = self._facts.minute(of_minute)
            facts.sessions += sessions
            facts.direct += direct
            self.tally.sessions_opened += sessions

    def _sessions_ms(self) -> int:
        """The time by which sessions leave."""
        return self.clock.now_ms

    def _came_at(self, at_ms: int, log_ms: int) -> int:
        """The minute at which an event of a time that is over came, but for the little that events overtake each other."""
        came_ms = self.clock.arrived_ms(log_ms) or at_ms
        return (came_ms if came_ms - at_ms > _DISORDER_MS else at_ms) // MINUTE_MS

    def _purchase(self, record: Record, event: Event, shape: Shape, at_ms: int) -> bool:
        """Tells the purchase; whether it was invalid and its record a dead letter."""
        data = None if shape.event_data is None else event.event_data
        fields = self._compiled.purchases.open(data)
        fact, rejection = None, None
        if isinstance(fields, Rejection):
            rejection = fields
        else:
            self._notes.purchase(fields, at_ms // MINUTE_MS)
            fact, rejection = self._compiled.purchases.read(fields, at_ms)
        if fact is not None:
            self._facts.purchases.append(fact)
        if rejection is None:
            return False
        known = None if isinstance(fields, Rejection) else fields
        claimed = None if known is None else self._compiled.purchases.claimed(known)
        lacks = () if known is None else self._compiled.purchase_notes.lacks(known)
        self.rejects.reject_purchase(record, rejection, at_ms // MINUTE_MS, fact, claimed, lacks)
        return True

    def _repaired(self, record: Record, event: Event, shape: Shape, at_ms: int, counted: Counted) -> None:
        """A purchase that was put back for its data alone: its visit counts already."""
        fact, rejection = None, None
        if shape.event_name is not None and event.event_name == self._options.contract.purchase_event:
            data = None if shape.event_data is None else event.event_data
            fact, rejection = self._compiled.purchases.read(data, at_ms)
        if fact is not None:
            self._facts.purchases.append(msgspec.structs.replace(fact, replaces=counted.contents))
            counted = counted.told(fact.content)
        if rejection is not None:
            self.rejects.put_aside(record, rejection, counted)
            return
        self.rejects.take_back(counted, self._compiled.purchase_notes.paths(counted.lacks))
        if self._options.valid_topic:
            self._pass(record, at_ms // MINUTE_MS)

    def _pass(self, record: Record, minute: int) -> None:
        headers = [*(record.headers() or []), ("sluice-day", self._options.zone.day_of(minute).encode())]
        self.passed.append(Output(self._options.valid_topic, record.value(), record.key(), headers))

    def facts(self) -> Facts:
        """Everything the batch learned, by minute; rejects without a time once there is one."""
        facts, names = self._facts, {name: told(name) for name in self._names}
        for (at, shape, its_name), (count,) in self._seen.items():
            minute = facts.minute(at)
            minute.events += count
            self.tally.events += count
            name = names[its_name]
            minute.names[name] = minute.names.get(name, 0) + count
            for which, noted in shape.notes:
                table = getattr(minute, which)
                if table is NONE:
                    table = minute.table(which)
                kept = noted if noted in table or len(table) < MOST_NOTED else REST
                table[kept] = table.get(kept, 0) + count
        for what, minutes in self._at.items():
            for at, count in Counter(minutes).items():
                minute = facts.minute(at)
                setattr(minute, what, getattr(minute, what) + count)
        for what, cells in (("robots", self._robots), ("robots_nameless", self._nameless)):
            for (at, shape), count in Counter(cells).items():
                minute = facts.minute(at)
                setattr(minute, what, getattr(minute, what) + count)
                for field in (*shape.null, *shape.absent):
                    lack = minute.table("robots_lack")
                    lack[field] = lack.get(field, 0) + count
        for clock in self._clocks():
            facts.voices_ahead += clock.ahead
            for at, count in clock.events_ahead.items():
                facts.minute(at).ahead += count
        self.tally.sessions_opened += len(self._at["sessions"])
        self.rejects.date()
        facts.clients = sample(self._openers)
        return facts

    def _clocks(self) -> Iterable[StreamClock]:
        """The clocks that went on in this batch."""
        return [self.clock]
