"""What the demo shows while it runs: a live table when a person is looking, plain lines when not."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.render.words import STATUS, amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from consumer.core.days import Receipt, Status
    from consumer.runtime.clock import Clock

MOST_ROWS = 12
"""Days in the live table, so that it fits on a small terminal; the newest ones."""

BAR_WIDTH = 74
SECONDS_BETWEEN_LINES = 2.0

_STYLE = {"open": "dim", "pass": "green", "at_risk": "yellow", "quarantined": "bold red", "released": "cyan"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands: the days so far, events sent, counted and counted per second, and each process in words."""

    receipts: Sequence[Receipt] = ()
    sent: int = 0
    counted: int = 0
    rate: float = 0.0
    processes: tuple[str, ...] = ()

    def __str__(self) -> str:
        waiting = max(0, self.sent - self.counted)
        return (
            f"{self.counted:,} of {self.sent:,} events counted, {self.rate:,.0f} a second, {waiting:,} to go"
        )


class Screen(Protocol):
    """Used as a context manager, once or several times."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def happened(self, text: str) -> None:
        """Something worth a line of its own."""
        ...

    def show(self, standing: Standing) -> None:
        """How it stands now; called many times a second."""
        ...


@dataclass
class PlainScreen:
    """Lines with the seconds since the start; how it stands at most every two seconds, a day when it closes."""

    stream: TextIO
    clock: Clock
    _began: float = field(init=False)
    _said_at: float = field(init=False)
    _statuses: Statuses = field(init=False)
    _counted: int = 0

    def __post_init__(self) -> None:
        self._began = self._said_at = self.clock.monotonic()
        self._statuses = Statuses()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to put back."""

    def happened(self, text: str) -> None:
        """See `Screen`."""
        print(f"{self.clock.monotonic() - self._began:6.1f} s  {text}", file=self.stream, flush=True)

    def show(self, standing: Standing) -> None:
        """See `Screen`."""
        for text in (*self._statuses.closed(standing.receipts), *self._statuses.amended(standing.receipts)):
            self.happened(text)
        now = self.clock.monotonic()
        if standing.counted != self._counted and now - self._said_at >= SECONDS_BETWEEN_LINES:
            self.happened(str(standing))
            self._said_at, self._counted = now, standing.counted


class Statuses:
    """The days' last known statuses, and sentences about those that have changed since."""

    def __init__(self) -> None:
        self._known: dict[str, Status] = {}

    def closed(self, receipts: Sequence[Receipt]) -> list[str]:
        """Days that were open until now."""
        changed = [it for it in receipts if it.status != "open" and it.day not in self._known]
        self._known.update((it.day, it.status) for it in changed)
        return [
            f"{it.day} closed: {STATUS[it.status]}, {it.metrics.sessions or 0:,} sessions, "
            f"{it.metrics.purchases or 0:,} purchases, {_revenue(it)} revenue"
            for it in changed
        ]

    def amended(self, receipts: Sequence[Receipt]) -> list[str]:
        """Closed days whose status has become another."""
        changed = [it for it in receipts if self._known.get(it.day, it.status) != it.status]
        texts = [
            f"{it.day} was {STATUS[self._known[it.day]]} and is now {STATUS[it.status]} (revision {it.revision})"
            for it in changed
        ]
        self._known.update((it.day, it.status) for it in changed)
        return texts


class LiveScreen:
    """A table that changes in place, below the lines of what happened; it is gone when the context ends."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._console = Console(file=stream, highlight=False)
        self._clock = clock
        self._began = clock.monotonic()
        self._live: Live | None = None
        self._statuses = Statuses()

    def __enter__(self) -> Self:
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.__exit__(kind, error, trace)

    def happened(self, text: str) -> None:
        """See `Screen`."""
        self._console.print(
            Text(f"{self._clock.monotonic() - self._began:6.1f} s  ", "dim").append(text, "not dim")
        )

    def show(self, standing: Standing) -> None:
        """See `Screen`."""
        self._statuses.closed(standing.receipts)  # the table shows it
        for text in self._statuses.amended(standing.receipts):
            self.happened(text)
        if self._live is not None:
            self._live.update(_picture(standing))


def _picture(standing: Standing) -> Group:
    bar = ProgressBar(total=max(1, standing.sent), completed=standing.counted, width=BAR_WIDTH)
    done = Padding(bar, (0, 2), expand=False)  # which also ends the bar's line
    lines = [Text(f"  {process}") for process in standing.processes]
    days = [_table(standing.receipts)] if standing.receipts else []
    return Group("", *days, done, Text(f"  {standing}"), *lines)


def _table(receipts: Sequence[Receipt]) -> Table:
    """Fits into 80 columns."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("  day", no_wrap=True)
    for name in ("events", "sessions", "purchases", "revenue", "rejected"):
        table.add_column(name, justify="right", min_width=8)
    table.add_column("status", min_width=11)
    for receipt in sorted(receipts, key=lambda receipt: receipt.day)[-MOST_ROWS:]:
        metrics, counts = receipt.metrics, receipt.counts
        table.add_row(
            f"  {receipt.day}",
            f"{counts.events:,}",
            "" if metrics.sessions is None else f"{metrics.sessions:,}",
            "" if metrics.purchases is None else f"{metrics.purchases:,}",
            _revenue(receipt),
            f"{counts.rejected:,}",
            Text(STATUS[receipt.status], _STYLE[receipt.status]),
        )
    return table


def _revenue(receipt: Receipt) -> str:
    revenue = receipt.metrics.revenue
    return amount("revenue", None if revenue is None else Decimal(revenue))
