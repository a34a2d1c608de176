"""`digest.md`: a week, or another range of days, for people: how the days ended, what fired and what of it was true, how
noisy the rules were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.days import METRICS
from reports.render import words
from reports.render.alert_record import judgement, last_word
from reports.render.escape import markdown, markdown_code
from reports.render.incidents import folded, minutes_to_detection
from reports.render.markdown_table import table
from reports.render.report_md_alerts import decisions_told, left_out, phrase, when
from reports.render.summary import value_of
from reports.render.titles import title

if TYPE_CHECKING:
    from consumer.core.days import Receipt
    from reports.render.digest import Digest, RuleLine
    from reports.render.incidents import Incident
    from reports.render.times import Times

NAME = "digest.md"

MOST_INCIDENTS = 40
MOST_REASONS = 15
MOST_UNKEPT = 10

NOISY = (
    "Fired without anybody finding it true: `sluice backtest` shows what other thresholds would have raised."
)

JUDGEMENT = {
    "confirmed": "confirmed",
    "accepted": "accepted as normal",
    "silenced": "silenced",
    "unanswered": "no answer",
}


def render(told: Digest) -> bytes:
    """The whole file."""
    blocks = [
        [f"# {told.first} to {told.last}: {headline(told)}"],
        decisions_told(told.decisions, told.waiting, told.source),
        [" ".join(sentences(told))],
        _metrics(told),
        _incidents(told),
        _rules(told),
        _rejects(told),
        _days(told),
        [footer(told)] if told.as_of else [],
    ]
    return ("\n\n".join("\n".join(block) for block in blocks if block) + "\n").encode()


def footer(told: Digest) -> str:
    """How far the numbers had come."""
    zone = f"Days and times in {told.times.name}. " if words.utc_aside(told.times.name) else ""
    return zone + words.state_of(told.times.moment(told.as_of), past=False)


def headline(told: Digest) -> str:
    """How the days ended."""
    named = (
        ("quarantined", "quarantined"),
        ("at_risk", "at risk"),
        ("released", "released"),
        ("pass", "pass"),
        ("open", "still open"),
    )
    parts = [f"{count} {word}" for status, word in named if (count := told.count(status))]  # type: ignore[arg-type]  # the statuses, one by one
    missing = [day for day, receipt in told.days if receipt is None]
    early = [day for day in missing if told.begins is None or day < told.begins]
    parts += [f"{len(missing) - len(early)} without events"] if len(missing) > len(early) else []
    parts += [f"{len(early)} before the first event"] if early else []
    known = f"{words.many(len(told.days), 'day', 'days')}: "
    return known + words.listed(parts)


def sentences(told: Digest) -> list[str]:
    """What fired, what was true, and how noisy that was."""
    return [*_fired(told), *_unkept(told)]


def _fired(told: Digest) -> list[str]:
    held = sum(rule.held_back for rule in told.rules)
    notes = sum(rule.notes for rule in told.rules)
    besides = (
        [f"{words.many(held, 'symptom was', 'symptoms were')} held back under a known cause."] if held else []
    )
    besides += (
        [f"There {'is' if notes == 1 else 'are'} {words.many(notes, 'note', 'notes')} besides."]
        if notes
        else []
    )
    if not told.fired:
        return [*([] if told.unkept else ["No alert fired."]), *besides]
    pages = sum(rule.pages for rule in told.rules)
    days = max(len(told.days), 1)
    fired = f"{words.many(told.fired, 'alert', 'alerts')} fired"
    loud = "P0" if pages == told.fired == 1 else f"{pages:,} P0"
    return [f"{fired} ({loud}), {told.fired / days:.1f} a day.", _answered(told), *besides]


def _answered(told: Digest) -> str:
    answered = told.fired - sum(rule.unanswered for rule in told.rules)
    if answered:
        them = "it" if told.fired == 1 else "them"
        return (
            f"People answered {answered:,} of {them}: {told.true:,} true, {answered - told.true:,} silenced."
        )
    if not told.source.takes_orders:
        return "What of that was true, nobody has said."
    return "Nobody has said what of that was true (`sluice alerts ack`, `accept`, `silence`)."


def _unkept(told: Digest) -> list[str]:
    if not told.unkept:
        return []
    more = len(told.unkept) - MOST_UNKEPT
    days = words.listed([*told.unkept[:MOST_UNKEPT], *([f"{more:,} more days"] if more > 0 else [])])
    return [f"Alerts that fired about {days} are no longer kept."]


def _metrics(told: Digest) -> list[str]:
    rows = [
        (
            words.METRIC[line.metric],
            words.amount(line.metric, line.value),
            words.NONE if line.before is None else words.amount(line.metric, line.before),
            words.difference(line.metric, line.value, line.before),
        )
        for line in told.metrics
    ]
    return table(("mean of a usable day", *compared(told), "change"), rows)


def compared(told: Digest) -> tuple[str, str]:
    """How many days each of the two columns of means is made of, and how many there could be."""
    days, of, before = told.metrics[0].days, len(told.days), told.metrics[0].days_before
    return (
        f"{days:,} of {words.many(of, 'day', 'days')}",
        f"{before:,} of the {words.many(of, 'day', 'days')} before",
    )


def _incidents(told: Digest) -> list[str]:
    if not told.incidents:
        return []
    shown, left = folded(told.incidents, MOST_INCIDENTS)
    lines = [_incident(incident, told.times) for incident in shown]
    return ["## What fired", "", *lines, *([f"- {left_out(left)}"] if left else [])]


def _incident(incident: Incident, times: Times) -> str:
    alert = incident.alert
    minutes = minutes_to_detection(alert)
    found = f", known {words.length(minutes)} later" if minutes else ""
    follows = f", explains {len(incident.symptoms):,} more" if incident.symptoms else ""
    said = markdown(last_word(alert)) or JUDGEMENT[judgement(alert)]
    state = ", still open" if alert.state == "open" else ""
    return f"- **{alert.severity[:2]}** {phrase(title(alert))}: {when(alert, times)}{found}{follows}{state}; {said}"


def _rules(told: Digest) -> list[str]:
    if not told.rules:
        return []
    header = (
        "rule",
        "P0",
        "P1",
        "notes",
        "held back",
        "true",
        "silenced",
        "unanswered",
        "found in",
        "lasted",
    )
    rows = [_rule(rule) for rule in told.rules]
    noisy = [markdown_code(rule.kind) for rule in told.rules if rule.is_noisy]
    advice = ["", f"Worth a look: {', '.join(noisy)}. {NOISY}"] if noisy else []
    return ["## How noisy the rules were", "", *table(header, rows), *advice]


def _rule(rule: RuleLine) -> list[str]:
    counts = (
        rule.pages,
        rule.alerts,
        rule.notes,
        rule.held_back,
        rule.confirmed + rule.accepted,
        rule.silenced,
        rule.unanswered,
    )
    found, lasted = rule.median_to_detection, rule.median_lasted
    return [
        markdown_code(rule.kind),
        *(f"{count:,}" if count else "" for count in counts),
        minutes(found),
        minutes(lasted),
    ]


def minutes(value: float | None) -> str:
    """A length for a narrow column.

    >>> minutes(7.5), minutes(190), minutes(None)
    ('8 min', '3 h 10 min', '')
    """
    if value is None:
        return ""
    hours, rest = divmod(round(value), 60)
    return f"{hours:,} h {rest} min" if hours else f"{rest} min"


def _rejects(told: Digest) -> list[str]:
    if not told.rejects:
        return []
    rows = [
        (
            words.REASON.get(reason) or markdown_code(reason),
            f"{count:,}",
            words.money(told.claimed[reason]) if reason in told.claimed else words.NONE,
        )
        for reason, count in list(told.rejects.items())[:MOST_REASONS]
    ]
    return ["## Rejected and not counted", "", *table(("reason", "records", "revenue in question"), rows)]


def _days(told: Digest) -> list[str]:
    header = ("day", "status", *words.METRIC.values(), "rev.")
    return ["## Days", "", *table(header, [_day(day, receipt) for day, receipt in told.days], words=2)]


def _day(day: str, receipt: Receipt | None) -> list[str]:
    if receipt is None:
        return [day, "no events", *[""] * len(METRICS), ""]
    values = [value_of(receipt, metric) for metric in METRICS]
    shown = [words.NONE if v is None else words.amount(m, v) for m, v in zip(METRICS, values, strict=True)]
    return [day, words.STATUS[receipt.status], *shown, f"{receipt.revision:,}"]
