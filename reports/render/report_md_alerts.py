"""The alerts of `report.md`: what is open, the loudest first, causes before their symptoms, each with since when, how
sure, and what to do; then what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.render import words
from reports.render.alert_record import last_word
from reports.render.decisions import heading
from reports.render.escape import markdown, markdown_code
from reports.render.incidents import folded, minutes_to_detection
from reports.render.remedies import remedy_of
from reports.render.sureness import sure
from reports.render.titles import Name, Title, title

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from detectors.alerts import Alert
    from reports.render.decisions import Decision
    from reports.render.incidents import Incident
    from reports.render.source import Source
    from reports.render.summary import Summary
    from reports.render.times import Times

MOST_ALERTS = 20
"""Open alerts that are shown in full; more would hide the first ones. All of them are in `alerts.json`."""

MOST_OVER = 10

MOST_MESSAGE = 600
"""Characters; the longest sentences of the rules have about 400."""

MOST_SYMPTOMS = 5

MOST_NOTES = 5

MOST_KINDS = 8
"""Kinds of which is said how many are left out."""


def phrase(parts: Title) -> str:
    """Words of ours as they are, names as code."""
    return " ".join(markdown_code(part) if isinstance(part, Name) else markdown(part) for part in parts)


def decisions_told(decisions: Sequence[Decision], waiting: Sequence[str], source: Source) -> list[str]:
    """What waits for a person, and the commands that would let the days through."""
    if not decisions:
        return []
    lines = [f"- {one.named}: {phrase(one.why)}{_let_through(one)}" for one in decisions]
    told = sum(len(one.days) for one in decisions)
    more = len(waiting) - told
    lines += [f"- … and {more:,} earlier ones: see the status in `daily_metrics.csv`"] if more > 0 else []
    return [f"**{heading(waiting, source)}:**", "", *lines]


def _let_through(one: Decision) -> str:
    if not one.commands:
        return ""
    them = "it" if len(one.days) == 1 else "them"
    return f". To let {them} through: {words.listed([f'`{command}`' for command in one.commands])}"


def open_alerts(summary: Summary, advised: set[str]) -> list[str]:
    """The section on open alerts; nothing when none is open. What to do is said once for each kind: not for those
    in `advised`, and what is said here is added to it."""
    return _section("## Open alerts", summary.open, MOST_ALERTS, lambda one: _open(one, summary, advised))


def pending_alerts(summary: Summary, advised: set[str]) -> list[str]:
    """The section on what is over, but for the decision about the days that it quarantined."""
    heading = "## Waiting for a decision" if summary.source.takes_orders else "## Why days are quarantined"
    return _section(heading, summary.pending, MOST_ALERTS, lambda one: _open(one, summary, advised))


def over_alerts(summary: Summary) -> list[str]:
    """A line for each alert of the day that is over."""
    return _section("## Over", summary.over, MOST_OVER, lambda one: [_over(one.alert, summary.times)])


def _section(
    heading: str, found: Sequence[Incident], most: int, told: Callable[[Incident], list[str]]
) -> list[str]:
    if not found:
        return []
    shown, left = folded(found, most)
    lines = [line for incident in shown for line in told(incident)]
    return [heading, "", *lines, *([f"- {left_out(left)}"] if left else [])]


def left_out(left: Mapping[str, int]) -> str:
    """What is not shown, by kind."""
    kinds = [f"{count:,} × {markdown_code(kind)}" for kind, count in list(left.items())[:MOST_KINDS]]
    more = sum(list(left.values())[MOST_KINDS:])
    return f"… and {words.listed([*kinds, *([f'{more:,} others'] if more else [])])} more in `alerts.json`"


def other_alerts(summary: Summary) -> list[str]:
    """A line for each kind of note: what the latest one says, and how many there are."""
    found = notes_by_kind(summary)
    if not found:
        return []
    lines = [_note(kind, alerts) for kind, alerts in list(found.items())[:MOST_NOTES]]
    return [f"Besides, {words.many(len(summary.notes), 'note', 'notes')}:", "", *lines]


def notes_by_kind(summary: Summary) -> dict[str, list[Alert]]:
    """The notes, the newest first, those of one kind together."""
    kinds: dict[str, list[Alert]] = {}
    for alert in sorted(summary.notes, key=lambda alert: (alert.opened_at, alert.id), reverse=True):
        kinds.setdefault(alert.kind, []).append(alert)
    return kinds


def _note(kind: str, alerts: Sequence[Alert]) -> str:
    aside = f" ({len(alerts):,} such notes; this is the latest)" if len(alerts) > 1 else ""
    message = markdown(alerts[0].message, MOST_MESSAGE)
    return f"- {markdown_code(kind)}{': ' if message else ''}{message}{aside}"


def _open(incident: Incident, summary: Summary, advised: set[str]) -> list[str]:
    alert = incident.alert
    tags = ["new"] if incident.new else []
    tags += [words.STATE[alert.state]] if alert.state != "open" and incident not in summary.pending else []
    aside = f" ({', '.join(tags)})" if tags else ""
    lines = [f"- **{alert.severity[:2]}** {phrase(title(alert))}{aside}"]
    message = markdown(
        alert.message, MOST_MESSAGE
    )  # one of white space alone is empty now: an empty line would end the item
    lines += [f"  {message}"] if message else []
    lines.append(f"  {_since(alert, summary.times)}")
    said = markdown(last_word(alert))
    lines += [f"  {said[:1].upper()}{said[1:]}."] if said else []
    lines += _causes(incident, summary)
    if alert.kind not in advised:
        advised.add(alert.kind)
        lines.append(f"  What to do: {remedy_of(alert, summary.source)}")
    return [*(f"{line}  " for line in lines[:-1]), lines[-1]]  # two spaces: a line break inside the list item


def _since(alert: Alert, times: Times) -> str:
    told = f"Since {times.moment(alert.first_seen)}"
    minutes = minutes_to_detection(alert)
    told += f", known {words.length(minutes)} later" if minutes else ""
    how_sure = sure(alert)
    return (
        f"{told}; {how_sure}. {markdown_code(alert.kind)}"
        if how_sure
        else f"{told}. {markdown_code(alert.kind)}"
    )


def when(alert: Alert, times: Times) -> str:
    """When an alert that is over was: what happened at once has no end."""
    if alert.state != "resolved":
        return times.moment(alert.first_seen)
    return times.period(alert.first_seen, alert.resolved_at)


def _over(alert: Alert, times: Times) -> str:
    said = markdown(last_word(alert))
    aside = f", {said}" if said else ""
    return f"- **{alert.severity[:2]}** {phrase(title(alert))}, {when(alert, times)}{aside}"


def _causes(incident: Incident, summary: Summary) -> list[str]:
    cause = summary.alerts.get(incident.alert.caused_by or "")
    told = [f"Follows from: {phrase(title(cause))}."] if cause else []
    if incident.symptoms:
        named = ", ".join(phrase(title(symptom)) for symptom in incident.symptoms[:MOST_SYMPTOMS])
        more = len(incident.symptoms) - MOST_SYMPTOMS
        told.append(f"Explains: {named}{f' and {more:,} more' if more > 0 else ''}.")
    return [f"  {' '.join(told)}"] if told else []
