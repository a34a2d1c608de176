"""What is normal: the formulas against numpy, scipy and river, and which days a baseline may rest on."""

import math
from statistics import median

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.stats import RollingQuantile
from scipy import stats

from detectors.answer import Reason
from detectors.band import (
    MAD_TO_SIGMA,
    MEAN_DEVIATION_TO_SIGMA,
    Band,
    centre_variance,
    judge,
    mad,
    robust_sigma,
    sampling_floor,
    unevenness,
)
from detectors.baseline import Baseline, BaselineRules, BaselineState, PastDay, order_value_cv
from detectors.line import Stretch, relative_variance
from detectors.totals import Totals
from detectors.typical import typical_steps
from detectors.watched import WATCHED, WatchLimits, value
from detectors.weekdays import NO_EFFECT, WeekdayRules, factors, weekday

SESSIONS, PURCHASES, REVENUE, CONVERSION, DIRECT, ORDER_VALUE = WATCHED
numbers = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40)


def day(number, *, sessions=2500, direct=1000, purchases=20, order=1000.0):
    totals = Totals(1.4 * sessions, sessions, direct, purchases, purchases * order, 2 * purchases * order**2)
    return PastDay(number, totals)


def known(days):
    baseline = Baseline()
    for past in days:
        baseline.learn_one(past)
    return baseline


@given(numbers)
def test_the_mad_is_scipys(values):
    assert mad(values) == pytest.approx(stats.median_abs_deviation(values), rel=1e-9, abs=1e-9)


@given(numbers)
def test_sigma_is_the_wider_of_mad_and_mean_deviation(values):
    off = np.abs(np.array(values) - np.median(values))
    expected = max(MAD_TO_SIGMA * np.median(off), MEAN_DEVIATION_TO_SIGMA * off.mean())
    assert robust_sigma(values)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_both_factors_make_gaussian_values_their_standard_deviation():
    assert pytest.approx(1 / stats.norm.ppf(0.75), abs=1e-4) == MAD_TO_SIGMA
    assert pytest.approx(math.sqrt(math.pi / 2), abs=1e-4) == MEAN_DEVIATION_TO_SIGMA


def test_a_mad_of_zero_neither_hides_a_change_nor_blows_one_up():
    sigma, name = robust_sigma([20] * 15 + [26] * 5)
    assert name == "mean_deviation"
    assert sigma == pytest.approx(1.2533 * 1.5)


def test_the_scale_of_28_days_is_exceeded_fourfold_by_one_quiet_day_in_a_thousand():
    rng = np.random.default_rng(7)
    days, tested = rng.standard_normal((200_000, 28)), rng.standard_normal(200_000)
    centre = np.median(days[:, -7:], axis=1)
    off = np.abs(days - np.median(days, axis=1)[:, None])
    by_mad = MAD_TO_SIGMA * np.median(off, axis=1)
    wider = np.maximum(by_mad, MEAN_DEVIATION_TO_SIGMA * off.mean(axis=1))
    assert np.mean(np.abs(tested - centre) > 4 * by_mad) == pytest.approx(0.0034, abs=0.0006)
    assert np.mean(np.abs(tested - centre) > 4 * wider) == pytest.approx(0.0010, abs=0.0003)


def test_the_median_of_few_days_is_off_as_far_as_said():
    rng = np.random.default_rng(3)
    for days in (3, 7):
        off = rng.standard_normal(200_000) - np.median(rng.standard_normal((200_000, days)), axis=1)
        assert off.var() == pytest.approx(centre_variance(days), rel=0.06)


def test_the_sampling_floors_are_the_standard_deviations_of_chance():
    rng = np.random.default_rng(1)
    orders = rng.poisson(20, 40_000)
    amounts = rng.gamma(1.0, 1000.0, orders.sum())  # a coefficient of variation of 1
    sums = np.add.reduceat(np.append(amounts, 0.0), np.minimum(orders.cumsum() - orders, len(amounts)))
    means = rng.gamma(1.0, 1000.0, (20_000, 25)).mean(axis=1)
    assert sampling_floor(SESSIONS, 400, 400, 1) == pytest.approx(rng.poisson(400, 50_000).std(), rel=0.03)
    assert sampling_floor(DIRECT, 0.4, 2500, 1) == pytest.approx(
        (rng.binomial(2500, 0.4, 50_000) / 2500).std(), rel=0.03
    )
    assert sampling_floor(REVENUE, 20_000, 20, 1.0) == pytest.approx(sums.std(), rel=0.05)
    assert sampling_floor(ORDER_VALUE, 1000, 25, 1.0) == pytest.approx(means.std(), rel=0.03)


