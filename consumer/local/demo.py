"""The demo: Apache Kafka, a shop with incidents, real consumer processes of which one is killed, and the truth.

broker ─▶ history into the topic ─▶ two processes ─▶ kill -9 ─▶ started again ─▶ all counted ─▶ compared ─▶ (live)

The whole history is sent before the processes start: it is a backlog to them, in which a partition that falls behind
is waited for. Days that were sent in seconds while they read would look to them like clocks that run ahead.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.contract_file import load_contract
from consumer.local.demo_check import (
    Comparison,
    compare_count,
    compare_dead_letters,
    compare_with_memory,
    compare_with_truth,
    counted,
    in_a_sentence,
)
from consumer.local.demo_error import DemoError
from consumer.local.demo_folder import DemoFolder
from consumer.local.demo_reference import Reference
from consumer.local.demo_report import Ending, next_steps, report, while_it_lasts
from consumer.local.demo_screen import Standing
from consumer.local.demo_shop import DemoShop
from consumer.local.demo_topics import TopicReader
from consumer.local.jars import KAFKA_VERSION
from consumer.local.kafka import EmbeddedKafka
from consumer.runtime.kafka.sender import Sender
from consumer.runtime.pace import Pace
from consumer.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consumer.local.demo_daemon import Daemon
    from consumer.local.demo_screen import Screen
    from consumer.runtime.clock import Clock

PROCESSES = 2
PARTITIONS = 4

BROKER = {"group.initial.rebalance.delay.ms": "1000"}
"""The group waits for so long for its second member before it shares the partitions out (Kafka's default is 3 s)."""

KILL_AT = 0.45
"""The share of all events that is counted when a process is killed: it has state to lose, and work left to do."""

LIVE_SPEED = 200
"""How much faster than the clock live traffic is: an hour in 18 s. A process that is killed stands still for less than
15 s, which is less than the allowed lateness of an hour at this speed, so that no day closes without its events."""

PATIENCE_SECONDS = 60.0
"""How long nothing may move before the demo gives up: far above the six seconds after a kill."""

LOOK_SECONDS = 0.05
RATE_SECONDS = 1.0
SHOW_EVERY = 5_000
"""Events that are sent between two looks at the screen."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What is chosen. `command` starts a daemon, without its settings; `out` is where the daily files go."""

    out: Path
    command: Sequence[str]
    version: str
    seed: int = 7
    days: int = 10
    keep: bool = False


def demo(options: DemoOptions, screen: Screen, clock: Clock, say: Callable[[str], object]) -> None:
    """Runs it from the start to the end; `say` is told of the results, line by line.

    Raises DemoError (also when a number is not what it has to be), BrokerError, SendError, SettingsError and OSError.
    Whatever happens, no process and no temporary folder is left.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    with EmbeddedKafka(properties=BROKER, notice=screen.happened) as kafka:
        screen.happened(f"Apache Kafka {KAFKA_VERSION} answers on {kafka.bootstrap_servers}")
        with DemoFolder(kafka.bootstrap_servers, options.out.absolute()) as folder:
            run = _Run(options, kafka, folder, screen, clock)
            try:
                run.to_the_end(say)
                if options.keep:
                    run.live(say)
            finally:
                run.close()


class _Run:
    """One run of the demo while broker and folder are there."""

    def __init__(
        self, options: DemoOptions, kafka: EmbeddedKafka, folder: DemoFolder, screen: Screen, clock: Clock
    ) -> None:
        self._options = options
        self._kafka = kafka
        self._folder = folder
        self._screen = screen
        self._clock = clock
        self._settings = load_settings(folder.config, {})
        self._shop = DemoShop(options.seed, options.days)
        self._reference = Reference(
            self._settings, load_contract(None), options.version, wall_ms=clock.now_ms()
        )
        self._sender = Sender(self._settings.kafka, self._settings.topics.input, PARTITIONS)
        self._reader = TopicReader(self._settings)
        self._samples: deque[tuple[float, int]] = deque()
        self._looked_at = clock.monotonic()
        self._restarts = False

    def close(self) -> None:
        """Lets the broker go."""
        self._reader.close()

    # ── the parts of the demo ───────────────────────────────────────────────────────────────────────────────────

    def to_the_end(self, say: Callable[[str], object]) -> None:
        """History, kill, recovery, comparison. Raises DemoError with the numbers that are not equal."""
        with self._screen:
            self._send_history()
            began = self._clock.monotonic()
            victim = self._start_processes()
            killed = self._kill(victim)
            self._wait(self._all_counted, "every event was counted")
            seconds = self._clock.monotonic() - began
            self._screen.happened(f"every event is counted: {self._counted():,}")
            self._wait(lambda: bool(victim.partitions), f"{victim.name} got partitions back")
            self._wait(self._all_closed, "every reported day closed")
            self._wait(self._reader.is_at_end, "the topics were read to their ends")
            self._wait(self._files_agree, f"the files in {self._options.out} agreed with the topics")
        ending = self._ending(killed, seconds)
        for line in report(ending):
            say(line)
        differences = [it for comparison in ending.comparisons for it in comparison.differences]
        if differences:
            raise DemoError(f"not equal: {in_a_sentence(differences)}")
        if not self._options.keep:
            for line in ("", *next_steps(self._options.out)):
                say(line)

    def live(self, say: Callable[[str], object]) -> None:
        """The shop goes on until Ctrl-C; a process that somebody kills is started again."""
        self._restarts = True
        addresses = [daemon.address for daemon in self._folder.daemons]
        for line in ("", *while_it_lasts(addresses, self._folder.daemons[-1].pid, self._folder.config)):
            say(line)
        say(f"The shop goes on, {LIVE_SPEED} times as fast as the clock. Ctrl-C ends it.")
        pace = Pace(LIVE_SPEED, self._clock, time.sleep)
        try:
            with self._screen:
                for event in self._shop.live():
                    pace.wait_for(event.at_ms, self._glance)
                    self._sender.send(event.value(), event.key())
                    self._glance()
        except KeyboardInterrupt:
            say(f"Ended: {self._standing()}.")

    def _send_history(self) -> None:
        topic = self._settings.topics.input
        self._screen.happened(
            f"the shop of seed {self._options.seed} sends {self._options.days} days of events to the topic {topic}"
        )
        began = self._clock.monotonic()
        for number, event in enumerate(self._shop.history(), 1):
            value, key = event.value(), event.key()
            self._sender.send(value, key)
            self._reference.take(value, key)
            if number % SHOW_EVERY == 0:
                self._screen.show(self._standing())
        self._sender.finish()
        self._reference.finish()
        seconds = self._clock.monotonic() - began
        self._screen.happened(
            f"{self._sent():,} events are there after {seconds:.1f} s, in {len(self._sender.delivered)} partitions"
        )

    def _start_processes(self) -> Daemon:
        """Starts them; the one that will be killed."""
        for _ in range(PROCESSES):
            daemon = self._folder.add(self._options.command)
            daemon.start()
            self._screen.happened(f"{daemon.name} started: sluice run, process id {daemon.pid}")
        return daemon

    def _kill(self, victim: Daemon) -> str:
        """Kills and starts again; who was killed and when, in words."""
        self._wait(lambda: self._worth_killing(victim), f"{victim.name} was in the middle of its work")
        had = ", ".join(sorted(victim.partitions))
        victim.kill()
        at = f"at {self._counted():,} of {self._sent():,} events"
        self._screen.happened(f"{victim.name} killed (kill -9) {at}; it had {had}")
        victim.start()
        self._screen.happened(f"{victim.name} started again, process id {victim.pid}")
        return f"{victim.name} was killed with kill -9 {at}"

    def _worth_killing(self, victim: Daemon) -> bool:
        inputs = [name for name in victim.partitions if name.startswith(self._settings.topics.input)]
        return self._all_counted() or (bool(inputs) and self._counted() >= KILL_AT * self._sent())

    def _ending(self, killed: str, seconds: float) -> Ending:
        deliverer = self._reader.deliverer
        return Ending(
            self._shop.days,
            deliverer.receipts,
            deliverer.alerts,
            self._reader.letters,
            self._reader.repeated,
            self._comparisons(),
            self._sent(),
            self._counted(),
            seconds,
            killed,
            self._options.out,
            sorted(deliverer.files()),
        )

    def _comparisons(self) -> list[Comparison]:
        receipts = self._reader.deliverer.receipts
        days = {str(day): known for day, known in self._shop.truth.days.items()}
        reported = {day: days[day] for day in self._shop.days}
        return [
            compare_count(receipts, self._sent()),
            compare_with_truth(receipts, reported),
            compare_dead_letters(self._reader.letters, self._reader.repeated, days.values()),
            compare_with_memory(receipts, self._reference.receipts),
        ]

    # ── what is waited for ──────────────────────────────────────────────────────────────────────────────────────

    def _wait(self, is_reached: Callable[[], bool], what: str) -> None:
        """Looks until it is reached. Raises DemoError when nothing has moved for too long before."""
        moved_at, last = self._clock.monotonic(), -1
        while not is_reached():
            self._look(LOOK_SECONDS)
            now = self._clock.monotonic()
            if self._counted() != last:
                moved_at, last = now, self._counted()
            elif now - moved_at > PATIENCE_SECONDS:
                words = "; ".join(f"{it.name}: {it.last_words()}" for it in self._folder.daemons)
                raise DemoError(f"nothing moved for {PATIENCE_SECONDS:.0f} s before {what} ({words})")

    def _all_counted(self) -> bool:
        return self._counted() >= self._sent()

    def _all_closed(self) -> bool:
        closed = {it.day for it in self._reader.deliverer.receipts if it.status != "open"}
        return closed.issuperset(self._shop.days)

    def _files_agree(self) -> bool:
        try:
            return all(
                (self._options.out / name).read_bytes() == content
                for name, content in self._reader.deliverer.files().items()
            )
        except FileNotFoundError:
            return False

    def _sent(self) -> int:
        return self._sender.delivered.total()

    def _counted(self) -> int:
        return counted(self._reader.deliverer.receipts)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _glance(self) -> None:
        """A look, unless the last one was just now."""
        self._sender.serve()
        if self._clock.monotonic() - self._looked_at >= 2 * LOOK_SECONDS:
            self._look(0)

    def _look(self, wait_seconds: float) -> None:
        """Reads what is new, minds the processes, and shows it all. Raises DemoError when one has ended by itself."""
        self._reader.turn(wait_seconds)
        for daemon in self._folder.daemons:
            for text in daemon.news():
                self._screen.happened(text)
            self._mind(daemon)
        if not self._kafka.running():
            raise DemoError(f"Apache Kafka ended by itself: {self._kafka.last_words()}")
        self._screen.show(self._standing())
        self._looked_at = self._clock.monotonic()

    def _mind(self, daemon: Daemon) -> None:
        ended = daemon.ended()
        if not ended:
            return
        if not (self._restarts and daemon.was_killed()):
            raise DemoError(f"{daemon.name} {ended} by itself: {daemon.last_words()}")
        self._screen.happened(f"{daemon.name} {ended}: starting it again")
        daemon.kill()
        daemon.start()

    def _standing(self) -> Standing:
        processes = tuple(
            f"{daemon.name} (pid {daemon.pid}): {', '.join(sorted(daemon.partitions)) or 'no partition yet'}"
            for daemon in self._folder.daemons
        )
        receipts = self._reader.deliverer.receipts
        return Standing(tuple(receipts), self._sent(), self._counted(), self._rate(), processes)

    def _rate(self) -> float:
        """Events counted a second, over the last second."""
        now = self._clock.monotonic()
        self._samples.append((now, self._counted()))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()
        (began, before), (_, after) = self._samples[0], self._samples[-1]
        return (after - before) / (now - began) if now > began else 0.0
