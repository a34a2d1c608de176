"""What a receiver has yet to hear of each alert, and from when on it should: `opened`, `louder`, `acknowledged`,
`updated`, `resolved`.

An alert's times are event time; when something is due is the wall clock's. The two are compared once, when a change is
noticed: what turned long before that (a backlog, a replay, files from last year) is no news of now. It is told only if
it still stands after `SETTLE_MS`, so that an old incident which the stream resolves in the next second wakes nobody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from consumer.core import timestamps
from consumer.core.instant import rfc3339
from detectors.alerts import Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from consumer.core.days import Receipt
    from detectors.alerts import Alert
    from reports.notify.policy import Policy
    from reports.notify.told import Knowledge, Told

Event = Literal["opened", "louder", "acknowledged", "updated", "resolved"]
Hearing = Literal["open", "acknowledged", "over", "held"]

GATHER_MS = 5_000
"""What comes together is told together."""

SETTLE_MS = 120_000
"""How long something old must stand: a backlog of a day takes seconds, of a very busy one a minute."""

MEMORY_MS = 7 * 86_400_000
"""What was over before that is not told any more to a receiver that could not be told while it stood."""

_OVER = frozenset({"resolved", "expired"})
_HELD = frozenset({"inhibited", "silenced"})


class Noticed(NamedTuple):
    """Something that is to be told, when it was noticed (wall clock), and whether it was news then."""

    what: str
    at_ms: int
    recent: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be told of one alert. `late`: better with others in one message, since it is old or was held back."""

    alert: Alert
    event: Event
    due_ms: int = 0
    late: bool = False
    told: Told | None = None

    @property
    def pages(self) -> bool:
        """Whether it may wake somebody."""
        return self.alert.severity == Severity.P0_BLOCKER and self.event in ("opened", "louder")


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan is made of: the alerts by id and the receipts as they are now, what the receiver was told, what
    was noticed before, since when the process that plans does so, and the wall clock."""

    alerts: Mapping[str, Alert]
    knowledge: Knowledge
    noticed: Mapping[str, Noticed]
    now_ms: int
    receipts: Collection[Receipt] = field(default=())

    def told_of(self, alert_id: str) -> Told | None:
        """What the receiver was told of the alert."""
        return self.knowledge.told.get(alert_id)

    @property
    def since_ms(self) -> int:
        """Since when the receiver is told of things."""
        return self.knowledge.marker.since_ms if self.knowledge.marker else self.now_ms


def hearing(alert: Alert | None) -> Hearing:
    """An alert's state as a receiver hears of it; one that is gone is over."""
    if alert is None or alert.state in _OVER:
        return "over"
    if alert.state in _HELD:
        return "held"
    return "acknowledged" if alert.state == "acknowledged" else "open"


def content(alert: Alert) -> str:
    """A fingerprint of what there is to say about the alert."""
    said = (alert.message, alert.severity.value, hearing(alert), *sorted(alert.explains or ()))
    return hashlib.blake2b("\x1f".join(said).encode("utf-8", "replace"), digest_size=8).hexdigest()


def turned_ms(alert: Alert) -> int:
    """The event time of its last change of state."""
    times = [alert.opened_at, alert.resolved_at, *(entry.get("at") for entry in _history(alert)[-1:])]
    known = [timestamps.parse(at) for at in times if isinstance(at, str)]
    return max((at for at in known if at is not None), default=0)


def changes(policy: Policy, situation: Situation) -> tuple[list[Change], dict[str, Noticed]]:
    """Everything that people have yet to hear, due or not, and what is noticed by now."""
    found: list[Change] = []
    noticed: dict[str, Noticed] = {}
    since, oldest = rfc3339(situation.since_ms), rfc3339(situation.now_ms - MEMORY_MS)
    for alert in situation.alerts.values():
        told = situation.told_of(alert.id)
        if (
            told is None
            and alert.state in _OVER
            and (alert.opened_at < since or max(alert.opened_at, alert.resolved_at or "") < oldest)
        ):
            continue  # its beginning was nothing for this receiver, so its end is not; or both are long ago
        event = _event(policy, alert, told)
        if event is not None:
            found.append(noted(policy, situation, noticed, alert, event, told))
    return found, noticed


def noted(
    policy: Policy,
    situation: Situation,
    noticed: dict[str, Noticed],
    alert: Alert,
    event: Event,
    told: Told | None,
) -> Change:
    """The change with the time from which on it is to be told; enters into `noticed` since when that is so."""
    what = f"{event} {alert.severity.value}"
    seen = situation.noticed.get(alert.id)
    if seen is None or seen.what != what:
        recent = turned_ms(alert) >= situation.now_ms - policy.grace_ms
        seen = Noticed(what, situation.now_ms, recent)
    noticed[alert.id] = seen
    is_new = told is None or not told.live
    old = is_new and not seen.recent
    due = seen.at_ms + (SETTLE_MS if old else GATHER_MS)
    if event == "updated" and told is not None:
        due = max(due, told.at_ms + policy.update_ms)
    loud = Severity.P0_BLOCKER in (alert.severity, told.severity if told else alert.severity)
    end = policy.quiet.end_ms(due) if policy.quiet and not loud else None
    return Change(alert, event, end or due, old or end is not None, told)


def next_due(found: Iterable[Change], now_ms: int) -> int | None:
    """When the next of those that are not due yet will be."""
    return min((change.due_ms for change in found if change.due_ms > now_ms), default=None)


def _event(policy: Policy, alert: Alert, told: Told | None) -> Event | None:
    heard = hearing(alert)
    if told is not None and told.live:
        return _of_known(alert, told, heard)
    if heard == "held" or not policy.route.takes(alert):
        return None
    if heard != "over":
        return "acknowledged" if heard == "acknowledged" else "opened"
    return "resolved" if told is None and not was_held_back(alert) else None


def _of_known(alert: Alert, told: Told, heard: Hearing) -> Event | None:
    if heard == "over":
        return "resolved"
    if heard == "held":
        return None
    if alert.severity < told.severity:  # the text of a louder one sorts before
        return "louder"
    if heard == "acknowledged" and told.state != "acknowledged":
        return "acknowledged"
    return "updated" if content(alert) != told.content else None


def was_held_back(alert: Alert) -> bool:
    """Whether an alert that is over was silenced, or explained by a cause, until its end."""
    before = [entry.get("state") for entry in _history(alert) if entry.get("state") not in _OVER]
    return bool(before) and before[-1] in _HELD


def _history(alert: Alert) -> list[dict[str, Any]]:
    history = (alert.evidence or {}).get("history")
    return [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
