"""The gates as they stand now, read back from their journals to look at: so what they would say can be asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient

from consumer.core.wire import WireError, read_entry
from consumer.runtime.kafka import journal, topics
from consumer.runtime.kafka.client import RAISED, admin_config, error_of, journal_config
from consumer.runtime.kafka.delivered_topics import TailError
from consumer.runtime.options import gate_options, new_gate
from consumer.runtime.transport import Fatal, Fenced, Partition, journal_partition

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

    from consumer.core.contract import Contract
    from consumer.settings import Settings
    from consumer.tasks.gate import GateTask

_TRIES = 3
"""A journal is trimmed now and then while it is read."""


class Gates:
    """Restores gates, each once. Raises TailError with a sentence."""

    def __init__(self, settings: Settings, contract: Contract, version: str, log: logging.Logger) -> None:
        self._settings = settings
        self._contract = contract
        self._version = version
        self._log = log
        self._admin = AdminClient(admin_config(settings.kafka, log))
        self._known: dict[int, GateTask] = {}

    def of(self, partitions: Iterable[int]) -> dict[int, GateTask]:
        """The gates of these partitions, of the input or of the keyed topic."""
        for number in partitions:
            if number not in self._known:
                self._known[number] = self._restored(number)
        return self._known

    def keyed_partitions(self) -> int:
        """How many partitions the keyed topic has; 0 where the input itself is keyed."""
        if self._settings.input.keyed:
            return 0
        try:
            return topics.existing(self._admin).get(self._settings.topics.keyed, 0)
        except Fenced as lost:
            raise TailError(str(lost)) from lost

    def _restored(self, number: int) -> GateTask:
        where = f"the journal of input partition {number}"
        for left in reversed(range(_TRIES)):
            try:
                return self._read(number)
            except Fenced as error:
                if error.outcome != "overtaken" or not left:
                    raise TailError(f"{where} cannot be read: {error}") from error
            except (Fatal, WireError) as error:
                raise TailError(f"{where} cannot be read: {error}") from error
            except RAISED as raised:
                raise TailError(f"{where} cannot be read: {error_of(raised).str()}") from raised
        raise AssertionError

    def _read(self, number: int) -> GateTask:
        settings = self._settings
        task = new_gate(number, settings, gate_options(settings, self._contract, self._version))
        config = journal_config(self._settings.kafka, self._settings.group, self._log)
        names = topics.Names.of(settings)
        here = Partition(names.keyed or names.input, number)
        at = journal_partition(here, names.facts, names.keyed)
        if topics.existing(self._admin).get(names.journal, 0) > at:  # else it has never read a record
            for _, data in journal.read(config, self._admin, names.journal, at, settings.group):
                task.replay(read_entry(data))
            task.restored()
        return task
