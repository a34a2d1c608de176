"""What the loop's doings come to on the metrics, on a simulated Kafka."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import LogCapture

from consumer.runtime.health import Health
from consumer.runtime.metrics import Metrics
from consumer.runtime.telemetry import COUNT_SECONDS, Telemetry
from consumer.tasks.gate import GateTask
from tests.one_process import EVENTS, OneProcess, Scripted, five_visits
from tests.simulated_transport import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulated_kafka import SimulatedKafka

LAG = "consumer_lag_records"


class Told(OneProcess):
    """A process that tells the telemetry, and what its metrics were at the end of every turn."""

    def __init__(self, kafka: SimulatedKafka, **faults: int) -> None:
        super().__init__(kafka, Scripted(kafka, **faults))
        self.seen: list[dict[str, float | None]] = []
        log = structlog.wrap_logger(None, processors=[LogCapture()])
        self.metrics = Metrics({}, (), ())
        self.telemetry = Telemetry(TOPICS.facts, self.metrics, Health(60, 0), self, log)
        self.telemetry.turned = self._look
        self.after: dict[int, Callable[[], None]] = {}
        """What happens after so many turns."""
        self.loop._observer = self.telemetry

    def _look(self) -> None:
        value = self.metrics.registry.get_sample_value
        gates = [task for task in self.loop.tasks.values() if isinstance(task, GateTask)]
        self.seen.append(
            {
                "gate": value(f"sluice_{LAG}", {"role": "gate"}),
                "watch": value(f"sluice_{LAG}", {"role": "watch"}),
                "sessions": value("sluice_open_sessions"),
                "in memory": sum(len(gate.sessions) for gate in gates),
            }
        )
        self.after.pop(len(self.seen), lambda: None)()


@pytest.fixture
def kafka() -> SimulatedKafka:
    return five_visits()


def view(client: str, at: str) -> bytes:
    return json.dumps({"timestamp": at, "event_name": "page_viewed", "client_id": client}).encode()


def test_no_record_is_waiting_once_everything_is_read_markers_or_not(kafka):
    shop = kafka.begin("shop", kafka.init_transactions("shop"))
    kafka.write(shop, EVENTS, view("c6", "2025-02-27T12:06:00Z"), None, None)
    kafka.end(shop, "committed")
    process = Told(kafka)
    process.run(20)
    assert kafka.logs[EVENTS].end == kafka.offsets[EVENTS] == 7
    assert process.seen[-1]["gate"] == process.seen[-1]["watch"] == 0


def test_what_is_read_but_not_committed_still_waits(kafka):
    process = Told(kafka, commit_refused=3)
    process.run(20)
    assert [seen["gate"] for seen in process.seen].count(5) == 3
    assert process.seen[-1]["gate"] == 0


def test_open_sessions_are_those_that_can_still_be_joined_however_many_are_in_memory(kafka):
    process = Told(kafka)

    def three_hours_later() -> None:
        assert process.seen[-1]["sessions"] == 5
        kafka.advance(COUNT_SECONDS)
        for number in range(40):
            kafka.logs[EVENTS].append(view(f"d{number}", f"2025-02-27T15:00:{number:02d}Z"))

    process.after[10] = three_hours_later
    process.run(20)
    assert process.seen[-1] == {"gate": 0, "watch": 0, "sessions": 40, "in memory": 45}
