"""The arithmetic of a moving share, against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from detectors.share_dispersion import Dispersion, Noise
from detectors.share_evidence import Walk, against, evidence, variance_of
from detectors.share_profile import Level, Profile, fit, share_of, slot_of
from detectors.share_verdict import ShareOptions
from detectors.share_window import loudest

counts = st.integers(1, 5000)


@given(counts, counts, counts, counts)
def test_evidence_is_half_of_the_g_of_a_two_by_two_table(a: int, b: int, c: int, d: int) -> None:
    table = [[a, b], [c, d]]
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert evidence(a, a + b, c, c + d) == pytest.approx(g / 2, rel=1e-6, abs=1e-8)


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 300), st.integers(1, 300))
def test_evidence_is_symmetric_and_never_negative(a: int, b: int, c: int, d: int) -> None:
    one = evidence(min(a, b), b, min(c, d), d)
    assert one >= 0
    assert one == pytest.approx(evidence(min(c, d), d, min(a, b), b), abs=1e-9)
    assert one == pytest.approx(evidence(b - min(a, b), b, d - min(c, d), d), abs=1e-9)


def test_against_a_known_share_it_is_the_likelihood_ratio() -> None:
    ratio = stats.binom.logpmf(30, 100, 0.3) - stats.binom.logpmf(30, 100, 0.1)
    sure = against(30, 100, 0.1, dispersion=1.0, unsure=1e-9, rise=True)
    assert sure == pytest.approx(ratio, rel=1e-4)


@given(st.floats(0.01, 0.99), st.floats(1, 10), st.floats(1e-4, 1), st.integers(1, 400), st.data())
def test_doubt_and_clusters_never_add_evidence(
    share: float, dispersion: float, unsure: float, trials: int, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, trials))
    rise = hits > trials * share
    sure = against(hits, trials, share, dispersion=1.0, unsure=1e-6, rise=rise)
    assert against(hits, trials, share, dispersion=dispersion, unsure=unsure, rise=rise) <= sure + 1e-6


@pytest.mark.parametrize("seed", range(12))
def test_the_corners_that_are_kept_hold_the_loudest_of_all_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = [0.1 + 0.05 * np.sin(minute / 60) for minute in range(400)]
    walk, kept, every = Walk(), [], []
    seen: list[tuple[int, int, float]] = []
    level = Level(0.1, 1e-6, 0.0, 3.0)
    for minute, share in enumerate(shares):
        now = min(1.0, share * (1.0 if minute < 300 else 2.0))
        trials = int(rng.poisson(5))
        hits = int(rng.binomial(trials, now))
        walk.step(minute, hits, trials, trials * share, trials * variance_of(share))
        seen.append((hits, trials, trials * share))
        if minute % 20:
            continue
        window = loudest(walk, minute + 1, (0, 0), level, 1.0, 0.0, falls=True)
        kept.append(window.evidence if window else 0.0)
        sums = np.cumsum(seen[::-1], axis=0)
        every.append(max(_of_sums(k, n, e) for k, n, e in sums if n))
    assert len(walk.low) + len(walk.high) < 40
    assert np.all(np.array(kept) <= np.array(every) + 1e-6)
    assert sum(kept) > 0.97 * sum(every)
    assert kept[-1] > 0.99 * every[-1]


def _of_sums(hits: float, trials: float, expected: float) -> float:
    share = expected / trials
    return against(hits, trials, share, dispersion=1.0, unsure=1e-6, rise=hits > expected)


def _fit(cells: dict[int, tuple[int, int]], hour: int, noise: Noise) -> Profile:
    return fit(tuple(cells), tuple(cells.values()), hour, noise)


def test_the_profile_finds_the_hours_the_weekends_and_the_level() -> None:
    rng = np.random.default_rng(3)
    cells = {}
    true = {}
    for hour in range(28 * 24):
        logit = -1.0 + 0.4 * np.cos(hour % 24 * np.pi / 12) + (0.3 if slot_of(hour) >= 24 else 0.0)
        true[slot_of(hour)] = share_of(logit)
        cells[hour] = (int(rng.binomial(3000, share_of(logit))), 3000)
    profile = _fit(cells, 28 * 24, Noise(1.0, 0.001))
    for slot, level in enumerate(profile.levels):
        assert level.share == pytest.approx(true[slot], rel=0.06)
        assert level.per_minute == pytest.approx(50)
        assert 0 < level.unsure < 0.01


def test_with_one_level_the_profile_is_the_maximum_of_the_likelihood() -> None:
    cells = dict.fromkeys(range(24 * 28), (30, 100))
    best = optimize.minimize_scalar(
        lambda share: -stats.binom.logpmf(30 * 672, 100 * 672, share), bounds=(0.01, 0.99), method="bounded"
    )
    for level in _fit(cells, 24 * 28, Noise(1.0, 0.0)).levels:
        assert level.share == pytest.approx(best.x, abs=1e-3)


def test_a_crawlers_hours_do_not_move_the_profile() -> None:
    cells = dict.fromkeys(range(24 * 10), (5, 100))
    clean = _fit(cells, 240, Noise(2.0, 0.003)).levels[3].share
    cells |= {3 * 24 + 3: (500, 600), 7 * 24 + 3: (700, 800)}
    assert _fit(cells, 240, Noise(2.0, 0.003)).levels[3].share < 2 * clean


@pytest.mark.parametrize("size", [1, 4, 8])
def test_the_dispersion_of_visits_is_found(size: int) -> None:
    rng = np.random.default_rng(size)
    seen = Dispersion()
    for _ in range(60):
        for _ in range(24):
            visits = int(rng.poisson(240 / size))
            hits = size * int(rng.binomial(visits, 0.3))
            seen.see(hits - 0.3 * visits * size, visits * size * 0.21)
            seen.end_hour(seen.noise(3.0))
        seen.end_day(seen.noise(3.0))
    dispersion = seen.noise(3.0).dispersion
    assert dispersion == pytest.approx(size, rel=0.2)
    assert seen.wiggle(dispersion)[0] < 0.07**2


def test_the_wiggle_of_days_is_found_where_days_are_large() -> None:
    rng = np.random.default_rng(5)
    seen = Dispersion()
    for _ in range(60):
        share = share_of(-1.0 + rng.normal(0, 0.1))
        for _ in range(24):
            hits = rng.binomial(10_000, share)
            seen.see(float(hits - 10_000 * share_of(-1.0)), 10_000 * 0.1966)
            seen.end_hour(seen.noise(3.0))
        seen.end_day(seen.noise(3.0))
    assert seen.wiggle(3.0)[0] ** 0.5 == pytest.approx(0.1, rel=0.3)


def test_a_wiggle_that_few_days_tell_of_must_be_believed_larger() -> None:
    few, many = Dispersion(), Dispersion()
    for day in range(60):
        for seen in (few, many) if day < 2 else (many,):
            for _ in range(24):
                seen.see(0.1 * 2000 * (-1) ** day, 2000.0)
                seen.end_hour(seen.noise(3.0))
            seen.end_day(seen.noise(3.0))
    assert many.wiggle(3.0)[0] == pytest.approx(0.1**2, rel=0.3)
    told, believed = few.wiggle(3.0)[0] / many.wiggle(3.0)[0], few.noise(3.0).wiggle / many.noise(3.0).wiggle
    assert believed > 1.3 * told


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_floors_treat_hits_and_misses_alike(value: float, before: float) -> None:
    options = ShareOptions()
    mirrored = options.floors(1 - value, 1 - before)
    far_from_an_edge = all(
        abs(abs(value - before) - edge) > 1e-9 for edge in (options.min_points, options.min_small)
    )
    if (
        far_from_an_edge
        and abs(before - 0.5) > 1e-9
        and options.counts(value, before) != (mirrored == "shifted")
    ):
        rare, rarer = sorted((min(before, 1 - before), min(value, 1 - value)))
        assert rarer == pytest.approx(options.min_ratio * rare, rel=1e-6)
