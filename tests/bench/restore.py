"""A gate's journal on the broker, read back by a `sluice run` that was started anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Producer

from tests.bench.daemon import Daemon, Names
from tests.bench.state import journal, seconds_to_apply
from tests.bench.topics import QUIET
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.topics import Cluster

LONGEST_SECONDS = 120


class Restore(NamedTuple):
    """Seconds for so many open sessions: `daemon` in a process that takes over, broker included; `apply` of it for
    decoding and applying alone. `journal_bytes` as packed by the gate, before Kafka compresses them."""

    sessions: int
    daemon_seconds: float
    apply_seconds: float
    journal_bytes: int


def measure(cluster: Cluster, prefix: str, folder: Path, sessions: int) -> Restore:
    """Writes the journal, starts a daemon, and waits until it has all of its sessions back."""
    names = Names(f"{prefix}-input", prefix)
    entries = journal(sessions)
    _write(cluster, names, entries)
    daemon = Daemon(cluster, names, "gate", folder)
    try:
        found = wait_until(
            lambda: daemon.said("partition restored"), LONGEST_SECONDS, "the state is restored"
        )
        wait_until(
            lambda: daemon.metrics()["sluice_open_sessions"] == sessions,
            LONGEST_SECONDS,
            "all sessions are back",
        )
    finally:
        daemon.end()
    size = sum(map(len, entries))
    return Restore(sessions, found[0]["seconds"], seconds_to_apply(entries, sessions), size)


def _write(cluster: Cluster, names: Names, entries: list[bytes]) -> None:
    """The journal of input partition 0 lies in partition 1."""
    topic = names.own()["journal"]
    cluster.create(names.input, 1)
    cluster.create(topic, 2, **{"retention.ms": "-1"})
    producer = Producer({"bootstrap.servers": cluster.address, "compression.type": "lz4", **QUIET})
    for entry in entries:
        producer.produce(topic, entry, partition=1)
    producer.flush()
