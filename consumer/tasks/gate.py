"""The gate: one task per input partition. Events in; dead letters, passed events and facts out.

`gate_state.py` has what it is told and remembers, `gate_batch.py` how a batch is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from consumer.core.facts import Facts, GateReport
from consumer.core.record import Output
from consumer.core.sessions import Sessions, count_open, gone
from consumer.core.state import Delta, RollingSnapshot, Slice
from consumer.core.watermark import UNKNOWN
from consumer.core.wire import gate_reports, journal_entries, read_changes
from consumer.tasks.gate_batch import Batch, Compiled
from consumer.tasks.gate_state import GateChanges, GateOptions, PartitionState
from consumer.tasks.task import Chain, Decision, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.record import Record
    from consumer.core.rejection import Rejection
    from consumer.core.wire import JournalEntry, TaskName


class GateTask:
    """Judges the records of one input partition, in order."""

    _name: ClassVar[TaskName] = "gate"
    _kind: ClassVar[type[GateChanges]] = GateChanges

    def __init__(self, partition: int, options: GateOptions) -> None:
        self.partition = partition
        self.sessions: dict[str, Sessions] = {}
        self.state = PartitionState()
        self._options = options
        self._compiled = Compiled(options)
        self._chain = Chain(self._name)
        self._snapshot = RollingSnapshot()

    @property
    def next_offset(self) -> int | None:
        return self._chain.next_offset

    @property
    def stream_ms(self) -> int | None:
        """How far this partition's event time has come, as committed; None while it is not known."""
        now = self.state.clock.now_ms
        return None if now == UNKNOWN else now

    def open_sessions(self) -> int:
        """How many sessions an event in time can still join, as committed. Looks at every one of them."""
        return count_open(self.sessions.values(), self.state.clock.now_ms, self._options.sessions)

    def decide(
        self,
        records: Sequence[Record],
        moment: Moment,
        unreadable: Sequence[tuple[Record, Rejection]] = (),
    ) -> Decision:
        """See `Task`. `unreadable`: pieces of a file that were no record, and why; they become dead letters too."""
        batch = Batch(self._compiled, self.sessions, self.state)
        batch.read(records)
        for piece, rejection in unreadable:
            batch.rejects.reject(piece, rejection)
        return self._decision(batch, moment)

    def _decision(self, batch: Batch, moment: Moment) -> Decision:
        idle_since = self._idle_since(batch, moment)
        facts = batch.facts()  # before the state: it tells what was waiting for a time
        sequence = self._chain.sequence + 1
        state = PartitionState(batch.clock.state(), idle_since, batch.rejects.undated)
        changes, snapshot = self._changes(batch, state)
        outputs = [
            *batch.rejects.dead_letters(self._options, moment),
            *batch.passed,
            *self._reports(batch, facts, state, moment, sequence),
        ]
        start = self._chain.next_offset
        span = (moment.next_offset if start is None else start, moment.next_offset)
        journal = journal_entries(self._name, sequence, span, snapshot.turn, changes)
        return Decision(outputs, journal, sequence, moment.next_offset, changes, snapshot, batch.tally)

    def _idle_since(self, batch: Batch, moment: Moment) -> int | None:
        if not moment.at_end:
            return None
        known = self.state.idle_since_ms
        return moment.wall_ms if batch.tally.records or known is None else known

    def _changes(self, batch: Batch, state: PartitionState) -> tuple[GateChanges, Slice]:
        changed, now, rules = batch.changed, batch.clock.now_ms, self._options.sessions
        snapshot = self._snapshot.next_slice([self.sessions], len(changed))
        put = dict(changed)
        left = []
        for _, client in snapshot.keys:
            sessions = changed.get(client) or self.sessions.get(client)
            if sessions is None:
                continue
            if gone(sessions, now, rules):
                put.pop(client, None)
                left.append(client)
            else:
                put[client] = sessions
        return GateChanges(Delta(put, left), Delta({self.partition: state})), snapshot

    def _reports(
        self, batch: Batch, facts: Facts, state: PartitionState, moment: Moment, sequence: int
    ) -> list[Output]:
        report = GateReport(
            self.partition,
            sequence,
            moment.input_partitions,
            self._options.contract.label,
            moment.wall_ms,
            stream_ms=batch.clock.best_guess_ms(),
            idle_since_ms=state.idle_since_ms,
            end_ms=moment.wall_ms if moment.at_end and moment.asked else None,
            facts=facts,
        )
        return [Output(self._options.facts_topic, record, partition=0) for record in gate_reports(report)]

    def apply(self, decision: Decision) -> None:
        self._move(decision.changes, decision.sequence, decision.next_offset)
        self._snapshot.advance(decision.slice, len(decision.changes.sessions))

    def replay(self, entry: JournalEntry) -> None:
        self._chain.follow(entry)
        self._move(read_changes(entry, self._kind), entry.sequence, entry.to_offset)
        self._snapshot.resume(entry.turn)

    def restored(self) -> None:
        self._chain.finish()

    def begin(self, offset: int) -> None:
        self._chain.next_offset = offset

    def _move(self, changes: GateChanges, sequence: int, next_offset: int) -> None:
        changes.sessions.apply(self.sessions)
        self.state = changes.partition.put.get(self.partition, self.state)
        self._chain.sequence, self._chain.next_offset = sequence, next_offset
