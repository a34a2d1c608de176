"""The newer group protocol (KIP-848): nothing is lost and nothing counts twice there either, whoever is killed or stopped."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from consumer.cli.exits import ExitCode
from consumer.local.kafka import EmbeddedKafka
from consumer.runtime.transport import Fenced, Partition, Retry, Transaction
from tests.faults.conftest import SMALL_BATCHES
from tests.faults.feed import send, sender, troubled_shop
from tests.faults.kafka_proxy import Api, KafkaProxy
from tests.faults.members import Owner, Silenced
from tests.faults.test_given_up import committed, joined, name_of
from tests.faults.test_zombies import stopped_then_woken
from tests.faults.verifier import verify
from tests.processes import Site
from tests.topic_reader import create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

NEWER = {"group.protocol": "consumer"}


@pytest.fixture
def newer(kafka, topic_prefix, tmp_path):
    """A site whose group speaks the newer protocol."""
    with Site(kafka.bootstrap_servers, topic_prefix, tmp_path, dict(NEWER), SMALL_BATCHES) as site:
        create_topic(site.servers, site.input, 2)
        yield site


def two_with_records(servers, topic):
    """Both partitions of a new topic with ten records in each."""
    create_topic(servers, topic, 2)
    producer = sender(servers)
    for number in range(20):
        producer.produce(topic, b"a record", partition=number % 2)
    assert producer.flush(30) == 0
    return {Partition(topic, 0), Partition(topic, 1)}


def test_what_was_decided_before_the_group_gave_a_member_up_is_not_committed_after_it_is_heard_again(
    kafka, topic_prefix
):
    servers, topic = kafka.bootstrap_servers, f"{topic_prefix}input"
    two = two_with_records(servers, topic)
    owner, heirs = Silenced(), Owner()
    with ExitStack() as stack:
        proxy = stack.enter_context(KafkaProxy(servers, owner.judge))
        member = joined(proxy.address, topic, "one", owner, NEWER)
        stack.callback(member.close)
        wait_until(lambda: member.poll(1, 0.1) and owner.partitions == two, 30, "both partitions")
        heir = joined(servers, topic, "two", heirs, NEWER)
        stack.callback(heir.close)
        wait_until(lambda: member.poll(1, 0.05) and heir.poll(1, 0.05) and heirs.partitions, 30, "one each")
        (kept,), generation = owner.partitions, name_of(member)[0]
        owner.dark.set()
        wait_until(lambda: heir.poll(1, 0.1) and heirs.partitions == two, 30, "the heir has both")
        heir.commit(Transaction([], positions={kept: 5}))
        owner.dark.clear()
        with pytest.raises((Retry, Fenced)):
            wait_until(lambda: member.commit(Transaction([], positions={kept: 1})), 30, "a commit is refused")
        assert name_of(member)[0] <= generation, "it has joined anew before it was told what it lost"
        assert committed(servers, topic, kept) == 5
        wait_until(lambda: member.poll(1, 0.1) and kept not in owner.partitions, 30, "it hears what it lost")


@pytest.mark.timeout(300)
def test_a_group_changes_to_it_and_a_killed_process_loses_and_repeats_nothing(newer):
    records = troubled_shop(37, sessions_per_day=60)
    half = len(records) // 2
    before = newer.start(instance="a", kafka={"group.protocol": "classic"})
    send(newer.servers, newer.input, records[:half])
    newer.wait_until_done(half // 2)
    assert before.stop() == 0
    first, _ = newer.start(instance="a"), newer.start(instance="b")
    first.wait_to_say("partition restored")
    send(newer.servers, newer.input, records[half:])
    newer.wait_until_done(half)
    first.kill()
    newer.wait_until_caught_up()
    verify(newer)
    newer.stop()


@pytest.mark.timeout(300)
def test_a_stopped_process_that_wakes_after_its_work_was_taken_over_harms_nothing(newer):
    stopped_then_woken(newer, troubled_shop(3, sessions_per_day=60), Api.END_TXN, 6)


def test_a_broker_without_it_is_said_once_with_what_to_change(topic_prefix, tmp_path):
    only_older = {"group.coordinator.rebalance.protocols": "classic"}
    with (
        EmbeddedKafka(properties=only_older) as kafka,
        Site(kafka.bootstrap_servers, topic_prefix, tmp_path, dict(NEWER)) as site,
    ):
        create_topic(site.servers, site.input)
        process = site.start()
        assert process.exit_code() == ExitCode.NOT_POSSIBLE, process.told()
        (line,) = process.said("stopped")
        assert 'remove "group.protocol"' in line["reason"]
