"""A band: what is normal for one metric and how far from it a value may lie; the formulas of its width, and the test."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import TYPE_CHECKING

import msgspec

from detectors.answer import Answer, Reason
from detectors.watched import Kind, Limits, Watched, severity, size_of, value, without_largest
from detectors.weekdays import NO_EFFECT, weekday

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.totals import Totals

MAD_TO_SIGMA = 1.4826
"""1 / 0.6745, the upper quartile of the standard normal: makes the MAD of Gaussian values their standard deviation."""

MEAN_DEVIATION_TO_SIGMA = 1.2533
"""sqrt(pi / 2): the same for the mean absolute deviation."""


class Band(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is normal, in the metric's unit on a weekday without effect; `at` gives it for a weekday.

    `floor` names what `scale` comes from: `mad`, `mean_deviation`, `sampling` or `spread`.
    """

    median: float
    mad: float
    scale: float
    days: int
    floor: str
    factors: tuple[float, ...] = NO_EFFECT

    def at(self, day: int) -> Band:
        """The band of a day."""
        factor = self.factors[weekday(day)]
        return Band(self.median * factor, self.mad * factor, self.scale * factor, self.days, self.floor)

    def z(self, x: float) -> float:
        """How many scales x lies from the median; 0 where both are equal, whatever the scale.

        >>> Band(10.0, 1.0, 2.0, 7, "mad").z(4.0), Band(10.0, 0.0, 0.0, 7, "mad").z(10.0)
        (-3.0, 0.0)
        """
        off = x - self.median
        if abs(off) >= MOST_Z * self.scale:
            return math.copysign(MOST_Z, off) if off else 0.0
        return off / self.scale


MOST_Z = 1e6
"""No z is larger; that of any value outside a band without width."""

NOTHING = 1e-9
"""A median that is smaller is nothing, to which no change can be relative."""


def mad(values: Sequence[float], centre: float | None = None) -> float:
    """The median absolute deviation about the median (Hampel 1974).

    >>> mad([1, 1, 2, 2, 4, 6, 9])
    1
    """
    middle = median(values) if centre is None else centre
    return median(abs(x - middle) for x in values)


def robust_sigma(values: Sequence[float]) -> tuple[float, str]:
    """The standard deviation as the MAD tells it, or the mean absolute deviation about the median if that is wider: it
    is where more than half of the values are equal (Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers, p. 11),
    and it guards against a MAD that is small by chance. Of 28 Gaussian values the MAD is off by 16 %, so that 0.34 % of
    quiet days lie beyond 4 of it; beyond 4 of the wider of both lie 0.10 %.

    >>> robust_sigma([18, 19, 20]), robust_sigma([5, 5, 5, 5, 9])
    ((1.4826, 'mad'), (1.0026400000000002, 'mean_deviation'))
    """
    middle = median(values)
    off = [abs(x - middle) for x in values]
    by_mad, by_mean = MAD_TO_SIGMA * median(off), MEAN_DEVIATION_TO_SIGMA * fmean(off)
    return (by_mad, "mad") if by_mad >= by_mean else (by_mean, "mean_deviation")


def sampling_floor(watched: Watched, m: float, size: float, cv: float) -> float:
    """What pure chance does to a metric whose normal value is m: its standard deviation.

    A count is Poisson: sqrt(m). A share of `size` trials is binomial: sqrt(m (1 - m) / size). A mean of `size` orders:
    m cv / sqrt(size). A sum over a Poisson number of orders with mean `size` is compound Poisson:
    m sqrt((1 + cv^2) / size) (variance = size E[X^2]).

    >>> from detectors.watched import WATCHED
    >>> sessions, _, revenue, _, direct, _ = WATCHED
    >>> sampling_floor(sessions, 2500, 2500, 1), sampling_floor(direct, 0.5, 2500, 1)
    (50.0, 0.01)
    >>> round(sampling_floor(revenue, 20_000, 20, 1.0), 3)
    6324.555
    """
    if watched.kind is Kind.VOLUME:
        return math.sqrt(max(m, 0.0))
    size = max(size, 1.0)
    if watched.kind is Kind.RATIO:
        return math.sqrt(max(m * (1 - m), 0.0) / size)
    if watched.whole is None:
        return abs(m) * math.sqrt((1 + cv * cv) / size)
    return abs(m) * cv / math.sqrt(size)


def few_days(days: int) -> float:
    """By how much `spread` is widened while few days are known: their own MAD cannot be trusted yet to be as wide as it
    should. Falls from 3 with three days to 1 with 28.

    >>> [round(few_days(n), 2) for n in (3, 7, 14, 28, 40)]
    [3.06, 2.0, 1.41, 1.0, 1.0]
    """
    return math.sqrt(28 / min(days, 28))


