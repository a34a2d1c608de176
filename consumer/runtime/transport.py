"""The seam between the loop and Kafka: the few verbs that the loop needs, and the three errors by what comes next.

Two things stand behind it: Apache Kafka (`consumer/runtime/kafka/`) and the seeded simulation (`tests/simulation.py`).
The same contract tests hold for both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumer.core.record import Output, Record


class Retry(Exception):  # noqa: N818 - named after what comes next
    """The transaction was aborted, nothing of it counts: the same batch may be tried again, with a budget.

    `rebalance`: part of a normal rebalance, try at once. `permanent`: will be refused again if the cause stays (a right
    that is missing, a record that is too large).
    """

    def __init__(
        self, sentence: str, *, code: str = "", rebalance: bool = False, permanent: bool = False
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.rebalance = rebalance
        self.permanent = permanent


class Fenced(Exception):  # noqa: N818 - named after what comes next
    """Someone else may own what we hold, or it is not known whether our transaction counts: drop all state, connect
    anew (which settles it) and restore. `outcome` is "fenced", "unknown", "lost" (no broker to be reached) or
    "overtaken" (what we read of the partition `about` does not fit together: mostly because others went on while we
    stood still; if it stays, the sentence says what to do). `leaves`: the group has to be left for good before."""

    def __init__(
        self,
        sentence: str,
        *,
        outcome: str = "fenced",
        about: Partition | None = None,
        leaves: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.about = about
        self.leaves = leaves


class Fatal(Exception):  # noqa: N818 - named after what comes next
    """Going on would lose or double something, or cannot succeed: stop with this sentence."""


class Partition(NamedTuple):
    """A partition of a topic that the loop consumes: the input, the keyed topic, or the facts.

    >>> f"{Partition('events', 3)}"
    'events[3]'
    """

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


@dataclass(slots=True)
class Polled:
    """What one poll brought, by partition: records in order, the offset after them (transaction markers included when
    the end was reached), whether that is the partition's end, and how many records were left behind it when last
    known."""

    records: dict[Partition, list[Record]] = field(default_factory=dict)
    positions: dict[Partition, int] = field(default_factory=dict)
    at_end: set[Partition] = field(default_factory=set)
    behind: dict[Partition, int] = field(default_factory=dict)

    def drop(self, partition: Partition) -> None:
        """Forgets what came of a partition: it is not ours any more."""
        self.records.pop(partition, None)
        self.positions.pop(partition, None)
        self.at_end.discard(partition)


@dataclass(slots=True)
class Transaction:
    """One micro-batch's transaction: outputs, journal records by journal partition, and the next input offsets."""

    outputs: list[Output] = field(default_factory=list)
    journal: dict[int, list[bytes]] = field(default_factory=dict)
    positions: dict[Partition, int] = field(default_factory=dict)


class Owner(Protocol):
    """Who is told of partitions that come and go; called from within `poll` and `close` only."""

    def assigned(self, partition: Partition, committed: int | None) -> int | None:
        """Restores the partition's state; the offset to read from (None: by the setting for a first start).

        Whatever it raises is raised by the `poll` that it was called from.
        """
        ...

    def starts_at(self, partition: Partition, offset: int) -> None:
        """A partition that had no place yet will be read from this offset."""
        ...

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Drops the partitions' state: from now on they are somebody else's."""
        ...


class Transport(Protocol):
    """A connection as one member of the group. Used by one thread. Raises `Retry`, `Fenced` and `Fatal` only."""

    def input_partitions(self) -> int:
        """How many partitions the input topic has."""
        ...

    def keyed_partitions(self) -> int:
        """How many partitions the keyed topic has; 0 where the input itself is keyed."""
        ...

    def joined(self) -> bool:
        """Whether the group has taken us in: before, nobody has said that there is nothing for us."""
        ...

    def reached(self) -> bool:
        """Whether a broker could be reached when that was last known."""
        ...

    def poll(self, most_records: int, wait_seconds: float) -> Polled:
        """The next records of partitions that are ours, at most so many, after at most about so long."""
        ...

    def commit(self, transaction: Transaction) -> dict[int, int]:
        """Writes it all or nothing; the offset of the first journal record by journal partition.

        Raises Retry (aborted), Fenced (not ours any more, or outcome unknown), Fatal.
        """
        ...

    def read_journal(self, number: int) -> Iterator[tuple[int, bytes | None]]:
        """All committed records of a journal partition with their offsets, up to its end as of now."""
        ...

    def still_at_end(self, partitions: Sequence[Partition]) -> set[Partition]:
        """Those of the partitions of which the broker says now that nothing is left to read."""
        ...

    def trim(self, journal: dict[int, int], consumed: dict[Partition, int]) -> None:
        """Lets go of journal records (by journal partition) and of facts and keyed records below these offsets. Best
        effort."""
        ...

    def close(self, *, for_good: bool = True) -> None:
        """Lets go of the connection. For good: leaves the group at once, so that others take over without waiting.
        Otherwise the place in it is kept, for a session's time, for who joins next under the same name. Never raises."""
        ...


def journal_partition(partition: Partition, facts_topic: str, keyed_topic: str = "") -> int:
    """Where a partition's state is journalled: 0 the watch's, p + 1 the gate's of input partition p. With a keyed topic
    2 p + 1 the gate's of its partition p, and 2 p + 2 the keyer's of input partition p, so that both may get more.

    >>> [journal_partition(Partition(topic, 3), "facts", "keyed") for topic in ("facts", "keyed", "events")]
    [0, 7, 8]
    """
    if partition.topic == facts_topic:
        return 0
    if not keyed_topic:
        return partition.number + 1
    return 2 * partition.number + (1 if partition.topic == keyed_topic else 2)
