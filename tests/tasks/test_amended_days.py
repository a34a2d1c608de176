"""A closed day that late events change is judged as what it is then: numbers follow, times do not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from consumer.core.facts import MinuteFacts
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from tests.tasks.test_watch import HOUR_MS, MIDNIGHT, Watched

if TYPE_CHECKING:
    from consumer.core.days import Receipt
    from detectors.alerts import Alert
    from detectors.verdict import Check

FALLEN = 6
"""The day of which most visits come late."""
STEPS = range(0, 24 * 60, 10)


def name_of(day: int) -> str:
    return (date(2025, 2, 27) + timedelta(days=day)).isoformat()


def minutes_of(day: int, sessions: int = 10, events: int = 20) -> dict[int, MinuteFacts]:
    """A day of so many sessions and events each ten minutes, or a part of it."""
    start = (MIDNIGHT + day * DAY_MS) // MINUTE_MS
    return {start + step: MinuteFacts(events=events, sessions=sessions) for step in STEPS}


def live(watch: Watched, day: int, sessions: int = 10, hours: range = range(24)) -> None:
    """A day, or some of its hours, as it comes: two hours at a time."""
    minutes = minutes_of(day, sessions)
    for hour in hours[::2]:
        start, end = (MIDNIGHT + day * DAY_MS + at * HOUR_MS for at in (hour, hour + 2))
        watch.tell_minutes(end, {m: f for m, f in minutes.items() if start <= m * MINUTE_MS < end})


def close(watch: Watched, day: int) -> None:
    """The first two hours of the day after, in which the day closes."""
    live(watch, day + 1, hours=range(2))


@pytest.fixture
def fallen() -> Watched:
    """A watch that knows six good days, and one of which six visits in ten were missing when it closed."""
    watch = Watched()
    for day in range(FALLEN):
        live(watch, day)
    live(watch, FALLEN, 4)
    close(watch, FALLEN)
    return watch


def receipt(watch: Watched, day: int = FALLEN) -> Receipt:
    return watch.receipts[name_of(day)]


def check(watch: Watched, rule: str, day: int = FALLEN) -> Check:
    """What a rule says of a day by its numbers, not by an alert."""
    (found,) = [it for it in receipt(watch, day).checks if it.rule == rule and "z " in it.reason]
    return found


def alert(watch: Watched) -> Alert:
    return watch.alert("sessions_anomaly")


def late(watch: Watched, sessions: int, parts: int = 1) -> None:
    """So many sessions each ten minutes of the fallen day come after its closing, in so many reports."""
    minutes = minutes_of(FALLEN, sessions, events=1)
    now = MIDNIGHT + (FALLEN + 1) * DAY_MS + 2 * HOUR_MS
    names = sorted(minutes)
    for part in range(parts):
        watch.tell_minutes(now, {name: minutes[name] for name in names[part::parts]})


def test_a_day_that_fell_is_at_risk_and_its_alert_says_by_how_much(fallen):
    assert receipt(fallen).status == "at_risk"
    assert (alert(fallen).day, alert(fallen).value) == (name_of(FALLEN), 144 * 4)
    assert receipt(fallen).normal["sessions"].z < -3.5


@pytest.mark.parametrize("parts", [1, 3])
def test_a_day_whose_missing_visits_come_late_passes_and_says_so_in_its_numbers(fallen, parts):
    before = receipt(fallen)
    late(fallen, 6, parts)
    now = receipt(fallen)
    assert (now.metrics.sessions, now.counts.late) == (144 * 10, 144)
    assert abs(now.normal["sessions"].z) < 2
    assert now.revision == before.revision + parts
    assert check(fallen, "sessions_anomaly").result == "pass"
    withdrawn = {it.rule for it in now.checks if it.result == "note"}
    assert "sessions_anomaly" in withdrawn
    assert now.status == "pass"
    assert now.history[-1].reason == "late events"


def test_the_alert_of_an_amended_day_gets_its_new_numbers_and_keeps_its_times_and_its_state(fallen):
    before = alert(fallen)
    late(fallen, 6)
    now = alert(fallen)
    assert (now.id, now.state, now.severity) == (before.id, before.state, before.severity)
    assert (now.first_seen, now.opened_at, now.resolved_at) == (
        before.first_seen,
        before.opened_at,
        before.resolved_at,
    )
    assert (now.value, now.baseline_median) == (144 * 10, before.baseline_median)
    assert f"back to normal on {name_of(FALLEN)} with what came late: 1,440" in now.message


def test_a_few_late_events_do_not_make_a_fallen_day_a_good_one(fallen):
    late(fallen, 1)
    assert receipt(fallen).status == "at_risk"
    assert alert(fallen).value == 144 * 5
    assert "below normal" in alert(fallen).message


def test_late_events_open_no_alert_of_the_past_but_the_days_verdict_tells(watch_of_good_days):
    watch = watch_of_good_days
    known = set(watch.alerts)
    late(watch, 10)
    assert check(watch, "sessions_anomaly").result == "at_risk"
    assert receipt(watch).status == "at_risk"
    assert set(watch.alerts) == known


@pytest.fixture
def watch_of_good_days() -> Watched:
    watch = Watched()
    for day in range(FALLEN + 1):
        live(watch, day)
    close(watch, FALLEN)
    return watch


def test_the_numbers_of_an_alert_that_goes_on_are_those_of_the_last_day(fallen):
    live(fallen, FALLEN + 1, 4, range(2, 24))
    close(fallen, FALLEN + 1)
    before = alert(fallen)
    minutes = minutes_of(FALLEN, 6, events=1)
    fallen.tell_minutes(MIDNIGHT + (FALLEN + 2) * DAY_MS + 2 * HOUR_MS, minutes)
    assert check(fallen, "sessions_anomaly").result == "pass"
    assert (alert(fallen).value, alert(fallen).message) == (before.value, before.message)


@pytest.mark.parametrize("in_time", [4, 10])
def test_what_is_normal_rests_on_what_late_events_made_of_the_days(in_time):
    """Days of which six visits in ten came late are as good a baseline as others."""
    watch = Watched()
    for day in range(5):
        live(watch, day, in_time)
    for day in range(5):
        minutes = minutes_of(day, 10 - in_time, events=0)
        watch.tell_minutes(MIDNIGHT + 5 * DAY_MS + 2 * HOUR_MS, minutes)
    for day in (5, 6):
        live(watch, day)
    close(watch, 6)
    assert receipt(watch, 6).normal["sessions"].median == 1440


def test_an_amended_day_is_the_same_after_a_restart(fallen):
    twin = Watched()
    twin.journal, twin.sequence, twin.receipts, twin.alerts = (
        [*fallen.journal],
        {**fallen.sequence},
        {**fallen.receipts},
        {**fallen.alerts},
    )
    twin.restart()
    for watch in (fallen, twin):
        late(watch, 6)
        live(watch, FALLEN + 1, hours=range(2, 24))
        close(watch, FALLEN + 1)
    assert twin.receipts == fallen.receipts
    assert twin.alerts == fallen.alerts
