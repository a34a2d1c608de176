"""The demo's eyes: takes in what is new in the topics, minds the processes and the broker, and shows how it all stands."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from consumer.local.demo_check import count
from consumer.local.demo_error import DemoError
from consumer.local.demo_incidents import Sightings
from consumer.local.demo_standing import Process, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.local.demo_daemon import Daemon
    from consumer.local.demo_folder import DemoFolder
    from consumer.local.demo_screen import Screen
    from consumer.local.demo_topics import TopicReader
    from consumer.local.kafka import EmbeddedKafka
    from consumer.local.shop_event import Injected
    from consumer.runtime.clock import Clock
    from consumer.runtime.kafka.sender import Sender

PATIENCE_SECONDS = 60.0
"""How long nothing may move before the demo gives up: far above the six seconds after a kill."""

LOOK_SECONDS = 0.05
RATE_SECONDS = 1.0


class Lookout:
    """Looks when it is told to. `restarts`: a process that somebody kills is started again, and no failure. `faults` are
    what went wrong in the shop; `sightings` knows which alerts found them."""

    def __init__(
        self,
        kafka: EmbeddedKafka,
        folder: DemoFolder,
        sender: Sender,
        reader: TopicReader,
        faults: Sequence[Injected],
        screen: Screen,
        clock: Clock,
    ) -> None:
        self.restarts = False
        self.sightings = Sightings()
        self._faults = faults
        self._kafka = kafka
        self._folder = folder
        self._sender = sender
        self._reader = reader
        self._screen = screen
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()
        self._looked_at = clock.monotonic()

    def sent(self) -> int:
        """Events that the broker has taken."""
        return self._sender.delivered.total()

    def counted(self) -> int:
        """Events that the days account for."""
        return count(self._reader.deliverer.receipts)

    def wait(self, is_reached: Callable[[], bool], what: str) -> None:
        """Looks until it is reached. Raises DemoError when nothing has moved for too long before."""
        moved_at, last = self._clock.monotonic(), -1
        while not is_reached():
            self.look(LOOK_SECONDS)
            now, counted = self._clock.monotonic(), self.counted()
            if counted != last:
                moved_at, last = now, counted
            elif now - moved_at > PATIENCE_SECONDS:
                words = "; ".join(f"{it.name}: {it.last_words()}" for it in self._folder.daemons)
                raise DemoError(
                    f"nothing moved for {PATIENCE_SECONDS:.0f} s, so it did not come to this: {what} ({words})"
                )

    def glance(self) -> None:
        """A look, unless the last one was just now; and the broker's answers to what was sent."""
        self._sender.serve()
        if self._clock.monotonic() - self._looked_at >= 2 * LOOK_SECONDS:
            self.look(0)

    def look(self, wait_seconds: float) -> None:
        """Takes in what is new and shows it. Raises DemoError when a process or the broker has ended by itself."""
        self._reader.turn(wait_seconds)
        for daemon in self._folder.daemons:
            for text in daemon.news():
                self._screen.happened(text)
            self._mind(daemon)
        if not self._kafka.running():
            raise DemoError(f"Apache Kafka is gone: {self._kafka.last_words()}")
        for sighting in self.sightings.news(self._faults, self._reader.opened):
            self._screen.sighted(sighting)
        self._screen.show(self.standing())
        self._looked_at = self._clock.monotonic()

    def standing(self) -> Standing:
        """How it stands, as of the last look."""
        processes = tuple(
            Process(daemon.name, daemon.pid, tuple(sorted(daemon.partitions)), daemon.address)
            for daemon in self._folder.daemons
            if daemon.pid
        )
        receipts = tuple(self._reader.deliverer.receipts)
        return Standing(receipts, self.sent(), self.counted(), self._rate(), processes)

    def _mind(self, daemon: Daemon) -> None:
        ended = daemon.ended()
        if not ended:
            return
        if not (self.restarts and daemon.was_killed()):
            raise DemoError(f"{daemon.name} {ended}: {daemon.last_words()}")
        daemon.kill()
        daemon.start()
        self._screen.happened(f"{daemon.name} {ended}, and is started again (process id {daemon.pid})")

    def _rate(self) -> float:
        """Events counted a second, over the last second."""
        now = self._clock.monotonic()
        self._samples.append((now, self.counted()))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()
        (began, before), (_, after) = self._samples[0], self._samples[-1]
        return (after - before) / (now - began) if now > began else 0.0
