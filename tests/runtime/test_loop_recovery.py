"""What the loop does about each of the three errors, on a simulated Kafka where they come exactly when told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from consumer.runtime.transport import Fatal, Fenced
from tests.day_numbers import latest_receipts
from tests.one_process import EVENTS, FACTS, JOURNAL, OneProcess, Scripted, five_visits, visit
from tests.simulated_transport import Undisturbed

if TYPE_CHECKING:
    from tests.simulated_kafka import SimulatedKafka


@pytest.fixture
def kafka() -> SimulatedKafka:
    return five_visits()


def test_an_answer_that_was_lost_is_not_guessed_but_looked_up(kafka):
    process = OneProcess(kafka, Scripted(kafka, commit_answer_lost=1))
    process.run(20)
    assert [error.outcome for error in process.recovered] == ["unknown"]
    assert kafka.offsets[EVENTS] == 5
    assert events_of_the_day(kafka) == 5


def events_of_the_day(kafka: SimulatedKafka) -> int:
    """What a reader of the receipts is told."""
    return latest_receipts(kafka.committed_records("sluice.days"))["2025-02-27"].counts.events


def test_a_refused_batch_is_tried_again_together_with_what_came_since(kafka):
    process = OneProcess(kafka, Scripted(kafka, commit_refused=3))
    process.run(4)
    kafka.logs[EVENTS].append(visit(5))
    process.run(20)
    assert process.aborts == 3
    assert process.recovered == []
    assert events_of_the_day(kafka) == 6


def test_a_transaction_that_is_too_large_stops_the_process_after_three_attempts(kafka):
    process = OneProcess(kafka)
    kafka.logs[EVENTS].append(b"x" * 1_100_000)
    with pytest.raises(Fatal, match="refused 3 times"):
        process.run(20)
    assert process.aborts == 2
    assert EVENTS not in kafka.offsets


def test_no_number_of_lost_connections_is_taken_for_a_second_process_of_the_name(kafka):
    fate = Scripted(kafka, connection_lost=9)
    process = OneProcess(kafka, fate)
    process.run(12)
    kafka.init_transactions("one")
    kafka.logs[EVENTS].append(visit(7))
    process.run(20)
    assert Counter(error.outcome for error in process.recovered)["lost"] == 9
    assert kafka.offsets[EVENTS] == 6


def test_waits_between_attempts_to_connect_double_up_to_five_seconds(kafka):
    process = OneProcess(kafka, Scripted(kafka, connection_lost=10))
    process.run(30)
    assert process.waited[:10] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_being_fenced_again_and_again_names_the_setting_to_change(kafka):
    class Usurped(Undisturbed):
        def step(self, place):
            if place == "commit":
                kafka.init_transactions("one")

    process = OneProcess(kafka, Usurped(kafka))
    with pytest.raises(Fatal, match="setting `instance`"):
        process.run(200)
    assert len(process.recovered) == 5
    assert EVENTS not in kafka.offsets


def test_a_twin_that_lets_it_commit_now_and_then_is_found_out_as_well(kafka):
    class Twin(Undisturbed):
        """Puts the process out of the group at each second commit, a second after it."""

        def step(self, place):
            if place == "commit":
                self.commits = getattr(self, "commits", 0) + 1
                kafka.advance(0.5)
                kafka.logs[EVENTS].append(visit(7))
                if self.commits % 2 == 0:
                    kafka.init_transactions("one")

    process = OneProcess(kafka, Twin(kafka))
    with pytest.raises(Fatal, match="another process uses the same instance name"):
        process.run(200)
    assert len(process.recovered) == 5
    assert kafka.offsets[EVENTS] > 5


def test_a_broker_that_ends_a_transaction_now_and_then_is_no_twin(kafka):
    class SlowNowAndThen(Undisturbed):
        def step(self, place):
            if place == "commit":
                self.commits = getattr(self, "commits", 0) + 1
                kafka.advance(5)
                kafka.logs[EVENTS].append(visit(7))
                if self.commits % 2 == 0:
                    kafka.init_transactions("one")

    process = OneProcess(kafka, SlowNowAndThen(kafka))
    process.run(100)
    assert len(process.recovered) > 6


def test_a_name_that_nobody_else_can_have_goes_on_however_often_it_is_fenced(kafka):
    class SlowBroker(Undisturbed):
        """The transaction's time is up before the commit is asked for, again and again."""

        left = 20

        def step(self, place):
            if place == "commit" and self.left:
                self.left -= 1
                kafka.init_transactions("one")

    process = OneProcess(kafka, SlowBroker(kafka))
    process.loop._options = replace(process.loop._options, most_fenced=0)
    process.run(200)
    assert len(process.recovered) == 20
    assert events_of_the_day(kafka) == 5


