"""The core alone, in memory: gate and watch joined without Kafka, and where the gate's time goes."""

from __future__ import annotations

import cProfile
import io
import pstats
import time
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import psutil

from consumer.contract_file import load_contract
from consumer.core.record import StoredRecord
from consumer.local.shop_event import midnight_ms
from consumer.runtime.options import gate_options, watch_options
from consumer.settings import Settings
from consumer.tasks.gate import GateTask
from consumer.tasks.pipeline import Pipeline
from consumer.tasks.task import Moment
from reports.deliver import Deliverer
from tests.bench.measured import Run
from tests.bench.topics import faults, numbers_of
from tests.bench.workload import FIRST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.bench.workload import Keyed, Workload

BATCH = 10_000
WALL_MS = midnight_ms(FIRST_DAY)
MOST_LINES = 25


class Timed(NamedTuple):
    """So many records, and the seconds that gate and watch had with them."""

    records: int
    seconds: float
    cpu_seconds: float


def batches(keyed: Iterable[Keyed]) -> Iterator[list[StoredRecord]]:
    """The events as records, a batch at a time."""
    records = iter(keyed)
    while batch := [StoredRecord(value, key) for key, value in islice(records, BATCH)]:
        yield batch


def new_pipeline() -> Pipeline:
    """Gate and watch of one partition, with everything at its default."""
    settings, contract = Settings(), load_contract(None)
    return Pipeline(gate_options(settings, contract, "bench"), watch_options(settings, contract))


def feed(pipeline: Pipeline, keyed: Iterable[Keyed], reader: Deliverer) -> Timed:
    """Has gate and watch take the events, and the reader the days that come of them."""
    days = Settings().topics.days
    records, seconds, cpu = 0, 0.0, 0.0
    for batch in batches(keyed):
        started, cpu_before = time.perf_counter(), time.process_time()
        outputs = pipeline.feed(batch, wall_ms=WALL_MS)
        seconds += time.perf_counter() - started
        cpu += time.process_time() - cpu_before
        records += len(batch)
        for output in outputs:
            if output.topic == days:
                reader.see_day(output.key, output.value)
    return Timed(records, seconds, cpu)


def run(workload: Workload) -> Run:
    """Gate and watch over all events in one partition."""
    reader = Deliverer()
    timed = feed(new_pipeline(), workload, reader)
    measured = Run("core", *timed, psutil.Process().memory_info().rss)
    measured.faults = faults(workload.right(), numbers_of(reader))
    return measured


def profile(workload: Workload) -> str:
    """The 25 functions of the gate's `decide` that take the most time, as cProfile sees them (which itself adds to
    every call)."""
    task = GateTask(0, gate_options(Settings(), load_contract(None), "bench"))
    profiler, read = cProfile.Profile(), 0
    for batch in batches(workload):
        read += len(batch)
        profiler.enable()
        decision = task.decide(batch, Moment(WALL_MS, read))
        profiler.disable()
        task.apply(decision)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(MOST_LINES)
    return text.getvalue()
