"""Everybody who tells of alerts, put together: how it ends."""

from __future__ import annotations

import threading

import structlog
from structlog.testing import LogCapture

from consumer.runtime.clock import SystemClock
from consumer.runtime.metrics import Metrics
from consumer.runtime.notify import notifier
from consumer.runtime.notify.notifier import Notifier
from consumer.runtime.notify.notify_metrics import NotifyMetrics
from reports.notify import hearing
from reports.notify.told import Knowledge
from tests.runtime.notify.servers import http_server
from tests.runtime.notify.test_worker import fresh, hook
from tests.waiting import wait_until

DEADLINE_SECONDS = 30


class Log:
    """A record that is always there."""

    def __init__(self):
        self.written = {}
        self.closed = threading.Event()

    def open(self):
        return {"ops": Knowledge()}

    def write(self, records):
        self.written.update(records)

    def close(self):
        self.closed.set()


def test_a_receiver_that_hangs_holds_up_the_end_for_some_seconds_only_and_not_the_record(monkeypatch):
    monkeypatch.setattr(hearing, "GATHER_MS", 20)
    monkeypatch.setattr(notifier, "LAST_SECONDS", -0.9)
    clock, log = SystemClock(), Log()
    metrics = NotifyMetrics(Metrics({}, (), ()).definitions, ("ops",))
    with http_server("hang") as receiver:
        told = Notifier(
            [hook(receiver, timeout_seconds=300)],
            log,
            metrics,
            clock,
            structlog.wrap_logger(None, processors=[LogCapture()]),
            lambda: "",
        )
        told.start()
        told.show(fresh("a"), [])
        wait_until(lambda: receiver.requests, DEADLINE_SECONDS, "a try that hangs")
        log.closed.clear()
        ending = threading.Thread(target=told.stop, daemon=True)
        ending.start()
        ending.join(DEADLINE_SECONDS)
        assert not ending.is_alive()
        assert not receiver.taken
    assert log.closed.is_set()
    assert log.written
