"""The end of a day: each word for staying quiet, smaller shifts that last, and the life of a shift."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Severity
from detectors.answer import Reason
from detectors.baseline import PastDay
from detectors.deviation import Deviation, DeviationRules, DeviationState, Life
from detectors.totals import Totals
from detectors.watched import WATCHED

BY_METRIC = {watched.metric: watched for watched in WATCHED}
SESSIONS = [2480, 2555, 2510, 2440, 2600, 2525, 2470]
PURCHASES = [20, 17, 23, 19, 21, 16, 22]


def day(number, *, share=1.0, sessions=None, purchases=None, order=1000.0, direct=0.4, distrusted=()):
    """A day of a steady shop, or `share` of its sessions and purchases."""
    sessions = share * SESSIONS[number % 7] if sessions is None else sessions
    purchases = share * PURCHASES[number % 7] if purchases is None else purchases
    totals = Totals(
        events=1.4 * sessions,
        sessions=sessions,
        direct=direct * sessions,
        purchases=purchases,
        revenue=purchases * order,
        revenue_squares=2 * purchases * order**2,
    )
    return PastDay(number, totals, distrusted)


def after(days, **options):
    deviation = Deviation(**options)
    for number in range(days):
        deviation.learn_one(day(number))
    return deviation


def lives(deviation, days, metric):
    found = []
    for past in days:
        found += [j.life for j in deviation.learn_one(past) if j.answer.metric == metric]
    return found


@pytest.mark.parametrize(
    ("metric", "past", "reason"),
    [
        ("sessions", day(20), Reason.WITHIN_BAND),
        ("sessions", day(20, sessions=3900), Reason.FIRED),
        ("sessions", day(20, sessions=1200), Reason.FIRED),
        ("purchases", day(20, purchases=0), Reason.FIRED),
        ("purchases", day(20, purchases=11), Reason.WITHIN_BAND),
        ("revenue", day(20, order=100_000.0), Reason.FIRED),
        ("direct_share", day(20, direct=0.6), Reason.FIRED),
        ("direct_share", day(20, direct=0.48), Reason.WITHIN_BAND),
        ("direct_share", day(20, sessions=0), Reason.UNMEASURABLE),
        ("purchase_value", day(20, order=10_000.0), Reason.FIRED),
    ],
)
def test_a_day_is_answered_with_its_reason(metric, past, reason):
    answer = after(20).score_one(BY_METRIC[metric], past)
    assert answer.reason is reason
    assert answer.fired == (answer.severity is not None)


def test_a_change_too_small_to_matter_has_its_own_word():
    cheap = Deviation()
    for number in range(20):
        cheap.learn_one(day(number, purchases=200, order=10.0))
    answer = cheap.score_one(BY_METRIC["revenue"], day(20, purchases=400, order=10.0))
    assert answer.reason is Reason.BELOW_MIN_ABS
    answer = after(30).score_one(BY_METRIC["sessions"], day(30, sessions=1790))
    assert answer.reason is Reason.BELOW_MIN_REL


def test_before_three_days_are_known_nothing_is_said():
    deviation = Deviation()
    for number in range(3):
        judged = deviation.learn_one(day(number, share=1 + number))
        assert {j.answer.reason for j in judged} == {Reason.INSUFFICIENT_HISTORY}
    assert {j.answer.reason for j in deviation.learn_one(day(3))} != {Reason.INSUFFICIENT_HISTORY}


def test_an_answer_carries_the_numbers_it_rests_on():
    answer = after(20).score_one(BY_METRIC["sessions"], day(20, sessions=1250))
    assert answer.baseline_median == 2510
    assert answer.absolute_change == 1250 - 2510
    assert answer.relative_change == pytest.approx(-0.502, abs=0.001)
    assert answer.robust_z == pytest.approx((1250 - 2510) / answer.scale)
    assert answer.evidence["days"] == 20
    assert answer.evidence["scale_from"] == "spread"


@pytest.mark.parametrize(
    ("past", "metric", "severity"),
    [
        (day(20, share=0.45), "sessions", Severity.P1_HIGH),
        (day(20, share=0.02), "sessions", Severity.P0_BLOCKER),
        (day(20, order=100_000.0), "revenue", Severity.P0_BLOCKER),
        (day(20, order=100_000.0), "purchase_value", Severity.P1_HIGH),
    ],
)
def test_only_what_implies_breakage_is_a_page(past, metric, severity):
    assert after(20).score_one(BY_METRIC[metric], past).severity is severity


def test_days_that_are_all_alike_stay_quiet_for_ever():
    deviation = Deviation()
    for number in range(100):
        judged = deviation.learn_one(day(number, sessions=2500, purchases=20))
        assert all(j.life is Life.QUIET for j in judged)
    assert {j.answer.robust_z for j in judged} == {0.0}


def test_what_is_normal_at_a_small_shop_stays_quiet():
    purchases = [
        20,
        13,
        27,
        22,
        18,
        25,
        15,
        19,
        27,
        13,
        21,
        24,
        16,
        20,
        26,
        14,
        19,
        23,
        17,
        20,
        22,
        13,
        27,
        18,
    ]
    revenue = [12_400, 29_600, 20_400, 25_400, 13_500, 13_900, 14_000, 18_700, 22_000, 29_600, 12_400, 19_000]
    deviation = Deviation()
    for number, count in enumerate(purchases):
        amount = revenue[number % 12]
        totals = Totals(3500, 2500, 1000, count, amount, 2 * amount**2 / count)
        assert all(j.life is Life.QUIET for j in deviation.learn_one(PastDay(number, totals)))


def test_one_large_order_is_no_alert():
    past = day(20)
    totals = msgspec.structs.replace(
        past.totals, revenue=70_000.0, revenue_squares=past.totals.revenue_squares + 48_000.0**2
    )
    deviation = after(20)
    for metric in ("revenue", "purchase_value"):
        assert not deviation.score_one(BY_METRIC[metric], PastDay(20, totals)).fired


def test_judging_changes_nothing():
    deviation = after(20)
    before = msgspec.json.encode(deviation.state)
    for watched in WATCHED:
        deviation.score_one(watched, day(20, share=0.1))
    assert msgspec.json.encode(deviation.state) == before


def test_a_smaller_shift_is_found_when_it_lasts():
    shifted = [day(number, share=0.72) for number in range(20, 24)]
    found = lives(after(20), shifted, "sessions")
    assert found[0] is Life.QUIET
    assert Life.OPENED in found[1:3]


def test_a_smaller_shift_of_one_day_or_to_both_sides_is_not_found():
    one = [day(20, share=0.75), day(21), day(22), day(23)]
    both = [day(20, share=0.78), day(21, share=1.22), day(22, share=0.78), day(23, share=1.22)]
    for days in (one, both):
        assert set(lives(after(20), days, "sessions")) == {Life.QUIET}


def test_the_days_of_a_smaller_shift_leave_the_baseline_when_it_is_found():
    deviation = after(20)
    lives(deviation, [day(number, share=0.72) for number in range(20, 24)], "sessions")
    assert [past.day for past in deviation.baseline.trusted("sessions", 99)] == list(range(20))
    assert deviation.state.shifts["sessions"].since == 20


def test_a_shift_ends_after_two_good_days_beside_the_band_from_before_it():
    days = [day(20, share=0.3), day(21, share=0.3), day(22), day(23, share=0.3), day(24), day(25), day(26)]
    assert lives(after(20), days, "sessions") == [
        Life.OPENED,
        Life.STANDING,
        Life.IMPROVING,
        Life.STANDING,
        Life.IMPROVING,
        Life.RESOLVED,
        Life.QUIET,
    ]


def test_a_lasting_shift_never_heals_by_itself_and_is_adopted_after_14_days():
    found = lives(after(28), [day(number, share=0.4) for number in range(28, 50)], "sessions")
    assert found[0] is Life.OPENED
    assert set(found[1:14]) == {Life.STANDING}
    assert found[14] is Life.ADOPTED
    assert set(found[15:]) == {Life.QUIET}


def test_after_a_new_level_is_adopted_the_old_one_would_be_an_alert():
    deviation = after(28)
    lives(deviation, [day(number, share=0.4) for number in range(28, 43)], "sessions")
    assert deviation.score_one(BY_METRIC["sessions"], day(43)).fired


def test_a_level_that_a_person_accepts_is_normal_from_its_day_on():
    deviation = after(20)
    lives(deviation, [day(number, share=0.4) for number in range(20, 28)], "sessions")
    deviation.accept("sessions", 21)
    assert not deviation.state.shifts.get("sessions")
    assert not deviation.score_one(BY_METRIC["sessions"], day(28, share=0.4)).fired
    assert deviation.score_one(BY_METRIC["sessions"], day(28)).fired


def test_a_day_without_its_input_is_unmeasurable_and_teaches_nothing():
    deviation = after(20)
    judged = deviation.learn_one(day(20, direct=1.0), unmeasurable={"direct_share"})
    assert {j.answer.metric for j in judged if j.answer.reason is Reason.UNMEASURABLE} == {"direct_share"}
    assert 20 not in [past.day for past in deviation.baseline.trusted("direct_share", 99)]
    assert 20 in [past.day for past in deviation.baseline.trusted("sessions", 99)]


def test_a_quarantined_day_neither_ends_a_shift_nor_teaches():
    deviation = after(20)
    lives(deviation, [day(20, share=0.3)], "sessions")
    good = [day(21, distrusted=("sessions",)), day(22, distrusted=("sessions",)), day(23)]
    assert lives(deviation, good, "sessions") == [Life.STANDING, Life.STANDING, Life.IMPROVING]


def test_a_late_amendment_is_judged_as_its_day_was():
    deviation = after(30)
    before = deviation.score_one(BY_METRIC["revenue"], day(20, order=9000.0))
    deviation.learn_one(day(30, share=0.9))
    assert deviation.score_one(BY_METRIC["revenue"], day(20, order=9000.0)) == before
    assert before.fired


@given(
    st.lists(st.sampled_from([0.05, 0.4, 0.75, 1.0, 1.0, 1.0, 1.3, 3.0]), min_size=1, max_size=30), st.data()
)
def test_a_restored_state_goes_on_as_the_live_one(shares, data):
    live, cut = Deviation(), data.draw(st.integers(0, len(shares)))
    rest = []
    for number, share in enumerate(shares):
        if number == cut:
            packed = msgspec.msgpack.encode(live.state)
            rest = [Deviation(state=msgspec.msgpack.decode(packed, type=DeviationState))]
        judged = live.learn_one(day(number, share=share))
        for restored in rest:
            assert restored.learn_one(day(number, share=share)) == judged
    assert len(msgspec.json.encode(live.state)) < 20_000


def test_other_thresholds_give_other_answers():
    strict = after(20, rules=DeviationRules(sustained_total_z=99.0))
    assert set(lives(strict, [day(n, share=0.72) for n in range(20, 24)], "sessions")) == {Life.QUIET}
