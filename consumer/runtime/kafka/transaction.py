"""The transactional producer: the only place that begins, commits and aborts, and that turns the client's dozen
errors into the three that the loop knows.

    flags of the error          what it means                              raised
    abort required              refused, nothing counts                    Retry (after the abort)
    time-out of commit          asked again, then outcome unknown          Fenced(unknown)
    fatal, fenced, no flag      the producer is of no use any more         Fenced
    _STATE                      a delivery failed meanwhile, or our bug    Retry (after the abort; not for ever)
"""

from __future__ import annotations

import math
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, Producer, TopicPartition

from consumer.runtime.kafka.client import ALL_DOWN, RAISED, TRANSACTION_TIMEOUT_MS, error_of
from consumer.runtime.kafka.journal import signed
from consumer.runtime.transport import Fatal, Fenced, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.core.record import Output
    from consumer.runtime.kafka.client import Config
    from consumer.runtime.kafka.marks import Marker
    from consumer.runtime.transport import Transaction

COMMIT_SECONDS = 30.0
"""How long an answer to commit or abort is asked for before the outcome counts as unknown. Longer than the
transaction time-out, after which the broker has decided."""

INIT_SECONDS = 60.0
SEND_SECONDS = TRANSACTION_TIMEOUT_MS / 1000
HANG_SECONDS = SEND_SECONDS + 2
"""When sending offsets has not come back by then, it never will: the client can ignore its time limit and wait for ever
once the connection to the group's coordinator was lost (librdkafka issues 5456 and 5511)."""

LOST_SECONDS = 3.0
"""It is given up sooner when a connection was lost since the last commit and the brokers have answered others for so long.
While they do not, waiting is better: a client that gets over it by itself keeps its state."""

LOOK_SECONDS = 0.5

_E = KafkaError
_REBALANCE = {
    _E.UNKNOWN_MEMBER_ID,
    _E.ILLEGAL_GENERATION,
    _E.FENCED_INSTANCE_ID,
    _E.REBALANCE_IN_PROGRESS,
    _E.STALE_MEMBER_EPOCH,
    _E.FENCED_MEMBER_EPOCH,
}
_PERMANENT = {
    _E.MSG_SIZE_TOO_LARGE,
    _E.RECORD_LIST_TOO_LARGE,
    _E.INVALID_TIMESTAMP,
    _E.INVALID_RECORD,
    _E.POLICY_VIOLATION,
    _E.TOPIC_AUTHORIZATION_FAILED,
    _E.GROUP_AUTHORIZATION_FAILED,
    _E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    _E.CLUSTER_AUTHORIZATION_FAILED,
}
_FENCED = {_E._FENCED, _E.INVALID_PRODUCER_EPOCH, _E.PRODUCER_FENCED, _E.INVALID_TXN_STATE}  # noqa: SLF001
_CONNECTION = {_E._TRANSPORT, ALL_DOWN}  # noqa: SLF001
_TIMED_OUT = _E._TIMED_OUT  # noqa: SLF001
_STATE = _E._STATE  # noqa: SLF001
_NOW = 0
"""Lets the client date the record."""
_ANY = -1
"""Lets the partitioner choose by key."""


def member_metadata(metadata: bytes) -> tuple[int, str]:
    """Generation and member id inside of the client's group metadata (`CGMDv2:`, int32, then texts ended by zero)."""
    if not metadata.startswith(b"CGMDv2:"):
        return 0, "?"
    (generation,) = struct.unpack_from("@i", metadata, 7)
    member = metadata[11:].split(b"\0")[1] if metadata[11:].count(b"\0") > 1 else b""
    return generation, member.decode("utf-8", "replace")


def is_member(metadata: bytes) -> bool:
    """Whether this group metadata is that of somebody whom the group has taken in."""
    generation, member = member_metadata(metadata)
    return generation >= 0 and bool(member)


