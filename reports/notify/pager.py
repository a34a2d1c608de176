"""The next message to a pager: trigger, acknowledge and resolve, under one key for each alert.

When more begins at once than anybody can look at one by one, it is one incident with a key of its own, over when the
last of its alerts is. What begins is put on record before it is sent, so that whatever the pager took has its end; a
repetition under the same key changes nothing there. What becomes louder ends its old incident and begins anew, since a pager does not wake anybody a
second time for an incident that is acknowledged.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from reports.notify.hearing import Change, content, hearing, next_due, noted
from reports.notify.message import (
    MOST_IN_WINDOW,
    WINDOW_MS,
    Action,
    Message,
    Pace,
    Plan,
    hashed,
    one,
    ordered,
    record,
    together,
)

if TYPE_CHECKING:
    from detectors.alerts import Alert
    from reports.notify.hearing import Event, Hearing, Noticed, Situation
    from reports.notify.policy import Policy
    from reports.notify.told import Told

JOIN_MS = 3_600_000
"""So long after its beginning an incident of many alerts takes in further ones."""

MANY = "many-"


def plan(policy: Policy, situation: Situation, pace: Pace) -> Plan:
    """What to send now, and when to look again. Ends and acknowledgements first: they make room and wake nobody."""
    noticed: dict[str, Noticed] = {}
    found = _openings(policy, situation, noticed)
    now_ms = situation.now_ms
    threads = _threads(situation)
    message, update_ms = _of_threads(policy, situation, threads)
    ready = ordered(change for change in found if change.due_ms <= now_ms)
    wakes = [next_due(found, now_ms), update_ms]
    if message is None and ready:
        message, wake_ms = _opening(policy, situation, pace, ready, threads)
        wakes.append(wake_ms)
    known = [at for at in wakes if at is not None]
    return Plan(message, min(known, default=None), len(ready) + (message is not None and not ready), noticed)


def _openings(policy: Policy, situation: Situation, noticed: dict[str, Noticed]) -> list[Change]:
    found = []
    for alert in situation.alerts.values():
        told = situation.told_of(alert.id)
        is_known = told is not None and told.live
        if not is_known and hearing(alert) == "open" and policy.route.takes(alert):
            found.append(noted(policy, situation, noticed, alert, "opened", told))
    return found


def _threads(situation: Situation) -> dict[str, dict[str, Told]]:
    """What the receiver takes for standing: by key, then by alert."""
    threads: dict[str, dict[str, Told]] = defaultdict(dict)
    for alert_id, told in situation.knowledge.told.items():
        if told.live:
            threads[told.thread or alert_id][alert_id] = told
    return threads


def _of_threads(
    policy: Policy, situation: Situation, threads: dict[str, dict[str, Told]]
) -> tuple[Message | None, int | None]:
    wakes = []
    for key, members in threads.items():
        action = _action(situation, members)
        if action == "trigger" and not any(told.unsure for told in members.values()):
            due_ms = max(told.at_ms for told in members.values()) + policy.update_ms
            if due_ms > situation.now_ms:
                wakes.append(due_ms)
                continue
        if action is not None:
            return _message(policy, situation, key, action, members), None
    return None, min(wakes, default=None)


def _action(situation: Situation, members: dict[str, Told]) -> Action | None:
    """What an incident that stands for the receiver should hear of next; `trigger` = new numbers."""
    alerts = {alert_id: situation.alerts.get(alert_id) for alert_id in members}
    heard = _heard(alerts)
    acknowledged = all(told.state == "acknowledged" for told in members.values())
    if heard == "over":
        return "resolve"
    if _is_louder(alerts, members) or (acknowledged and heard == "open"):
        return "resolve"  # and what is open is opened anew
    if heard == "acknowledged" and not acknowledged:
        return "acknowledge"
    if acknowledged:
        return None
    said = [content(alert) != members[alert_id].content for alert_id, alert in alerts.items() if alert]
    return "trigger" if any(said) or any(told.unsure for told in members.values()) else None


def _heard(alerts: dict[str, Alert | None]) -> Hearing:
    """What many alerts come to."""
    standing = [heard for alert in alerts.values() if (heard := hearing(alert)) not in ("over", "held")]
    if not standing:
        return "over"
    return "open" if "open" in standing else "acknowledged"


def _is_louder(alerts: dict[str, Alert | None], members: dict[str, Told]) -> bool:
    """Whether an alert has become louder than its incident."""
    loudest = min(told.severity for told in members.values())
    return any(alert.severity < loudest for alert in alerts.values() if alert and hearing(alert) == "open")


def _message(
    policy: Policy, situation: Situation, key: str, action: Action, members: dict[str, Told]
) -> Message:
    events: dict[Action, Event] = {
        "trigger": "updated",
        "acknowledge": "acknowledged",
        "resolve": "resolved",
    }
    found = [
        Change(alert, events[action], told=told)
        for alert_id, told in members.items()
        if (alert := situation.alerts.get(alert_id)) is not None
    ]
    state: dict[Action, dict[str, str]] = {
        "trigger": {},
        "acknowledge": {"state": "acknowledged"},
        "resolve": {"state": "over"},
    }
    records = {
        alert_id: _again(situation, alert_id, told, state[action]) for alert_id, told in members.items()
    }
    times = max(told.times for told in members.values())
    return Message(
        id=f"{key}-{action}-{times}",
        kind="one" if len(members) == 1 else "many",
        site=policy.site,
        at_ms=situation.now_ms,
        changes=tuple(ordered(found)),
        records=records,
        action=action,
        key=key,
        known=situation.alerts,
    )


def _again(situation: Situation, alert_id: str, told: Told, state: dict[str, str]) -> Told:
    """The record of an alert whose incident was told of once more."""
    alert = situation.alerts.get(alert_id)
    said = content(alert) if alert else told.content
    changed: dict[str, Any] = {"content": said, "at_ms": situation.now_ms, "times": told.times + 1, **state}
    changed["unsure"] = False
    return msgspec.structs.replace(told, **changed)


def _opening(
    policy: Policy,
    situation: Situation,
    pace: Pace,
    ready: list[Change],
    threads: dict[str, dict[str, Told]],
) -> tuple[Message | None, int | None]:
    now_ms = situation.now_ms
    if not together(ready, MOST_IN_WINDOW - _begun(situation)):
        return _with_ahead(one(policy, situation, ready[0])), None
    from_ms = pace.summary_from(ready)
    if from_ms > now_ms:
        return None, from_ms
    key = _joined(situation, ready, threads) or f"{MANY}{hashed(change.alert.id for change in ready)}"
    members = threads.get(key, {})
    before = [
        Change(alert, "updated", told=told)
        for alert_id, told in members.items()
        if (alert := situation.alerts.get(alert_id)) is not None
    ]
    times = max((told.times for told in members.values()), default=0)
    message = Message(
        id=f"{key}-trigger-{times}-{len(ready)}",
        kind="many",
        site=policy.site,
        at_ms=now_ms,
        changes=tuple(ordered([*ready, *before])),
        records={change.alert.id: record(change, now_ms, key) for change in ready},
        key=key,
        known=situation.alerts,
    )
    return _with_ahead(message), None


def _with_ahead(message: Message) -> Message:
    """With what goes on record before it is sent: that it may have been taken."""
    unsure = {
        alert_id: msgspec.structs.replace(told, unsure=True) for alert_id, told in message.records.items()
    }
    return replace(message, ahead=unsure)


def _begun(situation: Situation) -> int:
    """How many incidents began of late."""
    of_late = {
        told.thread or alert_id
        for alert_id, told in situation.knowledge.told.items()
        if told.since_ms > situation.now_ms - WINDOW_MS
    }
    return len(of_late)


def _joined(situation: Situation, ready: list[Change], threads: dict[str, dict[str, Told]]) -> str | None:
    """The incident of many alerts that these may join: one that is as loud, and young."""
    loudest = min(change.alert.severity for change in ready)
    for key, members in threads.items():
        began = min(told.since_ms for told in members.values())
        is_young = began > situation.now_ms - JOIN_MS
        if key.startswith(MANY) and is_young and min(told.severity for told in members.values()) <= loudest:
            return key
    return None
