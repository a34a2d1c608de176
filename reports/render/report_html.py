"""`report.html`: the day as one page that needs nothing else: no network, no script, light and dark, paper and phone.

The page is a template; every text that goes into it is first made one printable line (`escape.terminal`) and then
escaped, by the template's environment and not by each place that shows it. The same state gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.core.days import METRICS
from reports.render import charts, html_parts, story, words
from reports.render.against import objections
from reports.render.alert_record import last_word
from reports.render.axis import Axis
from reports.render.history import (
    field_lines,
    funnel,
    hour_lines,
    hours_over,
    past_lines,
    usable_before,
    whole_days,
)
from reports.render.html_page import page, phrase, prose
from reports.render.incidents import Incident, folded, incidents_within, minutes_to_detection
from reports.render.remedies import remedy_of
from reports.render.report_md_alerts import MOST_SYMPTOMS, left_out, notes_by_kind, when
from reports.render.summary import WEEK_DAYS, Summary, earlier, value_of
from reports.render.sureness import sure
from reports.render.titles import title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.core.days import Receipt

NAME = "report.html"

MOST_ALERTS = 20
MOST_CHECKS = 20
MOST_FIELDS = 40
MOST_HISTORY = 20
"""What is shown of each; the loudest, newest or largest. Everything is in `alerts.json` and `daily_metrics.csv`."""

_FULL = 0.9995

_DECIMALS, _FEW = 2, 100
"""Decimals of a rate that is below so many of 100."""


def render(summary: Summary, unplaced: Mapping[str, int] | None = None) -> bytes:
    """The whole file. `unplaced`: what was rejected by reason, for where no day is known to which it could belong."""
    axis = Axis(summary.recent)
    shown = incidents_within(list(summary.alerts.values()), axis.days, dict(summary.recent))
    opened, more_open = folded(summary.open, MOST_ALERTS)
    over, more_over = folded(summary.over, MOST_ALERTS)
    pending, more_pending = folded(summary.pending, MOST_ALERTS)
    return page(
        "report.html",
        {
            "summary": summary,
            "title": _title(summary),
            "verdict": story.headline(summary),
            "status": summary.receipt.status if summary.receipt else "none",
            "sentences": [phrase(sentence) for sentence in story.sentences(summary)],
            "decide": html_parts.decisions(story.to_decide(summary), summary.waiting, summary.source),
            "lead": _lead(summary),
            "strip": [html_parts.cell(day, receipt, summary.day) for day, receipt in summary.recent],
            "span": words.many(len(summary.recent), "day", "days").removeprefix("1 "),
            "axis": html_parts.dates(axis),
            "metrics": _metrics(summary, axis, shown),
            "week_before": earlier(summary.day or "1970-01-01", WEEK_DAYS),
            "open": [_incident(incident, summary) for incident in opened],
            "more_open": prose(left_out(more_open)) if more_open else "",
            "pending": [_incident(incident, summary) for incident in pending],
            "more_pending": prose(left_out(more_pending)) if more_pending else "",
            "over": [_incident(incident, summary) for incident in over],
            "more_over": prose(left_out(more_over)) if more_over else "",
            "notes": html_parts.notes(notes_by_kind(summary)),
            "against": _against(summary),
            "lanes": html_parts.lanes(shown, axis, summary.times),
            "days": [html_parts.day_row(day, receipt) for day, receipt in reversed(summary.recent)],
            "known_at": words.state_of(summary.times.moment(summary.as_of), past=summary.is_past),
            "made_of": prose(summary.source.made_of),
            "letters": prose(summary.source.where_rejected),
            "unplaced": html_parts.reason_rows(unplaced or {}, {}),
            **_day_parts(summary),
        },
    )


def _title(summary: Summary) -> str:
    return f"{summary.day or 'No day yet'}: {story.headline(summary)}"


def _lead(summary: Summary) -> dict[str, Any] | None:
    lead = story.lead(summary)
    if lead is None:
        return None
    return {
        "what": phrase(lead.what, begins=True),
        "when": f"{lead.when}, over" if lead.over else lead.when,
        "over": lead.over,
        "elsewhere": lead.elsewhere,
        "severity": lead.severity,
        "do": prose(lead.do),
    }


def _against(summary: Summary) -> list[dict[str, Any]]:
    """What speaks against the day, where that is more than the lead says."""
    against = objections(summary)
    if len(against) < 2 and not (summary.open or summary.pending or summary.over):  # noqa: PLR2004 - a single one is the lead
        return []
    return [
        {
            "rule": one.rule,
            "weight": "quarantines the day" if one.blocks else "at risk",
            "why": phrase(one.why),
            "follows": phrase(one.follows) if one.follows else None,
        }
        for one in against[:MOST_CHECKS]
    ]


def _metrics(summary: Summary, axis: Axis, lanes: Sequence[Incident]) -> list[dict[str, Any]]:
    if summary.receipt is None:
        return []
    past = past_lines(summary.days, summary.recent)
    filling = summary.receipt.status == "open"
    told = []
    for line in summary.metrics:
        marked = [incident for incident in lanes if line.metric in story.metrics_of(incident)]
        chart = charts.metric_chart(line.metric, axis, summary.recent, past[line.metric], marked, summary.day)
        told.append(
            {
                "name": words.METRIC[line.metric],
                "value": words.amount(line.metric, line.value),
                "reason": summary.receipt.not_measurable.get(line.metric, ""),
                "beside": words.beside(line) if line.value is not None or line.usual is not None else "",
                "change": "" if filling else words.change(line),
                "place": "unknown" if filling else line.place,
                "week": None if line.last_week is None else words.amount(line.metric, line.last_week),
                "week_change": "" if filling else words.difference(line.metric, line.value, line.last_week),
                "chart": chart.picture,
                "scale": chart.scale,
            }
        )
    return told


def _incident(incident: Incident, summary: Summary) -> dict[str, Any]:
    alert, times = incident.alert, summary.times
    cause = summary.alerts.get(alert.caused_by or "")
    minutes = minutes_to_detection(alert)
    more = len(incident.symptoms) - MOST_SYMPTOMS
    return {
        "severity": alert.severity[:2],
        "title": phrase(title(alert), begins=True),
        "new": incident.new,
        "state": words.STATE[alert.state],
        "is_open": alert.state == "open" or incident in summary.pending,
        "message": alert.message,
        "since": when(alert, times),
        "over": alert.state == "resolved",
        "later": words.length(minutes) if minutes else "",
        "sure": sure(alert),
        "kind": alert.kind,
        "said": last_word(alert),
        "cause": phrase(title(cause)) if cause else None,
        "symptoms": [phrase(title(symptom)) for symptom in incident.symptoms[:MOST_SYMPTOMS]],
        "more_symptoms": f"{more:,}" if more > 0 else "",
        "do": prose(remedy_of(alert, summary.source)),
        "id": alert.id,
    }


def _day_parts(summary: Summary) -> dict[str, Any]:
    """The sections that only a known day has."""
    receipt = summary.receipt
    if receipt is None:
        return {"hours": None, "funnel": [], "rejects": [], "fields": [], "full_fields": [], "receipt": None}
    before = usable_before(summary.days, receipt.day)
    lines = field_lines(receipt, before, summary.recent)
    always = [line.path for line in lines if all(s is None or s >= _FULL for s in line.shares)]
    moving = [line for line in lines if line.path not in set(always)][:MOST_FIELDS]
    return {
        "receipt": receipt,
        "hours": _hours(summary),
        "funnel": _funnel(receipt, before),
        "rejects": html_parts.reason_rows(story.not_counted(receipt), receipt.claimed),
        "records": words.many(story.records_of(receipt), "record", "records"),
        "rejected": f"{receipt.counts.rejected:,}",
        "question": story.in_question(receipt),
        "fields": [
            {
                "path": line.path,
                "now": words.NONE if line.now is None else charts.percent(line.now),
                "usual": words.NONE if line.usual is None else charts.percent(line.usual),
                "moved": abs(line.moved) >= 0.1,  # noqa: PLR2004 - ten points are worth a look
                "chart": charts.coverage_chart(line),
            }
            for line in moving
        ],
        "full_fields": always[:MOST_FIELDS],
        "missing": _missing(receipt),
        "history": [
            (summary.times.moment(e.decided_at or e.at), words.STATUS[e.status], e.by, e.reason)
            for e in receipt.history[-MOST_HISTORY:]
        ],
        "late": words.many(receipt.counts.late, "event", "events"),
        "utc_aside": words.utc_aside(summary.times.name),
    }


def _missing(receipt: Receipt) -> list[tuple[str, str]]:
    gone = {metric: "no reason was recorded" for metric in METRICS if value_of(receipt, metric) is None}
    return [
        (words.METRIC.get(metric, metric), reason)
        for metric, reason in (gone | receipt.not_measurable).items()
    ]


def _hours(summary: Summary) -> dict[str, Any] | None:
    """Today's hours: those of the newest day that is still filling, else of the day itself."""
    receipt = max(
        (*summary.filling, *([summary.receipt] if summary.receipt else [])), key=lambda r: r.day, default=None
    )
    if receipt is None:
        return None
    lines = hour_lines(receipt, usable_before(whole_days(summary.days), receipt.day))
    over = hours_over(receipt)
    told = []
    for line in lines:
        chart = charts.hour_chart(line, [h for h in range(24) if not summary.times.has_hour(receipt.day, h)])
        beside = "" if line.so_far_normal is None else f"{line.so_far_normal:,.0f}"
        told.append(
            {
                "name": "purchases sent" if line.name == "purchases" else line.name,
                "so_far": f"{line.so_far:,}",
                "usual": beside,
                "change": _ratio(line.so_far, line.so_far_normal),
                "chart": chart.picture,
                "scale": chart.scale,
            }
        )
    filling = receipt.status == "open"
    return {"day": receipt.day, "filling": filling, "over": f"{over:02}:00", "lines": told} if told else None


def _ratio(value: int, usual: float | None) -> str:
    if not usual:
        return ""
    change = f"{100 * (value - usual) / usual:+.0f} %"
    return change if change not in ("+0 %", "-0 %") else "0 %"


def _funnel(receipt: Receipt, before: Sequence[Receipt]) -> list[dict[str, Any]]:
    steps = funnel(receipt, before)
    most = max((step.count for step in steps), default=0)
    return [
        {
            "name": step.name,
            "is_event": step.is_event,
            "count": f"{step.count:,}",
            "per_100": _rate(step.per_100),
            "usual": _rate(step.usual_per_100),
            "width": round(100 * max(step.count, 0) / most, 2) if most > 0 else 0,
        }
        for step in steps
    ]


def _rate(per_100: float | None) -> str:
    return "" if per_100 is None else f"{per_100:,.{_DECIMALS if per_100 < _FEW else 0}f}"