def test_who_has_to_leave_the_group_does_so_before_it_joins_anew(kafka):
    left = []

    class Overlooked(Undisturbed):
        """Partitions are found that nobody works on, after a while."""

        polls = 0

        def step(self, place):
            self.polls += place == "poll"
            if self.polls == 5:
                self.polls += 1
                raise Fenced("nobody works on some", outcome="lost", leaves=True)

    process = OneProcess(kafka, Overlooked(kafka))
    leave = kafka.group.leave
    kafka.group.leave = lambda member: (left.append(member), leave(member))
    process.run(40)
    assert [error.leaves for error in process.recovered] == [True]
    assert len(left) == 2  # once to come back, once at the end
    assert events_of_the_day(kafka) == 5


def test_an_offset_that_somebody_moved_stops_the_process_and_is_named(kafka):
    process = OneProcess(kafka)
    process.run(10)
    assert kafka.offsets[EVENTS] == 5
    kafka.offsets[EVENTS] = 2
    with pytest.raises(Fatal, match="stands at offset 5, the group at 2"):
        process.run(10)


def test_a_process_that_was_overtaken_between_offset_and_journal_looks_again(kafka):
    class Overtaken(Undisturbed):
        """Stopped after it has asked for the committed offset; meanwhile another process takes over and goes on."""

        def step(self, place):
            if place == "assign" and not self.stopped:
                self.stopped = True
                kafka.advance(11)
                OneProcess(kafka).run(10)
                self.stopped = False

    fate = Overtaken(kafka)
    process = OneProcess(kafka, fate)
    process.run(3)
    assert kafka.offsets[EVENTS] == 5
    fate.step = Undisturbed(kafka).step
    process.run(10)
    assert events_of_the_day(kafka) == 5


def test_a_lost_offset_is_found_in_the_journal(kafka):
    OneProcess(kafka).run(10)
    del kafka.offsets[EVENTS]
    kafka.logs[EVENTS].append(visit(6))
    OneProcess(kafka).run(10)
    assert kafka.offsets[EVENTS] == 6
    assert events_of_the_day(kafka) == 6


def test_a_journal_that_is_gone_stops_the_process_and_is_named(kafka):
    OneProcess(kafka).run(10)
    kafka.logs[JOURNAL].delete_below(kafka.logs[JOURNAL].end)
    with pytest.raises(Fatal, match=r"events\[0\] was read up to offset 5, but its journal is empty"):
        OneProcess(kafka).run(10)


@pytest.mark.parametrize("value", [b"not ours", None, b'{"kind": "gate"}'])
def test_foreign_records_among_the_facts_stop_the_process_with_a_sentence(kafka, value):
    kafka.logs[FACTS].append(value)
    with pytest.raises(Fatal, match=r"sluice.facts\[0\] cannot be read"):
        OneProcess(kafka).run(30)


def test_foreign_records_among_the_facts_stop_a_process_whose_gates_still_commit(kafka):
    class Busy(Undisturbed):
        def step(self, place):
            if place == "poll":
                kafka.logs[EVENTS].append(visit(9))

    kafka.logs[FACTS].append(b"not ours")
    with pytest.raises(Fatal, match=r"sluice.facts\[0\] cannot be read"):
        OneProcess(kafka, Busy(kafka), most_records=1).run(200)


def test_foreign_records_in_the_journal_stop_the_process_with_a_sentence(kafka):
    kafka.logs[JOURNAL].append(b"not ours")
    with pytest.raises(Fatal, match=r"the journal of events\[0\] .* is damaged"):
        OneProcess(kafka).run(30)
