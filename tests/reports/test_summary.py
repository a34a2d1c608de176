"""What a report says before any markup: which day, which usual values, which alerts."""

from decimal import Decimal

import pytest

from reports.render.summary import newest_day, summarise
from tests.reports.sample_state import alert, good_week, receipt


def line(receipts, metric="sessions", day=None):
    return next(line for line in summarise(receipts, [], day).metrics if line.metric == metric)


def test_the_usual_value_is_the_median_of_the_last_seven_usable_days():
    days = [receipt(f"2025-02-{n:02}", sessions=n) for n in range(1, 12)]
    assert line(days) == line(days, day="2025-02-11")
    assert (line(days).usual, line(days).days) == (Decimal(7), 7)


def test_the_day_itself_is_never_in_its_own_baseline():
    days = [*(receipt(f"2025-02-0{n}", sessions=100) for n in range(1, 4)), receipt("2025-02-04", sessions=9)]
    assert line(days).usual == 100


@pytest.mark.parametrize("status", ["quarantined", "open"])
def test_a_day_that_may_not_be_used_is_no_baseline(status):
    days = good_week()
    usable = line(days).usual
    bad = receipt("2025-02-17", sessions=10**6, status=status)
    assert line([bad, *days]).usual == usable


def test_a_day_without_the_metric_is_no_baseline_for_it():
    days = [receipt(f"2025-02-0{n}", sessions=None if n < 3 else 5) for n in range(1, 8)]
    assert (line(days).usual, line(days).days) == (Decimal(5), 4)


@pytest.mark.parametrize(("prior", "usual"), [(0, None), (2, None), (3, Decimal(1000))])
def test_with_fewer_than_three_days_there_is_no_baseline(prior, usual):
    days = [receipt(f"2025-02-0{n}") for n in range(1, prior + 2)]
    assert line(days).usual == usual


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
        ("2025-02-04", True),
        ("2025-02-03", False),
        ("2025-02-02", False),
        ("2025-02-01", True),
    ]


def test_the_calendar_goes_back_fourteen_days_at_most():
    assert len(summarise([receipt("2024-02-01"), receipt("2025-02-04")], []).recent) == 14
    assert len(summarise([receipt("0001-01-01")], []).recent) == 1


def test_alerts_that_are_over_are_shown_for_their_own_day_only():
    over = [alert("a", state="expired", day="2025-02-24"), alert("b", state="resolved", day="2025-02-20")]
    assert [a.id for a in summarise(good_week(), over).over] == ["a"]
