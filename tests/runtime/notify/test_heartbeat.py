"""The sign of life: it comes while alerts would reach somebody, and stays away when they would not."""

from __future__ import annotations

import structlog
from structlog.testing import LogCapture

from consumer.runtime.clock import SystemClock
from consumer.runtime.metric_definitions import Definitions
from consumer.runtime.notify.heartbeat import Heartbeat
from consumer.runtime.notify.notify_metrics import NotifyMetrics
from tests.runtime.notify.servers import OK, answer, http_server


def beating(url, withheld):
    definitions, said = Definitions(), LogCapture()
    metrics = NotifyMetrics(definitions, ("ops",))
    log = structlog.wrap_logger(None, processors=[said])
    beat = Heartbeat(url, 60, withheld, metrics, SystemClock(), log)

    def counted():
        value = definitions.registry.get_sample_value
        return {
            word: value("sluice_heartbeats_total", {"outcome": word})
            for word in ("sent", "failed", "withheld")
        }

    return beat, counted, said.entries


def test_it_is_given_when_all_is_well_and_withheld_when_not():
    why = [""]
    with http_server() as receiver:
        beat, counted, said = beating(f"{receiver.url}/ping", lambda: why[0])
        beat.beat()
        why[0] = "no receiver can be reached"
        beat.beat()
        beat.beat()
        why[0] = ""
        beat.beat()
        why[0] = None  # another process delivers
        beat.beat()
    assert [request.line for request in receiver.requests] == ["GET /ping HTTP/1.1"] * 2
    assert counted() == {"sent": 2, "failed": 0, "withheld": 2}
    assert [entry["event"] for entry in said] == ["no heartbeat", "the heartbeat goes on"]


def test_a_switch_that_cannot_be_reached_is_said_once_without_its_address():
    with http_server(answer(500), answer(500), OK) as receiver:
        beat, counted, said = beating(f"{receiver.url}/hunter2", lambda: "")
        for _ in range(3):
            beat.beat()
    assert counted() == {"sent": 1, "failed": 2, "withheld": 0}
    assert [entry["event"] for entry in said] == ["no heartbeat", "the heartbeat goes on"]
    assert "hunter2" not in str(said)
