"""A constant share that jumps is seen after a run; bursts, noise and constant data are not jumps."""

from __future__ import annotations

from math import isfinite, log
from random import Random
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.fields import Passing
from detectors.schema_jump import (
    Day,
    Jump,
    JumpOptions,
    JumpState,
    begin,
    catch_up,
    follow,
    normal,
    step,
    threshold,
    turn,
)
from detectors.schema_numbers import TALLIES

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTIONS = JumpOptions()


def steady(minutes: int, hits: int, trials: int, options: JumpOptions = OPTIONS) -> JumpState:
    state = JumpState()
    for minute in range(minutes):
        step(state, options, minute, hits, trials)
    return state


def first(state: JumpState, options: JumpOptions, start: int, rows: list[tuple[int, int]]) -> Jump | None:
    for i, (hits, trials) in enumerate(rows):
        jump = step(state, options, start + i, hits, trials)
        if jump is not None:
            return jump
    return None


def test_a_run_of_about_a_dozen_without_a_field_that_was_always_there_fires() -> None:
    jump = first(steady(3 * 1440, 0, 3), OPTIONS, 3 * 1440, [(3, 3)] * 20)
    assert jump is not None
    assert jump.since == 3 * 1440
    assert 12 <= jump.trials <= 15


def test_a_field_that_fewer_carry_takes_the_longer_run() -> None:
    def run(hits: int) -> int:
        jump = first(steady(5 * 1440, hits, 10), OPTIONS, 5 * 1440, [(10, 10)] * 300)
        assert jump is not None
        return jump.trials

    lengths = [run(hits) for hits in (0, 2, 5, 6)]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 3 * lengths[0]


def test_a_field_that_nearly_none_carries_never_fires() -> None:
    assert first(steady(5 * 1440, 19, 20), OPTIONS, 5 * 1440, [(20, 20)] * 3000) is None


