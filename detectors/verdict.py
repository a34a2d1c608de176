"""What a rule answers: never a bare yes or no, always with its reason."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["pass", "at_risk", "quarantined"]

_WORST: dict[str, int] = {"pass": 0, "at_risk": 1, "quarantined": 2}


class Check(msgspec.Struct, frozen=True):
    """One rule's answer about a day. `note` says something worth knowing that does not change the verdict."""

    rule: str
    result: Literal["pass", "at_risk", "quarantined", "note"]
    reason: str
    count: int = 0


class Normal(msgspec.Struct, frozen=True):
    """What was normal for a metric when its day closed, in its own unit: the median, and the scale, which is what it
    usually varies by from day to day, as the watch's rules had them. `z` is how many scales the day lies away, and
    `days` how many days that rests on."""

    median: float
    scale: float
    z: float
    days: int


def worst(checks: list[Check]) -> Verdict:
    """The verdict that follows from all checks: the worst of them.

    >>> worst([Check("a", "pass", "fine"), Check("b", "at_risk", "one invalid", 1), Check("c", "note", "odd")])
    'at_risk'
    """
    results: list[Verdict] = [check.result for check in checks if check.result != "note"]
    return max(results, key=_WORST.__getitem__, default="pass")
