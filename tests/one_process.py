"""One loop on a simulated Kafka, turn by turn, where faults come exactly when told."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from consumer.runtime.loop import Loop, LoopOptions
from consumer.runtime.transport import Partition
from consumer.tasks.gate import GateTask
from consumer.tasks.watch import WatchTask
from tests.shop_contract import gate_options, watch_options
from tests.simulated_kafka import SimulatedKafka
from tests.simulated_transport import TOPICS, SimulatedTransport, Undisturbed
from tests.simulation import Silent

if TYPE_CHECKING:
    from consumer.runtime.transport import Fenced, Owner, Retry
    from consumer.tasks.task import Task

EVENTS, FACTS, JOURNAL = Partition("events", 0), Partition("sluice.facts", 0), Partition("sluice.journal", 1)


def visit(number: int) -> bytes:
    at = f"2025-02-27T12:{number:02d}:00Z"
    return json.dumps({"timestamp": at, "event_name": "page_viewed", "client_id": f"c{number}"}).encode()


class Scripted(Undisturbed):
    """A process to which faults happen as often as told, each at its first occasion."""

    def __init__(self, kafka: SimulatedKafka, **faults: int) -> None:
        super().__init__(kafka)
        self.faults = Counter(faults)

    def happens(self, fault: str) -> bool:
        self.faults[fault] -= 1
        return self.faults[fault] >= 0


class OneProcess(Silent):
    """A loop with its clock, which stops after so many turns and notes what it had to do."""

    def __init__(
        self, kafka: SimulatedKafka, fate: Undisturbed | None = None, *, most_records: int = 100
    ) -> None:
        self.kafka, self.fate = kafka, fate or Undisturbed(kafka)
        self.turns_left = 0
        self.recovered: list[Fenced] = []
        self.aborts = 0
        self.waited: list[float] = []
        options = LoopOptions(TOPICS.facts, most_records=most_records)
        self.loop = Loop(self._connect, self._new_task, options, self, self)

    def _connect(self, owner: Owner) -> SimulatedTransport:
        return SimulatedTransport(self.kafka, "one", owner, self.fate, TOPICS)

    def _new_task(self, partition: Partition) -> Task:
        if partition == FACTS:
            return WatchTask(watch_options())
        return GateTask(partition.number, gate_options())

    def run(self, turns: int) -> None:
        self.turns_left = turns
        self.loop.run(self)

    def recovering(self, error: Fenced) -> None:
        self.recovered.append(error)

    def aborted(self, _: Retry) -> None:
        self.aborts += 1

    def now_ms(self) -> int:
        return 1_740_657_600_000 + round(self.kafka.now * 1000)

    def monotonic(self) -> float:
        return self.kafka.now

    def is_set(self) -> bool:
        self.turns_left -= 1
        return self.turns_left < 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0)
        self.kafka.advance(timeout or 0)
        return self.turns_left < 0


def five_visits() -> SimulatedKafka:
    """A Kafka with all topics, one input partition, and five events in it."""
    kafka = SimulatedKafka(1, (TOPICS.events, TOPICS.facts))
    for topic in ("events", "events.dlq", "sluice.facts", "sluice.days", "sluice.alerts"):
        kafka.create_topic(topic, 1)
    kafka.create_topic("sluice.journal", 2)
    for number in range(5):
        kafka.logs[EVENTS].append(visit(number))
    return kafka
