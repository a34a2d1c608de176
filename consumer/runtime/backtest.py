"""Files through gate and watch as often as there are sets of thresholds, in one reading, and no file written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from consumer.runtime.file_batches import read_batches
from consumer.runtime.options import gate_options, watch_options
from consumer.tasks.judge_metrics import day_number
from consumer.tasks.pipeline import Pipeline
from detectors.alerts import Alert
from detectors.answer import Reason
from detectors.deviation import DeviationState
from detectors.replay import replay
from detectors.watched import WATCHED
from reports.deliver import Deliverer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consumer.core.contract import Contract
    from consumer.core.days import Receipt
    from consumer.core.record import Output, Record
    from consumer.core.rejection import Rejection
    from consumer.settings import Settings
    from detectors.baseline import PastDay
    from detectors.replay import Explained
    from detectors.watched import WatchLimits

BATCH = 1_000
"""Few enough events that no batch closes more days than the watch remembers (42), unless a day has fewer than 24."""

_decode = msgspec.json.Decoder(Alert).decode
_state = msgspec.msgpack.Decoder(DeviationState).decode


@dataclass(slots=True)
class Trial:
    """What one set of thresholds made of the files. `heard` are the alerts that were not held back by a cause all the
    time, as they were when they were first seen so; later their numbers go on."""

    limits: WatchLimits
    seen: Deliverer = field(default_factory=Deliverer)
    heard: dict[str, Alert] = field(default_factory=dict)
    pasts: dict[int, PastDay] = field(default_factory=dict)

    @property
    def days(self) -> list[Receipt]:
        """The closed days, oldest first."""
        return sorted((one for one in self.seen.receipts if one.closed_at), key=lambda one: one.day)

    def explained(self) -> dict[int, dict[str, Explained]]:
        """The numbers behind what was said of every closed day's metrics, by day (since 1970-01-01) and metric."""
        gone = {day_number(one.day): _not_judged(one) for one in self.days}
        return replay(list(self.pasts.values()), self.limits, gone)


def _not_judged(receipt: Receipt) -> dict[str, str]:
    """The metrics that could not be measured, or not judged since the input ends in the middle of the day; and why."""
    reasons = {check.rule: check.reason for check in receipt.checks}
    judged = ((watched.metric, reasons.get(watched.rule, "")) for watched in WATCHED)
    return {
        metric: why for metric, why in judged if why.startswith(Reason.UNMEASURABLE)
    } | receipt.not_measurable


@dataclass(slots=True)
class Backtest:
    """What came of it: a trial for each set of thresholds, how many records were read, which files were cut short."""

    trials: list[Trial]
    records: int = 0
    cut_short: list[str] = field(default_factory=list)


class _Run:
    """One set of thresholds at work."""

    def __init__(self, settings: Settings, contract: Contract, version: str) -> None:
        watch = watch_options(settings, contract)
        self.trial = Trial(watch.judge.limits)
        self._topics = settings.topics
        self._pipeline = Pipeline(gate_options(settings, contract, version), watch)
        self._known: bytes | None = None

    def feed(self, records: list[Record], unreadable: list[tuple[Record, Rejection]], wall_ms: int) -> None:
        self._see(self._pipeline.feed(records, wall_ms=wall_ms, unreadable=unreadable))

    def end(self, wall_ms: int) -> None:
        self._see(self._pipeline.end(wall_ms))

    def _see(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.topic == self._topics.days:
                self.trial.seen.see_day(output.key, output.value)
            elif output.topic == self._topics.alerts and output.value is not None:
                self.trial.seen.see_alert(output.key, output.value)
                alert = _decode(output.value)
                if _reaches_a_reader(alert):
                    self.trial.heard.setdefault(alert.id, alert)
        self._learn()

    def _learn(self) -> None:
        """Keeps the days that closed as the watch learned them: what it remembers it forgets after six weeks."""
        packed = self._pipeline.watch.state.minds.get("deviation")
        if packed is not None and packed != self._known:
            self._known = packed
            for past in _state(packed).baseline.days:
                self.trial.pasts.setdefault(past.day, past)


def _reaches_a_reader(alert: Alert) -> bool:
    """Whether it is in the open, or was over within a batch without a cause that held it back."""
    if alert.state in {"resolved", "expired"}:
        history = (alert.evidence or {}).get("history") or []
        return not any(entry.get("state") == "inhibited" for entry in history)
    return alert.state not in {"inhibited", "silenced"}


def backtest(
    files: Sequence[Path],
    sets: Sequence[Settings],
    contract: Contract,
    version: str,
    wall_ms: int,
    on_bytes: Callable[[int], object],
) -> Backtest:
    """Reads the files in the order given, once, and tries each set of settings on them.

    Raises FileError for a file that cannot be read.
    """
    runs = [_Run(settings, contract, version) for settings in sets]
    outcome = Backtest([run.trial for run in runs])
    for batch in read_batches(files, contract, BATCH, on_bytes):
        outcome.records += batch.size
        outcome.cut_short += batch.cut_short
        for run in runs:
            run.feed(batch.records, batch.unreadable, wall_ms)
    for run in runs:
        run.end(wall_ms)
    return outcome
