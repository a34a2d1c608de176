"""The alerts of `report.md`: what is open, the loudest first, causes before their symptoms, each with since when, how
sure, and what to do; then what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.sentences import span
from reports.render import words
from reports.render.alert_record import last_word
from reports.render.escape import markdown, markdown_code
from reports.render.incidents import minutes_to_detection
from reports.render.remedies import remedy_of
from reports.render.sureness import sure
from reports.render.titles import Name, Title, title

if TYPE_CHECKING:
    from detectors.alerts import Alert
    from reports.render.incidents import Incident
    from reports.render.summary import Summary

MOST_ALERTS = 20
"""Open alerts that are shown in full; more would hide the first ones. All of them are in `alerts.json`."""

MOST_OVER = 10

MOST_MESSAGE = 600
"""Characters; the longest sentences of the rules have about 400."""

MOST_SYMPTOMS = 5


def phrase(parts: Title) -> str:
    """Words of ours as they are, names as code."""
    return " ".join(markdown_code(part) if isinstance(part, Name) else markdown(part) for part in parts)


def open_alerts(summary: Summary, advised: set[str]) -> list[str]:
    """The section on open alerts; nothing when none is open. What to do is said once for each kind: not for those
    in `advised`, and what is said here is added to it."""
    if not summary.open:
        return []
    lines = [line for incident in summary.open[:MOST_ALERTS] for line in _open(incident, summary, advised)]
    more = len(summary.open) - MOST_ALERTS
    lines += [f"- … and {more:,} more in `alerts.json`"] if more > 0 else []
    return ["## Open alerts", "", *lines]


def over_alerts(summary: Summary) -> list[str]:
    """A line for each alert of the day that is over."""
    if not summary.over:
        return []
    lines = [_over(incident.alert) for incident in summary.over[:MOST_OVER]]
    more = len(summary.over) - MOST_OVER
    lines += [f"- … and {more:,} more in `alerts.json`"] if more > 0 else []
    return ["## Over", "", *lines]


def other_alerts(summary: Summary) -> list[str]:
    """One line on notes."""
    if not summary.notes:
        return []
    kinds = ", ".join(sorted({markdown_code(alert.kind) for alert in summary.notes}))
    return [f"Besides: {words.many(len(summary.notes), 'note', 'notes')} ({kinds})."]


def _open(incident: Incident, summary: Summary, advised: set[str]) -> list[str]:
    alert = incident.alert
    tags = ["new"] if incident.new else []
    tags += [words.STATE[alert.state]] if alert.state != "open" else []
    aside = f" ({', '.join(tags)})" if tags else ""
    lines = [f"- **{alert.severity[:2]}** {phrase(title(alert))}{aside}"]
    message = markdown(
        alert.message, MOST_MESSAGE
    )  # one of white space alone is empty now: an empty line would end the item
    lines += [f"  {message}"] if message else []
    lines.append(f"  {_since(alert)}")
    said = markdown(last_word(alert))
    lines += [f"  {said[:1].upper()}{said[1:]}."] if said else []
    lines += _causes(incident, summary)
    if alert.kind not in advised:
        advised.add(alert.kind)
        lines.append(f"  What to do: {remedy_of(alert)}")
    return [*(f"{line}  " for line in lines[:-1]), lines[-1]]  # two spaces: a line break inside the list item


def _since(alert: Alert) -> str:
    told = f"Since {words.moment(alert.first_seen)}"
    minutes = minutes_to_detection(alert)
    told += f", known {span(minutes)} later" if minutes else ""
    how_sure = sure(alert)
    return (
        f"{told}; {how_sure}. {markdown_code(alert.kind)}"
        if how_sure
        else f"{told}. {markdown_code(alert.kind)}"
    )


def _over(alert: Alert) -> str:
    end = (
        f" until {words.moment(alert.resolved_at)}" if alert.resolved_at and alert.state == "resolved" else ""
    )
    said = markdown(last_word(alert))
    aside = f", {said}" if said else ""
    return f"- **{alert.severity[:2]}** {phrase(title(alert))}, {words.moment(alert.first_seen)}{end}{aside}"


def _causes(incident: Incident, summary: Summary) -> list[str]:
    cause = summary.alerts.get(incident.alert.caused_by or "")
    told = [f"Follows from: {phrase(title(cause))}."] if cause else []
    if incident.symptoms:
        named = ", ".join(phrase(title(symptom)) for symptom in incident.symptoms[:MOST_SYMPTOMS])
        more = len(incident.symptoms) - MOST_SYMPTOMS
        told.append(f"Explains: {named}{f' and {more:,} more' if more > 0 else ''}.")
    return [f"  {' '.join(told)}"] if told else []
