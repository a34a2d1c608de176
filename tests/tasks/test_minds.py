"""Memories are unpacked once, and what is kept unpacked is never believed over the table."""

import msgspec

from consumer.tasks.draft import Draft
from consumer.tasks.minds import Kept, Minds


class Memory(msgspec.Struct):
    """Something that a detector remembers."""

    share: float = 0.0
    minutes: list[int] = []


class Batches:
    """Batches over one table, as the watch decides them."""

    def __init__(self) -> None:
        self.table: dict[str, bytes] = {}
        self.kept: dict[str, Kept] = {}

    def note(self, minute: int, *, commits: bool = True) -> Memory:
        """One batch that notes a minute; the memory as it was before."""
        draft = Draft(self.table)
        minds = Minds(draft, self.kept)
        memory = minds.of("one", Memory)
        before = msgspec.structs.replace(memory, minutes=list(memory.minutes))
        memory.minutes.append(minute)
        memory.share = len(memory.minutes)
        minds.store()
        if commits:
            self.table.update(draft.put)
        return before


def test_what_a_batch_wrote_the_next_one_gets_without_unpacking_it() -> None:
    batches = Batches()
    batches.note(1)
    kept = batches.kept["one"].memory
    assert Minds(Draft(batches.table), batches.kept).of("one", Memory) is kept
    assert kept == msgspec.msgpack.decode(batches.table["one"], type=Memory)
    assert isinstance(kept.share, float)


def test_what_a_batch_wrote_that_was_not_committed_is_forgotten() -> None:
    batches = Batches()
    batches.note(1)
    batches.note(2, commits=False)
    assert batches.note(3).minutes == [1]
    assert batches.note(4).minutes == [1, 3]


def test_a_batch_that_broke_off_leaves_nothing_of_what_it_changed() -> None:
    batches = Batches()
    batches.note(1)
    Minds(Draft(batches.table), batches.kept).of("one", Memory).minutes.append(99)
    assert batches.note(2).minutes == [1]
    assert batches.note(3).minutes == [1, 2]


def test_a_memory_that_was_dropped_is_a_new_one() -> None:
    batches = Batches()
    batches.note(1)
    draft = Draft(batches.table)
    Minds(draft, batches.kept).drop("one")
    batches.table.clear()
    assert batches.note(2).minutes == []


def test_names_that_mean_one_memory_are_written_each_and_change_together_until_they_part() -> None:
    table: dict[str, bytes] = {}
    draft = Draft(table)
    minds = Minds(draft)
    both = minds.of("one", Memory)
    minds.join("other", "one")
    both.minutes.append(1)
    assert minds.of("other", Memory) is both
    apart = minds.part("other", Memory)
    assert apart == both
    apart.minutes.append(2)
    minds.store()
    written = {
        name: msgspec.msgpack.decode(packed, type=Memory).minutes for name, packed in draft.put.items()
    }
    assert written == {"one": [1], "other": [1, 2]}
