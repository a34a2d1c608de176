"""How large the journal is that holds the state of our partitions: what restoring them would read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.state import Turn
    from consumer.runtime.transport import Partition


class JournalSize:
    """Bytes by partition. A full turn of the rolling snapshot makes everything before it superfluous."""

    def __init__(self) -> None:
        self._before: dict[Partition, int] = {}
        """What was written before the turn that is under way."""
        self._since: dict[Partition, int] = {}

    def restored(self, partition: Partition, size: int) -> None:
        """So many bytes were read back."""
        self._before[partition], self._since[partition] = size, 0

    def wrote(self, partition: Partition, size: int, turn: Turn) -> None:
        """A committed batch wrote so many bytes, at this place of the snapshot's walk."""
        before, since = self._before.get(partition, 0), self._since.get(partition, 0)
        if turn.begins:
            before, since = before + since, 0
        self._before[partition], self._since[partition] = 0 if turn.completes else before, since + size

    def drop(self, partition: Partition) -> None:
        """The partition is not ours any more."""
        self._before.pop(partition, None)
        self._since.pop(partition, None)

    def of(self, partitions: Iterable[Partition]) -> int:
        """The bytes of these partitions' state."""
        return sum(self._before.get(it, 0) + self._since.get(it, 0) for it in partitions)
