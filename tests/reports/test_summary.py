"""What a report says before any markup: which day, which usual values, which alerts."""

from decimal import Decimal

import msgspec
import pytest

from detectors.alerts import Severity
from detectors.verdict import Normal
from reports.render.summary import newest_day, summarise
from tests.reports.sample_state import NORMAL, alert, good_week, receipt


def line(receipts, metric="sessions", day=None):
    return next(line for line in summarise(receipts, [], day).metrics if line.metric == metric)


def test_the_usual_value_and_its_band_are_those_that_the_watch_judged_by():
    told = line(good_week())
    assert (told.usual, told.spread, told.band) == (
        Decimal(1010),
        Decimal(120),
        (Decimal(890), Decimal(1130)),
    )


@pytest.mark.parametrize(
    ("sessions", "place"), [(889, "low"), (890, "within"), (1130, "within"), (1131, "high")]
)
def test_a_value_beyond_its_band_is_low_or_high(sessions, place):
    assert line([receipt("2025-02-01", sessions=sessions, normal=NORMAL)]).place == place


def test_a_band_stays_within_what_is_possible():
    wide = {"sessions": Normal(10.0, 20.0, 0.0, 3), "direct_share": Normal(0.9, 0.2, 0.0, 3)}
    days = [receipt("2025-02-01", normal=wide)]
    assert line(days).band == (0, 50)
    assert line(days, "direct_share").band == (Decimal("0.5"), 1)


def test_without_a_baseline_it_is_said_how_many_days_there_are():
    days = [receipt(f"2025-02-0{n}", sessions=None if n < 3 else 5) for n in range(1, 8)]
    told = line(days)
    assert (told.usual, told.place, told.days) == (None, "unknown", 4)


@pytest.mark.parametrize("status", ["quarantined", "open"])
def test_a_day_that_may_not_be_used_does_not_count_for_the_baseline(status):
    days = good_week()
    assert line([receipt("2025-02-17", status=status), *days]).days == line(days).days


def test_last_week_is_the_same_weekday_unless_it_is_still_filling():
    days = [receipt("2025-02-18", sessions=7), receipt("2025-02-25")]
    assert line(days).last_week == 7
    assert line([receipt("2025-02-18", status="open"), days[1]]).last_week is None
    assert line([days[1]]).last_week is None
    assert line([receipt("0001-01-02")]).last_week is None


def test_the_newest_closed_day_is_chosen_else_the_newest_open_one():
    closed, early, late = (
        receipt("2025-02-01"),
        receipt("2025-02-02", status="open"),
        receipt("2025-02-03", status="open"),
    )
    assert newest_day([late, closed, early]) == closed
    assert newest_day([late, early]) == late
    assert newest_day([]) is None


def test_a_day_without_events_stands_in_the_calendar():
    recent = summarise([receipt("2025-02-01"), receipt("2025-02-04")], []).recent
    assert [(day, known is not None) for day, known in recent] == [
        ("2025-02-01", True),
        ("2025-02-02", False),
        ("2025-02-03", False),
        ("2025-02-04", True),
    ]


def test_the_calendar_goes_back_four_weeks_at_most():
    assert len(summarise([receipt("2024-02-01"), receipt("2025-02-04")], []).recent) == 28
    assert len(summarise([receipt("0001-01-01")], []).recent) == 1


def test_alerts_that_are_over_are_shown_for_their_own_day_only():
    over = [
        alert("a", state="expired", day="2025-02-24"),
        alert("b", state="resolved", day="2025-02-20", resolved_at="2025-02-21T09:00:00.000Z"),
    ]
    assert [i.alert.id for i in summarise(good_week(), over).over] == ["a"]


def test_an_incident_that_went_on_into_the_day_is_shown_though_it_began_before():
    went_on = alert(
        "a",
        kind="volume_drop",
        state="resolved",
        day="2025-02-23",
        first_seen="2025-02-23T22:00:00.000Z",
        resolved_at="2025-02-24T03:00:00.000Z",
    )
    days = [
        receipt("2025-02-23", ends="2025-02-24T00:00:00.000Z"),
        receipt("2025-02-24", ends="2025-02-25T00:00:00.000Z"),
    ]
    assert [i.alert.id for i in summarise(days, [went_on]).over] == ["a"]
    assert summarise(days, [msgspec.structs.replace(went_on, state="expired")]).over == ()


def test_what_was_not_known_before_the_day_is_new():
    known = [
        alert("a", opened_at="2025-02-23T23:59:00.000Z"),
        alert("b", opened_at="2025-02-24T00:00:00.000Z"),
    ]
    assert [(i.alert.id, i.new) for i in summarise(good_week(), known).open] == [("a", False), ("b", True)]


def test_a_symptom_follows_its_cause_however_loud_it_is():
    cause = alert("z", severity=Severity.P1_HIGH)
    symptom = alert("a", severity=Severity.P0_BLOCKER, caused_by="z")
    assert [i.alert.id for i in summarise([], [symptom, cause]).open] == ["z", "a"]


def test_two_that_name_each_other_as_cause_are_both_shown():
    pair = [alert("a", caused_by="b"), alert("b", caused_by="a")]
    assert sorted(i.alert.id for i in summarise([], pair).open) == ["a", "b"]


def test_what_is_held_back_stands_only_under_its_cause_also_when_both_are_over():
    cause = alert("a", explains=["b", "c"])
    held = [alert("b", state="inhibited", caused_by="a"), alert("c", state="resolved", caused_by="a")]
    (told,) = summarise(good_week(), [cause, *held], "2025-02-24").open
    assert [symptom.id for symptom in told.symptoms] == ["b", "c"]
    assert summarise(good_week(), [cause, *held]).over == ()
