"""The real gate and watch in memory, fed as one of the program's ways of running feeds them, and the alerts they raise."""

from __future__ import annotations

import copy
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import msgspec

from consumer.contract_file import load_contract
from consumer.core import timestamps
from consumer.core.record import StoredRecord
from consumer.runtime.options import gate_options, watch_options
from consumer.settings import Settings
from consumer.tasks.pipeline import Pipeline
from detectors.alerts import Alert, Severity
from tests.scenarios.event import DAY_MS, MINUTE_MS, Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumer.core.record import Output
    from consumer.tasks.gate_state import GateOptions
    from consumer.tasks.watch_state import WatchOptions


class Way(StrEnum):
    """How events reach the core: a file of one partition; partitions read live, at their ends and on the clock; or
    partitions of old events, read one after the other."""

    FILE = "file"
    LIVE = "live"
    BACKLOG = "backlog"


PARTITIONS = {Way.FILE: 1, Way.LIVE: 3, Way.BACKLOG: 4}
PAGING = (Severity.P0_BLOCKER, Severity.P1_HIGH)
HELD = frozenset({"inhibited", "silenced"})
OVER = frozenset({"resolved", "expired"})
LONG_AFTER_MS = 400 * DAY_MS
_decode = msgspec.json.Decoder(Alert).decode


class Page(NamedTuple):
    """A P0 or P1 that reached a person: as it was when it was first open. `sent_ms` is the time of the last event, or
    of the clock, that had been read when it came out."""

    id: str
    kind: str
    severity: str
    opened_ms: int
    sent_ms: int
    metric: str | None
    subject: str | None
    message: str


@cache
def _options() -> tuple[GateOptions, WatchOptions, str]:
    settings, contract = Settings(), load_contract(None)
    gate = gate_options(settings, contract, "scenarios")
    return gate, watch_options(settings, contract), settings.topics.alerts


class Core:
    """Gate and watch, and the pages so far by id."""

    def __init__(self, way: Way) -> None:
        gate, watch, _ = _options()
        self.way = way
        self.pages: dict[str, Page] = {}
        self._pipeline = Pipeline(gate, watch, PARTITIONS[way])
        self._turn = 0
        self._held: set[str] = set()

    def copy(self) -> Core:
        """One that goes on from here by itself."""
        gate, watch, topic = _options()
        shared = {id(one): one for one in (gate, watch, topic)}
        return copy.deepcopy(self, shared)

    def feed(self, events: Sequence[Event], minutes: int) -> None:
        """Takes events, those of so many minutes at a time. Live, the clock goes on in minutes without events too."""
        live = self.way is Way.LIVE
        for end_ms, batch in _batches(events, minutes * MINUTE_MS, gaps=live):
            for partition, records in enumerate(self._records(batch)):
                if records:
                    self._feed(records, partition, end_ms, at_end=False)
            for partition in range(len(self._pipeline.gates) if live else 0):
                self._feed([], partition, end_ms, at_end=True)  # once all have what came before

    def _feed(self, records: Sequence[StoredRecord], partition: int, end_ms: int, *, at_end: bool) -> None:
        wall_ms = end_ms if self.way is Way.LIVE else end_ms + LONG_AFTER_MS
        outputs = self._pipeline.feed(records, wall_ms=wall_ms, partition=partition, at_end=at_end)
        self._see(outputs, end_ms)

    def end(self, now_ms: int) -> None:
        """The input is over: what is reached closes."""
        self._see(self._pipeline.end(now_ms), now_ms)

    def _records(self, batch: Sequence[Event]) -> list[list[StoredRecord]]:
        parts: list[list[StoredRecord]] = [[] for _ in self._pipeline.gates]
        for event in batch:
            self._turn += 1
            key = None if event.client is None or self.way is Way.FILE else event.client.encode()
            place = (self._turn if key is None else crc32(key)) % len(parts)
            logged = event.at_ms if self.way is Way.LIVE else None
            parts[place].append(StoredRecord(event.value, key, partition=place, timestamp_ms=logged))
        return parts

    def _see(self, outputs: Sequence[Output], now_ms: int) -> None:
        topic = _options()[2]
        for output in outputs:
            if output.topic == topic and output.value is not None:
                self._see_alert(_decode(output.value), now_ms)

    def _see_alert(self, alert: Alert, now_ms: int) -> None:
        """A page if it is open, or was over before anybody could see it open; not if it was held back until its end."""
        if alert.severity not in PAGING or alert.id in self.pages:
            return
        if alert.state in HELD:
            self._held.add(alert.id)
        elif alert.state not in OVER or (alert.id not in self._held and alert.caused_by is None):
            self.pages[alert.id] = _page(alert, now_ms)


def _page(alert: Alert, now_ms: int) -> Page:
    opened_ms = timestamps.parse(alert.opened_at) or 0
    return Page(
        alert.id,
        alert.kind,
        str(alert.severity),
        opened_ms,
        now_ms,
        alert.metric,
        alert.subject,
        alert.message,
    )


def _batches(events: Sequence[Event], width_ms: int, *, gaps: bool) -> Iterator[tuple[int, list[Event]]]:
    """The events in windows of the clock, each with its window's end."""
    batch: list[Event] = []
    end_ms = 0
    for event in events:
        if event.at_ms >= end_ms:
            if end_ms:
                yield end_ms, batch
                end_ms += width_ms
                while gaps and event.at_ms >= end_ms:
                    yield end_ms, []
                    end_ms += width_ms
            end_ms = (event.at_ms // width_ms + 1) * width_ms
            batch = []
        batch.append(event)
    if batch:
        yield end_ms, batch
