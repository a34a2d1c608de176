"""How the demo stands at a moment, and its picture on a terminal. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.render.words import NONE, STATUS, amount

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import RenderableType

    from consumer.core.days import Receipt, Status

FEWEST_ROWS = 3
OTHER_ROWS = 12
"""Lines of a terminal that are left for everything but the days: heading, bar, processes, and what happened last."""

WIDE = 80
NARROW = 50
"""From so many columns on a table of days has all of its columns, and most of them."""

BAR_WIDTH = 60

STYLE: dict[Status, str] = {
    "open": "dim",
    "pass": "green",
    "at_risk": "yellow",
    "quarantined": "bold red",
    "released": "cyan",
}


SEVERITY = {"P0_BLOCKER": "bold red", "P1_HIGH": "yellow", "P2_NOTE": "cyan"}


@dataclass(frozen=True, slots=True)
class Process:
    """A process of Sluice: its partitions, and where its metrics are once they are there."""

    name: str
    pid: int
    partitions: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The days so far, events sent, counted and counted per second, and the processes. While the shop sends its past,
    before any is counted, `sending` is the share that is sent."""

    receipts: Collection[Receipt] = ()
    sent: int = 0
    counted: int = 0
    rate: float = 0.0
    processes: tuple[Process, ...] = ()
    sending: float | None = None

    def __str__(self) -> str:
        """In a line."""
        if self.sending is not None:
            return f"the shop has sent {self.sent:,} events"
        return f"{self.counted:,} of {self.sent:,} events counted, {self.rate:,.0f} a second"


def picture(standing: Standing, width: int, height: int) -> RenderableType:
    """All of it, for a terminal of that many columns and lines."""
    if standing.sending is not None:
        return Group("", _bar(standing.sending, 1, width, "cyan"), Text(f"  {standing}"))
    bar = _bar(standing.counted, max(1, standing.sent), width, "green")
    rows = max(height - OTHER_ROWS, FEWEST_ROWS)
    newest = sorted(standing.receipts, key=lambda receipt: receipt.day)[-rows:]
    lines: list[RenderableType] = [Padding(table_of_days(newest, width), (0, 0, 0, 2)), ""] if newest else []
    lines += [bar, Text(f"  {standing}"), *map(_line, standing.processes)]
    return Group("", *lines)


def _bar(done: float, total: float, width: int, style: str) -> RenderableType:
    columns = min(BAR_WIDTH, max(width - 4, 1))
    bar = ProgressBar(total=total, completed=done, width=columns, complete_style=style, finished_style=style)
    return Padding(bar, (0, 2), expand=False)  # which also ends the bar's line


def table_of_days(receipts: Sequence[Receipt], width: int, wrong: Collection[str] = ()) -> Table:
    """A row a day; on a narrow terminal only what matters most. The days in `wrong` are marked."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("day", no_wrap=True)
    columns: tuple[str, ...] = ("sessions", "purchases", "revenue", "conv.", "direct")
    if width < WIDE:
        columns = ("purchases", "revenue") if width >= NARROW else ("revenue",)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    table.add_column("verdict", no_wrap=True, min_width=len("quarantined"))
    for receipt in receipts:
        cells = _cells(receipt)
        verdict = Text(STATUS[receipt.status], STYLE[receipt.status])
        if receipt.day in wrong:
            verdict.append(" WRONG", "bold red")
        table.add_row(receipt.day, *(cells[name] for name in columns), verdict)
    return table


def _cells(receipt: Receipt) -> dict[str, str]:
    metrics = receipt.metrics
    return {
        "sessions": _shown("sessions", metrics.sessions),
        "purchases": _shown("purchases", metrics.purchases),
        "revenue": _shown("revenue", metrics.revenue),
        "conv.": _shown("conversion_rate", metrics.conversion_rate),
        "direct": _shown("direct_share", metrics.direct_share),
    }


def _shown(metric: str, value: int | str | None) -> str:
    return NONE if value is None else amount(metric, Decimal(value))


def _line(process: Process) -> Text:
    line = Text(f"  {process.name} ", no_wrap=True, overflow="ellipsis")
    line.append(f"pid {process.pid}  ", "dim")
    line.append(" ".join(process.partitions) or "no partition", "" if process.partitions else "yellow")
    if process.address:
        line.append(f"  http://{process.address}/metrics", f"dim link http://{process.address}/metrics")
    return line
