"""Kafka in memory: logs with transactions, a transaction coordinator and one consumer group, all on simulated time.

As faithful as exactly-once needs it: markers take an offset, `read_committed` ends at the last stable offset, offsets
ride in transactions and can be pending, a newer producer of a name fences the older, a transaction of a dead owner is
aborted after its time-out, a member of an older generation is refused, and partitions are given away only once
their owner has let go of them or is taken for dead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from consumer.core.record import StoredRecord
from consumer.runtime.transport import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.core.record import Headers

SESSION_TIMEOUT_SECONDS = 10.0
TRANSACTION_TIMEOUT_SECONDS = 10.0
SCAN_SECONDS = 10.0
"""How often the transaction coordinator looks for hanging transactions: so much longer can one last."""
MOST_MESSAGE_BYTES = 1_048_588


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A coordinator says no, in the word that Kafka has for it."""


class ProducerFenced(Exception):  # noqa: N818 - Kafka's own word
    """There is a newer producer with the same transactional id, or the transaction has timed out."""


@dataclass(eq=False)
class Writing:
    """A transaction as the broker sees it: who writes, since when, from which offset on in which log."""

    name: str
    epoch: int
    since: float
    starts: dict[Partition, int] = field(default_factory=dict)
    offsets: dict[Partition, int] = field(default_factory=dict)
    state: Literal["open", "committed", "aborted"] = "open"


class Entry(NamedTuple):
    """What lies at one offset: a record, or a transaction's marker (None)."""

    record: StoredRecord | None
    writing: Writing | None


class Standing(NamedTuple):
    """A record, and its place among those of all logs."""

    record: StoredRecord
    place: int


class Log:
    """One partition of a topic."""

    def __init__(self, partition: Partition, places: Iterator[int]) -> None:
        self.partition = partition
        self.first = 0
        self.entries: list[Entry] = []
        self.places: list[int] = []
        """Where each entry stands among those of all logs, in the order in which they were written."""
        self._next_place = places
        self.open: list[Writing] = []

    @property
    def end(self) -> int:
        """The offset after the last entry (the high watermark)."""
        return self.first + len(self.entries)

    @property
    def stable(self) -> int:
        """The last stable offset: that of the first open transaction's beginning, or the end."""
        return min((writing.starts[self.partition] for writing in self.open), default=self.end)

    def append(
        self,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        timestamp_ms: int | None = None,
        writing: Writing | None = None,
    ) -> int:
        """Writes a record; its offset."""
        at = self.end
        topic, number = self.partition
        record = StoredRecord(
            value, key, topic=topic, partition=number, offset=at, timestamp_ms=timestamp_ms, headers=headers
        )
        if writing is not None and self.partition not in writing.starts:
            writing.starts[self.partition] = at
            self.open.append(writing)
        self._add(Entry(record, writing))
        return at

    def mark(self, writing: Writing) -> None:
        """Writes the marker that ends a transaction."""
        self.open.remove(writing)
        self._add(Entry(None, writing))

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.places.append(next(self._next_place))

    def committed(self, start: int, stop: int | None = None) -> Iterator[StoredRecord]:
        """What a `read_committed` reader sees from one offset to another (not included; None: all that is stable)."""
        stop = self.stable if stop is None else min(stop, self.stable)
        for record, writing in self.entries[max(0, start - self.first) : max(0, stop - self.first)]:
            if record is not None and (writing is None or writing.state == "committed"):
                yield record

    def standing(self, start: int) -> Iterator[Standing]:
        """Records from an offset on that count, or may yet, each with its place."""
        at = max(0, start - self.first)
        for (record, writing), place in zip(self.entries[at:], self.places[at:], strict=True):
            if record is not None and (writing is None or writing.state != "aborted"):
                yield Standing(record, place)

    def delete_below(self, offset: int) -> None:
        """Lets go of what lies below; never of what is not stable yet."""
        offset = min(offset, self.stable)
        if offset > self.first:
            del self.entries[: offset - self.first]
            del self.places[: offset - self.first]
            self.first = offset


class Heart(Protocol):
    """Whoever beats for a member: a process that is stopped or dead does not."""

    stopped: bool


@dataclass
class Member:
    """One member of the group, and when it was last heard of."""

    name: str
    heart: Heart
    seen: float


