"""How often something comes by the hour of the day, and how surely that is known: what a silence is measured with."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

import msgspec

from detectors.band import CENTRE_DAYS
from detectors.typical import typical_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOURS = 24
HOUR_MINUTES = 60
DAY_MINUTES = HOURS * HOUR_MINUTES


class PastHours(msgspec.Struct, frozen=True):
    """A closed day's counts by local hour, and how many of them came independently of each other: a visit's events
    come together, so of events as many as there were visits. `longest`: how many counts its longest quiet spell would
    have had if they were spread evenly over the hours."""

    day: int
    counts: tuple[float, ...]
    independent: float
    longest: float = 0.0


def past_hours(
    day: int, counts: Sequence[float], independent: float | None = None, gaps: Sequence[tuple[int, int]] = ()
) -> PastHours:
    """A day from its counts by hour; all of them came independently unless told. `gaps` are its quiet spells, in minutes
    of the day.

    >>> past_hours(0, [60.0] * 24, gaps=[(30, 40), (700, 720)]).longest
    20.0
    """
    counts = tuple(max(float(count), 0.0) for count in counts)
    sums = (0.0, *accumulate(counts))
    longest = max((expected_by(sums, end) - expected_by(sums, start) for start, end in gaps), default=0.0)
    return PastHours(day, counts, math.fsum(counts) if independent is None else independent, longest)


class Rate(msgspec.Struct, frozen=True):
    """What is known of the rate: independent arrivals expected by each hour of a day as running sums (25 of them),
    alpha, how surely, `clump`, how many come at once, and `longest`, the longest quiet spell of the days known."""

    sums: tuple[float, ...]
    alpha: float
    clump: float
    longest: float

    def by(self, minute: int) -> float:
        """Arrivals expected from the epoch to a local minute."""
        return expected_by(self.sums, minute)

    def minute_at(self, arrivals: float) -> int:
        """The first local minute by which this many arrivals were expected since the epoch."""
        day = math.floor(arrivals / self.sums[-1])
        rest = arrivals - day * self.sums[-1]
        hour = max(hour for hour in range(HOURS) if self.sums[hour] <= max(rest, 0.0))
        width = self.sums[hour + 1] - self.sums[hour]
        part = (rest - self.sums[hour]) / width if width > 0 else 1.0
        return day * DAY_MINUTES + hour * HOUR_MINUTES + math.ceil(part * HOUR_MINUTES)


def probability(expected: float, alpha: float) -> float:
    """The probability that nothing comes where `expected` arrivals were.

    >>> round(probability(3.0, 1e9), 6), round(math.exp(-3.0), 6)
    (0.049787, 0.049787)
    >>> probability(3.0, 1.0)
    0.25
    """
    return math.exp(-alpha * math.log1p(expected / alpha))


def expected_for(chance: float, alpha: float) -> float:
    """How many arrivals must have been expected for none to be this improbable: `probability` the other way round.

    >>> round(expected_for(0.25, 1.0), 6)
    3.0
    """
    return alpha * math.expm1(-math.log(chance) / alpha)


def expected_by(sums: Sequence[float], minute: int) -> float:
    """What running sums by the hour make of a minute, from the epoch on if it lies beyond the first day."""
    day, rest = divmod(minute, DAY_MINUTES)
    hour, part = divmod(rest, HOUR_MINUTES)
    return day * sums[-1] + sums[hour] + (sums[hour + 1] - sums[hour]) * part / HOUR_MINUTES


def quiet_spells(minutes: Iterable[int], least: int = 5) -> list[tuple[int, int]]:
    """The spells of at least so many minutes between the minutes of a day in which something came, in order.

    >>> quiet_spells([0, 3, 20, 21])
    [(3, 20)]
    """
    return [(start, end) for start, end in pairwise(minutes) if end - start >= least]


def rate_of(days: Sequence[PastHours], rate_cv: float) -> Rate | None:
    """What days, oldest first, say of the rate; None if they have no arrival. Its level is the median of the last seven.

    >>> rate = rate_of([past_hours(day, [60.0] * 24) for day in range(7)], 0.2)
    >>> rate.by(90), rate.minute_at(90.0), round(rate.alpha)
    (90.0, 90, 58)
    """
    hours = [past.counts for past in days]
    lately = [math.fsum(day) for day in hours[-CENTRE_DAYS:]]
    level = median(lately) if lately else 0.0
    if level <= 0:
        return None
    independent = math.fsum(past.independent for past in days)
    clump = max(math.fsum(map(math.fsum, hours)) / independent, 1.0) if independent > 0 else 1.0
    shape = _smooth(typical_steps(hours), len(hours))
    scale = level / clump / math.fsum(shape)
    variance = rate_variance(hours, clump, rate_cv) + clump / math.fsum(lately)
    longest = max(past.longest for past in days) / clump
    return Rate((0.0, *accumulate(scale * x for x in shape)), 1 / variance, clump, longest)


MOST_VARIANCE = 2.0
"""Above it the rate is as good as unknown, and no silence short of days says anything."""


def rate_variance(days: Sequence[Sequence[float]], clump: float, prior_cv: float) -> float:
    """The squared coefficient of variation of an hour's rate from day to day, beyond Poisson chance (by moments, from
    what lies below the mean only: a busy hour says nothing about silence), drawn to `prior_cv` while few arrivals are
    known. An hour with m arrivals tells it with variance 2 / m^2. Days as even as one another are believed slowly.

    >>> [round(rate_variance([[100.0] * 24] * n, 1.0, 0.2), 3) for n in (3, 6, 12, 28)]
    [0.04, 0.02, 0.01, 0.01]
    """
    means = [(fmean(hour), hour) for hour in zip(*days, strict=True)]
    cells = [(m, x) for m, hour in means for x in hour]
    squares = math.fsum(m * m for m, _ in cells)
    prior, n = prior_cv * prior_cv, len(days)
    if squares <= 0 or n < 2:  # noqa: PLR2004 - one day varies from nothing
        return prior
    below = 2 * math.fsum((m - x) ** 2 for m, x in cells if x < m) * n / (n - 1)
    own: float = max((below - clump * math.fsum(m for m, _ in cells)) / squares, 0.0)
    weight = squares / (squares + 2 / (prior * prior))
    blend: float = weight * own + (1 - weight) * prior
    return min(max(blend, prior * max(0.25, min(1.0, 3 / n))), MOST_VARIANCE)


def _smooth(hours: Sequence[float], days: int) -> list[float]:
    """Mean counts by hour, each drawn to its neighbours (1, 2, 1) as far as few arrivals stand behind it."""
    found = []
    for hour, x in enumerate(hours):
        about = (hours[hour - 1] + 2 * x + hours[(hour + 1) % HOURS]) / 4
        weight = x * days / (x * days + 20)
        found.append(weight * x + (1 - weight) * about)
    return found
