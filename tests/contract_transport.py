"""What every `Transport` must do, whatever stands behind it: one suite for Apache Kafka and for the simulation.

A test module makes a class of its own from `TransportContract` and gives it a `world` fixture:

    class TestTheSimulation(TransportContract):
        @pytest.fixture
        def world(self) -> World: ...
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import pytest

from consumer.core.record import Output
from consumer.runtime.transport import Fatal, Fenced, Partition, Retry, Transaction, journal_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.core.record import Record
    from consumer.runtime.transport import Transport

INPUT_PARTITIONS = 2


class World(Protocol):
    """A broker with these topics, empty: `events` (2 partitions), `facts` (1), `journal` (3), `output` (2)."""

    events: str
    facts: str
    journal: str
    output: str
    patience_seconds: float
    """How long anything may take that comes of itself: a rebalance, a time-out of a dead member or transaction."""

    def now(self) -> float:
        """Seconds on this world's clock, which polls and waits move."""
        ...

    def produce(self, topic: str, partition: int, *values: bytes) -> None:
        """Writes records without a transaction."""
        ...

    def committed(self, topic: str) -> list[Record]:
        """Everything that a `read_committed` reader sees of a topic now."""
        ...

    def open(self, name: str, owner: Member) -> Transport:
        """Connects as a member of the one group, under this instance name."""
        ...

    def kill(self, transport: Transport) -> None:
        """Its process is dead: no poll, no heartbeat, no goodbye. If it wrote, its transaction stays open."""
        ...

    def write_and_die(self, transport: Transport, transaction: Transaction) -> None:
        """The process dies in `commit`: all is written, the offsets are sent, the commit is not."""
        ...


