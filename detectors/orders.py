"""What an operator wants of an alert, as the book takes it, and what an accepted level means for the detectors."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import msgspec

from detectors.moment import DAY_MS

MOST_SILENCE_MS = 366 * DAY_MS
"""A silence that is longer is a mistake, or a rule that wants to be changed."""


class Order(msgspec.Struct, frozen=True):
    """One order. `action` is `acknowledge`, `silence` or `accept`; `target` the alert's id; `at_ms` the event time at
    which it is obeyed. `arguments` holds for a silence `until_ms` (milliseconds since the epoch) or `for_ms` (so long
    from `at_ms` on), and may hold for an acceptance `from` (a day, YYYY-MM-DD)."""

    action: str
    target: str
    by: str
    reason: str
    at_ms: int
    arguments: dict[str, Any] = {}


class Acceptance(NamedTuple):
    """From `day` on the present level is normal for this kind, subject and metric: the detectors take the days before
    out of what they compare with."""

    kind: str
    subject: str
    metric: str | None
    day: str
    by: str
    reason: str


def until_of(order: Order) -> int | None:
    """When a silence ends; None if the order does not say so, or it is over already, or never ends.

    >>> until_of(Order("silence", "id", "ann", "known", 1000, {"until_ms": 5000}))
    5000
    >>> until_of(Order("silence", "id", "ann", "known", 1000, {"for_ms": 5000}))
    6000
    >>> until_of(Order("silence", "id", "ann", "known", 9000, {"until_ms": 5000}))
    """
    until, length = order.arguments.get("until_ms"), order.arguments.get("for_ms")
    if until is None and isinstance(length, int):
        until = order.at_ms + length
    if not isinstance(until, int) or not order.at_ms < until <= order.at_ms + MOST_SILENCE_MS:
        return None
    return until


def day_of(order: Order) -> str | None:
    """The day from which a level is accepted; None if the order names none, or it is no day.

    >>> day_of(Order("accept", "id", "ann", "new shop", 0, {"from": "2025-02-24"}))
    '2025-02-24'
    >>> day_of(Order("accept", "id", "ann", "new shop", 0, {"from": "yesterday"}))
    """
    day = order.arguments.get("from")
    try:
        return date.fromisoformat(day).isoformat() if isinstance(day, str) else None
    except ValueError:
        return None
