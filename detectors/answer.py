"""What a watch rule answers: fired or not, always with its reason and the numbers behind it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from detectors.alerts import Severity

Number = int | float | str


class Reason(StrEnum):
    """Why a rule fired, or why it stayed quiet: the closed set of words."""

    FIRED = "fired"
    WITHIN_BAND = "within_band"
    BELOW_MIN_ABS = "below_min_abs"
    BELOW_MIN_REL = "below_min_rel"
    INSUFFICIENT_HISTORY = "insufficient_history"
    UNMEASURABLE = "unmeasurable"
    INHIBITED_BY = "inhibited_by"


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule's answer about one metric. A number that the rule does not have is None, never NaN.

    `baseline_median`, `baseline_mad` and `scale` are in the metric's own unit, for the tested day's weekday.
    `since_minute` is when the change began as far as the rule can tell, `known_minute` when the rule was asked; both
    are minutes since the epoch, or None where a whole day is judged. `count` is what the value was made of (sessions,
    purchases, events). `evidence` holds what else the answer rests on, by name.
    """

    rule: str
    metric: str
    reason: Reason
    severity: Severity | None = None
    value: float | None = None
    baseline_median: float | None = None
    baseline_mad: float | None = None
    scale: float | None = None
    robust_z: float | None = None
    absolute_change: float | None = None
    relative_change: float | None = None
    since_minute: int | None = None
    known_minute: int | None = None
    count: int | None = None
    evidence: dict[str, Number] = {}

    @property
    def fired(self) -> bool:
        """Whether this is an alert.

        >>> Answer("revenue_anomaly", "revenue", Reason.WITHIN_BAND).fired
        False
        """
        return self.reason is Reason.FIRED
