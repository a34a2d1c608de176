"""State moves by its changes alone; the rolling snapshot re-writes everything in a turn, however often it is aborted."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consumer.core.state import Delta, RollingSnapshot, Turn

TABLE = st.dictionaries(st.integers(0, 5), st.integers(), max_size=4)


@given(TABLE, TABLE, st.lists(st.integers(6, 9), max_size=3))
def test_a_delta_puts_and_takes_away_and_leaves_the_rest(table, put, gone):
    before = {**table, **dict.fromkeys(gone, 0)}
    after = dict(before)
    Delta(put, gone).apply(after)
    assert after == {key: value for key, value in (before | put).items() if key not in gone}


def test_a_key_that_was_gone_already_is_no_error():
    table = {}
    Delta({}, ["gone"]).apply(table)
    assert table == {}


def test_the_length_of_a_delta_is_the_number_of_its_keys():
    assert len(Delta({"a": 1, "b": 2}, ["c"])) == 3
    assert len(Delta()) == 0


@given(TABLE, TABLE, st.lists(st.integers(0, 9), max_size=3))
def test_applying_a_delta_twice_is_applying_it_once(table, put, gone):
    delta = Delta(put, gone)
    delta.apply(table)
    once = dict(table)
    delta.apply(table)
    assert table == once


def walk(snapshot, tables, changes):
    """Batches that change so many keys each: the slices that went with them."""
    slices = []
    for changed in changes:
        piece = snapshot.next_slice(tables, changed)
        snapshot.advance(piece, changed + len(piece.keys))
        slices.append(piece)
    return slices


def keys_of(slices):
    return [key for piece in slices for key in piece.keys]


def tables_of(*sizes):
    return [dict.fromkeys(range(size), 0) for size in sizes]


def test_the_very_first_batch_begins_a_turn_and_without_keys_completes_it():
    (piece,) = walk(RollingSnapshot(), [{}], [0])
    assert (piece.turn, piece.keys) == (Turn(1, begins=True, completes=True), [])


@pytest.mark.parametrize("sizes", [(1,), (256,), (257,), (990, 0, 5), (100, 100, 700, 1)])
@pytest.mark.parametrize("changed", [0, 1, 300])
def test_a_turn_writes_every_key_of_every_table_once(sizes, changed):
    tables = tables_of(*sizes)
    slices = walk(RollingSnapshot(), tables, [changed] * 10)
    turn = slices[: next(n for n, piece in enumerate(slices, 1) if piece.turn.completes)]
    assert [piece.turn.begins for piece in turn] == [True] + [False] * (len(turn) - 1)
    assert {piece.turn.number for piece in turn} == {1}
    assert keys_of(turn) == [(number, key) for number, table in enumerate(tables) for key in table]


def test_between_two_turns_nothing_is_rewritten():
    slices = walk(RollingSnapshot(), tables_of(300), [1] * 5)
    assert [(piece.turn, len(piece.keys)) for piece in slices] == [
        (Turn(1, begins=True), 256),
        (Turn(1, completes=True), 44),
        *[(Turn(1), 0)] * 3,
    ]


def test_a_slice_has_as_many_keys_as_the_batch_changes_and_at_least_256():
    slices = walk(RollingSnapshot(), tables_of(5000), [4000, 1000])
    assert [len(piece.keys) for piece in slices] == [4000, 1000]
    slices = walk(RollingSnapshot(), tables_of(1000), [0, 255, 257, 900])
    assert [len(piece.keys) for piece in slices] == [256, 256, 257, 231]


@pytest.mark.parametrize(("size", "wait"), [(10, 1000), (5000, 5000)])
def test_the_next_turn_begins_after_as_many_changes_as_there_are_keys_or_a_thousand(size, wait):
    tables, snapshot = tables_of(size), RollingSnapshot()
    first = snapshot.next_slice(tables, size)
    snapshot.advance(first, size)
    assert first.turn == Turn(1, begins=True, completes=True)
    assert not snapshot.next_slice(tables, wait - 1).turn.begins
    assert snapshot.next_slice(tables, wait).turn == Turn(
        2, begins=True, completes=size == 10 or wait >= size
    )


def test_state_that_only_stands_still_is_rewritten_seldom():
    slices = walk(RollingSnapshot(), tables_of(100), [0] * 3000)
    assert sum(piece.turn.begins for piece in slices) == 3


def test_an_aborted_batch_walks_the_same_slice_again():
    tables, snapshot = tables_of(1000), RollingSnapshot()
    walk(snapshot, tables, [0])
    assert snapshot.next_slice(tables, 7) == snapshot.next_slice(tables, 7)
    assert snapshot.next_slice(tables, 300).keys[:256] == snapshot.next_slice(tables, 7).keys


def test_an_aborted_beginning_begins_again():
    tables, snapshot = tables_of(1000), RollingSnapshot()
    for _ in range(3):
        assert snapshot.next_slice(tables, 0).turn == Turn(1, begins=True)


def test_after_a_restore_in_the_middle_of_a_turn_the_next_turn_has_the_next_number():
    tables, snapshot = tables_of(1000), RollingSnapshot()
    snapshot.resume(Turn(7, begins=True))
    snapshot.resume(Turn(7))
    assert snapshot.next_slice(tables, 0).turn == Turn(8, begins=True)
    assert snapshot.next_slice(tables, 0).keys == [(0, key) for key in range(256)]


def test_turns_go_on_where_every_change_is_a_new_key():
    """A flood of new clients must not keep the snapshot, and with it the expiry of state, from ever coming round."""
    table, snapshot, begun = {}, RollingSnapshot(), []
    for batch in range(200):
        new = {(batch, number): 1 for number in range(500)}
        piece = snapshot.next_slice([table], len(new))
        if piece.turn.begins:
            begun.append(len(table))
        table.update(new)
        for _, key in piece.keys:
            if key[0] < batch - 20:
                table.pop(key, None)
        snapshot.advance(piece, len(new))
    assert len(begun) > 8
    assert len(table) < 3 * 20 * 500


KEYS = st.integers(0, 1500)


class Journalled(RuleBasedStateMachine):
    """A task in small: tables that change, a journal with the rolling snapshot in it, batches that are aborted."""

    def __init__(self):
        super().__init__()
        self.tables = [{}, {}]
        self.snapshot = RollingSnapshot()
        self.journal = []

    def decide(self, deltas):
        piece = self.snapshot.next_slice(self.tables, sum(map(len, deltas)))
        for number, key in piece.keys:
            now = self.tables[number].get(key)
            if now is not None and key not in deltas[number].gone:
                deltas[number].put.setdefault(key, now)
        return piece, deltas

    @rule(
        puts=st.lists(st.tuples(KEYS, st.integers(1, 9)), max_size=9),
        gone=st.lists(KEYS, max_size=9),
        bulk=KEYS,
    )
    def a_batch(self, puts, gone, bulk):
        first = {key: value for key, value in puts if key not in gone}
        piece, deltas = self.decide([Delta(first, gone), Delta(dict.fromkeys(range(bulk), bulk + 1), [])])
        for delta, table in zip(deltas, self.tables, strict=True):
            delta.apply(table)
        self.snapshot.advance(piece, sum(map(len, deltas)))
        self.journal.append((piece.turn, [msgspec.structs.replace(delta) for delta in deltas]))

    @rule(gone=st.lists(KEYS, max_size=3))
    def an_aborted_batch(self, gone):
        before = [dict(table) for table in self.tables]
        self.decide([Delta({}, gone), Delta()])
        assert self.tables == before

    @rule()
    def a_restart(self):
        if self.journal:
            self.snapshot = RollingSnapshot()
            self.snapshot.resume(self.journal[-1][0])

    @invariant()
    def the_journal_from_the_beginning_of_the_last_whole_turn_gives_the_state(self):
        begins, start = 0, 0
        for number, (turn, _) in enumerate(self.journal):
            begins = number if turn.begins else begins
            start = begins if turn.completes else start
        tables = [{}, {}]
        for _, deltas in self.journal[start:]:
            for delta, table in zip(deltas, tables, strict=True):
                delta.apply(table)
        assert tables == self.tables


TestJournalled = Journalled.TestCase
TestJournalled.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
