"""Events back into the input and the record of it, in one transaction: both or neither, however often it is tried.

The transactional id is the name of the topic with the records, so that there is one writer of it at a time: a second
command fences the first, and reads what is on record only after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.runtime.kafka import topics
from consumer.runtime.kafka.client import RAISED, admin_config, error_of, producer_config, result_of
from consumer.runtime.kafka.marks import Marker
from consumer.runtime.kafka.transaction import SEND_SECONDS, TransactionalProducer
from consumer.runtime.transport import Fatal, Fenced, Retry

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

    from consumer.core.record import Output
    from consumer.settings import Settings


ANSWER_SECONDS = 5.0


class RequeueError(Exception):
    """Nothing more can be put back; the text is one sentence."""


class Requeuer(TransactionalProducer):
    """The one who puts events back. Starting it ends whoever else does, and settles what that one left."""

    def __init__(self, settings: Settings, log: logging.Logger) -> None:
        topic = settings.topics.requeued
        try:
            admin = AdminClient(admin_config(settings.kafka, log))
            _create(admin, topic, settings.topics.replication_factor)
            self.most_bytes = topics.most_message_bytes(admin, settings.topics.input)
            config = producer_config(settings.kafka, topic, self.most_bytes, log, self.most_bytes)
            super().__init__(config, "", Marker("", {}), lambda: topics.answers(admin))
        except (Fenced, Fatal) as error:
            raise RequeueError(str(error)) from error
        except RAISED as raised:
            raise RequeueError(f"nothing can be put back: {error_of(raised).str()}") from raised

    def put_back(
        self, events: Sequence[Output], on_record: Callable[[list[int]], list[Output]]
    ) -> dict[tuple[str, int], int]:
        """The events, and what is to be on record of them once their offsets are known; the offsets behind the last of them
        by topic and partition. Raises RequeueError."""
        try:
            offsets = self._in_one_transaction(events, on_record)
        except Retry as error:
            raise RequeueError(
                f"the topic did not take them, nothing of these was put back: {error}"
            ) from error
        except Fenced as error:
            if error.outcome == "unknown":
                raise RequeueError(
                    f"{error}: whether the last events were put back is unknown; run the command again, what was is skipped"
                ) from error
            raise RequeueError(
                f"another `sluice dlq requeue` has begun, and this one ended: what it had put back counts ({error})"
            ) from error
        except Fatal as error:
            raise RequeueError(str(error)) from error
        ends: dict[tuple[str, int], int] = {}
        for event, offset in zip(events, offsets, strict=True):
            where = (event.topic, event.partition or 0)
            ends[where] = max(ends.get(where, 0), offset + 1)
        return ends

    def _in_one_transaction(
        self, events: Sequence[Output], on_record: Callable[[list[int]], list[Output]]
    ) -> list[int]:
        offsets: dict[int, int] = {}
        failed: list[KafkaError] = []

        def note(number: int, error: KafkaError | None, message: Any) -> None:
            if error is None:
                offsets[number] = message.offset()
            else:
                failed.append(error)

        try:
            self._producer.begin_transaction()
            for number, event in enumerate(events):
                self._produce(
                    event.topic,
                    event.value,
                    event.key,
                    partition=event.partition,
                    headers=event.headers,
                    on_delivery=lambda error, message, number=number: note(number, error, message),
                )
            self._producer.flush(SEND_SECONDS)
            if len(offsets) < len(events):
                self._abort()
                raise Retry(failed[0].str() if failed else "no answer", code="not_delivered")
            places = [offsets[number] for number in range(len(events))]
            for output in on_record(places):
                self._write(output)
            self._finish(self._producer.commit_transaction)
        except RAISED as raised:
            self._translate(error_of(raised), raised)
            raise AssertionError from raised
        return places


def _create(admin: AdminClient, topic: str, replication_factor: int) -> None:
    """The topic with the records, if it is missing: compacted, since only the last one of each event counts."""
    if topic in topics.existing(admin, ANSWER_SECONDS):
        return
    config = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"}
    new = NewTopic(topic, 1, replication_factor, config=config)
    try:
        result_of(admin.create_topics([new])[topic], topics.TIMEOUT_SECONDS)
    except RAISED as raised:
        error = error_of(raised)
        if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise Fatal(f"could not create the topic {topic}: {error.str()}") from raised
