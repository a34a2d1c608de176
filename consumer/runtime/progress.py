"""How far long work has come: a bar when a person is looking, a plain line every so often when not."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from consumer.runtime.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS_BETWEEN_LINES = 10.0
"""How often a line comes where nobody is looking: a log of an hour's work stays readable."""


@contextmanager
def progress(
    title: str, total: int, stream: TextIO | None = None, clock: Clock | None = None
) -> Iterator[Callable[[int], None]]:
    """Shows how much of `total` is done while the block runs. Yields the function to be told how much more is.

    A bar on `stream` (default: standard error) if it is a terminal, which is gone when the work is done; else lines
    such as `Reading: 40 %`, at most one every ten seconds, so that short work says nothing at all.

    >>> with progress("Reading", 100) as advance:
    ...     advance(40)
    """
    stream = stream or sys.stderr
    if stream.isatty():
        with _bar(title, total, stream) as advance:
            yield advance
    else:
        yield _Lines(title, total, stream, clock or SystemClock()).advance


@contextmanager
def _bar(title: str, total: int, stream: TextIO) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda more: bar.advance(task, more)


class _Lines:
    def __init__(self, title: str, total: int, stream: TextIO, clock: Clock) -> None:
        self._title = title
        self._total = max(total, 1)
        self._stream = stream
        self._clock = clock
        self._done = 0
        self._said_at = clock.monotonic()

    def advance(self, more: int) -> None:
        self._done += more
        now = self._clock.monotonic()
        if now - self._said_at >= SECONDS_BETWEEN_LINES:
            self._said_at = now
            percent = min(100 * self._done // self._total, 100)
            print(f"{self._title}: {percent} %", file=self._stream, flush=True)
