"""How far event time has surely come: in one partition (`StreamClock`), and over all of them (`watermark`).

A stream's time is its newest event's, but only as far as it is believed: an event more than `trust_ms` ahead of what
most visitors of late say moves nothing (the median of the newest events of 32 different clients, so one clock that
runs ahead, however busy, is one voice), unless the log's own clock says the same. It depends on the records of the
partition in their order alone, so a replay gives the same, and never goes back but once: when the third visitor shows
that the first one's clock was days ahead.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice

import msgspec

from consumer.core.instant import LAST_MS
from consumer.core.timestamps import DAY_MS, MINUTE_MS

UNKNOWN = -(2**62)
"""Stream time before it is known: behind every event."""

NO_LOG = 2**62
"""Log time of a record that has none (a file's): ahead of every event, so it limits nothing."""

FAR_MS = 6 * 60 * MINUTE_MS
"""A voice this far ahead of what is believed is a clock that is wrong; one that is less may be a quiet stream's next."""

LOG_BEHIND_MS = 2 * MINUTE_MS
"""How far behind the log's clock time goes on by broken records alone: events are still on their way."""

VOICES = 32
MAJORITY = 3
"""One or two visitors are no majority: what they say of time is believed for want of better, and nothing is too old
for it."""
_FEWEST_VOICES = 8
_LATELY = 5
_SPOKEN_AFTER = 8
_BROKEN_FOR_MS = 5 * MINUTE_MS
_ALONE_MS = 10 * MINUTE_MS
_EVERY = 16


@dataclass(frozen=True, slots=True)
class ClockRules:
    """`trust_ms`: how far ahead of the median voice an event is believed. `log_tolerance_ms`: how far ahead of the
    log's clock. `live_ms`: an event that the log wrote within this time of it is believed at once."""

    trust_ms: int = 30 * MINUTE_MS
    log_tolerance_ms: int = 5 * MINUTE_MS
    live_ms: int = 60 * MINUTE_MS


class ClockState(msgspec.Struct):
    """What a stream's clock remembers; part of the journal. `jumps`: events of a voice that were not believed;
    `present_ms`: what the last few voices said; `broken_since_ms`: the log's time since which nothing but broken records
    came, while time stood at `still_ms`; `lag_ms`: how far the newest voice was behind the log's clock; `newest_ms`: the
    newest that a voice said and another came near."""

    now_ms: int = UNKNOWN
    median_ms: int = UNKNOWN
    heard: int = 0
    voices: dict[str, int] = {}
    limit_ms: int = NO_LOG
    jumps: dict[str, int] = {}
    present_ms: int = UNKNOWN
    still_ms: int = UNKNOWN
    broken_since_ms: int = 0
    lag_ms: int = 0
    newest_ms: int = UNKNOWN


class StreamClock:
    """The clock of one partition while a batch is decided.

    The loop reads `now_ms`, `ceiling_ms`, `voices` and `jumps` itself, so that an ordinary event costs two comparisons:
    call `hear` if the client is not among the voices, else `takes_back` if it is among the jumps and the event is not above
    the ceiling, and then `believe` if the event is newer than now.
    """

    def __init__(self, state: ClockState, rules: ClockRules) -> None:
        self.now_ms = state.now_ms
        self.voices = dict(state.voices)
        self.ahead = 0
        """Voices that left, or spoke of the present again, while far ahead of everybody else: clocks that run ahead."""
        self.events_ahead: dict[int, int] = {}
        """Those voices' events that were not believed, by the stream's minute at which they were found out."""
        self._median_ms = state.median_ms
        self._heard = state.heard
        self._limit_ms = state.limit_ms
        self.jumps = dict(state.jumps)
        """Events that were not believed, by those of the voices that sent them."""
        self._present_ms = state.present_ms
        self._still_ms = state.still_ms
        self._broken_since_ms = state.broken_since_ms
        self._lag_ms = state.lag_ms
        self._newest_ms = state.newest_ms
        self._in_order: list[int] = []
        """The voices' times in order, as of the `_in_order_at`th voice: between two voices there can be many bad records."""
        self._in_order_at = -1
        self._rules = rules
        self._tolerance_ms = rules.log_tolerance_ms
        self.ceiling_ms = self._median_ms + rules.trust_ms

    def hear(self, client: str | None, at_ms: int, log_ms: int) -> None:
        """Takes the event of a client not heard of late as one voice; without identity each event is one."""
        self._limit_ms = log_ms + self._tolerance_ms
        # an old event that is sent again is no sign of a stream that lags
        if at_ms > self.now_ms - _ALONE_MS:
            self._lag_ms = log_ms - at_ms
        self._heard = heard = self._heard + 1
        voices = self.voices
        voices[client if client is not None else f"\0{heard}"] = at_ms
        if len(voices) > VOICES:
            oldest = next(iter(voices))
            if self.jumps or voices[oldest] > self.ceiling_ms + FAR_MS:
                self._leave(oldest)
            else:
                del voices[oldest]
        elif len(voices) == MAJORITY and self.now_ms < log_ms - self._rules.live_ms:
            self._correct()
        if not heard % _EVERY or self._median_ms == UNKNOWN:
            self._take_the_median()

    def _leave(self, voice: str) -> None:
        """A voice leaves; if its clock is still far ahead of everybody else's, it was wrong."""
        jumps = self.jumps.pop(voice, 1)
        if self.voices.pop(voice) > self.ceiling_ms + FAR_MS:
            self._count_ahead(jumps)

    def _count_ahead(self, events: int) -> None:
        """A voice that was far ahead, with so many events, was wrong."""
        minute = (self.present_ms() or 0) // MINUTE_MS
        self.ahead += 1
        self.events_ahead[minute] = self.events_ahead.get(minute, 0) + events

    def _find_out(self) -> None:
        """The clocks far ahead that others, most of them not, have spoken after: those were no quiet stream's next."""
        far = self.ceiling_ms + FAR_MS
        if max(self.voices.values()) <= far:
            return
        ahead = [at_ms > far for at_ms in self.voices.values()]
        for number, voice in enumerate([*self.voices][:-_SPOKEN_AFTER]):
            if ahead[number] and 2 * sum(ahead[number + 1 : number + 1 + _SPOKEN_AFTER]) < _SPOKEN_AFTER:
                self._leave(voice)

    def _correct(self) -> None:
        """Goes back to what the majority says, if time is more than a day ahead of it."""
        median = self._median()
        if self.now_ms > median + DAY_MS:
            self.now_ms, self._median_ms = self._newest_believed(median), median
            self.ceiling_ms = median + self._rules.trust_ms

    def _take_the_median(self) -> None:
        first = self._median_ms == UNKNOWN
        if self._heard % _EVERY and not (first and len(self.voices) >= _FEWEST_VOICES):
            return
        median = self._median()
        if first:
            self.now_ms = max(self.now_ms, self._newest_believed(median))
        self._median_ms = max(self._median_ms, median)
        self.ceiling_ms = self._median_ms + self._rules.trust_ms
        self.now_ms = max(self.now_ms, self._median_ms)
        self._find_out()
        self._listen()

    def _median(self) -> int:
        """The median voice, or what the log's clock allows if that is less."""
        return min(sorted(self.voices.values())[(len(self.voices) - 1) // 2], self._limit_ms)

    def _newest_believed(self, median: int) -> int:
        most = min(median + self._rules.trust_ms, self._limit_ms)
        return max((at for at in self.voices.values() if at <= most), default=median)

    def believe(self, client: str | None, at_ms: int, log_ms: int) -> None:
        """Moves on to an event newer than now, as far as it is believed; if it is not, its client says so all the same,
        with the one voice that it has."""
        limit = log_ms + self._rules.log_tolerance_ms
        if at_ms <= self.ceiling_ms:
            self.now_ms = max(self.now_ms, min(at_ms, limit))
        elif log_ms - self._rules.live_ms <= at_ms <= limit:
            self.now_ms = at_ms
        elif client is not None:
            self.jumps[client] = self.jumps.get(client, 0) + 1
            if self.voices[client] < at_ms:
                self._limit_ms = limit
                self._heard += 1
                self.voices[client] = at_ms
                self._take_the_median()
            self._listen()

    def takes_back(self, client: str, at_ms: int) -> None:
        """A client that was far ahead speaks of the present again: it is its events that are wrong, not its clock, and it
        has no voice for the time they told of."""
        jumps = self.jumps.pop(client)
        if self.voices[client] > self.ceiling_ms + FAR_MS:
            self._count_ahead(jumps)
            self.voices[client], self._in_order_at = at_ms, -1

    def log_goes_on(self, log_ms: int) -> None:
        """A record without any time of its own, of a stream that is live: once nothing else has come for some minutes of
        the log's clock, time goes on with it, a little behind. So a stream of nothing but broken records does not stand
        still, and is heard of; one broken record in a backlog that is read at once moves nothing."""
        if log_ms == NO_LOG:
            return
        if self.now_ms != self._still_ms:
            self._still_ms, self._broken_since_ms = self.now_ms, log_ms
        behind = log_ms - LOG_BEHIND_MS
        lasts = log_ms - self._broken_since_ms >= _BROKEN_FOR_MS
        if lasts and behind - self._rules.live_ms <= self.now_ms < behind:
            self.now_ms = self._still_ms = behind

    def best_guess_ms(self) -> int | None:
        """Stream time, or while it is not known the median of the voices so far; None without any."""
        if self.now_ms != UNKNOWN:
            return self.now_ms
        return self._median() if self.voices else None

    def present_ms(self) -> int | None:
        """What time it is for a record that has none of its own: the best guess, or what the last five voices said if that
        is a little ahead. Where visitors are few, what most of 32 say is old, and so is what is believed."""
        guess = self.best_guess_ms()
        if guess is None or not guess < self._present_ms <= guess + FAR_MS:
            return guess
        return self._present_ms

    def arrived_ms(self, log_ms: int) -> int | None:
        """When a record came whose own time does not say, at the earliest: by the log's clock if the stream is live, else
        by the newest voice, unless that one is alone. Old events that come again are voices, too, and displace the newest:
        so what the newest said once still holds."""
        guess = self.best_guess_ms()
        if guess is None or not self.voices:
            return guess
        soon = guess + self._rules.live_ms
        if guess <= log_ms <= soon and self._lag_ms <= _ALONE_MS:
            return log_ms
        if self._in_order_at != self._heard:
            self._in_order, self._in_order_at = sorted(self.voices.values()), self._heard
        voices = self._in_order
        near = voices[: bisect_right(voices, soon)][-2:] or [guess]
        latest = (self.present_ms() or guess) + self._rules.live_ms
        return max(guess, _not_alone(near), self._newest_ms if self._newest_ms <= latest else guess)

    def _listen(self) -> None:
        """The median of the last five voices and the newest of them, if newer than before and near what is believed."""
        if len(self.voices) >= _LATELY:
            lately = sorted(islice(reversed(self.voices.values()), _LATELY))
            middle, newest = lately[_LATELY // 2], _not_alone(lately[-2:])
            if middle <= self.now_ms + FAR_MS:
                self._present_ms = max(self._present_ms, min(middle, self._limit_ms))
            if self._newest_ms < newest <= max(self.now_ms, self._present_ms) + self._rules.live_ms:
                self._newest_ms = newest

    def state(self) -> ClockState:
        """What to remember."""
        return ClockState(
            self.now_ms,
            self._median_ms,
            self._heard,
            self.voices,
            self._limit_ms,
            self.jumps,
            self._present_ms,
            self._still_ms,
            self._broken_since_ms,
            self._lag_ms,
            self._newest_ms,
        )


def _not_alone(newest: list[int]) -> int:
    """The last of one or two voices in order, unless it is far from the other."""
    return newest[-1] if newest[-1] - newest[0] <= _ALONE_MS else newest[0]


class Progress(msgspec.Struct, frozen=True):
    """How far one input partition has been read, as its gate last told.

    `stream_ms`: its stream's time (None: no event yet). `idle_since_ms`: wall time since which all that had come was
    read (None: there is more). `end_ms`: wall time at which the broker, asked, said that nothing is left (None: it was
    not asked). `others_ms`: how far the other partitions had come, by the facts that stand before this one.
    `excused_ms`: event time up to which this partition holds nobody back while it is idle.
    """

    sequence: int = 0
    stream_ms: int | None = None
    idle_since_ms: int | None = None
    end_ms: int | None = None
    others_ms: int | None = None
    excused_ms: int | None = None

    def time_ms(self) -> int | None:
        """The partition's event time: while it is idle it goes on with the wall clock, up to the calendar's end."""
        if self.stream_ms is None or self.end_ms is None or self.idle_since_ms is None:
            return self.stream_ms
        return min(self.stream_ms + max(0, self.end_ms - self.idle_since_ms), LAST_MS)

    def holds_ms(self) -> int | None:
        """Event time beyond which the watermark must not go because of this partition; None: it must not move."""
        own = self.time_ms()
        if self.idle_since_ms is None or self.excused_ms is None:
            return own
        return self.excused_ms if own is None else max(own, self.excused_ms)

    def told(
        self,
        sequence: int,
        stream_ms: int | None,
        idle_since_ms: int | None,
        end_ms: int | None,
        others_ms: int | None,
    ) -> Progress:
        """What the partition's next fact makes of it.

        An end excuses it as far as the others had come when its fact *before* was told, no further: the end was asked
        after that one was committed, so after all that stands before it among the facts, and whatever lay in this
        partition's log by then has been read. No clock is compared with another, and an owner that died, or stood
        still between asking and telling, excuses nothing that came later.
        """
        excused = self.excused_ms if end_ms is None or self.others_ms is None else self.others_ms
        return Progress(sequence, stream_ms, idle_since_ms, end_ms, others_ms, excused)


def reached(partitions: list[Progress]) -> int | None:
    """How far event time has come if nothing is in the logs that was not told; None while it is not known.

    The least of the partitions that have more to read; if none has, the furthest of all.
    """
    busy = [p.stream_ms for p in partitions if p.idle_since_ms is None]
    known = [time for time in busy if time is not None]
    if busy:
        return min(known) if len(known) == len(busy) else None
    return max((time for p in partitions if (time := p.time_ms()) is not None), default=None)


def watermark(partitions: list[Progress], expected: int, before_ms: int | None) -> int | None:
    """Event time that no partition is behind any more, never before `before_ms`; None while it is not known.

    The least of what the partitions allow. Nothing is known before all `expected` partitions have told their place.
    """
    if len(partitions) < expected:
        return before_ms
    times = [p.holds_ms() for p in partitions]
    known = [time for time in times if time is not None]
    if not known or len(known) < len(times):
        return before_ms
    now = min(known)
    return now if before_ms is None else max(now, before_ms)
