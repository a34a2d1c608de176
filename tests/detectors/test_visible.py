"""The smallest visible change is where the rule itself begins to fire, on both sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.band import Band, judge
from detectors.totals import Totals
from detectors.visible import smallest_change
from detectors.watched import WATCHED, Limits, WatchLimits

SESSIONS, PURCHASES, REVENUE, _, DIRECT, _ = WATCHED
A_LITTLE = 1e-6


def fires(watched, band, limits, z, x):
    totals = {
        "sessions": Totals(sessions=x),
        "revenue": Totals(purchases=20, revenue=x),
        "direct_share": Totals(sessions=1, direct=x),
    }
    return judge(watched, totals[watched.metric], band, limits, z).fired


@given(
    watched=st.sampled_from([SESSIONS, REVENUE, DIRECT]),
    median=st.floats(0.01, 1),
    scale=st.floats(0, 0.4),
    days=st.integers(3, 28),
    z=st.floats(1, 8),
    floors=st.tuples(st.floats(0.01, 1), st.floats(0.01, 0.5)),
    side=st.sampled_from([-1, 1]),
)
def test_from_the_smallest_change_on_the_rule_fires_and_below_it_does_not(
    watched, median, scale, days, z, floors, side
):
    unit = 1 if watched is DIRECT else 10_000
    band = Band(median * unit, 0.0, scale * unit, days, "mad")
    limits = Limits(floors[0], floors[1] * unit, 0.0, 0.0)
    found = smallest_change(watched, band, limits, z, side)
    if found is None:
        assert not fires(watched, band, limits, z, 0.0) or side > 0
        return
    below, above = (band.median + side * found.change * (1 + d) for d in (-A_LITTLE, A_LITTLE))
    assert fires(watched, band, limits, z, above) or above < 0
    assert not fires(watched, band, limits, z, below)


def test_twenty_purchases_a_day_cannot_fall_visibly_on_one_day_but_two_thousand_can():
    limits = WatchLimits().purchases
    assert smallest_change(PURCHASES, Band(20.0, 3.0, 6.0, 28, "mad"), limits, 4.5, -1) is None
    found = smallest_change(PURCHASES, Band(2000.0, 30.0, 120.0, 28, "spread"), limits, 4.5, -1)
    assert found is not None
    assert (found.change, found.by) == (700.0, "relative")


@pytest.mark.parametrize("side", [-1, 1])
def test_where_nothing_is_normal_a_change_has_no_share(side):
    found = smallest_change(SESSIONS, Band(0.0, 0.0, 0.0, 28, "mad"), Limits(0.3, 50, 0, 0), 4.5, side)
    assert found == ((50, None, "absolute") if side > 0 else None)


def test_a_share_cannot_rise_above_one():
    limits = WatchLimits().direct_share
    assert smallest_change(DIRECT, Band(0.9, 0.01, 0.03, 28, "mad"), limits, 4.5, 1) is None
