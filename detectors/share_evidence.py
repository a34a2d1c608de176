"""How strongly counts speak for another level, and since when: the likelihood ratio over every possible beginning.

`evidence` compares a window's counts with those of its history (the G of a two-by-two table, halved: Wilks 1938; a
history of few trials proves little, by itself). `Walk` keeps the few beginnings of a window at which that can be
largest, so that all of them are tried at each step without looking at all: the generalised likelihood ratio of
Willsky and Jones (1976), pruned to a convex hull as in FOCuS (Romano, Eckley, Fearnhead and Rigaill, "Fast online
changepoint detection via functional pruning CUSUM statistics", JMLR 2023). With one beginning left it is Page's
CUSUM (1954).
"""

from __future__ import annotations

from math import log

import msgspec

_MOST_POINTS = 40
"""Corners kept on each side. A hull over n steps of noise has about log n of them, some ten in a day."""

_LEAST_VARIANCE = 1e-9
"""Of one trial: a share that is never seen is not surely impossible."""


def variance_of(share: float) -> float:
    """The variance of one trial.

    >>> variance_of(0.5), variance_of(0.0)
    (0.25, 1e-09)
    """
    variance = share * (1.0 - share)
    return variance if variance > _LEAST_VARIANCE else _LEAST_VARIANCE  # noqa: FURB136 - max() costs thrice


def evidence(hits: float, trials: float, prior_hits: float, prior_trials: float) -> float:
    """log of how much likelier the counts are with two shares than with one; 0 where both are alike.

    >>> round(evidence(30, 100, 100, 1000), 3)
    13.446
    >>> evidence(0, 50, 0, 1000), evidence(50, 50, 1000, 1000)
    (0.0, 0.0)
    """
    misses = trials - hits
    prior_misses = prior_trials - prior_hits
    apart = _xlogx(hits) + _xlogx(misses) - _xlogx(trials)
    apart += _xlogx(prior_hits) + _xlogx(prior_misses) - _xlogx(prior_trials)
    both = _xlogx(hits + prior_hits) + _xlogx(misses + prior_misses) - _xlogx(trials + prior_trials)
    return max(0.0, apart - both)


def _xlogx(count: float) -> float:
    return count * log(count) if count > 0 else 0.0


def against(
    hits: float, trials: float, share: float, *, dispersion: float, unsure: float, rise: bool
) -> float:
    """Evidence that the counts come from a higher level than this share (from a lower one, if not `rise`).

    `unsure` is the variance of the share's logit: the share counts as a history of as many trials as leave it so
    unsure, and the counts as fewer, as their dispersion takes from them.

    >>> round(against(30, 100, 0.1, dispersion=1.0, unsure=0.01, rise=True), 2)
    13.61
    >>> against(30, 100, 0.1, dispersion=1.0, unsure=0.01, rise=False)
    0.0
    """
    share = min(max(share, 0.0), 1.0)
    if rise != (hits > trials * share):
        return 0.0
    worth = 1 / (unsure * variance_of(share))
    return evidence(hits / dispersion, trials / dispersion, worth * share, worth)


class Point(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where the counts stood after a minute: `excess` is hits less those expected, `variance` what chance allows."""

    minute: int
    hits: int
    trials: int
    excess: float
    variance: float


START = Point(0, 0, 0, 0.0, 0.0)


class Walk(msgspec.Struct):
    """The counts so far, and the beginnings at which a window may show a rise (`low`) or a fall (`high`) best.

    A beginning is worth keeping for a rise only if it is a corner of the lower convex hull of (variance, excess), and
    no later point lies below it.
    """

    now: Point = START
    low: list[Point] = msgspec.field(default_factory=lambda: [START])
    high: list[Point] = msgspec.field(default_factory=lambda: [START])

    def step(self, minute: int, hits: int, trials: int, expected: float, variance: float) -> None:
        """Takes a minute in, of which so many hits were expected, with this variance."""
        now = self.now
        self.now = now = Point(
            minute,
            now.hits + hits,
            now.trials + trials,
            now.excess + hits - expected,
            now.variance + variance,
        )
        _keep(self.low, now, 1.0)
        _keep(self.high, now, -1.0)

    def forget(self, before: int) -> None:
        """Leaves out the beginnings before this minute."""
        for side in (self.low, self.high):
            while len(side) > 1 and side[0].minute < before:
                del side[0]

    def restart(self, minute: int) -> None:
        """Begins anew after this minute."""
        self.now = Point(minute, 0, 0, 0.0, 0.0)
        self.low, self.high = [self.now], [self.now]


def _keep(hull: list[Point], point: Point, sign: float) -> None:
    """Adds a corner and drops those that it makes useless."""
    excess, variance = sign * point.excess, point.variance
    while hull and excess <= sign * hull[-1].excess:
        hull.pop()
    while len(hull) > 1:
        one, two = hull[-2], hull[-1]
        rise = (two.excess - one.excess) * sign * (variance - two.variance)
        if (excess - sign * two.excess) * (two.variance - one.variance) > rise:
            break
        hull.pop()
    hull.append(point)
    if len(hull) > _MOST_POINTS:
        del hull[0]
