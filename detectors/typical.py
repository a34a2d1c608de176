"""The typical course of a day for one metric: what prior trusted days had by each time of day, and how uneven their
hours were. Made once a day; the judgements of the day only read it."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING

from detectors.band import CENTRE_DAYS, MAD_TO_SIGMA, centre_variance, few_days, mad, robust_sigma
from detectors.line import HOUR, Line, Steps, Stretch, excesses, line_of, relative_variance
from detectors.totals import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.watched import Watched

_NORMAL_90 = 1.6449
"""90 % of standard normal values are smaller than this in size."""


def typical_steps(days: Sequence[Sequence[float]]) -> Steps:
    """The mean day, step by step, each value cut at three robust standard deviations (or Poisson ones, if wider) above
    the median: a burst on one day is no part of what is typical.

    >>> [round(x, 2) for x in typical_steps([[20.0], [22.0], [18.0], [400.0]])]
    [23.69]
    """
    return [_cut_mean(values) for values in zip(*days, strict=True)]


def _cut_mean(values: Sequence[float]) -> float:
    ordered = sorted(values)
    least, most = ordered[0], ordered[-1]
    if most <= least + 3 * math.sqrt(max(least, 1)):  # then it is no further from the median
        return math.fsum(values) / len(values)
    middle = median(ordered)
    chance = 3 * math.sqrt(max(middle, 1))
    if most <= middle + chance:  # so is the robust deviation wider: nothing is cut
        return math.fsum(values) / len(values)
    most = middle + max(3 * MAD_TO_SIGMA * mad(values, middle), chance)
    return math.fsum([min(most, x) for x in values]) / len(values)


class PartDays:
    """One part's steps on the prior trusted days (oldest first), each brought to the judged day's weekday. What follows
    from them is worked out once, for several metrics are made of the same part. `shape_days`: how many of the last days
    give the typical course."""

    def __init__(self, steps: Sequence[Steps], shape_days: int) -> None:
        self.steps = steps
        self.lately = steps[-shape_days:]

    @cached_property
    def sums(self) -> list[Steps]:
        """The days as running sums."""
        return [[0, *accumulate(day)] for day in self.steps]

    @cached_property
    def typical(self) -> Steps:
        """The typical day's steps."""
        return typical_steps(self.lately)


class Typical:
    """A metric's typical day, from the prior trusted days of its part and of the size that its noise depends on.

    `cv` is how much order amounts vary, `hourly` and `daily` how much hours and days vary beyond chance at least, all as
    shares. `day_variance` is the relative variance of a day about the typical one.
    """

    def __init__(
        self,
        watched: Watched,
        part: PartDays,
        size: PartDays,
        *,
        cv: float,
        hourly: float,
        daily: float,
    ) -> None:
        self.watched = watched
        self.cv = cv
        self.hourly = hourly
        self.days = len(part.steps)
        self._part, self._size = part, size
        usual = size.typical
        if watched.part == "revenue":
            value = _order_value(part.lately, size.lately)
            self.line = line_of([value * orders for orders in usual], usual)
        else:
            self.line = line_of(part.typical, usual)
        self.day_spread = spread(self.values(STEPS))
        sigma = max(self.day_spread, daily * few_days(self.days))
        self.day_variance = sigma**2 * centre_variance(self.days)
        self._noise: dict[int, tuple[float, float]] = {}

    @cached_property
    def _lately(self) -> list[Line]:
        """The last days, each with its oddest hour as usual."""
        last = len(self._part.lately)
        lines = map(Line, self._part.sums[-last:], self._size.sums[-last:])
        return [without_oddest_hour(self.watched, line, self.line) for line in lines]

    def values(self, step: int) -> list[float]:
        """What the metric was on the prior days from midnight to this step."""
        if self.watched.whole is None:
            return [part[step] for part in self._part.sums]
        days = zip(self._part.sums, self._size.sums, strict=True)
        return [part[step] / size[step] for part, size in days if size[step] > 0]

    def latest(self, step: int) -> list[float]:
        """The last few of these, of which the median is taken."""
        if self.watched.whole is None:
            return [part[step] for part in self._part.sums[-CENTRE_DAYS:]]
        return self.values(step)[-CENTRE_DAYS:]

    def has_values(self, step: int) -> bool:
        """Whether there is one of these."""
        return self.watched.whole is None or any(size[step] > 0 for size in self._size.sums)

    def information(self, step: int) -> float:
        """How much of a typical day is known by this step, as a share of its sessions, purchases or events."""
        whole = self.line.size[STEPS]
        return min(max(self.line.size[step], 0.0) / whole, 1.0) if whole > 0 else 0.0

    def noise(self, steps: int) -> tuple[float, float]:
        """By how much stretches of this length fall below, and rise above, what `relative_variance` and `hourly` say: the
        factors that make the middle half, and nine in ten, of the prior days' own stretches look Gaussian on that side;
        never below 1. Busy hours are many times the usual, quiet ones a part of it, so each side has its own.

        Each stretch is compared with the days other than its own, and with the level of its own day's rest. A day's oddest
        hour is left out: a crawler at night makes no hour less sure.
        """
        if steps not in self._noise:
            scores = [z for day in range(len(self._lately)) for z in self._own_scores(day, steps)]
            below, above = sorted(-z for z in scores if z < 0), sorted(z for z in scores if z > 0)
            self._noise[steps] = (max(1.0, *_widths(below)), max(1.0, *_widths(above)))
        return self._noise[steps]

    def _own_scores(self, day: int, steps: int) -> list[float]:
        line, others = self._lately[day], len(self._lately) - 1
        found: list[float] = []
        if others < 1:
            return found
        whole, whole_expected = line.stretch(0, STEPS), self._without(line, 0, STEPS)
        for start in range(0, STEPS - steps + 1, steps):
            expected = self._without(line, start, start + steps)
            if expected.size < FEWEST_TO_LEARN:
                continue
            own = line.stretch(start, start + steps)
            rest, rest_expected = whole.minus(own), whole_expected.minus(expected)
            z = self._score(own, expected, rest, rest_expected)
            if z is not None:
                found.append(z)
        return found

    def _without(self, line: Line, start: int, end: int) -> Stretch:
        """What the other days make typical: the mean day, less this one's part in it."""
        days = len(self._lately)
        mean, own = self.line.stretch(start, end), line.stretch(start, end)
        part = (days * mean.part - own.part) / (days - 1)
        size = (days * mean.size - own.size) / (days - 1)
        return Stretch(max(part, 0.0), max(size, 0.0))

    def _score(self, own: Stretch, expected: Stretch, rest: Stretch, rest_expected: Stretch) -> float | None:
        normal, usual, level = (s.value(self.watched) or 0.0 for s in (expected, rest_expected, rest))
        x = own.value(self.watched)
        if min(normal, usual, level) <= 0 or x is None:
            return None
        relative = x / (normal * level / usual) - 1
        return relative / math.sqrt(relative_variance(self.watched, expected, self.cv) + self.hourly**2)


