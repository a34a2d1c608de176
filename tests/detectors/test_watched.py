"""The table of metrics: what each is made of, and what a change must be to matter."""

import dataclasses

import pytest

from detectors.alerts import Severity
from detectors.totals import PARTS, STEPS, Course, Totals, step_of
from detectors.watched import (
    EVENTS,
    PACED,
    WATCHED,
    Kind,
    Limits,
    WatchLimits,
    severity,
    size_of,
    value,
    without_largest,
)

BY_METRIC = {watched.metric: watched for watched in PACED}
DAY = Totals(
    events=3500, sessions=2500, direct=1000, purchases=20, revenue=20_000.0, revenue_squares=36_000_000.0
)


def test_the_five_metrics_and_the_order_value_are_watched_each_by_its_rule():
    assert {watched.metric: watched.rule for watched in WATCHED} == {
        "sessions": "sessions_anomaly",
        "purchases": "purchases_anomaly",
        "revenue": "revenue_anomaly",
        "conversion_rate": "conversion_shift",
        "direct_share": "direct_share_shift",
        "purchase_value": "purchase_value_shift",
    }


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("events", 3500),
        ("sessions", 2500),
        ("purchases", 20),
        ("revenue", 20_000),
        ("conversion_rate", 0.008),
        ("direct_share", 0.4),
        ("purchase_value", 1000),
    ],
)
def test_a_metric_is_its_part_or_its_part_of_a_whole(metric, expected):
    assert value(BY_METRIC[metric], DAY) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["conversion_rate", "direct_share", "purchase_value"])
def test_a_share_of_nothing_has_no_value(metric):
    assert value(BY_METRIC[metric], Totals(events=5)) is None


def test_every_metric_has_limits_and_a_size_for_its_noise():
    for watched in PACED:
        assert isinstance(WatchLimits().of(watched.metric), Limits)
        assert size_of(watched) in PARTS
    assert size_of(BY_METRIC["revenue"]) == "purchases"
    assert EVENTS.kind is Kind.VOLUME


def test_limits_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        WatchLimits().z = 3  # type: ignore[misc]


def test_revenue_needs_five_thousand_and_35_percent():
    assert WatchLimits().revenue.absolute == 5_000
    assert WatchLimits().revenue.relative == 0.35


@pytest.mark.parametrize(
    ("metric", "relative", "expected"),
    [
        ("sessions", -0.5, Severity.P1_HIGH),
        ("sessions", -0.95, Severity.P0_BLOCKER),
        ("revenue", 3.0, Severity.P1_HIGH),
        ("revenue", 99.0, Severity.P0_BLOCKER),
        ("direct_share", 99.0, Severity.P1_HIGH),
        ("conversion_rate", -1.0, Severity.P1_HIGH),
        ("revenue", None, Severity.P1_HIGH),
    ],
)
def test_only_a_volume_that_nearly_vanishes_or_multiplies_is_a_breakage(metric, relative, expected):
    assert severity(WatchLimits().of(metric), relative) is expected


def test_one_huge_order_is_left_out_and_many_large_ones_are_not():
    one = Totals(purchases=20, revenue=19_000.0 + 50_000.0, revenue_squares=19 * 1000.0**2 + 50_000.0**2)
    all_doubled = Totals(purchases=20, revenue=40_000.0, revenue_squares=20 * 2000.0**2)
    assert without_largest(BY_METRIC["revenue"], one) < 33_000
    assert without_largest(BY_METRIC["revenue"], all_doubled) == 38_000
    assert without_largest(BY_METRIC["purchase_value"], all_doubled) == 2000


def test_one_order_alone_has_no_value_without_it():
    assert without_largest(BY_METRIC["purchase_value"], Totals(purchases=1, revenue=9.0)) is None


def test_the_order_in_which_purchases_come_changes_no_digit():
    forth, back = Course(), Course()
    amounts = [0.1, 0.2, 0.3, 1234.56, 99_999.99, 0.7]
    for amount in amounts:
        forth.purchase(10, amount)
    for amount in reversed(amounts):
        back.purchase(10, amount)
    assert forth == back
    assert forth.totals().revenue == pytest.approx(sum(amounts))


def test_what_is_taken_back_leaves_nothing():
    course = Course()
    course.purchase(600, 12.34)
    course.purchase(600, 12.34, times=-1)
    assert course == Course()


def test_a_day_of_25_hours_ends_in_its_last_step():
    assert step_of(1440 + 59) == STEPS - 1


def test_parts_of_a_day_add_up_to_it():
    course = Course()
    for minute in range(0, 1440, 7):
        course.count(minute, events=3, sessions=2, direct=1)
        course.purchase(minute, 10.0)
    assert course.totals(0, 50) + course.totals(50) == course.totals()
    assert sum(course.hours("events")) == course.totals().events
