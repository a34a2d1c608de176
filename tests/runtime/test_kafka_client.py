"""What the user sets under [kafka] reaches the clients that can use it, and librdkafka has nothing to warn of."""

import logging

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from consumer.runtime.kafka.client import (
    RAISED,
    admin_config,
    consumer_config,
    error_of,
    member_config,
    producer_config,
)
from consumer.runtime.kafka.delivered_topics import tail_config
from consumer.settings.kafka import CONSUMERS_ONLY, PRODUCERS_ONLY

NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}

OF_A_CONSUMER = {
    "session.timeout.ms": "12000",
    "fetch.min.bytes": "2",
    "max.partition.fetch.bytes": "2000000",
    "max.poll.interval.ms": "200000",
}
OF_A_PRODUCER = {
    "linger.ms": "10",
    "compression.type": "zstd",
    "batch.size": "500000",
    "request.timeout.ms": "9000",
}
OF_BOTH = {"client.id": "shop", "socket.keepalive.enable": "true"}

VALUES = {
    "auto.commit.enable": "false",
    "check.crcs": "true",
    "compression.codec": "lz4",
    "compression.type": "lz4",
    "enable.gapless.guarantee": "false",
    "group.protocol": "classic",
    "group.protocol.type": "consumer",
    "group.remote.assignor": "uniform",
    "offset.store.method": "broker",
    "offset.store.path": ".",
    "partitioner": "murmur2",
    "produce.offset.report": "false",
    "queuing.strategy": "fifo",
}
"""A value for each that takes no number; any other is set to 10,000, which all of them may be, or less."""

MOST = {"compression.level": "1", "heartbeat.interval.ms": "3000"}


class Said(logging.Handler):
    """What librdkafka says while a client is made, but for lost connections."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.logger = logging.Logger("librdkafka")  # noqa: LOG001 - outside of the tree of loggers
        self.logger.addHandler(self)

    def emit(self, record):
        self.lines.append(record.getMessage())

    def warned_of(self, kind):
        return [line for line in self.lines if "CONFWARN" in line and f"is a {kind} property" in line]


@pytest.fixture
def said():
    return Said()


def made(kind, config, said):
    client = kind({**config, "logger": said.logger})
    client.poll(0)
    if kind is Consumer:
        client.close()


def test_the_daemons_clients_start_without_a_warning_whatever_role_a_property_belongs_to(said):
    user = {**NOWHERE, **OF_A_CONSUMER, **OF_A_PRODUCER, **OF_BOTH}
    made(AdminClient, admin_config(user, said.logger), said)
    made(Producer, producer_config(user, "t", 2_000_000, said.logger), said)
    made(Consumer, consumer_config(user, "g", said.logger), said)
    assert [line for line in said.lines if "CONFWARN" in line] == []


def test_each_client_gets_what_it_can_use(said):
    user = {**NOWHERE, **OF_A_CONSUMER, **OF_A_PRODUCER, **OF_BOTH}
    consumer, producer = consumer_config(user, "g", said.logger), producer_config(user, "t", 1, said.logger)
    assert {**OF_A_CONSUMER, **OF_BOTH}.items() <= consumer.items()
    assert {**OF_A_PRODUCER, **OF_BOTH}.items() <= producer.items()


def test_a_property_that_nobody_knows_is_not_swallowed(said):
    user = {**NOWHERE, "no.such.property": "1"}
    for config in (
        admin_config(user, said.logger),
        consumer_config(user, "g", said.logger),
        producer_config(user, "t", 1, said.logger),
    ):
        assert config["no.such.property"] == "1"


@pytest.mark.parametrize("name", sorted(CONSUMERS_ONLY))
def test_librdkafka_agrees_that_it_is_a_consumers(name, said):
    made(Producer, {**NOWHERE, name: VALUES.get(name, MOST.get(name, "10000"))}, said)
    assert said.warned_of("consumer")


@pytest.mark.parametrize("name", sorted(PRODUCERS_ONLY))
def test_librdkafka_agrees_that_it_is_a_producers(name, said):
    made(Consumer, {**NOWHERE, "group.id": "g", name: VALUES.get(name, MOST.get(name, "10000"))}, said)
    assert said.warned_of("producer")


@pytest.mark.parametrize(
    ("own", "milliseconds"),
    [
        ({}, 120_000),
        ({"session.timeout.ms": "6000"}, 120_000),
        ({"session.timeout.ms": "300000"}, 300_000),
        ({"max.poll.interval.ms": "90000"}, "90000"),
    ],
)
def test_a_rebalance_waits_for_who_neither_joins_nor_dies_for_two_minutes_or_a_session(
    said, own, milliseconds
):
    config = consumer_config({**NOWHERE, **own}, "g", said.logger)
    assert config["max.poll.interval.ms"] == milliseconds
    made(Consumer, config, said)


@pytest.mark.parametrize(("protocol", "name"), [({}, "one"), ({"group.protocol": "consumer"}, None)])
def test_a_member_has_its_instances_name_where_the_broker_lets_a_successor_take_it_over(protocol, name):
    config = member_config(protocol, "group", "one", logging.getLogger())
    assert config.get("group.instance.id") == name


def test_with_the_newer_group_protocol_what_the_broker_decides_is_left_to_it_but_not_for_the_deliverer(said):
    user = {**NOWHERE, "group.protocol": "consumer"}
    made(Consumer, member_config(user, "g", "one", said.logger), said)
    made(Consumer, tail_config(user, "g", said.logger), said)
    assert tail_config(user, "g", said.logger)["session.timeout.ms"] == 10_000


def test_a_fatal_error_is_known_also_when_another_callback_was_called_with_it_pending():
    """Seen with Python 3.13: `SystemError: ... returned a result with an exception set`, with the error as its cause."""
    fenced = KafkaError(KafkaError._FENCED, fatal=True)
    try:
        raise SystemError("returned a result with an exception set") from KafkaException(fenced)
    except RAISED as raised:
        error = error_of(raised)
    assert (error.code(), error.fatal()) == (KafkaError._FENCED, True)


def test_a_system_error_of_somebody_else_is_not_taken_for_one_of_the_clients():
    with pytest.raises(SystemError, match="of its own"):
        error_of(SystemError("of its own"))
