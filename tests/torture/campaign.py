"""One run: a broker, a load, a herd of processes, faults drawn from a seed, and then the verdict on what is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import TopicPartition

from consumer.local.kafka import EmbeddedKafka
from tests.processes import Process, Site
from tests.topic_reader import create_topic
from tests.torture.faults import KINDS, SESSION_SECONDS, NotNow, Scene, ended_as_asked
from tests.torture.findings import Verdict
from tests.torture.herd import PARENT, Herd
from tests.torture.machine import NoMoreFiles, SmallDisk, WallClock
from tests.torture.progress import Fault, Progress, Standstill
from tests.torture.verifier import Topics, verify, verify_delivery
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLDER = {
    "session.timeout.ms": str(int(1000 * SESSION_SECONDS)),
    "heartbeat.interval.ms": "300",
    "socket.timeout.ms": "6000",
}
NEWER = {
    "group.protocol": "consumer",
    "socket.timeout.ms": "6000",
}
"""Quick to find out that a process is gone, or that an answer does not come; by the older group protocol and the newer one,
with which the broker decides about sessions."""

BROKER = {
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": str(int(1000 * SESSION_SECONDS)),
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "300",
}

SECTIONS: dict[str, dict[str, object]] = {
    "batch": {"max_events": 500, "max_wait_seconds": 0.05},
    "deliver": {"interval_seconds": 0.2},
}

ALONE = 0.3
"""Share of faults that nothing else disturbs."""

SETTLED_SECONDS = 1.5

STILL_SECONDS = 180.0
"""A partition that stands still for longer is a finding."""

STUCK_SECONDS = 300.0
"""A run in which a partition stands still for so long ends: nothing it could still find would be worth the time."""

QUIET_SECONDS = 300.0
"""How long the end of everything is waited for."""

LARGEST_BROKER_MEGABYTES = 4_096
FILES_MEGABYTES = 8
FILES = ("daily_metrics.csv", "alerts.json", "report.md", "report.html")


@dataclass(frozen=True)
class Options:
    """What is asked for. The run ends after so many faults, or so many minutes."""

    faults: int = 500
    seed: int = 1
    minutes: float = 120.0
    processes: int = 3
    partitions: int = 8
    rate: float = 300.0
    day_seconds: float = 60.0
    pause_seconds: float = 1.0
    kinds: tuple[str, ...] = tuple(KINDS)
    unkeyed: bool = False
    newer: bool = False


@dataclass
class Outcome:
    """What came of it."""

    options: Options
    verdict: Verdict = field(default_factory=Verdict)
    faults: list[Fault] = field(default_factory=list)
    standstills: list[Standstill] = field(default_factory=list)
    restores: list[float] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    sent: int = 0

    @property
    def equal(self) -> bool:
        """Whether everything was as it must be."""
        return self.verdict.equal and not self.wrong


class Running(NamedTuple):
    """A fault at work: when its next step is due."""

    kind: str
    start: float
    steps: Iterator[float]
    due: float


class Driver:
    """Does one fault after the other, some of them at a time; now and then it waits until everything moves again."""

    def __init__(self, scene: Scene, progress: Progress, options: Options) -> None:
        self.done: list[Fault] = []
        self._scene = scene
        self._progress = progress
        self._options = options
        self._active: list[Running] = []
        self._deck: list[str] = []
        self._next = 0.0
        self._alone = self._chosen = True
        self._since = time.monotonic()
        self._told: set[str] = set()

    def run(self, tell: Callable[[str], None]) -> None:
        """Until there were enough, or the time is over."""
        ends = time.monotonic() + 60 * self._options.minutes
        pause = threading.Event()
        while len(self.done) + len(self._active) < self._options.faults and time.monotonic() < ends:
            self._step()
            if self._is_stuck():
                break
            if time.monotonic() >= self._next and self._may_begin():
                self._begin()
                tell(f"{len(self.done)} of {self._options.faults} faults")
            pause.wait(0.02)
        while self._active:
            self._step()
            pause.wait(0.02)

    def _is_stuck(self) -> bool:
        still = self._progress.standing()
        if still is None or still.seconds <= STUCK_SECONDS:
            return False
        self._scene.wrong.append(f"no more faults: {still.partition} does not go on")
        return True

    def _may_begin(self) -> bool:
        """Some faults are alone: all others are over before and after, and every partition has got on again."""
        if self._alone:
            return not self._active and self._progress.all_moved_since(self._since + SETTLED_SECONDS)
        return len(self._active) < len(self._scene.herd.members)

    def _begin(self) -> None:
        if not self._deck:
            self._deck = [kind for kind in self._options.kinds for _ in range(KINDS[kind][1])]
            self._scene.rng.shuffle(self._deck)
        kind = self._deck.pop()
        now = time.monotonic()
        self._advance(Running(kind, now, KINDS[kind][0](self._scene), now))
        rng = self._scene.rng
        chosen = rng.random() < ALONE
        self._alone = self._chosen or chosen  # before one that was chosen, and after it
        self._chosen = chosen
        self._next = time.monotonic() + rng.expovariate(1 / self._options.pause_seconds)

    def _step(self) -> None:
        now = time.monotonic()
        due = [running for running in self._active if running.due <= now]
        self._active = [running for running in self._active if running.due > now]
        for running in due:
            self._advance(running)
        self._scene.herd.mend()
        still = self._progress.standing()
        if still is not None and still.seconds > STILL_SECONDS and still.partition not in self._told:
            self._told.add(still.partition)
            self._scene.wrong.append(f"{still.partition} stood still for {still.seconds:.0f} s")

    def _advance(self, running: Running) -> None:
        try:
            wait = next(running.steps)
        except NotNow:
            return
        except StopIteration:
            self._since = time.monotonic()
            self.done.append(Fault(running.kind, running.start, self._since))
            return
        self._active.append(running._replace(due=time.monotonic() + wait))


def run(options: Options, folder: Path, tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """The whole run; what it leaves in the folder are the settings and the daily files."""
    outcome = Outcome(options)
    began = time.monotonic()
    with ExitStack() as stack:
        site, herd, kafka, broker_disk = _set_up(options, folder, stack, outcome)
        scene = Scene(herd.rng, herd, kafka, _out_disk(site, herd, stack), broker_disk)
        with _load(site, options) as load:
            for member in herd.members:
                herd.start(member)
            with Progress(site.servers, site.group, _parts(site, options)) as progress:
                driver = Driver(scene, progress, options)
                wait_until(lambda: progress.all_moved_since(0), QUIET_SECONDS, "every partition is worked on")
                driver.run(tell)
            tell("the load ends")
            outcome.sent = _end_load(load)
        herd.mend()
        tell("waiting until all is read")
        last = _come_to_rest(site, herd, scene)
        tell("verifying")
        outcome.verdict = verify(site.servers, _topics(site), site.out)
        sent = outcome.verdict.line("records that the sender was told are stored")
        sent.compared = outcome.sent
        if outcome.sent > outcome.verdict.lines[0].compared:
            sent.is_lost(f"{outcome.sent - outcome.verdict.lines[0].compared} records")
        _compare_fresh_files(site, last, outcome.verdict)
        outcome.faults, outcome.standstills = driver.done, progress.standstills
        outcome.restores = herd.restores()
        outcome.wrong = [*scene.wrong, *herd.ended]
    outcome.seconds = time.monotonic() - began
    (folder / "faults.json").write_text(json.dumps(_course(outcome, began), indent=1))
    return outcome


def _course(outcome: Outcome, began: float) -> dict[str, object]:
    """What was done when, and what stood still when, in seconds since the beginning."""
    return {
        "faults": [(f.kind, round(f.start - began, 1), round(f.end - began, 1)) for f in outcome.faults],
        "standstills": [
            (s.partition, round(s.start - began, 1), round(s.end - began, 1)) for s in outcome.standstills
        ],
    }


def _set_up(
    options: Options, folder: Path, stack: ExitStack, outcome: Outcome
) -> tuple[Site, Herd, EmbeddedKafka, SmallDisk | None]:
    broker_disk, kinds = None, set(options.kinds)
    data = folder / "kafka"
    if "broker's disk full" in kinds:
        try:
            broker_disk = SmallDisk(data, LARGEST_BROKER_MEGABYTES)
            stack.callback(broker_disk.close)
        except PermissionError:
            outcome.left_out.append("broker's disk full (it takes the right to mount a file system)")
    if broker_disk is not None:
        stack.callback(broker_disk.copy_to, folder / "broker")
    kafka = stack.enter_context(EmbeddedKafka(data, properties=BROKER))
    sections = {
        **SECTIONS,
        "topics": {"valid": "torture-valid"},
        "input": {"keyed": not options.unkeyed},
    }
    own: dict[str, object] = {**(NEWER if options.newer else OLDER)}
    site = stack.enter_context(Site(kafka.bootstrap_servers, "torture-", folder, own, sections))
    create_topic(site.servers, site.input, options.partitions)
    herd = Herd(site, Random(f"{options.seed} faults"))
    stack.callback(herd.write_logs, folder / "logs")
    stack.callback(herd.close)
    clock = WallClock(folder)
    for number in range(options.processes):
        herd.add(chr(ord("a") + number), clock if number == options.processes - 1 else None)
    return site, herd, kafka, broker_disk


def _out_disk(site: Site, herd: Herd, stack: ExitStack) -> SmallDisk | NoMoreFiles:
    try:
        disk = SmallDisk(site.out, FILES_MEGABYTES)
    except PermissionError:
        return NoMoreFiles(herd.pids)
    stack.callback(disk.close)
    stack.callback(disk.copy_to, site.folder / "files")
    return disk


def _parts(site: Site, options: Options) -> list[TopicPartition]:
    """All that the group reads."""
    topics = [site.input, site.topic("keyed")] if options.unkeyed else [site.input]
    parts = [TopicPartition(topic, number) for topic in topics for number in range(options.partitions)]
    return [*parts, TopicPartition(site.topic("facts"), 0)]


def _topics(site: Site) -> Topics:
    names = ("input", "dead_letters", "valid", "days", "alerts")
    return Topics(*map(site.topic, names))


@contextmanager
def _load(site: Site, options: Options) -> Iterator[subprocess.Popen[bytes]]:
    more = {"seed": options.seed, "rate": options.rate, "day-seconds": options.day_seconds}
    if options.unkeyed:
        more["anywhere"] = options.partitions
    given = [part for name, value in more.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "tests.torture.load", site.servers, site.input, *given]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PARENT)
    try:
        yield load
    finally:
        load.kill()
        load.wait()


def _end_load(load: subprocess.Popen[bytes]) -> int:
    assert load.poll() is None, "the load ended by itself"
    load.send_signal(signal.SIGTERM)
    said, _ = load.communicate(timeout=2 * QUIET_SECONDS)
    return int(json.loads(said.splitlines()[-1])["sent"])


def _come_to_rest(site: Site, herd: Herd, scene: Scene) -> Process:
    """All but one end in order; the last one reads everything, brings the files up to date, and ends as well."""
    site.wait_until_caught_up(QUIET_SECONDS)
    herd.mend()
    last = herd.members[0].runs
    for process in site.processes:
        if process.running() and process is not last:
            code = process.stop()
            if not ended_as_asked(code, process.told(), broker_away=False):
                scene.wrong.append(f"ended with {code} on SIGTERM: {process.told()}")
    site.wait_until_caught_up(QUIET_SECONDS)
    topics = _topics(site)
    wait_until(
        lambda: verify_delivery(site.servers, topics, site.out).equal or not last.running(),
        QUIET_SECONDS,
        "the files are those of the topics",
    )
    if last.stop() != 0:
        scene.wrong.append(f"ended with {last.exit_code()} on SIGTERM: {last.told()}")
    return last


def _compare_fresh_files(site: Site, last: Process, verdict: Verdict) -> None:
    """A new deliverer that writes to an empty folder writes the same bytes."""
    line = verdict.line("files: a new process writes the same bytes")
    line.compared = len(FILES)
    fresh = site.folder / "fresh"
    process = site.start("--roles", "deliver", DELIVER_OUT=str(fresh))
    wait_until(
        lambda: all((fresh / name).exists() for name in FILES), QUIET_SECONDS, f"files: {process.told()}"
    )
    process.stop()
    for name in FILES:
        if (fresh / name).read_bytes() != (site.out / name).read_bytes():
            line.differs(name)
