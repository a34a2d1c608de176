"""Reading a journal partition back: everything that was committed when the takeover began, and not a record less."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from consumer.runtime.kafka.client import error_of
from consumer.runtime.kafka.offsets import answered
from consumer.runtime.transport import Fatal, Fenced
from detectors.sentences import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka.admin import AdminClient

    from consumer.runtime.kafka.client import Config

PATIENCE_SECONDS = 60.0
"""Without any progress for so long, something is wrong: longer than a dead owner's open transaction can last."""

_GROUP = "sluice.group"
ANSWER_SECONDS = 15.0

ELECTION_SECONDS = 5.0
"""How long a partition may be without a leader that knows itself, as just after a broker's start."""

ELECTION_PAUSE_SECONDS = 0.1

_ELECTION = {
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._NOENT,  # noqa: SLF001 - no leader is known at all
}
_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001
_GONE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001


def log_bounds(admin: AdminClient, topic: str, number: int) -> tuple[int, int]:
    """The partition's first offset and its log end, uncommitted records included: the last stable offset may lie below
    records that are committed already, pinned by a dead owner's open transaction."""
    return _offset(admin, topic, number, OffsetSpec.earliest()), _offset(
        admin, topic, number, OffsetSpec.latest()
    )


def _offset(admin: AdminClient, topic: str, number: int, which: OffsetSpec) -> int:
    deadline = time.monotonic() + ELECTION_SECONDS
    while True:
        try:
            return _asked(admin, TopicPartition(topic, number), which)
        except KafkaException as raised:
            error = error_of(raised)
            if error.code() not in _ELECTION or time.monotonic() > deadline:
                raise Fenced(
                    f"the end of {topic}[{number}] cannot be asked: {error.str()}", outcome="lost"
                ) from raised
        time.sleep(ELECTION_PAUSE_SECONDS)
        with suppress(KafkaException):  # the client asks the leader that it knows, until it hears of another
            admin.list_topics(topic, timeout=1)


def _asked(admin: AdminClient, where: TopicPartition, which: OffsetSpec) -> int:
    futures = admin.list_offsets(
        {where: which}, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_SECONDS
    )
    return answered(futures[where], ANSWER_SECONDS + 5)


def signed(group: str) -> list[tuple[str, bytes]]:
    """The headers of a journal's records: whose they are."""
    return [(_GROUP, group.encode())]


def read(
    config: Config, admin: AdminClient, topic: str, number: int, group: str
) -> Iterator[tuple[int, bytes | None]]:
    """All committed records of a group's journal partition, with their offsets, up to its log end as of now.

    Raises Fenced(lost) when the broker is gone, Fatal when it is there and the journal cannot be read to its end, or is
    another group's.
    """
    begin, end = log_bounds(admin, topic, number)
    if begin >= end:
        return
    reader = Consumer(config)
    try:
        reader.assign([TopicPartition(topic, number, begin)])
        where = f"{topic}[{number}]"
        for message in _until(reader, end, where, lambda: log_bounds(admin, topic, number)):
            _demand(message, where, group)
            yield message.offset() or 0, message.value()
    finally:
        reader.close()


def _demand(message: Message, where: str, group: str) -> None:
    """Raises Fatal if a record is another group's; those of older versions do not say whose they are."""
    of = dict(message.headers() or ()).get(_GROUP)
    if isinstance(of, bytes) and of != group.encode():
        other = cut(of.decode("utf-8", "replace"))
        raise Fatal(
            f"{where} is the journal of the group {other}, not of {group}: two groups must not share topics; give this one "
            f"names of its own under [topics] (all but input), or set group to {other}"
        )


def _until(reader: Consumer, end: int, where: str, ask: Callable[[], object]) -> Iterator[Message]:
    reached, progress_at = -1, time.monotonic()
    while True:
        first = reader.poll(0.2)  # consume alone would wait its whole time-out for a full batch
        for message in [] if first is None else [first, *reader.consume(1000, 0)]:
            error = message.error()
            offset = message.offset()
            if error is None and offset is not None:
                reached, progress_at = offset + 1, time.monotonic()
                yield message
            elif error is not None and error.code() == _EOF and offset is not None:
                if offset >= end:
                    return
                if offset > reached:
                    reached, progress_at = offset, time.monotonic()
            elif error is not None and error.code() in _GONE:
                raise Fenced(f"{where} was trimmed while it was read: {error.str()}", outcome="overtaken")
            elif error is not None and error.fatal():
                raise Fenced(f"{where} cannot be read: {error.str()}", outcome="lost")
        if time.monotonic() - progress_at > PATIENCE_SECONDS:
            ask()  # a broker that is away is no hanging transaction: raises Fenced(lost)
            raise Fatal(
                f"{where} could be read up to offset {max(reached, 0)} of {end} only: a transaction hangs on it (see "
                "`kafka-transactions.sh find-hanging`)"
            )
