"""`report.md`: the day for people, in Slack, in e-mail, on GitHub, or as plain text in a terminal.

The verdict is the first line, what to do comes right after it. A section stands only where it has something to say,
so a good day is short. Numbers and words are ours; everything that came out of events goes through `escape`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.days import METRICS, HistoryEntry, Receipt, Status
from reports.render import story, words
from reports.render.against import objections
from reports.render.escape import markdown, markdown_code
from reports.render.markdown_table import table
from reports.render.report_md_alerts import (
    decisions_told,
    open_alerts,
    other_alerts,
    over_alerts,
    pending_alerts,
    phrase,
)
from reports.render.summary import WEEK_DAYS, Summary, earlier, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.render.against import Objection
    from reports.render.source import Source
    from reports.render.times import Times

NAME = "report.md"

MOST_NAMED = 10
"""Reasons or changes that are listed one by one; the newest or the largest ones."""

RECENT_DAYS = 7

_AGAINST: dict[Status, str] = {
    "open": "What stands against it so far",
    "pass": "What stood against it",
    "at_risk": "What puts it at risk",
    "quarantined": "Why it is quarantined",
    "released": "Why it was quarantined",
}


def render(summary: Summary, unplaced: Mapping[str, int] | None = None) -> bytes:
    """The whole file. `unplaced`: what was rejected by reason, for where no day is known to which it could belong."""
    receipt, lead = summary.receipt, story.lead(summary)
    advised = {lead.rule} if lead else set()
    blocks = [
        *(_first(summary, receipt, lead) if receipt else _nothing(summary, unplaced or {})),
        open_alerts(summary, advised),
        pending_alerts(summary, advised),
        over_alerts(summary),
        other_alerts(summary),
        *(_more(summary, receipt, advised) if receipt else ()),
        _recent(summary),
        _footer(summary),
    ]
    return ("\n\n".join("\n".join(block) for block in blocks if block) + "\n").encode()


def _nothing(summary: Summary, unplaced: Mapping[str, int]) -> list[list[str]]:
    if summary.asked is not None:
        return [[f"# {markdown(summary.asked)}: nothing is known of this day"]]
    if not unplaced:
        return [["# No day yet"], ["No event has been seen so far."]]
    rows = [(words.REASON.get(reason) or markdown_code(reason), f"{n:,}") for reason, n in unplaced.items()]
    total = sum(unplaced.values())
    records = f"all {total:,} records were" if total > 1 else "the only record was"
    return [
        [f"# No day: {records} rejected"],
        [summary.source.where_rejected],
        table(("reason", "count"), rows),
    ]


def _first(summary: Summary, receipt: Receipt, lead: story.Lead | None) -> list[list[str]]:
    title = f"# {markdown(receipt.day)}: {story.headline(summary)}"
    told = " ".join(phrase(sentence) for sentence in story.sentences(summary))
    return [
        [title],
        decisions_told(story.to_decide(summary), summary.waiting, summary.source),
        _lead(lead) if lead else [],
        [told],
        _metrics(summary, receipt),
    ]


def _lead(lead: story.Lead) -> list[str]:
    if not lead.severity:
        return [f"**Why:** {phrase(lead.what)}.  ", f"**What to do:** {lead.do}"]
    when = f"{lead.when}, over" if lead.over else f"since {lead.when}"
    broke = f"What broke on {markdown(lead.elsewhere)}" if lead.elsewhere else "What broke"
    return [f"**{broke}:** {phrase(lead.what)}, {when} ({lead.severity}).  ", f"**What to do:** {lead.do}"]


def _more(summary: Summary, receipt: Receipt, advised: set[str]) -> list[list[str]]:
    return [
        _verdict(summary, receipt, advised),
        _rejected(receipt, summary.source),
        _not_measurable(receipt),
        _history(receipt, summary.times),
    ]


def _metrics(summary: Summary, receipt: Receipt) -> list[str]:
    filling = receipt.status == "open"
    rows = [
        (
            words.METRIC[line.metric],
            words.amount(line.metric, line.value),
            words.usual(line),
            "" if filling else _change(line.place, words.change(line)),
            words.NONE if line.last_week is None else words.amount(line.metric, line.last_week),
        )
        for line in summary.metrics
    ]
    day = markdown(receipt.day) + (" so far" if filling else "")
    header = ("metric", day, "usual ± band", "change", _week_before(receipt.day))
    return [*table(header, rows)]


def _week_before(day: str) -> str:
    before = earlier(day, WEEK_DAYS)
    return "week before" if before is None else f"{words.weekday(before)[:3]} {before}"


def _change(place: str, change: str) -> str:
    return f"{change} {place}" if place in ("low", "high") else change


def _not_measurable(receipt: Receipt) -> list[str]:
    missing = [metric for metric in METRICS if value_of(receipt, metric) is None]
    reasons = dict.fromkeys(missing, "no reason was recorded") | receipt.not_measurable
    lines = [
        f"- {words.METRIC.get(metric) or markdown_code(metric)}: {markdown(reason)}"
        for metric, reason in reasons.items()
    ]
    return ["## Not measurable", "", *lines] if lines else []


def _verdict(summary: Summary, receipt: Receipt, advised: set[str]) -> list[str]:
    against = objections(summary)
    shown = summary.open or summary.pending or summary.over
    if not against or (len(against) == 1 and not shown):  # a single one is told at the top
        return []
    lines = [line for one in against for line in _objection(one, summary, advised)]
    return [f"## {_AGAINST[receipt.status]}", "", *lines]


def _objection(one: Objection, summary: Summary, advised: set[str]) -> list[str]:
    weight = "quarantines the day" if one.blocks else "at risk"
    messages = {incident.alert.message for incident in (*summary.open, *summary.pending)}
    reason = "" if messages.issuperset(one.why) else f": {phrase(one.why)}"
    follows = f"; follows from: {phrase(one.follows)}" if one.follows else ""
    lines = [f"- {markdown_code(one.rule)}, {weight}{reason}{follows}"]
    if one.do and one.rule not in advised:
        advised.add(one.rule)
        lines = [f"{lines[0]}  ", f"  What to do: {one.do}"]
    return lines


def _rejected(receipt: Receipt, source: Source) -> list[str]:
    counts = receipt.counts
    if not counts.rejected and not counts.collisions:
        return []
    lines = _reasons(receipt)
    if counts.rejected:
        records = words.many(story.records_of(receipt), "record", "records")
        of_all = f"{counts.rejected:,} of {records} (score {markdown(receipt.score)})"
        lines += ["", f"Rejected: {of_all}. {source.where_rejected}"]
    return ["## Rejected and not counted", "", *lines]


def _reasons(receipt: Receipt) -> list[str]:
    """A row for each reason, the most frequent first; colliding purchases are no dead letters, but not counted."""
    reasons = list(story.not_counted(receipt).items())
    rows = [
        (
            words.REASON.get(reason) or markdown_code(reason),
            f"{count:,}",
            words.money(receipt.claimed[reason]) if reason in receipt.claimed else words.NONE,
        )
        for reason, count in reasons[:MOST_NAMED]
    ]
    if len(reasons) > MOST_NAMED:
        rest = reasons[MOST_NAMED:]
        rows.append((f"{len(rest):,} other reasons", f"{sum(count for _, count in rest):,}", words.NONE))
    return table(("reason", "count", "revenue in question"), rows)


def _history(receipt: Receipt, times: Times) -> list[str]:
    """How the verdict came about, where it changed or a person decided, and that the numbers were amended."""
    if len(receipt.history) <= 1 and receipt.status != "released" and receipt.revision <= 1:
        return []
    lines = [_entry(entry, times) for entry in receipt.history[-MOST_NAMED:]]
    amended = receipt.revision - 1
    if amended > 0:
        late = words.many(receipt.counts.late, "event", "events")
        often = "once" if amended == 1 else f"{amended:,} times"
        lines.append(f"- amended {often} since it closed (revision {receipt.revision:,}): {late} came late")
    return ["## How its verdict changed", "", *lines] if lines else []


def _entry(entry: HistoryEntry, times: Times) -> str:
    by = f" by {markdown(entry.by, 80)}" if entry.by else ""
    reason = f": {markdown(entry.reason)}" if entry.reason else ""
    return f"- {times.moment(entry.decided_at or entry.at)}, {words.STATUS[entry.status]}{by}{reason}"


def _recent(summary: Summary) -> list[str]:
    """The days before, on a day that is not fine; else what they came to, in a line."""
    day = summary.day or ""
    days = [(of, receipt) for of, receipt in summary.recent if of <= day][-RECENT_DAYS:]
    if not days or summary.receipt is None:
        return []
    if not (summary.waiting or summary.open or summary.over):
        return [_counted([receipt for of, receipt in days if of < day])]
    header = ("day", "status", *words.METRIC.values(), "score")
    return ["## The last days", "", *table(header, [_recent_row(*one) for one in reversed(days)], words=2)]


def _counted(receipts: list[Receipt | None]) -> str:
    known = [words.STATUS[receipt.status] if receipt else "without events" for receipt in receipts]
    told = [f"{known.count(status):,} {status}" for status in (*words.STATUS.values(), "without events")]
    told = [one for one in told if not one.startswith("0 ")]
    if not told:
        return "There is no day before it."
    return f"The {words.many(len(known), 'day', 'days')} before: {', '.join(told)}."


def _recent_row(day: str, receipt: Receipt | None) -> list[str]:
    if receipt is None:
        return [day, "no events", *[""] * len(METRICS), ""]
    values = [value_of(receipt, metric) for metric in METRICS]
    shown = ["–" if v is None else words.amount(m, v) for m, v in zip(METRICS, values, strict=True)]
    return [markdown(receipt.day), words.STATUS[receipt.status], *shown, markdown(receipt.score)]


def _footer(summary: Summary) -> list[str]:
    receipt = summary.receipt
    moment = summary.times.moment(summary.as_of)
    known = words.state_of(moment, past=summary.is_past) if summary.as_of else ""
    if receipt is None:
        return [known] if known else []
    contract, zone = markdown(receipt.contract, 80), markdown(receipt.time_zone, 80)
    bands = "Usual ± band: what was normal when the day closed; 19 of 20 quiet days lie within. "
    told = bands if any(line.usual is not None for line in summary.metrics) else ""
    return [
        f"{told}Revision {receipt.revision:,}, contract {contract}, days and times in {zone}"
        f"{words.utc_aside(summary.times.name)}. {known}".rstrip()
    ]