def spread(values: Sequence[float]) -> float:
    """How much values differ, as a share of their median.

    >>> round(spread([90.0, 100.0, 110.0]), 5), spread([])
    (0.14826, 0.0)
    """
    middle = abs(median(values)) if values else 0.0
    return robust_sigma(values)[0] / middle if middle > 0 else 0.0


def without_oddest_hour(watched: Watched, own: Line, usual: Line) -> Line:
    """A day whose hour that is most off is as usual, at the level of the rest of the day."""
    whole = usual.stretch(0, STEPS)
    m = 1.0 if watched.whole is None else whole.value(watched) or 0.0
    off = [abs(excess) for excess in excesses(watched, own, usual, range(STEPS - HOUR + 1), m)]
    hour = off.index(max(off))
    rest, expected = own.without(0, STEPS, hour), usual.without(0, STEPS, hour)
    part = _replaced(own.part, usual.part, hour, rest.part / expected.part if expected.part > 0 else 1.0)
    size = _replaced(own.size, usual.size, hour, rest.size / expected.size if expected.size > 0 else 1.0)
    return Line(part, size)


def _replaced(own: Steps, usual: Steps, hour: int, level: float) -> Steps:
    """Running sums with the usual hour at this level in the place of their own."""
    hours = [own[hour] + level * (x - usual[hour]) for x in usual[hour : hour + HOUR + 1]]
    shift = hours[-1] - own[hour + HOUR]
    return [*own[:hour], *hours, *(x + shift for x in own[hour + HOUR + 1 :])]


FEWEST_TO_LEARN = 5
"""A stretch with fewer sessions, purchases or events expected says nothing about noise beyond chance."""


def _widths(scores: list[float]) -> tuple[float, float]:
    """Two robust standard deviations of scores given by size: from their median, and from the smallest nine tenths."""
    if not scores:
        return 1.0, 1.0
    return MAD_TO_SIGMA * median(scores), scores[int(0.9 * (len(scores) - 1))] / _NORMAL_90


def _order_value(revenue: Sequence[Steps], orders: Sequence[Steps]) -> float:
    """The mean order of a typical day: the median of the days' means."""
    means = [
        math.fsum(part) / size
        for part, some in zip(revenue, orders, strict=True)
        if (size := math.fsum(some)) > 0
    ]
    return median(means) if means else 0.0
