"""Topics read once, to their ends as of now, outside of any group and leaving nothing on the broker."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.runtime.kafka.client import ALL_DOWN, RAISED, admin_config, error_of
from consumer.runtime.kafka.delivered_topics import TailError, tail_config
from consumer.runtime.kafka.offsets import answered
from consumer.runtime.kafka.rights import given

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

    from consumer.core.record import Record
    from consumer.runtime.clock import Clock

TIMEOUT_SECONDS = 30.0
"""Without any record for so long, no more are waited for. Longer than the open transaction of a killed process can hold
readers up (its time-out and the broker's scan)."""

ANSWER_SECONDS = 5.0

_E = KafkaError
_EOF = _E._PARTITION_EOF  # noqa: SLF001 - the client's own name

Where = tuple[str, int]
"""Topic and partition."""


class Scan:
    """What the topics hold now: `ends` are their log ends, with what is not committed yet, since a record of a dead
    process's open transaction may stand before records that are. A topic that is missing is an error, unless it may be.

    Raises TailError with a sentence: no broker, no topic, no right, or nothing came for `timeout_seconds`.
    """

    def __init__(
        self,
        user: Mapping[str, Any],
        topics: Sequence[str],
        clock: Clock,
        log: logging.Logger,
        timeout_seconds: float = TIMEOUT_SECONDS,
        *,
        may_be_missing: bool = False,
    ) -> None:
        self._user = user
        self._topics = tuple(topics)
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._errors: list[KafkaError] = []
        self._own: dict[str, Any] = {"logger": log, "error_cb": self._errors.append}
        self._log = log
        self._may_be_missing = may_be_missing
        self.ends = self._ask(OffsetSpec.latest())

    def starts(self, at_ms: int) -> dict[Where, int]:
        """The first offset of every partition whose record has at least this time; its end if none has."""
        asked = self._ask(OffsetSpec.for_timestamp(at_ms))
        return {where: self.ends[where] if start < 0 else start for where, start in asked.items()}

    def _ask(self, which: OffsetSpec) -> dict[Where, int]:
        seconds = min(ANSWER_SECONDS, self._timeout_seconds)
        try:
            admin = AdminClient({**admin_config(self._user, self._log), **self._own})
            try:
                known = admin.list_topics(timeout=seconds).topics
            finally:
                admin.poll(0)  # hands over the errors that tell why there is no answer
            there = [topic for topic in self._topics if topic in known and known[topic].error is None]
            missing = [topic for topic in self._topics if topic not in there]
            for topic, operations in given(admin, missing, seconds).items():
                if not operations:
                    raise TailError(f"this user may not read the topic {topic}: grant READ on it")
            if missing and not self._may_be_missing:
                raise TailError(f"there is no topic {missing[0]}: `sluice run` creates it, and fills it")
            asked = {
                TopicPartition(topic, number): which for topic in there for number in known[topic].partitions
            }
            if not asked:
                return {}
            futures = admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=seconds
            )
            return {
                (where.topic, where.partition): answered(future, 2 * seconds)
                for where, future in futures.items()
            }
        except (*RAISED, TypeError, ValueError) as raised:
            raise self._no_answer(raised) from raised

    def messages(self, starts: Mapping[Where, int] | None = None) -> Iterator[Record]:
        """Every record that was committed, or just being committed, when this was made; each partition in its order,
        from its beginning, or from where `starts` says."""
        try:
            consumer = Consumer({**tail_config(self._user, "sluice-scan", self._log), **self._own})
        except (*RAISED, TypeError, ValueError) as raised:
            raise self._no_answer(raised) from raised
        first = dict.fromkeys(self.ends, OFFSET_BEGINNING) | dict(starts or {})
        try:
            consumer.assign([TopicPartition(*where, offset) for where, offset in first.items()])
            yield from self._until(consumer)
        except RAISED as raised:
            raise self._no_answer(raised) from raised
        finally:
            consumer.close()

    def _until(self, consumer: Consumer) -> Iterator[Record]:
        left = {where for where, end in self.ends.items() if end > 0}
        deadline = self._clock.monotonic() + self._timeout_seconds
        while left:
            if self._clock.monotonic() > deadline:
                names = " and ".join(sorted({topic for topic, _ in left}))
                raise TailError(
                    f"the end of {names} was not reached in time: a broker is away, or a transaction hangs"
                )
            message: Any = consumer.poll(0.2)
            if message is None:
                continue
            where, error = (message.topic(), message.partition()), message.error()
            if error is None:
                if message.offset() < self.ends[where]:
                    yield message
                    deadline = self._clock.monotonic() + self._timeout_seconds
                else:
                    left.discard(where)
            elif error.code() == _EOF:
                if message.offset() >= self.ends[where]:
                    left.discard(where)
            elif error.code() == _E.GROUP_AUTHORIZATION_FAILED:
                continue  # the client asks for its group although it joins none
            elif error.fatal() or not error.retriable():
                raise TailError(f"reading {where[0]} failed: {error.str()}")

    def _no_answer(self, raised: BaseException) -> TailError:
        """Why there is no connection: the first error that says more than "down"."""
        errors = [*self._errors, error_of(raised)]
        telling = [error for error in errors if error.code() != ALL_DOWN] or errors
        why = re.sub(r"^\S+: |\s*\(after [^)]*\)", "", telling[0].str())
        return TailError(
            f"no Kafka broker answers at {self._user.get('bootstrap.servers', 'no address')} ({why})"
        )
