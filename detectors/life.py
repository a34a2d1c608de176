"""One alert's life, a step at a time: every function takes an entry and gives the next one; none reads a clock.

           ┌────────── acknowledge ──────▶ acknowledged ─┐
    open ──┤                                             ├──▶ resolved (it is over, or its level was accepted)
     ▲ │ ▲ └── silence ──▶ silenced ─────────────────────┤
     │ │ └── its time passed ──┘                         └──▶ expired  (no more evidence for a day)
     │ └── a cause is known ──▶ inhibited ───────────────┘
     └──── the cause ended long enough ago ─┘

A cause holds back whatever state an operator chose: `Entry.own` remembers that one. Evidence that comes when an alert
is over opens it again under its id. Every change of state goes on record in `alert.evidence["history"]`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from detectors.alerts import LIVE, Alert, Severity
from detectors.moment import DAY_MS, MINUTE_MS, ms_of, text_of

if TYPE_CHECKING:
    from detectors.alerts import State
    from detectors.finding import Finding

EXPIRES_MS = DAY_MS
"""What is over as it happens leaves the open list a day of event time after its last evidence."""

MOST_HISTORY = 20
MOST_REASON = 300
MOST_BY = 100

Own = Literal["open", "acknowledged", "silenced"]

_KEPT: tuple[str, ...] = ("history", "accepted", "accepted_from")
"""What stays in the evidence, whatever newer findings say."""

_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert, and what must be known to go on with it. `last_ms` is the event time of its last evidence, `lasting`
    tells a condition that stands from evidence of what happened, `own` is the state without any cause, `until_ms` the
    end of a silence, `step` how often the condition had stepped up when this alert opened."""

    alert: Alert
    last_ms: int
    lasting: bool = False
    own: Own = "open"
    until_ms: int | None = None
    step: int = 0

    @property
    def live(self) -> bool:
        """Whether its incident is not over."""
        return self.alert.state in LIVE

    @property
    def loud(self) -> bool:
        """Whether it reaches a person by itself: no note."""
        return self.alert.severity != Severity.P2_NOTE

    @property
    def condition(self) -> tuple[str, str]:
        """Kind and subject: what it is about."""
        return self.alert.kind, self.alert.subject or ""

    @property
    def since_ms(self) -> int:
        """Event time of the first evidence."""
        return ms_of(self.alert.first_seen)

    @property
    def opened_ms(self) -> int:
        """Event time at which it was known."""
        return ms_of(self.alert.opened_at)

    @property
    def over_ms(self) -> int | None:
        """Event time at which it was over; None while it is live."""
        at = self.alert.resolved_at
        return None if self.live or at is None else ms_of(at)


def opened(name: str, finding: Finding, step: int = 0) -> Entry:
    """The entry that a finding opens."""
    known_ms = finding.known_minute * MINUTE_MS
    alert = Alert(
        id=name,
        severity=finding.severity,
        kind=finding.kind,
        layer=finding.layer,
        metric=finding.metric,
        subject=finding.subject or None,
        day=finding.day,
        state="open",
        first_seen=text_of(min(finding.since_minute, finding.known_minute) * MINUTE_MS),
        opened_at=text_of(known_ms),
    )
    lasting = finding.word != "happened"
    return amended(Entry(alert, known_ms, lasting=lasting, step=step), finding)


def amended(entry: Entry, finding: Finding) -> Entry:
    """With the finding's numbers and sentence; no time and no state changes."""
    return msgspec.structs.replace(entry, alert=_amended(entry.alert, finding))


def _amended(alert: Alert, finding: Finding, **known: Any) -> Alert:
    """The finding's numbers and sentence, and what else is known by it."""
    return msgspec.structs.replace(
        alert,
        value=finding.value,
        baseline_median=finding.baseline_median,
        baseline_mad=finding.baseline_mad,
        scale=finding.scale,
        robust_z=finding.robust_z,
        absolute_change=finding.absolute_change,
        relative_change=finding.relative_change,
        count=finding.count,
        message=finding.message,
        evidence=_with_record(finding.evidence, alert.evidence),
        **known,
    )


def seen_again(entry: Entry, finding: Finding) -> Entry:
    """With newer evidence: it may turn out to have begun, or to have been known, earlier, never later."""
    known_ms = finding.known_minute * MINUTE_MS
    last_ms = max(entry.last_ms, known_ms)
    began = min(entry.alert.first_seen, text_of(min(finding.since_minute, finding.known_minute) * MINUTE_MS))
    known = entry.alert.opened_at if entry.lasting else min(entry.alert.opened_at, text_of(known_ms))
    day = entry.alert.day if entry.lasting else finding.day
    alert = _amended(entry.alert, finding, first_seen=began, opened_at=known, day=day)
    entry = msgspec.structs.replace(entry, alert=alert, last_ms=last_ms)
    if finding.severity < entry.alert.severity:  # the text of a louder one sorts before
        entry = _louder(entry, finding.severity, known_ms)
    return entry


def at_least(entry: Entry, severity: Severity, at_ms: int) -> Entry:
    """As loud as what it explains."""
    return _louder(entry, severity, at_ms) if severity < entry.alert.severity else entry


def _louder(entry: Entry, severity: Severity, at_ms: int) -> Entry:
    """An alert becomes a page: nobody has acknowledged or silenced that."""
    reason = f"now {severity.value}, it was {entry.alert.severity.value}"
    entry = msgspec.structs.replace(entry, alert=msgspec.structs.replace(entry.alert, severity=severity))
    state: State = "inhibited" if entry.alert.state == "inhibited" else "open"
    return _turned(msgspec.structs.replace(entry, own="open", until_ms=None), state, at_ms, reason)


