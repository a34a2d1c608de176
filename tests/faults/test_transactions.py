"""The transactional producer amid faults of the line and of the client itself: it ends in time, in one of three ways."""

from __future__ import annotations

import threading
import time
from random import Random

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from consumer.core.record import Output
from consumer.runtime.kafka import transaction
from consumer.runtime.kafka import transport as transport_module
from consumer.runtime.kafka.transport import KafkaTransport
from consumer.runtime.transport import Fenced, Retry, Transaction
from tests.faults.feed import Sent, send
from tests.faults.kafka_proxy import KafkaProxy
from tests.faults.members import Owner, member, newcomer
from tests.topic_reader import create_topic, read_committed
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

HANG_SECONDS = 2.0


def slow_offsets(transport, wait):
    """Whoever sends offsets waits first."""
    producer = transport._producer._producer

    class Slow:
        def __getattr__(self, name):
            return getattr(producer, name)

        def send_offsets_to_transaction(self, *given):
            wait()
            producer.send_offsets_to_transaction(*given)

    transport._producer._producer = Slow()


def test_connections_that_break_between_two_transactions_are_made_anew_and_neither_fails(kafka, here):
    with KafkaProxy(kafka.bootstrap_servers) as proxy:
        transport = member(proxy.address, here)
        for value in (b"first", b"second", b"third"):
            transport.commit(Transaction([Output(here.topic, value)], positions={here: 1}))
            proxy.cut()
        transport.close()
    written = [message.value() for message in read_committed(kafka.bootstrap_servers, here.topic)]
    assert written == [b"first", b"second", b"third"]


def test_who_never_comes_back_from_sending_offsets_is_left_behind_and_its_successor_settles_it(
    kafka, here, monkeypatch
):
    monkeypatch.setattr(transaction, "HANG_SECONDS", HANG_SECONDS)
    released = threading.Event()
    transport = member(kafka.bootstrap_servers, here)
    slow_offsets(transport, released.wait)
    started = time.monotonic()
    with pytest.raises(Fenced, match="hangs") as raised:
        transport.commit(Transaction([Output(here.topic, b"first")], positions={here: 1}))
    transport.close()
    assert raised.value.outcome == "unknown"
    assert time.monotonic() - started < HANG_SECONDS + 5
    transport = member(kafka.bootstrap_servers, here)
    transport.commit(Transaction([Output(here.topic, b"second")], positions={here: 1}))
    transport.close()
    released.set()
    assert [message.value() for message in read_committed(kafka.bootstrap_servers, here.topic)] == [b"second"]


