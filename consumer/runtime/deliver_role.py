"""The role that makes the outside world agree: tails days and alerts, and keeps the folder of daily files true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.delivered_topics import TailError, Topics
from consumer.runtime.kafka.tail import Standing, Tail
from reports.deliver import Deliverer
from reports.sinks import directory
from reports.sinks.directory import SinkError

if TYPE_CHECKING:
    import logging
    import threading
    from collections.abc import Callable, Collection, Mapping

    from consumer.core.days import Receipt
    from consumer.runtime.clock import Clock
    from consumer.runtime.logs import Logger
    from consumer.runtime.metrics import Delivery
    from consumer.settings import Settings
    from detectors.alerts import Alert
    from reports.sinks.directory import Stamps

    Delivered = Callable[[str, Delivery], None]
    """Told of every delivery: to which sink, and how it ended."""

SINK = "files"

LONGEST_WAIT_SECONDS = 0.5
"""How long it may take to notice that the role should stop."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""Pauses after a failure: each twice as long as the one before, up to here."""

LOOK_SECONDS = 30.0
"""Between two looks at whether the topics are still those that were read, and whether what they hold arrives."""


CALM_SECONDS = 2 * LONGEST_PAUSE_SECONDS
"""When nobody has touched the files for so long, the next change of theirs is made good at once again."""


class Follower(Protocol):
    """Who else is told of the latest state. Neither call may wait or raise."""

    def show(self, alerts: Mapping[str, Alert], receipts: Collection[Receipt]) -> None:
        """The latest state, read to the ends of both topics; neither is changed afterwards."""
        ...

    def lost(self) -> None:
        """The topics are somebody else's now, or are read again. May be said more than once."""
        ...


@dataclass(frozen=True, slots=True)
class DeliverOptions:
    """What is delivered, and where to. `kafka` is what the settings give under `[kafka]`, `instance` the process's name;
    `interval_seconds` lies between two writes at least."""

    kafka: Mapping[str, Any]
    group: str
    instance: str
    topics: Topics
    folder: Path
    interval_seconds: float


