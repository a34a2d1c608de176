"""Topics such as `sluice.days` and `sluice.alerts` read once, to their ends as of now, outside of any group."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.runtime.kafka.client import RAISED, admin_config, error_of
from consumer.runtime.kafka.delivered_topics import TailError, tail_config

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping

    from consumer.runtime.clock import Clock
    from consumer.runtime.kafka.delivered_topics import Reader, Topics

    See = Callable[[bytes | None, bytes | None], object]
    """Told of a record's key and value."""

TIMEOUT_SECONDS = 30.0
"""Longer than the open transaction of a killed process can hold readers up (its time-out and the broker's scan)."""

ANSWER_SECONDS = 5.0

_E = KafkaError
_DOWN = _E._ALL_BROKERS_DOWN  # noqa: SLF001 - the client's own name
_EOF = _E._PARTITION_EOF  # noqa: SLF001 - as above


def read_all(
    user: Mapping[str, Any],
    topics: Topics,
    reader: Reader,
    clock: Clock,
    log: logging.Logger,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Tells the reader of every record of both topics, see `read_records`."""
    read_records(
        user, {topics.days: reader.see_day, topics.alerts: reader.see_alert}, clock, log, timeout_seconds
    )


def read_records(
    user: Mapping[str, Any],
    readers: Mapping[str, See],
    clock: Clock,
    log: logging.Logger,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Tells each topic's reader of every record that was committed, or just being committed, when this was called.

    Joins no group and leaves nothing on the broker. Raises TailError with a sentence: no broker, no topics, no right,
    or not done in time.
    """
    deadline = clock.monotonic() + timeout_seconds
    errors: list[KafkaError] = []
    own = {"logger": log, "error_cb": errors.append}
    try:
        ends = _ends({**admin_config(user, log), **own}, readers, min(ANSWER_SECONDS, timeout_seconds))
        consumer = Consumer({**tail_config(user, "sluice-rollup", log), **own})
    except (*RAISED, TypeError, ValueError) as raised:
        raise TailError(_no_answer(user, [*errors, error_of(raised)])) from raised
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in ends])
        _read(consumer, ends, readers, clock, deadline)
    except RAISED as raised:
        raise TailError(_no_answer(user, [*errors, error_of(raised)])) from raised
    finally:
        consumer.close()


def _ends(config: dict[str, Any], topics: Iterable[str], seconds: float) -> dict[tuple[str, int], int]:
    """Every partition's log end, with what is not committed yet: a record of a dead process's open transaction may
    stand before records that are. Raises TailError where a topic is missing."""
    admin = AdminClient(config)
    try:
        known = admin.list_topics(timeout=seconds).topics
    finally:
        admin.poll(0)  # hands over the errors that tell why there is no answer
    for topic in topics:
        if topic not in known or known[topic].error is not None:
            raise TailError(f"there is no topic {topic}: `sluice run` creates it, and fills it")
    asked = {
        TopicPartition(topic, number): OffsetSpec.latest()
        for topic in topics
        for number in known[topic].partitions
    }
    futures = admin.list_offsets(
        asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=seconds
    )
    return {(where.topic, where.partition): future.result().offset for where, future in futures.items()}


def _read(
    consumer: Consumer,
    ends: Mapping[tuple[str, int], int],
    readers: Mapping[str, See],
    clock: Clock,
    deadline: float,
) -> None:
    left = {where for where, end in ends.items() if end > 0}
    while left:
        if clock.monotonic() > deadline:
            names = " and ".join(sorted({topic for topic, _ in left}))
            raise TailError(
                f"the end of {names} was not reached in time: a broker is away, or a transaction hangs"
            )
        message: Any = consumer.poll(0.2)
        if message is None:
            continue
        where, error = (message.topic(), message.partition()), message.error()
        if error is None:
            readers[where[0]](message.key(), message.value())
        elif error.code() == _EOF:
            if message.offset() >= ends[where]:
                left.discard(where)
        elif error.fatal() or not error.retriable():
            raise TailError(f"reading {where[0]} failed: {error.str()}")


def _no_answer(user: Mapping[str, Any], errors: list[KafkaError]) -> str:
    """Why there is no connection: the first error that says more than "down"."""
    telling = [error for error in errors if error.code() != _DOWN] or errors
    why = re.sub(r"^\S+: |\s*\(after [^)]*\)", "", telling[0].str())
    return f"no Kafka broker answers at {user.get('bootstrap.servers', 'no address')} ({why})"
