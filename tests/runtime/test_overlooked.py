"""Partitions that nobody works on are said, and dealt out anew where that costs nobody else anything."""

from itertools import pairwise

import pytest

from consumer.runtime.kafka.marks import Mark
from consumer.runtime.overlooked import FRESH_SECONDS, Overlooked
from consumer.runtime.transport import Partition

PATIENCE = 60.0
FIRST, SECOND, FACTS = Partition("events", 0), Partition("events", 1), Partition("facts", 0)


class Sight:
    """A process that looks every ten seconds. `works`: who commits what; `ends`: where partitions end."""

    def __init__(self, marked=("events",), growing=("facts",)):
        self.overlooked = Overlooked("me", marked, growing, PATIENCE)
        self.now = 1_000.0
        self.overlooked.settled(self.now)
        self.commits = 0
        self.ends = {FIRST: 0, SECOND: 0}

    def go_on(self, seconds, works, alone=(), own=None):
        """The first reason to leave within so many seconds, if there is one. `own`: what we have, if not what we work on."""
        mine = [at for at, name in works.items() if name == "me"] if own is None else own
        until = self.now + seconds
        while self.now < until:
            self.now += 10
            self.commits += 1
            marks = {at: Mark(name, {}, self.commits) for at, name in works.items()}
            self.overlooked.look({**dict.fromkeys(alone), **marks}, self.ends.get, self.now)
            if reason := self.overlooked.reason_to_leave(self.now, mine):
                return reason
        return ""


@pytest.fixture
def sight():
    return Sight()


def test_where_every_partition_has_an_owner_nothing_is_said(sight):
    assert sight.go_on(4_000, {FIRST: "me", SECOND: "you"}) == ""
    assert sight.overlooked.sentence() == ""


def test_who_is_alone_leaves_for_an_input_partition_that_nobody_works_on_though_nothing_comes(sight):
    reason = sight.go_on(PATIENCE + 20, {FIRST: "me"}, alone=[SECOND])
    assert reason.startswith("nobody has worked on events[1] for 60 s")


def test_a_partition_whose_owner_is_gone_counts_from_its_last_mark(sight):
    sight.go_on(300, {FIRST: "me", SECOND: "you"})
    was = sight.now
    assert sight.go_on(PATIENCE - 10, {FIRST: "me"}, alone=[SECOND]) == ""
    assert "events[1]" in sight.go_on(60, {FIRST: "me"}, alone=[SECOND])
    assert sight.now >= was + PATIENCE


def test_where_others_work_it_is_said_and_nobody_leaves(sight):
    third = Partition("events", 2)
    sight.ends[third] = 0
    assert sight.go_on(4_000, {FIRST: "you", SECOND: "me"}, alone=[third]) == ""
    assert sight.overlooked.sentence().startswith("events[2]: not worked on for 60 s;")
    sight.go_on(20, {FIRST: "you", SECOND: "me", third: "you"})
    assert sight.overlooked.sentence() == ""


def test_who_works_on_nothing_of_its_own_has_something_else_the_matter(sight):
    assert sight.go_on(4_000, {}, alone=[FIRST, SECOND], own=[FIRST]) == ""


def test_what_one_has_oneself_is_never_overlooked(sight):
    assert sight.go_on(4_000, {FIRST: "me"}, alone=[SECOND], own=[FIRST, SECOND]) == ""
    assert sight.overlooked.sentence() == ""


def test_who_was_given_nothing_though_nobody_works_leaves(sight):
    assert sight.go_on(300, {}, alone=[FIRST, SECOND])


def test_a_partition_that_nobody_could_work_on_is_not_overlooked(sight):
    del sight.ends[SECOND]
    assert sight.go_on(4_000, {FIRST: "me"}, alone=[SECOND]) == ""


def test_facts_that_do_not_grow_need_no_owner(sight):
    sight.ends[FACTS] = 7
    assert sight.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""
    sight.ends[FACTS] = 8
    was = sight.now
    assert "facts[0]" in sight.go_on(100, {FIRST: "me"}, alone=[FACTS])
    assert sight.now >= was + PATIENCE


def test_facts_that_grow_by_a_marker_alone_while_no_gate_works_need_no_owner():
    watch = Sight(marked=())
    watch.ends[FACTS] = 7
    watch.go_on(100, {FIRST: "you"}, alone=[FACTS])
    watch.ends[FACTS] = 8
    assert watch.go_on(4_000, {}, alone=[FIRST, FACTS]) == ""


def test_facts_that_have_just_come_after_a_long_silence_wait_for_their_owner(sight):
    sight.ends[FACTS] = 7
    sight.go_on(600, {FIRST: "me", FACTS: "you"})
    assert sight.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""
    sight.ends[FACTS] = 8
    assert sight.go_on(20, {FIRST: "me"}, alone=[FACTS]) == ""
    assert sight.go_on(10, {FIRST: "me", FACTS: "you"}) == ""
    assert sight.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""


def test_a_process_leaves_only_for_what_it_reads_itself():
    gate = Sight(growing=())
    gate.ends[FACTS] = 1
    gate.go_on(30, {FIRST: "me"}, alone=[FACTS])
    gate.ends[FACTS] = 2
    assert gate.go_on(600, {FIRST: "me"}, alone=[FACTS]) == ""
    watch = Sight(marked=())
    assert watch.go_on(600, {FACTS: "me"}, alone=[FIRST]) == ""


def test_who_has_just_been_given_partitions_has_time_to_begin(sight):
    sight.go_on(PATIENCE - 10, {FIRST: "me"}, alone=[SECOND])
    sight.overlooked.settled(sight.now)
    was = sight.now
    assert sight.go_on(600, {FIRST: "me"}, alone=[SECOND])
    assert sight.now >= was + PATIENCE


def test_who_stood_still_begins_to_count_anew(sight):
    sight.go_on(PATIENCE - 10, {FIRST: "me"}, alone=[SECOND])
    sight.now += 3 * FRESH_SECONDS
    was = sight.now
    assert sight.go_on(600, {FIRST: "me"}, alone=[SECOND])
    assert sight.now >= was + PATIENCE


def test_what_was_seen_long_ago_is_no_reason(sight):
    sight.overlooked.settled(sight.now + PATIENCE)
    sight.go_on(PATIENCE + 30, {FIRST: "me"}, alone=[SECOND])
    assert sight.overlooked.reason_to_leave(sight.now + PATIENCE, [FIRST]) == ""


def test_where_leaving_does_not_help_it_is_tried_ever_more_seldom(sight):
    tries = []
    for _ in range(6):
        assert sight.go_on(10_000, {FIRST: "me"}, alone=[SECOND])
        tries.append(sight.now)
        sight.overlooked.settled(sight.now)
    pauses = [late - early for early, late in pairwise(tries)]
    assert all(late >= 2 * early - 20 for early, late in pairwise(pauses[1:]))


def test_after_it_has_helped_the_next_time_is_as_soon_as_the_first(sight):
    for _ in range(4):
        assert sight.go_on(3_000, {FIRST: "me"}, alone=[SECOND])
        sight.overlooked.settled(sight.now)
    sight.go_on(1_000, {FIRST: "me", SECOND: "me"})
    assert sight.go_on(PATIENCE + 20, {FIRST: "me"}, alone=[SECOND])


def test_who_is_connecting_has_nothing_to_leave(sight):
    sight.overlooked.connects()
    assert sight.go_on(3_000, {FIRST: "me"}, alone=[SECOND]) == ""
