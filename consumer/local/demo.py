"""The demo: Apache Kafka, a shop with incidents, real consumer processes of which one is killed, and the truth.

broker ─▶ history into the topic ─▶ two processes ─▶ kill -9 ─▶ started again ─▶ all counted ─▶ compared ─▶ (live)

The whole history is sent before the processes start: it is a backlog to them, in which a partition that falls behind
is waited for. Days that were sent in seconds while they read would look to them like clocks that run ahead.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from consumer.contract_file import load_contract
from consumer.local.demo_check import (
    Comparison,
    compare_alerts,
    compare_count,
    compare_dead_letters,
    compare_with_memory,
    compare_with_truth,
    in_a_sentence,
)
from consumer.local.demo_error import DemoError
from consumer.local.demo_files import event_file, save_days, save_metrics
from consumer.local.demo_folder import SENT_TOGETHER, DemoFolder
from consumer.local.demo_leftovers import EVENTS, Leftovers, leftovers, while_it_lasts
from consumer.local.demo_lookout import Lookout
from consumer.local.demo_reference import Reference
from consumer.local.demo_report import Ending, opening, report
from consumer.local.demo_shop import DemoShop
from consumer.local.demo_standing import Standing
from consumer.local.demo_topics import TopicReader
from consumer.local.jars import KAFKA_VERSION
from consumer.local.kafka import EmbeddedKafka
from consumer.runtime.kafka.sender import Sender
from consumer.runtime.pace import Pace
from consumer.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from consumer.local.demo_daemon import Daemon
    from consumer.local.demo_incidents import Incident
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

SHOW_EVERY = 1_000
"""Events that are sent between two looks at the screen."""


MOST_TELLING = "checkout_broken"
"""The fault whose day is worth a look, if it was found."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What is chosen. `command` starts a daemon, without its settings; `program` is the command line as the user's shell
    finds it. `out` is where the daily files go; `open_page` shows a page to whoever is looking, and says whether it did.
    """

    out: Path
    command: Sequence[str]
    program: str
    version: str
    open_page: Callable[[Path], bool]
    seed: int = 7
    days: int = 14
    keep: bool = False


def demo(options: DemoOptions, screen: Screen, clock: Clock) -> None:
    """Runs it from the start to the end.

    Raises DemoError (also when a number is not what it has to be), BrokerError, SendError, SettingsError and OSError.
    Whatever happens, no process and no temporary folder is left.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    shop = DemoShop(options.seed, options.days)
    screen.say(*opening(options.seed, options.days, shop.faults, PROCESSES))
    with EmbeddedKafka(properties=BROKER, notice=screen.happened) as kafka:
        screen.happened(f"Apache Kafka {KAFKA_VERSION} answers on {kafka.bootstrap_servers}")
        out = options.out.absolute()
        with DemoFolder(kafka.bootstrap_servers, out, options.command, PROCESSES) as folder:
            run = _Run(options, kafka, folder, shop, screen, clock)
            try:
                run.to_the_end()
                if options.keep:
                    run.live()
            finally:
                run.close()


