"""Several consumer processes on a simulated Kafka, from one seed: the real loop and the real tasks, killed, stopped
and cut off at any step.

A process is a greenlet: it moves until it lets others move, which it may have to at each step of its transport. So one
runs at a time, in an order that the seed decides, and a failing seed fails again.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from consumer.runtime.loop import Loop, LoopOptions
from consumer.runtime.transport import Partition
from tests.simulated_kafka import SimulatedKafka
from tests.simulated_transport import TOPICS, UNKEYED, SimulatedTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from random import Random

    from consumer.core.record import StoredRecord
    from consumer.runtime.observer import Observer
    from consumer.runtime.transport import Fenced, Owner, Retry
    from consumer.runtime.waiting import Waiting
    from consumer.tasks.task import Task
    from tests.strategies import Arrival

FAULTS = (
    "connection_lost",
    "commit_refused",
    "commit_answer_lost",
    "commit_request_lost",
    "commit_request_late",
    "fetch_slow",
    "trim_fails",
    "rejoins_unheard",
    "killed",
    "stopped",
    "clock_jumps",
    "rebalanced",
)
MOST_PROCESSES = 5
"""Those that are stopped included."""

OUTPUT_TOPICS = ("events.dlq", "events.valid", "sluice.facts", "sluice.days", "sluice.alerts")


class Killed(BaseException):
    """The process ends here, as by `kill -9`: nothing of it says goodbye."""


class Silent:
    """An observer that nobody listens to."""

    def turned(self) -> None: ...
    def connected(self) -> None: ...
    def without_partitions(self, joined: bool, reached: bool, /) -> None: ...  # noqa: FBT001
    def restoring(self, partition: Partition, entries: int, size: int, /) -> None: ...
    def restored(self, *told: object) -> None: ...
    def revoked(self, partitions: Sequence[Partition], /) -> None: ...
    def committed(self, *told: object) -> None: ...
    def waiting(self, records: Mapping[Partition, Waiting], /) -> None: ...
    def aborted(self, error: Retry, /) -> None: ...
    def recovering(self, error: Fenced, /) -> None: ...


@dataclass(frozen=True)
class Setting:
    """What a run is about: how many processes, records a batch at most, steps with faults, whether the wall clock goes
    along with the log's, whether the input gets another partition on the way, and whether it is keyed."""

    processes: int
    most_records: int
    faulty_steps: int
    live: bool
    grows: bool = False
    keyed: bool = True


