"""The demo's second opinion: the very same events through the same core, in memory, in one piece and without Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.record import StoredRecord
from consumer.runtime.options import gate_options, watch_options
from consumer.tasks.pipeline import Pipeline
from reports.deliver import Deliverer

if TYPE_CHECKING:
    from collections.abc import Collection

    from consumer.core.contract import Contract
    from consumer.core.days import Receipt
    from consumer.settings import Settings
    from detectors.alerts import Alert

BATCH = 10_000


class Reference:
    """Takes events one by one, in the order in which they are sent. Complete after `finish`."""

    def __init__(self, settings: Settings, contract: Contract, version: str, wall_ms: int) -> None:
        self._pipeline = Pipeline(
            gate_options(settings, contract, version), watch_options(settings, contract)
        )
        self._topics = settings.topics
        self._wall_ms = wall_ms
        self._deliverer = Deliverer()
        self._waiting: list[StoredRecord] = []
        self._taken = 0

    @property
    def alerts(self) -> Collection[Alert]:
        """The latest state of every alert."""
        return self._deliverer.alerts

    @property
    def receipts(self) -> Collection[Receipt]:
        """The receipt of every day."""
        return self._deliverer.receipts

    def take(self, value: bytes, key: bytes | None) -> None:
        """One event."""
        record = StoredRecord(
            value, key, topic=self._topics.input, offset=self._taken, timestamp_ms=self._wall_ms
        )
        self._waiting.append(record)
        self._taken += 1
        if len(self._waiting) >= BATCH:
            self.finish()

    def finish(self) -> None:
        """Judges what was taken. The days stay as they are: only the watermark closes them, as on Kafka."""
        records, self._waiting = self._waiting, []
        for output in self._pipeline.feed(records, wall_ms=self._wall_ms):
            if output.topic == self._topics.days:
                self._deliverer.see_day(output.key, output.value)
            elif output.topic == self._topics.alerts:
                self._deliverer.see_alert(output.key, output.value)
