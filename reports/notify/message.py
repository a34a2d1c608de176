"""One message to one receiver, before any words: what it is about, and what the receiver knows once it was taken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reports.notify.hearing import Change, Noticed, content, hearing
from reports.notify.told import Marker, Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detectors.alerts import Alert, Severity
    from reports.notify.hearing import Situation
    from reports.notify.policy import Policy
    from reports.render.summary import Summary

Kind = Literal["one", "many", "digest", "standing", "test"]
Action = Literal["trigger", "acknowledge", "resolve"]

WINDOW_MS = 600_000
MOST_IN_WINDOW = 10
"""Messages about single alerts in ten minutes; a receiver that gets more is told in summaries."""

MOST_AT_ONCE = 5
"""More that is due at the same moment is one summary."""

LOUD_GAP_MS = 60_000
SUMMARY_GAP_MS = WINDOW_MS
"""Between two summaries: a minute if the next one has something that pages, else ten."""


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the same however often the message is tried, so that a receiver can tell a repetition. `records` (by
    alert id) and `marker` go on record once it was taken, `ahead` before it is sent. `key` is the pager's dedup key. `ended` are alerts that a
    system must be told the end of, with the severity under which it knows them. `known` has the alerts that others
    name as cause or symptom."""

    id: str
    kind: Kind
    site: str
    at_ms: int
    changes: tuple[Change, ...] = ()
    records: Mapping[str, Told] = field(default_factory=dict)
    ahead: Mapping[str, Told] = field(default_factory=dict)
    marker: Marker | None = None
    action: Action = "trigger"
    key: str = ""
    ended: tuple[tuple[Alert, Severity], ...] = ()
    known: Mapping[str, Alert] = field(default_factory=dict)
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send now, if anything; when to plan again even if nothing happens; how much is due; what was noticed."""

    message: Message | None
    wake_ms: int | None
    due: int
    noticed: dict[str, Noticed]


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a receiver was sent of late, so that the worst day is a few messages. Forgotten at a restart."""

    sent_ms: tuple[int, ...] = ()
    summary_ms: int | None = None
    standing_ms: int | None = None

    def left(self, now_ms: int) -> int:
        """How many messages about single alerts may still be sent."""
        return MOST_IN_WINDOW - sum(at > now_ms - WINDOW_MS for at in self.sent_ms)

    def summary_from(self, found: Iterable[Change]) -> int:
        """From when on these may be sent as a summary."""
        if self.summary_ms is None:
            return 0
        return self.summary_ms + (LOUD_GAP_MS if any(change.pages for change in found) else SUMMARY_GAP_MS)

    def after(self, message: Message, now_ms: int) -> Pace:
        """The pace once the message was sent."""
        match message.kind:
            case "one":
                recent = tuple(at for at in self.sent_ms if at > now_ms - WINDOW_MS)
                return Pace((*recent, now_ms), self.summary_ms, self.standing_ms)
            case "many":
                return Pace(self.sent_ms, now_ms, self.standing_ms)
            case "standing":
                return Pace(self.sent_ms, self.summary_ms, now_ms)
            case "digest" | "test":
                return self


def together(ready: list[Change], left: int) -> bool:
    """Whether what is due should be one message."""
    late = sum(change.late for change in ready)
    return late > 1 or len(ready) > MOST_AT_ONCE or len(ready) > left


def ordered(found: Iterable[Change]) -> list[Change]:
    """The loudest first; of those, what begins before what ends."""
    order = ("opened", "louder", "updated", "acknowledged", "resolved")
    return sorted(
        found, key=lambda c: (c.alert.severity, order.index(c.event), c.alert.opened_at, c.alert.id)
    )


def record(change: Change, now_ms: int, thread: str = "") -> Told:
    """What the receiver knows of the alert after this."""
    told, heard = change.told, hearing(change.alert)
    is_live = told is not None and told.live
    return Told(
        state="over" if change.event == "resolved" or heard in ("over", "held") else _live(heard),
        severity=change.alert.severity,
        content=content(change.alert),
        at_ms=now_ms,
        since_ms=told.since_ms if told is not None and is_live else now_ms,
        times=(told.times if told else 0) + 1,
        thread=thread,
    )


def _live(heard: str) -> Literal["open", "acknowledged"]:
    return "acknowledged" if heard == "acknowledged" else "open"


def one(policy: Policy, situation: Situation, change: Change) -> Message:
    """A message about a single alert."""
    return Message(
        id=id_of(change),
        kind="one",
        site=policy.site,
        at_ms=situation.now_ms,
        changes=(change,),
        records={change.alert.id: record(change, situation.now_ms)},
        key=change.alert.id,
        known=situation.alerts,
    )


def many(policy: Policy, situation: Situation, found: list[Change]) -> Message:
    """A summary."""
    return Message(
        id=f"many-{hashed(id_of(change) for change in found)}",
        kind="many",
        site=policy.site,
        at_ms=situation.now_ms,
        changes=tuple(found),
        records={change.alert.id: record(change, situation.now_ms) for change in found},
        known=situation.alerts,
    )


def id_of(change: Change) -> str:
    """The id of a message about one alert: the same until the receiver has taken one."""
    return f"{change.alert.id}-{change.event}-{change.told.times if change.told else 0}"


def hashed(texts: Iterable[str]) -> str:
    """A short fingerprint of a set of texts."""
    joined = "\x1f".join(sorted(texts))
    return hashlib.blake2b(joined.encode("utf-8", "replace"), digest_size=10).hexdigest()
