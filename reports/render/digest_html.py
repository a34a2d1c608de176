"""`digest.html`: a week, or another range of days, as one page that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.render import charts, html_parts, story, words
from reports.render.alert_record import judgement, last_word
from reports.render.axis import Axis
from reports.render.digest_md import (
    JUDGEMENT,
    MOST_INCIDENTS,
    NOISY,
    compared,
    footer,
    headline,
    minutes,
    sentences,
)
from reports.render.history import past_lines
from reports.render.html_page import page, phrase, prose
from reports.render.incidents import folded, incidents_within, minutes_to_detection
from reports.render.report_md_alerts import left_out
from reports.render.titles import title

if TYPE_CHECKING:
    from collections.abc import Collection

    from consumer.core.days import Receipt
    from detectors.alerts import Alert
    from reports.render.digest import Digest, RuleLine
    from reports.render.incidents import Incident
    from reports.render.times import Times

NAME = "digest.html"


def render(told: Digest, receipts: Collection[Receipt], alerts: Collection[Alert]) -> bytes:
    """The whole file. `receipts` and `alerts`: what the digest was made of, for its charts."""
    fired, more = folded(told.incidents, MOST_INCIDENTS)
    axis = Axis(told.days)
    status = next((status for status in ("quarantined", "at_risk") if told.count(status)), "pass")
    shown = incidents_within(sorted(alerts, key=lambda alert: alert.id), axis.days, dict(told.days))
    return page(
        "digest.html",
        {
            "title": f"{told.first} to {told.last}: {headline(told)}",
            "period": f"{told.first} to {told.last}",
            "verdict": headline(told),
            "status": status if any(receipt for _, receipt in told.days) else "none",
            "sentences": [prose(sentence) for sentence in sentences(told)],
            "decide": html_parts.decisions(told.decisions, told.waiting, told.source),
            "compared": compared(told),
            "strip": [html_parts.cell(day, receipt, None) for day, receipt in told.days],
            "axis": html_parts.dates(axis),
            "metrics": _metrics(told, {receipt.day: receipt for receipt in receipts}, axis, shown),
            "lanes": html_parts.lanes(shown, axis, told.times),
            "incidents": [_incident(incident, told.times) for incident in fired],
            "more": prose(left_out(more)) if more else "",
            "rules": [_rule(rule) for rule in told.rules],
            "noisy": [rule.kind for rule in told.rules if rule.is_noisy],
            "advice": prose(NOISY),
            "rejects": html_parts.reason_rows(told.rejects, told.claimed),
            "days": [html_parts.day_row(day, receipt) for day, receipt in told.days],
            "footer": footer(told),
            "made_of": prose(told.source.made_of),
        },
    )


def _metrics(
    told: Digest, known: dict[str, Receipt], axis: Axis, shown: list[Incident]
) -> list[dict[str, Any]]:
    past = past_lines(known, told.days)
    lines = []
    for line in told.metrics:
        marked = [incident for incident in shown if line.metric in story.metrics_of(incident)]
        chart = charts.metric_chart(line.metric, axis, told.days, past[line.metric], marked, None)
        lines.append(
            {
                "name": words.METRIC[line.metric],
                "value": words.amount(line.metric, line.value),
                "before": words.NONE if line.before is None else words.amount(line.metric, line.before),
                "change": words.difference(line.metric, line.value, line.before),
                "chart": chart.picture,
                "scale": chart.scale,
            }
        )
    return lines


def _incident(incident: Incident, times: Times) -> dict[str, Any]:
    alert = incident.alert
    return {
        "severity": alert.severity[:2],
        "title": phrase(title(alert), begins=True),
        "since": times.moment(alert.first_seen),
        "until": times.moment(alert.resolved_at) if alert.state == "resolved" else words.STATE[alert.state],
        "found": minutes(minutes_to_detection(alert)),
        "explains": f"{len(incident.symptoms):,}" if incident.symptoms else "",
        "said": last_word(alert) or JUDGEMENT[judgement(alert)],
    }


def _rule(rule: RuleLine) -> dict[str, Any]:
    counts = (
        rule.pages, rule.alerts, rule.notes, rule.held_back, rule.confirmed + rule.accepted, rule.silenced, rule.unanswered,
    )  # fmt: skip
    return {
        "kind": rule.kind,
        "cells": [
            *(f"{count:,}" if count else "" for count in counts),
            minutes(rule.median_to_detection),
            minutes(rule.median_lasted),
        ],
    }