class DeliverRole:
    """Runs in a thread of its own. A full disk or a lost broker is said once, when it begins and when it ends, and
    tried again for as long as it takes: it never stops the numbers."""

    def __init__(
        self,
        options: DeliverOptions,
        log: Logger,
        client_log: logging.Logger,
        delivered: Delivered,
        clock: Clock,
        follower: Follower | None = None,
        warn: Callable[[str], object] = str,
    ) -> None:
        """`warn` is told why the files are not written, and an empty sentence when they are again."""
        self._options = options
        self._warn = warn
        self._follower = follower
        self._shown = -1
        self._log = log
        self._client_log = client_log
        self._delivered = delivered
        self._clock = clock
        self._deliverer = Deliverer()
        self._standing: tuple[Standing, str] | None = None
        self._look_at = 0.0
        self._failure = ""
        self._due = clock.monotonic()
        self._unusable = 0
        self._stamps: Stamps = {}
        self._restored_at = self._restore_from = clock.monotonic()
        self._restoring = Pause()
        self._connecting = Pause()
        self._writing = Pause()

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        instance: str,
        log: Logger,
        client_log: logging.Logger,
        delivered: Delivered,
        follower: Follower | None = None,
        warn: Callable[[str], object] = str,
    ) -> DeliverRole:
        """The role as the settings want it."""
        options = DeliverOptions(
            settings.kafka,
            settings.group,
            instance,
            Topics(settings.topics.days, settings.topics.alerts),
            Path(settings.deliver.out),
            settings.deliver.interval_seconds,
        )
        return cls(options, log, client_log, delivered, SystemClock(), follower, warn)

    def run(self, stop: threading.Event) -> None:
        """Delivers until `stop` is set; what has changed by then is still written."""
        while not stop.is_set():
            try:
                self._follow(stop)
            except TailError as error:
                self._tell(Standing.TROUBLE, str(error))
                stop.wait(self._connecting.longer())

    def _follow(self, stop: threading.Event) -> None:
        """One connection, until `stop` is set. Raises TailError when it cannot go on."""
        self._deliverer.clear()
        self._look_at = self._clock.monotonic() + LOOK_SECONDS
        options = self._options
        tail = Tail(
            options.kafka,
            options.group,
            options.instance,
            options.topics,
            self._deliverer,
            self._client_log,
        )
        comes_back = False
        try:
            while not stop.is_set():
                self._turn(tail)
            if self._has_news(tail):
                self._deliver(tail)
        except TailError as error:
            comes_back = not error.leaves
            raise
        finally:
            tail.close(for_good=not comes_back)

    def _turn(self, tail: Tail) -> None:
        """Read what has come; deliver it if there is news, all of it is known, and it is time."""
        tail.turn(self._wait_seconds(tail))
        standing, sentence = tail.standing()
        self._tell(standing, sentence)
        self._show(standing)
        self._look(tail)
        if self._has_news(tail):
            if self._clock.monotonic() >= self._due:
                self._deliver(tail)
        elif standing is Standing.COMPLETE:
            tail.commit()  # nothing to deliver up to here: transaction markers, repeated records
            self._restore()

    def _show(self, standing: Standing) -> None:
        """Tells the follower of what is new. While the broker is away, it goes on with what it knows."""
        if self._follower is None or standing is Standing.TROUBLE:
            return
        if standing is not Standing.COMPLETE:
            self._shown = -1
            self._follower.lost()
        elif self._shown != self._deliverer.version:
            self._shown = self._deliverer.version
            self._follower.show(*self._deliverer.snapshot())

    def _wait_seconds(self, tail: Tail) -> float:
        if not self._has_news(tail):
            return LONGEST_WAIT_SECONDS
        return min(LONGEST_WAIT_SECONDS, max(0.0, self._due - self._clock.monotonic()))

    def _has_news(self, tail: Tail) -> bool:
        return self._deliverer.changed and tail.standing()[0] is Standing.COMPLETE

    def _deliver(self, tail: Tail) -> None:
        """1. render, 2. write, 3. commit the group's offsets: a crash in between delivers the same again."""
        if self._write() is not None:
            self._deliverer.delivered()
            tail.commit()

    def _write(self) -> list[str] | None:
        """Makes the folder hold the files: which ones had to be written, or None when it failed."""
        files = self._deliverer.files()
        try:
            changed = directory.write(self._options.folder, files)
        except SinkError as error:
            self._failed(str(error))
            return None
        self._stamps = directory.stamps(self._options.folder, files)
        self._due = self._clock.monotonic() + self._options.interval_seconds
        self._delivered(SINK, "written" if changed else "unchanged")
        self._succeeded()
        return changed

    def _restore(self) -> None:
        """Writes the files anew if somebody else has deleted or changed them; ever more seldom if that goes on, since
        then two programs write to one folder."""
        now = self._clock.monotonic()
        if now < max(self._due, self._restore_from):
            return
        if directory.stamps(self._options.folder, self._stamps) == self._stamps:
            return
        changed = self._write()
        if changed:
            if now - self._restored_at > CALM_SECONDS:
                self._restoring = Pause()
            self._restored_at, self._restore_from = now, now + self._restoring.longer()
            self._log.warning(
                "files were changed or deleted by somebody else, written anew",
                files=changed,
                folder=str(self._options.folder),
            )

    def _failed(self, sentence: str) -> None:
        pause = max(self._options.interval_seconds, self._writing.longer())
        self._due = self._clock.monotonic() + pause
        self._delivered(SINK, "failed")
        if sentence != self._failure:
            self._log.error("files not written, trying again", reason=sentence)
            self._warn(f"the files are not written: {sentence}")
        self._failure = sentence

    def _succeeded(self) -> None:
        if self._failure:
            self._log.info("files are written again", folder=str(self._options.folder))
            self._warn("")
        self._failure = ""
        self._writing = Pause()
        if self._deliverer.unusable > self._unusable:
            self._log.warning("records are no receipts or alerts, left out", records=self._deliverer.unusable)
        self._unusable = self._deliverer.unusable

    def _look(self, tail: Tail) -> None:
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            tail.look()

    def _tell(self, standing: Standing, sentence: str) -> None:
        """Says how it stands, once for each change."""
        if standing is Standing.COMPLETE:
            self._connecting = Pause()
        if self._standing == (standing, sentence):
            return
        self._standing = (standing, sentence)
        if standing is Standing.COMPLETE:
            self._log.info("delivering the daily files", folder=str(self._options.folder))
        elif standing is Standing.TROUBLE:
            self._log.warning("delivery is held up, trying again", reason=sentence)
        else:
            self._log.info("delivery waits", reason=sentence)


class Pause:
    """How long to wait before the next try: from a second, each time twice as long, to a minute."""

    def __init__(self) -> None:
        self._seconds = FIRST_PAUSE_SECONDS / 2

    def longer(self) -> float:
        """The next pause, in seconds."""
        self._seconds = min(LONGEST_PAUSE_SECONDS, self._seconds * 2)
        return self._seconds
