"""What the pages have in common: a day in the strip and in the table, an incident's lane, the dates of an axis, the reasons
of what was rejected. Values for templates; texts are cleaned and escaped where they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.core.days import METRICS
from reports.render import charts, words
from reports.render.axis import Axis, short
from reports.render.html_page import phrase
from reports.render.summary import value_of
from reports.render.titles import title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.core.days import Receipt
    from reports.render.incidents import Incident

MOST_LANES = 24
MOST_REASONS = 20
"""What is shown of each; the newest or the largest."""

MOST_LEFT = 94
"""Per cent; a date further right would reach out of its chart."""


def dates(axis: Axis) -> list[tuple[float, float, str]]:
    """Where the dates under a chart stand, and how much room they have to be in the middle of (0: they begin there), in
    per cent of its width."""
    width = max(len(axis), 1)
    room = round(100 / width, 2) if axis.is_short else 0.0
    labels = [(round(100 * at / width, 2), room, label) for at, label in axis.labels()]
    return [label for label in labels if label[0] <= MOST_LEFT]


def lanes(incidents: Sequence[Incident], axis: Axis) -> list[dict[str, Any]]:
    """A lane for each incident, the newest ones."""
    return [lane for incident in incidents if (lane := _lane(incident, axis))][-MOST_LANES:]


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


def _lane(incident: Incident, axis: Axis) -> dict[str, Any] | None:
    known = charts.stretch(incident, axis)
    if known is None:
        return None
    left, width = charts.place(*known, len(axis))
    alert = incident.alert
    end = f" to {words.moment(alert.resolved_at)}" if alert.state == "resolved" else ""
    return {
        "severity": alert.severity[:2],
        "title": phrase(title(alert), begins=True),
        "left": left,
        "width": width,
        "when": words.moment(alert.first_seen) + end,
        "state": words.STATE[alert.state],
        "symptoms": len(incident.symptoms),
    }
