"""Partitions that nobody works on are dealt out anew: by one process, not too soon, and not again and again."""

from itertools import pairwise

import pytest

from consumer.runtime.kafka.marks import Mark
from consumer.runtime.overlooked import LONGEST_PAUSE_SECONDS, Overlooked
from consumer.runtime.transport import Partition

PATIENCE = 60.0
FIRST, SECOND, FACTS = Partition("events", 0), Partition("events", 1), Partition("facts", 0)


class Sight:
    """A process that looks every ten seconds. `works`: who commits what; `ends`: where partitions end."""

    def __init__(self, instance="me", **topics):
        self.overlooked = Overlooked(
            instance, topics.get("marked", ["events"]), topics.get("growing", ["facts"]), PATIENCE
        )
        self.now = 1_000.0
        self.overlooked.settled(self.now)
        self.commits = 0
        self.ends = {}

    def go_on(self, seconds, works, alone=()):
        """The first reason to leave within so many seconds, if there is one."""
        until = self.now + seconds
        while self.now < until:
            self.now += 10
            self.commits += 1
            marks = {at: Mark(name, {}, self.commits) for at, name in works.items()}
            self.overlooked.look({**dict.fromkeys(alone), **marks}, self.ends.get, self.now)
            if reason := self.overlooked.reason_to_leave(self.now):
                return reason
        return ""


@pytest.fixture
def sight():
    return Sight()


def test_where_every_partition_has_an_owner_nobody_leaves(sight):
    assert sight.go_on(4_000, {FIRST: "me", SECOND: "you"}) == ""


def test_an_input_partition_that_nobody_works_on_is_a_reason_to_leave_though_nothing_comes(sight):
    reason = sight.go_on(PATIENCE + 20, {FIRST: "me"}, alone=[SECOND])
    assert reason.startswith("nobody has worked on events[1] for 60 s")


def test_a_partition_whose_owner_is_gone_counts_from_its_last_mark(sight):
    sight.go_on(300, {FIRST: "me", SECOND: "you"})
    was = sight.now
    assert sight.go_on(PATIENCE - 10, {FIRST: "me"}, alone=[SECOND]) == ""
    assert "events[1]" in sight.go_on(60, {FIRST: "me"}, alone=[SECOND])
    assert sight.now >= was + PATIENCE


def test_of_all_that_see_it_one_leaves():
    me, you = Sight("me"), Sight("you")
    works = {FIRST: "you", SECOND: "me"}
    third = Partition("events", 2)
    assert me.go_on(300, works, alone=[third]) == ""
    assert "events[2]" in you.go_on(300, works, alone=[third])


def test_where_nobody_works_on_anything_everybody_leaves():
    for name in ("me", "you"):
        assert Sight(name).go_on(300, {}, alone=[FIRST, SECOND])


def test_facts_that_do_not_grow_need_no_owner(sight):
    sight.ends[FACTS] = 7
    assert sight.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""
    sight.ends[FACTS] = 8
    was = sight.now
    assert "facts[0]" in sight.go_on(100, {FIRST: "me"}, alone=[FACTS])
    assert sight.now >= was + PATIENCE


def test_facts_that_have_just_come_after_a_long_silence_wait_for_their_owner(sight):
    sight.ends[FACTS] = 7
    sight.go_on(600, {FIRST: "me", FACTS: "you"})
    assert sight.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""
    sight.ends[FACTS] = 8
    assert sight.go_on(20, {FIRST: "me"}, alone=[FACTS]) == ""
    assert sight.go_on(10, {FIRST: "me", FACTS: "you"}) == ""
    assert sight.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""


def test_where_a_partition_ends_may_stay_unanswered(sight):
    assert sight.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""


def test_a_process_leaves_only_for_what_it_reads_itself():
    gate = Sight(growing=[])
    gate.ends = {FACTS: 1}
    gate.go_on(30, {FIRST: "me"}, alone=[FACTS])
    gate.ends = {FACTS: 2}
    assert gate.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""
    watch = Sight(marked=[])
    assert watch.go_on(600, {FACTS: "me"}, alone=[FIRST]) == ""


def test_who_has_just_been_given_partitions_has_time_to_begin(sight):
    sight.go_on(PATIENCE - 10, {FIRST: "me"}, alone=[SECOND])
    sight.overlooked.settled(sight.now)
    was = sight.now
    assert sight.go_on(600, {FIRST: "me"}, alone=[SECOND])
    assert sight.now >= was + PATIENCE


def test_where_leaving_does_not_help_it_is_tried_ever_more_seldom(sight):
    tries = []
    for _ in range(9):
        assert sight.go_on(3 * LONGEST_PAUSE_SECONDS, {FIRST: "me"}, alone=[SECOND])
        tries.append(sight.now)
        sight.overlooked.settled(sight.now)
    pauses = [late - early for early, late in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (PATIENCE, LONGEST_PAUSE_SECONDS)


def test_after_it_has_helped_the_next_time_is_as_soon_as_the_first(sight):
    for _ in range(4):
        assert sight.go_on(3_000, {FIRST: "me"}, alone=[SECOND])
        sight.overlooked.settled(sight.now)
    sight.go_on(1_000, {FIRST: "me", SECOND: "me"})
    assert sight.go_on(PATIENCE + 20, {FIRST: "me"}, alone=[SECOND])


def test_who_is_not_connected_has_nothing_to_leave(sight):
    assert sight.go_on(300, {FIRST: "me"}, alone=[SECOND])
    assert sight.go_on(3_000, {FIRST: "me"}, alone=[SECOND]) == ""
