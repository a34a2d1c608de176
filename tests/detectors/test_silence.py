"""How improbable a silence is, against scipy; the exact minute in which a tick would have told it."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from detectors.alerts import Severity
from detectors.answer import Reason
from detectors.arrivals import Rate, expected_for, probability, quiet_spells, rate_variance
from detectors.silence import EVENT_SILENCE, PURCHASE_SILENCE, Silence, SilenceRules, SilenceState

EVENTS = [150.0] * 8 + [20.0] * 6 + [150.0] * 10
PURCHASES = [19 * count / sum(EVENTS) for count in EVENTS]
DAY = 1440
NOON = 100 * DAY + 18 * 60


def silence(counts=EVENTS, rules=EVENT_SILENCE, days=14, **options):
    found = Silence(rules)
    for number in range(days):
        found.learn_one(number, counts, **options)
    return found


@given(st.floats(0, 200), st.floats(0.5, 1000))
def test_the_probability_is_that_of_the_negative_binomial(expected, alpha):
    chance = stats.nbinom(alpha, alpha / (alpha + expected)).pmf(0)
    assert probability(expected, alpha) == pytest.approx(chance, rel=1e-6)


@pytest.mark.parametrize(("expected", "alpha"), [(0.3, 2.0), (3.0, 1.0), (12.0, 25.0), (20.0, 60.0)])
def test_it_is_poissons_averaged_over_what_the_rate_may_be(expected, alpha):
    rate = stats.gamma(alpha, scale=1 / alpha)
    mean = integrate.quad(lambda u: math.exp(-expected * rate.ppf(u)), 0, 1, limit=500)[0]
    assert probability(expected, alpha) == pytest.approx(mean, rel=0.02)


def test_a_rate_that_is_surely_known_gives_poissons():
    assert probability(7.0, 1e9) == pytest.approx(math.exp(-7), rel=1e-6)


@given(st.floats(1e-9, 0.5), st.floats(0.5, 500))
def test_the_arrivals_that_a_chance_needs_have_that_chance(chance, alpha):
    assert probability(expected_for(chance, alpha), alpha) == pytest.approx(chance, rel=1e-6)


def test_the_variance_of_hours_beyond_chance_is_found():
    rng = np.random.default_rng(4)
    for cv in (0.1, 0.25):
        days = rng.poisson(200 * rng.gamma(1 / cv**2, cv**2, (60, 24))).tolist()
        assert math.sqrt(rate_variance(days, 1.0, 0.2)) == pytest.approx(cv, rel=0.3)


def test_busy_hours_of_some_days_make_no_silence_more_likely():
    calm = [[100.0] * 24 for _ in range(14)]
    busy = [list(day) for day in calm]
    busy[3][4] = busy[9][1] = 600.0
    assert rate_variance(busy, 1.0, 0.2) < 2 * rate_variance(calm, 1.0, 0.2) + 0.02


@given(
    st.lists(st.floats(0, 500), min_size=24, max_size=24).filter(lambda hours: sum(hours) > 10),
    st.integers(-5000, 5000),
    st.integers(-720, 840),
    st.sampled_from([0.5, 1.0, 1.7]),
)
def test_a_tick_fires_in_exactly_the_minute_foreseen(hours, last, offset, level):
    found = silence(hours, days=5)
    fires = found.fires_at(last, offset, level)
    if fires is None:
        return
    assert found.score_one(last, fires, offset, level).fired
    assert not found.score_one(last, fires - 1, offset, level).fired
    assert fires - last >= EVENT_SILENCE.least_minutes


@given(
    st.lists(st.floats(0, 500), min_size=24, max_size=24).filter(lambda hours: sum(hours) > 10),
    st.integers(-5000, 5000),
    st.integers(0, 3 * DAY),
    st.integers(-720, 840),
    st.floats(0, 1),
)
def test_nothing_is_missed_until_a_silence_in_a_quiet_time_is_looked_at_again(
    hours, last, minutes, offset, level
):
    found, now = silence(hours, PURCHASE_SILENCE, days=5), last + minutes
    if found.score_one(last, now, offset, level).fired:
        return
    again = found.looks_again_at(last, now, offset, level)
    assert again > now
    before, after = (
        found.rate().by(end + offset) - found.rate().by(start + offset)
        for start, end in ((last, now), (now, again - 1))
    )
    if before + after > 0:
        at_most = (level * before + after) / (before + after)
        assert again == now + 1 or not found.score_one(last, again - 1, offset, at_most).fired


@given(st.floats(0, 3), st.floats(0, 3))
def test_the_fewer_come_at_all_the_fewer_are_expected_and_never_more_than_usual(some, more):
    found = silence(PURCHASES, PURCHASE_SILENCE)
    low, high = sorted((some, more))
    assert 0 <= found.level(low) <= found.level(high) <= 1
    assert silence(days=2).level(0.0) == 1.0, "not known"


@given(
    st.lists(st.floats(0, 500), min_size=24, max_size=24).filter(lambda hours: sum(hours) > 10),
    st.integers(-5000, 5000),
    st.integers(-720, 840),
)
def test_no_silence_is_told_sooner_than_the_busiest_hour_would_have_it(hours, last, offset):
    for rules in (EVENT_SILENCE, PURCHASE_SILENCE):
        found = silence(hours, rules, days=5)
        fires = found.fires_at(last, offset)
        assert fires is None or fires - last >= found.soonest() >= rules.least_minutes


def test_the_soonest_silence_begins_in_the_busiest_hour():
    found = silence([20.0] * 12 + [60.0] * 12)
    assert found.fires_at(NOON) - NOON in (found.soonest(), found.soonest() + 1)
    known = found.soonest()
    for day in range(14):
        found.learn_one(day, [120.0] * 24)
    assert EVENT_SILENCE.least_minutes <= found.soonest() < known
    assert silence(days=2).soonest() == 28 * DAY  # with too few days there is none


@given(st.integers(0, 3 * DAY), st.integers(0, 3 * DAY))
def test_expected_arrivals_add_up_and_are_found_again(start, length):
    rate = Rate((0.0, *np.cumsum(EVENTS).tolist()), 50.0, 1.0, 0.0)
    whole = sum(EVENTS[minute // 60 % 24] / 60 for minute in range(start, start + length))
    assert rate.by(start + length) - rate.by(start) == pytest.approx(whole, abs=1e-6)
    assert rate.minute_at(rate.by(start)) == pytest.approx(start, abs=1)


def test_events_that_stop_in_daytime_are_told_within_minutes_and_at_night_within_two_hours():
    found = silence(independent=sum(EVENTS) / 1.3)
    assert 5 <= found.fires_at(NOON) - NOON <= 12
    night = 100 * DAY + 8 * 60
    assert 30 <= found.fires_at(night) - night <= 120


def test_a_hundredfold_shop_waits_as_long_as_a_restart_takes():
    found = silence([100 * count for count in EVENTS])
    assert found.fires_at(NOON) == NOON + 5
    assert found.score_one(NOON, NOON + 4).reason is Reason.BELOW_MIN_ABS


@pytest.mark.parametrize("hour", [0, 6, 12, 18])
def test_purchases_that_stop_are_told_within_the_day(hour):
    found = silence(PURCHASES, PURCHASE_SILENCE)
    last = 100 * DAY + 60 * hour
    assert found.fires_at(last) - last < DAY


def test_after_a_week_eleven_missed_purchases_are_told_where_each_comes_by_itself():
    found, rng = silence(PURCHASES, PURCHASE_SILENCE, days=0), np.random.default_rng(2)
    for number in range(10):
        found.learn_one(number, rng.poisson(PURCHASES).tolist())
    fires = found.fires_at(NOON)
    assert fires is not None
    assert found.rate().by(fires) - found.rate().by(NOON) < 11.3


def test_a_quiet_night_hour_is_no_silence():
    night = 100 * DAY + 9 * 60
    answer = silence().score_one(night, night + 25)
    assert answer.reason is Reason.WITHIN_BAND
    assert answer.evidence["expected"] == pytest.approx(25 / 3, abs=0.5)


def test_an_answer_says_since_when_how_much_was_expected_and_how_improbable_it_is():
    answer = silence().score_one(NOON, NOON + 180)
    assert (answer.since_minute, answer.known_minute, answer.value) == (NOON, NOON + 180, 180.0)
    assert answer.evidence["expected"] == pytest.approx(450, rel=0.02)
    assert 0 < answer.evidence["probability"] < 1e-12
    assert answer.severity is Severity.P0_BLOCKER
    purchases = silence(PURCHASES, PURCHASE_SILENCE).score_one(NOON, NOON + 3 * DAY)
    assert (purchases.rule, purchases.severity) == ("purchase_silence", Severity.P1_HIGH)


def test_before_three_days_are_known_nothing_is_said():
    found = silence(days=2)
    assert found.score_one(NOON, NOON + DAY).reason is Reason.INSUFFICIENT_HISTORY
    assert found.fires_at(NOON) is None


def test_days_without_anything_say_nothing():
    found = silence([0.0] * 24)
    assert found.score_one(NOON, NOON + DAY).reason is Reason.INSUFFICIENT_HISTORY


def test_a_day_that_is_forgotten_or_learnt_again_counts_as_if_never_or_once_learnt():
    found = silence(days=6)
    rate = found.rate()
    found.learn_one(6, [1.0] * 24)
    assert found.rate() != rate
    found.forget(6)
    found.learn_one(5, EVENTS)
    assert found.rate() == rate


def test_visits_whose_events_come_together_need_a_longer_silence():
    alone, together = silence(), silence(independent=sum(EVENTS) / 3)
    assert together.fires_at(NOON) > alone.fires_at(NOON)


def test_what_trusted_days_had_is_never_told():
    clumped = silence(gaps=[(18 * 60, 18 * 60 + 90)])
    assert not clumped.score_one(NOON, NOON + 90).fired
    assert clumped.score_one(NOON, NOON + 180).fired


def test_quiet_spells_lie_between_the_minutes_in_which_something_came():
    assert quiet_spells([3, 4, 12, 13, 400], least=6) == [(4, 12), (13, 400)]
    assert quiet_spells([]) == quiet_spells([7]) == []


def test_the_state_round_trips_and_is_bounded():
    found = silence(days=100, gaps=[(3, 30)])
    assert len(found.state.days) == 28
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(found.state), type=SilenceState)
    assert Silence(state=packed).fires_at(NOON) == found.fires_at(NOON)


def test_a_site_is_silent_by_chance_about_as_seldom_as_the_rules_say():
    """A steady Poisson site of 20 purchases a day, with 50 false alarms a year allowed so that some can be counted."""
    rng = np.random.default_rng(11)
    rules = SilenceRules(false_per_year=50, least_minutes=1, rate_cv=0.02, longest_times=0.0)
    found = silence([20 / 24] * 24, rules)
    years = 20
    at = np.cumsum(rng.exponential(DAY / 20, int(years * 365 * 20)))
    needed = found.fires_at(0)
    assert np.mean(np.diff(at) > needed) * 20 * 365.25 == pytest.approx(45, rel=0.35)
