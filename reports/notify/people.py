"""The next message to people: chat, e-mail, and whoever gets messages one by one. And once a day the digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.notify.hearing import changes, next_due
from reports.notify.message import Message, Pace, Plan, many, one, ordered, together
from reports.notify.told import Marker
from reports.render.summary import summarise

if TYPE_CHECKING:
    from reports.notify.hearing import Change, Situation
    from reports.notify.policy import Policy

DIGEST_LATEST_MS = 12 * 3_600_000
"""A digest that could not be sent by then waits for the next day."""


def plan(policy: Policy, situation: Situation, pace: Pace) -> Plan:
    """What to send now, and when to look again."""
    found, noticed = changes(policy, situation)
    now_ms = situation.now_ms
    ready = ordered(change for change in found if change.due_ms <= now_ms)
    wakes = [next_due(found, now_ms)]
    message: Message | None = None
    if ready:
        message, wake_ms = _of_ready(policy, situation, pace, ready)
        wakes.append(wake_ms)
    digest, wake_ms = _digest(policy, situation)
    wakes.append(wake_ms)
    known = [at for at in wakes if at is not None]
    return Plan(message or digest, min(known, default=None), len(ready), noticed)


def _of_ready(
    policy: Policy, situation: Situation, pace: Pace, ready: list[Change]
) -> tuple[Message | None, int | None]:
    left = pace.left(situation.now_ms)
    if not together(ready, left):
        return one(policy, situation, ready[0]), None
    from_ms = pace.summary_from(ready)
    if from_ms > situation.now_ms:
        return None, from_ms
    return (many(policy, situation, ready) if len(ready) > 1 else one(policy, situation, ready[0])), None


def _digest(policy: Policy, situation: Situation) -> tuple[Message | None, int | None]:
    """The digest, if one is due, and when the next one is."""
    if policy.digest is None:
        return None, None
    now_ms = situation.now_ms
    day, at_ms = policy.digest.last(now_ms)
    next_ms = policy.digest.next_ms(now_ms)
    digested = situation.knowledge.marker.digested if situation.knowledge.marker else ""
    missed = at_ms < situation.since_ms or now_ms - at_ms > DIGEST_LATEST_MS
    if day <= digested or missed or not situation.receipts:
        return None, next_ms
    message = Message(
        id=f"digest-{day}",
        kind="digest",
        site=policy.site,
        at_ms=now_ms,
        marker=Marker(situation.since_ms, day),
        known=situation.alerts,
        summary=summarise(situation.receipts, situation.alerts.values()),
    )
    return message, next_ms
