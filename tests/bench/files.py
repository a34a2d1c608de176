"""`sluice backfill` over CSV files."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import msgspec

from tests.bench.daemon import START, read_csv
from tests.bench.measured import Child, Run
from tests.bench.topics import faults
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.measured import Sample
    from tests.bench.workload import Workload

LONGEST_SECONDS = 300


def write(path: Path, workload: Workload) -> int:
    """The events as CSV, without the records that are no event; how many rows."""
    rows = 0
    with path.open("w", newline="") as file:
        writer = None
        for _, value in workload:
            fields = _fields(value)
            if fields is None:
                continue
            if writer is None:
                writer = csv.DictWriter(file, fields)
                writer.writeheader()
            writer.writerow(fields)
            rows += 1
    return rows


def _fields(value: bytes) -> dict[str, str] | None:
    try:
        fields = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return None
    return fields if isinstance(fields, dict) and len(fields) == 7 else None


def run(workload: Workload, folder: Path) -> Run:
    """Start-up of the program included."""
    source = folder / "events.csv"
    rows = write(source, workload)
    child = Child(
        ["-c", START, "backfill", str(source), "--out", str(folder / "out")], folder / "log", folder
    )
    samples: list[Sample] = [child.sample()]
    wait_until(lambda: _ended(child, samples), LONGEST_SECONDS, "the files are read")
    code = child.wait(LONGEST_SECONDS)
    measured = Run(
        "backfill",
        rows,
        (samples[-1].at_ms - samples[0].at_ms) / 1000,
        samples[-1].cpu_seconds,
        max(sample.resident_bytes for sample in samples),
    )
    measured.faults = faults(workload.right(), read_csv(folder / "out"))
    if code:
        measured.faults.append(f"exit code {code}: {child.words()[-500:]}")
    return measured


def _ended(child: Child, samples: list[Sample]) -> bool:
    try:
        samples.append(child.sample())
    except RuntimeError:
        return True
    return False