@pytest.fixture
def impatient(monkeypatch):
    """Given up at once where a connection was lost and the brokers answer; otherwise not before the test is over."""
    monkeypatch.setattr(transaction, "HANG_SECONDS", 600.0)
    monkeypatch.setattr(transaction, "LOST_SECONDS", 0.1)
    monkeypatch.setattr(transaction, "LOOK_SECONDS", 0.05)


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("impatient")
def test_who_lost_a_connection_and_does_not_come_back_though_the_brokers_answer_is_left_behind_soon(
    kafka, here
):
    released = threading.Event()
    transport = member(kafka.bootstrap_servers, here)
    slow_offsets(transport, released.wait)
    transport._producer._hear(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    with pytest.raises(Fenced, match="hangs"):
        transport.commit(Transaction([Output(here.topic, b"first")], positions={here: 1}))
    transport.close()
    released.set()


@pytest.mark.parametrize(("lost", "brokers_answer"), [(False, True), (True, False)])
@pytest.mark.usefixtures("impatient")
def test_a_slow_coordinator_and_brokers_that_are_away_are_waited_for(kafka, here, lost, brokers_answer):
    transport = member(kafka.bootstrap_servers, here)
    looks = []

    def look():
        looks.append(None)
        return brokers_answer

    transport._producer._brokers_answer = look
    slow_offsets(transport, lambda: threading.Event().wait(2.0))
    if lost:
        transport._producer._hear(KafkaError(KafkaError._TRANSPORT))
    transport.commit(Transaction([Output(here.topic, b"first")], positions={here: 1}))
    transport.close()
    assert bool(looks) == lost
    assert [message.value() for message in read_committed(kafka.bootstrap_servers, here.topic)] == [b"first"]


def test_an_error_that_asks_for_an_abort_is_no_bug_of_ours_whatever_its_code(kafka, here):
    """What librdkafka says when a delivery is refused while the offsets are sent: _STATE, and that it wants an abort."""
    transport = member(kafka.bootstrap_servers, here)
    producer = transport._producer
    producer._producer.begin_transaction()
    error = KafkaError(KafkaError._STATE, "Local: Erroneous state", txn_requires_abort=True)
    with pytest.raises(Retry):
        producer._translate(error, KafkaException(error))
    transport.commit(Transaction([Output(here.topic, b"next")], positions={here: 1}))
    transport.close()
    assert [message.value() for message in read_committed(kafka.bootstrap_servers, here.topic)] == [b"next"]


def test_a_partition_that_goes_and_comes_back_within_one_poll_is_read_once(kafka, here, monkeypatch):
    transport = member(kafka.bootstrap_servers, here)
    send(kafka.bootstrap_servers, here.topic, [Sent(b"%d" % number) for number in range(5)])
    monkeypatch.setattr(transport_module, "CHUNK", 1)
    consume, where = transport._consume, [TopicPartition(*here)]
    gathered = []

    def rebalance_then_consume(most, wait_seconds):
        if len(gathered) == 2:
            transport._on_revoke(transport._consumer, where)
            transport._consumer.incremental_unassign(where)
            transport._on_assign(transport._consumer, where)
        chunk = consume(most, 1.0)
        gathered.extend(message for message in chunk if message.error() is None)
        return chunk

    monkeypatch.setattr(transport, "_consume", rebalance_then_consume)
    polled = wait_until(lambda: (found := transport.poll(100, 1.0)).records and found, 30, "five records")
    transport.close()
    assert len(gathered) == 7
    assert [message.offset() for message in polled.records[here]] == [0, 1, 2, 3, 4]
    assert polled.positions == {here: 5}


def test_a_producer_that_was_fenced_amid_its_records_closes_without_a_word(kafka, here):
    records = [Output(here.topic, b"%d" % number, partition=0) for number in range(1_000)]
    older = member(kafka.bootstrap_servers, here)
    older.commit(Transaction([], positions={here: 0}))
    KafkaTransport(older._options, Owner()).close()  # a second process with the same name
    with pytest.raises(Fenced):
        older.commit(Transaction(records, positions={here: 0}))
    older.close()


def test_a_producer_that_hangs_as_it_closes_does_not_keep_its_member_in_the_group(kafka, here, monkeypatch):
    monkeypatch.setattr(transaction, "HANG_SECONDS", 0.5)
    transport = member(kafka.bootstrap_servers, here)
    released = threading.Event()

    class Hanging:
        close = released.wait

    monkeypatch.setattr(transport._producer, "_producer", Hanging())
    transport.close()
    released.set()
    heir = member(kafka.bootstrap_servers, here)  # gets the partition at once
    heir.close()


def test_offsets_that_a_hanging_transaction_holds_are_waited_for_and_said(kafka, here, monkeypatch):
    monkeypatch.setattr(transport_module, "PATIENCE_SECONDS", 0.5)
    servers = kafka.bootstrap_servers
    stranger = Consumer({"bootstrap.servers": servers, "group.id": here.topic, "log_level": 0})
    holder = Producer({"bootstrap.servers": servers, "transactional.id": here.topic, "log_level": 0})
    holder.init_transactions(30)
    holder.begin_transaction()
    holder.send_offsets_to_transaction([TopicPartition(*here, 0)], stranger.consumer_group_metadata(), 30)
    transport = newcomer(servers, here)
    with pytest.raises(Fenced, match="a transaction hangs on them") as raised:
        wait_until(lambda: transport.poll(1, 0.1) is None, 60, "the offsets are asked")
    assert raised.value.outcome == "lost"
    transport.close()
    holder.abort_transaction(30)
    stranger.close()
    member(servers, here).close()


def test_a_delivery_that_fails_while_others_are_handed_over_is_no_bug_of_ours(
    kafka, here, topic_prefix, monkeypatch
):
    """What librdkafka says to whoever hands over a record when one before it was refused: _STATE, and nothing else."""
    small = f"{topic_prefix}small"
    create_topic(kafka.bootstrap_servers, small, max_message_bytes="1000")
    transport = member(kafka.bootstrap_servers, here)
    producer = transport._producer
    write, refused = producer._write, []

    def write_slowly(output):
        try:
            write(output)
        except KafkaException as raised:
            refused.append(raised.args[0])
            raise
        producer._producer.flush(30)

    monkeypatch.setattr(producer, "_write", write_slowly)
    noise = Random(1).randbytes(5_000)
    with pytest.raises(Retry) as raised:
        transport.commit(Transaction([Output(small, noise), Output(here.topic, b"b")], positions={here: 0}))
    assert [(error.code(), error.txn_requires_abort()) for error in refused] == [(KafkaError._STATE, False)]
    assert raised.value.permanent  # if it stays so, it is one
    transport.commit(Transaction([Output(here.topic, b"next")], positions={here: 1}))
    transport.close()
    assert [message.value() for message in read_committed(kafka.bootstrap_servers, here.topic)] == [b"next"]
