"""The tail of `sluice.days` and `sluice.alerts`: both topics from their start, then whatever comes.

A group of its own decides who does it. The `range` assignor deals out each topic by itself, so partition 0 of both
lies on one member; a second process stands by. A new owner knows nothing: it reads both topics from their start. It joins
once both topics are there: a member that had joined for one, and does so anew under its name after a broker's restart, is
given what it had (see `overlooked.py`), and would wait for the other one for ever.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from consumer.runtime.kafka.client import ALL_DOWN, RAISED, error_of
from consumer.runtime.kafka.delivered_topics import TailError, Topics, tail_config
from consumer.runtime.kafka.membership import leave
from consumer.runtime.kafka.offsets import log_end

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from consumer.runtime.kafka.delivered_topics import Reader

__all__ = ["Standing", "Tail", "TailError", "Topics"]

MOST_PER_TURN = 5_000
"""Records; then the caller gets its turn, to see whether it should stop."""

PROBE_SECONDS = 1.0

_E = KafkaError
_EOF = _E._PARTITION_EOF  # noqa: SLF001 - the client's own name
_GONE = frozenset({_E._AUTO_OFFSET_RESET, _E.OFFSET_OUT_OF_RANGE})  # noqa: SLF001 - as above
_MISSING = frozenset({_E.UNKNOWN_TOPIC_OR_PART, _E._UNKNOWN_TOPIC, _E._UNKNOWN_PARTITION})  # noqa: SLF001 - as above


class Standing(StrEnum):
    """How far the tail has come."""

    TROUBLE = "trouble"
    MISSING = "missing"
    STANDING_BY = "standing_by"
    READING = "reading"
    COMPLETE = "complete"


class Tail:
    """One process as a member of the group `GROUP-deliver`, under its name. Used by one thread. Raises TailError only.

    `user` is what the settings give under `[kafka]`. Whoever calls asks `standing` before it believes the reader:
    only `COMPLETE` means that the ends of both topics were reached since they were assigned.
    """

    def __init__(
        self,
        user: Mapping[str, Any],
        group: str,
        instance: str,
        topics: Topics,
        reader: Reader,
        log: logging.Logger,
    ) -> None:
        self._topics = topics
        self._group = f"{group}-deliver"
        self._reader = reader
        self._assigned: set[str] = set()
        self._missing: set[str] = set()
        self._next: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._at_end: set[str] = set()
        self._behind: dict[str, int | None] = {}
        self._overlooked: set[str] = set()
        self._subscribed = False
        self._unfit = ""
        self._trouble = ""
        self._is_down = False
        self._failure: BaseException | None = None
        try:
            self._consumer = Consumer(
                {
                    **tail_config(user, group, log),
                    "group.instance.id": instance,  # as in `member_config`
                    "error_cb": self._on_error,
                    "on_commit": self._on_commit,
                },
            )
        except (*RAISED, TypeError, ValueError) as raised:
            raise TailError(f"no Kafka client can be made of the settings: {_said(raised)}") from raised

    def standing(self) -> tuple[Standing, str]:
        """How far it has come, and in a sentence what is missing; no sentence when nothing is."""
        if self._unfit or self._trouble:
            return Standing.TROUBLE, self._unfit or self._trouble
        if self._at_end >= set(self._topics):
            return Standing.COMPLETE, ""
        if self._missing:
            names = " and ".join(sorted(self._missing))
            return Standing.MISSING, f"waiting for {names}: the daemon creates what is missing"
        if not self._subscribed:
            return Standing.STANDING_BY, "no broker has answered yet"
        if not self._assigned:
            return Standing.STANDING_BY, "another process delivers, or the group is still forming"
        return Standing.READING, "reading both topics from their start"

    def turn(self, wait_seconds: float) -> None:
        """Tells the reader of what has come, after waiting for it for at most about so long. Raises TailError."""
        if not self._subscribed:
            self._subscribe()
        wait = wait_seconds
        for _ in range(MOST_PER_TURN):
            message = self._poll(wait)
            if message is None:
                break
            self._see(message)
            wait = 0
        if self._is_down:
            self._probe()

    def _subscribe(self) -> None:
        """Joins the group if both topics are there."""
        try:
            known = {
                topic: self._consumer.list_topics(topic, timeout=PROBE_SECONDS) for topic in self._topics
            }
        except RAISED as ignored:
            # no answer, no conclusion: there is a next turn
            error_of(ignored)
            return
        self._is_well()
        errors = {topic: found.topics[topic].error for topic, found in known.items()}
        self._missing = {topic for topic, error in errors.items() if error and error.code() in _MISSING}
        if self._missing:
            return
        try:
            self._consumer.subscribe(
                list(self._topics),
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_revoke,
            )
        except RAISED as raised:
            raise TailError(f"the group cannot be joined: {_said(raised)}") from raised
        self._subscribed = True

    def commit(self) -> None:
        """Puts on record that everything that was read is delivered. Best effort: after a failure the next delivery
        does it, and a takeover delivers everything again anyway. Does not wait for the broker."""
        if self._next == self._committed or self._is_down:
            return
        offsets = [TopicPartition(topic, 0, offset) for topic, offset in self._next.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except RAISED as ignored:
            # the group is rebalancing or the broker is away: see above
            error_of(ignored)
        else:
            self._committed = dict(self._next)

    def look(self) -> None:
        """Compares how far it has come with what the broker has, now and at the last look. Raises TailError when a
        topic was made anew, or when records do not arrive that are there: after a broker's restart the client takes a
        topic that was deleted and made again for old news, and waits for ever without a word. Nor does it say that a topic
        that was missing is there now, where another process has its partition."""
        self._missing -= {
            topic for topic in self._missing if not self._is_down and self._end(topic) is not None
        }
        self._look_for_the_overlooked()
        before, self._behind = self._behind, {}
        for topic in () if self._is_down else sorted(self._assigned):
            place, end = self._next.get(topic), self._end(topic)
            if end is None:
                continue
            if place is not None and end < place:
                raise TailError(f"{topic} was deleted and made anew: reading it again")
            if place is None or end > place:
                self._behind[topic] = place
                if topic in before and before[topic] == place:
                    raise TailError(f"what {topic} holds does not arrive: connecting anew")

    def _look_for_the_overlooked(self) -> None:
        before = self._overlooked
        partial = self._assigned and not self._unfit
        left = set(self._topics) - self._assigned - self._missing if partial else set()
        self._overlooked = {topic for topic in left if self._end(topic) is not None}
        for topic in sorted(self._overlooked & before):
            raise TailError(f"{topic} is there and was dealt out to nobody: joining anew", leaves=True)

    def _end(self, topic: str) -> int | None:
        return log_end(self._consumer, topic, 0, PROBE_SECONDS)

    def close(self, *, for_good: bool = True) -> None:
        """Lets go of the client; `for_good`: leaves the group, so that a process that stands by takes over at once. Never
        raises."""
        try:
            if for_good and not self._is_down:
                leave(self._consumer)
            self._consumer.close()
        except (*RAISED, RuntimeError) as ignored:
            # there is nothing left to leave
            del ignored

    def _poll(self, wait_seconds: float) -> Any:
        # one record at a time: callbacks run before it, so none can belong to an assignment that is over
        try:
            message = self._consumer.poll(wait_seconds)
        except RAISED as raised:
            raise TailError(f"reading failed: {_said(raised)}") from raised
        failure, self._failure = self._failure, None
        if failure is not None:
            raise TailError(f"the partitions could not be taken: {_said(failure)}") from failure
        return message

    def _see(self, message: Any) -> None:
        error = message.error()
        if error is not None:
            self._see_error(error, message)
            return
        topic = message.topic()
        see = self._reader.see_day if topic == self._topics.days else self._reader.see_alert
        see(message.key(), message.value())
        self._next[topic] = message.offset() + 1
        self._is_well()

    def _see_error(self, error: KafkaError, message: Any) -> None:
        code, topic = error.code(), message.topic()
        if code == _EOF:
            self._next[topic] = message.offset()
            self._at_end.add(topic)
            self._missing.discard(topic)
            self._is_well()
        elif code in _MISSING and topic in self._topics:
            self._missing.add(topic)
        elif code in _GONE:
            raise TailError(
                f"what comes next in {topic} is gone, it was deleted or made anew: reading it again"
            )
        elif error.fatal():
            raise TailError(f"reading failed: {error.str()}")
        elif not error.retriable():
            self._trouble = f"reading is refused: {error.str()}{self._remedy(code, topic)}"

    def _remedy(self, code: int, topic: str) -> str:
        if code == _E.GROUP_AUTHORIZATION_FAILED:
            return f"; grant READ on the group {self._group}"
        return f"; grant READ on the topic {topic}" if code == _E.TOPIC_AUTHORIZATION_FAILED else ""

    def _is_well(self) -> None:
        self._trouble, self._is_down = "", False

    def _probe(self) -> None:
        """Whether a broker answers again: where nothing is written, nothing else would tell."""
        try:
            self._consumer.list_topics(self._topics.days, timeout=PROBE_SECONDS)
        except RAISED as ignored:
            # still away, and said already
            error_of(ignored)
        else:
            self._is_well()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == ALL_DOWN:
            self._trouble, self._is_down = "no Kafka broker can be reached", True

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:  # noqa: ARG002 - Kafka's signature
        if error is not None:
            self._committed = {}

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget()
        self._assigned = {partition.topic for partition in partitions}
        self._missing -= self._assigned
        extra = sorted({partition.topic for partition in partitions if partition.partition > 0})
        self._unfit = f"{' and '.join(extra)} must have one partition and has more" if extra else ""
        try:
            consumer.assign([TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in partitions])
        except RAISED as raised:
            self._failure = raised  # a callback must not raise: the poll that it was called from does

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:  # noqa: ARG002 - Kafka's signature
        self._forget()

    def _forget(self) -> None:
        self._assigned, self._at_end = set(), set()
        self._next, self._committed, self._behind, self._overlooked = {}, {}, {}, set()
        self._unfit = ""
        self._reader.clear()


def _said(raised: BaseException) -> str:
    return error_of(raised).str()
