"""The receipt's arithmetic: rates half to even, a score that is never flattered, and bytes that others read."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.days import METRICS, USABLE, Counts, HistoryEntry, Metrics, Receipt, Status, rate, score
from consumer.core.wire import to_json
from detectors.verdict import Check


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 5, "0.000000"),
        (5, 5, "1.000000"),
        (1, 3, "0.333333"),
        (2, 3, "0.666667"),
        (1, 2_000_000, "0.000000"),
        (3, 2_000_000, "0.000002"),
        (5, 2_000_000, "0.000002"),
        (7, 2_000_000, "0.000004"),
        (1, 1_999_999, "0.000001"),
        (1, 10**30, "0.000000"),
        (3, 2, "1.500000"),
        (-1, 3, "-0.333333"),
        (10**20, 1, "100000000000000000000.000000"),
    ],
)
def test_a_rate_has_six_decimals_half_to_even(part, whole, expected):
    assert rate(part, whole) == expected


@pytest.mark.parametrize("part", [0, 1, -1])
@pytest.mark.parametrize("whole", [0, -1])
def test_without_a_whole_there_is_no_rate(part, whole):
    assert rate(part, whole) is None


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_rate_is_never_off_by_more_than_half_a_millionth(part, whole):
    assert abs(Fraction(rate(part, whole)) - Fraction(part, whole)) <= Fraction(1, 2_000_000)


@pytest.mark.parametrize(
    ("events", "rejected", "rejected_events", "expected"),
    [
        (0, 0, 0, "100.00"),
        (100, 0, 0, "100.00"),
        (99, 1, 0, "99.00"),
        (100, 1, 1, "99.00"),
        (100, 2, 1, "98.01"),
        (0, 5, 0, "0.00"),
        (5, 5, 5, "0.00"),
        (3, 3, 0, "50.00"),
        (2, 1, 0, "66.66"),
        (10**12, 1, 0, "99.99"),
        (1, 10**12, 0, "0.00"),
    ],
)
def test_the_score_is_the_share_that_passed_rounded_down(events, rejected, rejected_events, expected):
    assert score(events, rejected, rejected_events) == expected


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.data())
def test_a_score_of_100_means_that_nothing_was_rejected(events, others, data):
    invalid = data.draw(st.integers(0, min(events, 5)))
    points = Decimal(score(events, others + invalid, invalid))
    assert 0 <= points <= 100
    assert (points == 100) == (others + invalid == 0)


def test_a_loader_may_take_a_day_that_passed_is_at_risk_or_was_released():
    assert sorted(USABLE) == ["at_risk", "pass", "released"]
    assert set(Status.__args__) - USABLE == {"open", "quarantined"}


def test_the_metrics_are_those_five_in_the_order_of_the_file():
    assert Metrics.__struct_fields__ == METRICS


def test_a_receipt_comes_back_as_it_was_written_and_says_its_schema():
    receipt = Receipt(
        day="2025-02-23",
        revision=2,
        status="released",
        verdict="quarantined",
        metrics=Metrics(5, 1, "10.10", "0.200000", None),
        counts=Counts(1, 2, 3, 4, 5, 6, 7, 8),
        score="99.99",
        identity_missing_rate=None,
        rejects={"empty": 1},
        checks=[Check("rule", "note", "why", 3)],
        contract="shop 1",
        time_zone="UTC",
        watermark=None,
        closed_at="2025-02-24T01:00:00.000Z",
        not_measurable={"direct_share": "why"},
        history=[
            HistoryEntry(1, "quarantined", "2025-02-24T01:00:00.000Z"),
            HistoryEntry(2, "released", "", "r", "b"),
        ],
    )
    written = to_json(receipt)
    assert msgspec.json.decode(written, type=Receipt) == receipt
    assert msgspec.json.decode(written)["schema_version"] == 1
    assert msgspec.json.decode(written)["metrics"]["revenue"] == "10.10"
