"""The weekday effect: by what factor each day of the week differs, used only where it is more than its own noise.

A weekly pattern is the most reported false alarm of all, but four of each weekday are few: a factor estimated from
them is off by about sqrt(pi / 2) s / 2, so on a shop without weekdays it would add noise to every judgement.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEK = 7
NO_EFFECT = (1.0,) * WEEK

_MAD_TO_SIGMA = 1.4826
_MEDIAN_VARIANCE = 1.5708
"""pi / 2: the variance of a median of n Gaussian values is this times sigma^2 / n."""


@dataclass(frozen=True, slots=True)
class WeekdayRules:
    """`fewest`: how many of a weekday must be known before it has a factor, `fewest_weekdays`: how many weekdays with so
    many before there are factors at all. `clarity`: how many times the variance of
    its own noise the effect must have. A shop without weekdays passes 2 about one time in four, with factors drawn so
    close to 1 that its judgements are 2 % less sharp; one with weekends 20 % lower loses nothing."""

    fewest: int = 4
    fewest_weekdays: int = 5
    clarity: float = 2.0


def weekday(day: int) -> int:
    """0 for Monday, of a day counted since 1970-01-01, a Thursday.

    >>> weekday(0), weekday(20142)  # 2025-02-23
    (3, 6)
    """
    return (day + 3) % WEEK


def factors(points: Sequence[tuple[int, float]], rules: WeekdayRules) -> tuple[float, ...]:
    """The factor of each weekday, Monday first; all 1 while too few are known, or too noisy.

    Each day is divided by the median of the seven days about it, which holds each weekday once and goes with a trend;
    a weekday's factor is the median of its ratios. The seven factors are then drawn towards 1 by the share of their
    variance that is noise (the positive-part shrinkage of Efron & Morris 1973).

    >>> steady = [(day, 100.0) for day in range(28)]
    >>> factors(steady, WeekdayRules()) == NO_EFFECT
    True
    >>> quiet_sundays = [(day, 50.0 if weekday(day) == 6 else 100.0) for day in range(28)]
    >>> factors(quiet_sundays, WeekdayRules())
    (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5)
    """
    ratios: list[list[float]] = [[] for _ in range(WEEK)]
    for day, ratio in _ratios(points):
        ratios[weekday(day)].append(ratio)
    known = {d: of for d, of in enumerate(ratios) if len(of) >= rules.fewest}
    if len(known) < rules.fewest_weekdays:
        return NO_EFFECT
    raw = {d: median(of) for d, of in known.items()}
    rest = [abs(ratio - raw[d]) for d, of in known.items() for ratio in of]
    sigma = _MAD_TO_SIGMA * median(rest) * lost_to_fit(len(rest), len(known))
    noise = fmean(_MEDIAN_VARIANCE * sigma**2 / len(of) for of in known.values())
    effect = fmean((factor - 1) ** 2 for factor in raw.values())
    if effect <= rules.clarity * noise:
        return NO_EFFECT
    keep = 1 - noise / effect
    return tuple(1 + keep * (raw.get(d, 1.0) - 1) for d in range(WEEK))


def lost_to_fit(points: int, fitted: int) -> float:
    """Residuals about fitted medians are too small, as those of any fit: sqrt(n / (n - k)).

    >>> round(lost_to_fit(28, 7), 3), lost_to_fit(28, 0)
    (1.155, 1.0)
    """
    return float((points / max(points - fitted, 1)) ** 0.5)


def _ratios(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each day's value relative to the median of the seven known days about it."""
    found = []
    last = max(len(points) - WEEK, 0)
    for place, (day, x) in enumerate(points):
        start = min(max(place - WEEK // 2, 0), last)
        level = median([y for _, y in points[start : start + WEEK]])
        if level > 0 and x > 0:
            found.append((day, x / level))
    return found
