"""Keyers, gates and watch joined in memory: the whole way of an input that is not keyed, without Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.record import Output, StoredRecord
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.keyer import KeyerOptions, KeyerTask
from consumer.tasks.pipeline import Pipeline
from consumer.tasks.task import Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.record import Record
    from consumer.tasks.gate_state import GateOptions
    from consumer.tasks.watch_state import WatchOptions


class UnkeyedPipeline(Pipeline):
    """One watch behind as many gates and keyers as there are partitions. What was keyed waits until it is read."""

    def __init__(self, gate: GateOptions, watch: WatchOptions, partitions: int = 1) -> None:
        super().__init__(gate, watch, partitions)
        self.gates = [KeyedGateTask(number, gate) for number in range(partitions)]
        self.keyers = [KeyerTask(number, KeyerOptions(gate.contract)) for number in range(partitions)]
        self.keyed: list[list[StoredRecord]] = [[] for _ in self.gates]

    def key(self, records: Sequence[Record], *, wall_ms: int, partition: int, at_end: bool = False) -> None:
        """Takes a micro-batch of one input partition as far as the keyed topic."""
        keyer, partitions = self.keyers[partition], len(self.keyers)
        reached = (keyer.next_offset or 0) + len(records)
        decision = keyer.decide(
            records, Moment(wall_ms, reached, at_end, partitions, keyed_partitions=partitions)
        )
        keyer.apply(decision)
        for output in decision.outputs:
            self.keyed[output.partition or 0].append(_stored(output))

    def read(self, gate: int, most: int, *, wall_ms: int, at_end: bool = False) -> list[Output]:
        """A gate takes so many of the records that wait for it."""
        waiting = self.keyed[gate]
        taken, self.keyed[gate] = waiting[:most], waiting[most:]
        ended = at_end and not self.keyed[gate]
        return super().feed(taken, wall_ms=wall_ms, partition=gate, at_end=ended)

    def feed(
        self,
        records: Sequence[Record],
        *,
        wall_ms: int,
        partition: int = 0,
        at_end: bool = False,
        **_: object,
    ) -> list[Output]:
        """Takes a micro-batch the whole way."""
        self.key(records, wall_ms=wall_ms, partition=partition, at_end=at_end)
        outputs = []
        for gate in range(len(self.gates)):
            outputs += self.read(gate, len(self.keyed[gate]), wall_ms=wall_ms, at_end=at_end)
        return outputs


def _stored(output: Output) -> StoredRecord:
    return StoredRecord(
        output.value,
        output.key,
        topic=output.topic,
        partition=output.partition or 0,
        timestamp_ms=output.timestamp_ms,
        headers=output.headers,
    )