def again(entry: Entry, at_ms: int) -> Entry:
    """An alert that was over is open again: more evidence came."""
    alert = msgspec.structs.replace(entry.alert, resolved_at=None, caused_by=None)
    return _turned(
        msgspec.structs.replace(entry, alert=alert, own="open", until_ms=None), "open", at_ms, "seen again"
    )


def resolved(entry: Entry, at_ms: int, reason: str = "", by: str = "") -> Entry:
    """It is over."""
    alert = msgspec.structs.replace(entry.alert, resolved_at=text_of(at_ms))
    return _turned(msgspec.structs.replace(entry, alert=alert, until_ms=None), "resolved", at_ms, reason, by)


def expired(entry: Entry) -> Entry:
    """What happened is a day old."""
    at_ms = entry.last_ms + EXPIRES_MS
    alert = msgspec.structs.replace(entry.alert, resolved_at=text_of(at_ms))
    return _turned(msgspec.structs.replace(entry, alert=alert, until_ms=None), "expired", at_ms)


def inhibited(entry: Entry, cause: str, at_ms: int) -> Entry:
    """Held back: the cause explains it."""
    alert = msgspec.structs.replace(entry.alert, caused_by=cause)
    entry = msgspec.structs.replace(entry, alert=alert)
    return (
        entry if entry.alert.state == "inhibited" else _turned(entry, "inhibited", at_ms, "a cause is known")
    )


def freed(entry: Entry, at_ms: int) -> Entry:
    """It stands by itself: its cause is over, and it is not."""
    alert = msgspec.structs.replace(entry.alert, caused_by=None)
    return _turned(
        msgspec.structs.replace(entry, alert=alert), entry.own, at_ms, "it still stands after its cause ended"
    )


def acknowledged(entry: Entry, at_ms: int, reason: str, by: str) -> Entry:
    """Somebody looks after it."""
    return _chosen(msgspec.structs.replace(entry, own="acknowledged", until_ms=None), at_ms, reason, by)


def silenced(entry: Entry, until_ms: int, at_ms: int, reason: str, by: str) -> Entry:
    """Nobody wants to hear of it until then."""
    entry = msgspec.structs.replace(entry, own="silenced", until_ms=until_ms)
    return _chosen(entry, at_ms, f"until {text_of(until_ms)}: {reason}", by)


def heard_again(entry: Entry) -> Entry:
    """Its silence is over."""
    at_ms = entry.until_ms or 0
    return _chosen(
        msgspec.structs.replace(entry, own="open", until_ms=None), at_ms, "its silence is over", ""
    )


def accepted(entry: Entry, day: str, at_ms: int, reason: str, by: str) -> Entry:
    """A person says that this is normal from that day on."""
    entry = resolved(entry, at_ms, f"accepted from {day} on: {reason}", by)
    note = f"accepted by {clean(by, MOST_BY) or 'somebody'}: {clean(reason)}"
    evidence = {**(entry.alert.evidence or {}), "accepted": note, "accepted_from": day}
    return msgspec.structs.replace(entry, alert=msgspec.structs.replace(entry.alert, evidence=evidence))


def saying(entry: Entry, message: str) -> Entry:
    """With another sentence, if there is one."""
    alert = msgspec.structs.replace(entry.alert, message=message or entry.alert.message)
    return msgspec.structs.replace(entry, alert=alert)


def caused(entry: Entry, cause: str | None) -> Entry:
    """With the alert that it follows from; it is not held back by it."""
    return msgspec.structs.replace(entry, alert=msgspec.structs.replace(entry.alert, caused_by=cause))


def explaining(entry: Entry, symptoms: list[str]) -> Entry:
    """With the alerts that it explains."""
    alert = msgspec.structs.replace(entry.alert, explains=symptoms or None)
    return msgspec.structs.replace(entry, alert=alert)


def clean(text: str, most: int = MOST_REASON) -> str:
    r"""An operator's words as they go on record: one printable line, cut, e-mail addresses left out.

    >>> clean("asked\n ann@shop.example:  \x1b[2J yes")
    'asked … ?[2J yes'
    """
    line = " ".join(_ADDRESS.sub("…", text[: 4 * most]).split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= most else line[: most - 1] + "…"


def _chosen(entry: Entry, at_ms: int, reason: str, by: str) -> Entry:
    """An operator's state, at once or (while a cause holds the alert back) as soon as it is freed."""
    return _turned(
        entry, "inhibited" if entry.alert.state == "inhibited" else entry.own, at_ms, reason, by, entry.own
    )


def _turned(
    entry: Entry, state: State, at_ms: int, reason: str = "", by: str = "", word: str | None = None
) -> Entry:
    """In another state, on record (as `word`, if the state that was chosen is not the one that shows)."""
    said = {
        "at": text_of(at_ms),
        "state": word or state,
        "by": clean(by, MOST_BY),
        "reason": clean(reason),
    }
    evidence = dict(entry.alert.evidence or {})
    evidence["history"] = [*_record(evidence), said][-MOST_HISTORY:]
    return msgspec.structs.replace(
        entry, alert=msgspec.structs.replace(entry.alert, state=state, evidence=evidence)
    )


def _record(evidence: dict[str, Any] | None) -> list[Any]:
    history = (evidence or {}).get("history")
    return history if isinstance(history, list) else []


def _with_record(new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any] | None:
    before: dict[str, Any] = old or {}
    kept: dict[str, Any] = {name: before[name] for name in _KEPT if name in before}
    return {**new, **kept} or None
