"""What the demo says at its end, in lines. Pure: every number is handed in, and comes from the run."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from detectors.alerts import LIVE
from reports.render.words import STATUS, amount, many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from consumer.core.days import Receipt
    from consumer.local.demo_check import Comparison
    from detectors.alerts import Alert

WIDTH = 80
"""Columns of the narrowest terminal."""

MOST_ALERTS = 5
"""Open alerts that are written out, the gravest first."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run ended. `killed` says who was killed and when, `days` are those that are reported."""

    days: Sequence[str]
    receipts: Collection[Receipt]
    alerts: Collection[Alert]
    letters: Mapping[str, int]
    repeated: int
    comparisons: Sequence[Comparison]
    sent: int
    counted: int
    counting_seconds: float
    killed: str
    out: Path
    files: Sequence[str]


def report(ending: Ending) -> Iterator[str]:
    """Everything there is to say."""
    yield ""
    yield from _verdict(ending)
    yield ""
    yield from _days(ending)
    yield ""
    yield from _letters(ending)
    yield from _alerts(ending.alerts)
    yield ""
    yield f"Files in {ending.out}: {', '.join(ending.files)}"


def _verdict(ending: Ending) -> Iterator[str]:
    wrong = sum(len(comparison.differences) for comparison in ending.comparisons)
    once = "Counted once" if ending.counted == ending.sent else "NOT counted once"
    yield f"{once}: {ending.counted:,} of {ending.sent:,} events,"
    yield f"although {ending.killed}."
    yield f"It took {ending.counting_seconds:.1f} s from the start of the processes, the recovery included."
    compared: dict[str, int] = {}
    for comparison in ending.comparisons:
        compared[comparison.source] = compared.get(comparison.source, 0) + comparison.compared
    yield "Numbers compared:"
    for source, numbers in compared.items():
        yield f"  {numbers:>5,} with {source}"
    yield f"{wrong:,} DIFFER." if wrong else "All are equal."


def _days(ending: Ending) -> Iterator[str]:
    receipts = {receipt.day: receipt for receipt in ending.receipts}
    wrong = {difference.day for it in ending.comparisons for difference in it.differences}
    yield (
        f"{'day':<10} {'sessions':>8}  {'purchases':>9}  {'revenue':>11}  {'conv.':>6}  {'direct':>7}  "
        f"{'status':<11}  check"
    )
    for day in ending.days:
        checked = "WRONG" if day in wrong else "equal"
        yield _row(receipts[day], checked) if day in receipts else f"{day}  has no receipt"
    for day in sorted(receipts.keys() - set(ending.days)):
        yield f"{day} has only begun ({receipts[day].counts.events:,} events), which closed the day before it."


def _row(receipt: Receipt, checked: str) -> str:
    metrics = receipt.metrics
    return (
        f"{receipt.day:<10} {_whole(metrics.sessions):>8}  {_whole(metrics.purchases):>9}  "
        f"{_amount('revenue', metrics.revenue):>11}  {_amount('conversion_rate', metrics.conversion_rate):>6}  "
        f"{_amount('direct_share', metrics.direct_share):>7}  {STATUS[receipt.status]:<11}  {checked}"
    )


def _whole(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _amount(metric: str, value: str | None) -> str:
    return "" if value is None else amount(metric, Decimal(value))


def _letters(ending: Ending) -> Iterator[str]:
    total = sum(ending.letters.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(ending.letters.items()))
    once = f"{ending.repeated:,} of them MORE THAN ONCE" if ending.repeated else "each once"
    yield from _wrapped(f"{many(total, 'dead letter', 'dead letters')}, {once}: {reasons or 'none'}.")


def _alerts(alerts: Collection[Alert]) -> Iterator[str]:
    still_open = sorted((a for a in alerts if a.state in LIVE), key=lambda a: (a.severity, a.opened_at))
    yield f"{many(len(alerts), 'alert', 'alerts')}, {len(still_open)} open:"
    for alert in still_open:
        yield from _wrapped(
            f"  {alert.severity} {alert.kind}, {alert.day or 'no day'}: {alert.message}", "    "
        )


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent)


def next_steps(out: Path) -> Iterator[str]:
    """Three commands for whoever has seen the demo to its end."""
    yield "Try next:"
    yield f"  cat {shlex.quote(str(out / 'report.md'))}"
    yield "  sluice demo --keep        the same, then live traffic and /metrics"
    yield "  sluice backfill --help    the numbers of your own files, without Kafka"


def while_it_lasts(addresses: Sequence[str], pid: int, config: Path) -> Iterator[str]:
    """Three commands for another terminal while the demo stays up."""
    yield "The processes show their numbers at"
    yield from (f"  http://{address}/metrics" for address in addresses)
    yield "Try in another terminal:"
    yield f"  curl -s http://{addresses[0]}/metrics | grep ^sluice_"
    yield f"  sluice rollup --date latest --out rolled-up --config {shlex.quote(str(config))}"
    yield f"  kill -9 {pid}          it is started again, and no number changes"
