"""What changed on a day and why, in plain sentences; the first incident; and what to do. No markup: sentences are
words of ours and `Name`s, which each renderer shows in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detectors.alerts import LIVE, Severity
from detectors.purchases import COLLISION
from reports.render import words
from reports.render.remedies import remedy, remedy_of
from reports.render.titles import Name, Title, title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.days import Receipt
    from detectors.verdict import Check
    from reports.render.incidents import Incident
    from reports.render.summary import Summary

MOST_NAMED = 10
"""Days that are named one by one; the newest."""

AGAINST = ("at_risk", "quarantined")
"""The results of checks that speak against a day."""


class Lead(NamedTuple):
    """The first thing to know on a day that is not fine: what broke, since when and how loud (both empty where there
    was no alert), what to do, and the rule that says so."""

    what: Title
    since: str
    severity: str
    do: str
    rule: str


def headline(summary: Summary) -> str:
    """The verdict in one clause, with what is wrong today so far."""
    if summary.receipt is None:
        return "nothing is known of this day"
    told = words.headline(summary.receipt)
    bad = [receipt for receipt in summary.filling if _is_bad(receipt, summary)]
    if not bad:
        return told
    return f"{told}; but {bad[-1].day}, still filling, is {words.STATUS[bad[-1].verdict]} so far"


def _is_bad(filling: Receipt, summary: Summary) -> bool:
    """Whether a later day that is not closed yet has more against it than a note."""
    if summary.receipt is None or filling.day < summary.receipt.day or filling.verdict == "pass":
        return False
    loud = any(incident.alert.first_seen >= (filling.begins or filling.day) for incident in summary.open)
    return loud or filling.verdict == "quarantined"


def lead(summary: Summary) -> Lead | None:
    """The loudest incident, those still open first; else the rule that speaks against the day; None if it is fine."""
    receipt = summary.receipt
    shown = sorted(
        [*summary.open, *summary.over], key=lambda i: (i.alert.severity, i.alert.state not in LIVE)
    )
    against = [check for check in receipt.checks if check.result in AGAINST] if receipt else []
    if shown and (summary.open or against):
        alert = shown[0].alert
        do = _what_to_do(summary, remedy_of(alert))
        return Lead(title(alert), words.moment(alert.first_seen), alert.severity[:2], do, alert.kind)
    if receipt is not None and against:
        first = min(against, key=lambda check: check.result != "quarantined")
        return Lead(_in_words(first, receipt), "", "", _what_to_do(summary, remedy(first.rule)), first.rule)
    return None


def _in_words(check: Check, receipt: Receipt) -> Title:
    """What speaks against a day without having been an alert."""
    reasons = {
        reason: receipt.rejects.get(reason, 0) for reason in words.REASON if reason.startswith("purchase_")
    }
    if check.rule == "purchase_invalid" and any(reasons.values()):
        told = [f"{count:,} × {words.REASON[reason]}" for reason, count in reasons.items() if count]
        return (f"{words.listed(told)}, not counted",)
    return (Name(check.rule), check.reason)


def _what_to_do(summary: Summary, told: str) -> str:
    receipt = summary.receipt
    if receipt is not None and receipt.status == "released" and not summary.open:
        return "Nothing more: the day was released, on record."
    if receipt is None or receipt.status != "quarantined":
        return told
    return f"{told} Then: `{release(receipt.day)}`"


def release(day: str) -> str:
    """The command that lets a quarantined day through."""
    return f'sluice gate release {day} --reason "…"'


def sentences(summary: Summary) -> list[Title]:
    """The day in a few sentences, without what `lead` says."""
    receipt = summary.receipt
    if receipt is None:
        return []
    told = [_alerts(summary), *_metrics(summary, receipt), *_rejected(receipt)]
    if summary.also_quarantined:
        told.append((f"Also quarantined: {', '.join(summary.also_quarantined[-MOST_NAMED:])}.",))
    if summary.filling:
        days = ", ".join(f"{r.day} (so far {words.STATUS[r.verdict]})" for r in summary.filling[-MOST_NAMED:])
        told.append((f"Not closed yet: {days}.",))
    return told


def _alerts(summary: Summary) -> Title:
    known = summary.open
    if not known:
        count = len(summary.over)
        over = f"; {count:,} of this day {'is' if count == 1 else 'are'} over" if count else ""
        return (f"No alert is open{over}.",)
    pages = sum(incident.alert.severity == Severity.P0_BLOCKER for incident in known)
    new = sum(incident.new for incident in known)
    parts = [f"{pages:,} P0" if pages else "", f"{new:,} new" if new else ""]
    aside = ", ".join(part for part in parts if part)
    text = words.many(len(known), "alert is open", "alerts are open")
    return (f"{text}{f' ({aside})' if aside else ''}.",)


def _metrics(summary: Summary, receipt: Receipt) -> list[Title]:
    lines = summary.metrics
    if receipt.status == "open":
        return [("The day is still filling, so its metrics are not compared yet.",)]
    within = [line for line in lines if line.place == "within"]
    missing = [words.METRIC[line.metric] for line in lines if line.value is None]
    told: list[Title] = []
    if len(within) == len(lines):
        told.append((f"All {words.number(len(lines))} metrics are within their usual range.",))
    told += [(*sentence,) for sentence in _off(summary)]
    if missing:
        names = words.listed(missing)
        are = "is" if len(missing) == 1 else "are"
        told.append((f"{names[:1].upper()}{names[1:]} {are} not measurable.",))
    return told


def _off(summary: Summary) -> list[Title]:
    """The metrics outside of their band, those with one explanation together."""
    shown = (*summary.open, *summary.over)
    first = lead(summary)
    groups: dict[tuple[str, Title], list[str]] = {}
    for line in summary.metrics:
        if line.place in ("low", "high"):
            cause = _cause(line.metric, shown)
            why = () if cause is None else title(cause.alert)
            value = words.amount(line.metric, line.value)
            told = f"{words.METRIC[line.metric]} ({value}, usual {words.usual(line)})"
            groups.setdefault((line.place, why), []).append(told)
    return [
        (f"{place.capitalize()}: {words.listed(told)};", *_why(why, first))
        for (place, why), told in groups.items()
    ]


def _why(why: Title, first: Lead | None) -> Title:
    if not why:
        return ("no rule takes that for more than chance.",)
    if first is not None and why == first.what:
        return ("what broke may be why.",)
    return ("perhaps because of:", *why[:-1], f"{why[-1]}." if not isinstance(why[-1], Name) else why[-1])


def _cause(metric: str, shown: Sequence[Incident]) -> Incident | None:
    """The incident that tells of this metric, itself or by a symptom."""
    for incident in shown:
        if metric in metrics_of(incident):
            return incident
    return None


_OF_KIND: dict[str, tuple[str, ...]] = {
    "volume_silence": ("sessions", "purchases", "revenue"),
    "volume_drop": ("sessions", "purchases", "revenue"),
    "volume_spike": ("sessions",),
    "bot_traffic": ("sessions", "conversion_rate", "direct_share"),
    "identity_coverage": ("sessions", "conversion_rate", "direct_share"),
    "timestamp_errors": ("sessions", "purchases", "revenue"),
    "unparseable_events": ("sessions", "purchases", "revenue"),
    "input_not_keyed": ("sessions", "conversion_rate"),
    "purchase_silence": ("purchases", "revenue", "conversion_rate"),
    "purchase_invalid": ("purchases", "revenue", "conversion_rate"),
    "transaction_collision": ("purchases", "revenue", "conversion_rate"),
    "purchases_anomaly": ("purchases", "revenue", "conversion_rate"),
    "purchase_value_shift": ("revenue",),
}
"""The metrics that a kind of incident pulls with it, beside its own."""


def metrics_of(incident: Incident) -> frozenset[str]:
    """The daily metrics that an incident and its symptoms are about."""
    told = set()
    for alert in (incident.alert, *incident.symptoms):
        told |= {alert.metric or "", *_OF_KIND.get(alert.kind, ())}
    return frozenset(told - {""})


def _rejected(receipt: Receipt) -> list[Title]:
    counts = receipt.counts
    if not counts.rejected and not counts.collisions:
        return (
            [(f"None of its {words.many(counts.events, 'event', 'events')} was rejected.",)]
            if counts.events
            else []
        )
    told = []
    if counts.rejected:
        records = words.many(records_of(receipt), "record", "records")
        told.append(f"{counts.rejected:,} of {records} {'was' if counts.rejected == 1 else 'were'} rejected")
    if counts.collisions:
        purchases = words.many(counts.collisions, "purchase is", "purchases are")
        told.append(f"{purchases} not counted because of a transaction id that came twice")
    asked = in_question(receipt)
    money = f"; {asked} of revenue is in question" if asked else ""
    return [(f"{', and '.join(told)}{money}.",)]


def records_of(receipt: Receipt) -> int:
    """Everything that came for the day: its events, and what was rejected without being one."""
    counts = receipt.counts
    return counts.events + counts.rejected - counts.purchase_invalid


def not_counted(receipt: Receipt) -> dict[str, int]:
    """How often by reason, the most frequent first; colliding purchases, which are no dead letters, before all."""
    collided = receipt.counts.collisions
    ordered = sorted(receipt.rejects.items(), key=lambda item: (-item[1], item[0]))
    return ({COLLISION: collided} if collided else {}) | dict(ordered)


def in_question(receipt: Receipt) -> str:
    """The revenue that purchases which are not counted name for themselves, as text; empty if they name none."""
    total = words.total(receipt.claimed.values())
    return words.money(total) if total else ""
