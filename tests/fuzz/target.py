"""What all targets share: what one is, the gate and the watch that are tried, and the way through to the files."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from consumer.core.state import RollingSnapshot
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_state import PartitionState
from consumer.tasks.pipeline import Pipeline
from consumer.tasks.task import Chain
from tests.fuzz.oracle import must
from tests.shop_contract import gate_options, watch_options

if TYPE_CHECKING:
    from reports.deliver import Deliverer
    from tests.fuzz.grammar import Grammar

Told = tuple[str, bytes | None, bytes | None]
"""Topic, key and value of a record."""

WALL_MS = 1_750_000_000_000
MOST_BYTES = 400_000
"""Of an input; what is larger is a matter of `poison.py`."""

OPTIONS = gate_options(valid_topic="events.valid")
WATCH = watch_options()
_ONE_GATE = GateTask(0, OPTIONS)
ONE_PIPELINE = Pipeline(OPTIONS, WATCH)


def new_gate() -> GateTask:
    """A gate that has seen nothing, but need not work the contract out again."""
    gate = copy(_ONE_GATE)
    gate.sessions, gate.state = {}, PartitionState()
    gate._chain, gate._snapshot = Chain("gate"), RollingSnapshot()
    return gate


class Target(ABC):
    """One reader of hostile bytes."""

    name: ClassVar[str]
    share: ClassVar[int] = 2
    """Of all inputs, beside the other targets': the quick ones get more."""

    @abstractmethod
    def draw(self, grammar: Grammar) -> bytes:
        """An input by the grammar, nearly right."""

    @abstractmethod
    def run(self, data: bytes) -> None:
        """Takes the input. Raises whatever goes wrong; `WrongError` for a promise that is broken."""

    def close(self) -> None:
        """There will be no more: what lies on a disk is removed."""
        for one in vars(self).values():
            if isinstance(one, Scratch):
                one.close()


def deliver(reader: Deliverer, given: list[Told]) -> None:
    """Tells the deliverer what stands in its topics, and asks for the files."""
    for topic, key, value in given:
        if topic == "sluice.days":
            reader.see_day(key, value)
        elif topic == "sluice.alerts":
            reader.see_alert(key, value)
    for name, content in reader.files().items():
        text = content.decode()
        odd = [one for one in text if ord(one) < 32 and one not in "\r\n\t"]
        must(not odd, f"{name} holds a control character: {odd[:3]!r}")


class Scratch:
    """One file that is written again and again."""

    def __init__(self, name: str) -> None:
        memory = Path("/dev/shm")  # noqa: S108 - where there is one: a disk need not be worn
        self._folder = tempfile.TemporaryDirectory(
            prefix="sluice-fuzz-", dir=memory if memory.is_dir() else None, ignore_cleanup_errors=True
        )
        self._path = Path(self._folder.name) / name

    def holding(self, data: bytes) -> Path:
        """The file, with these bytes."""
        self._path.write_bytes(data)
        return self._path

    def close(self) -> None:
        """The file is gone."""
        self._folder.cleanup()
