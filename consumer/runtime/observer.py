"""Who is told what the loop did: metrics, health and logs stand behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.runtime.transport import Fenced, Partition, Retry
    from consumer.runtime.waiting import Waiting
    from consumer.tasks.task import Decision, Task


@dataclass(slots=True)
class Stages:
    """Seconds that the stages of one turn took."""

    poll: float = 0.0
    decide: float = 0.0
    commit: float = 0.0
    apply: float = 0.0


class Observer(Protocol):
    """Told once a batch, never once a record."""

    def turned(self) -> None:
        """The loop is alive (also called at steps of a long restore)."""
        ...

    def connected(self) -> None:
        """On the way into the group; partitions are still to come."""
        ...

    def without_partitions(self, joined: bool, reached: bool) -> None:  # noqa: FBT001 - the answers, no switches
        """A turn is over and nothing is ours; `joined`: the group has taken us in, so it has said so; `reached`: a broker
        could be reached when that was last known."""
        ...

    def restoring(self, partition: Partition, entries: int, size: int) -> None:
        """A partition was given to us and its state is being read back: so many journal entries and bytes by now. Told
        at the beginning (0), every now and then, and at the end."""
        ...

    def restored(
        self,
        partition: Partition,
        tasks: Mapping[Partition, Task],
        entries: int,
        seconds: float,
        offset: int | None,
    ) -> None:
        """A partition's state was read back and it is ours; `tasks` are all that we have now."""
        ...

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Partitions went to somebody else."""
        ...

    def committed(
        self,
        decisions: Mapping[Partition, Decision],
        tasks: Mapping[Partition, Task],
        stages: Stages,
    ) -> None:
        """A transaction was committed and applied."""
        ...

    def waiting(self, records: Mapping[Partition, Waiting]) -> None:
        """A turn is over: what of each partition of ours is not committed yet, when last known."""
        ...

    def aborted(self, error: Retry) -> None:
        """A transaction was aborted and will be tried again."""
        ...

    def recovering(self, error: Fenced) -> None:
        """All tasks were dropped; connecting anew."""
        ...
