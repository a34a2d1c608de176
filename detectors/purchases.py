"""Purchases that do not add up: invalid ones put a day at risk, colliding transaction ids quarantine it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from detectors.alerts import Severity
from detectors.finding import Finding
from detectors.sentences import cut
from detectors.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INVALID = "purchase_invalid"
COLLISION = "transaction_collision"
REPLAY = "transaction_replay"

MOST_COLLISIONS = 20
"""The colliding transaction ids of a day that are told one by one; those beyond are one alert."""


_WHY = {
    "purchase_data": "data that cannot be read",
    "purchase_id": "no transaction id",
    "purchase_items": "no items",
    "purchase_revenue": "no usable revenue",
}


def judge_invalid(count: int) -> Check:
    """The day's check of invalid purchases (revenue not above 0, no items, no id).

    >>> judge_invalid(0).result, judge_invalid(1).result
    ('pass', 'at_risk')
    """
    if count:
        return Check(INVALID, "at_risk", f"{count} invalid, not counted: see the dead letters", count)
    return Check(INVALID, "pass", "every purchase was valid")


def judge_collisions(events: int) -> Check:
    """The day's check of transaction ids that came with different payloads, here or on another day.

    >>> judge_collisions(2).result
    'quarantined'
    """
    if events:
        words = "1 purchase shares a transaction id with another, not counted"
        if events > 1:
            words = f"{events:,} purchases share a transaction id with another, none counted"
        return Check(COLLISION, "quarantined", words, events)
    return Check(COLLISION, "pass", "no transaction id came with two payloads")


def judge_replays(count: int) -> Check:
    """The day's note of purchases that came again with the same payload.

    >>> judge_replays(0).result, judge_replays(3).result
    ('pass', 'note')
    """
    if count:
        return Check(REPLAY, "note", f"{count} repeated with the same payload, counted once", count)
    return Check(REPLAY, "pass", "no purchase was repeated")


def invalid_note(day: str, minute: int, invalid: Mapping[str, int]) -> Finding:
    """The note of a day's invalid purchases so far (by reason), of which the minute brought some.

    >>> invalid_note("2025-02-24", 29006000, {"purchase_revenue": 2}).message
    '2 purchases on 2025-02-24 could not be counted (no usable revenue). The day is at risk until they are put back; the events lie in the dead letters.'
    """
    found = {reason: invalid[reason] for reason in sorted(invalid)}
    why = ", ".join(_WHY.get(reason, cut(reason)) for reason in found)
    count = sum(found.values())
    return Finding(
        INVALID,
        "happened",
        Severity.P2_NOTE,
        "gate",
        minute,
        minute + 1,
        metric="purchases",
        day=day,
        count=count,
        message=(
            f"{count} purchase{'s' if count > 1 else ''} on {day} could not be counted ({why}). "
            "The day is at risk until they are put back; the events lie in the dead letters."
        ),
        evidence={"reasons": found},
    )


def collision(
    transaction: str, count: int, days: Sequence[str], first_minute: int, known_minute: int
) -> Finding:
    """Purchases with one transaction id and different contents; `days` are the newest of those that have one.

    >>> collision("ORD-1", 2, ["2025-02-26"], 5, 9).severity.value
    'P0_BLOCKER'
    """
    message = (
        f"Transaction id {cut(transaction)} came {count:,} times with different contents ({', '.join(days)}). None of them "
        f"is counted, and {'that day is' if len(days) == 1 else 'those days are'} quarantined: find out which order is the "
        "true one."
    )
    found = _collided(transaction, days[-1], count, first_minute, known_minute, message)
    return msgspec.structs.replace(found, evidence={"days": list(days)})


def collisions(day: str, count: int, first_minute: int, known_minute: int) -> Finding:
    """The day's colliding transaction ids beyond those that are told one by one; `count` are all purchases that share an
    id with another.

    >>> collisions("2025-02-26", 60, 5, 9).message[:72]
    '60 purchases on 2025-02-26 share a transaction id with one of different '
    """
    message = (
        f"{count:,} purchases on {day} share a transaction id with one of different contents: too many ids to tell one "
        "by one. None of them is counted, and the day is quarantined: look whether the shop has begun to number its "
        "orders anew."
    )
    return _collided("", day, count, first_minute, known_minute, message)


def _collided(subject: str, day: str, count: int, first: int, known: int, message: str) -> Finding:
    return Finding(
        COLLISION, "happened", Severity.P0_BLOCKER, "gate", first, known, subject, "purchases", day,
        count=count, message=message,
    )  # fmt: skip
