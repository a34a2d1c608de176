"""The words of a message, the same for every channel: a title, lines under headings, a footer. Plain text.

Every line is one printable line, whatever events, operators or a damaged topic put into an alert. Markup is the
channel's business: each file beside this one makes the words harmless for its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from consumer.core.instant import rfc3339
from detectors.alerts import Severity, quarantines
from reports.notify.hearing import Change, hearing
from reports.render import words
from reports.render.alert_record import last_word
from reports.render.escape import terminal
from reports.render.remedies import remedy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from detectors.alerts import Alert
    from reports.notify.hearing import Event
    from reports.notify.message import Message
    from reports.render.summary import Summary

Tone = Literal["bad", "warn", "good", "info"]

MOST_LINE = 400
MOST_NAMED = 5
MOST_LISTED = 25
"""Alerts of a summary that have a line of their own; more are counted by kind."""

_WORDS: dict[Event, str] = {
    "opened": "opened",
    "louder": "is louder now",
    "acknowledged": "acknowledged",
    "updated": "still open",
    "resolved": "over",
}
_EXPIRED = "no more of it for a day"
"""An alert of something that happened, not of a state that lasts: that it ends says nothing about whether it is mended."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines below a heading; the heading may be empty."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A message in words."""

    title: str
    tone: Tone
    sections: tuple[Section, ...]
    footer: str

    @property
    def lines(self) -> list[str]:
        """All lines below the title, with the headings, in order."""
        found: list[str] = []
        for section in self.sections:
            found += [section.heading] if section.heading else []
            found += section.lines
        return found

    def text(self) -> str:
        """The whole as plain text."""
        return "\n".join([self.title, "", *self.lines, "", self.footer])


def notice(message: Message) -> Notice:
    """What the message says."""
    footer = f"Sluice ({_one_line(message.site, 100)}), {rfc3339(message.at_ms)}"
    match message.kind:
        case "digest" if message.summary is not None:
            return _digest(message.summary, message.known, footer)
        case "test":
            title = "Test message: Sluice can reach you"
            line = "Sent by `sluice notify test`. Nothing is wrong, nothing needs to be done."
            return Notice(title, "info", (Section("", (line,)),), footer)
        case _ if len(message.changes) == 1:
            return _single(message.changes[0], message.known, footer)
        case _:
            return _summary(message, footer)


def fitted(told: Notice, most_characters: int) -> Notice:
    """The same in at most so many characters of lines: what does not fit is counted instead, from the end."""
    left = most_characters
    total = sum(len(section.lines) for section in told.sections)
    sections: list[Section] = []
    shown = 0
    for section in told.sections:
        left -= len(section.heading) + 1
        lines: list[str] = []
        for line in section.lines:
            if len(line) + 1 > left - _ROOM:
                rest = f"… and {words.many(total - shown, 'more line', 'more lines')}: all of it is in alerts.json"
                return replace(told, sections=(*sections, Section(section.heading, (*lines, rest))))
            lines.append(line)
            left -= len(line) + 1
            shown += 1
        sections.append(Section(section.heading, tuple(lines)))
    return replace(told, sections=tuple(sections))


_ROOM = 80
"""For the line that says how much is missing."""


def named(alert: Alert) -> str:
    """An alert in a few words: its kind and what it is about."""
    about = alert.subject or alert.metric
    return _one_line(f"{alert.kind} {about}" if about else alert.kind, 150)


def label(severity: Severity) -> str:
    """A severity as people say it.

    >>> label(Severity.P0_BLOCKER)
    'P0'
    """
    return severity.value[:2]


def headline(change: Change) -> str:
    """The change in a line: the severity, what happened, and to what."""
    word = (
        _EXPIRED if change.event == "resolved" and change.alert.state == "expired" else _WORDS[change.event]
    )
    return f"[{label(change.alert.severity)}] {word}: {named(change.alert)}"


def tone(change: Change) -> Tone:
    """How it looks."""
    if change.event == "resolved":
        return "good"
    if change.event == "acknowledged":
        return "info"
    return "bad" if change.alert.severity == Severity.P0_BLOCKER else "warn"


def _single(change: Change, known: Mapping[str, Alert], footer: str) -> Notice:
    alert = change.alert
    lines = [_one_line(alert.message)] if alert.message.strip() else []
    lines.append(_when(alert))
    said = _one_line(last_word(alert))
    lines += [f"{said[:1].upper()}{said[1:]}."] if said else []
    lines += _causes(alert, known)
    if change.event in ("opened", "louder"):
        lines.append(f"What to do: {remedy_of(alert)}")
    lines.append(f"Alert {_one_line(alert.id, 60)}: `sluice alerts ack {_one_line(alert.id, 60)} --reason …`")
    if change.event == "resolved":
        lines[-1:] = _unmended(alert)
    return Notice(headline(change), tone(change), (Section("", tuple(lines)),), footer)


def _unmended(alert: Alert) -> list[str]:
    """What an end leaves to be done, if it is only that of what happened."""
    if alert.state != "expired":
        return []
    said = "It did not happen again; nothing says that it is mended."
    if quarantines(alert.layer, alert.severity):
        said += " A day that it quarantined waits until somebody releases it: `sluice gate status`."
    return [said]


def _when(alert: Alert) -> str:
    parts = [f"Since {words.moment(alert.first_seen)}, known {words.moment(alert.opened_at)}"]
    parts += [f"over {words.moment(alert.resolved_at)}"] if alert.resolved_at else []
    parts += [f"day {_one_line(alert.day, 20)}"] if alert.day else []
    return f"{', '.join(parts)}."


def _causes(alert: Alert, known: Mapping[str, Alert]) -> list[str]:
    cause = known.get(alert.caused_by or "")
    told = [f"Follows from {named(cause)}."] if cause else []
    symptoms = [known[name] for name in alert.explains or () if name in known]
    if symptoms:
        more = len(symptoms) - MOST_NAMED
        listed = ", ".join(named(symptom) for symptom in symptoms[:MOST_NAMED])
        told.append(f"Explains {listed}{f' and {more:,} more' if more > 0 else ''}.")
    return told


def _summary(message: Message, footer: str) -> Notice:
    groups: tuple[tuple[str, Callable[[Change], bool]], ...] = (
        ("Open", lambda change: change.event != "resolved"),
        ("Over", lambda change: change.event == "resolved"),
    )
    sections, counts = [], []
    for heading, belongs in groups:
        found = [change for change in message.changes if belongs(change)]
        if found:
            sections.append(Section(f"{heading} ({len(found):,})", tuple(_listed(found))))
            counts.append(f"{words.many(len(found), 'alert', 'alerts')} {heading.lower()}")
    standing = [change for change in message.changes if change.event != "resolved"]
    loudest = min((change.alert.severity for change in standing), default=None)
    title = f"{f'[{label(loudest)}] ' if loudest else ''}{', '.join(counts) or 'alerts are over'}"
    look: Tone = "good" if loudest is None else "bad" if loudest == Severity.P0_BLOCKER else "warn"
    return Notice(title, look, tuple(sections), footer)


def _listed(found: list[Change]) -> list[str]:
    lines = [_line(change) for change in found[:MOST_LISTED]]
    rest = found[MOST_LISTED:]
    if rest:
        lines.append(_one_line(f"… and {len(rest):,} more: {kinds_of(rest)}", MOST_LINE))
    return lines


def kinds_of(changes: Sequence[Change]) -> str:
    """How many alerts of each kind, the most first."""
    counts = Counter(change.alert.kind for change in changes)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_LISTED]
    return ", ".join(f"{count:,} {_one_line(kind, 60)}" for kind, count in most)


def _line(change: Change) -> str:
    alert = change.alert
    since = f"since {words.moment(alert.first_seen)}" if change.event != "resolved" else ""
    about = ", ".join(part for part in (since, f"day {alert.day}" if alert.day else "") if part)
    line = f"[{label(alert.severity)}] {named(alert)}" + (f" ({about})" if about else "")
    return _one_line(f"{line}: {alert.message}" if alert.message.strip() else line, 250)


def _digest(told: Summary, known: Mapping[str, Alert], footer: str) -> Notice:
    receipt = told.receipt
    if receipt is None:
        return Notice("Daily digest: no day is known yet", "info", (), footer)
    day = _one_line(receipt.day, 20)
    title = f"Daily digest, {day}: {words.headline(receipt)}"
    standing = sorted(
        (alert for alert in known.values() if hearing(alert) in ("open", "acknowledged")),
        key=lambda alert: (alert.severity, alert.opened_at, alert.id),
    )
    loud = [alert for alert in standing if alert.severity != Severity.P2_NOTE]
    notes = [alert for alert in standing if alert.severity == Severity.P2_NOTE]
    sections = [Section("", tuple(_numbers(told)))]
    sections += [
        _open(heading, found) for heading, found in (("Open alerts", loud), ("Notes", notes)) if found
    ]
    if told.also_quarantined:
        days = ", ".join(told.also_quarantined[-MOST_LISTED:])
        sections.append(Section("Also quarantined", (_one_line(days),)))
    looks: dict[str, Tone] = {"pass": "good", "released": "good", "quarantined": "bad"}
    return Notice(title, looks.get(receipt.status, "warn"), tuple(sections), footer)


def _open(heading: str, alerts: list[Alert]) -> Section:
    listed = _listed([Change(alert, "opened") for alert in alerts])
    return Section(f"{heading} ({len(alerts):,})", tuple(listed))


def _numbers(told: Summary) -> list[str]:
    lines = []
    for line in told.metrics:
        value = f"{words.METRIC[line.metric]}: {words.amount(line.metric, line.value)}"
        usual = f"usually {words.usual(line)}" if line.usual is not None else ""
        about = ", ".join(part for part in (words.change(line), usual) if part)
        lines.append(f"{value} ({about})" if about else value)
    return lines


def _one_line(text: str, most: int = MOST_LINE) -> str:
    return terminal(text, most)