@pytest.mark.parametrize("watched", WATCHED)
def test_the_relative_variance_of_a_stretch_is_that_of_the_floor(watched):
    m, size = (0.4, 2500.0) if watched.unit.startswith("share") else (2500.0, 2500.0)
    part = m * size if watched.whole else m
    relative = math.sqrt(relative_variance(watched, Stretch(part, size), 0.8)) * m
    assert relative == pytest.approx(sampling_floor(watched, m, size, 0.8))


def test_the_pooled_variation_of_order_amounts_is_numpys():
    amounts = np.random.default_rng(5).lognormal(6, 0.8, 400)
    halves = [
        Totals(purchases=len(half), revenue=half.sum(), revenue_squares=(half**2).sum())
        for half in np.split(amounts, 2)
    ]
    rules = BaselineRules(order_value_weight=0.0)
    assert order_value_cv(halves, rules) == pytest.approx(amounts.std() / amounts.mean())


@given(st.lists(st.integers(0, 5000), min_size=3, max_size=21))
def test_the_centre_is_rivers_rolling_median_of_seven(sessions):
    baseline, rolling = Baseline(), RollingQuantile(0.5, 7)
    for number, count in enumerate(sessions):  # too few for a weekday effect
        baseline.learn_one(day(number, sessions=count))
        rolling.update(count)
        band = baseline.band(SESSIONS, number + 1)
        if number >= 2:
            assert band.median == rolling.get()


def test_the_tested_day_and_later_ones_are_never_in_its_baseline():
    days = [day(number, sessions=2500 + number) for number in range(10)]
    assert known(days).band(SESSIONS, 6) == known(days[:6]).band(SESSIONS, 6)


def test_a_day_that_deserves_no_trust_is_in_no_baseline_of_what_it_touches():
    good = [day(number) for number in range(8)]
    bad = PastDay(8, day(8, sessions=9, purchases=900).totals, distrusted=("sessions",))
    baseline = known([*good, bad])
    assert baseline.band(SESSIONS, 9) == known(good).band(SESSIONS, 9)
    assert baseline.band(PURCHASES, 9) != known(good).band(PURCHASES, 9)


def test_fewer_than_three_trusted_days_are_no_baseline():
    assert known([day(0), day(1)]).band(SESSIONS, 2) is None
    assert known([day(0), day(1), day(2)]).band(SESSIONS, 3) is not None


def test_a_day_learnt_again_takes_its_own_place():
    baseline = known([day(0), day(1), day(2, sessions=1)])
    baseline.learn_one(day(2))
    assert baseline.state == known([day(0), day(1), day(2)]).state
    baseline.doubt("sessions", 1)
    baseline.amend({2: day(2, sessions=7).totals})
    assert [past.vouches("sessions") for past in baseline.state.days] == [True, False, False]


def test_a_new_level_counts_from_its_day_on_but_never_frees_a_quarantined_day():
    quarantined = msgspec.structs.replace(day(5), distrusted=("sessions",))
    baseline = known([*(day(number) for number in range(5)), quarantined, day(6)])
    baseline.doubt("sessions", 4)
    baseline.restart("sessions", 4)
    assert [past.day for past in baseline.trusted("sessions", 9)] == [4, 6]
    assert len(baseline.trusted("revenue", 9)) == 7


def test_memory_is_bounded():
    assert len(known([day(number) for number in range(400)]).state.days) == 42


def test_the_state_round_trips_as_json_and_msgpack():
    state = known([day(number, sessions=2500 + 7 * number) for number in range(12)]).state
    assert msgspec.json.decode(msgspec.json.encode(state), type=BaselineState) == state
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=BaselineState)
    assert Baseline(state=packed).band(REVENUE, 12) == Baseline(state=state).band(REVENUE, 12)


@given(st.lists(st.floats(100, 1e6), min_size=3, max_size=20), st.floats(0.01, 100))
def test_amounts_in_another_currency_give_the_same_z(orders, rate):
    plain = known([day(number, order=order) for number, order in enumerate(orders)])
    other = known([day(number, order=rate * order) for number, order in enumerate(orders)])
    z = plain.band(REVENUE, 99).z(1e5)
    assert other.band(REVENUE, 99).z(rate * 1e5) == pytest.approx(z, rel=1e-6, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(-5, 10**9), st.integers(-5, 10**9), st.integers(-5, 10**6), st.floats(0, 1e15)),
        min_size=1,
        max_size=35,
    )
)
def test_no_answer_is_ever_nan(rows):
    baseline = Baseline()
    for number, (sessions, direct, purchases, revenue) in enumerate(rows):
        totals = Totals(sessions, sessions, direct, purchases, revenue, revenue**2)
        for watched in WATCHED:
            band = baseline.band(watched, number, totals)
            if band is None:
                continue
            answer = judge(watched, totals, band.at(number), WatchLimits().of(watched.metric), 4.5)
            found = [x for x in msgspec.structs.astuple(answer) if isinstance(x, float)]
            assert all(math.isfinite(x) for x in found)
        baseline.learn_one(PastDay(number, totals))


