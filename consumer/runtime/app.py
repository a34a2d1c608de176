"""The daemon: wires settings, tasks, Kafka, metrics and the deliverer together, and ends them in order."""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.runtime.client_log import librdkafka_logger, silent
from consumer.runtime.deliver_role import DeliverRole
from consumer.runtime.endpoints import Endpoints
from consumer.runtime.fingerprint import fingerprint
from consumer.runtime.health import Health
from consumer.runtime.kafka import rights, topics
from consumer.runtime.kafka.client import (
    ALL_DOWN,
    admin_config,
    error_of,
    is_newer,
    longest_without_owner_seconds,
    why,
)
from consumer.runtime.kafka.delivered_topics import tail_config
from consumer.runtime.kafka.marks import MarkReader
from consumer.runtime.kafka.transport import KafkaOptions, KafkaTransport
from consumer.runtime.loop import Loop, LoopOptions
from consumer.runtime.metrics import Metrics
from consumer.runtime.neighbours import Neighbours
from consumer.runtime.notify.channels import ChannelError
from consumer.runtime.notify.notifier import Notifier
from consumer.runtime.options import (
    DEFAULT_MOST_BYTES,
    gate_options,
    keyer_options,
    new_gate,
    watch_options,
)
from consumer.runtime.overlooked import Overlooked
from consumer.runtime.service_manager import ServiceManager
from consumer.runtime.telemetry import Telemetry
from consumer.runtime.transport import Fatal, Fenced, Owner, Partition
from consumer.runtime.watchdog import StopDeadline, Watchdog
from consumer.settings.kafka import refused
from consumer.tasks.keyer import KeyerTask
from consumer.tasks.watch import WatchTask
from detectors.rules import KINDS

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from consumer.core.contract import Contract
    from consumer.runtime.clock import Clock
    from consumer.runtime.deliver_role import Follower
    from consumer.runtime.logs import Logger
    from consumer.settings import Settings
    from consumer.tasks.task import Task

ROLES = tuple(rights.NEEDS)

HANG_SECONDS = 180.0
"""The loop counts as hanging after this: longer than every single step may take (see `PATIENCE_SECONDS`)."""

MOST_FENCED = 6
"""A process with a name of its own from the settings that is fenced so often, see `LoopOptions`, has a namesake."""

RESTORE_SECONDS = 60.0
"""For a new owner to begin, on top of the time until it is one."""

SECONDS_TO_PART = 1.0
"""How long the end waits for a question to the brokers that nobody needs an answer to any more."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the app is made of. `version` is the program's own."""

    settings: Settings
    contract: Contract
    roles: tuple[str, ...]
    version: str
    clock: Clock
    log: Logger


