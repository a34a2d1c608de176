"""`sluice backfill` over CSV and NDJSON files, and DuckDB over the same ones."""

from __future__ import annotations

import csv
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from consumer.runtime.clock import SystemClock
from tests.bench.daemon import START, read_csv
from tests.bench.duck import DuckDay
from tests.bench.measured import Child, Run
from tests.bench.topics import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.measured import Sample
    from tests.bench.workload import Workload

LOOK_SECONDS = 0.01
FORMATS = ("csv", "ndjson")


def write(path: Path, workload: Workload) -> int:
    """The events as CSV or NDJSON, by the file's name, without the records that are no event; how many."""
    if path.suffix == ".csv":
        return _write_csv(path, workload)
    events = 0
    with path.open("wb") as file:
        for value, _ in _events(workload):
            file.write(value + b"\n")
            events += 1
    return events


def _write_csv(path: Path, workload: Workload) -> int:
    rows = 0
    with path.open("w", newline="") as file:
        writer = None
        for _, fields in _events(workload):
            if writer is None:
                writer = csv.DictWriter(file, fields)
                writer.writeheader()
            writer.writerow(fields)
            rows += 1
    return rows


def _events(workload: Workload) -> Iterator[tuple[bytes, dict[str, str]]]:
    for _, value in workload:
        fields = _fields(value)
        if fields is not None:
            yield value, fields


def _fields(value: bytes) -> dict[str, str] | None:
    try:
        fields = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return None
    return fields if isinstance(fields, dict) and len(fields) == 7 else None


def backfill(workload: Workload, source: Path, events: int, folder: Path) -> Run:
    """A `sluice backfill` of one file, start-up of the program included."""
    arguments = ["-c", START, "backfill", str(source), "--out", str(folder / "out")]
    measured, _ = _ran(arguments, events, folder)
    measured.faults += faults(workload.right(), read_csv(folder / "out"))
    return measured


def duckdb(workload: Workload, source: Path, events: int, folder: Path, threads: int) -> Run:
    """DuckDB over the file, start-up of Python included, with so many threads; 0 = its own default."""
    measured, child = _ran(["-m", "tests.bench.duck", str(source), str(threads)], events, folder)
    if not measured.faults:
        found = msgspec.json.decode(child.words().splitlines()[-1], type=dict[str, DuckDay])
        measured.faults = _duck_faults(workload, found)
    return measured


def _duck_faults(workload: Workload, found: dict[str, DuckDay]) -> list[str]:
    """Days that are not what they have to be, but for sessions, which DuckDB was not asked for."""
    right = workload.right()
    have = {
        day: right[day]._replace(events=it.events, purchases=it.purchases, revenue=Decimal(it.revenue))
        for day, it in found.items()
        if day in right
    }
    return faults(right, have) + [f"{day}: no such day" for day in found.keys() - right.keys()]


def _ran(arguments: list[str], events: int, folder: Path) -> tuple[Run, Child]:
    child = Child(arguments, folder / "log", folder)
    samples: list[Sample] = [child.sample()]
    while not child.ends_within(LOOK_SECONDS):
        with suppress(RuntimeError):  # it has just ended
            samples.append(child.sample())
    code, ended_ms = child.wait(0), SystemClock().now_ms()
    measured = Run(
        "file",
        events,
        (ended_ms - samples[0].at_ms) / 1000,
        samples[-1].cpu_seconds,
        max(sample.resident_bytes for sample in samples),
    )
    if code:
        measured.faults.append(f"exit code {code}: {child.words()[-500:]}")
    return measured, child
