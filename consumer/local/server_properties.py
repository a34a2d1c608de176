"""The embedded Kafka's configuration: one node that is broker and controller, on the loopback address only.

Pure. Every setting that is not Kafka's default has its reason beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG_FOLDER = "log"
"""Where the records are, relative to the data folder, in which the server runs."""

_SINGLE_NODE = {
    # One copy of everything: there is no second broker.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Few internal partitions: each is a folder to make on a first start and to read on a restart.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    # A group of one laptop's processes is complete at once.
    "group.initial.rebalance.delay.ms": "0",
    # What a dead producer left open is aborted within a second of its time-out, not within ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # On a busy machine the node must not take itself for dead: it would forget the ends of transactions meanwhile.
    "broker.session.timeout.ms": "60000",
    "broker.heartbeat.interval.ms": "1000",
    # A misspelled topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # Sized for two cores; the cleaner's buffer alone would take 128 MiB of heap.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


def server_properties(
    port: int, controller_port: int, more: Mapping[str, str], more_listeners: Mapping[str, int] | None = None
) -> str:
    """The properties file's text; `more` wins over everything but who and where the node is. `more_listeners`: ports by
    listener, such as SASL_SSL."""
    ports = {"PLAINTEXT": port, "CONTROLLER": controller_port, **(more_listeners or {})}
    protocols = ",".join(f"{name}:{'PLAINTEXT' if name == 'CONTROLLER' else name}" for name in ports)
    return _text(
        more, ports, {"process.roles": "broker,controller", "listener.security.protocol.map": protocols}
    )


def controller_properties(port: int, more: Mapping[str, str]) -> str:
    """The same node as a controller alone, to which a broker that says nothing is dead after half a second."""
    quick = {"broker.session.timeout.ms": "500", "broker.heartbeat.interval.ms": "100"}
    return _text(more, {"CONTROLLER": port}, {"process.roles": "controller", **quick})


def _text(more: Mapping[str, str], ports: Mapping[str, int], role: Mapping[str, str]) -> str:
    listeners = ",".join(f"{name}://{LOOPBACK}:{number}" for name, number in ports.items())
    own = {
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports['CONTROLLER']}",
        "controller.listener.names": "CONTROLLER",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "log.dirs": LOG_FOLDER,
    }
    settings = {**_SINGLE_NODE, **more, **own, **role}
    return "".join(f"{_escaped(name, ' :=#!')}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(text: str, special: str = "") -> str:
    r"""Text as `java.util.Properties` reads it: Latin-1 at most, so everything beyond ASCII as \uXXXX.

    >>> _escaped("C:\\x ü\n"), _escaped("a b", " ")
    ('C:\\\\x \\u00fc\\u000a', 'a\\ b')
    """
    return "".join(_escaped_character(character, "\\" + special) for character in text)


def _escaped_character(character: str, special: str) -> str:
    if character in special:
        return "\\" + character
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