class TransactionalProducer:
    """One producer's transactions, one after the other. Starting it settles what an earlier one with the same id left."""

    def __init__(
        self,
        config: Config,
        journal_topic: str,
        marker: Marker,
        brokers_answer: Callable[[], bool],
        group: str = "",
    ) -> None:
        self._journal_topic = journal_topic
        self._signed = signed(group)
        self._marker = marker
        self._brokers_answer = brokers_answer
        self._hangs = False
        self._lost = False
        """Whether a connection was lost since the last commit."""
        self._producer = Producer({**config, "error_cb": self._hear})
        try:
            self._producer.init_transactions(INIT_SECONDS)
        except RAISED as raised:
            error = error_of(raised)
            if error.code() in _PERMANENT:
                name = config["transactional.id"]
                raise Fatal(
                    f"transactions are refused: {error.str()}; grant WRITE on the transactional id {name} (or on all "
                    "that begin with the group's name: a process without a set instance takes a new one at each start)"
                ) from raised
            raise Fenced(f"transactions cannot be started: {error.str()}", outcome="lost") from raised

    def commit(self, transaction: Transaction, group_metadata: Callable[[], Any]) -> dict[int, int]:
        """All of it in one transaction: outputs, journal, then offsets under fresh group metadata, then commit.

        The offset of the first journal record by journal partition. Raises Retry, Fenced, Fatal.
        """
        marks: dict[int, int] = {}
        try:
            self._producer.begin_transaction()
            for output in transaction.outputs:
                self._write(output)
            for number, entries in transaction.journal.items():
                self._write_journal(number, entries, marks)
            self._send_offsets(transaction, group_metadata)
            self._finish(self._producer.commit_transaction)
        except RAISED as raised:
            self._translate(error_of(raised), raised)
        self._lost = False
        self._producer.poll(0)
        return marks

    def _hear(self, error: KafkaError) -> None:
        """Told within `poll`, of connections among other things; what is fatal also fails the next call."""
        self._lost = self._lost or error.code() in _CONNECTION

    def _write(self, output: Output) -> None:
        topic, value, key, headers, number, timestamp_ms = output
        partition, timestamp = _ANY if number is None else number, timestamp_ms or _NOW
        try:
            self._producer.produce(
                topic,
                value,
                key,
                partition=partition,
                headers=headers,  # type: ignore[arg-type]  # lists are invariant
                timestamp=timestamp,
            )
        except BufferError:
            self._produce(topic, value, key, partition=partition, headers=headers, timestamp=timestamp)

    def _produce(self, topic: str, value: bytes | None, key: bytes | None = None, **more: Any) -> None:
        """Hands a record over; waits while the client's queue is full."""
        while True:
            try:
                self._producer.produce(topic, value, key, **more)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _write_journal(self, number: int, entries: list[bytes], marks: dict[int, int]) -> None:
        def note(error: KafkaError | None, message: Any) -> None:
            if error is None:
                marks.setdefault(number, message.offset())

        for entry in entries:
            self._produce(
                self._journal_topic, entry, partition=number, headers=self._signed, on_delivery=note
            )

    def _send_offsets(self, transaction: Transaction, group_metadata: Callable[[], Any]) -> None:
        metadata = group_metadata()
        if not is_member(
            bytes(metadata)
        ):  # the broker would take these offsets without asking whose they are
            self._abort()
            raise Retry("not a member of the group at the moment", code="no_member", rebalance=True)
        mark = self._marker.next()
        offsets = [TopicPartition(*p, offset, mark) for p, offset in transaction.positions.items()]
        self._in_time(lambda: self._producer.send_offsets_to_transaction(offsets, metadata, SEND_SECONDS))

    def _in_time(self, call: Callable[[], None]) -> None:
        """Makes the call in a thread of its own. One that hangs is left behind with its producer, which the next one
        with the same id fences."""
        raised: list[BaseException] = []

        def run() -> None:
            try:
                call()
            except RAISED as error:
                raised.append(error)

        thread = threading.Thread(target=run, name="send offsets", daemon=True)
        started = time.monotonic()
        thread.start()
        self._wait(thread)
        if thread.is_alive():
            self._hangs = True
            raise Fenced(f"sending offsets hangs for {time.monotonic() - started:.0f} s", outcome="unknown")
        if raised:
            raise raised[0]

    def _wait(self, thread: threading.Thread) -> None:
        """Until it ends, or will not: see `HANG_SECONDS` and `LOST_SECONDS`."""
        deadline, sooner = time.monotonic() + HANG_SECONDS, math.inf
        while thread.is_alive() and time.monotonic() < min(deadline, sooner):
            thread.join(LOOK_SECONDS)
            self._producer.poll(0)
            if self._lost and thread.is_alive():
                answered = self._brokers_answer()
                sooner = min(sooner, time.monotonic() + LOST_SECONDS) if answered else math.inf

    def _finish(self, verb: Callable[[float], None]) -> None:
        """Commit or abort; a time-out is asked again, since any other call would be refused."""
        for attempt in range(2):
            try:
                verb(COMMIT_SECONDS)
            except RAISED as raised:
                error = error_of(raised)
                if error.code() != _TIMED_OUT or error.fatal() or error.txn_requires_abort():
                    raise
                if attempt:
                    raise Fenced("no answer whether the transaction counts", outcome="unknown") from raised
            else:
                return

    def _abort(self) -> None:
        try:
            self._finish(self._producer.abort_transaction)
        except RAISED as raised:
            raise Fenced(f"the transaction cannot be aborted: {error_of(raised).str()}") from raised

    def _translate(self, error: KafkaError, raised: BaseException) -> None:
        """Raises what the loop must do about the error."""
        code, sentence = error.code(), f"{error.name()}: {error.str()}"
        if error.fatal() or code in _FENCED:
            raise Fenced(sentence) from raised
        if error.txn_requires_abort() or code in _REBALANCE or code in _PERMANENT or code == _STATE:
            self._abort()
            permanent = code in _PERMANENT or (code == _STATE and not error.txn_requires_abort())
            raise Retry(
                sentence, code=error.name(), rebalance=code in _REBALANCE, permanent=permanent
            ) from raised
        raise Fenced(sentence, outcome="unknown") from raised

    def close(self) -> None:
        """Aborts what is open and lets go of the client. One that hangs is left behind: the broker aborts what is open,
        and whoever closes has to leave the group, or others wait for its partitions."""
        if not self._hangs:
            thread = threading.Thread(target=self._close, name="close the producer", daemon=True)
            thread.start()
            thread.join(HANG_SECONDS)

    def _close(self) -> None:
        try:
            self._producer.close()
        except (*RAISED, RuntimeError, SystemError) as ignored:
            # the broker aborts it by itself after the transaction time-out; SystemError is the client's own slip when
            # it is told of being fenced just while it closes
            del ignored
