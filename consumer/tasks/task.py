"""What the loop knows of a role: decide, then apply. Nothing else moves a task's state.

records ──▶ decide ──▶ Decision(outputs, journal, next offset, …) ──commit──▶ apply
journal ──▶ replay                                      (abort: forget the decision)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from consumer.core.wire import JournalEntry, TaskName, WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.record import Output, Record
    from consumer.core.state import Slice


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a batch is decided: the wall clock, the input offset that the batch reaches (not included),
    whether that is the partition's end, and how many partitions the topic has that is read. `asked`: whether the end is
    the broker's answer to a question that was asked since the last commit; or else one met while reading, which may be
    older. `keyed_partitions`: how many the keyed topic has; 0 where the input itself is keyed."""

    wall_ms: int
    next_offset: int
    at_end: bool = False
    input_partitions: int = 1
    asked: bool = True
    keyed_partitions: int = 0


@dataclass(slots=True)
class Tally:
    """What a decision did, for the metrics; told only after its commit."""

    records: int = 0
    events: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    sessions_opened: int = 0
    purchases: dict[str, int] = field(default_factory=dict)
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that one transaction must carry for one task: its outputs, its journal entries, its next input
    offset. `changes` and `slice` are what `apply` needs."""

    outputs: list[Output]
    journal: list[bytes]
    sequence: int
    next_offset: int
    changes: Any
    slice: Slice
    tally: Tally = field(default_factory=Tally)


class Task(Protocol):
    """A role on one partition. Owned by one thread; knows no Kafka and no clock."""

    def decide(self, records: Sequence[Record], moment: Moment) -> Decision:
        """What follows from the records. Changes nothing."""
        ...

    def apply(self, decision: Decision) -> None:
        """Moves the state: to be called once the decision is committed."""
        ...

    def replay(self, entry: JournalEntry) -> None:
        """Moves the state as `apply` did when the entry was written. Raises WireError."""
        ...

    def restored(self) -> None:
        """The journal's end was reached. Raises WireError if it ends inside of a batch."""
        ...

    def begin(self, offset: int) -> None:
        """A first start: reading begins at this input offset."""
        ...

    @property
    def next_offset(self) -> int | None:
        """The input offset after the last one that the state contains; None if it contains none."""
        ...


class Chain:
    """Checks that journal entries follow each other without a hole, and remembers where the state stands."""

    def __init__(self, task: TaskName) -> None:
        self._task = task
        self._parts_left = 0
        self.sequence = 0
        self.next_offset: int | None = None

    def follow(self, entry: JournalEntry) -> None:
        """Takes the next entry of a journal. Raises WireError with a sentence if it does not follow."""
        if entry.task != self._task:
            changed = "watch" not in (entry.task, self._task)
            raise WireError(
                f"the journal holds an entry of the {entry.task} where the {self._task}'s should be"
                + (", for [input] keyed was changed, which needs a new start" if changed else "")
            )
        if self._parts_left:
            if entry.sequence != self.sequence or entry.part != entry.parts - self._parts_left + 1:
                raise WireError(f"journal entry {self.sequence} is not complete")
        elif entry.part != 1:
            raise WireError(f"journal entry {entry.sequence} has lost its first part")
        elif self.next_offset is None and entry.sequence != 1 and not entry.turn.begins:
            raise WireError(
                f"the journal begins with entry {entry.sequence}: what came before it was deleted"
            )
        elif self.next_offset is not None:
            if entry.sequence != self.sequence + 1:
                raise WireError(
                    f"the journal has a hole between entries {self.sequence} and {entry.sequence}"
                )
            if entry.from_offset != self.next_offset:
                raise WireError(
                    f"journal entry {entry.sequence} begins at input offset {entry.from_offset}, "
                    f"the one before it ended at {self.next_offset}"
                )
        self._parts_left = entry.parts - entry.part
        self.sequence, self.next_offset = entry.sequence, entry.to_offset

    def finish(self) -> None:
        """The journal's end was reached. Raises WireError if it ends inside of a batch."""
        if self._parts_left:
            raise WireError(f"the journal ends inside of entry {self.sequence}")
