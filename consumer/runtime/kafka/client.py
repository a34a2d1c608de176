"""What Sluice asks of librdkafka: the settings that exactly-once stands on, over the user's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from confluent_kafka import KafkaError, KafkaException

from consumer.settings.kafka import for_consumers, for_producers

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

Config = dict[str, Any]

T = TypeVar("T")

SESSION_TIMEOUT_MS = 10_000
"""A member that says nothing for this long loses its partitions."""

TRANSACTION_TIMEOUT_MS = 10_000
"""A dead owner's open transaction holds readers up no longer than this (Kafka Streams' value)."""

WRITE_TIMEOUT_MS = 7_000
"""What is not written by then fails while the transaction can still be aborted: at the time-out above the broker aborts
it by itself and fences the producer, and all state would have to be restored."""


METADATA_MS = 5_000
"""A member whose broker had not heard yet of a topic that was just created goes without it until it asks again: five
minutes by the client's default. So are partitions found that a topic gets later."""
RECONNECT: Config = {"reconnect.backoff.max.ms": 1_000}
"""Between two tries at a broker that is away. At the client's default a broker that was away for ten seconds is gone for
up to ten more."""

REBALANCE_TIMEOUT_MS = 120_000
"""How long a rebalance waits for members that neither join nor die. The client's default is five minutes, in which
nobody works; nothing that the loop does between two polls takes two."""


ALL_DOWN: int = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - the client's own name
"""The code of a client's word that it has no connection to any broker; it says more often what is wrong beside it."""

CLASSIC = "classic"
"""The group protocol that a client speaks unless told otherwise."""

OF_CLASSIC: Config = {"session.timeout.ms": SESSION_TIMEOUT_MS, "heartbeat.interval.ms": 1_000}
"""With the newer protocol the broker decides that, and a client that is told refuses."""


def is_newer(user: Mapping[str, Any]) -> bool:
    """Whether the group speaks the newer protocol (KIP-848)."""
    return bool(user.get("group.protocol", CLASSIC) != CLASSIC)


def _session_ms(user: Mapping[str, Any]) -> int:
    session = str(user.get("session.timeout.ms", SESSION_TIMEOUT_MS))
    return int(session) if session.isdecimal() else 0


def longest_without_owner_seconds(user: Mapping[str, Any]) -> float:
    """How long a dead member's partitions may have no owner: its session, and a rebalance that waits for others.

    >>> longest_without_owner_seconds({}), longest_without_owner_seconds({"session.timeout.ms": "170000"})
    (130.0, 340.0)
    """
    session = _session_ms(user)
    return (session + max(REBALANCE_TIMEOUT_MS, session)) / 1_000


def consumer_config(user: Mapping[str, Any], group: str, log: logging.Logger) -> Config:
    """The daemon's consumer. `auto.offset.reset=error`: a place that is gone is said, never guessed."""
    longest = max(REBALANCE_TIMEOUT_MS, _session_ms(user))
    return {
        **({} if is_newer(user) else OF_CLASSIC),
        "max.poll.interval.ms": longest,  # the client refuses less than the session's
        "topic.metadata.refresh.interval.ms": METADATA_MS,
        "fetch.queue.backoff.ms": 5,  # the default of 1000 stalls a fast reader
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 131_072,
        **RECONNECT,
        **for_consumers(user),
        "logger": log,
        "group.id": group,
        **({} if is_newer(user) else {"partition.assignment.strategy": "cooperative-sticky"}),
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
    }


def member_config(user: Mapping[str, Any], group: str, instance: str, log: logging.Logger) -> Config:
    """The consumer that is a member of the group, under a name: who joins again under it, after `kill -9` or a lost
    broker, has its place and partitions at once. Without one a group waits until the member that it was is timed out, or
    for a whole rebalance time where a broker forgot to; the newer protocol refuses the name while the former lives."""
    config = consumer_config(user, group, log)
    if not is_newer(user):
        config["group.instance.id"] = instance
    return config


def journal_config(user: Mapping[str, Any], group: str, log: logging.Logger) -> Config:
    """A consumer that reads a journal on its own, outside of any group."""
    return {**consumer_config(user, f"{group}-restore", log), "fetch.wait.max.ms": 10}


MOST_BATCH_BYTES = 1_000_000
"""librdkafka's own default."""


def producer_config(
    user: Mapping[str, Any],
    transactional_id: str,
    most_message_bytes: int,
    log: logging.Logger,
    most_batch_bytes: int = MOST_BATCH_BYTES,
) -> Config:
    """The daemon's producer. `retry.backoff.ms`: at the default of 100 each of back-to-back transactions waits that
    long for the markers of the one before. `metadata.recovery.strategy`: by default a client whose connections are all
    lost forgets its brokers, and waits for ever for the group's coordinator among them (librdkafka issue 5511)."""
    return {
        "compression.type": "lz4",
        "linger.ms": 5,
        "retry.backoff.ms": 5,
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 1_048_576,
        "batch.size": min(MOST_BATCH_BYTES, most_batch_bytes),
        **RECONNECT,
        **for_producers(user),
        "logger": log,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "message.timeout.ms": WRITE_TIMEOUT_MS,
        "message.max.bytes": most_message_bytes,
        "enable.idempotence": True,
        "acks": "all",
        "metadata.recovery.strategy": "none",
    }


def admin_config(user: Mapping[str, Any], log: logging.Logger) -> Config:
    """The daemon's admin client: only the settings that every kind of client knows."""
    return {**RECONNECT, **for_consumers(for_producers(user)), "logger": log}


def why(errors: Sequence[KafkaError]) -> tuple[KafkaError, str]:
    """Of errors of which one at least says more than that brokers are down: the first such, and its words without address
    and times."""
    telling = next(error for error in errors if error.code() != ALL_DOWN)
    return telling, re.sub(r"^\S+: |\s*\(after [^)]*\)", "", telling.str())


def result_of(future: Future[T], seconds: float) -> T:
    """What an admin client's question comes to. Raises KafkaException, also when nobody has answered after so many
    seconds: a future of its own would raise a TimeoutError then, which is none of the client's errors."""
    try:
        return future.result(timeout=seconds)
    except TimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no broker answered in time")) from None  # noqa: SLF001 - the client's name for it


RAISED = (KafkaException, cast("type[BaseException]", KafkaError), SystemError)
"""What the client raises. Fatal errors come bare when there is no callback for them, and as the cause of a `SystemError`
when the client called one of ours with the error pending, which newer Pythons notice."""


def error_of(raised: object) -> KafkaError:
    """The error inside of what was raised. What is no error of the client's is raised again."""
    if isinstance(raised, SystemError):
        cause: object = raised
        while isinstance(cause, SystemError):
            cause = cause.__cause__
        if not isinstance(cause, KafkaException | KafkaError):
            raise raised
        raised = cause
    if isinstance(raised, KafkaError):
        return raised
    arguments = getattr(raised, "args", ())
    inner = arguments[0] if arguments else None
    return inner if isinstance(inner, KafkaError) else KafkaError(KafkaError._FAIL, str(raised))  # noqa: SLF001 - the client's name for it
