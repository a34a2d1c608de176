"""A receiver as the planning sees it: alerts change, time passes, messages come out, and some of it is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.core.instant import rfc3339
from consumer.core.timestamps import parse
from detectors.alerts import Alert, Severity
from reports.notify.hearing import Situation
from reports.notify.message import Pace
from reports.notify.policy import Policy
from reports.notify.told import Knowledge, Marker, key_of, take, value_of
from tests.reports.sample_state import alert as sample

if TYPE_CHECKING:
    from reports.notify.message import Message

START_MS = parse("2025-02-26T10:00:00Z")
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

P0, P1, P2 = Severity


class Desk:
    """One receiver, its clock and its record."""

    def __init__(self, plan, policy=None, *, at_ms=START_MS, since_ms=None, receipts=()):
        self.plan = plan
        self.policy = policy or Policy("ops", "shop")
        self.now_ms = at_ms
        self.alerts: dict[str, Alert] = {}
        self.knowledge = Knowledge(Marker(at_ms if since_ms is None else since_ms))
        self.receipts = receipts
        self.noticed = {}
        self.pace = Pace()
        self.sent: list[Message] = []
        self.refuses = False

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────

    def opens(self, *names, severity=P1, at_ms=None, **fields):
        at = rfc3339(self.now_ms if at_ms is None else at_ms)
        for name in names:
            fields = {"kind": "schema_field_missing", "subject": name, "metric": None} | fields
            self.alerts[name] = sample(name, severity=severity, opened_at=at, first_seen=at, **fields)

    def turns(self, name, state, at_ms=None, **fields):
        """The alert takes another state, on record in its history."""
        old, at = self.alerts[name], rfc3339(self.now_ms if at_ms is None else at_ms)
        history = [*(old.evidence or {}).get("history", []), {"at": at, "state": state}]
        fields["resolved_at"] = at if state in ("resolved", "expired") else None
        self.alerts[name] = msgspec.structs.replace(
            old, state=state, evidence={**(old.evidence or {}), "history": history}, **fields
        )

    def says(self, name, message):
        self.alerts[name] = msgspec.structs.replace(self.alerts[name], message=message)

    def restarts(self):
        """The process is gone with all that is not on record; the record is read anew."""
        known: dict[str, Knowledge] = {}
        for alert_id, told in self.knowledge.told.items():
            assert take(known, key_of("ops", alert_id), value_of(told))
        assert take(known, key_of("ops"), value_of(self.knowledge.marker))
        self.knowledge = known["ops"]
        self.noticed = {}
        self.pace = Pace()

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, *, recorded=True, taken=True):
        """Plans once, and sends what is due; the message if there was one. A try whose outcome is lost is not `recorded`,
        whether it was `taken` or not."""
        situation = Situation(self.alerts, self.knowledge, self.noticed, self.now_ms, self.receipts)
        planned = self.plan(self.policy, situation, self.pace)
        self.noticed = planned.noticed
        message = planned.message
        assert planned.wake_ms is None or planned.wake_ms > self.now_ms
        self.wake_ms = planned.wake_ms
        self.due = planned.due
        if message is None:
            return None
        self.knowledge.told.update(message.ahead)
        if self.refuses or not taken:
            return None
        self.sent.append(message)
        if recorded:
            self.pace = self.pace.after(message, self.now_ms)
            self.knowledge.told.update(message.records)
            self.knowledge.marker = message.marker or self.knowledge.marker
        return message

    def passes(self, ms):
        """Time goes by; the desk looks whenever it asked to. What was sent meanwhile."""
        end, before = self.now_ms + ms, len(self.sent)
        for _ in range(100_000):
            while self.look():
                pass
            if self.wake_ms is None or self.wake_ms > end:
                break
            self.now_ms = self.wake_ms
        else:
            raise AssertionError("it never comes to rest")
        self.now_ms = end
        while self.look():
            pass
        return self.sent[before:]

    def said(self, messages=None):
        """Event and alert of every change that was sent."""
        messages = self.sent if messages is None else messages
        return [(change.event, change.alert.id) for message in messages for change in message.changes]


class Pager:
    """What PagerDuty makes of events: incidents by dedup key."""

    def __init__(self):
        self.incidents: dict[str, str] = {}
        self.begun: list[str] = []

    def takes(self, message):
        state = self.incidents.get(message.key)
        match message.action:
            case "trigger" if state is None:
                self.incidents[message.key] = "triggered"
                self.begun.append(message.key)
            case "acknowledge" if state is not None:
                self.incidents[message.key] = "acknowledged"
            case "resolve":
                self.incidents.pop(message.key, None)