def test_a_rise_is_as_unlikely_as_a_fall():
    rng = np.random.default_rng(2)
    amounts = rng.lognormal(0, 0.3, 400_000)
    scores = np.array([(x - 1) / 0.3 / unevenness(x, 1.0) for x in amounts])
    assert np.mean(scores > 2.5) == pytest.approx(stats.norm.sf(2.5), rel=0.15)
    assert np.mean(scores > 2.5) >= np.mean(scores < -2.5)
    counts = rng.poisson(20, 400_000)
    assert np.mean([(x - 20) / math.sqrt(20) / unevenness(x, 20) < -3 for x in counts]) < 2.5e-3


def test_a_weekday_counts_once_four_of_it_are_known_and_not_before():
    def sessions(number):
        return 1250 if weekday(number) >= 5 else 2500

    month = [(number, float(sessions(number))) for number in range(28)]
    assert factors(month[:21], WeekdayRules()) == NO_EFFECT
    found = factors(month, WeekdayRules())
    assert found[5] == pytest.approx(found[6]) == pytest.approx(found[0] / 2)
    baseline = known([day(number, sessions=sessions(number)) for number in range(28)])
    for number in range(28, 35):
        assert baseline.band(SESSIONS, number).at(number).median == pytest.approx(sessions(number))


@pytest.mark.parametrize(("weekend", "without", "with_factors"), [(1.0, 0.107, 0.112), (0.7, 0.19, 0.125)])
def test_weekdays_cost_little_where_there_are_none_and_help_much_where_there_are(
    weekend, without, with_factors
):
    """The error of tomorrow's normal value, with days that vary by 10 %."""
    plain, seasonal = [], []
    for seed in range(250):
        rng = np.random.default_rng([seed, int(100 * weekend)])
        usual = [weekend if weekday(number) >= 5 else 1.0 for number in range(36)]
        days = [(number, 1000 * usual[number] * rng.gamma(100, 0.01)) for number in range(29 + seed % 7)]
        (number, today), past = days[-1], days[:-1]
        for errors, effect in ((plain, NO_EFFECT), (seasonal, factors(past, WeekdayRules()))):
            level = median([x / effect[weekday(d)] for d, x in past][-7:])
            errors.append(today / (level * effect[weekday(number)]) - 1)
    assert np.sqrt(np.mean(np.square(plain))) == pytest.approx(without, rel=0.15)
    assert np.sqrt(np.mean(np.square(seasonal))) == pytest.approx(with_factors, rel=0.1)


def test_a_burst_on_one_day_is_no_part_of_the_typical_day():
    days = [[20.0, 1.0], [22.0, 0.0], [18.0, 3.0], [400.0, 0.0]]
    usual = typical_steps(days)
    assert usual[0] < 25
    assert usual[1] == 1.0  # small counts keep their mean


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (1_000_000, Reason.FIRED),
        (10_500, Reason.WITHIN_BAND),
        (1, Reason.FIRED),
    ],
)
def test_a_count_is_judged_beside_its_band(x, reason):
    band = Band(10_000, 100, 300.0, 28, "mad")
    assert judge(SESSIONS, Totals(sessions=x), band, WatchLimits().sessions, 4.5).reason is reason


def test_each_minimum_has_its_own_word():
    small, tight = Band(20, 1, 1.0, 28, "mad"), Band(10_000, 10, 10.0, 28, "mad")
    limits = WatchLimits().sessions
    assert judge(SESSIONS, Totals(sessions=40), small, limits, 4.5).reason is Reason.BELOW_MIN_ABS
    assert judge(SESSIONS, Totals(sessions=11_000), tight, limits, 4.5).reason is Reason.BELOW_MIN_REL


def test_where_nothing_is_normal_something_is_an_alert_without_a_relative_change():
    answer = judge(SESSIONS, Totals(sessions=500), Band(0, 0, 0.0, 7, "mad"), WatchLimits().sessions, 4.5)
    assert answer.fired
    assert answer.relative_change is None


def test_a_metric_without_a_value_is_unmeasurable():
    band = Band(0.4, 0.01, 0.02, 7, "mad")
    assert judge(DIRECT, Totals(), band, WatchLimits().direct_share, 4.5).reason is Reason.UNMEASURABLE
    assert value(CONVERSION, Totals()) is None
