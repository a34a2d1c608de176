"""`report.md`: the day for people, in Slack, in e-mail, on GitHub, or as plain text in a terminal.

The verdict is the first line. A section stands only where it has something to say, so a good day is short. Numbers
and words are ours; everything that came out of events goes through `escape`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.days import METRICS, HistoryEntry, Receipt, Status
from detectors.alerts import Alert, Severity
from reports.render import words
from reports.render.escape import markdown, markdown_code
from reports.render.markdown_table import table
from reports.render.remedies import remedy
from reports.render.report_md_alerts import open_alerts, other_alerts
from reports.render.summary import BASELINE_DAYS, Summary, summarise, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.verdict import Check

NAME = "report.md"

MOST_NAMED = 10
"""Days, reasons or changes that are listed one by one; the newest or the largest ones."""

_AGAINST: dict[Status, str] = {
    "open": "What stands against it so far",
    "pass": "What stood against it",
    "at_risk": "What puts it at risk",
    "quarantined": "Why it is quarantined, and what to do",
    "released": "Why it was quarantined",
}

_LOOK = "They lie unchanged among the dead letters, each with its reason."


def render(receipts: Iterable[Receipt], alerts: Iterable[Alert], day: str | None = None) -> bytes:
    """The whole file, about `day` (ISO date), or about the newest closed day, else the newest open one."""
    summary = summarise(receipts, alerts, day)
    advised: set[str] = set()
    receipt = summary.receipt
    blocks = [
        *(_first(summary, receipt) if receipt else _nothing(summary)),
        open_alerts(summary, advised),
        other_alerts(summary),
        *(_more(summary, receipt, advised) if receipt else ()),
        _recent(summary),
        _footer(summary),
    ]
    return ("\n\n".join("\n".join(block) for block in blocks if block) + "\n").encode()


def _nothing(summary: Summary) -> list[list[str]]:
    if summary.asked is None:
        return [["# No day yet"], ["No day has been seen so far."]]
    return [[f"# {markdown(summary.asked)}: nothing is known of this day"]]


def _first(summary: Summary, receipt: Receipt) -> list[list[str]]:
    title = f"# {markdown(receipt.day)}: {words.headline(receipt)}"
    return [[title], [_overview(summary, receipt)], _metrics(summary, receipt)]


def _more(summary: Summary, receipt: Receipt, advised: set[str]) -> list[list[str]]:
    return [
        _verdict(summary, receipt, advised),
        _rejected(receipt),
        _not_measurable(receipt),
        _history(receipt),
    ]


def _overview(summary: Summary, receipt: Receipt) -> str:
    pages = sum(alert.severity == Severity.P0_BLOCKER for alert in summary.loud)
    are_open = words.many(len(summary.loud), "alert is open", "alerts are open")
    sentences = [are_open if summary.loud else "No alert is open"]
    sentences[0] += f", {pages:,} of them P0." if pages else "."
    if receipt.counts.events and not receipt.counts.rejected:
        sentences.append(f"None of its {words.many(receipt.counts.events, 'event', 'events')} was rejected.")
    if summary.also_quarantined:
        days = ", ".join(markdown(day) for day in summary.also_quarantined[-MOST_NAMED:])
        sentences.append(f"Also quarantined: {days}.")
    if summary.filling:
        days = ", ".join(
            f"{markdown(r.day)} (so far {words.STATUS[r.verdict]})" for r in summary.filling[-MOST_NAMED:]
        )
        sentences.append(f"Not closed yet: {days}.")
    return " ".join(sentences)


def _metrics(summary: Summary, receipt: Receipt) -> list[str]:
    filling = receipt.status == "open"
    rows = [
        (
            words.METRIC[line.metric],
            words.amount(line.metric, line.value),
            words.usual(line),
            "" if filling else words.change(line),
        )
        for line in summary.metrics
    ]
    day = markdown(receipt.day) + (" so far" if filling else "")
    note = f"Usual: the median of up to {BASELINE_DAYS} usable days before it."
    note += " The day is still filling, so it is not compared yet." if filling else ""
    return [*table(("metric", day, "usual", "change"), rows), "", note]


def _not_measurable(receipt: Receipt) -> list[str]:
    missing = [metric for metric in METRICS if value_of(receipt, metric) is None]
    reasons = dict.fromkeys(missing, "no reason was recorded") | receipt.not_measurable
    lines = [
        f"- {words.METRIC.get(metric) or markdown_code(metric)}: {markdown(reason)}"
        for metric, reason in reasons.items()
    ]
    return ["## Not measurable", "", *lines] if lines else []


def _verdict(summary: Summary, receipt: Receipt, advised: set[str]) -> list[str]:
    blocking = [check for check in receipt.checks if check.result == "quarantined"]
    risky = [check for check in receipt.checks if check.result == "at_risk"]
    if not blocking and not risky:
        return []
    lines = [line for check in (*blocking, *risky) for line in _check(check, summary, advised)]
    if receipt.status == "quarantined":
        release = f'`sluice gate release {markdown(receipt.day)} --reason "…"`'
        lines += [
            "",
            f"Loaders leave the day out. Once this is settled, let it through, on record: {release}",
        ]
    return [f"## {_AGAINST[receipt.status]}", "", *lines]


def _check(check: Check, summary: Summary, advised: set[str]) -> list[str]:
    weight = "quarantines the day" if check.result == "quarantined" else "at risk"
    told = any(alert.message == check.reason for alert in summary.loud)
    reason = "" if told else f": {markdown(check.reason)}"
    lines = [f"- {markdown_code(check.rule)}, {weight}{reason}{_subjects(check, summary)}"]
    if check.rule not in advised:
        advised.add(check.rule)
        lines = [f"{lines[0]}  ", f"  What to do: {remedy(check.rule)}"]
    return lines


def _subjects(check: Check, summary: Summary) -> str:
    """What a check is about, where its alerts are over and so not shown: transaction ids, field names."""
    named = [alert.subject for alert in summary.over if alert.kind == check.rule and alert.subject]
    more = f" and {len(named) - MOST_NAMED:,} more" if len(named) > MOST_NAMED else ""
    return f" ({', '.join(map(markdown_code, named[:MOST_NAMED]))}{more})" if named else ""


def _rejected(receipt: Receipt) -> list[str]:
    counts = receipt.counts
    if not counts.rejected:
        return []
    records = counts.events + counts.rejected - counts.purchase_invalid
    share = (
        f"{counts.rejected:,} of {words.many(records, 'record', 'records')} (score {markdown(receipt.score)})"
    )
    reasons = sorted(receipt.rejects.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{markdown_code(reason)} {count:,}" for reason, count in reasons[:MOST_NAMED])
    return ["## Rejected", "", f"{share}{f': {named}' if named else ''}. {_LOOK}"]


def _history(receipt: Receipt) -> list[str]:
    """How the verdict came about, where it changed or a person decided."""
    if len(receipt.history) <= 1 and receipt.status != "released":
        return []
    lines = [_entry(entry) for entry in receipt.history[-MOST_NAMED:]]
    return ["## How its verdict changed", "", *lines] if lines else []


def _entry(entry: HistoryEntry) -> str:
    by = f" by {markdown(entry.by, 80)}" if entry.by else ""
    reason = f": {markdown(entry.reason)}" if entry.reason else ""
    return f"- {words.moment(entry.at)}, {words.STATUS[entry.status]}{by}{reason}"


def _recent(summary: Summary) -> list[str]:
    if not summary.recent:
        return []
    header = ("day", "status", *words.METRIC.values(), "score")
    return ["## The last days", "", *table(header, [_recent_row(*day) for day in summary.recent], words=2)]


def _recent_row(day: str, receipt: Receipt | None) -> list[str]:
    if receipt is None:
        return [day, "no events", *[""] * len(METRICS), ""]
    values = [value_of(receipt, metric) for metric in METRICS]
    shown = ["–" if v is None else words.amount(m, v) for m, v in zip(METRICS, values, strict=True)]
    return [markdown(receipt.day), words.STATUS[receipt.status], *shown, markdown(receipt.score)]


def _footer(summary: Summary) -> list[str]:
    receipt = summary.receipt
    known = f"State of the data: {words.moment(summary.as_of)}." if summary.as_of else ""
    if receipt is None:
        return [known] if known else []
    contract, zone = markdown(receipt.contract, 80), markdown(receipt.time_zone, 80)
    return [f"Revision {receipt.revision:,}, contract {contract}, days in {zone}. {known}".rstrip()]
