"""How the group gets on while it is tortured: how long each partition stood still, and after which fault."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

LOOK_SECONDS = 0.2
ANSWER_SECONDS = 5.0

SHORTEST_SECONDS = 1.0
"""A shorter pause between two commits is none."""


class Fault(NamedTuple):
    """What was done, and from when until when on the monotonic clock."""

    kind: str
    start: float
    end: float


class Standstill(NamedTuple):
    """A time in which a partition's offset did not move, though there were records to read."""

    partition: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


class Progress:
    """Looks at the group's offsets all the time, past all proxies, within the block. The load never ends before."""

    def __init__(self, servers: str, group: str, partitions: Sequence[TopicPartition]) -> None:
        self._partitions = list(partitions)
        self._asker = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": group,
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._at: dict[str, int] = {}
        self._moved: dict[str, float] = {}
        self.standstills: list[Standstill] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(4 * ANSWER_SECONDS)

    def all_moved_since(self, moment: float) -> bool:
        """Whether every partition has come further since then."""
        moved = dict(self._moved)
        return len(moved) == len(self._partitions) and all(at > moment for at in moved.values())

    def standing(self) -> Standstill | None:
        """Which partition has stood still longest by now."""
        now = time.monotonic()
        since = min(dict(self._moved).items(), key=lambda item: item[1], default=None)
        return None if since is None else Standstill(since[0], since[1], now)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            asked = [TopicPartition(where.topic, where.partition) for where in self._partitions]
            try:
                told = self._asker.committed(asked, timeout=ANSWER_SECONDS)
            except KafkaException as ignored:
                # no broker, no answer, no progress
                del ignored
                continue
            self._note(told, time.monotonic())
        self._asker.close()

    def _note(self, told: Sequence[TopicPartition], now: float) -> None:
        for where in told:
            name = f"{where.topic}[{where.partition}]"
            if where.error is not None or where.offset < 0 or where.offset == self._at.get(name):
                continue
            before = self._moved.get(name)
            if before is not None and now - before >= SHORTEST_SECONDS:
                self.standstills.append(Standstill(name, before, now))
            self._at[name], self._moved[name] = where.offset, now


class Stood(NamedTuple):
    """How long a kind of fault made any partition stand still: the median and the longest after one that nothing else
    disturbed, and the longest of all."""

    alone: list[float]
    longest: float


def stood(faults: Sequence[Fault], standstills: Sequence[Standstill]) -> dict[str, Stood]:
    """By kind. A standstill belongs to the faults that began or lasted between a second before it and its end."""
    alone: dict[str, dict[Fault, float]] = {fault.kind: {} for fault in faults}
    longest = dict.fromkeys(alone, 0.0)
    for fault in faults:
        if not any(_near(fault, other) for other in faults if other is not fault):
            alone[fault.kind][fault] = 0.0
    for still in standstills:
        causes = [fault for fault in faults if fault.start <= still.end and fault.end >= still.start - 1]
        for fault in causes[:1]:
            longest[fault.kind] = max(longest[fault.kind], still.seconds)
            if len(causes) == 1 and fault in alone[fault.kind]:
                alone[fault.kind][fault] = max(alone[fault.kind][fault], still.seconds)
    return {kind: Stood(sorted(alone[kind].values()), longest[kind]) for kind in alone}


def _near(one: Fault, other: Fault) -> bool:
    return one.start - 1 <= other.end and other.start - 1 <= one.end
