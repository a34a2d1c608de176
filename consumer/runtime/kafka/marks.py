"""The mark that a process leaves with every offset it commits: who it is, and what it makes its numbers with.

It rides as the offset's metadata, in the same transaction, so whoever owned a partition last can be told by all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import Consumer, TopicPartition

from consumer.runtime.kafka.client import RAISED, consumer_config, error_of
from consumer.runtime.kafka.offsets import log_end
from consumer.runtime.transport import Partition

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

ANSWER_SECONDS = 5.0


class Mark(msgspec.Struct, frozen=True):
    """`made_with`: a `consumer.runtime.fingerprint.Fingerprint`. `commits` counts them: a mark that moves is that of a
    process that lives."""

    instance: str
    made_with: dict[str, str]
    commits: int = 0


class Marker:
    """Makes the mark of each commit of one process."""

    def __init__(self, instance: str, made_with: Mapping[str, str]) -> None:
        self._mark = Mark(instance, dict(made_with))
        self._commits = 0

    def next(self) -> str:
        """The mark of the next commit, as text."""
        self._commits += 1
        mark = msgspec.structs.replace(self._mark, commits=self._commits)
        return msgspec.json.encode(mark).decode()


class MarkReader:
    """Asks for the latest marks of the group's partitions. It is no member, and changes nothing.

    (An admin client could ask, too, but one whose connection breaks at that moment brings the whole process down: an
    assertion in librdkafka 2.16, its pull request 5397.)
    """

    def __init__(
        self, user: Mapping[str, Any], group: str, topics: Sequence[str], log: logging.Logger
    ) -> None:
        config = consumer_config(user, group, log)
        # read_uncommitted: the marks of before are good enough while a transaction is open
        self._asker = Consumer({**config, "isolation.level": "read_uncommitted", "log_level": 0})
        self._topics = topics

    def read(self) -> dict[Partition, Mark | None] | None:
        """The latest mark by partition, None of one that has none; None without an answer."""
        self._asker.poll(0)  # what the client has to say goes nowhere, but must not pile up
        try:
            offsets = self._asker.committed(self._partitions(), timeout=ANSWER_SECONDS)
        except RAISED as ignored:
            # the broker is away or does not allow it: there is a next look
            error_of(ignored)
            return None
        return {
            Partition(where.topic, where.partition): _read(where.metadata)
            for where in offsets
            if where.error is None
        }

    def end(self, partition: Partition) -> int | None:
        """Where a partition ends; None without an answer."""
        return log_end(self._asker, *partition, ANSWER_SECONDS)

    def _partitions(self) -> list[TopicPartition]:
        known = self._asker.list_topics(timeout=ANSWER_SECONDS).topics
        return [
            TopicPartition(topic, number)
            for topic in self._topics
            if topic in known
            for number in known[topic].partitions
        ]


def _read(metadata: str | None) -> Mark | None:
    try:
        return msgspec.json.decode(metadata or "", type=Mark)
    except (msgspec.MsgspecError, UnicodeError):  # somebody else's metadata
        return None
