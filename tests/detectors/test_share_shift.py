"""A share that moves to a new level is seen soon, and noise never is."""

from __future__ import annotations

from math import isfinite

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.share_profile import logit_of, share_of
from detectors.share_shift import ShareShift, ShareState
from detectors.share_verdict import ShareOptions, ShareVerdict
from tests.detectors.share_noise import DAY, Days, Fault, draw_site
from tests.detectors.share_trials import FLOODS, delay, false_alarms, feed, site_of

ALONE = ShareOptions(cluster=1.0, **FLOODS)


def steady(days: int, hits: int, trials: int, options: ShareOptions = ALONE) -> ShareShift:
    """A detector that saw the same every minute."""
    share = ShareShift(options)
    for minute in range(days * DAY):
        share.learn_one(minute, hits, trials)
    return share


def drawn(days: int, level: float, seed: int = 1) -> ShareShift:
    """A detector that saw a drawn site's days."""
    share, source = (
        ShareShift(),
        Days(site_of(seed, level, 3500, crawlers=False), np.random.default_rng(seed)),
    )
    for day in range(days):
        feed(share, day, *source.next())
    return share


def words(share: ShareShift, start: int, minutes: int, hits: int, trials: int) -> list[str]:
    return [share.update(minute, hits, trials).reason for minute in range(start, start + minutes)]


def as_bytes(share: ShareShift) -> bytes:
    return msgspec.msgpack.encode(share.state)


@pytest.mark.parametrize(("hits", "trials"), [(0, 3), (3, 3), (1, 2), (0, 0), (7, 1000)])
def test_what_never_changes_is_never_a_change(hits: int, trials: int) -> None:
    share = ShareShift()
    seen = {share.update(minute, hits, trials).reason for minute in range(6 * DAY)}
    assert seen <= {"insufficient_history", "within_band"}


def test_without_a_history_the_answer_is_that_there_is_none() -> None:
    share = ShareShift()
    assert share.score_one(0, 1, 2).reason == "insufficient_history"
    assert set(words(share, 0, DAY, 1, 2)) == {"insufficient_history"}


def test_the_first_hit_after_ten_thousand_misses_is_no_alert_unless_it_persists() -> None:
    share = steady(4, 0, 3)
    assert words(share, 4 * DAY, 1, 1, 3) == ["within_band"]
    assert "shifted" not in words(share, 4 * DAY + 1, 60, 0, 3)
    assert "shifted" in words(share, 4 * DAY + 61, 12, 1, 3)


def test_scoring_changes_nothing() -> None:
    share = drawn(4, 0.3)
    before = as_bytes(share)
    for hits in (0, 2, 40):
        share.score_one(4 * DAY + 1, hits, 40)
    assert as_bytes(share) == before


def test_a_verdict_is_the_same_whether_asked_for_before_or_with_learning() -> None:
    share = drawn(4, 0.3)
    for minute in range(4 * DAY, 4 * DAY + 200):
        foretold = share.score_one(minute, 3, 3)
        assert share.update(minute, 3, 3) == foretold


@pytest.mark.parametrize("at", [DAY, 4 * DAY + 901, 4 * DAY + 1100])
def test_a_restored_detector_goes_on_as_if_nothing_had_been(at: int) -> None:
    site, rng = site_of(3, 0.2, 3500, crawlers=True), np.random.default_rng(3)
    source = Days(site, rng)
    days = [source.next(Fault(900, 0.6) if day == 4 else None) for day in range(6)]
    counts = [pair for hits, trials in days for pair in zip(hits.tolist(), trials.tolist(), strict=True)]
    one = ShareShift()
    for minute in range(at):
        one.learn_one(minute, *counts[minute])
    other = ShareShift(state=msgspec.msgpack.decode(as_bytes(one), type=ShareState))
    for minute in range(at, len(counts)):
        assert one.update(minute, *counts[minute]) == other.update(minute, *counts[minute])
    assert as_bytes(one) == as_bytes(other)


def test_minutes_without_trials_may_be_left_out() -> None:
    source = Days(site_of(5, 0.2, 1500, crawlers=False), np.random.default_rng(5))
    with_them, without = ShareShift(), ShareShift()
    for day in range(5):
        hits, trials = source.next(Fault(600, 0.8) if day == 4 else None)
        seen = [verdict for verdict in feed(with_them, day, hits, trials) if verdict.fired]
        counts = enumerate(zip(hits.tolist(), trials.tolist(), strict=True), start=day * DAY)
        verdicts = [without.update(minute, k, n) for minute, (k, n) in counts if n]
        assert [verdict for verdict in verdicts if verdict.fired] == seen


