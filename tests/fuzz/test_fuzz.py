"""Hostile input: a short, seeded share of `make fuzz` for each target, and of the poison; and that the oracle sees faults."""

from __future__ import annotations

import pytest

from consumer.core.record import Output, StoredRecord
from consumer.tasks.task import Moment
from tests.fuzz import poison
from tests.fuzz.engine import Source, Trial, run_plain, written
from tests.fuzz.oracle import NUMBER, WrongError, conserved, sentence
from tests.fuzz.target import OPTIONS, WALL_MS, Target, new_gate
from tests.fuzz.targets import TARGETS

INPUTS = 400
"""For all targets together: a second or two."""


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_crashes_and_loses_nothing(name):
    outcome = run_plain(name, 10 + 2 * INPUTS * TARGETS[name].share // 100, seed=7)
    assert not outcome.failures, outcome.failures[0]
    assert outcome.fine


@pytest.mark.parametrize("case", ["garbage", "client", "clients", "minute", "names", "time"])
def test_poison_in_quantity_is_counted_and_kept_within_bounds(case):
    result = poison.one(case, 0.002)
    assert (result.lost, result.wrong) == (0, "")


def test_the_same_seed_draws_the_same_inputs():
    first, second = (Source(TARGETS["decode"](), 3) for _ in range(2))
    assert [first.next() for _ in range(60)] == [second.next() for _ in range(60)]


class Faulty(Target):
    name = "faulty"

    def draw(self, grammar):  # noqa: ARG002 - a target's
        return b""

    def run(self, data):
        if data == b"crash":
            raise KeyError(data)
        if data == b"broken":
            raise WrongError("a promise")
        if data == b"hang":
            while True:
                pass


def test_crashes_hangs_and_broken_promises_are_told_apart_and_kept_once(monkeypatch):
    monkeypatch.setattr("tests.fuzz.engine.MOST_SECONDS", 0.05)
    trial = Trial(Faulty())
    for data in (b"fine", b"crash", b"crash", b"broken", b"hang"):
        trial.try_one(data)
    outcome = trial.outcome(guided=False)
    assert (outcome.inputs, outcome.crashes, outcome.hangs, outcome.broken) == (5, 2, 1, 1)
    assert [failure.data for failure in outcome.failures] == [b"crash", b"broken", b"hang"]
    assert not outcome.fine
    assert b"crash".hex() in written(outcome)


def test_a_record_that_is_lost_doubled_or_altered_is_noticed():
    records = [
        StoredRecord(value, b"k", headers=[(NUMBER, b"%d" % n)]) for n, value in enumerate((b"x", b"{}"))
    ]
    decision = new_gate().decide(records, Moment(WALL_MS, 2))
    conserved(records, (), decision, OPTIONS)
    letters = [n for n, output in enumerate(decision.outputs) if output.topic == OPTIONS.dead_letter_topic]
    lost = decision.outputs.pop(letters[0])
    with pytest.raises(WrongError, match="each once"):
        conserved(records, (), decision, OPTIONS)
    decision.outputs.append(Output(lost.topic, b"y", lost.key, lost.headers))
    with pytest.raises(WrongError, match="bytes"):
        conserved(records, (), decision, OPTIONS)
    decision.outputs[-1:] = [lost, lost]
    with pytest.raises(WrongError, match="each once"):
        conserved(records, (), decision, OPTIONS)


@pytest.mark.parametrize("text", ["", "two\nlines", "\x1b[31m", "x" * 3_000])
def test_an_error_that_is_not_one_printable_line_is_noticed(text):
    with pytest.raises(WrongError):
        sentence(text)
