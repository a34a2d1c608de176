"""What the pages have in common: a day in the strip and in the table, an incident's lane, the dates of an axis, the reasons
of what was rejected. Values for templates; texts are cleaned and escaped where they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.core.days import METRICS
from reports.render import charts, words
from reports.render.axis import Axis, short
from reports.render.decisions import heading
from reports.render.html_page import phrase
from reports.render.report_md_alerts import MOST_NOTES, when
from reports.render.summary import value_of
from reports.render.titles import title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.core.days import Receipt
    from detectors.alerts import Alert
    from reports.render.decisions import Decision
    from reports.render.incidents import Incident
    from reports.render.source import Source
    from reports.render.times import Times

MOST_LANES = 24
MOST_REASONS = 20
"""What is shown of each; the newest or the largest."""

MOST_LEFT = 80
"""Per cent; a date further right could reach out of a narrow chart."""


def dates(axis: Axis) -> list[tuple[float, float, str]]:
    """Where the dates under a chart stand, and how much room they have to be in the middle of (0: they begin there; -1:
    they end at the chart's end), in per cent of its width."""
    width = max(len(axis), 1)
    room = round(100 / width, 2) if axis.is_short else 0.0
    labels = [(round(100 * at / width, 2), room, label) for at, label in axis.labels()]
    return [(left, -1.0 if not room and left > MOST_LEFT else room, label) for left, room, label in labels]


def lanes(incidents: Sequence[Incident], axis: Axis, times: Times) -> list[dict[str, Any]]:
    """A lane for each incident, the newest ones."""
    told = []
    for incident in reversed(incidents):
        lane = _lane(incident, axis, times)
        if lane is not None:
            told.append(lane)
        if len(told) == MOST_LANES:
            break
    return told[::-1]


def decisions(found: Sequence[Decision], waiting: Sequence[str], source: Source) -> dict[str, Any] | None:
    """What waits for a person."""
    if not found:
        return None
    return {
        "heading": heading(waiting, source),
        "more": max(len(waiting) - sum(len(one.days) for one in found), 0),
        "items": [
            {"days": one.named, "why": phrase(one.why, begins=True), "commands": one.commands}
            for one in found
        ],
    }


def notes(kinds: Mapping[str, Sequence[Alert]]) -> list[dict[str, Any]]:
    """The latest note of each kind, and how many there are."""
    return [
        {"kind": kind, "message": alerts[0].message, "count": len(alerts)}
        for kind, alerts in list(kinds.items())[:MOST_NOTES]
    ]


def cell(day: str, receipt: Receipt | None, shown: str | None) -> dict[str, Any]:
    """A day in the strip."""
    status = receipt.status if receipt else "none"
    told = words.STATUS[receipt.status] if receipt else "no events"
    return {"day": day, "short": short(day), "status": status, "told": told, "shown": day == shown}


def day_row(day: str, receipt: Receipt | None) -> dict[str, Any]:
    """A day in the table."""
    if receipt is None:
        return {"day": day, "status": "none", "told": "no events", "cells": []}
    cells = [words.NONE if (v := value_of(receipt, m)) is None else words.amount(m, v) for m in METRICS]
    return {
        "day": day,
        "status": receipt.status,
        "told": words.STATUS[receipt.status],
        "cells": [*cells, f"{receipt.counts.rejected:,}", receipt.score, f"{receipt.revision:,}"],
    }


def reason_rows(rejects: Mapping[str, int], claimed: Mapping[str, str]) -> list[dict[str, Any]]:
    """Why things were not counted: how often, and the revenue in question."""
    reasons = list(rejects.items())[:MOST_REASONS]
    most = max((count for _, count in reasons), default=1) or 1
    return [
        {
            "reason": words.REASON.get(reason, reason),
            "count": f"{count:,}",
            "money": words.money(claimed[reason]) if reason in claimed else words.NONE,
            "width": round(100 * min(max(count, 0) / most, 1), 2),
        }
        for reason, count in reasons
    ]


def _lane(incident: Incident, axis: Axis, times: Times) -> dict[str, Any] | None:
    known = charts.united(charts.stretches(incident, axis), float(len(axis)))
    if not known:
        return None
    alert = incident.alert
    return {
        "severity": alert.severity[:2],
        "title": phrase(title(alert), begins=True),
        "bars": [charts.place(start, end, len(axis)) for start, end in known],
        "when": when(alert, times),
        "state": words.STATE[alert.state],
        "symptoms": len(incident.symptoms),
    }
