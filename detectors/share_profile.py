"""What a share normally is at an hour, and how sure that is.

The level is additive on the logit scale: the whole, the hour of the day, the weekend, and the last days' drift, each
pulled towards nothing as far as its counts are few (empirical Bayes: Efron and Morris 1975), each with the variance
that is left. Hours of the past that are too strange for their hour of the day are cut before.
"""

from __future__ import annotations

from math import exp, log, sqrt
from statistics import median

import msgspec

from detectors.share_dispersion import VISIT, Noise

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

_ENOUGH = 5
_FEW = 3
"""Days whose median is robust: of shares, and of sizes."""

_SATURDAY = 5

Cells = dict[int, tuple[float, int]]
"""Hits and trials by hour number."""


class Level(msgspec.Struct, frozen=True):
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


class _Seen(msgspec.Struct, frozen=True):
    """Hits, the hits expected, trials."""

    hits: float
    expected: float
    trials: float


class _Effect(msgspec.Struct, frozen=True):
    """How far something moves the logit, and the variance that is left of that."""

    size: float
    left: float


class _Table:
    """Weighted hits and trials by slot."""

    def __init__(self) -> None:
        self.hits = [0.0] * 48
        self.trials = [0.0] * 48

    def add(self, slot: int, hits: float, trials: float) -> None:
        self.hits[slot] += hits
        self.trials[slot] += trials

    def around(self, hod: int, share: float) -> _Seen:
        """An hour of the day with half of its neighbours, all days together."""
        slots = [(at % 24 + kind, weight) for at, weight in _near(hod) for kind in (0, 24)]
        trials = sum(weight * self.trials[slot] for slot, weight in slots)
        return _Seen(sum(weight * self.hits[slot] for slot, weight in slots), trials * share, trials)

    def beside(self, logits: list[float], first: int, last: int) -> _Seen:
        """Some slots, with what is expected of them by these logits."""
        slots = range(first, last)
        expected = sum(self.trials[slot] * share_of(logits[slot]) for slot in slots)
        return _Seen(sum(self.hits[first:last]), expected, sum(self.trials[first:last]))


def _near(hod: int) -> tuple[tuple[int, float], ...]:
    return (hod, 1.0), (hod - 1, 0.5), (hod + 1, 0.5)


def slot_of(hour: int) -> int:
    """The hour of the day of an hour number, 24 more on Saturdays and Sundays (day 0 was a Thursday).

    >>> slot_of(5), slot_of(2 * 24 + 5)
    (5, 29)
    """
    return hour % 24 + (24 if (hour // 24 + 3) % 7 >= _SATURDAY else 0)


def fit(cells: dict[int, tuple[int, int]], hour: int, noise: Noise) -> Profile:
    """The profile at an hour, of hours before it."""
    long, recent, volumes = _Table(), _Table(), [[0] * 0 for _ in range(48)]
    for cell, (hits, trials) in _cut(cells, noise).items():
        slot, age = slot_of(cell), (hour - cell) // 24
        volumes[slot].append(trials)
        long.add(slot, _LONG[age] * hits, _LONG[age] * trials)
        recent.add(slot, _RECENT[age] * hits, _RECENT[age] * trials)
    total = sum(long.trials)
    days = sum(_LONG[age] for age in {(hour - cell) // 24 for cell in cells})
    levels = tuple(_levels(long, recent, volumes, noise))
    return Profile(levels, noise, total, total / days if days else 0.0)


def _levels(long: _Table, recent: _Table, volumes: list[list[int]], noise: Noise) -> list[Level]:
    trials, dispersion = sum(long.trials), noise.dispersion
    base = logit_of((sum(long.hits) + 0.5) / (trials + 1.0))
    whole = share_of(base)
    hours = _shrunk([long.around(hod, whole) for hod in range(24)], dispersion)
    logits = [base + hours[slot % 24].size for slot in range(48)]
    kinds = [
        _effect(long.beside(logits, first, first + 24), dispersion, _WEEKEND_SPREAD) for first in (0, 24)
    ]
    logits = [logit + kinds[slot // 24].size for slot, logit in enumerate(logits)]
    wander = _DRIFT_SPREAD + dispersion / max(trials * whole * (1 - whole), 1e-9)
    drift = _effect(recent.beside(logits, 0, 48), dispersion, wander)
    return [
        Level(
            share_of(logit + drift.size),
            drift.left + noise.wiggle + kinds[slot // 24].left,
            hours[slot % 24].left,
            _usual(volumes, slot) / 60,
        )
        for slot, logit in enumerate(logits)
    ]


def _cut(cells: dict[int, tuple[int, int]], noise: Noise) -> Cells:
    """The same hours, those too strange for their hour of the day (a crawler's) with as many hits as chance allows."""
    by_slot: list[list[float]] = [[] for _ in range(48)]
    for cell, (hits, trials) in cells.items():
        if trials:
            by_slot[slot_of(cell)].append(hits / trials)
    middle = [_middle(by_slot, slot) for slot in range(48)]
    cut = {}
    for cell, (hits, trials) in cells.items():
        share = middle[slot_of(cell)]
        usual, variance = trials * share, trials * share * (1 - share)
        most = max(VISIT, _MOST_SIGMAS * sqrt(noise.of(variance) * variance))
        cut[cell] = (min(max(float(hits), usual - most), usual + most), trials)
    return cut


def _middle(by_slot: list[list[float]], slot: int) -> float:
    """The median share of an hour of the day: of its kind of days, with the hours beside it, of all days, as it takes
    to have enough."""
    kind = slot - slot % 24
    near = [(slot + step) % 24 for step in (-1, 0, 1)]
    seen = by_slot[slot]
    if len(seen) < _ENOUGH:
        seen = [share for hod in near for share in by_slot[kind + hod]]
    if len(seen) < _ENOUGH:
        seen = [share for hod in near for share in by_slot[hod] + by_slot[hod + 24]]
    return median(seen) if seen else 0.0


def _shrunk(seen: list[_Seen], dispersion: float) -> list[_Effect]:
    """The effects of the hours; how far they spread is learned from them as well (DerSimonian and Laird 1986)."""
    raw = [_raw(one, dispersion) for one in seen]
    total = sum(information for _, information in raw)
    found = max(0.0, sum(information * size**2 for size, information in raw) - len(raw))
    spread = (found + _HOUR_SPREAD_WORTH * _HOUR_SPREAD) / (total + _HOUR_SPREAD_WORTH)
    return [_pulled(size, information, spread) for size, information in raw]


def _effect(seen: _Seen, dispersion: float, spread: float) -> _Effect:
    return _pulled(*_raw(seen, dispersion), spread)


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
