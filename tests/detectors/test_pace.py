"""The day so far: what begins at noon is told within hours, and a quiet month stays quiet however often one looks."""

import math
from statistics import median

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from detectors.alerts import Severity
from detectors.answer import Reason
from detectors.baseline import Baseline, PastDay
from detectors.line import Seen
from detectors.pace import Pace, PaceState, PastCourse
from detectors.totals import STEPS, Course
from detectors.watched import PACED
from tests.detectors.watch_noise import (
    FAULTS,
    days,
    draw_shop,
    minutes_to_find,
    quiet_alarms,
    steady,
)

BY_METRIC = {watched.metric: watched for watched in PACED}
NOON = STEPS // 2


class Site:
    """A shop with nothing but chance in it, whose first days are known, and its next day."""

    def __init__(self, known_days=10, scale=1.0, distrusted=(), seed=3):
        self.rng = np.random.default_rng(seed)
        self.baseline, self.pace = Baseline(), Pace()
        *known, self.next = days(steady(draw_shop(self.rng, scale)), self.rng, known_days + 1)
        for made in known:
            self.baseline.learn_one(PastDay(made.day, made.course().totals(), distrusted))
            self.pace.learn_one(PastCourse(made.day, made.course()))

    def today(self, start_minute=0):
        return self.pace.begin(self.next.day, start_minute, self.baseline)

    def answers(self, made, step, **options):
        return {a.metric: a for a in self.today().score(made.course(), step, **options)}

    def first(self, made, metric, from_step=1):
        today, course = self.today(), made.course()
        for step in range(from_step, STEPS + 1):
            for answer in today.score(course, step):
                if answer.fired and answer.metric == metric:
                    return answer, step
        return None, None


@pytest.fixture(scope="module")
def site():
    return Site()


@pytest.fixture(scope="module")
def big_site():
    return Site(scale=100)


def test_a_walk_crosses_the_boundary_at_any_look_at_most_twice_as_often_as_at_the_last():
    rng = np.random.default_rng(1)
    walks = rng.standard_normal((100_000, 144)).cumsum(axis=1) / 12
    share = np.arange(1, 145) / 144
    at_the_end = np.mean(np.abs(walks[:, -1]) > 2.5)
    at_any_look = np.mean(np.any(np.abs(walks / np.sqrt(share)) > 2.5 / np.sqrt(share), axis=1))
    naively = np.mean(np.any(np.abs(walks / np.sqrt(share)) > 2.5, axis=1))
    assert at_the_end == pytest.approx(2 * stats.norm.sf(2.5), rel=0.1)
    assert at_any_look < 2.05 * at_the_end
    assert naively > 8 * at_the_end


def test_a_quiet_day_is_quiet_at_every_look(site):
    today, course = site.today(), site.next.course()
    for step in range(1, STEPS + 1):
        assert not [answer for answer in today.score(course, step) if answer.fired]


def test_a_day_exactly_like_all_others_is_within_every_band(site):
    copies = Site()
    copies.pace.state = PaceState([PastCourse(past.day, site.next.course()) for past in site.pace.state.days])
    for step in (36, 72, 144):
        for answer in copies.answers(site.next, step).values():
            assert answer.reason in (Reason.WITHIN_BAND, Reason.BELOW_MIN_ABS)
            assert abs(answer.robust_z or 0) < 1.5


def test_the_first_hours_have_too_few_purchases_to_say_anything(site):
    answers = site.answers(site.next, 3)
    for metric in ("purchases", "conversion_rate", "purchase_value"):
        assert answers[metric].reason is Reason.BELOW_MIN_ABS


def test_before_three_days_are_known_nothing_is_said():
    answers = Site(known_days=2).answers(Site(known_days=2).next, NOON)
    assert {a.reason for a in answers.values()} == {Reason.INSUFFICIENT_HISTORY}


def test_days_that_deserve_no_trust_are_no_history():
    site = Site(distrusted=("direct_share",))
    answers = site.answers(site.next, NOON)
    assert answers["direct_share"].reason is Reason.INSUFFICIENT_HISTORY
    assert answers["sessions"].reason is Reason.WITHIN_BAND


def test_what_has_no_input_is_unmeasurable(site):
    answers = site.answers(site.next, NOON, unmeasurable={"direct_share"})
    assert answers["direct_share"].reason is Reason.UNMEASURABLE


