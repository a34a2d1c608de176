"""The alerts of `report.md`: what is open, the loudest first, with its cause and what it explains."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING

from reports.render import words
from reports.render.alert_record import last_word
from reports.render.escape import markdown, markdown_code
from reports.render.remedies import remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.alerts import Alert
    from reports.render.summary import Summary

MOST_ALERTS = 20
"""Open alerts that are shown in full; more would hide the first ones. All of them are in `alerts.json`."""

MOST_SYMPTOMS = 5


def open_alerts(summary: Summary, advised: set[str]) -> list[str]:
    """The section on open alerts; nothing when none is open. What to do is said once for each kind: not for those
    in `advised`, and what is said here is added to it."""
    if not summary.loud:
        return []
    lines = [line for alert in summary.loud[:MOST_ALERTS] for line in _alert(alert, summary, advised)]
    more = len(summary.loud) - MOST_ALERTS
    lines += [f"- … and {more:,} more in `alerts.json`"] if more > 0 else []
    return ["## Open alerts", "", *lines]


def other_alerts(summary: Summary) -> list[str]:
    """One line on notes, and on the day's alerts that are over."""
    groups = (
        (summary.notes, "note", "notes"),
        (summary.over, "alert of this day that is over", "alerts of this day that are over"),
    )
    told = [sentence for sentence in starmap(_counted, groups) if sentence]
    return [f"Besides: {' '.join(told)}"] if told else []


def _counted(alerts: Sequence[Alert], one: str, more: str) -> str:
    kinds = ", ".join(sorted({markdown_code(alert.kind) for alert in alerts}))
    return f"{words.many(len(alerts), one, more)} ({kinds})." if alerts else ""


def _alert(alert: Alert, summary: Summary, advised: set[str]) -> list[str]:
    about = [f"since {words.moment(alert.first_seen)}"]
    about += [f"day {markdown(alert.day)}"] if alert.day else []
    about += [alert.state] if alert.state != "open" else []
    lines = [f"- **{alert.severity[:2]}** {_named(alert)}, {', '.join(about)}"]
    message = markdown(
        alert.message
    )  # one of white space alone is empty now, and an empty line would end the item
    lines += [f"  {message}"] if message else []
    said = markdown(last_word(alert))
    lines += [f"  {said[:1].upper()}{said[1:]}."] if said else []
    lines += _causes(alert, summary)
    if alert.kind not in advised:
        advised.add(alert.kind)
        lines.append(f"  What to do: {remedy(alert.kind)}")
    return [*(f"{line}  " for line in lines[:-1]), lines[-1]]  # two spaces: a line break inside the list item


def _causes(alert: Alert, summary: Summary) -> list[str]:
    cause = summary.alerts.get(alert.caused_by or "")
    told = [f"Follows from {_named(cause)}."] if cause else []
    if symptoms := summary.symptoms(alert):
        named = ", ".join(_named(symptom) for symptom in symptoms[:MOST_SYMPTOMS])
        more = len(symptoms) - MOST_SYMPTOMS
        told.append(f"Explains {named}{f' and {more:,} more' if more > 0 else ''}.")
    return [f"  {' '.join(told)}"] if told else []


def _named(alert: Alert) -> str:
    """An alert in a few words: its kind and what it is about."""
    about = alert.subject or alert.metric
    return markdown_code(alert.kind) + (f" {markdown_code(about)}" if about else "")
