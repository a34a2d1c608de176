"""The `Transport` protocol on the simulated Kafka, with everything that can go wrong on the way to it.

Every verb is cut into steps, before and after each of its effects. What happens at a step is a `Fate`'s business:
others may run meanwhile, time may pass, the process may be stopped for a while, or be killed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol
from zlib import crc32

from consumer.runtime.transport import Fenced, Partition, Polled, Retry
from tests.simulated_kafka import MOST_MESSAGE_BYTES, ProducerFenced, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumer.core.record import Headers
    from consumer.runtime.transport import Owner, Transaction
    from tests.simulated_kafka import SimulatedKafka, Writing

REQUEST_SECONDS = 0.2
TOO_LARGE = "MSG_SIZE_TOO_LARGE"
REBALANCE = ("UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION")


class Topics(NamedTuple):
    """The names of the topics that a transport itself must know."""

    events: str = "events"
    facts: str = "sluice.facts"
    journal: str = "sluice.journal"
    keyed: str = ""


TOPICS = Topics()
UNKEYED = Topics(keyed="sluice.keyed")
"""An input that is not keyed."""


class Fate(Protocol):
    """What happens to one process."""

    stopped: bool

    def step(self, place: str) -> None:
        """Between two effects: others may run. Raises Killed if the process dies here."""
        ...

    def sleep(self, seconds: float) -> None:
        """The process waits; time goes on."""
        ...

    def happens(self, fault: str) -> bool:
        """Whether a fault happens here and now: `connection_lost`, `commit_refused`, `commit_answer_lost`,
        `commit_request_lost`, `commit_request_late`, `fetch_slow`, `trim_fails`, `rejoins_unheard`."""
        ...


class Undisturbed:
    """A process that nothing happens to."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self.stopped = False
        self._kafka = kafka

    def step(self, place: str) -> None:
        """Nobody else runs."""

    def sleep(self, seconds: float) -> None:
        """Only time goes on."""
        self._kafka.advance(seconds)

    def happens(self, fault: str) -> bool:  # noqa: ARG002 - none of them
        """Nothing does."""
        return False


