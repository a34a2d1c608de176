"""The receipt: what `sluice.days` says of a day, the one value that loaders, files and reports read."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

import msgspec

from detectors.verdict import Check, Normal, Verdict

Status = Literal["open", "pass", "at_risk", "quarantined", "released"]

USABLE: frozenset[Status] = frozenset({"pass", "at_risk", "released"})
"""The statuses under which a loader may take a day's events."""

METRICS = ("sessions", "purchases", "revenue", "conversion_rate", "direct_share")

_SIX = Decimal("0.000001")
_TWO = Decimal("0.01")
_RATES = Context(prec=60, rounding=ROUND_HALF_EVEN)
_SCORES = Context(prec=60, rounding=ROUND_DOWN)


class Metrics(msgspec.Struct, frozen=True):
    """The five daily metrics; None = not measurable (the reason stands in the receipt's `not_measurable`).

    `revenue` is the exact decimal amount as text, with two decimals at least; the rates have six.
    """

    sessions: int | None
    purchases: int | None
    revenue: str | None
    conversion_rate: str | None
    direct_share: str | None


class Counts(msgspec.Struct, frozen=True):
    """What was seen of a day. `rejected` includes invalid purchases, which are events as well."""

    events: int
    rejected: int
    purchase_invalid: int
    replays: int
    collisions: int
    late: int
    identity_missing: int
    direct_sessions: int


class HistoryEntry(msgspec.Struct, frozen=True):
    """A change of a day's status: at which revision, and `at` which event time (RFC 3339). If a person decided, who and
    why, and `decided_at` by the clock on the wall, which may be long after the time of the events."""

    revision: int
    status: Status
    at: str
    reason: str = ""
    by: str = ""
    decided_at: str | None = None


class Hours(msgspec.Struct, frozen=True):
    """A day by the hours of the wall clock: 24 numbers each, and what has no time of its own at none. Sessions count at
    the hour of their first event; `purchases` are all purchase events that could be read, counted or not."""

    events: list[int]
    sessions: list[int]
    purchases: list[int]


class Receipt(msgspec.Struct, frozen=True):
    """The latest state of a day. `revision` is 0 while the day is open, 1 when it closes, +1 with each amendment.

    `verdict` is what the rules say of the day so far; `status` is what a reader acts on: `open` until the watermark
    has left the day by the allowed lateness, then the verdict, or `released` once a person let it through.
    `score` = 100 x (1 - rejected / (events + rejected that are no events)), rounded down to two decimals, so 100.00
    means that nothing was rejected.

    What people look at besides may be missing in a receipt of an older version: `begins` and `ends` (RFC 3339, the end
    left out), `hours`, `names` (events by name, the most frequent ones), `coverage` (for each field of the contract the
    share of events, purchases or items that have it, six decimals), `normal` (what was normal for each metric when the
    day closed), `claimed` (by reason, the exact revenue that purchases which are not counted name for themselves).
    """

    day: str
    revision: int
    status: Status
    verdict: Verdict
    metrics: Metrics
    counts: Counts
    score: str
    identity_missing_rate: str | None
    rejects: dict[str, int]
    checks: list[Check]
    contract: str
    time_zone: str
    watermark: str | None
    closed_at: str | None
    not_measurable: dict[str, str] = {}
    history: list[HistoryEntry] = []
    schema_version: int = 1
    begins: str | None = None
    ends: str | None = None
    hours: Hours | None = None
    names: dict[str, int] = {}
    coverage: dict[str, str] = {}
    normal: dict[str, Normal] = {}
    claimed: dict[str, str] = {}


def rate(part: int, whole: int) -> str | None:
    """part / whole with six decimals, half to even; None when there is no whole.

    >>> rate(1, 3), rate(0, 0)
    ('0.333333', None)
    """
    if whole <= 0:
        return None
    return f"{_RATES.divide(Decimal(part), Decimal(whole)).quantize(_SIX, context=_RATES):f}"


def score(events: int, rejected: int, rejected_events: int) -> str:
    """The share of records that passed, 0-100, rounded down to two decimals.

    >>> score(4070, 0, 0), score(100, 1, 1), score(0, 5, 0), score(10**9, 1, 0)
    ('100.00', '99.00', '0.00', '99.99')
    """
    records = events + rejected - rejected_events
    if records <= 0:
        return "100.00"
    share = _SCORES.divide(Decimal(100 * (records - rejected)), Decimal(records))
    return f"{share.quantize(_TWO, context=_SCORES):f}"
