"""Today so far: the sum since midnight beside what prior trusted days had at the same time.

Looking 144 times a day must not raise 144 times the false alarms. A sum over the day is much like a random walk, so its
boundary is constant in the sum's own unit: z / sqrt(share of the day that is known), in scales of the moment (O'Brien &
Fleming 1979, A Multiple Testing Procedure for Clinical Trials, Biometrics 35). By the reflection principle the chance to
cross it at any time is at most twice that of being beyond it at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from detectors.alerts import Severity
from detectors.answer import Answer, Reason
from detectors.band import (
    CENTRE_DAYS,
    Band,
    enough,
    few_days,
    judge,
    mad,
    robust_sigma,
    sampling_floor,
    unevenness,
)
from detectors.line import HOUR, excesses, without_burst
from detectors.totals import STEPS
from detectors.watched import EVENTS, Kind, value

if TYPE_CHECKING:
    from detectors.line import Seen
    from detectors.totals import Totals
    from detectors.typical import Typical
    from detectors.watched import Limits, Watched


@dataclass(frozen=True, slots=True)
class SoFarRules:
    """`spike`: by what share events must rise
    to be a `volume_spike`. `fewest`: with fewer sessions, purchases or events expected by now, nothing is said yet.
    `breakage_days`: when revenue so far is so many times that of the best of those days, something is broken.
    `median_from`: with fewer expected, their mean is what is normal by now, for the median of small counts jumps."""

    spike: float = 1.0
    fewest: float = 3
    breakage_days: float = 3.0
    median_from: float = 20


def may_fire(typical: Typical, seen: Seen, step: int, limits: Limits, rules: SoFarRules) -> bool:
    """Whether `judge_so_far` can fire: if the day is off by enough to matter, however unlikely that is. On a quiet day it
    is not, and that takes much less to see."""
    watched = typical.watched
    x, m = seen.line(watched).stretch(0, step).value(watched), _centre(typical, step, rules)
    if x is None:
        return False
    if m is not None and enough(x, m, _limits(watched, limits, rules, rise=x > m)):
        return True
    return _of_revenue(watched) and x >= _breakage_from(typical, limits, rules)


def judge_so_far(
    typical: Typical, seen: Seen, step: int, limits: Limits, z: float, rules: SoFarRules
) -> Answer:
    """What the day's first steps say of a metric."""
    watched, totals = typical.watched, seen.totals(0, step)
    breakage = _breakage(typical, totals, limits, rules)
    if breakage is not None:
        return breakage
    band = band_at(typical, seen, step, limits, rules)
    known = typical.information(step)
    if band is None or known <= 0:
        return Answer(watched.rule, watched.metric, Reason.BELOW_MIN_ABS)
    z /= math.sqrt(known)
    rise = (value(watched, totals) or 0) > band.median
    answer = judge(watched, totals, band, _limits(watched, limits, rules, rise=rise), z)
    if watched is EVENTS and rise:
        return msgspec.structs.replace(answer, rule=SPIKE)
    bursts = watched.kind is Kind.RATIO or (watched.kind is Kind.VOLUME and rise)
    if answer.fired and bursts and _one_burst(typical, seen, step, band, z):
        return msgspec.structs.replace(answer, reason=Reason.WITHIN_BAND, severity=None)
    return answer


def _limits(watched: Watched, limits: Limits, rules: SoFarRules, *, rise: bool) -> Limits:
    return replace(limits, relative=rules.spike) if watched is EVENTS and rise else limits


def _of_revenue(watched: Watched) -> bool:
    return watched.part == "revenue" and watched.whole is None


def _breakage_from(typical: Typical, limits: Limits, rules: SoFarRules) -> float:
    return max(rules.breakage_days * max(typical.latest(STEPS)), limits.absolute)


def _breakage(typical: Typical, totals: Totals, limits: Limits, rules: SoFarRules) -> Answer | None:
    """That there is several times the revenue already of the best of prior days: one order can tell that."""
    watched = typical.watched
    if not _of_revenue(watched) or totals.revenue < _breakage_from(typical, limits, rules):
        return None
    days = typical.values(STEPS)
    m = median(days[-CENTRE_DAYS:])
    if m <= 0:
        return None
    scale = m * max(typical.day_spread, limits.spread)
    answer = judge(watched, totals, Band(m, mad(days), scale, len(days), "whole_days"), limits, 0.0)
    return msgspec.structs.replace(answer, reason=Reason.FIRED, severity=Severity.P0_BLOCKER)


def _one_burst(typical: Typical, seen: Seen, step: int, band: Band, z: float) -> bool:
    """Whether the day so far is off because of a single hour."""
    watched, line = typical.watched, seen.line(typical.watched)
    if step <= HOUR:
        return True
    m = band.median if watched.whole else 1.0
    by_hour = [abs(excess) for excess in excesses(watched, line, typical.line, range(step - HOUR + 1), m)]
    own, usual = without_burst(line, typical.line, 0, step, by_hour.index(max(by_hour)))
    x = own.value(watched)
    if x is None:
        return True
    if watched.whole is None:
        x += typical.line.part[step] - usual.part
    return abs(band.z(x)) < z * unevenness(x, band.median)


SPIKE = "volume_spike"


def band_at(typical: Typical, seen: Seen, step: int, limits: Limits, rules: SoFarRules) -> Band | None:
    """What prior days had by this step; None where none of them had anything to have a value of.

    A sum is relatively as uneven by noon as at the end, or more, so the spread of whole days counts as well. Where mean
    and median of the prior days differ, they are skewed by as much.
    """
    watched, m = typical.watched, _centre(typical, step, rules)
    if m is None:
        return None
    values, normal = typical.values(step), typical.line.stretch(0, step).value(watched) or 0.0
    size = seen.line(watched).size[step] if watched.whole else typical.line.size[step]
    candidates = [
        (robust_sigma(values)[0], "mad"),
        (abs(m) * typical.day_spread, "whole_days"),
        (abs(normal - m), "skew"),
        (sampling_floor(watched, m, size, typical.cv), "sampling"),
        (abs(m) * limits.spread * few_days(len(values)), "spread"),
    ]
    scale, floor = max(candidates)
    return Band(m, mad(values), scale, len(values), floor)


def _centre(typical: Typical, step: int, rules: SoFarRules) -> float | None:
    """What is normal by this step; None where none of the prior days had anything to have a value of."""
    watched, usual = typical.watched, typical.line.stretch(0, step)
    normal = usual.value(watched)
    counted = usual.size if watched.kind is not Kind.RATIO else min(usual.part, usual.size - usual.part)
    if normal is None or normal <= 0 or counted < rules.fewest:
        return None
    if counted < rules.median_from:
        return normal if typical.has_values(step) else None
    values = typical.latest(step)
    return median(values) if values else None