class SimulatedTransport:
    """A member of the group with a transactional producer of its own, named after the instance."""

    def __init__(
        self, kafka: SimulatedKafka, name: str, owner: Owner, fate: Fate, topics: Topics = TOPICS
    ) -> None:
        self._kafka, self._name, self._owner, self._fate, self._topics = kafka, name, owner, fate, topics
        self._positions: dict[Partition, int] = {}
        self._told_end: set[Partition] = set()
        self._sent: Counter[str] = Counter()
        fate.step("connect")
        self._may_be_lost()
        self._epoch = kafka.init_transactions(name)
        fate.step("connected")
        self.member = kafka.group.join(name, fate, kafka.now)
        self._told_as = (self.member, -1)
        """Member and generation as of the last word on what is ours."""

    def input_partitions(self) -> int:
        """How many partitions the input has now."""
        return self._kafka.partitions(self._topics.events)

    def keyed_partitions(self) -> int:
        """How many partitions the keyed topic has."""
        return self._kafka.partitions(self._topics.keyed)

    def joined(self) -> bool:
        """Whether the group knows us, and we the generation that it is in."""
        return self.member in self._kafka.group.members and self._told_as[1] >= 0

    def reached(self) -> bool:
        """The network in memory tells nobody of connections."""
        return True

    # ── polling and membership ──────────────────────────────────────────────────────────────────────────────────

    def poll(self, most_records: int, wait_seconds: float) -> Polled:
        """Membership first, then records: any number of them that the random fetches bring."""
        self._fate.step("poll")
        self._may_be_lost()
        self._keep_membership()
        self._fate.step("fetch")
        polled, random = Polled(), self._kafka.random
        partitions = sorted(self._positions)
        random.shuffle(partitions)
        for partition in partitions:
            if not self._fate.happens("fetch_slow"):
                most_records -= self._fetch(partition, most_records, polled)
        if not polled.records:
            self._fate.sleep(wait_seconds)
        return polled

    def _fetch(self, partition: Partition, most: int, polled: Polled) -> int:
        log, position = self._kafka.logs[partition], self._positions[partition]
        if position < log.first:
            raise Fenced(f"offset {position} of {partition} is gone", outcome="overtaken", about=partition)
        records = list(log.committed(position))[: max(0, most)]
        if records:
            self._positions[partition] = polled.positions[partition] = records[-1].offset() + 1
            polled.records[partition] = records  # type: ignore[assignment]  # records of ours are records
            self._told_end.discard(partition)
        rest = next(log.committed(self._positions[partition]), None)
        if rest is None and most > 0 and partition not in self._told_end:
            self._positions[partition] = polled.positions[partition] = log.stable
            polled.at_end.add(partition)
            self._told_end.add(partition)
        if partition in polled.positions:
            at_end = partition in polled.at_end
            polled.behind[partition] = 0 if at_end else log.stable - self._positions[partition]
        return len(records)

    def _keep_membership(self) -> None:
        group = self._kafka.group
        if self.member not in group.members:
            self._lose()
        if self._told_as != (self.member, group.generation):
            same, self._told_as = self._told_as[0] == self.member, (self.member, group.generation)
            if not same:
                self._revoke([p for p in self._positions if group.target.get(p) != self.member])
                if self._positions:
                    raise Fenced("the group had given this process up in between", outcome="lost")
            taken = [p for p in self._positions if group.target.get(p) != self.member]
            if taken:
                self._revoke(taken)
                self._fate.step("revoked")
                group.release(self.member, taken)
                return
        for partition in group.claim(self.member):
            self._assign(partition)

    def _lose(self) -> None:
        """The group has given the member up: what it owned may be another's already."""
        self._revoke(list(self._positions))
        self._fate.step("lost")
        if self._kafka.group.named(self._name) is not None:
            raise Fenced("another member has this name")
        self.member = self._kafka.group.join(self._name, self._fate, self._kafka.now)
        self._told_as = (self.member, -1)

    def _revoke(self, partitions: list[Partition]) -> None:
        self._owner.revoked(partitions)
        for partition in partitions:
            del self._positions[partition]
            self._told_end.discard(partition)

    def _assign(self, partition: Partition) -> None:
        """The committed offset first, waited for while it is pending; then the owner restores; then reading begins."""
        while self._kafka.pending(partition):
            self._fate.sleep(REQUEST_SECONDS)
            self._may_be_lost()
        committed = self._kafka.offsets.get(partition)
        self._fate.step("assign")
        start = self._owner.assigned(partition, committed)
        self._fate.step("restored")
        if start is None:
            start = self._kafka.logs[partition].first
            self._owner.starts_at(partition, start)
        self._positions[partition] = start

    def still_at_end(self, partitions: Sequence[Partition]) -> set[Partition]:
        """Asks the logs' ends."""
        self._fate.step("ask ends")
        at = self._positions
        return {p for p in partitions if p in at and at[p] >= self._kafka.logs[p].end}

    # ── the transaction ─────────────────────────────────────────────────────────────────────────────────────────

    def commit(self, transaction: Transaction) -> dict[int, int]:
        """Begin, write, send offsets, commit: a process can be stopped or killed between any two of them."""
        self._fate.step("commit")
        self._may_be_lost()
        kafka = self._kafka
        try:
            writing = kafka.begin(self._name, self._epoch)
            try:
                marks = self._write(writing, transaction)
                self._fate.step("written")
                self._send_offsets(writing, transaction.positions)
                self._fate.step("offsets sent")
            except Refused as error:
                kafka.end(writing, "aborted")
                code = str(error)
                raise Retry(
                    code, code=code, rebalance=code in REBALANCE, permanent=code == TOO_LARGE
                ) from error
            self._end(writing)
        except ProducerFenced as error:
            raise Fenced("another producer has this name, or the transaction timed out") from error
        self._fate.step("committed")
        return marks

    def _write(self, writing: Writing, transaction: Transaction) -> dict[int, int]:
        """Outputs and journal; the offset of the first journal record by journal partition."""
        for topic, value, key, headers, partition, timestamp_ms in transaction.outputs:
            number = self._partition_of(topic, key) if partition is None else partition
            self._send(writing, Partition(topic, number), value, key, headers, timestamp_ms)
        marks: dict[int, int] = {}
        for number, entries in transaction.journal.items():
            for entry in entries:
                at = self._send(writing, Partition(self._topics.journal, number), entry)
                marks.setdefault(number, at)
        return marks

    def _send(
        self,
        writing: Writing,
        to: Partition,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        timestamp_ms: int | None = None,
    ) -> int:
        if len(value or b"") + len(key or b"") > MOST_MESSAGE_BYTES:
            raise Refused(TOO_LARGE)
        return self._kafka.write(writing, to, value, key, headers, timestamp_ms)

    def _partition_of(self, topic: str, key: bytes | None) -> int:
        self._sent[topic] += 1
        spread = self._sent[topic] if key is None else crc32(key)
        return spread % self._kafka.partitions(topic)

    def _send_offsets(self, writing: Writing, positions: dict[Partition, int]) -> None:
        """As whom the group took us for when it last told us what is ours. The client's background thread may know better
        before we have polled, and even have joined anew as somebody else."""
        kafka = self._kafka
        if self._fate.happens("commit_refused"):
            raise Refused("COORDINATOR_LOAD_IN_PROGRESS")
        free = kafka.group.named(self._name) is None
        if free and self._fate.happens("rejoins_unheard"):
            self.member = kafka.group.join(self._name, self._fate, kafka.now)
        kafka.add_offsets(writing, *self._told_as, positions)

    def _end(self, writing: Writing) -> None:
        """Commits; of three ways in which that can go wrong none tells the process what happened."""
        kafka = self._kafka
        if self._fate.happens("commit_request_lost"):
            raise Fenced("the commit was sent and never arrived", outcome="unknown")
        if self._fate.happens("commit_request_late"):
            kafka.later(kafka.random.uniform(0, 15), lambda: self._end_late(writing))
            raise Fenced("the commit was sent and arrives later", outcome="unknown")
        kafka.end(writing, "committed")
        if self._fate.happens("commit_answer_lost"):
            raise Fenced("the commit happened, its answer was lost", outcome="unknown")

    def _end_late(self, writing: Writing) -> None:
        try:
            self._kafka.end(writing, "committed")
        except ProducerFenced:
            return

    def _may_be_lost(self) -> None:
        if self._fate.happens("connection_lost"):
            raise Fenced("no broker can be reached", outcome="lost")

    # ── the journal, and the end ────────────────────────────────────────────────────────────────────────────────

    def read_journal(self, number: int) -> Iterator[tuple[int, bytes | None]]:
        """Asks for the log's end first and waits until all below it is stable."""
        log = self._kafka.logs[Partition(self._topics.journal, number)]
        self._fate.step("journal end")
        end = log.end
        while log.stable < end:
            self._fate.sleep(REQUEST_SECONDS)
            self._may_be_lost()
        for record in list(log.committed(0, end)):
            if record.offset() < log.first:
                raise Fenced("the journal was trimmed while it was read", outcome="overtaken")
            yield record.offset(), record.value()
            self._fate.step("journal read")

    def trim(self, journal: dict[int, int], consumed: dict[Partition, int]) -> None:
        """Deletes; when that fails nobody is told."""
        self._fate.step("trim")
        if self._fate.happens("trim_fails"):
            return
        for number, offset in journal.items():
            self._kafka.logs[Partition(self._topics.journal, number)].delete_below(offset)
        for partition, offset in consumed.items():
            self._kafka.logs[partition].delete_below(offset)
        self._fate.step("trimmed")

    def close(self, *, for_good: bool = True) -> None:
        """Leaves the group at once, if it is for good; a dead or stopped process says nothing."""
        if not self._fate.stopped:
            self._fate.step("close")
            self._revoke(list(self._positions))
            if for_good:
                self._kafka.group.leave(self.member)
