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
from detectors.band import CENTRE_DAYS, Band, few_days, judge, mad, robust_sigma, sampling_floor, unevenness
from detectors.line import HOUR, excesses, without_burst
from detectors.totals import STEPS
from detectors.watched import EVENTS, Kind, Limits, value

if TYPE_CHECKING:
    from detectors.line import Seen
    from detectors.totals import Totals
    from detectors.typical import Typical


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
    if watched is EVENTS and rise:
        spike = judge(watched, totals, band, replace(limits, relative=rules.spike), z)
        return msgspec.structs.replace(spike, rule=SPIKE)
    answer = judge(watched, totals, band, limits, z)
    bursts = watched.kind is Kind.RATIO or (watched.kind is Kind.VOLUME and rise)
    if answer.fired and bursts and _one_burst(typical, seen, step, band, z):
        return msgspec.structs.replace(answer, reason=Reason.WITHIN_BAND, severity=None)
    return answer


def _breakage(typical: Typical, totals: Totals, limits: Limits, rules: SoFarRules) -> Answer | None:
    """That there is several times the revenue already of the best of prior days: one order can tell that."""
    watched = typical.watched
    if watched.part != "revenue" or watched.whole:
        return None
    days = typical.values(STEPS)
    lately = days[-CENTRE_DAYS:]
    m = median(lately)
    if totals.revenue < max(rules.breakage_days * max(lately), limits.absolute) or m <= 0:
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
    watched, usual = typical.watched, typical.line.stretch(0, step)
    values = typical.values(step)
    normal = usual.value(watched)
    counted = usual.size if watched.kind is not Kind.RATIO else min(usual.part, usual.size - usual.part)
    if not values or normal is None or normal <= 0 or counted < rules.fewest:
        return None
    m = median(values[-CENTRE_DAYS:]) if counted >= rules.median_from else normal
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
