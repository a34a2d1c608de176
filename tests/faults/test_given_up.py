"""A member that the group has given up knows nothing of it until it polls: its client joins anew on its own."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.runtime.kafka.topics import Names
from consumer.runtime.kafka.transaction import member_metadata
from consumer.runtime.kafka.transport import KafkaOptions, KafkaTransport
from consumer.runtime.transport import Fenced, Partition, Retry, Transaction
from tests.faults.conftest import QUICK
from tests.faults.kafka_proxy import KafkaProxy
from tests.faults.members import SILENT, Owner, Silenced
from tests.topic_reader import create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker


class SilencedOnceRevoked(Silenced):
    """Its connections break from the moment on at which it has let go of a partition."""

    def revoked(self, partitions):
        super().revoked(partitions)
        self.dark.set()


def joined(servers, topic, name, owner, settings=QUICK):
    names = Names(topic, "dlq", "", "facts", "journal", "days", "alerts")
    user = {"bootstrap.servers": servers, **settings}
    return KafkaTransport(KafkaOptions(user, names, topic, name, (topic,), SILENT), owner)


def name_of(transport):
    return member_metadata(bytes(transport._consumer.consumer_group_metadata()))


def committed(servers, topic, where):
    reader = Consumer({"bootstrap.servers": servers, "group.id": topic, "log_level": 0})
    (answer,) = reader.committed([TopicPartition(*where)], timeout=30)
    reader.close()
    return answer.offset


@pytest.fixture
def two(kafka, topic_prefix):
    """Both partitions of a new topic."""
    topic = f"{topic_prefix}input"
    create_topic(kafka.bootstrap_servers, topic, 2)
    return {Partition(topic, 0), Partition(topic, 1)}


@contextmanager
def given_up(kafka, two, *, heir_leaves=False):
    """A member that had let go of one partition, lost its connections, was given up, and has joined anew by itself,
    without having polled; the owner of what it has; and the partition that the member takes for its own."""
    servers, (topic,) = kafka.bootstrap_servers, {partition.topic for partition in two}
    owner, heirs = SilencedOnceRevoked(), Owner()
    with ExitStack() as stack:
        proxy = stack.enter_context(KafkaProxy(servers, owner.judge))
        member = joined(proxy.address, topic, "one", owner)
        stack.callback(member.close)
        wait_until(lambda: member.poll(1, 0.1) and owner.partitions == two, 30, "both partitions")
        heir = joined(servers, topic, "two", heirs)
        stack.callback(heir.close)
        wait_until(
            lambda: member.poll(1, 0.05) and heir.poll(1, 0.05) and owner.dark.is_set(), 30, "one is given up"
        )
        (kept,) = owner.partitions
        before = name_of(member)
        wait_until(lambda: heir.poll(1, 0.1) and heirs.partitions == two, 30, "the heir has both")
        heir.commit(Transaction([], positions={kept: 5}))
        if heir_leaves:
            heir.close()
        owner.dark.clear()
        wait_until(lambda: name_of(member)[1] not in ("", before[1]), 30, "the client has joined anew")
        wait_until(lambda: name_of(member)[0] > before[0], 30, "the client knows the generation")
        assert owner.partitions == {kept}
        yield member, owner, kept


def test_what_was_decided_before_the_group_gave_a_member_up_is_not_committed_after_it_has_joined_anew(
    kafka, two
):
    with given_up(kafka, two) as (member, _, kept):
        with pytest.raises((Retry, Fenced)):
            member.commit(Transaction([], positions={kept: 1}))
        assert committed(kafka.bootstrap_servers, kept.topic, kept) == 5


def test_a_partition_that_was_anothers_in_between_is_not_gone_on_with(kafka, two):
    with (
        given_up(kafka, two, heir_leaves=True) as (member, _, _),
        pytest.raises(Fenced, match="had given this process up"),
    ):
        wait_until(lambda: member.poll(1, 0.1) is None, 30, "the member hears of it")
