"""An alert as a value: one incident, one id, one life; what `sluice.alerts` and `alerts.json` carry.

The fields and their names are those of `alerts.json`; a field that a kind does not have is None.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, Literal

import msgspec


class Severity(StrEnum):
    """How loud: a page, an alert, or a note that never reaches a person by itself."""

    P0_BLOCKER = "P0_BLOCKER"
    P1_HIGH = "P1_HIGH"
    P2_NOTE = "P2_NOTE"


Layer = Literal["gate", "watch"]
State = Literal["open", "acknowledged", "silenced", "inhibited", "resolved", "expired"]

LIVE: frozenset[State] = frozenset({"open", "acknowledged", "silenced", "inhibited"})
"""The states of an alert whose incident is not over."""


class Alert(msgspec.Struct, frozen=True):
    """The latest state of one alert. Times are RFC 3339 UTC with milliseconds.

    `first_seen` is the event time of the first evidence, `opened_at` the event time at which it was known.
    Numbers that must be exact (money) are text.
    """

    id: str
    severity: Severity
    kind: str
    layer: Layer
    metric: str | None
    subject: str | None
    day: str | None
    state: State
    first_seen: str
    opened_at: str
    resolved_at: str | None = None
    value: str | float | int | None = None
    baseline_median: str | float | None = None
    baseline_mad: str | float | None = None
    scale: str | float | None = None
    robust_z: float | None = None
    absolute_change: str | float | None = None
    relative_change: float | None = None
    count: int | None = None
    message: str = ""
    evidence: dict[str, Any] | None = None
    caused_by: str | None = None
    explains: list[str] | None = None


def quarantines(layer: Layer, severity: Severity) -> bool:
    """Whether such an alert quarantines the days that it touches: a blocker of the gate.

    >>> quarantines("gate", Severity.P0_BLOCKER), quarantines("watch", Severity.P0_BLOCKER)
    (True, False)
    """
    return layer == "gate" and severity is Severity.P0_BLOCKER


def identity(kind: str, subject: str, since: str) -> str:
    """The id of an incident: the same for the same kind, subject and beginning, however often it is seen.

    >>> identity("transaction_collision", "ORD-1", "") == identity("transaction_collision", "ORD-1", "")
    True
    """
    text = f"{kind}\x1f{subject}\x1f{since}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
