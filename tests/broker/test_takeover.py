"""Processes that come and go under load: the work moves, the numbers do not."""

from __future__ import annotations

import time

import pytest
from confluent_kafka.admin import NewPartitions

from consumer.cli.exits import ExitCode
from consumer.runtime.kafka import topics
from tests.faults.feed import send, single_visits, troubled_shop
from tests.faults.verifier import receipts, verify
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import admin, create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

SMALL_BATCHES = {"batch": {"max_events": 100, "max_wait_seconds": 0.05}}
ENOUGH_SECONDS = 8.0
"""In which a process ends that was asked to, on a busy machine, too."""


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path, sections=SMALL_BATCHES) as site:
        yield site


def assigned(process, **role):
    return process.metric("sluice_assigned_partitions", **role)


def wait_for_work(*processes):
    """Waits until every one of them works on something."""
    for process in processes:
        wait_until(lambda p=process: assigned(p), PATIENCE_SECONDS, lambda p=process: f"work for {p.told()}")


def stop_in_time(process):
    started = time.monotonic()
    assert process.stop() == 0, process.told()
    assert time.monotonic() - started < ENOUGH_SECONDS
    assert process.said("ended in order")


def test_roles_apart_and_a_process_that_joins_and_leaves_under_load_change_no_number(site):
    create_topic(site.servers, site.input, 4)
    records = troubled_shop(21)
    third = len(records) // 3
    counting = site.start("--roles", "watch,deliver")
    gates = [site.start("--roles", "gate") for _ in range(2)]
    send(site.servers, site.input, records[:third])
    site.wait_until_done(third // 2)
    guest = site.start("--roles", "gate")
    send(site.servers, site.input, records[third : 2 * third])
    wait_for_work(counting, *gates, guest)
    site.wait_until_done(third + third // 2)
    send(site.servers, site.input, records[2 * third :])
    stop_in_time(guest)
    site.wait_until_caught_up()
    assert assigned(counting, role="watch") == 1
    assert assigned(counting, role="gate") == 0
    wait_until(lambda: sum(map(assigned, gates)) == 4, PATIENCE_SECONDS, "all partitions at work")
    verify(site)


@pytest.mark.campaign
def test_whole_processes_that_join_and_leave_one_after_the_other_change_no_number(site):
    create_topic(site.servers, site.input, 4)
    records = troubled_shop(22, sessions_per_day=600)
    herd = [site.start()]
    for number in range(8):
        part = records[number * len(records) // 8 : (number + 1) * len(records) // 8]
        herd.append(site.start())
        send(site.servers, site.input, part)
        wait_for_work(herd[-1])
        if len(herd) > 3:
            stop_in_time(herd.pop(0))
    site.wait_until_caught_up()
    verify(site)


@pytest.mark.campaign
def test_input_partitions_that_are_added_are_taken_up_by_everyone(site):
    site.kafka = {"topic.metadata.refresh.interval.ms": "500"}
    create_topic(site.servers, site.input, 2)
    visits = single_visits(400)
    one, two = site.start(), site.start()
    send(site.servers, site.input, visits[:200])
    wait_for_work(one, two)
    site.wait_until_caught_up()
    admin(site.servers).create_partitions([NewPartitions(site.input, 6)])[site.input].result(30)
    wait_until(
        lambda: assigned(one) + assigned(two) == 7, PATIENCE_SECONDS, lambda: f"{one.told()} {two.told()}"
    )
    send(site.servers, site.input, visits[200:])
    site.wait_until_caught_up()
    site.stop()
    assert receipts(site)["2025-03-01"].metrics.sessions == 400


def test_two_processes_that_add_the_same_journal_partitions_at_once_both_go_on(site):
    names = topics.Names(
        *(site.topic(name) for name in ("input", "dlq", "valid", "facts", "journal", "d", "a"))
    )
    create_topic(site.servers, names.input, 4)
    create_topic(site.servers, names.journal, 2)
    client = admin(site.servers)
    known = topics.existing(client)
    for _ in range(2):
        topics.create_missing(client, names, known, -1)
    wait_until(lambda: topics.existing(client)[names.journal] == 5, PATIENCE_SECONDS, "five partitions")


def test_a_second_group_on_the_same_topics_ends_with_one_sentence_and_harms_nothing(site):
    create_topic(site.servers, site.input, 2)
    records = troubled_shop(23)
    first = site.start()
    send(site.servers, site.input, records[: len(records) // 2])
    site.wait_until_caught_up()
    second = site.start(GROUP=f"{site.group}-other")
    assert second.exit_code() == ExitCode.NOT_POSSIBLE
    assert f"is the journal of the group {site.group}" in second.told()
    assert "two groups must not share topics" in second.told()
    send(site.servers, site.input, records[len(records) // 2 :])
    site.wait_until_caught_up()
    assert first.running()
    verify(site)
