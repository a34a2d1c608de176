"""The next message to a system that keeps alerts by itself (Alertmanager): all that stands, again and again, and what
has ended since. It groups, silences and repeats on its own, so nothing is summarised and no hour is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reports.notify.hearing import Change, hearing, next_due, noted
from reports.notify.message import Message, Pace, Plan, ordered, record

if TYPE_CHECKING:
    from detectors.alerts import Alert, Severity
    from reports.notify.hearing import Noticed, Situation
    from reports.notify.policy import Policy
    from reports.notify.told import Told


def plan(policy: Policy, situation: Situation, pace: Pace) -> Plan:
    """What to send now, and when to look again."""
    now_ms = situation.now_ms
    noticed: dict[str, Noticed] = {}
    waiting: list[Change] = []
    standing: list[Change] = []
    records: dict[str, Told] = {}
    for alert in situation.alerts.values():
        told = situation.told_of(alert.id)
        if hearing(alert) in ("over", "held") or not policy.route.takes(alert):
            continue
        if told is not None and told.live:
            standing.append(Change(alert, "updated", told=told))
            if alert.severity != told.severity:
                records[alert.id] = record(standing[-1], now_ms)
            continue
        change = noted(policy, situation, noticed, alert, "opened", told)
        if change.due_ms > now_ms:
            waiting.append(change)
        else:
            standing.append(change)
            records[alert.id] = record(change, now_ms)
    ended = _ended(situation, {change.alert.id: change.alert for change in standing}, records)
    again_ms = (pace.standing_ms or 0) + policy.resend_ms
    wakes = [next_due(waiting, now_ms), again_ms if standing else None]
    if not records and not (standing and now_ms >= again_ms):
        known = [at for at in wakes if at is not None]
        return Plan(None, min(known, default=None), 0, noticed)
    message = Message(
        id=f"standing-{now_ms}",
        kind="standing",
        site=policy.site,
        at_ms=now_ms,
        changes=tuple(ordered(standing)),
        records=records,
        ended=tuple(ended),
        known=situation.alerts,
    )
    return Plan(message, next_due(waiting, now_ms), len(records), noticed)


def _ended(
    situation: Situation, standing: dict[str, Alert], records: dict[str, Told]
) -> list[tuple[Alert, Severity]]:
    """What the receiver takes for standing and does not stand any more (as it knows it); enters it into the records."""
    ended: list[tuple[Alert, Severity]] = []
    for alert_id, told in situation.knowledge.told.items():
        if not told.live:
            continue
        alert = situation.alerts.get(alert_id)
        now = standing.get(alert_id)
        if now is None:
            records[alert_id] = msgspec.structs.replace(
                told, state="over", at_ms=situation.now_ms, times=told.times + 1
            )
        if alert is not None and (now is None or now.severity != told.severity):
            ended.append((alert, told.severity))
    return ended
