"""What the demo shows while it runs: a picture that moves when a person is looking, plain lines when not."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumer.local.demo_standing import SEVERITY, picture
from reports.render.words import STATUS, amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from types import TracebackType

    from rich.console import RenderableType

    from consumer.core.days import Receipt, Status
    from consumer.local.demo_incidents import Sighting
    from consumer.local.demo_standing import Standing
    from consumer.runtime.clock import Clock

PLAIN_WIDTH = 80
"""Columns where nobody looks at a terminal: files and logs."""

SECONDS_BETWEEN_LINES = 2.0
SECONDS_BETWEEN_PICTURES = 0.12


class Screen(Protocol):
    """Used as a context manager while something moves, once or several times."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def width(self) -> int:
        """Its columns."""
        ...

    def say(self, *what: RenderableType) -> None:
        """Something to stay, such as a table; each begins on a line of its own."""
        ...

    def happened(self, text: str, style: str = "") -> None:
        """Something worth a line, with its time."""
        ...

    def sighted(self, sighting: Sighting) -> None:
        """An alert has opened."""
        ...

    def show(self, standing: Standing) -> None:
        """How it stands now; called many times a second."""
        ...


@dataclass
class PlainScreen:
    """Lines with the seconds since the start; how it stands at most every two seconds, a day when it closes."""

    stream: TextIO
    clock: Clock
    width: int = PLAIN_WIDTH
    _began: float = field(init=False)
    _said_at: float = field(init=False)
    _statuses: Statuses = field(init=False)
    _said: str = ""

    def __post_init__(self) -> None:
        self._began = self._said_at = self.clock.monotonic()
        self._statuses = Statuses()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to put back."""

    def say(self, *what: RenderableType) -> None:
        """See `Screen`."""
        paper = io.StringIO()
        _put(Console(file=paper, width=self.width, color_system=None, highlight=False), what)
        for line in paper.getvalue().splitlines():
            print(line.rstrip(), file=self.stream)
        self.stream.flush()

    def happened(self, text: str, style: str = "") -> None:  # noqa: ARG002 - lines have none
        """See `Screen`."""
        print(f"{self.clock.monotonic() - self._began:6.1f} s  {text}", file=self.stream, flush=True)

    def sighted(self, sighting: Sighting) -> None:
        """See `Screen`."""
        self.happened(f"{sighting.headline}: {sighting.sentence}")

    def show(self, standing: Standing) -> None:
        """See `Screen`."""
        for text in (*self._statuses.closed(standing.receipts), *self._statuses.amended(standing.receipts)):
            self.happened(text)
        now, said = self.clock.monotonic(), str(standing)
        if said != self._said and now - self._said_at >= SECONDS_BETWEEN_LINES:
            self.happened(said)
            self._said_at, self._said = now, said


class Statuses:
    """The days' last known statuses, and sentences about those that have changed since."""

    def __init__(self) -> None:
        self._known: dict[str, Status] = {}

    def closed(self, receipts: Collection[Receipt]) -> list[str]:
        """Days that have closed."""
        changed = [it for it in receipts if it.status != "open" and it.day not in self._known]
        self._known.update((it.day, it.status) for it in changed)
        return [
            f"{it.day} closed: {STATUS[it.status]}, {it.metrics.sessions or 0:,} sessions, "
            f"{it.metrics.purchases or 0:,} purchases, {_revenue(it)} revenue"
            for it in changed
        ]

    def amended(self, receipts: Collection[Receipt]) -> list[str]:
        """Closed days whose status has become another."""
        changed = [it for it in receipts if self._known.get(it.day, it.status) != it.status]
        texts = [
            f"{it.day} was {STATUS[self._known[it.day]]} and is now {STATUS[it.status]} (revision {it.revision})"
            for it in changed
        ]
        self._known.update((it.day, it.status) for it in changed)
        return texts


class LiveScreen:
    """A picture that changes in place, below the lines of what happened; it is gone when the context ends."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._console = Console(file=stream, highlight=False)
        self._clock = clock
        self._began = clock.monotonic()
        self._live: Live | None = None
        self._drawn_at = -math.inf
        self._statuses = Statuses()

    @property
    def width(self) -> int:
        """See `Screen`."""
        return self._console.width

    def __enter__(self) -> Self:
        # Drawn by whoever shows, never by a thread of its own, which would draw over lines that are just being printed.
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.__exit__(kind, error, trace)

    def say(self, *what: RenderableType) -> None:
        """See `Screen`."""
        _put(self._console, what)

    def happened(self, text: str, style: str = "") -> None:
        """See `Screen`."""
        self._print(Text(text, style))

    def sighted(self, sighting: Sighting) -> None:
        """See `Screen`."""
        headline = Text(f"▲ {sighting.headline}", SEVERITY[sighting.alert.severity])
        self._print(headline.append(f"\n{sighting.sentence}", "not bold default"))

    def show(self, standing: Standing) -> None:
        """See `Screen`."""
        self._statuses.closed(standing.receipts)  # the picture shows it
        for text in self._statuses.amended(standing.receipts):
            self.happened(text)
        now = self._clock.monotonic()
        if self._live is not None and now - self._drawn_at >= SECONDS_BETWEEN_PICTURES:
            self._live.update(picture(standing, self._console.width, self._console.height), refresh=True)
            self._drawn_at = now

    def _print(self, text: Text) -> None:
        """With its time, further lines below the first."""
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(style="dim", no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(f"{self._clock.monotonic() - self._began:6.1f} s", text)
        self._console.print(line)


def _put(console: Console, what: Iterable[RenderableType]) -> None:
    """Each by itself, for texts are joined otherwise; and those that are not to be wrapped whole, as they are copied."""
    for it in what:
        console.print(it, soft_wrap=isinstance(it, Text) and bool(it.no_wrap))


def _revenue(receipt: Receipt) -> str:
    revenue = receipt.metrics.revenue
    return amount("revenue", None if revenue is None else Decimal(revenue))