def judge(watched: Watched, totals: Totals, band: Band, limits: Limits, z: float) -> Answer:
    """What totals say of a metric beside a band: a change must reach z, the relative and the absolute minimum.

    A rise of an amount must do so without the largest order as well.
    """
    x = value(watched, totals)
    if x is None or not math.isfinite(x):
        return Answer(watched.rule, watched.metric, Reason.UNMEASURABLE)
    z *= unevenness(x, band.median) * math.sqrt(centre_variance(band.days) / centre_variance(CENTRE_DAYS))
    answer = _measured(watched, x, band, limits, z, round(getattr(totals, size_of(watched))))
    if answer.fired and x > band.median:
        rest = without_largest(watched, totals)
        reason = Reason.WITHIN_BAND if rest is None else _measured(watched, rest, band, limits, z).reason
        if reason is not Reason.FIRED:
            return msgspec.structs.replace(
                answer,
                reason=reason,
                severity=None,
                evidence=answer.evidence | {"without_largest_order": rest or 0.0},
            )
    return answer


def enough(x: float, m: float, limits: Limits) -> bool:
    """Whether a change from m is large enough to matter, however unlikely: without that, `judge` never fires.

    >>> from detectors.watched import Limits
    >>> enough(60.0, 100.0, Limits(0.35, 5, 0.06, 0.06)), enough(6.0, 10.0, Limits(0.35, 5, 0.06, 0.06))
    (True, False)
    """
    change = x - m
    relative = _relative(change, m)
    return abs(change) >= limits.absolute and (relative is None or abs(relative) >= limits.relative)


CENTRE_DAYS = 7
"""Of how many days the median is taken."""


def centre_variance(days: int, together: int = 1) -> float:
    """By how much the variance of z is above 1 because the median is off as well: pi / 2 / n for the median of n days,
    and for the mean of several days, which are off by it together, so many times that.

    >>> round(centre_variance(7), 3), round(centre_variance(3), 3), round(centre_variance(30, 3), 3)
    (1.224, 1.524, 1.673)
    """
    return 1 + together * math.pi / 2 / min(days, CENTRE_DAYS)


def unevenness(x: float, m: float) -> float:
    """What z must be multiplied with so that a rise is as unlikely as a fall: above 1 for a rise, below for a fall.

    Noise grows with the level, so a doubling by chance is about as likely as a halving. A rise is measured halfway
    between both levels, sqrt(x / m): x / m = e^u gives (x - m) / (m sqrt(x / m)) = 2 sinh(u / 2), about u, the scale on
    which amounts vary evenly. A fall as a count is made even, (1 + sqrt(x / m)) / 2, for which (x - m) / sqrt(m) becomes
    2 (sqrt(x) - sqrt(m)) (Bartlett 1936), but never by more than a quarter: Poisson's lower tail is heavier than that.

    >>> unevenness(4.0, 1.0), unevenness(0.64, 1.0), unevenness(0.0, 1.0), unevenness(1.0, 0.0)
    (2.0, 0.9, 0.75, 1.0)
    """
    if m <= 0:
        return 1.0
    if x > m:
        return math.sqrt(x / m)
    return max((1 + math.sqrt(max(x, 0.0) / m)) / 2, 0.75)


def _measured(
    watched: Watched, x: float, band: Band, limits: Limits, z: float, count: int | None = None
) -> Answer:
    change = x - band.median
    relative = _relative(change, band.median)
    score = band.z(x)
    reason = _reason(score, change, relative, limits, z)
    return Answer(
        watched.rule,
        watched.metric,
        reason,
        severity(limits, relative) if reason is Reason.FIRED else None,
        value=x,
        baseline_median=band.median,
        baseline_mad=band.mad,
        scale=band.scale,
        robust_z=score,
        absolute_change=change,
        relative_change=relative,
        count=count,
        evidence={"days": band.days, "scale_from": band.floor, "needed_z": z},
    )


def _relative(change: float, m: float) -> float | None:
    return change / abs(m) if abs(m) > NOTHING else None


def _reason(score: float, change: float, relative: float | None, limits: Limits, z: float) -> Reason:
    """Where nothing is normal, any change is large beside it."""
    if abs(score) < z:
        return Reason.WITHIN_BAND
    if abs(change) < limits.absolute:
        return Reason.BELOW_MIN_ABS
    if relative is not None and abs(relative) < limits.relative:
        return Reason.BELOW_MIN_REL
    return Reason.FIRED