@given(passed=st.lists(st.integers(0, 20), max_size=50), hits=st.integers(1, 3))
def test_minutes_without_hits_bring_sums_down_as_far_together_as_one_by_one(
    passed: list[int], hits: int
) -> None:
    start = 3 * 1440
    by_minute, together, turned = (JumpState(first=0, days=[Day(0, 0, 3500)]) for _ in range(3))
    for state in (by_minute, together, turned):
        step(state, OPTIONS, start, hits, 3)
        assert state.climbs
        state.seen = 3
    for minute, trials in enumerate(passed, start + 1):
        step(by_minute, OPTIONS, minute, 0, trials)
    catch_up(together, OPTIONS, Passing(start // 60, 3 + sum(passed), 3 + sum(passed)))
    turn(turned, OPTIONS, start // 60, 3 + sum(passed), start + 60)
    for state in (together, turned):
        assert state.hours == by_minute.hours
        for climb, other in zip(state.climbs, by_minute.climbs, strict=True):
            assert abs(climb.sum - other.sum) < 1e-9
            assert (climb.since, climb.hits, climb.trials, climb.minutes) == (
                other.since,
                other.hits,
                other.trials,
                other.minutes,
            )


def test_without_history_there_is_no_normal_and_no_jump() -> None:
    state = JumpState()
    assert normal(state, OPTIONS) is None
    assert first(state, OPTIONS, 0, [(3, 3)] * 2000) is None


def invalid_of(runs: Iterable[Iterable[int]], one_of: int, history: int) -> list[int | None]:
    """Of each run of purchases (1: invalid), one an hour, the place of the one that fires; one of `one_of` was
    in the history before."""
    options = next(tally.options for tally in TALLIES if tally.kind == "purchase_invalid")
    places = []
    for run in runs:
        state = JumpState()
        for i in range(history):
            step(state, options, 60 * i, int(i % one_of == 5), 1)
        start = 60 * (history + 10)
        jumps = [step(state, options, start + 60 * i, hit, 1) for i, hit in enumerate(run)]
        places.append(next((i for i, jump in enumerate(jumps) if jump is not None), None))
    return places


def test_invalid_purchases_fire_by_how_rare_they_are_and_how_well_that_is_known() -> None:
    all_of, most_of = [1] * 8, [1, 1, 0, 1, 1, 1, 1, 1]
    assert invalid_of([all_of, most_of], 33, 300) == [2, 4]
    assert invalid_of([all_of, most_of], 12, 300) == [3, 5]
    assert invalid_of([all_of], 33, 20) == [4]


def test_invalid_purchases_of_one_minute_are_one() -> None:
    """A page that is loaded again and again says the same again and again."""
    options = next(tally.options for tally in TALLIES if tally.kind == "purchase_invalid")
    state = JumpState()
    for i in range(300):
        step(state, options, 60 * i, 0, 1)
    assert step(state, options, 60 * 310, 5, 5) is None


def test_false_alarms_on_independent_trials_are_further_apart_than_promised() -> None:
    """ARL of a CUSUM is at least e^h (Lorden 1971); counted here at a low threshold, where it can be."""
    options = JumpOptions(cluster=1.0, levels=(0.2,), least_hits=1, least_minutes=1, hourly=False)
    low = JumpOptions(
        cluster=1.0, levels=(0.2,), least_hits=1, least_minutes=1, hourly=False, quiet_years=0.01, looks=1
    )
    rng, state, alarms, minutes = Random(3), steady(3000, 0, 1, options), 0, 150_000
    for minute in range(3000, 3000 + minutes):
        if step(state, low, minute, int(rng.random() < 0.02), 1) is not None:
            alarms += 1
            state.climbs = []
    assert alarms <= 2 * minutes / (3.65 * 1440)
    assert threshold(state, low) < log(1440 * 365 * 0.011)


def test_an_incident_ends_when_the_share_is_back_and_not_by_a_lucky_quarter_of_an_hour() -> None:
    state = steady(3 * 1440, 0, 3)
    start = 3 * 1440
    jump = first(state, OPTIONS, start, [(3, 3)] * 20)
    assert jump is not None
    begin(state, jump, start + 5)
    for minute in range(start + 6, start + 200):
        step(state, OPTIONS, minute, 1, 3)
        assert follow(state, OPTIONS, minute, 1, 3) is None
    ended = []
    for minute in range(start + 200, start + 500):
        step(state, OPTIONS, minute, 0, 3)
        ended += [minute] if follow(state, OPTIONS, minute, 0, 3) is not None else []
    assert len(ended) == 1
    assert 15 <= ended[0] - start - 200 <= 180
    assert state.open is None


def test_what_belongs_to_an_incident_is_not_learned() -> None:
    state = steady(3 * 1440, 0, 3)
    before = normal(state, OPTIONS)
    jump = first(state, OPTIONS, 3 * 1440, [(3, 3)] * 20)
    assert jump is not None
    begin(state, jump, 3 * 1440 + 5)
    for minute in range(3 * 1440 + 6, 6 * 1440):
        step(state, OPTIONS, minute, 3, 3)
    after = normal(state, OPTIONS)
    assert before is not None
    assert after is not None
    assert after <= before


rows = st.lists(st.tuples(st.integers(-5, 10**9), st.integers(-5, 10**9), st.integers(1, 3000)), max_size=60)


@given(rows)
def test_whatever_comes_the_numbers_are_finite_memory_bounded_and_a_snapshot_answers_the_same(
    drawn: list[tuple[int, int, int]],
) -> None:
    state, minute = steady(700, 0, 3), 700
    for hits, trials, gap in drawn:
        minute += gap
        twin = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=JumpState)
        jump = step(state, OPTIONS, minute, hits, trials)
        assert jump == step(twin, OPTIONS, minute, hits, trials)
        assert follow(state, OPTIONS, minute, hits, trials) == follow(twin, OPTIONS, minute, hits, trials)
        if jump is not None:
            assert 0 <= jump.share <= 1
            assert jump.since <= minute
            begin(state, jump, minute)
        share = normal(state, OPTIONS)
        assert share is None or 0 < share < 1
        assert all(isfinite(climb.sum) for climb in state.climbs)
        assert len(state.days) <= 14
        assert len(state.hours) <= 26
        assert len(state.climbs) <= len(OPTIONS.levels)


@given(st.integers(0, 20), st.integers(0, 20))
def test_what_never_changes_is_never_a_jump(hits: int, more: int) -> None:
    state = JumpState()
    assert all(step(state, OPTIONS, minute, hits, hits + more) is None for minute in range(2000))
