"""What a dashboard shows of the newest days: their metrics, and the range in which the rules leave them alone."""

from dataclasses import replace
from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.daybook import Day
from consumer.core.days import METRICS
from consumer.core.latest_days import latest_days, quiet_range
from consumer.core.timestamps import DAY_MS
from consumer.core.zone import DayZone
from detectors.band import Band, judge
from detectors.totals import Totals
from detectors.verdict import Normal
from detectors.watched import WATCHED, WatchLimits

ZONE, LIMITS = DayZone(UTC, "UTC"), WatchLimits()
MIDNIGHT = ZONE.start_ms("2025-02-27")
BY_METRIC = {watched.metric: watched for watched in WATCHED if watched.metric in METRICS}


def day(**more):
    return Day(events=9, sessions=4, direct=1, purchases=2, revenue=Decimal("12.50"), **more)


def latest(days, furthest_ms=MIDNIGHT + 1, count=8):
    return latest_days(days, furthest_ms, ZONE, LIMITS, count)


def test_days_are_numbered_back_from_the_one_that_the_streams_have_reached():
    days = {name: day() for name in ("2025-02-19", "2025-02-20", "2025-02-25", "2025-02-27", "2025-02-28")}
    assert list(latest(days)) == [0, 2, 7]
    assert latest(days)[2].begins_ms == MIDNIGHT - 2 * DAY_MS
    assert latest(days, None) == {}


def test_the_metrics_are_the_receipts_and_what_cannot_be_measured_is_left_out():
    found = latest(
        {"2025-02-27": day(unmeasurable={"direct_share": "referrer is gone"}), "2025-02-26": Day()}
    )
    assert found[0].values == {"sessions": 4, "purchases": 2, "revenue": 12.5, "conversion_rate": 0.5}
    assert found[1].values == {"sessions": 0, "purchases": 0, "revenue": 0}
    assert found[0].status == "open"
    assert found[0].ranges == {}


def test_a_closed_day_has_the_ranges_of_the_five_metrics_that_it_was_judged_by():
    normal = {"sessions": Normal(5.0, 1.0, -1.0, 28), "purchase_value": Normal(6.0, 1.0, 0.0, 28)}
    found = latest({"2025-02-27": day(closed_at_ms=MIDNIGHT + DAY_MS, normal=normal)})
    assert list(found[0].ranges) == ["sessions"]
    assert found[0].ranges["sessions"].median == 5.0
    assert found[0].status == "pass"


def fires(watched, normal, x):
    band = Band(normal.median, 0.0, normal.scale, normal.days, "")
    parts = {watched.part: x} | ({watched.whole: 1.0} if watched.whole else {})
    return judge(watched, Totals(**parts), band, LIMITS.of(watched.metric), LIMITS.z).fired


@given(
    st.sampled_from(sorted(BY_METRIC)),
    st.just(0.0) | st.floats(1e-6, 1e6),
    st.floats(0, 1e6),
    st.integers(3, 60),
)
def test_inside_of_its_range_a_metric_raises_no_alert_and_outside_it_does(metric, median, scale, days):
    watched, normal = BY_METRIC[metric], Normal(median, scale, 0.0, days)
    low, middle, high = quiet_range(watched, normal, LIMITS.of(metric), LIMITS.z)
    assert 0 <= low <= middle == median
    assert not fires(watched, normal, low)
    assert low == 0 or fires(watched, normal, low - max(low, median) * 1e-6)
    if high is None:  # what is normal is nothing beside how much it varies
        assert not fires(watched, normal, 1e5 * max(median, scale))
    else:
        assert high >= median
        assert not fires(watched, normal, high)
        assert fires(watched, normal, high * (1 + 1e-6) + 1e-9)


@pytest.mark.parametrize("metric", BY_METRIC)
def test_a_metric_of_which_nothing_is_normal_and_nothing_too_little_has_a_range_as_well(metric):
    limits = replace(LIMITS.of(metric), relative=0.0, absolute=0.0)
    low, median, high = quiet_range(BY_METRIC[metric], Normal(0.0, 0.0, 0.0, 0), limits, LIMITS.z)
    assert (low, median) == (0, 0)
    assert high is not None
