"""The mark that a process leaves with every offset it commits: who it is, and what it makes its numbers with.

It rides as the offset's metadata, in the same transaction, so whoever owned a partition last can be told by all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions

from consumer.runtime.kafka.client import RAISED
from consumer.runtime.transport import Partition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin import AdminClient

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


def read_marks(admin: AdminClient, group: str) -> dict[Partition, Mark] | None:
    """The latest mark by partition, of those that have one; None without an answer."""
    asked = [ConsumerGroupTopicPartitions(group)]
    try:
        (future,) = admin.list_consumer_group_offsets(asked, request_timeout=ANSWER_SECONDS).values()
        offsets = future.result(timeout=2 * ANSWER_SECONDS).topic_partitions
    except (*RAISED, TimeoutError) as ignored:
        # the broker is away or does not allow it: there is a next look
        del ignored
        return None
    marks = {Partition(where.topic, where.partition): _read(where.metadata) for where in offsets}
    return {partition: mark for partition, mark in marks.items() if mark is not None}


def _read(metadata: str | None) -> Mark | None:
    try:
        return msgspec.json.decode(metadata or "", type=Mark)
    except (msgspec.MsgspecError, UnicodeError):  # somebody else's metadata
        return None
