"""Apache Kafka behind the transport seam: one consumer, one transactional producer, one admin client.

A takeover goes in this order, and the order is everything:
1. the committed offsets (the answer waits for a dead owner's pending commit);
2. the journal's log end; 3. the journal up to there; 4. both compared (by the loop);
5. `incremental_assign` with explicit offsets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.runtime.kafka import journal, topics
from consumer.runtime.kafka.client import (
    ALL_DOWN,
    RAISED,
    admin_config,
    error_of,
    is_newer,
    journal_config,
    member_config,
    producer_config,
)
from consumer.runtime.kafka.marks import Marker
from consumer.runtime.kafka.membership import joined, leave
from consumer.runtime.kafka.offsets import answered
from consumer.runtime.kafka.transaction import TransactionalProducer, member_metadata
from consumer.runtime.transport import Fatal, Fenced, Owner, Partition, Polled, Transaction

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

    from consumer.runtime.overlooked import Overlooked

MOST_POLLED_BYTES = 33_554_432
"""A poll stops gathering beyond this many bytes, so that large events cannot fill the memory."""

MOST_UNANSWERED = 3
"""So often in a row, the brokers are lost: where nothing comes and nothing is written, nothing else would tell soon."""

CHUNK = 1_000
PATIENCE_SECONDS = 60.0
PARTITIONS_EVERY_SECONDS = 60.0

END_SECONDS = 2.0
"""How long the answer where partitions end may take; without one nothing is claimed of them."""

_E = KafkaError
_EOF = _E._PARTITION_EOF  # noqa: SLF001
_TIMED_OUT = _E._TIMED_OUT  # noqa: SLF001
_NO_OFFSET = -1001

_UNSUPPORTED = "not supported"
"""In what the client says where a broker is too old for the newer group protocol, or has it switched off."""

_UNREADABLE = "the group's offsets cannot be read"
_IF_IT_STAYS = "if that stays and the brokers are well, a transaction hangs on them (see `kafka-transactions.sh find-hanging`)"


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How to be a member. `user`: the settings given under `[kafka]`. `from_start`: whether a partition that was never
    read is read from its beginning (or from its end as of now). `made_with`: the fingerprint that goes with commits.
    `overlooked` knows whether the group has to be left, so that all of it is dealt out."""

    user: Mapping[str, Any]
    names: topics.Names
    group: str
    instance: str
    consumes: tuple[str, ...]
    log: logging.Logger
    from_start: bool = True
    most_message_bytes: int = topics.DEFAULT_MOST_BYTES + topics.ROOM_FOR_HEADERS
    made_with: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ("gate", "watch")
    overlooked: Overlooked | None = None

    @property
    def transactional_id(self) -> str:
        """Group and instance: a restart under the same name aborts its own leftovers at once."""
        return f"{self.group}-{self.instance}"


