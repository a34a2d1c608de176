"""The daemon's own loop and tasks on a real Kafka, in this process, so that their state can be looked into."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import msgspec
import pytest
import structlog
from structlog.testing import LogCapture

from consumer.contract_file import load_contract
from consumer.core import state
from consumer.runtime.app import App, Parts
from consumer.runtime.clock import SystemClock
from consumer.runtime.loop import Loop, LoopOptions
from consumer.settings import load_settings
from consumer.tasks.gate import GateTask
from tests.faults.feed import send, troubled_shop
from tests.faults.verifier import truth_of, verify_days, verify_dead_letters, verify_journal
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import create_topic, log_starts
from tests.waiting import wait_until

pytestmark = pytest.mark.broker


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        create_topic(site.servers, site.input, 2)
        yield site


def state_of(task):
    """All that a task remembers, as something to compare; voices leave in the order in which they came."""
    if isinstance(task, GateTask):
        voices = list(task.state.clock.voices.items())
        return task.next_offset, sorted(task.sessions.items()), voices, msgspec.to_builtins(task.state)
    return task.next_offset, msgspec.to_builtins(task.state.tables())


class States:
    """Sees the state of every task after each commit and after each restore."""

    def __init__(self):
        self.live = {}
        self.restored_as = {}
        self.tasks = {}
        self.trouble = []

    def turned(self): ...
    def waiting(self, records): ...
    def connected(self): ...
    def without_partitions(self, joined, reached): ...
    def restoring(self, *told): ...
    def revoked(self, partitions): ...

    def restored(self, partition, *_):
        self.restored_as[partition] = state_of(self.tasks[partition])

    def committed(self, decisions, tasks, *_):
        for partition in decisions:
            self.live[partition] = state_of(tasks[partition])

    def aborted(self, error):
        self.trouble.append(error)

    def recovering(self, error):
        self.trouble.append(error)


@contextmanager
def running(site):
    """The loop as `sluice run` makes it, in a thread, until the block ends; what it saw."""
    settings = load_settings(site.settings(), {})
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[LogCapture()])
    app = App(Parts(settings, load_contract(None), ("gate", "watch"), "0", SystemClock(), log))
    seen = States()
    options = LoopOptions(settings.topics.facts, most_records=settings.batch.max_events, wait_seconds=0.05)
    loop = Loop(app._connect, app._new_task, options, SystemClock(), seen)
    seen.tasks = loop.tasks
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert seen.trouble == []


def test_restored_state_equals_live_state_also_from_a_journal_that_was_trimmed_many_times(site, monkeypatch):
    monkeypatch.setattr(state, "FEWEST_KEYS", 60)
    monkeypatch.setattr(state, "SLICE", 16)
    site.sections = {"batch": {"max_events": 50}}
    records = troubled_shop(51, sessions_per_day=300)
    size = len(records) // 3
    journal, facts = site.topic("journal"), site.topic("facts")
    live = {}
    for number in range(3):
        with running(site) as seen:
            wait_until(lambda s=seen: len(s.restored_as) == 3, PATIENCE_SECONDS, "all partitions restored")
            assert {where: it for where, it in seen.restored_as.items() if where in live} == live
            send(site.servers, site.input, records[number * size : (number + 1) * size or None])
            site.wait_until_caught_up()
        live = seen.live
        assert len(live) == 3
    assert all(log_starts(site.servers, journal).values())
    assert all(log_starts(site.servers, facts).values())
    truth = truth_of(site)
    verify_days(site, truth)
    verify_dead_letters(site, truth)
    verify_journal(site)
