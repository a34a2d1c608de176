"""The smallest change of a metric that the end of a day can tell from chance, beside a band: `band.judge` turned round."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from detectors.band import CENTRE_DAYS, NOTHING, centre_variance, unevenness
from detectors.watched import Kind

if TYPE_CHECKING:
    from detectors.band import Band
    from detectors.watched import Limits, Watched

_HALVINGS = 60


class Visible(NamedTuple):
    """A change in the metric's unit, as a share of what is normal (None where nothing is), and the threshold that it
    just reaches, the last of the three."""

    change: float
    relative: float | None
    by: Literal["z", "relative", "absolute"]


def smallest_change(watched: Watched, band: Band, limits: Limits, z: float, side: int) -> Visible | None:
    """The smallest fall (`side` -1) or rise (+1) that is an alert; None where none is: a count cannot fall below 0, a
    share cannot rise above 1. `band` is that of a day (`Band.at`).

    >>> from detectors.band import Band
    >>> from detectors.watched import WATCHED, WatchLimits
    >>> limits, band = WatchLimits().sessions, Band(3000.0, 100.0, 180.0, 28, "spread")
    >>> smallest_change(WATCHED[0], band, limits, 4.5, -1)
    Visible(change=900.0, relative=0.3, by='relative')
    >>> smallest_change(WATCHED[0], Band(10.0, 3.0, 4.5, 28, "mad"), limits, 4.5, -1) is None
    True
    """
    needed = z * band.scale * math.sqrt(centre_variance(band.days) / centre_variance(CENTRE_DAYS))
    by_z = _rise(band.median, needed) if side > 0 else _fall(band.median, needed)
    if by_z is None:
        return None
    candidates = {"z": by_z, "relative": limits.relative * abs(band.median), "absolute": limits.absolute}
    by = max(candidates, key=lambda name: candidates[name])
    change = candidates[by]
    if not _possible(watched, band.median + side * change):
        return None
    nothing = abs(band.median) <= NOTHING
    return Visible(change, None if nothing else change / abs(band.median), by)  # type: ignore[arg-type]  # a key of the three


def _possible(watched: Watched, x: float) -> bool:
    return x >= 0 and (watched.kind is not Kind.RATIO or x <= 1)


def _rise(m: float, needed: float) -> float:
    """The d with d = needed sqrt((m + d) / m), the unevenness of a rise."""
    if m <= 0:
        return needed
    half = needed * needed / (2 * m)
    return half + math.sqrt(half * half + needed * needed)


def _fall(m: float, needed: float) -> float | None:
    """The d with d = needed unevenness(m - d, m), by bisection: the difference of both sides only grows with d."""
    low, high = 0.0, m
    if m <= 0 or high < needed * unevenness(0.0, m):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle < needed * unevenness(m - middle, m):
            low = middle
        else:
            high = middle
    return high
