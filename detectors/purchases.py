"""Purchases that do not add up: invalid ones put a day at risk, colliding transaction ids quarantine it."""

from __future__ import annotations

from detectors.verdict import Check

INVALID = "purchase_invalid"
COLLISION = "transaction_collision"
REPLAY = "transaction_replay"


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
        return Check(
            COLLISION,
            "quarantined",
            f"{events} purchases share a transaction id with another, none counted",
            events,
        )
    return Check(COLLISION, "pass", "no transaction id came with two payloads")


def judge_replays(count: int) -> Check:
    """The day's note of purchases that came again with the same payload.

    >>> judge_replays(0).result, judge_replays(3).result
    ('pass', 'note')
    """
    if count:
        return Check(REPLAY, "note", f"{count} repeated with the same payload, counted once", count)
    return Check(REPLAY, "pass", "no purchase was repeated")
