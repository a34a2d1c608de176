"""Asking for the marks of the other processes harms nothing, whatever happens to the connection meanwhile."""

from __future__ import annotations

from random import Random

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.runtime.client_log import silent
from consumer.runtime.kafka.marks import Mark, Marker, MarkReader
from consumer.runtime.transport import Partition
from tests.faults.kafka_proxy import Api, Fate, KafkaProxy
from tests.topic_reader import create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

ASKED = (Api.FIND_COORDINATOR, Api.OFFSET_FETCH, Api.METADATA)


@pytest.fixture
def topic(kafka, topic_prefix):
    create_topic(kafka.bootstrap_servers, f"{topic_prefix}t", 2)
    return f"{topic_prefix}t"


def leave_a_mark(servers, group, topic):
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "log_level": 0})
    mark = Marker("me", {"contract": "aa"}).next()
    consumer.commit(offsets=[TopicPartition(topic, 1, 7, mark)], asynchronous=False)
    consumer.close()


def test_a_mark_is_read_by_a_stranger_also_while_its_connections_break(kafka, topic):
    servers, here = kafka.bootstrap_servers, Partition(topic, 1)
    leave_a_mark(servers, topic, topic)
    marks = {Partition(topic, 0): None, here: Mark("me", {"contract": "aa"}, 1)}
    rng = Random(1)

    def judge(request):
        if request.api in ASKED and rng.random() < 0.3:
            return rng.choice((Fate.LOSE_ANSWER, Fate.LOSE_REQUEST))
        return Fate.PASS

    with KafkaProxy(servers, judge) as proxy:
        reader = MarkReader({"bootstrap.servers": proxy.address}, topic, (topic, "missing"), silent())
        for _ in range(4):
            wait_until(lambda: reader.read() == marks, 60, "the mark")
            wait_until(lambda: reader.end(here) == 0, 60, "where the partition ends")
            proxy.cut()
