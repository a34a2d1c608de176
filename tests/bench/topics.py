"""The broker that is measured on, and what lies in its topics."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import psutil
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from consumer.local.kafka import EmbeddedKafka
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.read_all import read_all
from consumer.runtime.kafka.sender import Sender
from reports.deliver import Deliverer
from tests.bench.workload import Numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consumer.runtime.kafka.tail import Topics
    from tests.bench.workload import Keyed

ANSWER_SECONDS = 20.0
COUNT_SECONDS = 120.0

QUIET = {"log_level": 2}
"""What the clients say when the broker goes at the end is of no interest here."""


class Broker(NamedTuple):
    """Where it is reached, and the process that it runs in if that is on this machine and ours."""

    address: str
    pid: int | None = None


@contextmanager
def broker() -> Iterator[Broker]:
    """The broker that KAFKA_BOOTSTRAP_SERVERS names, else an embedded one for as long as this lasts."""
    if named := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield Broker(named)
    else:
        with EmbeddedKafka(properties={"log.retention.ms": "-1"}) as kafka:
            yield Broker(kafka.bootstrap_servers, kafka.pid)


class Cluster:
    """What the bench asks of the broker."""

    def __init__(self, address: str, pid: int | None = None) -> None:
        self.address = address
        self._process = None if pid is None else psutil.Process(pid)
        self._admin = AdminClient({"bootstrap.servers": address, **QUIET})

    def create(self, topic: str, partitions: int, **config: str) -> None:
        """Makes a topic."""
        new = NewTopic(topic, partitions, 1, config=config)
        self._admin.create_topics([new])[topic].result(ANSWER_SECONDS)

    def cpu_seconds(self) -> float | None:
        """What the broker has used so far; None if it is not ours."""
        if self._process is None:
            return None
        times = self._process.cpu_times()
        return times.user + times.system

    def fill(self, topic: str, partitions: int, records: Iterable[Keyed]) -> int:
        """Makes a topic and sends the records to it as `sluice produce` would; how many."""
        sender = Sender({"bootstrap.servers": self.address}, topic, partitions)
        sent = 0
        for record in records:
            sender.send(record.value, record.key)
            sent += 1
        sender.finish()
        return sent

    def fill_unseen(self, topic: str, partitions: int, records: Iterable[Keyed]) -> Sender:
        """The same, but whoever reads committed records only sees none of them before the sender's `finish`."""
        sender = Sender({"bootstrap.servers": self.address}, topic, partitions, together=topic)
        sent = 0
        for record in records:
            sender.send(record.value, record.key)
            sent += 1
        while sender.delivered.total() < sent:
            sender.serve(0.1)
        return sender

    def ends(self, topic: str) -> dict[tuple[str, int], int]:
        """The log end of every partition of a topic."""
        numbers = self._admin.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic].partitions
        asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in numbers}
        answers = self._admin.list_offsets(asked)
        return {(w.topic, w.partition): f.result(ANSWER_SECONDS).offset for w, f in answers.items()}

    def after_last_record(self, topic: str) -> int:
        """The offset after the last committed record of a topic with one partition: behind it lie only the markers of
        transactions, which need not be read. Records that were trimmed meanwhile have been read."""
        reader = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "bench",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                **QUIET,
            }
        )
        after, end = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=ANSWER_SECONDS)
        reader.assign([TopicPartition(topic, 0, max(after, end - 20))])
        while (message := reader.poll(ANSWER_SECONDS)) is not None and message.error() is None:
            after = (message.offset() or 0) + 1
        reader.close()
        return after

    def count(self, topic: str) -> int:
        """How many committed records there are in a topic; too few if it cannot be read to its end in time."""
        ends = self.ends(topic)
        reader = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "bench",
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 5,
                **QUIET,
            }
        )
        reader.assign([TopicPartition(*where, OFFSET_BEGINNING) for where in ends])
        found, left = 0, set(ends)
        deadline = SystemClock().monotonic() + COUNT_SECONDS
        while left and SystemClock().monotonic() < deadline:
            for message in reader.consume(10_000, 0.05):  # it would wait for all of so many
                if message.error() is None:
                    found += 1
                else:
                    left.discard((message.topic(), message.partition()))
        reader.close()
        return found

    def days(self, topics: Topics) -> dict[str, Numbers]:
        """What the receipts say of every day, as whoever delivers them reads them."""
        reader = Deliverer()
        silent = logging.Logger("librdkafka")  # noqa: LOG001 - what the client says is of no interest here
        silent.addHandler(logging.NullHandler())
        read_all({"bootstrap.servers": self.address}, topics, reader, SystemClock(), silent)
        return numbers_of(reader)

    def delete(self, topics: Sequence[str]) -> None:
        """Lets go of the topics, so that the disk does not fill from run to run."""
        for future in self._admin.delete_topics(list(topics)).values():
            future.result(ANSWER_SECONDS)


def numbers_of(reader: Deliverer) -> dict[str, Numbers]:
    """What the latest receipts say. Raises ValueError if there was anything else among them."""
    if reader.unusable:
        raise ValueError(f"{reader.unusable} records are no receipts or alerts")
    return {
        receipt.day: Numbers(
            receipt.counts.events,
            receipt.metrics.sessions or 0,
            receipt.metrics.purchases or 0,
            Decimal(receipt.metrics.revenue or 0),
        )
        for receipt in reader.receipts
    }


def faults(right: dict[str, Numbers], found: dict[str, Numbers]) -> list[str]:
    """In words, every day whose numbers are not what they have to be."""
    return [
        f"{day}: {found.get(day) or 'missing'} instead of {right.get(day) or 'no such day'}"
        for day in sorted(right.keys() | found.keys())
        if right.get(day) != found.get(day)
    ]
