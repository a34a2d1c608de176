"""What the demo shows while it runs: a live table when a person is looking, plain lines when not."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.render.words import STATUS, amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from consumer.core.days import Receipt
    from consumer.runtime.clock import Clock

MOST_ROWS = 12
"""Days in the live table, so that it fits on a small terminal; the newest ones."""

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

    def __enter__(self) -> Self: ...  # noqa: D105 - the language's own meaning

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...  # noqa: D105 - as above

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
    _statuses: dict[str, str] = field(default_factory=dict)
    _counted: int = 0

    def __post_init__(self) -> None:
        self._began = self._said_at = self.clock.monotonic()

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
        for receipt in standing.receipts:
            before = self._statuses.get(receipt.day, "open")
            if receipt.status != before:
                self.happened(_closed(receipt, before))
            self._statuses[receipt.day] = receipt.status
        now = self.clock.monotonic()
        if standing.counted != self._counted and now - self._said_at >= SECONDS_BETWEEN_LINES:
            self.happened(str(standing))
            self._said_at, self._counted = now, standing.counted


def _closed(receipt: Receipt, before: str) -> str:
    if before != "open":
        return f"{receipt.day} was {before} and is {receipt.status} (revision {receipt.revision})"
    return (
        f"{receipt.day} closed: {receipt.status}, {receipt.metrics.sessions or 0:,} sessions, "
        f"{receipt.metrics.purchases or 0:,} purchases, {_revenue(receipt)} revenue"
    )


class LiveScreen:
    """A table that changes in place, below the lines of what happened; it is gone when the context ends."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._console = Console(file=stream, highlight=False)
        self._clock = clock
        self._began = clock.monotonic()
        self._live: Live | None = None

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
        self._console.print(Text(f"{self._clock.monotonic() - self._began:6.1f} s  ", "dim").append(text, "not dim"))

    def show(self, standing: Standing) -> None:
        """See `Screen`."""
        if self._live is not None:
            self._live.update(_picture(standing))


def _picture(standing: Standing) -> Group:
    done = ProgressBar(total=max(1, standing.sent), completed=standing.counted, width=70)
    lines = [Text(f"  {process}") for process in standing.processes]
    return Group("", _table(standing.receipts), done, Text(f"  {standing}"), *lines)


def _table(receipts: Sequence[Receipt]) -> Table:
    table = Table(expand=False)
    table.add_column("day")
    for name in ("events", "sessions", "purchases", "revenue", "rejected"):
        table.add_column(name, justify="right", min_width=8)
    table.add_column("status", min_width=11)
    for receipt in sorted(receipts, key=lambda receipt: receipt.day)[-MOST_ROWS:]:
        metrics, counts = receipt.metrics, receipt.counts
        table.add_row(
            receipt.day,
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
