"""The other processes of the group: whether they make their numbers with the same contract and settings as this one, and
whether they all together work on every partition (`overlooked.py`).

Kafka deals out partitions to whoever joins the group. If two processes disagree on what a session or a day is, both
are right by themselves and the sum is nonsense, without any error. So every process looks at the marks of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from consumer.runtime.clock import Clock
    from consumer.runtime.fingerprint import Fingerprint
    from consumer.runtime.health import Health
    from consumer.runtime.kafka.marks import Mark
    from consumer.runtime.logs import Logger
    from consumer.runtime.metrics import Metrics
    from consumer.runtime.overlooked import Overlooked
    from consumer.runtime.transport import Partition

    Marks = Mapping[Partition, Mark]

LOOK_SECONDS = 10.0
"""Between two looks: a process that lives commits at least every five seconds (`LoopOptions.tick_seconds`)."""

WARNING, WITHOUT_OWNER = "settings", "without owner"
"""The names of the warnings in `Health`."""


class Reader(Protocol):
    """Who knows the group's marks (`consumer.runtime.kafka.marks.MarkReader`)."""

    def read(self) -> Mapping[Partition, Mark | None] | None:
        """The latest mark by partition; None without an answer."""
        ...

    def end(self, partition: Partition) -> int | None:
        """Where a partition ends; None without an answer."""
        ...


class Neighbours:
    """Looks from a thread of its own, until told to stop. It only tells: which of two settings is wrong, no process can
    know, and a deliberate change must be able to roll over them one by one."""

    def __init__(
        self,
        own: Fingerprint,
        marks: Reader,
        overlooked: Overlooked,
        clock: Clock,
        metrics: Metrics,
        health: Health,
        log: Logger,
    ) -> None:
        self._own = own
        self._marks = marks
        self._overlooked = overlooked
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self._log = log
        self._before: Marks | None = None
        self._told = self._told_overlooked = ""

    def run(self, stop: threading.Event) -> None:
        """Looks until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(LOOK_SECONDS)

    def look(self) -> None:
        """One look. A mark of other settings is a neighbour's if it has moved since the last look; one that stands still
        was left by a process that is gone."""
        seen = self._marks.read()
        if seen is None:
            return
        self._overlooked.look(seen, self._marks.end, self._clock.monotonic())
        self._tell_of_the_overlooked()
        marks = {at: mark for at, mark in seen.items() if mark is not None}
        others = {at: mark for at, mark in marks.items() if mark.made_with != self._own}
        if self._before is None:
            self._tell_of_a_change(others)
        before = self._before or {}
        alive = {at: mark for at, mark in others.items() if at in before and before[at] != mark}
        self._before = marks
        self._metrics.settings_conflicts(len(alive))
        self._tell_of_neighbours(alive)

    def _tell_of_the_overlooked(self) -> None:
        sentence = self._overlooked.sentence()
        self._health.warn(WITHOUT_OWNER, sentence)
        if sentence and sentence != self._told_overlooked:
            self._log.warning("partitions are not worked on", reason=sentence)
        self._told_overlooked = sentence

    def _tell_of_a_change(self, others: Marks) -> None:
        if others:
            self._log.warning(
                "contract or settings have changed since the last process",
                effect="what comes from here on is counted by the new ones, what was counted before stays",
                changed=self._differences(others),
                partitions=sorted(map(str, others)),
            )

    def _tell_of_neighbours(self, alive: Marks) -> None:
        sentence = self._sentence(alive) if alive else ""
        self._health.warn(WARNING, sentence)
        if sentence and sentence != self._told:
            self._log.error("processes of one group do not agree", reason=sentence)
        elif self._told and not sentence:
            self._log.info("all processes of the group agree again")
        self._told = sentence

    def _sentence(self, alive: Marks) -> str:
        differences = " and ".join(self._differences(alive))
        instances = ", ".join(sorted({mark.instance for mark in alive.values()}))
        partitions = ", ".join(sorted(map(str, alive)))
        return (
            f"another process of the group (instance {instances}, on {partitions}) works with other values of "
            f"{differences}, so the numbers of both do not fit together: start all of them with the same, or give this one a group "
            "and topics of its own"
        )

    def _differences(self, others: Marks) -> list[str]:
        """What differs, in the words of the fingerprint; what only one side has (another version) counts, too."""
        names = {*self._own, *(name for mark in others.values() for name in mark.made_with)}
        return sorted(
            name
            for name in names
            if any(mark.made_with.get(name) != self._own.get(name) for mark in others.values())
        )
