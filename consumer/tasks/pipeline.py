"""Gate and watch joined in memory, without Kafka: files, tests and benchmarks run the very same tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.record import Output, StoredRecord
from consumer.tasks.gate import GateTask
from consumer.tasks.task import Moment
from consumer.tasks.watch import WatchTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.record import Record
    from consumer.core.rejection import Rejection
    from consumer.tasks.gate_state import GateOptions
    from consumer.tasks.watch_state import WatchOptions


class Pipeline:
    """One watch behind one gate a partition. Every call decides and applies at once."""

    def __init__(self, gate: GateOptions, watch: WatchOptions, partitions: int = 1) -> None:
        self.gates = [GateTask(number, gate) for number in range(partitions)]
        self.watch = WatchTask(watch)
        self._facts_topic = gate.facts_topic
        self._facts_offset = 0

    def feed(
        self,
        records: Sequence[Record],
        *,
        wall_ms: int,
        partition: int = 0,
        at_end: bool = False,
        unreadable: Sequence[tuple[Record, Rejection]] = (),
    ) -> list[Output]:
        """Takes a micro-batch of one partition; what comes out of gate and watch, facts left out."""
        gate = self.gates[partition]
        reached = (gate.next_offset or 0) + len(records) + len(unreadable)
        gated = gate.decide(records, Moment(wall_ms, reached, at_end, len(self.gates)), unreadable)
        gate.apply(gated)
        facts = [
            StoredRecord(output.value, topic=output.topic, offset=self._facts_offset + number)
            for number, output in enumerate(o for o in gated.outputs if o.topic == self._facts_topic)
        ]
        self._facts_offset += len(facts)
        watched = self.watch.decide(facts, Moment(wall_ms, self._facts_offset))
        self.watch.apply(watched)
        return [output for output in (*gated.outputs, *watched.outputs) if output.topic != self._facts_topic]

    def end(self, wall_ms: int) -> list[Output]:
        """The input is over for good: every day that was reached closes."""
        decision = self.watch.close_all(Moment(wall_ms, self._facts_offset))
        self.watch.apply(decision)
        return decision.outputs
