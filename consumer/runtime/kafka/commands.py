"""An operator's command on its way to the watch: one record on the facts topic, acknowledged by all replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, Producer

from consumer.core.wire import to_json
from consumer.runtime.kafka.client import RAISED, error_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from consumer.core.facts import Command

TIMEOUT_SECONDS = 15.0


class CommandError(Exception):
    """The command did not reach the facts topic; the text is one sentence."""


def send(kafka: Mapping[str, Any], facts_topic: str, command: Command, log: logging.Logger) -> None:
    """Writes the command, once. Raises CommandError."""
    failed: list[str] = []

    def note(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            refused = error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            failed.append(error.str() + (f"; grant WRITE on the topic {facts_topic}" if refused else ""))

    try:
        producer = Producer({**kafka, "logger": log, "enable.idempotence": True, "acks": "all",
                             "message.timeout.ms": int(TIMEOUT_SECONDS * 1000)})  # fmt: skip
        producer.produce(facts_topic, to_json(command), partition=0, on_delivery=note)
        unsent = producer.flush(TIMEOUT_SECONDS + 5)
    except RAISED as raised:
        raise CommandError(f"the command could not be sent: {error_of(raised).str()}") from raised
    if failed or unsent:
        raise CommandError(f"the command could not be sent: {failed[0] if failed else 'no broker answers'}")
