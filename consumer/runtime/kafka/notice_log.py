"""The record of what receivers were told: `sluice.notices`, a compacted topic with one writer.

Opening it is a takeover, in this order: 1. start transactions under the group's own id, which fences whoever wrote
before and ends what it left open; 2. read the topic to its end. So nothing of the predecessor can be missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.runtime.kafka.client import RAISED, admin_config, error_of, producer_config, result_of
from consumer.runtime.kafka.delivered_topics import TailError
from consumer.runtime.kafka.read_all import read_records
from consumer.runtime.kafka.topics import DEFAULT_MOST_BYTES
from reports.notify.told import Knowledge, take

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from consumer.runtime.clock import Clock

ANSWER_SECONDS = 15.0
COMMIT_SECONDS = 15.0
"""Longer than the transaction time-out, after which the broker has decided."""


class NoticeLogError(Exception):
    """The record cannot be read or written now, in one sentence: open it anew."""


class NoticeLog:
    """Used by one thread."""

    def __init__(
        self,
        kafka: Mapping[str, Any],
        group: str,
        topic: str,
        replication_factor: int,
        clock: Clock,
        log: logging.Logger,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._topic = topic
        self._replication_factor = replication_factor
        self._clock = clock
        self._log = log
        self._producer: Producer | None = None

    def open(self) -> dict[str, Knowledge]:
        """Takes the record over: what each receiver was told, by name. Creates the topic if it is missing. Raises
        NoticeLogError."""
        self.close()
        known: dict[str, Knowledge] = {}
        try:
            self._create_if_missing()
            config = producer_config(self._kafka, f"{self._group}-notices", DEFAULT_MOST_BYTES, self._log)
            self._producer = Producer(config)
            self._producer.init_transactions(ANSWER_SECONDS)
            read_records(
                self._kafka,
                {self._topic: lambda key, value: take(known, key, value)},
                self._clock,
                self._log,
            )
        except (*RAISED, TypeError, ValueError) as raised:
            self.close()
            raise NoticeLogError(f"{self._topic} cannot be taken over: {error_of(raised).str()}") from raised
        except TailError as error:
            self.close()
            raise NoticeLogError(str(error)) from error
        return known

    def write(self, records: Mapping[bytes, bytes]) -> None:
        """Writes the records, all of them or none. Raises NoticeLogError; then it is closed."""
        if self._producer is None:
            raise NoticeLogError(f"{self._topic} is not open")
        try:
            self._producer.begin_transaction()
            for key, value in records.items():
                self._producer.produce(self._topic, value, key)
            self._producer.commit_transaction(COMMIT_SECONDS)
        except (*RAISED, BufferError) as raised:
            error = error_of(raised)
            self.close()
            raise NoticeLogError(f"{self._topic} was not written: {error.str()}") from raised

    def close(self) -> None:
        """Lets go of the client; what is open is aborted, at the latest by whoever opens next. Never raises."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close()
        except (*RAISED, RuntimeError, SystemError) as ignored:
            # there is nothing left to let go of
            del ignored

    def _create_if_missing(self) -> None:
        admin = AdminClient(admin_config(self._kafka, self._log))
        known = admin.list_topics(timeout=ANSWER_SECONDS).topics
        topic = known.get(self._topic)
        if topic is not None and topic.error is None:
            if len(topic.partitions) != 1:
                raise NoticeLogError(f"{self._topic} must have one partition and has {len(topic.partitions)}")
            return
        new = NewTopic(self._topic, 1, self._replication_factor, config={"cleanup.policy": "compact"})
        try:
            result_of(
                admin.create_topics([new], operation_timeout=ANSWER_SECONDS)[self._topic], ANSWER_SECONDS + 5
            )
        except RAISED as raised:
            if error_of(raised).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