def test_so_far_is_compared_with_the_median_of_prior_days_at_the_same_time(site):
    answer = site.answers(site.next, 100)["sessions"]
    prior = [past.course.totals(0, 100).sessions for past in site.pace.state.days][-7:]
    assert answer.value == site.next.course().totals(0, 100).sessions
    assert answer.baseline_median == median(prior)
    assert answer.robust_z == pytest.approx((answer.value - answer.baseline_median) / answer.scale)


def test_later_steps_of_the_day_say_nothing_yet(site):
    lost = FAULTS["half_of_events_lost"](site.next, NOON * 10, np.random.default_rng(1))
    assert site.answers(lost, NOON) == site.answers(site.next, NOON)


def test_half_of_the_events_lost_at_noon_are_told_within_hours(site, big_site):
    for shop in (site, big_site):
        lost = FAULTS["half_of_events_lost"](shop.next, NOON * 10, np.random.default_rng(1))
        answer, step = shop.first(lost, "events")
        assert answer.rule == "volume_drop"
        assert NOON < step <= NOON + 24
        assert answer.since_minute >= (NOON - 12) * 10
        assert answer.relative_change < -0.35


def test_revenue_a_hundredfold_is_a_page_by_its_first_orders(site):
    wrong = FAULTS["revenue_x100"](site.next, NOON * 10, np.random.default_rng(1))
    answer, step = site.first(wrong, "revenue")
    orders = np.sum((site.next.order_minutes >= NOON * 10) & (site.next.order_minutes < step * 10))
    assert answer.severity is Severity.P0_BLOCKER
    assert orders <= 3


def test_a_direct_share_twenty_points_up_is_told_within_hours_where_there_are_many_visits(big_site):
    shifted = FAULTS["direct_share_up_20"](big_site.next, NOON * 10, np.random.default_rng(1))
    _, step = big_site.first(shifted, "direct_share")
    assert step <= NOON + 18


def test_twice_the_events_for_hours_are_a_spike(big_site):
    made = big_site.next
    events = np.where(np.arange(1440) >= NOON * 10, 3 * made.events, made.events)
    answer, _ = big_site.first(made._replace(events=events), "events")
    assert answer.rule == "volume_spike"


@pytest.mark.parametrize("start", [60, 245, 815])
def test_half_an_hour_of_a_crawler_is_no_alert(site, start):
    crawled = msgspec.json.decode(msgspec.json.encode(site.next.course()), type=Course)
    for minute in range(start, start + 30):
        crawled.count(minute, events=10, sessions=10, direct=10)
    today = site.today()
    for step in range(1, STEPS + 1):
        assert not [answer.rule for answer in today.score(crawled, step) if answer.fired]


@pytest.mark.parametrize("start", [245, 603, 1111])
@pytest.mark.parametrize("times", [2.5, 4])
def test_a_flood_of_single_hits_that_goes_on_is_told_within_the_hour(site, start, times):
    flooded = msgspec.json.decode(msgspec.json.encode(site.next.course()), type=Course)
    a_minute = times * sum(flooded.events) / 1440
    for minute in range(start, start + 120):
        more = round(a_minute * (minute + 1 - start)) - round(a_minute * (minute - start))
        flooded.count(minute, events=more, sessions=more, direct=more)
    today, seen = site.today(), Seen(flooded)
    told = {
        answer.rule: step
        for step in reversed(range(1, STEPS + 1))
        for watched in PACED[:2]
        if (answer := today.score_one(watched, seen, step)).fired
    }
    assert told["volume_spike"] * 10 - start <= 70
    assert told["sessions_anomaly"] * 10 - start <= 70


