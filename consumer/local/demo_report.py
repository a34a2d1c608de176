"""What the demo says at its beginning and its end. Pure: every number is handed in, and comes from the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from consumer.local.demo_standing import SEVERITY, WIDE, table_of_days
from detectors.alerts import LIVE, Severity
from reports.render import escape
from reports.render.words import many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from consumer.core.days import Receipt
    from consumer.local.demo_check import Comparison
    from consumer.local.demo_incidents import Incident
    from detectors.alerts import Alert

INDENT = (0, 0, 0, 2)

MOST_TOLD = 3
"""Open alerts that are written out, the gravest first, notes left out."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run ended. `killed` says who was killed, and who went on when; `days` those that are
    reported."""

    days: Sequence[str]
    receipts: Collection[Receipt]
    alerts: Collection[Alert]
    incidents: Sequence[Incident]
    letters: Mapping[str, int]
    repeated: int
    comparisons: Sequence[Comparison]
    sent: int
    counted: int
    killed: str


def opening(seed: int, days: int, faults: int, processes: int) -> Iterator[RenderableType]:
    """What this is, in ten seconds."""
    yield Text.assemble(
        ("Sluice", "bold"),
        " counts a site's events on Kafka exactly once, gives every day a verdict, and says what broke.",
    )
    yield Text(
        f"This is a made-up shop (seed {seed}): {many(days, 'day', 'days')}, {many(faults, 'thing', 'things')} that go "
        f"wrong, {processes} processes, one kill -9. Every number is from this run.\n",
        "dim",
    )


def report(ending: Ending, width: int) -> Iterator[RenderableType]:
    """Everything there is to say, for so many columns."""
    yield _heading(f"{many(len(ending.days), 'day', 'days')}, counted and judged")
    yield from _days(ending, width)
    yield _heading("What broke, and when Sluice knew")
    yield from _incidents(ending, width)
    yield _heading("Killed, and nothing lost")
    yield from map(_paragraph, _proof(ending))
    wrong = sum(len(comparison.differences) for comparison in ending.comparisons)
    yield (
        _paragraph(f"{wrong:,} DIFFER.", "bold red") if wrong else _paragraph("All are equal.", "bold green")
    )


def _days(ending: Ending, width: int) -> Iterator[RenderableType]:
    receipts = {receipt.day: receipt for receipt in ending.receipts}
    wrong = {difference.day or "" for it in ending.comparisons for difference in it.differences}
    there = [receipts[day] for day in ending.days if day in receipts]
    yield Padding(table_of_days(there, width, wrong), INDENT)
    yield from (_paragraph(f"{day} has no receipt") for day in ending.days if day not in receipts)
    yield _paragraph("pass: use its numbers; at risk: with care; quarantined: do not use them", "dim")
    for receipt in there:
        for metric, reason in receipt.not_measurable.items():
            name = metric.replace("_", " ")
            yield _paragraph(f"{receipt.day}: {name} is not measurable, {escape.terminal(reason)}", "dim")


def _incidents(ending: Ending, width: int) -> Iterator[RenderableType]:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("what broke")
    if width >= WIDE:
        table.add_column("since (UTC)", no_wrap=True)
    table.add_column("alert", overflow="fold")
    table.add_column("known after", justify="right", no_wrap=True)
    for incident in ending.incidents:
        since = datetime.fromtimestamp(incident.since_ms / 1000, UTC)
        when = [f"{since:%m-%d %H:%M}"] if width >= WIDE else []
        alert = incident.alert
        if alert is None:
            table.add_row(incident.words, *when, Text("none", "bold red"), "")
        else:
            name = Text(f"{alert.severity[:2]} {alert.kind}", SEVERITY[alert.severity])
            table.add_row(incident.words, *when, name, f"{incident.minutes} min")
    yield Padding(table, INDENT)
    found = {incident.alert.id for incident in ending.incidents if incident.alert is not None}
    more = [alert for alert in ending.alerts if alert.id not in found]
    explained = sum(alert.caused_by is not None for alert in more)
    others = f" {many(len(more), 'more alert', 'more alerts')}, {explained} held back under a known cause."
    yield _paragraph(f"Minutes of event time.{others if more else ''}", "dim")
    still_open = sorted(
        (it for it in ending.alerts if it.state in LIVE and it.severity is not Severity.P2_NOTE),
        key=lambda it: (it.severity, it.opened_at),
    )
    for alert in still_open[:MOST_TOLD]:
        yield _paragraph(f"Still open: {escape.terminal(alert.message)}")


def _proof(ending: Ending) -> Iterator[str]:
    yield ending.killed
    once = "each exactly once" if ending.counted == ending.sent else "which is WRONG"
    yield f"{ending.sent:,} events were sent and {ending.counted:,} are counted, {once}."
    total = sum(ending.letters.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(ending.letters.items()))
    single = f"{ending.repeated:,} MORE THAN ONCE" if ending.repeated else "each once"
    yield f"{many(total, 'dead letter', 'dead letters')}, {single}: {reasons or 'none'}."
    compared: dict[str, int] = {}
    for comparison in ending.comparisons:
        compared[comparison.source] = compared.get(comparison.source, 0) + comparison.compared
    sources = ", ".join(f"{numbers:,} with {source}" for source, numbers in compared.items())
    yield f"{sum(compared.values()):,} values compared: {sources}."


def _heading(text: str) -> RenderableType:
    return Padding(Rule(Text(text, "bold"), align="left", style="dim"), (1, 0, 0, 0))


def _paragraph(text: str, style: str = "") -> RenderableType:
    return Padding(Text(text, style), INDENT)
