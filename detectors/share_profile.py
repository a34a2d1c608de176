"""What a share normally is at an hour, and how sure that is.

The level is additive on the logit scale: the whole, the hour of the day, the weekend, and the last days' drift, each
pulled towards nothing as far as its counts are few (empirical Bayes: Efron and Morris 1975), each with the variance
that is left. Hours of the past that are too strange for their hour of the day are cut before.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, fsum, log, sqrt
from operator import mul
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from detectors.share_dispersion import VISIT, Noise

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT_DAYS = 28
"""How far back the hourly counts go."""

_LONG = [2.0 ** (-age / 14) for age in range(KEPT_DAYS + 2)]
_RECENT = [2.0 ** (-age / 3) for age in range(KEPT_DAYS + 2)]
"""Weights of a day by its age: half of it after two weeks, or after three days."""

_HOUR_SPREAD = 0.09
_WEEKEND_SPREAD = 0.04
_DRIFT_SPREAD = 0.01
"""Variances expected, before any data, of the level over the hours, between weekend and week, of some days' drift:
standard deviations of 30, 20 and 10 % of the odds."""

_HOUR_SPREAD_WORTH = 60.0
"""How much information (trials · share · (1 − share)) the expected spread of the hours is worth."""

_MOST_SIGMAS = 4.0
"""How far an hour may lie from those of its time of day."""

_SURELY_ORDINARY = 0.999 * _MOST_SIGMAS**2
"""What lies within that by its dispersion alone, rounding aside, is not looked at more closely."""

_ENOUGH = 5
_FEW = 3
"""Days whose median is robust: of shares, and of sizes."""

_SATURDAY = 5
_SLOTS = tuple(hour % 24 + (24 if (hour // 24 + 3) % 7 >= _SATURDAY else 0) for hour in range(168))


class Level(msgspec.Struct, frozen=True, gc=False):
    """What is expected in an hour of the day: the share, the variance (logit scale) of what is unsure about it for the
    whole day and for this hour alone, and events a minute."""

    share: float
    unsure: float
    hour_unsure: float
    per_minute: float


class Profile(msgspec.Struct, frozen=True):
    """The levels of 24 hours of the week and 24 of the weekend, the noise, and the size of the history."""

    levels: tuple[Level, ...]
    noise: Noise
    trials: float
    trials_a_day: float


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """Hits, the hits expected, trials."""

    hits: float
    expected: float
    trials: float


class _Effect(msgspec.Struct, frozen=True, gc=False):
    """How far something moves the logit, and the variance that is left of that."""

    size: float
    left: float


class _Volumes(NamedTuple):
    """What hours tell by their trials alone. By slot: its hours (place among all, trials, weights in a long and in a
    short memory), whether one had more than a visit's trials, the weighted sums of these, and events a minute; how many
    days they are, with weights; and how many days of equal weight tell as much, of the week and the weekend in the long
    memory, of all in the short one."""

    hours: list[list[tuple[int, int, float, float]]]
    large: list[bool]
    long: list[float]
    recent: list[float]
    per_minute: list[float]
    days: float
    worth: tuple[float, float]
    recent_worth: float


class _Table(NamedTuple):
    """Weighted hits and trials by slot."""

    hits: list[float]
    trials: list[float]

    def around(self, hod: int, share: float) -> _Seen:
        """An hour of the day with half of its neighbours, all days together."""
        trials = _around(self.trials, hod)
        return _Seen(_around(self.hits, hod), trials * share, trials)

    def beside(self, shares: list[float], first: int, last: int) -> _Seen:
        """Some slots, with what is expected of them by these shares."""
        expected = fsum(map(mul, self.trials[first:last], shares[first:last]))
        return _Seen(fsum(self.hits[first:last]), expected, fsum(self.trials[first:last]))


def _around(counts: list[float], hod: int) -> float:
    """The sum over the week's slot and the weekend's, with half of those beside them."""
    before, after = (hod - 1) % 24, (hod + 1) % 24
    return (
        counts[hod]
        + counts[hod + 24]
        + 0.5 * counts[before]
        + 0.5 * counts[before + 24]
        + 0.5 * counts[after]
        + 0.5 * counts[after + 24]
    )


def slot_of(hour: int) -> int:
    """The hour of the day of an hour number, 24 more on Saturdays and Sundays (day 0 was a Thursday).

    >>> slot_of(5), slot_of(2 * 24 + 5)
    (5, 29)
    """
    return _SLOTS[hour % 168]


def fit(cells: tuple[int, ...], counts: Sequence[tuple[int, int]], hour: int, noise: Noise) -> Profile:
    """The profile at an hour, of hours before it with their hits and trials."""
    hits, trials = zip(*counts, strict=True) if counts else ((), ())
    volumes = _volumes(cells, trials, hour)
    long_hits, recent_hits = _hits(volumes, hits, noise)
    long, recent = _Table(long_hits, volumes.long), _Table(recent_hits, volumes.recent)
    total = fsum(long.trials)
    levels = tuple(_levels(long, recent, volumes, noise))
    return Profile(levels, noise, total, total / volumes.days if volumes.days else 0.0)


@lru_cache(maxsize=4)
def _volumes(cells: tuple[int, ...], trials: tuple[int, ...], hour: int) -> _Volumes:
    """The same for all shares of the same things (events, purchases, items): it is computed once."""
    hours: list[list[tuple[int, int, float, float]]] = [[] for _ in range(48)]
    sums, recent_sums = [0.0] * 48, [0.0] * 48
    ages = [(hour - cell) // 24 for cell in cells]
    ages_of: tuple[set[int], set[int]] = set(), set()
    for place, (cell, age, count) in enumerate(zip(cells, ages, trials, strict=True)):
        slot, long, recent = _SLOTS[cell % 168], _LONG[age], _RECENT[age]
        hours[slot].append((place, count, long, recent))
        sums[slot] += long * count
        recent_sums[slot] += recent * count
        ages_of[slot // 24].add(age)
    sizes = [[count for _, count, _, _ in of_slot] for of_slot in hours]
    large = [max(some, default=0) > VISIT for some in sizes]
    per_minute = [_usual(sizes, slot) / 60 for slot in range(48)]
    days = ages_of[0] | ages_of[1]
    worth = _worth(_LONG, ages_of[0]), _worth(_LONG, ages_of[1])
    size = fsum(_LONG[age] for age in days)
    return _Volumes(hours, large, sums, recent_sums, per_minute, size, worth, _worth(_RECENT, days))


def _worth(weights: list[float], ages: set[int]) -> float:
    """How many days of equal weight tell as much as these (Kish 1965)."""
    some = [weights[age] for age in ages]
    return fsum(some) ** 2 / fsum(map(mul, some, some)) if some else 1.0


def _hits(volumes: _Volumes, hits: Sequence[int], noise: Noise) -> tuple[list[float], list[float]]:
    """The hits of all hours by slot, with the weights of a long and of a short memory. An hour of at most `VISIT` trials
    is never too strange."""
    sums, recent_sums = [0.0] * 48, [0.0] * 48
    if not any(hits):
        return sums, recent_sums
    hours, large = volumes.hours, volumes.large
    shares = [[hits[place] / n for place, n, _, _ in of_slot if n] for of_slot in hours] if any(large) else []
    for slot, of_slot in enumerate(hours):
        long_sum = recent_sum = 0.0
        if not large[slot]:
            for place, _, long, recent in of_slot:
                some = hits[place]
                long_sum += long * some
                recent_sum += recent * some
            sums[slot], recent_sums[slot] = long_sum, recent_sum
            continue
        middle = _middle(shares, slot)
        ordinary = _SURELY_ORDINARY * noise.dispersion * middle * (1 - middle)
        for place, trials, long, recent in of_slot:
            kept: float = hits[place]
            off = kept - trials * middle
            if not -VISIT <= off <= VISIT and off * off > ordinary * trials:
                kept = _cut(kept, trials, middle, noise)
            long_sum += long * kept
            recent_sum += recent * kept
        sums[slot], recent_sums[slot] = long_sum, recent_sum
    return sums, recent_sums


def _levels(long: _Table, recent: _Table, volumes: _Volumes, noise: Noise) -> list[Level]:
    trials, dispersion, wiggle = fsum(long.trials), noise.dispersion, noise.wiggle
    base = logit_of((fsum(long.hits) + 0.5) / (trials + 1.0))
    whole = share_of(base)
    hours = _shrunk([long.around(hod, whole) for hod in range(24)], dispersion)
    logits = [base + effect.size for effect in hours]
    shares = [share_of(logit) for logit in logits] * 2
    kinds = [
        _effect(long.beside(shares, 24 * kind, 24 * kind + 24), dispersion, _WEEKEND_SPREAD, wiggle / worth)
        for kind, worth in enumerate(volumes.worth)
    ]
    logits = [logit + kind.size for kind in kinds for logit in logits]
    wander = _DRIFT_SPREAD + dispersion / max(trials * whole * (1 - whole), 1e-9)
    lately = recent.beside([share_of(logit) for logit in logits], 0, 48)
    drift = _effect(lately, dispersion, wander, wiggle / volumes.recent_worth)
    unsure = [drift.left + wiggle + kind.left for kind in kinds]
    return [
        Level(
            share_of(logit + drift.size),
            unsure[slot // 24],
            hours[slot % 24].left,
            volumes.per_minute[slot],
        )
        for slot, logit in enumerate(logits)
    ]


def _cut(hits: float, trials: int, share: float, noise: Noise) -> float:
    """The hits of an hour; if it is too strange for its hour of the day (a crawler's), as many as chance allows."""
    usual = trials * share
    variance = usual * (1 - share)
    most = max(VISIT, _MOST_SIGMAS * sqrt(noise.of(variance) * variance))
    return min(max(hits, usual - most), usual + most)


def _middle(by_slot: list[list[float]], slot: int) -> float:
    """The median share of an hour of the day: of its kind of days, with the hours beside it, of all days, as it takes
    to have enough."""
    seen = by_slot[slot]
    if len(seen) < _ENOUGH:
        kind, near = slot - slot % 24, [(slot + step) % 24 for step in (-1, 0, 1)]
        seen = [share for hod in near for share in by_slot[kind + hod]]
        if len(seen) < _ENOUGH:
            seen = [share for hod in near for share in by_slot[hod] + by_slot[hod + 24]]
    return median(seen) if seen else 0.0


def _shrunk(seen: list[_Seen], dispersion: float) -> list[_Effect]:
    """The effects of the hours; how far they spread is learned from them as well (DerSimonian and Laird 1986)."""
    raw = [_raw(one, dispersion) for one in seen]
    total = fsum(information for _, information in raw)
    found = max(0.0, fsum(information * size**2 for size, information in raw) - len(raw))
    spread = (found + _HOUR_SPREAD_WORTH * _HOUR_SPREAD) / (total + _HOUR_SPREAD_WORTH)
    return [_pulled(size, information, spread) for size, information in raw]


def _effect(seen: _Seen, dispersion: float, spread: float, wiggle: float) -> _Effect:
    """The effect of some days, whose mean strays by that wiggle however many their trials are."""
    size, information = _raw(seen, dispersion)
    return _pulled(size, information / (1 + wiggle * information), spread)


def _raw(seen: _Seen, dispersion: float) -> tuple[float, float]:
    """How far the odds lie from those expected (log), and the information in that."""
    hits, expected, trials = seen.hits / dispersion, seen.expected / dispersion, seen.trials / dispersion
    if trials <= 0:
        return 0.0, 0.0
    misses, expected_misses = max(0.0, trials - hits), max(0.0, trials - expected)
    size = log((hits + 0.5) / (expected + 0.5)) - log((misses + 0.5) / (expected_misses + 0.5))
    return size, expected * expected_misses / trials


def _pulled(size: float, information: float, spread: float) -> _Effect:
    left = 1 / (information + 1 / spread)
    return _Effect(size * information * left, left)


def _usual(volumes: list[list[int]], slot: int) -> float:
    """Events in such an hour: the median of its kind of days, of all days while there are few."""
    own = volumes[slot]
    seen = own if len(own) >= _FEW else volumes[slot % 24] + volumes[slot % 24 + 24]
    return median(seen or [count for some in volumes for count in some] or [0])


def logit_of(share: float) -> float:
    """The log of the odds."""
    return log(share / (1 - share))


def share_of(logit: float) -> float:
    """The share of a log of odds."""
    return 1 / (1 + exp(-logit))
