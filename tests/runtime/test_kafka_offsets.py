"""What no broker has answered is never taken for an answer."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaException, TopicPartition

from consumer.runtime.kafka.offsets import answered
from consumer.runtime.kafka.transport import KafkaTransport
from consumer.runtime.transport import Partition

IDLE = Partition("events", 0)


def told(offset):
    future = Future()
    future.set_result(SimpleNamespace(offset=offset))
    return future


@pytest.mark.parametrize("offset", [0, 7, -1])
def test_an_offset_is_told_as_it_was_answered(offset):
    assert answered(told(offset), 1) == offset


@pytest.mark.parametrize("future", [told(OFFSET_INVALID), Future()], ids=["the client's -1001", "nothing"])
def test_a_question_that_nobody_answers_is_an_error(future):
    with pytest.raises(KafkaException, match="no broker answered in time"):
        answered(future, 0)


@pytest.mark.parametrize(("offset", "ended"), [(OFFSET_INVALID, set()), (6, set()), (5, {IDLE})])
def test_a_partition_counts_as_read_to_its_end_only_where_a_broker_says_so(offset, ended):
    transport = object.__new__(KafkaTransport)
    transport._expected = {IDLE: 5}
    transport._admin = SimpleNamespace(list_offsets=lambda *_, **__: {TopicPartition(*IDLE): told(offset)})
    assert transport.still_at_end([IDLE]) == ended
