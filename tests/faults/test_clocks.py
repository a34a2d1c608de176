"""A process whose host's clock is wrong can write to every topic that Sluice made, and nothing that it wrote is deleted for it."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Producer

from consumer.runtime.kafka import topics
from tests.topic_reader import admin, create_topic, read_committed

pytestmark = pytest.mark.broker

HOUR_MS = 3_600_000


@pytest.mark.parametrize("wrong_ms", [10 * HOUR_MS, -300 * HOUR_MS])
def test_records_of_a_wrong_clock_are_taken_and_dated_by_the_broker(kafka, topic_prefix, wrong_ms):
    servers = kafka.bootstrap_servers
    names = topics.Names(
        *(topic_prefix + name for name in ("input", "dlq", "valid", "facts", "journal", "days", "alerts"))
    )
    create_topic(servers, names.input, 2)
    topics.create_missing(admin(servers), names, topics.existing(admin(servers)), -1)
    now_ms = time.time_ns() // 1_000_000
    refused = []
    producer = Producer({"bootstrap.servers": servers, "log_level": 0})
    ours = [name for name in names[1:] if name]
    for name in ours:
        producer.produce(
            name, b"value", b"key", 0, timestamp=now_ms + wrong_ms, on_delivery=lambda e, _: refused.append(e)
        )
    assert producer.flush(30) == 0
    assert refused == [None] * len(ours)
    for name in ours:
        (record,) = read_committed(servers, name)
        kind, at_ms = record.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME
        assert abs(at_ms - now_ms) < HOUR_MS