class _Run:
    """One run of the demo while broker and folder are there."""

    def __init__(
        self,
        options: DemoOptions,
        kafka: EmbeddedKafka,
        folder: DemoFolder,
        shop: DemoShop,
        screen: Screen,
        clock: Clock,
    ) -> None:
        self._options = options
        self._folder = folder
        self._shop = shop
        self._screen = screen
        self._clock = clock
        settings = load_settings(folder.config, {})
        self._input = settings.topics.input
        self._reference = Reference(settings, load_contract(None), options.version, clock.now_ms())
        small_batches = {**settings.kafka, "batch.num.messages": str(SENT_TOGETHER)}
        self._sender = Sender(small_batches, self._input, PARTITIONS)
        self._reader = TopicReader(settings)
        faults = shop.truth.injected
        self._lookout = Lookout(kafka, folder, self._sender, self._reader, faults, screen, clock)

    def close(self) -> None:
        """Lets the broker go."""
        self._reader.close()

    def to_the_end(self) -> None:
        """History, kill, recovery, comparison. Raises DemoError with the numbers that are not equal."""
        with self._screen:
            self._send_history()
            killed = self._kill(self._start_processes())
            self._lookout.wait(self._all_counted, "every event is counted")
            self._screen.happened(f"every event is counted: {self._lookout.counted():,}")
            self._settle()
            files = self._keepsakes()
        ending = self._ending(killed)
        self._screen.say(*report(ending, self._screen.width))
        self._screen.say(*leftovers(self._leftovers(ending.incidents, files)))
        differences = [it for comparison in ending.comparisons for it in comparison.differences]
        if differences:
            raise DemoError(f"not equal: {in_a_sentence(differences)}")

    def live(self) -> None:
        """The shop goes on until Ctrl-C; a process that somebody kills is started again."""
        self._lookout.restarts = True
        pace = Pace(LIVE_SPEED, self._clock, time.sleep)
        daemons, program = self._folder.daemons, self._options.program
        addresses = [daemon.address for daemon in daemons]
        try:
            self._screen.say(*while_it_lasts(program, addresses, daemons[-1].pid, self._folder.config))
            self._screen.happened(f"the shop goes on, {LIVE_SPEED} times as fast as the clock")
            with self._screen:
                for event in self._shop.live():
                    pace.wait_for(event.at_ms, self._lookout.glance)
                    self._sender.send(event.value(), event.key())
                    self._lookout.glance()
        except KeyboardInterrupt:
            self._screen.happened(f"ended: {self._lookout.standing()}")
            save_days(self._options.out, self._reader.deliverer.receipts)

    # ── the parts of the story ──────────────────────────────────────────────────────────────────────────────────

    def _send_history(self) -> None:
        began = self._clock.monotonic()
        with event_file(self._options.out) as write:
            for number, event in enumerate(self._shop.history(), 1):
                value, key = event.value(), event.key()
                self._sender.send(value, key)
                self._reference.take(value, key)
                write(value)
                if number % SHOW_EVERY == 0:
                    share = self._shop.share(event.at_ms)
                    self._screen.show(Standing(sent=self._lookout.sent(), sending=share))
        self._sender.finish()
        self._reference.finish()
        seconds, partitions = self._clock.monotonic() - began, len(self._sender.delivered)
        self._screen.happened(
            f"the shop has sent {self._lookout.sent():,} events in {seconds:.1f} s, to {partitions} partitions of the "
            f"topic {self._input}"
        )

    def _start_processes(self) -> Daemon:
        """Starts them; the one that will be killed."""
        for daemon in self._folder.daemons:
            daemon.start()
            self._screen.happened(f"{daemon.name} started: sluice run, pid {daemon.pid}")
        return daemon

    def _kill(self, victim: Daemon) -> str:
        """Kills, starts again and waits until somebody goes on with its partitions; what happened, in sentences."""
        self._lookout.wait(lambda: self._worth_killing(victim), f"{victim.name} is in the middle of its work")
        had = {name for name in victim.partitions if self._is_input(name)}
        counted, sent, at = self._lookout.counted(), self._lookout.sent(), self._clock.monotonic()
        victim.kill()
        names = ", ".join(sorted(had))
        self._screen.happened(
            f"{victim.name} killed: kill -9 at {counted:,} of {sent:,} events; it had {names}", "bold magenta"
        )
        victim.start()
        self._screen.happened(f"{victim.name} started again, pid {victim.pid}")
        self._lookout.wait(lambda: had <= self._taken(), f"somebody goes on with {names}")
        heirs = [daemon.name for daemon in self._folder.daemons if had & daemon.partitions]
        seconds = self._clock.monotonic() - at
        return (
            f"{victim.name.capitalize()} was killed (kill -9) at {counted:,} events, with {names} in its hands. "
            f"{' and '.join(heirs).capitalize()} went on with them {seconds:.1f} s later, state restored."
        )

    def _is_input(self, name: str) -> bool:
        return name.startswith(f"{self._input}[")

    def _taken(self) -> set[str]:
        """The partitions that some process has."""
        return {name for daemon in self._folder.daemons for name in daemon.partitions}

    def _worth_killing(self, victim: Daemon) -> bool:
        inputs = any(map(self._is_input, victim.partitions))
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

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _keepsakes(self) -> list[str]:
        """Writes what stays beside the daily files; the names of all."""
        out, deliverer = self._options.out, self._reader.deliverer
        watching = [it for it in self._folder.daemons if not all(map(self._is_input, it.partitions))]
        page = save_metrics(out, (watching or self._folder.daemons)[0].address)
        return [*deliverer.files(), save_days(out, deliverer.receipts), page, EVENTS]

    def _leftovers(self, incidents: Sequence[Incident], files: Sequence[str]) -> Leftovers:
        options = self._options
        found = [it for it in incidents if it.alert is not None]
        telling = next((it for it in found if it.fault.fault == MOST_TELLING), found[-1] if found else None)
        day = self._shop.days[-1] if telling is None else str(telling.fault.day)
        happened = "all ended" if telling is None else telling.words
        opened = options.open_page(options.out / "report.html")
        another = options.seed + 1 if options.keep else None
        return Leftovers(options.out, files, options.program, day, happened, opened, another)

    def _ending(self, killed: str) -> Ending:
        deliverer = self._reader.deliverer
        return Ending(
            days=self._shop.days,
            receipts=deliverer.receipts,
            alerts=deliverer.alerts,
            incidents=self._incidents(),
            letters=self._reader.letters,
            repeated=self._reader.repeated,
            comparisons=list(self._comparisons()),
            sent=self._lookout.sent(),
            counted=self._lookout.counted(),
            killed=killed,
        )

    def _incidents(self) -> list[Incident]:
        """With the alerts as they are now: what came later may have told more of how it began."""
        latest = {alert.id: alert for alert in self._reader.deliverer.alerts}
        known = self._lookout.sightings.known
        return [replace(it, alert=it.alert and latest.get(it.alert.id)) for it in known]

    def _comparisons(self) -> Iterator[Comparison]:
        deliverer = self._reader.deliverer
        days = {str(day): known for day, known in self._shop.truth.days.items()}
        reported = {day: days[day] for day in self._shop.days}
        yield compare_count(deliverer.receipts, self._lookout.sent())
        yield compare_with_truth(deliverer.receipts, reported)
        yield compare_dead_letters(self._reader.letters, self._reader.repeated, days.values())
        yield compare_with_memory(deliverer.receipts, self._reference.receipts)
        yield compare_alerts(deliverer.alerts, self._reference.alerts)
