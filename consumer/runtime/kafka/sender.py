"""Records into a topic as any producer of events would send them: idempotent, and outside of all transactions unless
they are to arrive together."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.runtime.kafka.client import ALL_DOWN, RAISED, admin_config, error_of, result_of
from consumer.runtime.kafka.topics import TIMEOUT_SECONDS, existing, most_message_bytes
from consumer.runtime.transport import Fenced
from consumer.settings.kafka import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from consumer.runtime.kafka.client import Config

DELIVERY_TIMEOUT_MS = 30_000
"""A record that the brokers have not taken by then fails, and with it the sending."""

LONGEST_TRANSACTION_MS = 900_000
"""What brokers allow unless told otherwise (`transaction.max.timeout.ms`)."""


class SendError(Exception):
    """Sending cannot go on. Its text is one sentence for the person who sends."""


class Sender:
    """Sends to one topic, which it creates when it is missing.

    Records with a key go to the partition that Kafka's own Java clients would choose (murmur2), those without to any.
    `created` tells whether the topic was missing, `delivered` how many records each partition has taken, `too_big` how
    many were larger than the topic allows, and so were not sent. Raises `SendError`.

    With `together`, the name of a transactional producer, whoever reads committed records only sees nothing before
    `finish` and then all of it at once; that must take less than a quarter of an hour.

    With `waits`, a broker that is lost is waited for as long as it takes, and `waits` is told once when it begins and
    when it is over; without, what no broker takes within half a minute fails.
    """

    def __init__(
        self,
        kafka: Mapping[str, str],
        topic: str,
        partitions: int,
        replication_factor: int = -1,
        together: str = "",
        waits: Callable[[str], object] | None = None,
    ) -> None:
        self.topic = topic
        self._together = together
        self.delivered: Counter[int] = Counter()
        self.too_big = 0
        self._sent = 0
        self._refused = 0
        self._failure: KafkaError | None = None
        self._waits = waits
        self._is_lost = False
        silent = logging.Logger("librdkafka")  # noqa: LOG001 - what is wrong is said in one sentence instead
        silent.addHandler(logging.NullHandler())
        try:
            admin = AdminClient(admin_config(kafka, silent))
            self.created = _create_if_missing(admin, topic, partitions, replication_factor)
            config = _config(kafka, most_message_bytes(admin, topic), silent)
            patience = {"message.timeout.ms": 0, "error_cb": self._on_error} if waits else {}
            self._producer = Producer(config | patience | (_transactions(together) if together else {}))
            if together:
                self._producer.init_transactions(TIMEOUT_SECONDS)
                self._producer.begin_transaction()
        except Fenced as lost:
            raise SendError(f"{lost}; they should answer at {kafka['bootstrap.servers']}") from lost
        except KafkaException as raised:
            raise SendError(refused(error_of(raised).str(), kafka)) from raised

    @property
    def unconfirmed(self) -> int:
        """Records that were handed over and of which no broker has said whether it took them."""
        return self._sent - self.delivered.total() - self._refused

    def send(self, value: bytes, key: bytes | None) -> None:
        """Hands a record over; waits while the client's queue is full."""
        while True:
            try:
                self._producer.produce(self.topic, value, key, on_delivery=self._on_delivery)
            except BufferError:
                self.serve(0.1)
            except RAISED as raised:
                error = error_of(raised)
                if error.code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise self._sentence(error) from raised
                self.too_big += 1
                return
            else:
                self._sent += 1
                self.serve()
                return

    def serve(self, wait_seconds: float = 0) -> None:
        """Takes note of what has been delivered, waiting for it at most so long."""
        try:
            self._producer.poll(wait_seconds)
        except RAISED as raised:
            raise self._sentence(error_of(raised)) from raised
        if self._failure is not None:
            raise self._sentence(self._failure)

    def finish(self, most_seconds: float = math.inf) -> None:
        """Waits until the brokers have taken everything, at most so long."""
        until = time.monotonic() + most_seconds
        while len(self._producer):  # what the client has to say counts, too
            if time.monotonic() >= until:
                raise SendError(
                    f"no broker took the last records for the topic {self.topic}: {self.unconfirmed} are left"
                )
            self.serve(0.1)
        self.serve()
        if self._together:
            try:
                self._producer.commit_transaction(TIMEOUT_SECONDS)
            except RAISED as raised:
                raise self._sentence(error_of(raised)) from raised

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        partition = message.partition()
        if error is not None:
            self._refused += error.code() != KafkaError._MSG_TIMED_OUT  # noqa: SLF001 - the client's name for it
            self._failure = self._failure or error
            return
        if self._is_lost and self._waits:
            self._waits("The brokers take records again.")
        self._is_lost = False
        if partition is not None:
            self.delivered[partition] += 1

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == ALL_DOWN and self._waits and not self._is_lost:
            self._is_lost = True
            self._waits("No broker can be reached: waiting for one.")

    def _sentence(self, error: KafkaError) -> SendError:
        return SendError(f"the topic {self.topic} did not take a record: {error.str()}")


def _config(kafka: Mapping[str, str], most_bytes: int, log: logging.Logger) -> Config:
    return {
        "compression.type": "lz4",
        "linger.ms": 20,
        "queue.buffering.max.kbytes": 131_072,
        **kafka,
        "logger": log,
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": DELIVERY_TIMEOUT_MS,
        "message.max.bytes": most_bytes,
    }


def _transactions(name: str) -> Config:
    return {
        "transactional.id": name,
        "transaction.timeout.ms": LONGEST_TRANSACTION_MS,
    }


def _create_if_missing(admin: AdminClient, topic: str, partitions: int, replication_factor: int) -> bool:
    if topic in existing(admin):
        return False
    try:
        result_of(
            admin.create_topics([NewTopic(topic, partitions, replication_factor)])[topic], TIMEOUT_SECONDS
        )
    except KafkaException as raised:
        error = error_of(raised)
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise SendError(f"could not create the topic {topic}: {error.str()}") from raised
    return True
