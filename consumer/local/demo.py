"""The demo: Apache Kafka, a shop with incidents, real consumer processes of which one is killed, and the truth.

broker ─▶ history into the topic ─▶ two processes ─▶ kill -9 ─▶ started again ─▶ all counted ─▶ compared ─▶ (live)

The whole history is sent before the processes start: it is a backlog to them, in which a partition that falls behind
is waited for. Days that were sent in seconds while they read would look to them like clocks that run ahead.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.contract_file import load_contract
from consumer.local.demo_check import (
    Comparison,
    compare_count,
    compare_dead_letters,
    compare_with_memory,
    compare_with_truth,
    in_a_sentence,
)
from consumer.local.demo_error import DemoError
from consumer.local.demo_folder import SENT_TOGETHER, DemoFolder
from consumer.local.demo_lookout import Lookout
from consumer.local.demo_reference import Reference
from consumer.local.demo_report import Ending, next_steps, report, while_it_lasts
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

    Say = Callable[[str], object]
    """Told of the results, line by line."""

PROCESSES = 2
PARTITIONS = 4

BROKER = {"group.initial.rebalance.delay.ms": "1000"}
"""The group waits for so long for its second member before it shares the partitions out (Kafka's default is 3 s)."""

KILL_AT = 0.45
"""The share of all events that is counted when a process is killed: it has state to lose, and work left to do."""

LIVE_SPEED = 200
"""How much faster than the clock live traffic is: an hour in 18 s. A process that is killed stands still for less than
15 s, which is less than the allowed lateness of an hour at this speed, so that no day closes without its events."""

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


def demo(options: DemoOptions, screen: Screen, clock: Clock, say: Say) -> None:
    """Runs it from the start to the end.

    Raises DemoError (also when a number is not what it has to be), BrokerError, SendError, SettingsError and OSError.
    Whatever happens, no process and no temporary folder is left.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    with EmbeddedKafka(properties=BROKER, notice=screen.happened) as kafka:
        screen.happened(f"Apache Kafka {KAFKA_VERSION} answers on {kafka.bootstrap_servers}")
        out = options.out.absolute()
        with DemoFolder(kafka.bootstrap_servers, out, options.command, PROCESSES) as folder:
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
        self._folder = folder
        self._screen = screen
        self._clock = clock
        settings = load_settings(folder.config, {})
        self._input = settings.topics.input
        self._shop = DemoShop(options.seed, options.days)
        self._reference = Reference(settings, load_contract(None), options.version, clock.now_ms())
        small_batches = {**settings.kafka, "batch.num.messages": str(SENT_TOGETHER)}
        self._sender = Sender(small_batches, self._input, PARTITIONS)
        self._reader = TopicReader(settings)
        self._lookout = Lookout(kafka, folder, self._sender, self._reader, screen, clock)

    def close(self) -> None:
        """Lets the broker go."""
        self._reader.close()

    def to_the_end(self, say: Say) -> None:
        """History, kill, recovery, comparison. Raises DemoError with the numbers that are not equal."""
        with self._screen:
            self._send_history()
            began = self._clock.monotonic()
            killed = self._kill(self._start_processes())
            self._lookout.wait(self._all_counted, "every event is counted")
            seconds = self._clock.monotonic() - began
            self._screen.happened(f"every event is counted: {self._lookout.counted():,}")
            self._settle()
        ending = self._ending(killed, seconds)
        for line in report(ending):
            say(line)
        differences = [it for comparison in ending.comparisons for it in comparison.differences]
        if differences:
            raise DemoError(f"not equal: {in_a_sentence(differences)}")
        for line in () if self._options.keep else ("", *next_steps(self._options.out)):
            say(line)

    def live(self, say: Say) -> None:
        """The shop goes on until Ctrl-C; a process that somebody kills is started again."""
        self._lookout.restarts = True
        pace = Pace(LIVE_SPEED, self._clock, time.sleep)
        try:
            self._introduce(say)
            with self._screen:
                for event in self._shop.live():
                    pace.wait_for(event.at_ms, self._lookout.glance)
                    self._sender.send(event.value(), event.key())
                    self._lookout.glance()
        except KeyboardInterrupt:
            say(f"Ended: {self._lookout.standing()}.")

    def _introduce(self, say: Say) -> None:
        daemons = self._folder.daemons
        addresses = [daemon.address for daemon in daemons]
        for line in ("", *while_it_lasts(addresses, daemons[-1].pid, self._folder.config)):
            say(line)
        say(f"The shop goes on, {LIVE_SPEED} times as fast as the clock. Ctrl-C ends it.")

    # ── the parts of the story ──────────────────────────────────────────────────────────────────────────────────

    def _send_history(self) -> None:
        days, seed = self._options.days, self._options.seed
        self._screen.happened(
            f"the shop of seed {seed} sends {days} days of events to the topic {self._input}"
        )
        began = self._clock.monotonic()
        for number, event in enumerate(self._shop.history(), 1):
            value, key = event.value(), event.key()
            self._sender.send(value, key)
            self._reference.take(value, key)
            if number % SHOW_EVERY == 0:
                self._screen.show(self._lookout.standing())
        self._sender.finish()
        self._reference.finish()
        seconds, partitions = self._clock.monotonic() - began, len(self._sender.delivered)
        self._screen.happened(
            f"{self._lookout.sent():,} events are there after {seconds:.1f} s, in {partitions} partitions"
        )

    def _start_processes(self) -> Daemon:
        """Starts them; the one that will be killed."""
        for daemon in self._folder.daemons:
            daemon.start()
            self._screen.happened(f"{daemon.name} started: sluice run, process id {daemon.pid}")
        return daemon

    def _kill(self, victim: Daemon) -> str:
        """Kills and starts again; who was killed and when, in words."""
        self._lookout.wait(lambda: self._worth_killing(victim), f"{victim.name} is in the middle of its work")
        had = ", ".join(sorted(victim.partitions))
        victim.kill()
        counted = self._lookout.counted()
        self._screen.happened(
            f"{victim.name} killed (kill -9) at {counted:,} of {self._lookout.sent():,} events; it had {had}"
        )
        victim.start()
        self._screen.happened(f"{victim.name} started again, process id {victim.pid}")
        return f"{victim.name} was killed (kill -9) when {counted:,} were counted"

    def _worth_killing(self, victim: Daemon) -> bool:
        inputs = any(name.startswith(f"{self._input}[") for name in victim.partitions)
        return self._all_counted() or (inputs and self._lookout.counted() >= KILL_AT * self._lookout.sent())

    def _settle(self) -> None:
        """Waits for what follows once everything is counted."""
        wait, out = self._lookout.wait, self._options.out
        wait(
            lambda: all(daemon.partitions for daemon in self._folder.daemons), "every process has partitions"
        )
        wait(self._all_closed, "every reported day is closed")
        wait(self._reader.is_at_end, "the topics are read to their ends")
        wait(self._files_agree, f"the files in {out} agree with the topics")

    def _all_counted(self) -> bool:
        return self._lookout.counted() >= self._lookout.sent()

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

    def _ending(self, killed: str, seconds: float) -> Ending:
        deliverer = self._reader.deliverer
        return Ending(
            self._shop.days,
            deliverer.receipts,
            deliverer.alerts,
            self._reader.letters,
            self._reader.repeated,
            self._comparisons(),
            self._lookout.sent(),
            self._lookout.counted(),
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
            compare_count(receipts, self._lookout.sent()),
            compare_with_truth(receipts, reported),
            compare_dead_letters(self._reader.letters, self._reader.repeated, days.values()),
            compare_with_memory(receipts, self._reference.receipts),
        ]