def test_a_quiet_night_hour_is_no_alert(site):
    hour = int(np.argmin(site.next.events.reshape(24, 60).sum(axis=1)))
    hole = np.arange(1440) // 60 == hour
    quiet = site.next._replace(
        events=np.where(hole, site.next.events // 3, site.next.events),
        sessions=np.where(hole, site.next.sessions // 3, site.next.sessions),
        direct=np.where(hole, site.next.direct // 3, site.next.direct),
    )
    assert site.first(quiet, "events") == (None, None)


def with_share_of(made, hours, share):
    """A day of which these hours have a share of what they have."""
    hit = np.isin(np.arange(1440) // 60, hours)
    return made._replace(
        events=np.where(hit, np.rint(share * made.events).astype(int), made.events),
        sessions=np.where(hit, np.rint(share * made.sessions).astype(int), made.sessions),
        direct=np.where(hit, np.rint(share * made.direct).astype(int), made.direct),
    )


@pytest.mark.parametrize("usual", [1, 2])
def test_quiet_hours_about_a_usual_one_are_no_lower_level(big_site, usual):
    hours = [*range(10, 10 + 4)]
    answer, _ = big_site.first(with_share_of(big_site.next, hours, 0.45), "sessions")
    assert answer is not None
    del hours[usual]
    assert big_site.first(with_share_of(big_site.next, hours, 0.45), "sessions", 14 * 6) == (None, None)


def with_share_of_orders(made, hours, share):
    """A day of whose orders in these hours so many remain."""
    hit = np.isin(made.order_minutes // 60, hours)
    keep = ~hit | (np.arange(len(made.order_minutes)) * 0.618 % 1 < share)
    return made._replace(order_minutes=made.order_minutes[keep], amounts=made.amounts[keep])


def told_of_purchases(site, made, step):
    """Whether purchases are told as off by a step."""
    seen = Seen(made.course())
    return site.today().score_one(BY_METRIC["purchases"], seen, step).fired


@pytest.mark.parametrize(
    ("orders", "events", "told"), [(0.5, 1.0, True), (0.5, 0.5, False), (0.3, 0.5, True), (1.0, 1.0, False)]
)
def test_few_purchases_in_hours_with_few_events_are_no_alert_unless_they_are_fewer_still(
    big_site, orders, events, told
):
    hours = [6, 7]
    made = with_share_of(with_share_of_orders(big_site.next, hours, orders), hours, events)
    assert told_of_purchases(big_site, made, 8 * 6) is told


def test_what_is_off_already_is_measured_against_the_level_from_before(big_site):
    lost = FAULTS["half_of_events_lost"](big_site.next, NOON * 10, np.random.default_rng(1))
    late, course = NOON + 60, lost.course()
    frozen = big_site.today().score(course, late, since={"events": NOON})[0]
    assert frozen.fired
    assert frozen.relative_change == pytest.approx(-0.5, abs=0.06)


def test_a_metric_is_back_when_its_last_hours_are_as_before_and_not_sooner(big_site):
    made, events = big_site.next, BY_METRIC["events"]
    hole = (np.arange(1440) >= NOON * 10) & (np.arange(1440) < NOON * 10 + 180)
    course = made._replace(events=np.where(hole, made.events // 2, made.events)).course()
    today = big_site.today()
    assert today.recovery(events, Seen(course), NOON + 6, NOON).reason is Reason.BELOW_MIN_ABS
    assert today.recovery(events, Seen(course), NOON + 18, NOON).fired
    assert today.recovery(events, Seen(course), NOON + 30, NOON).reason is Reason.WITHIN_BAND


def test_minutes_are_those_since_the_epoch(site):
    answer = site.today(start_minute=1_000_000).score(site.next.course(), 60)[0]
    assert (answer.since_minute, answer.known_minute) == (1_000_000, 1_000_600)


def test_judging_keeps_nothing_of_what_it_saw(site):
    today, course = site.today(), site.next.course()
    first = today.score(course, 100)
    today.score(Course(), 140)
    assert today.score(course, 100) == first == site.today().score(course, 100)


def test_a_day_never_judges_itself(site):
    known = Site()
    known.pace.learn_one(PastCourse(site.next.day, site.next.course()))
    known.baseline.learn_one(PastDay(site.next.day, site.next.course().totals()))
    assert known.answers(site.next, 100) == site.answers(site.next, 100)


def test_the_state_round_trips_and_is_bounded():
    site = Site(known_days=30)
    assert len(site.pace.state.days) == 28
    packed = msgspec.msgpack.encode(site.pace.state)
    assert len(packed) < 200_000
    restored = Pace(state=msgspec.msgpack.decode(packed, type=PaceState))
    today = restored.begin(site.next.day, 0, site.baseline)
    assert today.score(site.next.course(), 99) == site.today().score(site.next.course(), 99)


def test_an_empty_day_and_one_of_taken_back_counts_have_no_nan(site):
    odd = Course()
    odd.count(30, sessions=-3, direct=-5)
    odd.purchase(50, 10.0, times=-1)
    for course in (Course(), odd):
        for step in range(1, STEPS + 1, 7):
            for answer in site.today().score(course, step):
                found = [x for x in msgspec.structs.astuple(answer) if isinstance(x, float)]
                assert all(math.isfinite(x) for x in found)


def odd_days(seed, known, most, rules=None, limits=None):
    """The judge of a day after odd ones, and the odd course of that day."""
    rng, baseline, pace = np.random.default_rng(seed), Baseline(limits=limits), Pace(rules, limits)
    for number in range(known + 1):
        course = Course()
        for minute, count in zip(
            rng.integers(0, 1440, 60).tolist(), rng.integers(-3, most + 1, 60).tolist(), strict=True
        ):
            course.count(minute, events=3 * count, sessions=count, direct=int(rng.integers(-9, 9)))
            course.purchase(minute, float(rng.lognormal(5, 3)), times=int(rng.integers(-1, 3)))
        if number < known:
            baseline.learn_one(PastDay(number, course.totals()))
            pace.learn_one(PastCourse(number, course))
    return pace.begin(known, 0, baseline), course


@given(st.integers(0, 2**32), st.integers(3, 6), st.sampled_from([-2, 0, 3, 4000]))
@settings(max_examples=25)
def test_whatever_the_days_were_no_answer_is_nan(seed, known, most):
    today, course = odd_days(seed, known, most)
    for step in range(24, STEPS + 1, 24):
        answers = today.score(course, step) + [today.recovery(w, Seen(course), step, 12) for w in PACED]
        found = [x for a in answers for x in msgspec.structs.astuple(a) if isinstance(x, float)]
        assert all(math.isfinite(x) for x in found)


def test_a_site_that_loses_everything_is_told_even_without_the_silence_rule(site):
    nothing = site.next._replace(
        events=np.where(np.arange(1440) < NOON * 10, site.next.events, 0),
        sessions=np.where(np.arange(1440) < NOON * 10, site.next.sessions, 0),
        direct=np.where(np.arange(1440) < NOON * 10, site.next.direct, 0),
    )
    _, step = site.first(nothing, "events")
    assert step <= NOON + 12


@pytest.mark.parametrize("scale", [1, 100])
def test_quiet_weeks_stay_quiet(scale):
    """All of the watch's rules over three drawn shops: at most one alarm in 42 days."""
    alarms = [alarm for seed in range(3) for alarm in quiet_alarms(seed, scale, 14, look_every=6)]
    assert len({(alarm.minute // 1440, alarm.rule) for alarm in alarms}) <= 1


def test_each_fault_is_told_in_time():
    """In one drawn shop, eight days of which are known; the fault begins at half past twelve."""
    in_time = {"purchases_stop": 24, "revenue_x100": 12, "half_of_events_lost": 12}
    for name, hours in in_time.items():
        found = minutes_to_find(5, 1, FAULTS[name], known_days=8, minute=750, lasting=2, look_every=3)
        assert found is not None, name
        assert found[0] <= hours * 60, name


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scale", [1, 100])
def test_a_quiet_month_has_less_than_a_fifth_of_a_false_alarm(scale):
    shops = 60
    told = [
        len({alarm.minute // 1440 for alarm in quiet_alarms(seed, scale, 28, look_every=2)})
        for seed in range(1000, 1000 + shops)
    ]
    assert sum(told) / shops < 0.2 + 2 * math.sqrt(0.2 / shops)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("known_days", [5, 21])
@pytest.mark.parametrize(
    ("scale", "fault", "share", "hours"),
    [
        (1, "purchases_stop", 0.95, 16),
        (1, "revenue_x100", 0.95, 4),
        (1, "half_of_events_lost", 0.9, 6),
        (1, "direct_share_up_20", 0.9, 72),
        (1, "order_value_doubled", 0.5, 80),
        (1, "conversion_halved", 0.2, 96),
        (100, "purchases_stop", 0.95, 1),
        (100, "revenue_x100", 0.95, 1),
        (100, "half_of_events_lost", 0.95, 4),
        (100, "direct_share_up_20", 0.95, 24),
        (100, "order_value_doubled", 0.95, 6),
        (100, "conversion_halved", 0.95, 8),
    ],
)
def test_faults_are_found_in_this_share_and_median_time(scale, fault, share, hours, known_days):
    shops = 20
    begun = np.random.default_rng(17).integers(0, 1440, shops).tolist()
    found = [
        minutes_to_find(
            seed, scale, FAULTS[fault], known_days=known_days, minute=minute, lasting=4, look_every=1
        )
        for seed, minute in enumerate(begun)
    ]
    delays = [minutes for minutes, _ in (told for told in found if told is not None)]
    assert len(delays) >= share * shops
    assert median(delays) <= hours * 60
