"""What a detector has to say of a minute, before it is an alert: an incident begins, goes on, or is over."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from detectors.alerts import Layer, Severity

Word = Literal["opened", "standing", "resolved", "happened"]
"""`opened`, `standing` (with newer numbers), `resolved`: a condition that lasts. `happened`: evidence of something that
is over as it happens (a collision, a bad purchase); more of it joins the same incident, and a quiet day ends it."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One detector's word on one incident. All minutes are event time, since the epoch.

    `kind` and `subject` (a field's path, an event's name, a transaction id; empty where there is but one) name the
    condition; of one condition there is at most one incident at a time. `since_minute` is that of the first evidence
    as far as can be told, `known_minute` the end of the minute that was judged: when it could be known. `day` is the
    day it belongs to. The numbers are those of `alerts.json`; one that a kind does not have is None.
    """

    kind: str
    word: Word
    severity: Severity
    layer: Layer
    since_minute: int
    known_minute: int
    subject: str = ""
    metric: str | None = None
    day: str | None = None
    value: str | float | int | None = None
    baseline_median: str | float | None = None
    baseline_mad: str | float | None = None
    scale: str | float | None = None
    robust_z: float | None = None
    absolute_change: str | float | None = None
    relative_change: float | None = None
    count: int | None = None
    message: str = ""
    evidence: dict[str, Any] = {}
