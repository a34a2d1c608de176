"""The chain of a journal: every entry follows the one before, and every break of it is said in a sentence."""

import msgspec
import pytest

from consumer.core.state import Turn
from consumer.core.wire import JournalEntry, WireError
from consumer.tasks.task import Chain


def entry(sequence=1, span=(0, 10), part=1, parts=1, *, task="gate", begins=False):
    return JournalEntry(task, sequence, *span, msgspec.Raw(b"\x80"), Turn(1, begins=begins), part, parts)


def chain_after(*entries):
    chain = Chain("gate")
    for written in entries:
        chain.follow(written)
    return chain


FIRST = entry(1, (0, 10))
WHOLE_CHAINS = [
    ([], 0, None),
    ([FIRST], 1, 10),
    ([entry(1, (5, 5))], 1, 5),
    ([FIRST, entry(2, (10, 20)), entry(3, (20, 20))], 3, 20),
    ([entry(7, (100, 110), begins=True), entry(8, (110, 120))], 8, 120),
    ([entry(1, parts=3), entry(1, part=2, parts=3), entry(1, part=3, parts=3), entry(2, (10, 20))], 2, 20),
    ([entry(7, parts=2, begins=True), entry(7, part=2, parts=2, begins=True)], 7, 10),
]


@pytest.mark.parametrize(("entries", "sequence", "next_offset"), WHOLE_CHAINS)
def test_a_whole_chain_says_where_the_state_stands(entries, sequence, next_offset):
    chain = chain_after(*entries)
    chain.finish()
    assert (chain.sequence, chain.next_offset) == (sequence, next_offset)


@pytest.mark.parametrize(
    ("before", "broken", "sentence"),
    [
        ([], entry(task="watch"), "the journal holds an entry of the watch where the gate's should be"),
        ([FIRST], entry(2, (10, 20), task="watch"), "holds an entry of the watch"),
        ([], entry(2), "the journal begins with entry 2: what came before it was deleted"),
        ([], entry(part=2, parts=2), "journal entry 1 has lost its first part"),
        ([FIRST], entry(2, (10, 20), part=2, parts=2), "journal entry 2 has lost its first part"),
        ([FIRST], entry(3, (10, 20)), "the journal has a hole between entries 1 and 3"),
        ([FIRST], FIRST, "the journal has a hole between entries 1 and 1"),
        ([FIRST], entry(3, (10, 20), begins=True), "the journal has a hole between entries 1 and 3"),
        (
            [FIRST],
            entry(2, (11, 20)),
            "journal entry 2 begins at input offset 11, the one before it ended at 10",
        ),
        ([FIRST], entry(2, (9, 20)), "journal entry 2 begins at input offset 9"),
        ([entry(parts=3)], entry(2, (10, 20)), "journal entry 1 is not complete"),
        ([entry(parts=3)], entry(part=3, parts=3), "journal entry 1 is not complete"),
        ([entry(parts=3)], entry(part=1, parts=3), "journal entry 1 is not complete"),
        ([entry(parts=2)], entry(2, (0, 10), part=2, parts=2), "journal entry 1 is not complete"),
    ],
)
def test_a_broken_chain_is_said_in_a_sentence_and_goes_no_further(before, broken, sentence):
    chain = chain_after(*before)
    stood = (chain.sequence, chain.next_offset)
    with pytest.raises(WireError, match=sentence):
        chain.follow(broken)
    assert (chain.sequence, chain.next_offset) == stood


@pytest.mark.parametrize(
    "entries", [[entry(parts=2)], [FIRST, entry(2, (10, 20), parts=3), entry(2, (10, 20), part=2, parts=3)]]
)
def test_a_journal_that_ends_inside_of_a_batch_is_not_whole(entries):
    chain = chain_after(*entries)
    with pytest.raises(WireError, match=f"the journal ends inside of entry {entries[-1].sequence}"):
        chain.finish()


@pytest.mark.parametrize("entries", [entries for entries, _, _ in WHOLE_CHAINS if len(entries) > 1])
def test_no_entry_inside_of_a_chain_can_be_missing_or_come_twice(entries):
    for place in range(1, len(entries)):
        twice = [*entries[:place], entries[place], entries[place], *entries[place + 1 :]]
        missing = [*entries[:place], *entries[place + 1 :]]
        with pytest.raises(WireError):
            chain_after(*twice)
        if place < len(entries) - 1:
            with pytest.raises(WireError):
                chain_after(*missing)


def test_the_first_entry_after_a_first_start_follows_from_where_reading_began():
    chain = Chain("gate")
    chain.next_offset = 5
    with pytest.raises(WireError, match="begins at input offset 0, the one before it ended at 5"):
        chain.follow(FIRST)
    chain.follow(entry(1, (5, 10)))
    assert chain.next_offset == 10
