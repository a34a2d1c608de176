"""The gate where the input is not keyed: it reads the keyed topic, in which several input partitions come together.

Each input partition is a *channel* with a clock of its own, since one may be read long before another: what is late, what
is believed and what is too old is asked of the channel. Sessions leave, and the gate tells its time, by what all
channels have come to: the same rule that makes the watermark of many gates (`core/watermark.py`), with marks for facts.
"""

from __future__ import annotations

from struct import error as StructError  # noqa: N812 - the module's own name for it is lower case
from typing import TYPE_CHECKING, ClassVar

import msgspec

from consumer.core.keyed import (
    CUT,
    CUT_KEYED,
    KEYED,
    MARK,
    Mark,
    OriginalRecord,
    foreign,
    read_mark,
    unpack_head,
)
from consumer.core.rejection import TRUNCATED, Reason, Rejection
from consumer.core.state import Delta
from consumer.core.timestamps import MINUTE_MS
from consumer.core.watermark import UNKNOWN, ClockState, Progress, StreamClock, reached, watermark
from consumer.core.wire import WireError
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_batch import Batch, Compiled
from consumer.tasks.gate_rejects import Rejects
from consumer.tasks.gate_state import GateChanges, GateOptions, PartitionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.core.facts import Facts
    from consumer.core.record import Output, Record
    from consumer.core.requeue import Counted
    from consumer.core.sessions import Sessions
    from consumer.core.state import Slice
    from consumer.core.wire import TaskName
    from consumer.tasks.task import Decision, Moment, Tally

_BEHIND_MS = 2 * MINUTE_MS
"""A channel that is so far behind another is being caught up: its events come after later ones of the same client, and
that is no sign of events that were sent again."""


