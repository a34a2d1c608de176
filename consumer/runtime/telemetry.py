"""What the loop did, told on: to the metrics, to health, and to the log (one line for each event worth telling)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from consumer.runtime.journal_size import JournalSize
from consumer.runtime.metrics import DAYS_SHOWN, ROLES
from consumer.runtime.news import News
from consumer.tasks.gate import GateTask
from consumer.tasks.watch import WatchTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.runtime.clock import Clock
    from consumer.runtime.health import Health
    from consumer.runtime.logs import Logger
    from consumer.runtime.metrics import Metrics, Role
    from consumer.runtime.observer import Stages
    from consumer.runtime.transport import Fenced, Partition, Retry
    from consumer.runtime.waiting import Waiting
    from consumer.tasks.task import Decision, Task

STANDBY_SECONDS = 15.0
"""Who has joined the group and was given nothing for so long stands by: there are more processes than partitions."""

BEHIND_SECONDS = 60.0
"""Records that have waited for so long: the process does not keep up. A take-over after `kill -9` takes 15 s at most."""

CAUGHT_UP_SECONDS = 10.0
"""It keeps up again when none has waited for longer than this: in between nothing changes, so that nothing flaps."""

COUNT_SECONDS = 2.0
"""Between two counts of the open sessions at least, and between two looks at the days."""

COUNT_SHARE = 100
"""Counting takes no more than one part in so many of the time."""


class Telemetry:
    """The loop's observer. See `consumer.runtime.observer.Observer`."""

    def __init__(
        self,
        facts_topic: str,
        metrics: Metrics,
        health: Health,
        clock: Clock,
        log: Logger,
        keyed_topic: str = "",
    ) -> None:
        self._facts_topic = facts_topic
        self._keyed_topic = keyed_topic
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._log = log
        self._ours: set[Partition] = set()
        self._joined_at: float | None = None
        self._trouble = ""
        self._journal = JournalSize()
        self._news = News(log)
        self._behind: set[Role] = set()
        self._fresh: set[Role] = set()
        """Roles that have not read everything since they were connected."""
        self._restoring: dict[Partition, int] = {}
        """Journal entries read so far."""
        self._count_at = self._look_at = clock.monotonic()

    def turned(self) -> None:
        """See `Observer`."""
        self._health.turned(self._clock.monotonic())

    def connected(self) -> None:
        """See `Observer`."""
        self._joined_at = None
        self._trouble = ""
        self._fresh = set(ROLES)
        self._log.info("connected, waiting for partitions")
        self._health.set("assigned", False, "waiting for partitions")  # noqa: FBT003

    def without_partitions(self, joined: bool, reached: bool) -> None:  # noqa: FBT001 - see `Observer`
        """See `Observer`."""
        now = self._clock.monotonic()
        if not joined:
            self._joined_at = None
        elif self._joined_at is None:
            self._joined_at = now
        stands_by = self._joined_at is not None and now - self._joined_at > STANDBY_SECONDS
        outside = "waiting to be taken into the group" if reached else "no Kafka broker can be reached"
        missing = "waiting for partitions" if joined else outside
        self._health.set("assigned", stands_by, missing)

    def restoring(self, partition: Partition, entries: int, size: int) -> None:
        """See `Observer`."""
        so_far = f"restoring {partition}: {entries} entries of its journal read"
        self._health.set(str(partition), False, so_far)  # noqa: FBT003
        self._metrics.restored_entries(entries - self._restoring.get(partition, 0))
        self._restoring[partition] = entries
        self._metrics.restoring(len(self._restoring))
        self._journal.restored(partition, size)

    def restored(
        self,
        partition: Partition,
        tasks: Mapping[Partition, Task],
        entries: int,
        seconds: float,
        offset: int | None,
    ) -> None:
        """See `Observer`."""
        self._ours.add(partition)
        self._joined_at = self._joined_at or self._clock.monotonic()
        self._health.set("assigned", True)  # noqa: FBT003
        self._ends_restoring(partition)
        self._metrics.restored(seconds)
        self._tell_assigned()
        self._tell_state(list(tasks.values()))
        self._count_at = self._look_at = self._clock.monotonic()
        self._log.info(
            "partition restored",
            partition=str(partition),
            entries=entries,
            seconds=round(seconds, 3),
            offset=offset,
        )

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """See `Observer`."""
        for partition in partitions:
            self._ours.discard(partition)
            self._journal.drop(partition)
            self._ends_restoring(partition)
        self._tell_assigned()
        if partitions:
            self._log.info("partitions given up", partitions=[str(p) for p in partitions])

    def committed(
        self,
        decisions: Mapping[Partition, Decision],
        tasks: Mapping[Partition, Task],
        stages: Stages,
    ) -> None:
        """See `Observer`."""
        journal_bytes = 0
        for partition, decision in decisions.items():
            size = sum(map(len, decision.journal))
            journal_bytes += size
            self._journal.wrote(partition, size, decision.slice.turn)
            match self._role(partition):
                case "watch":
                    self._metrics.watched(decision.tally)
                    self._news.hear(decision)
                case "gate":
                    self._metrics.gated(decision.tally)
                case "keyer":
                    self._metrics.keyed(decision.tally)
        self._metrics.committed(stages, journal_bytes, self._clock.now_ms())
        for role in ROLES:
            self._metrics.state_bytes(role, self._journal.of(self._ours_as(role)))
        self._tell_state(list(tasks.values()))

    def waiting(self, records: Mapping[Partition, Waiting]) -> None:
        """See `Observer`."""
        if not self._ours:
            return
        now_ms = self._clock.now_ms()
        for role in ROLES:
            waiting = [it for partition, it in records.items() if self._role(partition) == role]
            count = sum(it.records for it in waiting)
            seconds = max((it.seconds(now_ms) for it in waiting), default=0.0)
            self._metrics.lag(role, count, seconds)
            known = len(waiting) == len(self._ours_as(role)) > 0
            self._keep_up(role, count, seconds, known=known)

    def _keep_up(self, role: Role, records: int, seconds: float, *, known: bool) -> None:
        """`known`: of all partitions of the role."""
        has_read_all = known and not records and role in self._fresh
        if seconds > BEHIND_SECONDS and role not in self._behind:
            self._behind.add(role)
            self._log.warning("behind", role=role, records=records, seconds=round(seconds))
        elif has_read_all or (seconds <= CAUGHT_UP_SECONDS and role in self._behind):
            self._behind.discard(role)
            self._fresh.discard(role)
            self._log.info("caught up", role=role)
        sentence = f"the {role} is behind: {records} records wait, the oldest for {seconds:.0f} s"
        self._health.behind(role, sentence if role in self._behind else "")

    def _tell_state(self, tasks: Sequence[Task]) -> None:
        gates = [task for task in tasks if isinstance(task, GateTask)]
        if gates:
            self._count_sessions(gates)
            times = [gate.stream_ms for gate in gates]
            known = [time for time in times if time is not None]
            self._metrics.watermark("gate", min(known) if known else None)
        now = self._clock.monotonic()
        for task in tasks:
            if isinstance(task, WatchTask):
                if now >= self._look_at:
                    self._look_at = now + COUNT_SECONDS
                    self._metrics.latest_days(task.latest_days(DAYS_SHOWN))
                self._metrics.watermark("watch", task.clock.watermark_ms)
                self._metrics.days(Counter(day.status() for day in task.state.days.values()))
                self._metrics.open_alerts(
                    Counter(
                        (incident.alert.kind, incident.alert.severity.value)
                        for incident in task.state.alerts.values()
                        if incident.alert.state == "open"
                    )
                )

    def _count_sessions(self, gates: Sequence[GateTask]) -> None:
        """Every session is looked at (a million take a tenth of a second), so not at every batch."""
        started = self._clock.monotonic()
        if started >= self._count_at:
            self._metrics.open_sessions(sum(gate.open_sessions() for gate in gates))
            took = self._clock.monotonic() - started
            self._count_at = started + max(COUNT_SECONDS, took * COUNT_SHARE)

    def aborted(self, error: Retry) -> None:
        """See `Observer`."""
        self._metrics.transaction("aborted")
        self._metrics.recovered("retry")
        if not error.rebalance:
            self._log.warning("transaction aborted, trying again", reason=str(error))

    def recovering(self, error: Fenced) -> None:
        """See `Observer`: told once per trouble, not once per attempt."""
        for partition in self._ours:
            self._journal.drop(partition)
        for partition in list(self._restoring):
            self._journal.drop(partition)
            self._ends_restoring(partition)
        self._ours.clear()
        self._tell_assigned()
        outcome = error.outcome
        self._metrics.recovered(outcome)  # type: ignore[arg-type]  # one of its four
        if outcome == "unknown":
            self._metrics.transaction("unknown")
        self._health.set("assigned", False, f"not connected to Kafka, trying again: {error}")  # noqa: FBT003
        self._health.turned(self._clock.monotonic())
        if self._trouble != outcome + str(error):
            self._trouble = outcome + str(error)
            self._log.warning("not connected, trying again", outcome=outcome, reason=str(error))

    def _ends_restoring(self, partition: Partition) -> None:
        self._restoring.pop(partition, None)
        self._metrics.restoring(len(self._restoring))
        self._health.drop(str(partition))

    def _tell_assigned(self) -> None:
        self._count_at = self._look_at = self._clock.monotonic()
        for role in ROLES:
            ours = self._ours_as(role)
            self._metrics.assigned(role, len(ours))
            self._metrics.state_bytes(role, self._journal.of(ours))
            if not ours:
                self._metrics.left(role)
                self._behind.discard(role)
                self._health.behind(role, "")
        if not self._ours:
            self._metrics.lag_unknown()

    def _ours_as(self, role: Role) -> list[Partition]:
        return [partition for partition in self._ours if self._role(partition) == role]

    def _role(self, partition: Partition) -> Role:
        if partition.topic == self._facts_topic:
            return "watch"
        return "keyer" if self._keyed_topic and partition.topic != self._keyed_topic else "gate"
