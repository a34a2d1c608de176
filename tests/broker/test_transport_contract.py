"""Apache Kafka behind the transport seam keeps the promises that the simulation keeps."""

from __future__ import annotations

import gc
import logging
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from consumer.runtime.kafka.topics import Names
from consumer.runtime.kafka.transport import KafkaOptions, KafkaTransport
from tests.contract_transport import INPUT_PARTITIONS, TransportContract
from tests.topic_reader import create_topic, read_committed

if TYPE_CHECKING:
    from confluent_kafka import Message

    from consumer.runtime.transport import Transaction
    from tests.conftest import Broker
    from tests.contract_transport import Member

pytestmark = pytest.mark.broker

SILENT = logging.getLogger("librdkafka")
SILENT.addHandler(logging.NullHandler())


class Died(BaseException):
    """The process ends in the middle of a commit."""


class KafkaWorld:
    """Topics and a group of their own on a real broker."""

    patience_seconds = 45.0

    def __init__(self, servers: str, prefix: str) -> None:
        self._servers = servers
        self._prefix = prefix
        self.events, self.facts = f"{prefix}events", f"{prefix}facts"
        self.journal, self.output = f"{prefix}journal", f"{prefix}output"
        for topic, partitions in (
            (self.events, INPUT_PARTITIONS),
            (self.facts, 1),
            (self.journal, INPUT_PARTITIONS + 1),
            (self.output, 2),
        ):
            create_topic(servers, topic, partitions)
        self._producer = Producer({"bootstrap.servers": servers, "logger": SILENT})

    def now(self) -> float:
        return time.monotonic()

    def produce(self, topic: str, partition: int, *values: bytes) -> None:
        for value in values:
            self._producer.produce(topic, value, partition=partition)
        assert self._producer.flush(20) == 0

    def committed(self, topic: str) -> list[Message]:
        return read_committed(self._servers, topic)

    def open(self, name: str, owner: Member) -> KafkaTransport:
        names = Names(self.events, self.output, "", self.facts, self.journal, "", "")
        options = KafkaOptions(
            {"bootstrap.servers": self._servers},
            names,
            f"{self._prefix}group",
            name,
            (self.events, self.facts),
            SILENT,
        )
        return KafkaTransport(options, owner)

    def kill(self, transport: KafkaTransport) -> None:
        """The client without its goodbye: collected, not closed, it leaves neither group nor transaction in order."""
        del transport._consumer
        del transport._producer
        gc.collect()

    def write_and_die(self, transport: KafkaTransport, transaction: Transaction) -> None:
        def die(verb: object) -> None:
            transport._producer._producer.flush(20)
            raise Died

        transport._producer._finish = die  # type: ignore[method-assign]  # the process ends where it would commit
        with pytest.raises(Died):
            transport.commit(transaction)
        del transport._producer._finish
        self.kill(transport)


class TestApacheKafka(TransportContract):
    @pytest.fixture
    def world(self, broker: Broker, topic_prefix: str) -> KafkaWorld:
        return KafkaWorld(broker.bootstrap_servers, topic_prefix)
