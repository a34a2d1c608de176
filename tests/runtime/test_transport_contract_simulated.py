"""The simulation keeps the same promises as Apache Kafka: a fake is faithful or it is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.runtime.transport import Partition
from tests.contract_transport import INPUT_PARTITIONS, TransportContract
from tests.simulated_kafka import SimulatedKafka
from tests.simulated_transport import TOPICS, SimulatedTransport, Undisturbed

if TYPE_CHECKING:
    from consumer.core.record import StoredRecord
    from consumer.runtime.transport import Transaction
    from tests.contract_transport import Member


class Died(BaseException):
    """The process ends in the middle of a commit."""


class Mortal(Undisturbed):
    """A process that can be told to die once its offsets are sent."""

    dies = False

    def step(self, place: str) -> None:
        if self.dies and place == "offsets sent":
            self.stopped = True
            raise Died


class SimulatedWorld:
    """The simulated Kafka without any faults but those that a test asks for."""

    events, facts, journal, output = TOPICS.events, TOPICS.facts, TOPICS.journal, "output"
    patience_seconds = 60.0

    def __init__(self, seed: int) -> None:
        self.kafka = SimulatedKafka(seed, (TOPICS.events, TOPICS.facts))
        for topic, partitions in (
            (self.events, INPUT_PARTITIONS),
            (self.facts, 1),
            (self.journal, 3),
            (self.output, 2),
        ):
            self.kafka.create_topic(topic, partitions)
        self.fates: dict[SimulatedTransport, Mortal] = {}

    def now(self) -> float:
        return self.kafka.now

    def produce(self, topic: str, partition: int, *values: bytes) -> None:
        for value in values:
            self.kafka.logs[Partition(topic, partition)].append(value)

    def committed(self, topic: str) -> list[StoredRecord]:
        return self.kafka.committed_records(topic)

    def open(self, name: str, owner: Member) -> SimulatedTransport:
        fate = Mortal(self.kafka)
        transport = SimulatedTransport(self.kafka, name, owner, fate)
        self.fates[transport] = fate
        return transport

    def kill(self, transport: SimulatedTransport) -> None:
        self.fates[transport].stopped = True

    def write_and_die(self, transport: SimulatedTransport, transaction: Transaction) -> None:
        self.fates[transport].dies = True
        with pytest.raises(Died):
            transport.commit(transaction)


class TestTheSimulation(TransportContract):
    @pytest.fixture(params=range(5))
    def world(self, request: pytest.FixtureRequest) -> SimulatedWorld:
        return SimulatedWorld(request.param)
