"""A broker that the fault tests may kill, quick to find out that a process is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.local.kafka import EmbeddedKafka
from consumer.runtime.transport import Partition
from tests.processes import Site
from tests.topic_reader import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "300"}
"""A dead member's partitions move after two seconds instead of ten."""

BROKER = {
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "300",
}
"""Lets clients have it so, and has it so itself where the newer group protocol leaves that to it."""

SMALL_BATCHES = {"batch": {"max_events": 60, "max_wait_seconds": 0.01}}
"""Many transactions, so that faults hit many of their steps."""


@pytest.fixture(scope="session")
def session_kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(properties=BROKER) as kafka:
        yield kafka


@pytest.fixture
def kafka(session_kafka: EmbeddedKafka) -> EmbeddedKafka:
    """The fault tests' broker: not the one of the others, and running, whatever the test before did to it."""
    session_kafka.start()
    return session_kafka


@pytest.fixture
def here(kafka: EmbeddedKafka, topic_prefix: str) -> Partition:
    """The only partition of a new topic on that broker."""
    create_topic(kafka.bootstrap_servers, f"{topic_prefix}input")
    return Partition(f"{topic_prefix}input", 0)


@pytest.fixture
def site(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Site]:
    """A site on that broker."""
    with Site(kafka.bootstrap_servers, topic_prefix, tmp_path, QUICK, SMALL_BATCHES) as site:
        yield site
