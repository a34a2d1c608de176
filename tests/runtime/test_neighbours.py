"""Processes of one group that do not agree are told so; one that was replaced is not taken for a neighbour."""

import pytest
import structlog
from structlog.testing import LogCapture

from consumer.runtime.clock import SystemClock
from consumer.runtime.health import Health
from consumer.runtime.kafka.marks import Mark, Marker, _read
from consumer.runtime.metrics import Metrics
from consumer.runtime.neighbours import Neighbours
from consumer.runtime.overlooked import Overlooked
from consumer.runtime.transport import Partition

OWN = {"contract": "aa", "[time]": "bb"}
BERLIN = {"contract": "aa", "[time]": "cc"}
FIRST, SECOND = Partition("events", 0), Partition("events", 1)


def ours(commits):
    return Mark("me", OWN, commits)


def other(commits, made_with=BERLIN):
    return Mark("you", made_with, commits)


class Sight:
    """A process that looks at the marks that it is shown, one after the other."""

    def __init__(self):
        self.said = LogCapture()
        self.health = Health(60, 0)
        self.metrics = Metrics({}, (), ())
        self._shown = None
        log = structlog.wrap_logger(None, processors=[self.said])
        self.overlooked = Overlooked("me", ["events"], [], 180.0)
        self._neighbours = Neighbours(
            OWN, self, self.overlooked, SystemClock(), self.metrics, self.health, log
        )

    def read(self):
        return self._shown

    def end(self, partition):
        raise AssertionError(partition)

    def look(self, *shown):
        """What it says at the last of these."""
        for marks in shown:
            self.said.entries.clear()
            self._shown = marks
            self._neighbours.look()
        return [(entry["log_level"], entry["event"]) for entry in self.said.entries]

    @property
    def conflicts(self):
        return self.metrics.registry.get_sample_value("sluice_settings_conflicts")


@pytest.fixture
def sight():
    return Sight()


DISAGREE = ("error", "processes of one group do not agree")


def test_processes_that_agree_hear_nothing(sight):
    for commits in range(3):
        assert sight.look({FIRST: ours(commits), SECOND: other(commits, OWN)}) == []
    assert (sight.conflicts, sight.health.warnings()) == (0, [])


def test_a_living_process_with_other_settings_is_said_once_shown_as_long_as_it_lasts_and_called_off(sight):
    assert sight.look({FIRST: ours(1)}, {FIRST: ours(2), SECOND: other(1)}) == []
    assert sight.look({FIRST: ours(3), SECOND: other(2)}) == [DISAGREE]
    (sentence,) = sight.health.warnings()
    assert "instance you, on events[1]" in sentence
    assert "other values of [time]," in sentence
    assert sight.conflicts == 1
    assert sight.look({FIRST: ours(4), SECOND: other(3)}) == []
    assert sight.health.warnings() == [sentence]
    over = {FIRST: ours(5), SECOND: other(3)}
    assert sight.look(over) == [("info", "all processes of the group agree again")]
    assert (sight.conflicts, sight.health.warnings()) == (0, [])


def test_a_change_at_a_restart_is_noted_and_no_conflict(sight):
    assert sight.look({FIRST: other(7), SECOND: other(8)}) == [
        ("warning", "contract or settings have changed since the last process")
    ]
    assert sight.said.entries[0]["changed"] == ["[time]"]
    assert sight.look({FIRST: ours(1), SECOND: other(8)}) == []
    assert sight.look({FIRST: ours(2), SECOND: ours(1)}) == []
    assert sight.conflicts == 0


def test_no_answer_is_no_conclusion(sight):
    sight.look({FIRST: ours(1), SECOND: other(1)}, {FIRST: ours(2), SECOND: other(2)})
    assert sight.look(None) == []
    assert sight.conflicts == 1
    assert len(sight.health.warnings()) == 1


def test_what_another_version_does_not_know_differs(sight):
    newer = OWN | {"[robots]": "dd"}
    sight.look({FIRST: other(1, newer)}, {FIRST: other(2, newer)})
    assert "other values of [robots]," in sight.health.warnings()[0]


def test_a_mark_is_read_as_it_was_written_and_what_others_wrote_is_none():
    marker = Marker("me", OWN)
    assert [_read(marker.next()) for _ in range(2)] == [ours(1), ours(2)]
    assert [_read(text) for text in (None, "", "{}", "[1]", "\ud800", '{"instance": 1}')] == [None] * 6


def test_partitions_that_nobody_works_on_are_said_once_shown_as_long_as_it_lasts_and_called_off(sight):
    told = "events[1]: not worked on"
    sight.overlooked.sentence = lambda: told
    assert sight.look({FIRST: ours(1)}) == [("warning", "partitions are not worked on")]
    assert sight.look({FIRST: ours(2)}) == []
    assert sight.health.warnings() == [told]
    told = ""
    assert sight.look({FIRST: ours(3)}) == []
    assert sight.health.warnings() == []