class Group:
    """The group coordinator with cooperative assignment."""

    def __init__(self, random: Random, partitions: Callable[[], list[Partition]]) -> None:
        self.generation = 0
        self.members: dict[str, Member] = {}
        self.owner: dict[Partition, str] = {}
        self.target: dict[Partition, str] = {}
        self.moves = 0.3
        self._random = random
        self._partitions = partitions
        self._joined = 0

    def join(self, name: str, heart: Heart, now: float) -> str:
        """A new member; its id. One that has the name of another takes its place, and nobody else notices."""
        former = self.named(name)
        self._joined += 1
        member = f"{name}-{self._joined}"
        self.members[member] = Member(name, heart, now)
        if former is None:
            self.rebalance()
        else:
            del self.members[former]
            self.owner = {partition: owner for partition, owner in self.owner.items() if owner != former}
            self.target = {p: member if target == former else target for p, target in self.target.items()}
        return member

    def named(self, name: str) -> str | None:
        """The id of the member that has the name."""
        return next((member for member, it in self.members.items() if it.name == name), None)

    def leave(self, member: str) -> None:
        """The member is gone, and what it owned is free."""
        if self.members.pop(member, None) is not None:
            self.owner = {partition: owner for partition, owner in self.owner.items() if owner != member}
            self.rebalance()

    def release(self, member: str, partitions: list[Partition]) -> None:
        """A member has let go of partitions: the second rebalance of the cooperative protocol gives them away."""
        for partition in partitions:
            if self.owner.get(partition) == member:
                del self.owner[partition]
        self.generation += 1

    def claim(self, member: str) -> list[Partition]:
        """Partitions that are free and meant for the member are its own from now on."""
        free = [p for p, target in self.target.items() if target == member and p not in self.owner]
        self.owner |= dict.fromkeys(free, member)
        return free

    def check(self, member: str, generation: int) -> None:
        """Raises Refused for whoever is no member of the current generation. Ownership is not looked at: as in Kafka."""
        if member not in self.members:
            raise Refused("UNKNOWN_MEMBER_ID")
        if generation != self.generation:
            raise Refused("ILLEGAL_GENERATION")

    def beat(self, now: float) -> None:
        """Living members are heard of; those not heard of for too long are taken for dead."""
        for member in self.members.values():
            if not member.heart.stopped:
                member.seen = now
        for name in [n for n, m in self.members.items() if now - m.seen > SESSION_TIMEOUT_SECONDS]:
            self.leave(name)

    def rebalance(self) -> None:
        """The next generation. Owners mostly keep what they have, as far as that is fair; now and then all is mixed."""
        self.generation += 1
        self.target = {}
        if not self.members:
            return
        partitions, load = self._partitions(), Counter(dict.fromkeys(self.members, 0))
        self._random.shuffle(partitions)
        fair = -(-len(partitions) // len(self.members))
        mixed = self._random.random() < self.moves
        for partition in partitions:
            keeper = self.owner.get(partition, "")
            if mixed or keeper not in load or load[keeper] >= fair:
                keeper = min(load, key=lambda member: (load[member], self._random.random()))
            self.target[partition] = keeper
            load[keeper] += 1


class SimulatedKafka:
    """The broker. `consumed` names the topics that the group shares; time moves only by `advance`."""

    def __init__(self, seed: int, consumed: tuple[str, ...]) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.logs: dict[Partition, Log] = {}
        self.offsets: dict[Partition, int] = {}
        self.group = Group(self.random, lambda: [p for p in sorted(self.logs) if p.topic in consumed])
        self.told: list[Callable[[Writing], None]] = []
        """Called after each commit."""
        self._numbers: dict[str, int] = {}
        self._places = count()
        self._epochs: dict[str, int] = {}
        self._open: dict[str, Writing] = {}
        self._later: list[tuple[float, Callable[[], None]]] = []

    # ── topics ──────────────────────────────────────────────────────────────────────────────────────────────────

    def create_topic(self, topic: str, partitions: int) -> None:
        """A topic, or more partitions for one that exists."""
        for number in range(partitions):
            self.logs.setdefault(Partition(topic, number), Log(Partition(topic, number), self._places))
        self._numbers[topic] = max(partitions, self.partitions(topic))
        self.group.rebalance()

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        return self._numbers.get(topic, 0)

    def committed_records(self, topic: str) -> list[StoredRecord]:
        """All that a `read_committed` reader sees of a topic, partition by partition."""
        return [r for p, log in sorted(self.logs.items()) if p.topic == topic for r in log.committed(0)]

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────

    def advance(self, seconds: float) -> None:
        """Time goes on: hearts beat or do not, hanging transactions are aborted, late requests arrive."""
        self.now += seconds
        self.group.beat(self.now)
        for writing in list(self._open.values()):
            if writing.since + TRANSACTION_TIMEOUT_SECONDS < self.now // SCAN_SECONDS * SCAN_SECONDS:
                self._epochs[writing.name] += 1
                self._finish(writing, "aborted")
        due = [action for at, action in self._later if at <= self.now]
        self._later = [(at, action) for at, action in self._later if at > self.now]
        for action in due:
            action()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Does something once so much time has passed."""
        self._later.append((self.now + seconds, action))

    # ── transactions ────────────────────────────────────────────────────────────────────────────────────────────

    def init_transactions(self, name: str) -> int:
        """A new producer with this transactional id, which fences older ones and ends what they left; its epoch."""
        self._epochs[name] = epoch = self._epochs.get(name, -1) + 1
        if name in self._open:
            self._finish(self._open[name], "aborted")
        return epoch

    def begin(self, name: str, epoch: int) -> Writing:
        """Opens a transaction."""
        if self._epochs[name] != epoch:
            raise ProducerFenced(name)
        writing = self._open[name] = Writing(name, epoch, self.now)
        return writing

    def write(
        self,
        writing: Writing,
        to: Partition,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int | None = None,
    ) -> int:
        """Appends a record within a transaction; its offset."""
        self._check(writing)
        return self.logs[to].append(value, key, headers, timestamp_ms, writing)

    def add_offsets(
        self, writing: Writing, member: str, generation: int, offsets: dict[Partition, int]
    ) -> None:
        """Puts offsets into a transaction, pending until it ends."""
        self._check(writing)
        self.group.check(member, generation)
        writing.offsets |= offsets

    def pending(self, partition: Partition) -> bool:
        """Whether an open transaction may still move the partition's committed offset."""
        return any(partition in writing.offsets for writing in self._open.values())

    def end(self, writing: Writing, state: Literal["committed", "aborted"]) -> None:
        """Ends a transaction. Raises ProducerFenced if that is not the producer's to do any more."""
        self._check(writing)
        self._finish(writing, state)

    def _check(self, writing: Writing) -> None:
        if self._epochs[writing.name] != writing.epoch or writing.state != "open":
            raise ProducerFenced(writing.name)

    def _finish(self, writing: Writing, state: Literal["committed", "aborted"]) -> None:
        writing.state = state
        self._open.pop(writing.name)
        for partition in writing.starts:
            self.logs[partition].mark(writing)
        if state == "committed":
            self.offsets |= writing.offsets
            for tell in self.told:
                tell(writing)