class App:
    """One process: the loop in the calling thread, the deliverer and the endpoints in threads of their own."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._names = topics.Names.of(settings)
        self._loops = tuple(role for role in parts.roles if role != "deliver")
        self.instance = settings.instance or secrets.token_hex(4)
        self._client_log = librdkafka_logger(parts.log, parts.clock)
        self._made_with = fingerprint(settings, parts.contract)
        self._most_dead_letter_bytes = self._most_keyed_bytes = DEFAULT_MOST_BYTES
        build = {"version": parts.version, "librdkafka": confluent_kafka.libversion()[0]}
        self._metrics = Metrics(build, KINDS, ("files",))
        self._health = Health(HANG_SECONDS, parts.clock.monotonic())
        self._overlooked = Overlooked(
            self.instance,
            self._gates() if "gate" in parts.roles else (),
            [self._names.facts] if "watch" in parts.roles else (),
            longest_without_owner_seconds(settings.kafka) + RESTORE_SECONDS,
        )

    def run(self, stop: threading.Event) -> None:
        """Runs until `stop` is set, then leaves the group and ends. Raises Fatal."""
        parts = self._parts
        where = parts.settings.metrics
        self._try_out_properties()
        endpoints = self._open_endpoints(where.host, where.port)
        ServiceManager(os.environ, self._health, parts.clock).start(stop)
        watchdog = Watchdog(HANG_SECONDS, self._health.turns, parts.log)
        deadline = StopDeadline(stop, parts.log)
        deadline.start()
        delivered_last = threading.Event()
        notifier = self._start_notifier()
        deliverer = self._start_deliverer(delivered_last, notifier)
        neighbours = None
        try:
            if {"gate", "watch"} & set(parts.roles):
                watchdog.start()
                neighbours = self._start_neighbours(delivered_last)
                self._loop().run(stop)
            else:
                self._only_deliver(stop)
        finally:
            delivered_last.set()  # only now, so that the files hold what the loop committed last
            if deliverer is not None:
                deliverer.join()
            if notifier is not None:
                notifier.stop()
            if neighbours is not None:
                neighbours.join(SECONDS_TO_PART)
            watchdog.stop()
            endpoints.close()
            deadline.ended()

    def _try_out_properties(self) -> None:
        """Properties that no client takes end it before anything has begun; the deliverer would try for ever."""
        settings = self._parts.settings
        try:
            AdminClient(admin_config(settings.kafka, silent()))
            Consumer(tail_config(settings.kafka, settings.group, silent())).close()
        except KafkaException as raised:
            raise _refused(raised, settings) from raised

    def _open_endpoints(self, host: str, port: int) -> Endpoints:
        try:
            return Endpoints.open(
                host, port, self._metrics.registry, self._health, self._parts.clock, self._parts.log
            )
        except OSError as error:
            raise Fatal(
                f"the endpoints cannot listen on {host}:{port}: {error.strerror or error}; "
                "set host or port in [metrics] to one that is free"
            ) from error

    def _only_deliver(self, stop: threading.Event) -> None:
        self._health.set("assigned", True)  # noqa: FBT003
        while not stop.wait(1.0):
            self._health.turned(self._parts.clock.monotonic())

    # ── gate and watch ──────────────────────────────────────────────────────────────────────────────────────────

    def _loop(self) -> Loop:
        batch = self._parts.settings.batch
        options = LoopOptions(
            self._names.facts,
            most_records=batch.max_events,
            wait_seconds=batch.max_wait_seconds,
            most_fenced=MOST_FENCED if self._parts.settings.instance else 0,
            keyed_topic=self._names.keyed,
        )
        telemetry = Telemetry(
            self._names.facts,
            self._metrics,
            self._health,
            self._parts.clock,
            self._parts.log,
            self._names.keyed,
        )
        return Loop(self._connect, self._new_task, options, self._parts.clock, telemetry)

    def _connect(self, owner: Owner) -> KafkaTransport:
        """Makes sure of the topics and joins the group. Raises Fenced(lost) while broker or input are missing."""
        settings = self._parts.settings
        errors: list[KafkaError] = []
        admin = new_admin(settings, self._client_log, errors.append)
        known = _existing(admin, errors)
        rights.demand(admin, self._names, self._loops)
        if self._names.input not in known:
            raise Fenced(
                f"the input topic {self._names.input} does not exist yet: waiting for it", outcome="lost"
            )
        created_now = topics.create_missing(
            admin, self._names, known, settings.topics.replication_factor, self._loops
        )
        for created in created_now:
            self._parts.log.info("topic created", topic=created.topic, partitions=created.partitions)
        self._most_dead_letter_bytes = topics.most_message_bytes(admin, self._names.dead_letters)
        if self._names.keyed:
            self._most_keyed_bytes = topics.most_message_bytes(admin, self._names.keyed)
        try:
            return KafkaTransport(self._kafka_options(), owner)
        except KafkaException as raised:  # some properties are refused by consumers or producers alone
            raise _refused(raised, settings) from raised

    def _kafka_options(self) -> KafkaOptions:
        settings, roles = self._parts.settings, self._parts.roles
        consumes = [
            *(self._gates() if "gate" in roles else []),
            *([self._names.facts] if "watch" in roles else []),
        ]
        most = max(
            self._most_dead_letter_bytes,
            self._most_keyed_bytes,
            topics.DEFAULT_MOST_BYTES + topics.ROOM_FOR_HEADERS,
        )
        return KafkaOptions(
            settings.kafka,
            self._names,
            settings.group,
            self.instance,
            tuple(consumes),
            self._client_log,
            from_start=settings.input.start == "earliest",
            most_message_bytes=most,
            made_with=self._made_with,
            roles=self._loops,
            overlooked=None if is_newer(settings.kafka) else self._overlooked,
        )

    def _gates(self) -> list[str]:
        return [name for name in (self._names.input, self._names.keyed) if name]

    def _start_neighbours(self, stop: threading.Event) -> threading.Thread:
        """A daemon thread: it may wait for a broker that is away, which must hold nothing up."""
        parts, settings, names = self._parts, self._parts.settings, self._names
        try:
            marks = MarkReader(settings.kafka, settings.group, (*self._gates(), names.facts), silent())
        except KafkaException as raised:
            raise _refused(raised, settings) from raised
        neighbours = Neighbours(
            self._made_with, marks, self._overlooked, parts.clock, self._metrics, self._health, parts.log
        )
        thread = threading.Thread(target=neighbours.run, args=(stop,), name="neighbours", daemon=True)
        thread.start()
        return thread

    def _new_task(self, partition: Partition) -> Task:
        settings = self._parts.settings
        if partition.topic == self._names.facts:
            return WatchTask(watch_options(settings, self._parts.contract))
        if self._names.keyed and partition.topic == self._names.input:
            options = keyer_options(settings, self._parts.contract, self._most_keyed_bytes)
            return KeyerTask(partition.number, options)
        most = self._most_dead_letter_bytes
        return new_gate(
            partition.number,
            settings,
            gate_options(settings, self._parts.contract, self._parts.version, most),
        )

    # ── deliver ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_notifier(self) -> Notifier | None:
        parts = self._parts
        if "deliver" not in parts.roles:
            return None
        try:
            notifier = Notifier.from_settings(
                parts.settings,
                self._metrics.definitions,
                parts.clock,
                parts.log,
                self._client_log,
                self._unwell,
            )
        except ChannelError as error:
            raise Fatal(str(error)) from error
        notifier.start()
        return notifier

    def _unwell(self) -> str:
        """Why nobody should rely on this process; empty = all is well."""
        return "; ".join(self._health.not_ready(self._parts.clock.monotonic()))

    def _start_deliverer(self, stop: threading.Event, follower: Follower | None) -> threading.Thread | None:
        if "deliver" not in self._parts.roles:
            return None
        role = DeliverRole.from_settings(
            self._parts.settings,
            self.instance,
            self._parts.log,
            self._client_log,
            self._metrics.delivered,
            follower,
            lambda sentence: self._health.warn("files", sentence),
        )
        thread = threading.Thread(target=role.run, args=(stop,), name="deliver")
        thread.start()
        return thread


def _existing(admin: AdminClient, errors: list[KafkaError]) -> dict[str, int]:
    """The topics that there are. Raises Fenced(lost) if no broker answers, and says why as far as the client has told."""
    try:
        return topics.existing(admin)
    except Fenced as lost:
        admin.poll(0)  # hands over the errors that tell why
        if any(error.code() != ALL_DOWN for error in errors):
            raise Fenced(f"the brokers cannot be reached: {why(errors)[1]}", outcome="lost") from lost
        raise


def new_admin(settings: Settings, log: logging.Logger, hear: Callable[[KafkaError], object]) -> AdminClient:
    """An admin client; `hear` is told of connections that fail. Raises Fatal with a sentence when a property under [kafka]
    is wrong."""
    try:
        return AdminClient({**admin_config(settings.kafka, log), "error_cb": hear})  # type: ignore[dict-item]  # its stub knows no callbacks
    except KafkaException as raised:
        raise _refused(raised, settings) from raised


def _refused(raised: KafkaException, settings: Settings) -> Fatal:
    return Fatal(
        refused(error_of(raised).str(), settings.kafka, settings.origins_in("kafka")).removesuffix(".")
    )
