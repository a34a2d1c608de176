"""The embedded Kafka's server: a Java process in its data folder, started, watched until it answers, ended."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from consumer.local import java, ports
from consumer.local.broker_error import BrokerError
from consumer.local.data_folder import PROPERTIES, DataFolder, new_cluster_id
from consumer.local.kept_process import KeptProcess
from consumer.local.server_log import ServerLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START_SECONDS = 60
"""Far above the two seconds that a start takes, for machines that are busy."""

DECLARE_SECONDS = 5
"""Half a second after its start a controller knows that a node is dead; of one that was dead already it says nothing."""

FORMAT_SECONDS = 60
STOP_SECONDS = 20

_BY_SIGNAL = 128
_IN_ORDER = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 2.0


class KafkaServer:
    """The server's process in its locked folder; may be started again after it has ended."""

    def __init__(
        self, jars: list[Path], heap_megabytes: int, given_dir: Path | None, java_options: Sequence[str] = ()
    ) -> None:
        self._jars = jars
        self._java_options = java_options
        self._heap_megabytes = heap_megabytes
        self.pid: int | None = None
        self.folder = DataFolder(given_dir)
        try:
            self._kept = self._lock_and_keep()
        except BaseException:
            self.folder.remove()
            raise
        self._said = ServerLog(self.folder.log)

    def _lock_and_keep(self) -> KeptProcess:
        removed = self.folder.path if self.folder.temporary else None
        with self.folder.locked() as lock:
            return KeptProcess(self.folder.log, lock, java.environment(), removed)

    def running(self, wait_seconds: float) -> bool:
        """Whether it runs, still so after a wait that ends early when it does."""
        return self.pid is not None and self._kept.exit_code(wait_seconds) is None

    def comes_up(self, port: int, settings: str, alone: str) -> bool:
        """Start it and wait until it answers; False when it lost a port to another process. `alone`: its settings as a
        controller, see `_declare_dead`."""
        if self.folder.was_killed():
            self._declare_dead(alone)
        cluster = self._begin(settings)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.running(_POLL_SECONDS):
                if self._said.port_was_lost():
                    return False
                raise BrokerError(f"The embedded Kafka did not start: {self.last_words()}")
            if self._said.node_counts_as_alive():
                self.kill()
                self._declare_dead(alone)
                self._begin(settings)
                deadline = time.monotonic() + START_SECONDS
            elif _answers(port, cluster):
                return True
        raise BrokerError(f"The embedded Kafka did not answer within {START_SECONDS} s: {self.last_words()}")

    def _begin(self, settings: str) -> str:
        """Run the server, in a folder that is its cluster's; the cluster's id."""
        self.folder.write_settings(settings)
        cluster = self.folder.cluster() or self._format()
        self.pid = self._run("kafka.Kafka", PROPERTIES)
        return cluster

    def _declare_dead(self, settings: str) -> None:
        """Let a controller find out that the node's broker was killed, before the broker comes back. One that comes back
        while it still counts as alive takes up its transactions, is declared dead some seconds later, and forgets those
        whose end it was about to write: what they wrote stays unreadable for ever (seen with Kafka 4.3.1). The
        controller writes it down before it is on disk, and may end in between: the broker that comes back finds out."""
        self.folder.write_settings(settings)
        self.pid = self._run("kafka.Kafka", PROPERTIES)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.running(_POLL_SECONDS) and not self._said.node_is_dead():
            if self._said.has_started():
                deadline = min(deadline, time.monotonic() + DECLARE_SECONDS)
        self.end()

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._kept.kill()

    def end(self) -> None:
        """End it by SIGTERM; by SIGKILL if it takes too long."""
        self._kept.terminate(STOP_SECONDS)

    def close(self) -> None:
        """End it and its keeper, and leave nothing behind but a given folder."""
        try:
            with suppress(BrokerError):  # a keeper that somebody else ended has nothing left to stop
                self.end()
        finally:
            self._kept.close()
            self.folder.remove()

    def last_words(self) -> str:
        """Why it ended: the signal that ended it, or one line of its log."""
        return ended_by(self._kept.exit_code()) or self._said.last_words()

    def _format(self) -> str:
        """Give a new folder its cluster id and first metadata."""
        cluster = new_cluster_id()
        self._run("kafka.tools.StorageTool", "format", "-c", PROPERTIES, "-t", cluster)
        if self._kept.exit_code(FORMAT_SECONDS) != 0:
            raise BrokerError(f"The embedded Kafka's data folder cannot be formatted: {self.last_words()}")
        return cluster

    def _run(self, *program: str) -> int:
        self._said.mark()
        options = (*self._java_options, *program)
        return self._kept.run(java.command(self._jars, self._heap_megabytes, self.folder.scratch, *options))


def ended_by(exit_code: int | None) -> str:
    """The signal that ended a Java process, in words; empty if none did. Java itself ends in order on some signals, with
    128 and the signal's number.

    >>> ended_by(-9), ended_by(143), ended_by(1), ended_by(None)
    ('killed by SIGKILL (by somebody, or by the system for want of memory)', 'ended by SIGTERM', '', '')
    """
    if exit_code is None or (exit_code >= 0 and exit_code - _BY_SIGNAL not in _IN_ORDER):
        return ""
    number = -exit_code if exit_code < 0 else exit_code - _BY_SIGNAL
    if number == signal.SIGKILL:
        return "killed by SIGKILL (by somebody, or by the system for want of memory)"
    try:
        return f"ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended by signal {number}"


def _answers(port: int, cluster: str) -> bool:
    """Whether this very cluster (not another one that took the port) answers clients and has its broker."""
    try:
        socket.create_connection((ports.LOOPBACK, port), _ANSWER_SECONDS).close()
    except OSError:
        return False
    client = AdminClient({"bootstrap.servers": f"{ports.LOOPBACK}:{port}", "log_level": 0})
    try:
        metadata = client.list_topics(timeout=_ANSWER_SECONDS)
    except KafkaException:
        return False
    return str(metadata.cluster_id) == cluster and len(metadata.brokers) == 1