class Member:
    """One process's side of the contract: an owner that notes what it is told, and whatever its polls bring."""

    def __init__(self, world: World, name: str) -> None:
        self.owned: dict[Partition, int | None] = {}
        """Partitions that are ours, with the committed offset that came with them."""
        self.starts: dict[Partition, int] = {}
        self.told: list[tuple[str, Partition]] = []
        self.records: dict[Partition, list[Record]] = defaultdict(list)
        self.positions: dict[Partition, int] = {}
        self.at_end: set[Partition] = set()
        self.behind: dict[Partition, int] = {}
        self.restore: Callable[[Partition, int | None], int | None] = lambda _, committed: committed
        self.transport = world.open(name, self)

    def assigned(self, partition: Partition, committed: int | None) -> int | None:
        self.told.append(("assigned", partition))
        offset = self.restore(partition, committed)
        self.owned[partition] = committed
        return offset

    def starts_at(self, partition: Partition, offset: int) -> None:
        self.starts[partition] = offset

    def revoked(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            self.told.append(("revoked", partition))
            self.owned.pop(partition, None)

    def poll(self, most_records: int = 100) -> int:
        """One poll; how many records it brought."""
        polled = self.transport.poll(most_records, 0.1)
        for partition, records in polled.records.items():
            assert partition in self.owned
            self.records[partition] += records
            self.at_end.discard(partition)
        self.positions |= polled.positions
        self.behind |= polled.behind
        self.at_end |= polled.at_end
        return sum(map(len, polled.records.values()))

    def values(self, partition: Partition) -> list[bytes | None]:
        return [record.value() for record in self.records[partition]]


class TransportContract:
    """The promises, each a test. `world` is the subclass's fixture."""

    @pytest.fixture(autouse=True)
    def _members(self, world: World):
        self.world = world
        self.members: list[Member] = []
        self.first, self.second = (Partition(world.events, number) for number in range(INPUT_PARTITIONS))
        self.facts = Partition(world.facts, 0)
        yield
        for member in self.members:
            member.transport.close()

    def join(self, name: str) -> Member:
        member = Member(self.world, name)
        self.members.append(member)
        return member

    def until(self, condition: Callable[[], object], what: str, *members: Member) -> None:
        """Polls the members in turn until the condition holds."""
        deadline = self.world.now() + self.world.patience_seconds
        while not condition():
            assert self.world.now() < deadline, f"not in time: {what}"
            for member in members or self.members:
                member.poll()

    def settled(self, name: str) -> Member:
        """A member that owns everything."""
        member = self.join(name)
        self.until(lambda: len(member.owned) == INPUT_PARTITIONS + 1, "a sole member owns everything", member)
        return member

    def batch(self, position: int, *outputs: Output, journal: tuple[bytes, ...] = (b"entry",)) -> Transaction:
        """A transaction of the first input partition."""
        number = journal_partition(self.first, self.world.facts)
        return Transaction(list(outputs), {number: list(journal)}, {self.first: position})

    def journalled(self, member: Member, number: int = 1) -> list[bytes | None]:
        return [value for _, value in member.transport.read_journal(number)]

    def dismiss(self, member: Member) -> None:
        self.members.remove(member)
        member.transport.close()

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def test_it_knows_how_many_partitions_the_input_has(self):
        assert self.join("a").transport.input_partitions() == INPUT_PARTITIONS

    def test_a_member_has_joined_once_it_was_given_its_part_and_not_when_it_starts(self):
        starting = self.join("a")
        assert not starting.transport.joined()
        self.until(lambda: starting.owned, "the first partition", starting)
        assert starting.transport.joined()

    def test_a_first_member_gets_everything_and_starts_at_the_beginning(self):
        self.world.produce(self.world.events, 0, b"before")
        member = self.settled("a")
        assert member.owned == dict.fromkeys([self.first, self.second, self.facts])
        assert member.starts == dict.fromkeys([self.first, self.second, self.facts], 0)

    def test_records_come_in_order_with_where_they_stood(self):
        values = [b"%d" % number for number in range(50)]
        self.world.produce(self.world.events, 0, *values)
        self.world.produce(self.world.events, 1, b"other")
        member = self.settled("a")
        self.until(
            lambda: len(member.records[self.first]) == 50 and member.records[self.second], "all is read"
        )
        assert member.values(self.first) == values
        assert [record.offset() for record in member.records[self.first]] == list(range(50))
        assert {(r.topic(), r.partition()) for r in member.records[self.second]} == {(self.world.events, 1)}
        assert member.positions[self.first] == 50

    def test_a_poll_brings_no_more_than_it_was_asked_for(self):
        self.world.produce(self.world.events, 0, *[b"x"] * 20)
        self.world.produce(self.world.events, 1, *[b"x"] * 20)
        member = self.settled("a")
        seen = sum(map(len, member.records.values()))
        deadline = self.world.now() + self.world.patience_seconds
        while seen < 40:
            assert self.world.now() < deadline
            brought = member.poll(3)
            assert brought <= 3
            seen += brought

    def test_the_end_is_told_also_of_an_empty_partition(self):
        self.world.produce(self.world.events, 0, b"one")
        member = self.settled("a")
        self.until(lambda: {self.first, self.second} <= member.at_end, "both ends are told")
        assert (member.positions[self.first], member.positions[self.second]) == (1, 0)

    def test_an_end_is_one_as_long_as_nothing_is_written(self):
        member = self.settled("a")
        both = [self.first, self.second]
        self.until(lambda: set(both) <= member.at_end, "both ends are told")
        assert member.transport.still_at_end(both) == set(both)
        assert member.transport.still_at_end([]) == set()
        self.world.produce(self.world.events, 0, b"new")
        assert member.transport.still_at_end(both) == {self.second}

    def test_it_says_how_much_is_left_and_nothing_at_an_end_behind_a_transactions_marker(self):
        self.world.produce(self.world.events, 0, *[b"x"] * 20)
        member = self.settled("a")
        while not member.records[self.first]:
            member.poll(3)
        self.until(lambda: self.first in member.at_end, "the end is told")
        assert member.behind[self.first] == 0
        facts = [Output(self.world.facts, b"fact", partition=0) for _ in range(2)]
        member.transport.commit(self.batch(20, *facts))
        self.until(lambda: member.records[self.facts] and self.facts in member.at_end, "the facts are read")
        assert member.behind[self.facts] == 0

    def test_a_place_that_was_deleted_is_said_and_never_guessed(self):
        self.world.produce(self.world.facts, 0, b"0", b"1", b"2")
        member = self.settled("a")
        self.until(lambda: len(member.records[self.facts]) == 3, "the facts are read")
        member.transport.trim({}, {self.facts: 2})
        self.until(lambda: len(self.world.committed(self.world.facts)) == 1, "they are gone")
        self.dismiss(member)
        late = self.join("b")
        late.restore = lambda _, committed: committed or 0
        with pytest.raises(Fenced) as gone:
            self.until(lambda: False, "the poll raises", late)
        assert (gone.value.outcome, gone.value.about) == ("overtaken", self.facts)

    # ── committing ──────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_commit_writes_outputs_journal_and_positions(self):
        self.world.produce(self.world.events, 0, *[b"x"] * 5)
        member = self.settled("a")
        output = Output(self.world.output, b"value", b"key", [("name", b"1"), ("name", None)], 1)
        marks = member.transport.commit(self.batch(5, output, journal=(b"first", b"second")))
        (written,) = self.world.committed(self.world.output)
        assert (written.value(), written.key(), written.partition()) == (b"value", b"key", 1)
        assert written.headers() == [("name", b"1"), ("name", None)]
        assert list(member.transport.read_journal(1)) == [(marks[1], b"first"), (marks[1] + 1, b"second")]
        self.dismiss(member)
        assert self.settled("b").owned[self.first] == 5

    def test_reading_goes_on_where_the_owner_says_and_repeats_nothing(self):
        self.world.produce(self.world.events, 0, *[b"%d" % number for number in range(6)])
        member = self.settled("a")
        member.transport.commit(self.batch(4))
        self.dismiss(member)
        successor = self.settled("b")
        self.until(lambda: successor.records[self.first], "it goes on", successor)
        self.until(lambda: self.first in successor.at_end, "to the end", successor)
        assert successor.values(self.first) == [b"4", b"5"]
        assert self.first not in successor.starts

    def test_outputs_of_one_key_come_to_one_partition_and_empty_values_are_kept(self):
        member = self.settled("a")
        outputs = [
            Output(self.world.output, None if n == 3 else b"%d" % n, b"k%d" % (n % 4)) for n in range(40)
        ]
        member.transport.commit(self.batch(0, *outputs))
        written = self.world.committed(self.world.output)
        places = {(record.key(), record.partition()) for record in written}
        assert len(places) == 4
        assert {partition for _, partition in places} <= {0, 1}
        assert sum(record.value() is None for record in written) == 1
        assert len(written) == 40

    def test_positions_of_gate_and_watch_move_in_one_transaction(self):
        member = self.settled("a")
        facts = [Output(self.world.facts, b"fact", partition=0)]
        both = Transaction(facts, {0: [b"watch"], 2: [b"gate"]}, {self.second: 0, self.facts: 0})
        marks = member.transport.commit(both)
        assert marks.keys() == {0, 2}
        assert (self.journalled(member, 0), self.journalled(member, 2)) == ([b"watch"], [b"gate"])
        self.until(lambda: member.records[self.facts], "its own facts are read")
        assert member.values(self.facts) == [b"fact"]

    def test_positions_skip_the_markers_once_the_end_is_reached(self):
        member = self.settled("a")
        for _ in range(2):
            member.transport.commit(self.batch(0, Output(self.world.facts, b"fact", partition=0)))
        self.until(
            lambda: len(member.records[self.facts]) == 2 and self.facts in member.at_end,
            "the facts' end is told",
        )
        assert member.positions[self.facts] == 4

    def test_what_is_too_large_is_refused_for_good_and_leaves_nothing(self):
        member = self.settled("a")
        small, large = (Output(self.world.output, b"x" * size, partition=0) for size in (10, 9_000_000))
        with pytest.raises(Retry) as refused:
            member.transport.commit(self.batch(1, small, large))
        assert refused.value.permanent
        assert self.world.committed(self.world.output) == []
        assert self.journalled(member) == []
        member.transport.commit(self.batch(1, small))
        assert len(self.world.committed(self.world.output)) == 1

    def test_a_newer_member_with_the_same_name_fences_the_older(self):
        old = self.settled("a")
        new = self.join("a")
        with pytest.raises(Fenced):
            old.transport.commit(self.batch(1, Output(self.world.output, b"old", partition=0)))
        self.dismiss(old)
        self.until(lambda: len(new.owned) == 3, "the newer one owns everything", new)
        assert new.owned[self.first] is None
        assert self.world.committed(self.world.output) == []

    def test_the_older_of_two_members_with_one_name_is_told_by_its_poll(self):
        old = self.settled("a")
        new = self.join("a")
        with pytest.raises(Fenced):
            self.until(lambda: False, "the older one is told")
        self.dismiss(old)
        self.until(lambda: len(new.owned) == 3, "the newer one owns everything", new)

    # ── partitions come and go ──────────────────────────────────────────────────────────────────────────────────

    def test_a_second_member_gets_its_share_and_no_partition_has_two_owners(self):
        one = self.settled("a")
        other = self.join("b")

        def shared() -> bool:
            assert not one.owned.keys() & other.owned.keys(), "a partition has two owners"
            return len(one.owned) + len(other.owned) == 3 and len(other.owned) > 0

        self.until(shared, "they share")
        moved = next(iter(other.owned))
        assert ("revoked", moved) in one.told

    def test_a_member_that_leaves_hands_its_partitions_over(self):
        one = self.settled("a")
        other = self.join("b")
        self.until(lambda: len(one.owned) + len(other.owned) == 3 and other.owned, "they share")
        self.dismiss(one)
        assert one.owned == {}
        self.until(lambda: len(other.owned) == 3, "the one that stays owns everything", other)

    def test_who_comes_back_under_its_name_has_its_partitions_at_once_and_the_other_keeps_its_own(self):
        one = self.settled("a")
        other = self.join("b")
        self.until(lambda: len(one.owned) + len(other.owned) == 3 and other.owned, "they share")
        before, kept, told = set(one.owned), set(other.owned), len(other.told)
        self.members.remove(one)
        one.transport.close(for_good=False)
        again, started = self.join("a"), self.world.now()
        self.until(lambda: set(again.owned) == before, "it has what it had", again, other)
        assert self.world.now() - started < 5  # half a session
        assert set(other.owned) == kept
        assert len(other.told) == told

    def test_members_that_all_leave_in_the_middle_of_a_rebalance_leave_at_once(self):
        members = [self.settled("a"), self.join("b")]
        self.until(lambda: members[1].owned, "they share")
        started = self.world.now()
        for member in members:
            self.dismiss(member)
        assert self.world.now() - started < 10

    def test_partitions_of_a_dead_member_move_on(self):
        self.world.produce(self.world.events, 0, b"0", b"1")
        dead = self.settled("a")
        dead.transport.commit(self.batch(1))
        self.members.remove(dead)
        self.world.kill(dead.transport)
        heir = self.settled("b")
        assert heir.owned[self.first] == 1

    def test_an_heir_does_not_see_what_a_dead_member_left_open(self):
        self.world.produce(self.world.events, 0, b"0", b"1")
        dead = self.settled("a")
        dead.transport.commit(self.batch(1, journal=(b"counts",)))
        self.members.remove(dead)
        hanging = self.batch(2, Output(self.world.output, b"hangs", partition=0), journal=(b"hangs",))
        self.world.write_and_die(dead.transport, hanging)
        heir = self.join("b")
        journals: list[list[bytes | None]] = []

        def restore(partition: Partition, committed: int | None) -> int | None:
            if partition == self.first:
                journals.append(self.journalled(heir))
            return committed

        heir.restore = restore
        self.until(lambda: len(heir.owned) == 3, "the heir owns everything", heir)
        assert (heir.owned[self.first], journals[-1]) == (1, [b"counts"])
        heir.transport.commit(self.batch(2, Output(self.world.output, b"mine", partition=0)))
        assert [record.value() for record in self.world.committed(self.world.output)] == [b"mine"]

    def test_a_restart_under_the_same_name_ends_what_it_left_open(self):
        dead = self.settled("a")
        self.members.remove(dead)
        self.world.write_and_die(dead.transport, self.batch(1, journal=(b"hangs",)))
        again = self.join("a")
        assert self.journalled(again) == []
        self.until(lambda: len(again.owned) == 3, "it owns everything again", again)
        assert again.owned[self.first] is None

    @pytest.mark.parametrize("error", [Fenced("not now"), Fatal("never")])
    def test_what_the_owner_raises_comes_out_of_the_poll(self, error):
        member = self.join("a")

        def refuse(partition: Partition, committed: int | None) -> int | None:
            raise error

        member.restore = refuse
        with pytest.raises(type(error), match=str(error)):
            self.until(lambda: False, "the poll raises", member)

    # ── the journal ─────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_journal_is_read_from_its_beginning_to_its_end(self):
        member = self.settled("a")
        for number in range(3):
            member.transport.commit(self.batch(number, journal=(b"%d" % number, b"more")))
        assert self.journalled(member) == [b"0", b"more", b"1", b"more", b"2", b"more"]
        assert self.journalled(member, 2) == []

    def test_a_trimmed_journal_begins_at_the_mark(self):
        member = self.settled("a")
        marks = [member.transport.commit(self.batch(n, journal=(b"%d" % n,)))[1] for n in range(4)]
        member.transport.trim({1: marks[2]}, {})
        deadline = self.world.now() + self.world.patience_seconds
        while len(self.journalled(member)) > 2:
            assert self.world.now() < deadline
            member.poll()
        assert list(member.transport.read_journal(1)) == [(marks[2], b"2"), (marks[3], b"3")]

    def test_trimmed_facts_are_gone(self):
        self.world.produce(self.world.facts, 0, b"0", b"1", b"2")
        member = self.settled("a")
        self.until(lambda: len(member.records[self.facts]) == 3, "the facts are read")
        member.transport.trim({}, {self.facts: 2})
        self.until(lambda: len(self.world.committed(self.world.facts)) == 1, "they are gone")

    def test_closing_twice_is_no_error(self):
        member = self.join("a")
        member.transport.close()
        member.transport.close()
