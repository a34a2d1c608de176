"""Files through the same gate and watch, without Kafka."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consumer.runtime.dead_letter_file import dead_letter_file
from consumer.runtime.file_batches import read_batches
from consumer.runtime.options import gate_options, watch_options
from consumer.tasks.pipeline import Pipeline
from reports.deliver import Deliverer
from reports.render import days_ndjson
from reports.render.source import Source
from reports.sinks import directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consumer.core.contract import Contract
    from consumer.core.record import Output
    from consumer.settings import Settings

BATCH = 10_000


@dataclass(slots=True)
class Outcome:
    """What a backfill did: the deliverer that holds its days and alerts, dead letters by reason, what was cut short."""

    deliverer: Deliverer = field(default_factory=lambda: Deliverer(Source.FILES))
    records: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    cut_short: list[str] = field(default_factory=list)


def backfill(
    files: Sequence[Path],
    out: Path,
    settings: Settings,
    contract: Contract,
    version: str,
    wall_ms: int,
    on_bytes: Callable[[int], object],
) -> Outcome:
    """Reads the files in the order given and writes the daily files and the dead letters to `out`.

    Raises FileError for a file that cannot be read, directory.SinkError and OSError where `out` cannot be written.
    """
    outcome = Outcome()
    out.mkdir(parents=True, exist_ok=True)
    pipeline = Pipeline(gate_options(settings, contract, version), watch_options(settings, contract))
    with dead_letter_file(out) as bury:
        for batch in read_batches(files, contract, BATCH, on_bytes):
            outcome.records += batch.size
            outcome.cut_short += batch.cut_short
            outputs = pipeline.feed(batch.records, wall_ms=wall_ms, unreadable=batch.unreadable)
            _take(outputs, outcome, settings, bury)
        _take(pipeline.end(wall_ms), outcome, settings, bury)
    days = days_ndjson.render(outcome.deliverer.receipts)
    made = outcome.deliverer.files(unplaced=outcome.rejected)
    directory.write(out, made | {days_ndjson.NAME: days})
    return outcome


def _take(
    outputs: list[Output], outcome: Outcome, settings: Settings, bury: Callable[[Output], None]
) -> None:
    topics = settings.topics
    for output in outputs:
        if output.topic == topics.days:
            outcome.deliverer.see_day(output.key, output.value)
        elif output.topic == topics.alerts:
            outcome.deliverer.see_alert(output.key, output.value)
        elif output.topic == topics.dead_letters:
            reason = dict(output.headers or [])["sluice.reason"] or b""
            outcome.rejected[reason.decode()] = outcome.rejected.get(reason.decode(), 0) + 1
            bury(output)