class KafkaTransport:
    """One process as a member of the consumer group. See `consumer.runtime.transport.Transport`."""

    def __init__(self, options: KafkaOptions, owner: Owner) -> None:
        self._options = options
        self._owner = owner
        self._failure: BaseException | None = None
        self._expected: dict[Partition, int] = {}
        self._polled = Polled()
        self._partitions_at = -PARTITIONS_EVERY_SECONDS
        self._partitions: dict[str, int] = {}
        self._unanswered = 0
        self._closing = False
        self._told_as: Any = None
        """Whom the group took us for when it last told us what is ours; None = it never did."""
        self._member_id = ""
        self._admin = AdminClient(admin_config(options.user, options.log))
        self._producer = TransactionalProducer(
            producer_config(
                options.user,
                options.transactional_id,
                options.most_message_bytes,
                options.log,
                topics.most_batch_bytes(self._admin, options.names, options.roles),
            ),
            options.names.journal,
            Marker(options.instance, options.made_with),
            lambda: topics.answers(self._admin),
            options.group,
        )
        self._reached = True
        if options.overlooked is not None:
            options.overlooked.connects()
        member = member_config(options.user, options.group, options.instance, options.log)
        self._consumer = Consumer({**member, "error_cb": self._hear})
        self._consumer.subscribe(
            list(options.consumes),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def input_partitions(self) -> int:
        return self._partitions_of(self._options.names.input)

    def keyed_partitions(self) -> int:
        keyed = self._options.names.keyed
        if keyed not in self._options.consumes:
            return 0
        partitions = self._partitions_of(keyed)
        if not partitions:
            raise Fenced(f"the topic {keyed} does not exist (any more)", outcome="lost")
        return partitions

    def _partitions_of(self, topic: str) -> int:
        now = time.monotonic()
        if now - self._partitions_at >= PARTITIONS_EVERY_SECONDS:
            known = topics.existing(self._admin)
            for name in (self._options.names.input, self._options.names.keyed):
                self._partitions[name] = max(self._partitions.get(name, 0), known.get(name, 0))
            self._partitions_at = now
        return self._partitions[topic]

    def joined(self) -> bool:
        return joined(self._consumer)

    def reached(self) -> bool:
        return self._reached

    def _hear(self, error: KafkaError) -> None:
        """Told within `poll` that all connections are lost; that there are some again is not told, but seen."""
        self._reached = self._reached and error.code() != ALL_DOWN

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self, most_records: int, wait_seconds: float) -> Polled:
        self._leave_if_overlooked()
        polled = self._polled = Polled()
        gathered, size, wait = 0, 0, wait_seconds
        while gathered < most_records and size < MOST_POLLED_BYTES:
            chunk = self._consume(min(CHUNK, most_records - gathered), wait)
            if not chunk:
                break
            size += self._sort(chunk, polled)
            gathered += len(chunk)
            wait = 0.0
        self._note_places(polled)
        self._polled = Polled()
        return polled

    def _leave_if_overlooked(self) -> None:
        overlooked = self._options.overlooked
        if overlooked is None or not self.joined():
            return
        if reason := overlooked.reason_to_leave(time.monotonic(), self._expected):
            raise Fenced(reason, outcome="lost", leaves=True)

    def _consume(self, most: int, wait_seconds: float) -> list[Any]:
        try:
            messages = self._consumer.consume(most, wait_seconds)
        except RAISED as raised:
            raise Fenced(f"reading failed: {error_of(raised).str()}", outcome="lost") from raised
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return list(messages)

    def _sort(self, messages: list[Any], polled: Polled) -> int:
        """Puts messages to their partitions; how many bytes they have."""
        topic, number = "", -1
        batch: list[Any] = []
        self._reached = self._reached or bool(messages)
        for message in messages:
            if message.error() is not None:
                self._note_error(message, polled)
                continue
            if message.partition() != number or message.topic() != topic:
                topic, number = message.topic(), message.partition()
                batch = polled.records.setdefault(Partition(topic, number), [])
            batch.append(message)
        return sum(map(len, messages))

    def _note_error(self, message: Any, polled: Polled) -> None:
        error = message.error()
        partition = Partition(
            message.topic() or "", message.partition() if message.partition() is not None else -1
        )
        if error.code() == _EOF:
            polled.positions[partition] = message.offset()
            polled.at_end.add(partition)
        elif error.code() in (_E._AUTO_OFFSET_RESET, _E.OFFSET_OUT_OF_RANGE):  # noqa: SLF001
            raise Fenced(
                f"the next offset of {partition} is gone ({error.str()}): retention deleted "
                "records that were not read yet; delete all sluice topics and the group to read anew what is left",
                outcome="overtaken",  # a process that stood still finds trimmed what its successor has read
                about=partition,
            )
        elif error.code() == _E.TOPIC_AUTHORIZATION_FAILED:
            raise Fatal(f"reading is refused: {error.str()}; grant READ on the topic {partition.topic}")
        elif error.code() == _E.GROUP_AUTHORIZATION_FAILED:
            raise self._refused_group(error)
        elif error.code() in (_E.INCONSISTENT_GROUP_PROTOCOL, _E.INVALID_SESSION_TIMEOUT):
            raise Fatal(
                f"the group {self._options.group} cannot be joined: {error.str()}; another program uses it (name another "
                "in the setting group), or session.timeout.ms in [kafka] is not what the brokers allow"
            )
        elif is_newer(self._options.user) and _UNSUPPORTED in error.str():
            raise Fatal(
                f'the brokers do not know the group protocol that is set ({error.str()}); remove "group.protocol" from [kafka]'
            )
        elif error.fatal() or error.code() == _E._FATAL:  # noqa: SLF001
            raise Fenced(f"reading failed: {error.str()}")

    def _note_places(self, polled: Polled) -> None:
        """Where each partition stands now; records of partitions that went away meanwhile are left out."""
        for partition in list(polled.records):
            batch = polled.records[partition]
            expected = self._expected.get(partition)
            if expected is None:
                del polled.records[partition]
                continue
            if batch[0].offset() < expected:
                raise Fenced(f"{partition} went back from {expected} to {batch[0].offset()}")
            after = batch[-1].offset() + 1
            if polled.positions.get(partition, 0) < after:
                polled.at_end.discard(partition)
                polled.positions[partition] = after
        for partition in list(polled.positions):
            if partition in self._expected:
                self._expected[partition] = polled.positions[partition]
                polled.behind[partition] = 0 if partition in polled.at_end else self._behind(partition)
            else:
                del polled.positions[partition]
                polled.at_end.discard(partition)

    def _behind(self, partition: Partition) -> int:
        """Records left to read, as the last answer of the broker had it (transaction markers count as records, but
        those behind the last record are passed over: nothing is left at the end)."""
        _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        return max(0, end - self._expected[partition])

    def still_at_end(self, partitions: Sequence[Partition]) -> set[Partition]:
        # asked by the admin client: on the consumer's own connection a question waits behind the fetch for new records
        latest = {TopicPartition(*partition): OffsetSpec.latest() for partition in partitions}
        if not latest:
            return set()
        answers = self._admin.list_offsets(
            latest, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=END_SECONDS
        )
        ended = set()
        silent = 0
        for where, answer in answers.items():
            partition = Partition(where.topic, where.partition)
            try:
                end = answered(answer, 2 * END_SECONDS)
            except RAISED as raised:
                # no answer, no claim: it is asked again at the next tick
                silent += error_of(raised).code() == _TIMED_OUT
                continue
            if end <= self._expected.get(partition, -1):
                ended.add(partition)
        self._unanswered = self._unanswered + 1 if silent == len(answers) else 0
        if self._unanswered >= MOST_UNANSWERED:
            raise Fenced("the brokers do not answer where the partitions end", outcome="lost")
        return ended

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def commit(self, transaction: Transaction) -> dict[int, int]:
        return self._producer.commit(transaction, self._as_told)

    def _as_told(self) -> Any:
        """Under whose name offsets go: not as the client would have it now. One that the group has given up joins anew by
        itself, as a new member that knows the latest generation, before we have polled and heard what was taken: the
        broker would take the offsets of partitions that others have worked on since. With the newer protocol epochs grow
        without a word to us, and a client joins anew only after it was polled: what it says is fresh, and refused until then."""
        if is_newer(self._options.user):
            return self._consumer.consumer_group_metadata()
        return self._told_as

    def read_journal(self, number: int) -> Iterator[tuple[int, bytes | None]]:
        config = journal_config(self._options.user, self._options.group, self._options.log)
        return journal.read(config, self._admin, self._options.names.journal, number, self._options.group)

    def trim(self, journal: dict[int, int], consumed: dict[Partition, int]) -> None:
        name = self._options.names.journal
        cut = [TopicPartition(name, number, offset) for number, offset in journal.items()]
        cut += [TopicPartition(*partition, offset) for partition, offset in consumed.items()]
        self._admin.delete_records(cut)

    # ── partitions come and go ──────────────────────────────────────────────────────────────────────────────────
    # Callbacks run inside of consume and close and must not raise: the client would throw the batch away. What went
    # wrong is remembered and raised after the call.

    def _on_assign(self, _consumer: Consumer, assigned: list[TopicPartition]) -> None:
        if (
            self._closing
        ):  # a client that closes is still given partitions, and gets no answer about their offsets
            return
        self._reached = True
        try:
            self._note_name()
            committed = self._committed(assigned)
            places = [self._place(where, committed[where.topic, where.partition]) for where in assigned]
            self._consumer.incremental_assign(places)
            if self._options.overlooked is not None:
                self._options.overlooked.settled(time.monotonic())
        except BaseException as failure:  # noqa: BLE001 - raised again after the call
            self._failure = failure

    def _place(self, where: TopicPartition, committed: int | None) -> TopicPartition:
        partition = Partition(where.topic, where.partition)
        offset = self._owner.assigned(partition, committed)
        if offset is None:
            offset = self._first_offset(where)
            self._owner.starts_at(partition, offset)
        self._expected[partition] = offset
        return TopicPartition(where.topic, where.partition, offset)

    def _on_revoke(self, _consumer: Consumer, revoked: list[TopicPartition]) -> None:
        gone = [Partition(where.topic, where.partition) for where in revoked]
        for partition in gone:
            self._expected.pop(partition, None)
            self._polled.drop(partition)  # it may come back within the same poll, and its records with it
        try:
            self._owner.revoked(gone)
            self._note_name()
        except BaseException as failure:  # noqa: BLE001 - raised again after the call
            self._failure = failure

    def _note_name(self) -> None:
        """Remembers whom the group takes us for. One that is somebody new to it, and was not told that it has lost all that
        it had, may have partitions that were another's in between."""
        self._told_as = self._consumer.consumer_group_metadata()
        _, member = member_metadata(bytes(self._told_as))
        if not member:
            return
        if member != self._member_id and self._expected:
            raise Fenced("the group had given this process up in between", outcome="lost")
        self._member_id = member

    def _committed(self, partitions: list[TopicPartition]) -> dict[tuple[str, int], int | None]:
        """The group's offsets; waits while an owner's transaction is pending on any of them."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        asked = [TopicPartition(where.topic, where.partition) for where in partitions]
        while True:
            try:
                answers = self._consumer.committed(asked, timeout=5)
            except RAISED as raised:
                error = error_of(raised)
                if error.code() == _E.GROUP_AUTHORIZATION_FAILED:
                    raise self._refused_group(error) from raised
                if error.fatal() or time.monotonic() > deadline:
                    raise Fenced(f"{_UNREADABLE}: {error.str()}; {_IF_IT_STAYS}", outcome="lost") from raised
                continue
            errors = [where.error for where in answers if where.error is not None]
            if not errors:
                return {(w.topic, w.partition): None if w.offset == _NO_OFFSET else w.offset for w in answers}
            if time.monotonic() > deadline:
                raise Fenced(f"{_UNREADABLE}: {errors[0].str()}; {_IF_IT_STAYS}", outcome="lost")

    def _refused_group(self, error: KafkaError) -> Fatal:
        return Fatal(
            f"the group {self._options.group} is refused: {error.str()}; grant READ on the group "
            f"{self._options.group}"
        )

    def _first_offset(self, where: TopicPartition) -> int:
        here = TopicPartition(where.topic, where.partition)
        earliest = self._options.from_start or where.topic != self._options.names.input
        spec = OffsetSpec.earliest() if earliest else OffsetSpec.latest()
        futures = self._admin.list_offsets({here: spec}, isolation_level=IsolationLevel.READ_COMMITTED)
        try:
            return answered(futures[here], 20)
        except KafkaException as raised:
            raise Fenced(
                f"the beginning of {where.topic} cannot be asked: {error_of(raised).str()}", outcome="lost"
            ) from raised

    def close(self, *, for_good: bool = True) -> None:
        self._closing = True
        self._producer.close()
        try:
            if for_good:
                leave(self._consumer)
            self._consumer.close()
        except (*RAISED, RuntimeError, SystemError) as ignored:
            # the group finds out by itself after the session time-out
            del ignored
