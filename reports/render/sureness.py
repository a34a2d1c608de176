"""How sure an alert is, in plain words, with the numbers that this rests on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detectors.sentences import percent

if TYPE_CHECKING:
    from detectors.alerts import Alert

_COUNTED = frozenset(
    {
        "transaction_collision",
        "transaction_replay",
        "duplicate_events",
        "input_not_keyed",
    }
)
"""Facts about single events: there is nothing to estimate."""

_CLEAR = 2.0
"""From so many times the threshold on a deviation leaves no doubt."""

_LEAST_Z = 1.0
"""A smaller z is that of the level after the incident; it says nothing of how sure it was."""

_PAIR = 2

_ALMOST_ALL = 0.5


def sure(alert: Alert) -> str:
    """A clause such as "certain: counted in the events"; empty where the alert tells nothing of it.

    >>> from detectors.finding import Finding
    >>> from detectors.life import opened
    >>> found = Finding("volume_drop", "opened", "P1_HIGH", "watch", 0, 1, robust_z=-9.0, evidence={"needed_z": 4.5})
    >>> sure(opened("id", found).alert)
    'very sure: 9.0 times its usual spread below normal'
    """
    if alert.kind in _COUNTED:
        return "certain: counted, not estimated"
    evidence = alert.evidence or {}
    chance = _number(evidence.get("probability"))
    if chance is not None and 0 < chance < 1:
        return f"{'very sure' if chance < 1e-6 else 'sure'}: {_odds(chance)} by chance"  # noqa: PLR2004 - one in a million
    z = _number(alert.robust_z)
    if z is not None and abs(z) >= _LEAST_Z:
        return _by_z(z, _number(evidence.get("needed_z")))
    hits = _number(evidence.get("hits"))
    hits = _number(alert.count) if hits is None else hits
    return _by_count(hits, _number(evidence.get("trials")), _number(alert.baseline_median))


def _by_z(z: float, needed: float | None) -> str:
    clear = needed is not None and abs(z) >= _CLEAR * needed
    side = "above" if z > 0 else "below"
    return (
        f"{'very sure' if clear else 'sure'}: {min(abs(z), 999.0):.1f} times its usual spread {side} normal"
    )


def _by_count(hits: float | None, trials: float | None, normal: float | None) -> str:
    if hits is None or trials is None or not 0 <= hits <= trials or not trials:
        return ""
    beside = "" if normal is None or not 0 <= normal <= 1 else f", where {percent(normal)} is normal"
    word = "very sure" if abs(hits / trials - (normal or 0)) > _ALMOST_ALL else "sure"
    return f"{word}: {hits:,.0f} of {trials:,.0f}{beside}"


def _odds(chance: float) -> str:
    """One in so many, with two digits that count.

    >>> _odds(5.4e-5), _odds(1e-300)
    ('1 in 19,000', 'less than 1 in 1,000,000,000')
    """
    most = 1e9
    if chance <= 1 / most:
        return f"less than 1 in {most:,.0f}"
    times = 1 / chance
    digits = max(0, math.floor(math.log10(times)) + 1 - _PAIR)
    return f"1 in {round(times / 10**digits) * 10**digits:,}"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