class Process:
    """One `sluice run`: a loop in a greenlet, its clock, its signal to stop, and its fate."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        self.name = name
        self.stopped = False
        self.doomed = False
        self.place = "start"
        self.over = False
        self.asleep_until = 0.0
        self.failure: BaseException | None = None
        self.transport: SimulatedTransport | None = None
        self._simulation = simulation
        self._skew_ms = simulation.random.randrange(-3000, 3000)
        self._others = getcurrent()
        self._greenlet = greenlet(self._run)
        self.loop = Loop(
            self._connect, simulation.new_task, simulation.options, self, simulation.observer(self)
        )

    def _connect(self, owner: Owner) -> SimulatedTransport:
        """A process whose name was given to a newer one meanwhile ends when it would come back (two that lived would
        fence each other for ever, and say so)."""
        if self._simulation.has_newer(self):
            raise Killed
        self.transport = SimulatedTransport(
            self._simulation.kafka, self.name, owner, self, self._simulation.topics
        )
        return self.transport

    def _run(self) -> None:
        try:
            self._live()
            self.loop.run(self)
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, the simulation raises it again
            self.failure = error
        self.over = self.stopped = True

    # ── whose turn it is ────────────────────────────────────────────────────────────────────────────────────────

    def resume(self) -> None:
        """Called by the simulation: the process moves until it lets others move, or ends."""
        self._greenlet.switch()

    def _let_others_move(self) -> None:
        self._others.switch()
        self._live()

    def _live(self) -> None:
        if self.doomed:
            raise Killed

    # ── a fate, a clock and a stop ──────────────────────────────────────────────────────────────────────────────

    def step(self, place: str) -> None:
        """Often others move first."""
        self._live()
        self.place = place
        if self._simulation.switches(place):
            self._let_others_move()

    def sleep(self, seconds: float) -> None:
        """Time goes on, and others move: those who wait at the same time share it."""
        self._simulation.kafka.advance(seconds / len(self._simulation.processes))
        self._let_others_move()

    def happens(self, fault: str) -> bool:
        """As often as the seed wants it in this run."""
        return self._simulation.happens(fault)

    def now_ms(self) -> int:
        """A wall clock of its own, some seconds wrong."""
        return self._simulation.wall_ms() + self._skew_ms

    def monotonic(self) -> float:
        """Simulated seconds."""
        return self._simulation.kafka.now

    def is_set(self) -> bool:
        """Whether the run is over."""
        return self._simulation.ending

    def wait(self, timeout: float | None = None) -> bool:
        """A pause between two attempts."""
        self.sleep(timeout or 0)
        return self._simulation.ending


class Simulation:
    """Runs processes over arrivals until all of it is read, and everybody has stopped."""

    def __init__(
        self,
        seed: int,
        arrivals: Sequence[Arrival],
        partitions: int,
        setting: Setting,
        new_task: Callable[[Partition], Task],
        observer: Callable[[Process], Observer] = lambda _: Silent(),
    ) -> None:
        self.topics = TOPICS if setting.keyed else UNKEYED
        self.kafka = SimulatedKafka(seed, (TOPICS.events, self.topics.keyed, TOPICS.facts))
        self.random: Random = self.kafka.random
        self.new_task = new_task
        self.observer = observer
        self.options = LoopOptions(
            TOPICS.facts, most_records=setting.most_records, keyed_topic=self.topics.keyed
        )
        self.setting = setting
        self._switching = self.random.choice([0.1, 0.5, 0.9])
        self.ending = False
        self.processes: list[Process] = []
        self._steps = 0
        self._calm = False
        self.started = 0
        self._to_grow = setting.grows
        self._to_come = list(reversed(arrivals))
        self._wall_ms = min((a.made.log_time or a.made.at for a in arrivals), default=0)
        self.happened: Counter[str] = Counter()
        """How often each fault did."""
        self._rates = {f: self.random.choice([0, 0, 0.01, 0.05, 0.2]) for f in FAULTS}
        self._create_input(partitions)
        if not setting.keyed:
            self.kafka.create_topic(UNKEYED.keyed, partitions)
        for topic in OUTPUT_TOPICS:
            self.kafka.create_topic(topic, 1 if topic.startswith("sluice") else 2)

    def _create_input(self, partitions: int) -> None:
        """The input, or more partitions for it; their journals come first."""
        self.kafka.create_topic(TOPICS.journal, partitions * (1 if self.setting.keyed else 2) + 1)
        self.kafka.create_topic(TOPICS.events, partitions)

    def wall_ms(self) -> int:
        """The time that an exact clock would tell."""
        return self._wall_ms + round(self.kafka.now * 1000)

    def happens(self, fault: str) -> bool:
        """Whether the fault happens now; never once it is calm."""
        happens = not self._calm and self.random.random() < self._rates[fault]
        if happens:
            self.happened[fault] += 1
        return happens

    def never(self, fault: str) -> None:
        """Whatever the seed wants: not in this run."""
        self._rates[fault] = 0

    def switches(self, place: str) -> bool:
        """Whether somebody else moves at this step. Once it is calm everybody is seen between two turns."""
        return (self._calm and place == "poll") or self.random.random() < self._switching

    @contextmanager
    def settled(self) -> Iterator[dict[Partition, Task]]:
        """All faults first, then calm until nothing is left to do: the tasks as they stand then, between two turns.

        Raises what a process raised."""
        try:
            while not self._settled():
                self._steps += 1
                self._calm = self._steps > self.setting.faulty_steps
                assert self._steps < self.setting.faulty_steps + 20_000, "it does not come to an end"
                self._disturb()
                self._move()
            yield self.tasks()
        finally:
            self._end_all()

    def tasks(self) -> dict[Partition, Task]:
        """The tasks of those who own the partitions."""
        owner = self.kafka.group.owner
        return {
            partition: task
            for process in self.processes
            for partition, task in process.loop.tasks.items()
            if process.transport is not None and owner.get(partition) == process.transport.member
        }

    def has_newer(self, process: Process) -> bool:
        """Whether a process that started later has the same name."""
        return any(
            other.name == process.name for other in self.processes[self.processes.index(process) + 1 :]
        )

    def _settled(self) -> bool:
        """Whether everything that was written to the input and to the facts is read, and committed."""
        kafka = self.kafka
        return (
            self._calm
            and not self._to_come
            and all(
                kafka.offsets.get(p, 0) >= kafka.logs[p].end for p in kafka.logs if p.topic == TOPICS.events
            )
            and next(self._unread(), None) is None
            and all(process.place == "poll" for process in self.processes)
            and len(self.tasks()) == kafka.partitions(TOPICS.events) + kafka.partitions(self.topics.keyed) + 1
        )

    def _unread(self) -> Iterator[StoredRecord]:
        """Facts, and keyed records."""
        for partition, log in self.kafka.logs.items():
            if partition.topic in (TOPICS.facts, self.topics.keyed):
                yield from log.committed(self.kafka.offsets.get(partition, 0), log.end)

    def _disturb(self) -> None:
        """Input comes; processes start, stop, wake and die; clocks jump; the group is shaken."""
        if self._to_come and (self._calm or self.random.random() < 0.3):
            self._produce()
        awake = sum(not process.stopped for process in self.processes)
        if (
            awake < self.setting.processes
            and len(self.processes) < MOST_PROCESSES
            and self.random.random() < 0.3
        ):
            self._start()
        if self.happens("clock_jumps"):
            self._wall_ms += self.random.choice([-5_000, 7_000, 3_600_000])
        if self.happens("rebalanced"):
            self.kafka.group.rebalance()
        if self._to_grow and (self._calm or self.random.random() < 0.02):
            self._grow()
        for process in self.processes:
            if process.stopped and (self._calm or self.kafka.now >= process.asleep_until):
                process.stopped = False

    def _grow(self) -> None:
        """Somebody adds a partition to the input, where nothing is written yet."""
        self._to_grow = False
        self._create_input(self.kafka.partitions(TOPICS.events) + 1)

    def _produce(self) -> None:
        """Some records arrive."""
        for _ in range(self.random.choice([1, 1, 2, 5])):
            if self._to_come:
                made, number = self._to_come.pop()
                if self.setting.live and made.log_time is not None:
                    self._wall_ms += max(0, made.log_time - self.wall_ms())
                log = self.kafka.logs[Partition(TOPICS.events, number)]
                log.append(made.value, (made.client or "").encode(), timestamp_ms=made.log_time)

    def _start(self) -> None:
        """A process under a name that is free, or a fresh one, or that of one that seems to be dead."""
        self.started += 1
        awake = {process.name for process in self.processes if not process.stopped}
        stable = [name for name in map(str, range(self.setting.processes)) if name not in awake]
        self.processes.append(Process(self, self.random.choice([*stable, f"fresh{self.started}"])))

    def _move(self) -> None:
        """One process moves on by a step or some; or it is killed, or stopped for a while."""
        awake = [process for process in self.processes if not process.stopped]
        if not awake:
            self.kafka.advance(1)
            return
        process = self.random.choice(awake)
        if self.happens("stopped"):
            process.stopped = True
            process.asleep_until = self.kafka.now + self.random.choice([1, 9, 12, 40])
            return
        if self.happens("killed"):
            process.stopped = process.doomed = True
        process.resume()
        if process.over:
            self.processes.remove(process)
            if process.failure is not None:
                raise process.failure

    def _end_all(self) -> None:
        """Everybody stops in good order, or at least stops."""
        self.ending = self._calm = True
        for process in self.processes:
            process.stopped = False
            for attempt in range(1000):
                if process.over:
                    break
                process.stopped = process.doomed = attempt > 100 or process.doomed
                process.resume()