def test_trials_without_a_hit_may_wait_and_be_taken_in_as_one() -> None:
    rng = np.random.default_rng(7)
    one, other, waiting = ShareShift(ALONE), ShareShift(ALONE), 0
    said: list[list[tuple[str, int]]] = [[], []]
    for minute in range(8 * DAY):
        level = 0.3 if minute > 7 * DAY + 600 else 0.002
        trials = int(rng.integers(0, 5))
        hits = int(rng.binomial(trials, level))
        said[0].append((one.update(minute, hits, trials).reason, minute))
        if not hits and other.may_wait(minute, waiting + trials):
            waiting, last = waiting + trials, minute
            continue
        if waiting:
            other.pass_over(last, waiting)
            waiting = 0
        said[1].append((other.update(minute, hits, trials).reason, minute))
    assert len(said[1]) < 0.3 * len(said[0])
    opened = [[at for reason, at in some if reason == "shifted"] for some in said]
    assert opened[0] == opened[1] != []
    assert one.state.history.cells == other.state.history.cells


def test_hits_and_misses_are_treated_alike() -> None:
    source = Days(site_of(6, 0.3, 3500, crawlers=False), np.random.default_rng(6))
    hits_seen, misses_seen = ShareShift(), ShareShift()
    for day in range(5):
        hits, trials = source.next(Fault(900, 0.9) if day == 4 else None)
        pairs = zip(
            feed(hits_seen, day, hits, trials), feed(misses_seen, day, trials - hits, trials), strict=True
        )
        for one, other in pairs:
            assert one.reason == other.reason
            assert one.z == pytest.approx(-other.z, rel=1e-6, abs=1e-6)


def test_the_memory_does_not_grow_with_time() -> None:
    share, source = ShareShift(), Days(site_of(7, 0.2, 3500, crawlers=True), np.random.default_rng(7))
    sizes = []
    for day in range(64):
        feed(share, day, *source.next())
        sizes.append(len(as_bytes(share)))
    assert max(sizes[32:]) < 1.1 * max(sizes[28:32])
    assert max(sizes) < 20_000


def test_an_incident_of_any_length_takes_little_memory() -> None:
    share = steady(4, 1, 10)
    words(share, 4 * DAY, 20 * DAY, 9, 10)
    assert share.state.incident is not None
    assert len(share.state.incident.rows) < 500


@given(
    minutes=st.lists(
        st.tuples(st.integers(-10, 4000), st.integers(-5, 10**9), st.integers(-5, 10**9)), max_size=60
    ),
    known=st.booleans(),
)
def test_no_input_raises_or_leads_to_a_number_that_is_none(
    *, minutes: list[tuple[int, int, int]], known: bool
) -> None:
    share = copied(KNOWN) if known else ShareShift()
    minute = share.state.minute
    for ahead, hits, trials in minutes:
        minute += ahead
        verdict = share.update(minute, hits, trials)
        numbers = (verdict.value or 0.0, verdict.baseline or 0.0, verdict.z, verdict.expected)
        assert all(isfinite(number) for number in numbers)
        assert 0 <= verdict.hits <= verdict.trials
        assert list(share.state.history.cells) == sorted(share.state.history.cells)


def copied(share: ShareShift) -> ShareShift:
    return ShareShift(share.options, msgspec.msgpack.decode(as_bytes(share), type=ShareState))


KNOWN = drawn(4, 0.1, seed=8)


def test_the_life_of_an_incident() -> None:
    share = steady(6, 2, 20)
    seen = words(share, 6 * DAY, 900, 8, 20)
    assert seen.count("shifted") == 1
    assert set(seen[seen.index("shifted") + 1 :]) == {"open"}
    higher = words(share, 6 * DAY + 900, 300, 16, 20)
    assert higher.count("stepped_up") == 1
    back = words(share, 6 * DAY + 1200, 600, 2, 20)
    assert back.count("recovered") == 1
    assert back.index("recovered") >= share.options.recovery_minutes
    assert set(back[back.index("recovered") + 1 :]) == {"within_band"}


