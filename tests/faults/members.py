"""Members of a group without a loop on top, for tests that look at one transaction or one rebalance."""

from __future__ import annotations

import logging
import threading

from consumer.runtime.kafka.topics import Names
from consumer.runtime.kafka.transport import KafkaOptions, KafkaTransport
from tests.faults.kafka_proxy import Fate
from tests.waiting import wait_until

SILENT = logging.getLogger("librdkafka")
SILENT.addHandler(logging.NullHandler())


class Owner:
    """Takes every partition from its beginning, and remembers which it has."""

    def __init__(self):
        self.partitions = set()

    def assigned(self, partition, committed):
        self.partitions.add(partition)
        return committed or 0

    def starts_at(self, partition, offset): ...

    def revoked(self, partitions):
        self.partitions -= set(partitions)


class Silenced(Owner):
    """All its requests are lost for a while."""

    def __init__(self):
        super().__init__()
        self.dark = threading.Event()

    def judge(self, _request):
        return Fate.LOSE_REQUEST if self.dark.is_set() else Fate.PASS


def newcomer(servers, here, owner=None, name="one"):
    """Who is about to be a member of the group."""
    names = Names(here.topic, "dlq", "", "facts", "journal", "days", "alerts")
    options = KafkaOptions({"bootstrap.servers": servers}, names, here.topic, name, (here.topic,), SILENT)
    return KafkaTransport(options, owner or Owner())


def member(servers, here):
    """A member of the group that has the partition."""
    owner = Owner()
    transport = newcomer(servers, here, owner)
    wait_until(lambda: transport.poll(1, 0.1) and here in owner.partitions, 30, "the partition")
    return transport
