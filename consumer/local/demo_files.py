"""What the demo itself writes beside the daily files: its events, its receipts, and a page of metrics."""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from consumer.local.demo_leftovers import EVENTS, METRICS
from reports.render import days_ndjson

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from consumer.core.days import Receipt

ANSWER_SECONDS = 10.0


@contextmanager
def event_file(folder: Path) -> Iterator[Callable[[bytes], object]]:
    """Takes events, which it writes as lines of a file that `sluice backfill` reads."""
    with gzip.open(folder / EVENTS, "wb", compresslevel=1) as file:
        yield lambda value: file.write(value + b"\n")


def save_days(folder: Path, receipts: Collection[Receipt]) -> str:
    """Writes the receipts, as `sluice report --folder` reads them; the file's name."""
    (folder / days_ndjson.NAME).write_bytes(days_ndjson.render(receipts))
    return days_ndjson.NAME


def save_metrics(folder: Path, address: str) -> str:
    """Writes what a process says at /metrics; the file's name. Raises OSError where it does not answer."""
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read()
    except HTTPException as error:
        raise OSError(f"http://{address}/metrics gives no answer: {error}") from error
    finally:
        connection.close()
    (folder / METRICS).write_bytes(page)
    return METRICS