class Channel(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a gate remembers of one input partition. `partitions`: how many the input had by its last mark.
    `idle_since_ms`, `end_ms`: the keyer's wall clock since when it had read all, and when the broker last said so."""

    clock: ClockState = msgspec.field(default_factory=ClockState)
    progress: Progress = Progress()
    partitions: int = 1
    idle_since_ms: int | None = None
    end_ms: int | None = None

    def idle_ms(self) -> int:
        """For how long nothing is known to have come."""
        if self.idle_since_ms is None or self.end_ms is None:
            return 0
        return max(0, self.end_ms - self.idle_since_ms)

    def marked(self, mark: Mark, clock: ClockState, stream_ms: int | None, others_ms: int | None) -> Channel:
        """The channel after its keyer's next mark. Its time does not go on with the wall clock: the gate's does."""
        idle_since = None
        if mark.at_end:
            known = self.idle_since_ms
            idle_since = mark.wall_ms if mark.records or known is None else known
        end = mark.wall_ms if mark.at_end and mark.asked else None
        progress = self.progress.told(
            mark.sequence,
            stream_ms,
            None if idle_since is None else 0,
            None if end is None else 0,
            others_ms,
        )
        return Channel(clock, progress, mark.partitions, idle_since, end)


class KeyedGateChanges(GateChanges, omit_defaults=True):
    """The journal of such a gate: its channels as well. `partition` has the time that all channels have come to."""

    channels: Delta[int, Channel] = msgspec.field(default_factory=Delta)


class OriginalRejects(Rejects):
    """Rejects of records that stood elsewhere first: dead letters say where, and are as they were there."""

    def __init__(
        self, facts: Facts, clock: StreamClock, tally: Tally, undated: dict[str, int], topic: str
    ) -> None:
        super().__init__(facts, clock, tally, undated)
        self._topic = topic

    def go_by(self, clock: StreamClock) -> None:
        """The clock of the records that follow."""
        self._clock = clock

    def put_aside(self, record: Record, rejection: Rejection, counted: Counted) -> None:
        super().put_aside(OriginalRecord(record, self._topic), rejection, counted)

    def dead_letters(self, options: GateOptions, moment: Moment) -> list[Output]:
        letters = []
        for (record, _, _), letter in zip(self._rejected, super().dead_letters(options, moment), strict=True):
            size = record.size if isinstance(record, OriginalRecord) else None
            if size is None:
                letters.append(letter)
                continue
            self._tally.truncated += 1
            mark = (TRUNCATED, str(size).encode())
            letters.append(letter._replace(headers=[*(letter.headers or []), mark]))
        return letters


class KeyedBatch(Batch):
    """One batch of the keyed topic while it is decided."""

    rejects: OriginalRejects

    def __init__(
        self,
        compiled: Compiled,
        sessions: dict[str, Sessions],
        state: PartitionState,
        channels: dict[int, Channel],
    ) -> None:
        super().__init__(compiled, sessions, state)
        self._topic = compiled.options.input_topic
        self._known = channels
        self._channels: dict[int, Channel] = {}
        self._live: dict[int, StreamClock] = {}
        self._time = self.clock
        self.rejects = OriginalRejects(self._facts, self._time, self.tally, state.undated, self._topic)

    def read_keyed(self, records: Sequence[Record]) -> None:
        """Judges the records, channel by channel in their order. Raises WireError where one is none of ours."""
        run: list[Record] = []
        here = -1
        for record in records:
            try:
                kind, channel, _ = unpack_head(record.key() or b"")
            except StructError as error:
                raise foreign() from error
            if kind <= KEYED and channel == here:
                run.append(record)
                continue
            self._read_run(here, run)
            run, here = [], channel
            if kind <= KEYED:
                run.append(record)
            elif kind == MARK:
                self._mark(channel, read_mark(record.value()))
            elif kind in (CUT, CUT_KEYED):
                self._reject_cut(channel, record)
            else:
                raise foreign()
        self._read_run(here, run)
        self.clock = self._time

    def _read_run(self, channel: int, run: list[Record]) -> None:
        if run:
            self._go_by(channel)
            self.read(run)

    def _reject_cut(self, channel: int, record: Record) -> None:
        self._go_by(channel)
        size = OriginalRecord(record, self._topic).size or 0
        sentence = f"the value has {size} bytes, more than the keyed topic takes"
        self.tally.records += 1
        self.rejects.reject(record, Rejection(Reason.TOO_BIG, sentence))

    def _go_by(self, channel: int) -> None:
        self.clock = self._clock_of(channel)
        self.rejects.go_by(self.clock)
        furthest = max(self._now_ms(number) for number in {**self._known, **self._live})
        self._tells_repeats = self.clock.now_ms > furthest - _BEHIND_MS

    def _clock_of(self, channel: int) -> StreamClock:
        clock = self._live.get(channel)
        if clock is None:
            known = self._known.get(channel)
            state = ClockState() if known is None else known.clock
            clock = self._live[channel] = StreamClock(state, self._options.clock)
        return clock

    def _now_ms(self, channel: int) -> int:
        live = self._live.get(channel)
        return self._known[channel].clock.now_ms if live is None else live.now_ms

    def _mark(self, number: int, mark: Mark) -> None:
        """A keyer says how far it is: time goes on, once all have."""
        channels = self.channels()
        before = channels.get(number, Channel())
        last = before.progress.sequence
        if last and mark.sequence != last + 1:
            raise WireError(
                f"in the keyed topic, mark number {mark.sequence} of input partition {number} came after number {last}"
            )
        others = [channel.progress for other, channel in channels.items() if other != number]
        clock = self._clock_of(number)
        channel = before.marked(mark, clock.state(), clock.best_guess_ms(), reached(others))
        self._channels[number] = channels[number] = channel
        expected = max(it.partitions for it in channels.values())
        now = self._time.now_ms
        told = [it.progress for it in channels.values()]
        moved = watermark(told, expected, None if now == UNKNOWN else now)
        if moved is not None:
            self._time.now_ms = moved

    def channels(self) -> dict[int, Channel]:
        """All channels, as they stand at their last marks."""
        return {**self._known, **self._channels}

    def changed_channels(self) -> dict[int, Channel]:
        """Those that went on, clocks included."""
        changed = {}
        for number, clock in self._live.items():
            known = self._channels.get(number) or self._known.get(number, Channel())
            changed[number] = msgspec.structs.replace(known, clock=clock.state())
        return changed

    def idle_ms(self) -> int:
        """For how long nothing has come to the input: the least of its partitions."""
        return min((channel.idle_ms() for channel in self.channels().values()), default=0)

    def facts(self) -> Facts:
        for clock in self._live.values():
            self.rejects.go_by(clock)
            self.rejects.date()
        return super().facts()

    def _sessions_ms(self) -> int:
        return self._time.now_ms

    def _clocks(self) -> Iterable[StreamClock]:
        return self._live.values()

    def _pass(self, record: Record, minute: int) -> None:
        super()._pass(OriginalRecord(record, self._topic), minute)


class KeyedGateTask(GateTask):
    """Judges the records of one partition of the keyed topic."""

    _name: ClassVar[TaskName] = "keyed gate"
    _kind: ClassVar[type[GateChanges]] = KeyedGateChanges

    def __init__(self, partition: int, options: GateOptions) -> None:
        super().__init__(partition, options)
        self.channels: dict[int, Channel] = {}

    def decide(
        self,
        records: Sequence[Record],
        moment: Moment,
        unreadable: Sequence[tuple[Record, Rejection]] = (),
    ) -> Decision:
        """See `Task`. Nothing in the keyed topic is unreadable."""
        del unreadable
        batch = KeyedBatch(self._compiled, self.sessions, self.state, self.channels)
        batch.read_keyed(records)
        return self._decision(batch, moment)

    def _idle_since(self, batch: Batch, moment: Moment) -> int | None:
        """That the keyed topic is at its end says nothing of the input: marks do."""
        if not moment.at_end or not isinstance(batch, KeyedBatch):
            return None
        return moment.wall_ms - batch.idle_ms()

    def _changes(self, batch: Batch, state: PartitionState) -> tuple[GateChanges, Slice]:
        changes, snapshot = super()._changes(batch, state)
        put = batch.changed_channels() if isinstance(batch, KeyedBatch) else {}
        if snapshot.turn.begins:  # what came before this entry will be cut
            put = {**self.channels, **put}
        return KeyedGateChanges(changes.sessions, changes.partition, Delta(put)), snapshot

    def _move(self, changes: GateChanges, sequence: int, next_offset: int) -> None:
        if isinstance(changes, KeyedGateChanges):
            changes.channels.apply(self.channels)
        super()._move(changes, sequence, next_offset)
