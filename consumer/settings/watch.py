"""The thresholds of the watch that a site may want to change. The rules have more (`detectors/watched.py` and beside
each rule); these are the ones that depend on how large a site is and on how much it wants to hear.

The defaults are the rules' own.
"""

from __future__ import annotations

from pydantic import Field

from consumer.settings.section import Section
from detectors.silence import EVENT_SILENCE, PURCHASE_SILENCE
from detectors.watched import WatchLimits

_OWN = WatchLimits()
_MOST_TIMES = 100
_MOST_AMOUNT = 1_000_000_000_000


class Watch(Section):
    """How large a change of the numbers must be to raise an alert. A metric must reach `z` and both of its minimums.
    Try other values on past days first: `sluice backtest`."""

    z: float = Field(
        default=_OWN.z,
        ge=1,
        le=100,
        description="How many times its usual day-to-day spread a metric must be off; "
        "`sluice backtest` shows what another value would have raised.",
    )
    sessions_min_relative: float = Field(
        default=_OWN.sessions.relative,
        ge=0,
        le=_MOST_TIMES,
        description="Least change of sessions, as a share of what is normal (0.3 = 30 %).",
    )
    sessions_min_absolute: float = Field(
        default=_OWN.sessions.absolute,
        ge=0,
        le=_MOST_AMOUNT,
        description="Least change of sessions, in sessions.",
    )
    purchases_min_relative: float = Field(
        default=_OWN.purchases.relative,
        ge=0,
        le=_MOST_TIMES,
        description="Least change of purchases, as a share of what is normal.",
    )
    purchases_min_absolute: float = Field(
        default=_OWN.purchases.absolute,
        ge=0,
        le=_MOST_AMOUNT,
        description="Least change of purchases, in purchases.",
    )
    revenue_min_relative: float = Field(
        default=_OWN.revenue.relative,
        ge=0,
        le=_MOST_TIMES,
        description="Least change of revenue, as a share of what is normal.",
    )
    revenue_min_absolute: float = Field(
        default=_OWN.revenue.absolute,
        ge=0,
        le=_MOST_AMOUNT,
        description="Least change of revenue, in the currency of the events.",
    )
    conversion_rate_min_relative: float = Field(
        default=_OWN.conversion_rate.relative,
        ge=0,
        le=_MOST_TIMES,
        description="Least change of purchases per session, as a share of what is normal.",
    )
    conversion_rate_min_absolute: float = Field(
        default=_OWN.conversion_rate.absolute,
        ge=0,
        le=1,
        description="Least change of purchases per session, of a share of 1 (0.002 = 0.2 points).",
    )
    direct_share_min_absolute: float = Field(
        default=_OWN.direct_share.absolute,
        ge=0,
        le=1,
        description="Least change of the share of direct sessions, of a share of 1 (0.08 = 8 points).",
    )
    purchase_value_min_relative: float = Field(
        default=_OWN.purchase_value.relative,
        ge=0,
        le=_MOST_TIMES,
        description="Least change of revenue per purchase, as a share of what is normal.",
    )
    purchase_value_min_absolute: float = Field(
        default=_OWN.purchase_value.absolute,
        ge=0,
        le=_MOST_AMOUNT,
        description="Least change of revenue per purchase, in the currency of the events.",
    )
    silence_false_per_year: float = Field(
        default=EVENT_SILENCE.false_per_year,
        ge=0.001,
        le=100,
        description="False alarms a year about silence: how long without any event is alarming follows from it.",
    )
    purchase_silence_false_per_year: float = Field(
        default=PURCHASE_SILENCE.false_per_year,
        ge=0.001,
        le=100,
        description="The same about a time without any purchase.",
    )
    hold_minutes: int = Field(
        default=2,
        ge=0,
        le=60,
        description="Minutes that events may be out of order in their partition without a change of any alert; "
        "an alert waits as long.",
    )