def test_a_share_that_goes_on_growing_for_hours_is_one_incident() -> None:
    share = steady(6, 2, 20)
    seen = [
        word for hour in range(6) for word in words(share, 6 * DAY + 60 * hour, 60, min(4 + 3 * hour, 20), 20)
    ]
    assert seen.count("shifted") == 1
    assert set(seen[seen.index("shifted") + 1 :]) == {"open"}
    assert share.score_one(6 * DAY + 360, 19, 20).baseline == pytest.approx(0.1, abs=0.01)


def test_an_incident_never_becomes_normal_by_itself() -> None:
    share = steady(6, 2, 20)
    assert words(share, 6 * DAY, 20 * DAY, 8, 20)[-1] == "open"
    assert share.score_one(26 * DAY, 8, 20).baseline == pytest.approx(0.1, abs=0.01)


def test_an_easing_is_no_step_up_and_no_recovery() -> None:
    share = steady(6, 2, 20)
    words(share, 6 * DAY, 300, 16, 20)
    assert set(words(share, 6 * DAY + 300, 2 * DAY, 8, 20)) == {"open"}


@pytest.mark.parametrize("hours", [1, 30])
def test_an_accepted_level_is_normal_from_then_on(hours: int) -> None:
    share = steady(6, 2, 20)
    now = 6 * DAY + hours * 60
    words(share, 6 * DAY, hours * 60, 8, 20)
    assert share.accept()
    assert not share.accept()
    assert "shifted" not in words(share, now, 3 * DAY, 8, 20)
    assert "shifted" in words(share, now + 3 * DAY, 60, 2, 20)


def test_the_change_is_dated_where_it_began() -> None:
    share = drawn(8, 0.2)
    source = Days(site_of(1, 0.2, 3500, crawlers=False), np.random.default_rng(9))
    fired = [verdict for verdict in feed(share, 8, *source.next(Fault(900, 0.7))) if verdict.fired]
    assert abs(fired[0].since - (8 * DAY + 900)) <= 10
    assert fired[0].value == pytest.approx(0.7, abs=0.15)
    assert fired[0].baseline == pytest.approx(0.2, abs=0.05)


def test_what_is_too_small_to_matter_says_so_however_sure_it_is() -> None:
    share = steady(8, 500, 1000)
    assert {*words(share, 8 * DAY, DAY, 530, 1000)} <= {"within_band", "below_min_rel"}
    assert "below_min_abs" in words(steady(8, 0, 1000), 8 * DAY, DAY, 5, 1000)


def test_a_fall_is_no_change_where_only_rises_count() -> None:
    share = steady(6, 10, 20, ShareOptions(cluster=1.0, falls=False, **FLOODS))
    assert "shifted" not in words(share, 6 * DAY, 300, 2, 20)


def test_days_that_are_not_trusted_teach_nothing() -> None:
    share, other = steady(6, 2, 20), steady(6, 2, 20)
    for minute in range(6 * DAY, 7 * DAY):
        share.update(minute, 3, 20, trusted=False)
        other.update(minute, 3, 20)
    other.forget(6 * DAY, 7 * DAY - 1)
    assert share.state.history.cells == other.state.history.cells
    assert max(share.state.history.cells) < 6 * 24


def crawled(options: ShareOptions, minutes: int) -> list[ShareVerdict]:
    """A site whose events double, all the additional ones without the attribute."""
    rng = np.random.default_rng(11)
    share = ShareShift(options)
    for minute in range(6 * DAY):
        trials = int(rng.poisson(3))
        share.learn_one(minute, int(rng.binomial(trials, 0.2)), trials)
    verdicts = []
    for minute in range(6 * DAY, 6 * DAY + 600):
        trials, extra = int(rng.poisson(3)), int(rng.poisson(10)) if minute < 6 * DAY + minutes else 0
        verdicts.append(share.update(minute, int(rng.binomial(trials, 0.2)) + extra, trials + extra))
    return verdicts


def test_half_an_hour_of_a_crawler_is_no_change() -> None:
    verdicts = crawled(ShareOptions(), 30)
    assert not any(verdict.fired for verdict in verdicts)
    assert "extra_traffic" in {verdict.reason for verdict in verdicts}


def test_a_flood_that_stays_is_a_change_after_two_hours_or_at_once_if_floods_are_looked_for() -> None:
    held = [verdict.fired for verdict in crawled(ShareOptions(), 600)]
    assert 120 <= held.index(True) <= 150
    assert [verdict.fired for verdict in crawled(ShareOptions(**FLOODS), 600)].index(True) <= 10


