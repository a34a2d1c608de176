"""Topics and groups as a stranger sees them: what is committed, and where it ends. None of the product's own code."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tests.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Message

ANSWER_SECONDS = 30.0


@cache
def admin(servers: str) -> AdminClient:
    """An admin client for the broker, one for the whole run."""
    return AdminClient({"bootstrap.servers": servers, "log_level": 0})


def create_topic(servers: str, topic: str, partitions: int = 1, **config: str) -> None:
    """A new topic, seen by clients when this is back; `max_message_bytes` stands for `max.message.bytes` and so on."""
    settings = {name.replace("_", "."): value for name, value in config.items()}
    new = NewTopic(topic, partitions, 1, config=settings)
    admin(servers).create_topics([new])[topic].result(ANSWER_SECONDS)
    wait_until(
        lambda: topic in admin(servers).list_topics(timeout=ANSWER_SECONDS).topics, ANSWER_SECONDS, topic
    )


def partitions(servers: str, topic: str) -> list[int]:
    """The topic's partitions; none if it does not exist."""
    found = admin(servers).list_topics(timeout=ANSWER_SECONDS).topics.get(topic)
    return [] if found is None else sorted(found.partitions)


def log_ends(servers: str, topic: str) -> dict[int, int]:
    """The log's end of every partition, what is not committed included."""
    return _offsets(servers, topic, OffsetSpec.latest())


def stable_ends(servers: str, topic: str) -> dict[int, int]:
    """The offset of every partition below which no transaction is open."""
    return _offsets(servers, topic, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)


def log_starts(servers: str, topic: str) -> dict[int, int]:
    """The first offset of every partition that has not been deleted."""
    return _offsets(servers, topic, OffsetSpec.earliest())


def _offsets(
    servers: str, topic: str, which: OffsetSpec, level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
) -> dict[int, int]:
    asked = {TopicPartition(topic, number): which for number in partitions(servers, topic)}
    if not asked:
        return {}
    futures = admin(servers).list_offsets(asked, isolation_level=level, request_timeout=ANSWER_SECONDS)
    return {where.partition: futures[where].result(ANSWER_SECONDS).offset for where in asked}


class GroupOffsets:
    """Asks for a group's offsets without being a member.

    (An admin client could too, but brings the whole process down when the coordinator is not there yet:
    `rd_kafka_cgrp_op` on a client that has no group, seen with librdkafka 2.16.0.)
    """

    def __init__(self, servers: str, group: str) -> None:
        self._servers = servers
        self._asker = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": group,
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )

    def committed(self, *topics: str) -> dict[tuple[str, int], int]:
        """The offsets by topic and partition; none while the broker cannot tell."""
        asked = [TopicPartition(topic, n) for topic in topics for n in partitions(self._servers, topic)]
        try:
            told = self._asker.committed(asked, timeout=ANSWER_SECONDS) if asked else []
        except KafkaException as ignored:
            # the coordinator is on its way: whoever waits asks again
            del ignored
            return {}
        return {(at.topic, at.partition): at.offset for at in told if at.error is None and at.offset >= 0}

    def close(self) -> None:
        """Lets go of the client."""
        self._asker.close()


def read_committed(servers: str, topic: str, seconds: float = 60.0) -> list[Message]:
    """All committed records of the topic, each partition in its order, up to the log's end as of now.

    Reaching that end proves that no transaction is left open on the way: else an AssertionError after `seconds`.
    """
    missing = {number: end for number, end in log_ends(servers, topic).items() if end}
    reader = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "a-stranger",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
    )
    reader.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in missing])
    records: list[Message] = []
    deadline = time.monotonic() + seconds
    try:
        while missing:
            assert time.monotonic() < deadline, f"{topic}: not readable up to {missing}"
            for message in reader.consume(10_000, 0.05):
                _sort(message, records, missing)
    finally:
        reader.close()
    return records


def _sort(message: Message, records: list[Message], missing: dict[int, int]) -> None:
    error = message.error()
    if error is None:
        records.append(message)
    elif error.code() == KafkaError._PARTITION_EOF and message.offset() >= missing.get(
        message.partition(), 0
    ):
        missing.pop(message.partition(), None)
