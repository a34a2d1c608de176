"""Exactly once: however processes die, hang, wake up and lose their broker, the numbers are those of the batch query.

`make schedules` runs tens of thousands of such schedules; here are some hundreds, the same ones each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from consumer.tasks.gate import GateTask
from tests.schedules.checks import check, small_limits
from tests.schedules.drawn import Schedule, Stream, runs
from tests.schedules.parts import IN_A_PART, Part, run

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAMS = 25
Drawn = tuple[Stream, list[Schedule]]


@pytest.fixture(scope="module", autouse=True)
def limits() -> Iterator[None]:
    with small_limits():
        yield


@settings(max_examples=STREAMS, suppress_health_check=list(HealthCheck))
@given(runs(keyed=True))
def test_no_fault_of_processes_or_broker_changes_a_number(drawn: Drawn) -> None:
    check(*drawn)


@settings(max_examples=STREAMS, suppress_health_check=list(HealthCheck))
@given(runs(keyed=False))
def test_nor_does_one_where_the_events_of_a_client_lie_in_any_partitions(drawn: Drawn) -> None:
    check(*drawn)


def test_a_part_counts_what_happened_in_its_schedules():
    _, happened, wrong = run(Part(1, 1))
    assert not wrong
    assert happened["schedules"] == IN_A_PART
    assert min(happened["killed"], happened["commit_answer_lost"], happened["commits"]) > 0


def test_a_gate_that_forgets_its_sessions_when_it_dies_is_found_and_found_again(
    monkeypatch: pytest.MonkeyPatch,
):
    def forgets(task: GateTask) -> None:
        task._chain.finish()
        task.sessions.clear()

    monkeypatch.setattr(GateTask, "restored", forgets)
    found = run(Part(1, 0))
    assert "AssertionError" in found[2]
    assert "in Schedule(seed=" in found[2]
    assert run(Part(1, 0))[1] == found[1]
