"""What no broker has answered is never taken for an answer."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaException, TopicPartition

from consumer.runtime.kafka.offsets import answered
from consumer.runtime.kafka.transport import KafkaTransport
from consumer.runtime.transport import Fenced, Partition

IDLE = Partition("events", 0)


def told(offset):
    future = Future()
    future.set_result(SimpleNamespace(offset=offset))
    return future


def transport(offsets):
    """One that has read its partition up to offset 5, and gets these answers where that ends."""
    answers = iter(offsets)
    made = object.__new__(KafkaTransport)
    made._expected, made._unanswered = {IDLE: 5}, 0
    made._admin = SimpleNamespace(list_offsets=lambda *_, **__: {TopicPartition(*IDLE): told(next(answers))})
    return made


@pytest.mark.parametrize("offset", [0, 7, -1])
def test_an_offset_is_told_as_it_was_answered(offset):
    assert answered(told(offset), 1) == offset


@pytest.mark.parametrize("future", [told(OFFSET_INVALID), Future()], ids=["the client's -1001", "nothing"])
def test_a_question_that_nobody_answers_is_an_error(future):
    with pytest.raises(KafkaException, match="no broker answered in time"):
        answered(future, 0)


@pytest.mark.parametrize(("offset", "ended"), [(OFFSET_INVALID, set()), (6, set()), (5, {IDLE})])
def test_a_partition_counts_as_read_to_its_end_only_where_a_broker_says_so(offset, ended):
    assert transport([offset]).still_at_end([IDLE]) == ended


def test_brokers_that_answer_no_question_for_an_end_are_lost_after_some_but_not_after_one():
    silent = OFFSET_INVALID
    asked = transport([silent, silent, 5, silent, silent, silent])
    for ended in (set(), set(), {IDLE}, set(), set()):
        assert asked.still_at_end([IDLE]) == ended
    with pytest.raises(Fenced, match="the brokers do not answer") as raised:
        asked.still_at_end([IDLE])
    assert raised.value.outcome == "lost"