def test_a_crawler_in_an_hour_that_is_quieter_than_usual_is_no_change() -> None:
    rng, share, fired = np.random.default_rng(13), ShareShift(ShareOptions()), []
    for minute in range(9 * DAY + 240):
        crawled, quiet = 120 <= minute % DAY < 150, minute >= 9 * DAY
        people, crawler = (70, 130) if crawled and quiet else (100, 100 if crawled else 0)
        trials, extra = int(rng.poisson(people)), int(rng.poisson(crawler))
        fired.append(share.update(minute, int(rng.binomial(trials, 0.2)) + extra, trials + extra).fired)
    assert not any(fired)


def test_a_field_of_purchases_that_turns_null_is_known_after_a_handful_of_them() -> None:
    rng = np.random.default_rng(12)
    options = ShareOptions(
        cluster=1.0, min_trials=40, min_minutes=0, span_minutes=3 * DAY, extra_traffic_minutes=0
    )
    share = ShareShift(options)
    for minute in range(7 * DAY):
        share.learn_one(minute, 0, int(rng.random() < 19 / DAY))
    bought = 0
    for minute in range(7 * DAY, 9 * DAY):
        now = int(rng.random() < 19 / DAY)
        bought += now
        if share.update(minute, now, now).fired:
            break
    assert 3 <= bought <= 5


@pytest.mark.parametrize(
    ("before", "after", "events", "most_minutes", "most_trials"),
    [
        (0.3, 0.6, 3500, 240, 400),
        (0.45, 0.9, 3500, 90, 150),
        (0.01, 0.3, 3500, 60, 120),
        (0.2, 0.4, 350_000, 60, 12_000),
        (0.0, 0.3, 350_000, 10, 2000),
        (0.0, 0.02, 350_000, 60, 15_000),
    ],
)
def test_a_fault_in_the_afternoon_is_known_in_time(
    before: float, after: float, events: int, most_minutes: int, most_trials: int
) -> None:
    options = ShareOptions(**FLOODS)
    runs = 3 if events < 10_000 else 1
    found = [
        delay(seed, site_of(seed, before, events, crawlers=False), after, 900, options, warm=8)
        for seed in range(20, 20 + runs)
    ]
    assert sorted(one.minutes for one in found if one)[len(found) // 2] <= most_minutes
    assert sorted(one.trials for one in found if one)[len(found) // 2] <= most_trials


@pytest.mark.parametrize("level", [0.0, 0.003, 0.01, 0.05, 0.2, 0.5, 0.73, 0.98])
def test_noise_is_no_change(level: float) -> None:
    seed = 40 + int(1000 * level)
    assert not false_alarms(seed, site_of(seed, level, 3500, crawlers=True), 30, ShareOptions())
    assert not false_alarms(seed, site_of(seed, level, 350_000, crawlers=False), 4, ShareOptions())


def test_days_that_differ_more_than_most_sites_do_are_hardly_ever_news_however_many_their_events() -> None:
    fired = []
    for seed in range(20):
        rng, share = np.random.default_rng(seed), ShareShift(ShareOptions(quiet_years=2.0))
        for day in range(14):
            today = share_of(logit_of(0.35) + rng.normal(0, 0.17))
            for minute, trials in zip(range(29, DAY, 30), rng.poisson(6000, 48).tolist(), strict=True):
                hits = int(rng.binomial(trials, today))
                fired.append(share.update(day * DAY + minute, hits, trials).fired)
    assert sum(fired) <= 3


@pytest.mark.parametrize(("before", "after"), [(0.2, 0.4), (0.35, 0.7), (0.6, 0.3)])
def test_on_a_busy_site_minutes_tell_a_share_that_changed_from_a_crawler(before: float, after: float) -> None:
    sites = [(seed, site_of(seed, before, 350_000, crawlers=False)) for seed in (20, 21, 22)]
    found = [delay(seed, site, after, 915, ShareOptions(), warm=4) for seed, site in sites]
    assert sorted(one.minutes for one in found if one)[1] <= 20


def test_a_site_draws_the_same_days_again() -> None:
    one, other = (Days(draw_site(np.random.default_rng(1), 0.2), np.random.default_rng(2)) for _ in range(2))
    for _ in range(2):
        for mine, theirs in zip(one.next(), other.next(), strict=True):
            assert (mine == theirs).all()
