"""The daemon on a real Kafka, as its user runs it: the batch oracle's numbers, each dead letter once, an orderly life."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.faults.feed import Sent, page_view, send, send_in_transactions, troubled_shop
from tests.faults.verifier import receipts, verify
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import create_topic, log_starts
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

ENOUGH_SECONDS = 8.0
"""In which a process ends that was asked to, on a busy machine, too."""


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        yield site


def stop_in_time(process, by=signal.SIGTERM):
    started = time.monotonic()
    assert process.stop(by) == 0, process.told()
    assert time.monotonic() - started < ENOUGH_SECONDS
    assert process.said("ended in order")
    assert not process.words, process.told()


def test_two_processes_give_the_oracles_numbers_and_every_dead_letter_once(site):
    create_topic(site.servers, site.input, 4)
    first, second = site.start(), site.start()
    records = troubled_shop(1)
    send(site.servers, site.input, records[:800])
    send_in_transactions(site.servers, site.input, records[800:], size=300)
    for process in (first, second):
        process.wait_until_ready()
    site.wait_until_caught_up()
    truth = verify(site)
    assert len(truth.inputs) == len(records)  # what was taken back is nobody's
    assert len(truth.reasons) >= 6


def test_a_life_ready_trimming_its_journal_asked_to_end_and_carried_on_by_others(site):
    site.sections = {"batch": {"max_events": 250}}
    create_topic(site.servers, site.input)
    records = troubled_shop(4, sessions_per_day=450)
    most = len(records) * 9 // 10
    journal, gate = site.topic("journal"), 1
    first = site.start()
    send(site.servers, site.input, records[:most])
    first.wait_until_ready()
    wait_until(
        lambda: log_starts(site.servers, journal).get(gate),
        PATIENCE_SECONDS,
        "the journal trimmed on the way",
    )
    site.wait_until_caught_up()
    assert first.get("/healthz") == (200, '{"alive": true, "reasons": []}\n')
    assert json.loads(first.get("/readyz")[1]) == {"ready": True, "reasons": []}
    assert first.metric("sluice_records_total", role="gate") == most
    assert first.get("/nothing")[0] == 404
    stop_in_time(first)
    stood = site.committed()
    second = site.start()
    for (topic, number), offset in stood.items():
        second.wait_to_say("partition restored", partition=f"{topic}[{number}]", offset=offset)
    (restored,) = second.said("partition restored", partition=f"{site.input}[0]")
    assert restored["entries"] < most // 250  # fewer than there were batches
    third = site.start()
    third.wait_until_ready()
    send(site.servers, site.input, records[most:])
    site.wait_until_caught_up()
    stop_in_time(second, signal.SIGHUP)  # settings are read at the start: a restart it is
    third.wait_to_say("partition restored", partition=f"{site.input}[0]")
    third.wait_to_say("partition restored", partition=f"{site.topic('facts')}[0]")
    for topic, number in ((journal, 0), (site.topic("facts"), 0)):
        assert log_starts(site.servers, topic)[number] > 0
    verify(site)


@pytest.mark.campaign
def test_started_at_latest_it_skips_what_was_there_before_its_first_start_and_nothing_after(site):
    site.sections = {"input": {"start": "latest"}}
    create_topic(site.servers, site.input)
    visits = [
        Sent(page_view(f"v{n}", f"2025-03-01T12:{n // 60:02d}:{n % 60:02d}.000Z"), b"v%d" % n)
        for n in range(300)
    ]
    send(site.servers, site.input, visits[:100])
    first = site.start()
    wait_until(lambda: site.events_done() == 100, PATIENCE_SECONDS, "its place on record")
    send(site.servers, site.input, visits[100:200])
    site.wait_until_caught_up()
    stop_in_time(first)
    send(site.servers, site.input, visits[200:])
    site.start()
    site.wait_until_caught_up()
    site.stop()
    assert receipts(site)["2025-03-01"].counts.events == 200
