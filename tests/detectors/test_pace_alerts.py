"""The day so far, told only where it fires: what is left out because it cannot matter would not have been told."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.baseline import Baseline, PastDay
from detectors.line import Seen
from detectors.of_late import Late, LateRules, needed
from detectors.pace import Pace, PaceRules, PastCourse
from detectors.so_far import SoFarRules
from detectors.totals import STEPS, Course
from detectors.typical import PartDays, Typical
from detectors.watched import PACED, WatchLimits
from tests.detectors.test_pace import BY_METRIC, NOON, Site, odd_days
from tests.detectors.watch_noise import FAULTS


@pytest.fixture(scope="module")
def site():
    return Site()


@pytest.fixture(scope="module")
def big_site():
    return Site(scale=100)


def alerts(today, course, step):
    """What is told of a step; the same as what the full answers say."""
    seen = Seen(course)
    told = [alert for watched in PACED if (alert := today.alert(watched, seen, step)) is not None]
    assert told == [answer for answer in today.score(course, step) if answer.fired]
    return told


@pytest.mark.parametrize("start", [0, NOON])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_told_of_a_fault_is_what_the_full_answers_say(site, big_site, fault, start):
    told = []
    for shop in (site, big_site):
        course = FAULTS[fault](shop.next, start * 10, np.random.default_rng(1)).course()
        today = shop.today()
        told += [alert for step in range(1, STEPS + 1) for alert in alerts(today, course, step)]
    assert told


@given(
    st.integers(0, 2**32),
    st.integers(3, 9),
    st.sampled_from([0, 3, 40, 4000]),
    st.floats(0, 1),
    st.floats(0, 1),
)
@settings(max_examples=60)
def test_what_is_told_of_odd_days_is_what_the_full_answers_say(seed, known, most, absolute, relative):
    """Where little is needed to matter, so that something often is."""
    some = {metric: WatchLimits().of(metric) for metric in BY_METRIC}
    less = {
        metric: replace(limits, absolute=absolute**3 * limits.absolute, relative=relative * limits.relative)
        for metric, limits in some.items()
    }
    today, course = odd_days(
        seed, known, most, PaceRules(late=LateRules(z=1.5, fewest=3)), WatchLimits(z=1.5, **less)
    )
    for step in range(6, STEPS + 1, 6):
        alerts(today, course, step)


@given(st.integers(0, 2**32), st.lists(st.integers(1, STEPS), min_size=2, max_size=12), st.data())
@settings(max_examples=40)
def test_a_day_that_is_looked_at_again_says_what_it_says_at_once_whatever_comes_late(seed, steps, data):
    today, course = odd_days(seed, 5, 40, PaceRules(late=LateRules(z=1.5, fewest=3)), WatchLimits(z=1.5))
    seen = Seen(course, 0)
    for step in steps:
        if data.draw(st.booleans()):
            course.count(10 * data.draw(st.integers(0, step - 1)), 7, 3, 1)
        seen = seen.later(course, step)
        again = [today.alert(watched, seen, step) for watched in PACED]
        assert again == [today.alert(watched, Seen(course), step) for watched in PACED]


def test_what_a_metric_is_told_does_not_depend_on_which_others_are_judged(site):
    revenue = BY_METRIC["revenue"]
    alone = site.pace.begin(site.next.day, 0, site.baseline, [revenue])
    course = FAULTS["revenue_x100"](site.next, NOON * 10, np.random.default_rng(1)).course()
    for step in (NOON, STEPS):
        seen = Seen(course)
        assert alone.score_one(revenue, seen, step) == site.today().score_one(revenue, seen, step)


def test_a_share_of_little_is_told_where_the_level_of_the_day_makes_it_enough():
    """Of 192 sessions in eight hours usually 19 buy, fewer than the rule needs; on a day that sells better, 26 should."""
    baseline, pace = Baseline(), Pace(PaceRules(so_far=SoFarRules(fewest=math.inf)))

    def course(bought):
        made = Course()
        for step in range(STEPS):
            made.count(step * 10, events=12, sessions=4)
            made.purchase(step * 10, 50.0, times=bought(step))
        return made

    for day in range(10):
        usual = course(lambda step: int(step % 5 in (0, 2)))
        baseline.learn_one(PastDay(day, usual.totals()))
        pace.learn_one(PastCourse(day, usual))
    better = course(lambda step: 2 if step >= 72 else 1)
    today = pace.begin(10, 0, baseline, [BY_METRIC["conversion_rate"]])
    alert = today.alert(BY_METRIC["conversion_rate"], Seen(better), 120)
    assert alert is not None
    assert alert == today.score_one(BY_METRIC["conversion_rate"], Seen(better), 120)
    assert alert.since_minute == 72 * 10


@given(st.integers(0, 2**32), st.sampled_from([0.2, 1.0, 30.0]), st.floats(0.2, 3.0))
@settings(max_examples=25)
def test_the_level_of_a_day_lies_between_its_bounds(seed, sessions, level):
    rng = np.random.default_rng(seed)
    known = [rng.poisson(sessions * rng.gamma(20, 1 / 20), STEPS).tolist() for _ in range(9)]
    for watched in PACED[:2]:
        days = PartDays(known, 14)
        typical = Typical(watched, days, days, cv=1.0, hourly=0.06, daily=0.06)
        course = Course()
        for step, count in enumerate(rng.poisson(level * sessions, STEPS).tolist()):
            course.count(10 * step, events=count, sessions=count)
        limits = needed(typical, WatchLimits().of(watched.metric), LateRules())
        late = Late(typical, Seen(course), STEPS, limits, LateRules())
        for end in range(0, STEPS, 12):
            low, high = late.levels(end)
            assert low <= late.level(end).factor <= high
