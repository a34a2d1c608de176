"""What changed on a day and why, in plain sentences; the first incident; and what to do. No markup: sentences are
words of ours and `Name`s, which each renderer shows in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detectors.alerts import Severity
from detectors.purchases import COLLISION
from reports.render import words
from reports.render.against import objections
from reports.render.decisions import MOST_NAMED, Decision, decisions
from reports.render.incidents import days_of, is_about
from reports.render.remedies import costs_nothing, remedy_of
from reports.render.summary import FEWEST_DAYS
from reports.render.titles import Name, Title, many_collisions, title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.days import Receipt
    from detectors.alerts import Alert
    from reports.render.against import Objection
    from reports.render.incidents import Incident
    from reports.render.summary import MetricLine, Summary


class Lead(NamedTuple):
    """The first thing to know on a day that is not fine: what broke, when and how loud (both empty where there was no
    alert), whether that is over, what to do, the rule that says so, and the days that it is about where the day reported
    is not one of them."""

    what: Title
    when: str
    severity: str
    over: bool
    do: str
    rule: str
    elsewhere: str = ""


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


def to_decide(summary: Summary) -> list[Decision]:
    """The days that wait for a person."""
    return decisions(summary.waiting, summary.days, summary.alerts.values(), summary.source)


def lead(summary: Summary) -> Lead | None:
    """The loudest incident, or the rule that speaks against the day where no incident of its own is as loud; None if all
    is fine. Of those as loud, what is about the day comes before what is about another one, where something speaks
    against the day; then those that are not over. What costs nothing comes last."""
    receipt = summary.receipt
    standing = [*summary.open, *summary.pending]
    against = objections(summary)

    def place(incident: Incident) -> tuple[object, ...]:
        foreign = bool(against) and not _of_the_day(incident.alert, summary)
        costless = costs_nothing(incident.alert)
        return (
            incident.alert.severity,
            costless,
            foreign,
            incident in summary.over,
            incident in summary.pending,
        )

    loudest = min([*standing, *summary.over], key=place, default=None)
    if loudest is not None and (standing or against) and not _is_outdone(loudest.alert, against, summary):
        return _broke(loudest, summary)
    if receipt is not None and against:
        first = against[0]
        do = _what_to_do(summary, first.do, of_day=True)
        return Lead(_in_words(first, receipt), "", "", over=False, do=do, rule=first.rule)
    return None


def _of_the_day(alert: Alert, summary: Summary) -> bool:
    return summary.day is not None and is_about(alert, summary.day, summary.receipt)


def _is_outdone(alert: Alert, against: Sequence[Objection], summary: Summary) -> bool:
    """Whether what speaks against the day, by itself, comes before this alert: one about other days and no louder."""
    if not against or _of_the_day(alert, summary):
        return False
    return against[0].blocks or alert.severity != Severity.P0_BLOCKER


def _broke(incident: Incident, summary: Summary) -> Lead:
    alert, is_over = incident.alert, incident in summary.over
    of_day = _of_the_day(alert, summary)
    beside = summary.over if is_over else (*summary.open, *summary.pending)
    alike = [
        one.alert
        for one in beside
        if one.alert.kind == alert.kind == COLLISION and _of_the_day(one.alert, summary) == of_day
    ]
    what = many_collisions(alike) if len(alike) > 1 else title(alert)
    since = min(one.first_seen for one in (alert, *alike))
    when = summary.times.moment(since)
    if is_over and alert.state == "resolved" and alert.resolved_at != since:
        when = summary.times.period(since, alert.resolved_at)
    do = _what_to_do(summary, remedy_of(alert, summary.source), of_day=of_day)
    elsewhere = "" if of_day else _days_named([alert, *alike], summary)
    return Lead(what, when, alert.severity[:2], is_over, do, alert.kind, elsewhere)


def _days_named(alerts: Sequence[Alert], summary: Summary) -> str:
    """The days that alerts about other days are about; where one names none, that in which it began."""
    began = {alert.id: summary.times.moment(alert.first_seen).split()[0] for alert in alerts}
    days = {day for alert in alerts for day in days_of(alert) or {began[alert.id]}}
    named = sorted(days)[-MOST_NAMED:]
    more = len(days) - len(named)
    return words.listed([*([f"{more:,} earlier days"] if more else []), *named])


def _in_words(first: Objection, receipt: Receipt) -> Title:
    """What speaks against a day without having been an alert."""
    reasons = {
        reason: receipt.rejects.get(reason, 0) for reason in words.REASON if reason.startswith("purchase_")
    }
    if first.rule == "purchase_invalid" and any(reasons.values()):
        told = [f"{count:,} × {words.REASON[reason]}" for reason, count in reasons.items() if count]
        return (f"{words.listed(told)}, not counted",)
    if first.lost:
        return ("an alert of", Name(first.rule), "that is no longer kept")
    return (Name(first.rule), *first.why)


def _what_to_do(summary: Summary, told: str, *, of_day: bool) -> str:
    receipt = summary.receipt
    standing = [*summary.open, *summary.pending]
    released = receipt is not None and receipt.status == "released"
    if released and of_day and not any(_of_the_day(incident.alert, summary) for incident in standing):
        return "Nothing more: the day was released, on record."
    return told


def sentences(summary: Summary) -> list[Title]:
    """The day in a few sentences, without what `lead` says."""
    receipt = summary.receipt
    if receipt is None:
        return []
    told = [*_alerts(summary), *_metrics(summary, receipt), *_rejected(receipt)]
    if summary.filling:
        days = ", ".join(f"{r.day} (so far {words.STATUS[r.verdict]})" for r in summary.filling[-MOST_NAMED:])
        told.append((f"Not closed yet: {days}.",))
    return told


def _alerts(summary: Summary) -> list[Title]:
    later, kept = _count_later(summary), "Alerts that fired about this day are no longer kept."
    over = len(summary.over)
    told = [
        _count_open(summary),
        f", {_count_pending(len(summary.pending))}" if summary.pending else "",
        f"; {over:,} of this day {'is' if over == 1 else 'are'} over" if over else "",
        f"; {later}" if later else "",
    ]
    known = (f"{''.join(told)}.",)
    if not summary.lost:
        return [known]
    nothing = not (summary.open or summary.pending or over or later)
    return [(kept,)] if nothing else [known, (kept,)]


def _count_open(summary: Summary) -> str:
    known = summary.open
    if not known:
        return "No alert about this day or before is open" if summary.later else "No alert is open"
    pages = sum(incident.alert.severity == Severity.P0_BLOCKER for incident in known)
    new = sum(incident.new for incident in known)
    if len(known) == 1:
        parts = ["P0" if pages else "", "new" if new else ""]
    else:
        parts = [f"{pages:,} P0" if pages else "", f"{new:,} new" if new else ""]
    aside = ", ".join(part for part in parts if part)
    text = words.many(len(known), "alert is open", "alerts are open")
    return f"{text}{f' ({aside})' if aside else ''}"


def _count_pending(count: int) -> str:
    return f"{count:,} {'waits' if count == 1 else 'wait'} for a decision"


def _count_later(summary: Summary) -> str:
    """What is open, but not about the day or one before."""
    count = len(summary.later)
    if not count:
        return ""
    pages = sum(alert.severity == Severity.P0_BLOCKER for alert in summary.later)
    aside = " (P0)" if pages == count == 1 else f" ({pages:,} P0)" if pages else ""
    more = (
        "more is"
        if count == 1 and summary.open
        else "more are"
        if summary.open
        else "is"
        if count == 1
        else "are"
    )
    return f"{count:,} {more} open about later days{aside}"


def _metrics(summary: Summary, receipt: Receipt) -> list[Title]:
    lines = summary.metrics
    if receipt.status == "open":
        return [("The day is still filling, so its metrics are not compared yet.",)]
    missing = [words.METRIC[line.metric] for line in lines if line.value is None]
    told: list[Title] = [(told,) for told in _within(lines)]
    told += [(*sentence,) for sentence in _off(summary)]
    if missing:
        names = words.listed(missing)
        are = "is" if len(missing) == 1 else "are"
        told.append((f"{names[:1].upper()}{names[1:]} {are} not measurable.",))
    return told


def _within(lines: Sequence[MetricLine]) -> list[str]:
    """How many metrics are as usual, and which ones have nothing that they could be compared with."""
    within = [line for line in lines if line.place == "within"]
    unknown = [
        words.METRIC[line.metric] for line in lines if line.value is not None and line.place == "unknown"
    ]
    if len(within) == len(lines):
        return [f"All {words.number(len(lines))} metrics are within their usual range."]
    told = []
    if within and len(within) + len(unknown) == len(lines):
        are = "metric that can be compared is" if len(within) == 1 else "metrics that can be compared are"
        told.append(f"The {words.number(len(within))} {are} within the usual range.")
    if unknown and any(line.days >= FEWEST_DAYS or line.usual is not None for line in lines):
        names = words.listed(unknown)
        has = "has" if len(unknown) == 1 else "have"
        told.append(
            f"{names[:1].upper()}{names[1:]} {has} no usual range: too few of the last days can be trusted."
        )
    return told


def _off(summary: Summary) -> list[Title]:
    """The metrics outside of their band, those with one explanation together."""
    every = (*summary.open, *summary.pending, *summary.over)
    shown = [incident for incident in every if _of_the_day(incident.alert, summary)]
    first = lead(summary)
    if first is not None and first.elsewhere:
        first = None
    groups: dict[tuple[str, Title], list[str]] = {}
    for line in summary.metrics:
        if line.place in ("low", "high"):
            cause = _cause(line.metric, shown)
            why = () if cause is None else title(cause.alert)
            if cause is not None and first is not None and cause.alert.kind == first.rule == COLLISION:
                why = first.what
            value = words.amount(line.metric, line.value)
            told = f"{words.METRIC[line.metric]} ({value}, {words.beside(line)})"
            groups.setdefault((line.place, why), []).append(told)
    return [
        (f"{place.capitalize()}: {words.listed(told)};", *_why(why, first, summary))
        for (place, why), told in groups.items()
    ]


def _why(why: Title, first: Lead | None, summary: Summary) -> Title:
    if not why and summary.lost:
        return ("what its rules made of that is no longer kept.",)
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
            [
                (
                    "Its one event passed."
                    if counts.events == 1
                    else f"All of its {counts.events:,} events passed.",
                )
            ]
            if counts.events
            else []
        )
    told = []
    if counts.rejected:
        records = words.many(records_of(receipt), "record", "records")
        told.append(f"{counts.rejected:,} of {records} {'was' if counts.rejected == 1 else 'were'} rejected")
    if counts.collisions:
        one = counts.collisions == 1
        purchases = words.many(counts.collisions, "purchase is", "purchases are")
        ids = "its transaction id" if one else "their transaction ids"
        told.append(f"{purchases} not counted because {ids} came with different contents")
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
