"""Everybody who tells of alerts, put together: a thread for each receiver, one for the record, one for the heartbeat.

What was told goes on record after it was taken, in a thread of its own: a broker that is away holds up no message. A
process that is killed between the two tells that one message again.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from consumer.runtime.kafka.notice_log import NoticeLog, NoticeLogError
from consumer.runtime.notify.board import Board
from consumer.runtime.notify.channels import channels_of
from consumer.runtime.notify.heartbeat import Heartbeat
from consumer.runtime.notify.notify_metrics import NotifyMetrics
from consumer.runtime.notify.worker import LAST_SECONDS, Worker
from reports.notify.backoff import pause_seconds
from reports.notify.told import Knowledge, take

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Collection, Iterable, Mapping

    from consumer.core.days import Receipt
    from consumer.runtime.clock import Clock
    from consumer.runtime.logs import Logger
    from consumer.runtime.metric_definitions import Definitions
    from consumer.runtime.notify.channels import Channel
    from consumer.settings import Settings
    from detectors.alerts import Alert

LONGEST_WAIT_SECONDS = 60.0

END_SECONDS = 5.0
"""Longest wait for the record at the end; what is not on it then, the next process tells again."""

chance = random.SystemRandom().random
"""Spreads retries; nothing secret depends on it."""


class Record:
    """What is to be written to the record, by key: the latest only, so it is bounded by the number of alerts."""

    def __init__(self, log: NoticeLog) -> None:
        self._log = log
        self._lock = threading.Condition()
        self._pending: dict[bytes, bytes] = {}

    def add(self, records: Mapping[bytes, bytes]) -> None:
        """To be written soon. Called by any thread."""
        with self._lock:
            self._pending.update(records)

    def wait(self, records: Mapping[bytes, bytes], seconds: float) -> None:
        """Waits until these, or later ones in their place, are written; at most so long."""
        with self._lock:
            self._lock.wait_for(
                lambda: not any(self._pending.get(key) == value for key, value in records.items()), seconds
            )

    def open(self) -> dict[str, Knowledge]:
        """What receivers were told, with what is not written yet. Raises NoticeLogError."""
        known = self._log.open()
        unwritten: dict[str, Knowledge] = {}
        with self._lock:
            for key, value in self._pending.items():
                take(unwritten, key, value)
        for receiver, knowledge in unwritten.items():
            known.setdefault(receiver, Knowledge()).join(knowledge)
        return known

    def write(self) -> None:
        """Writes what is pending. Raises NoticeLogError."""
        with self._lock:
            pending = dict(self._pending)
        if not pending:
            return
        self._log.write(pending)
        with self._lock:
            for key, value in pending.items():
                if self._pending.get(key) == value:
                    del self._pending[key]
            self._lock.notify_all()

    def close(self) -> None:
        """Lets go of the topic."""
        self._log.close()


class Notifier:
    """`unwell` says in a few words why this process cannot be relied on; empty = it can."""

    def __init__(
        self,
        channels: Iterable[Channel],
        notice_log: NoticeLog,
        metrics: NotifyMetrics,
        clock: Clock,
        log: Logger,
        unwell: Callable[[], str],
        heartbeat: tuple[str, float] | None = None,
    ) -> None:
        self._board = Board()
        self._record = Record(notice_log)
        self._log = log
        self._unwell = unwell
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._clock = clock
        self._failures = 0
        self._said = ""
        self._workers = [
            Worker(channel, self._board, self._put_on_record, metrics, clock, log, chance)
            for channel in channels
        ]
        self._telling = [
            threading.Thread(target=worker.run, args=(self._stop,), name="receiver", daemon=True)
            for worker in self._workers
        ]
        self._others: list[threading.Thread] = []
        if self._workers:
            self._others.append(threading.Thread(target=self._keep, name="notices", daemon=True))
        if heartbeat is not None:
            beats = Heartbeat(*heartbeat, self._withheld, metrics, clock, log)
            self._others.append(
                threading.Thread(target=beats.run, args=(self._stop,), name="heartbeat", daemon=True)
            )

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        definitions: Definitions,
        clock: Clock,
        log: Logger,
        client_log: logging.Logger,
        unwell: Callable[[], str],
    ) -> Notifier:
        """As the settings want it. Raises ChannelError."""
        channels = channels_of(settings, clock)
        metrics = NotifyMetrics(definitions, tuple(channels))
        notice_log = NoticeLog(
            settings.kafka,
            settings.group,
            settings.topics.notices,
            settings.topics.replication_factor,
            clock,
            client_log,
        )
        beat = settings.heartbeat
        heartbeat = (beat.url, beat.interval_seconds) if beat.url else None
        return cls(channels.values(), notice_log, metrics, clock, log, unwell, heartbeat)

    def start(self) -> None:
        """Starts the threads; nothing is sent before the first `show`."""
        for thread in (*self._telling, *self._others):
            thread.start()

    def show(self, alerts: Mapping[str, Alert], receipts: Collection[Receipt]) -> None:
        """The latest state, read to the ends of both topics, which are ours. Neither is changed afterwards."""
        self._board.show(alerts, receipts)
        self._wake.set()

    def lost(self) -> None:
        """The topics are somebody else's now, or have to be read again."""
        if self._board.owned:
            self._board.clear()
            self._wake.set()

    def stop(self) -> None:
        """Sends what is due, puts on record what was sent, and ends."""
        self._stop.set()
        self._board.end()
        self._wake.set()
        self._join(self._telling, LAST_SECONDS + 1)
        self._join(self._others, END_SECONDS)

    def _join(self, threads: Iterable[threading.Thread], seconds: float) -> None:
        """A thread that is not done by then hangs on a server, and is left behind."""
        until = self._clock.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - self._clock.monotonic()))

    def _put_on_record(self, records: Mapping[bytes, bytes], *, wait_seconds: float = 0) -> None:
        self._record.add(records)
        self._wake.set()
        if wait_seconds:
            self._record.wait(records, wait_seconds)

    def _withheld(self) -> str | None:
        """Why no sign of life is given; None = another process delivers."""
        if not self._board.owned:
            return None
        if self._workers and not self._board.ready:
            return "what was told is not known yet"
        if self._workers and all(worker.failing for worker in self._workers):
            return "no receiver can be reached"
        return self._unwell()

    # ── the record ──────────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self) -> None:
        """Takes the record over when the topics are ours, and writes to it. Runs in a thread of its own."""
        is_open = False
        while not self._stop.is_set():
            self._wake.clear()
            try:
                is_open = self._kept(is_open=is_open)
            except NoticeLogError as error:
                is_open = False
                self._stop.wait(self._is_unwell(error))
            else:
                self._is_well()
                self._wake.wait(LONGEST_WAIT_SECONDS)
        self._end(is_open=is_open)

    def _kept(self, *, is_open: bool) -> bool:
        """Writes what is pending, and follows the board: whether the record is open. Raises NoticeLogError."""
        if is_open:
            self._record.write()
        if is_open and not self._board.ready:
            self._record.close()
            is_open = False
        if self._board.owned and not is_open:
            tenure = self._board.tenure
            is_open = self._board.know(self._record.open(), tenure)
        return is_open

    def _end(self, *, is_open: bool) -> None:
        self._join(self._telling, LAST_SECONDS + 1)
        try:
            if is_open:
                self._record.write()
        except NoticeLogError as error:
            self._log.warning("what was told is not on record, it may be told again", reason=str(error))
        self._record.close()

    def _is_well(self) -> None:
        if self._failures and self._said:
            self._log.info("what receivers are told is put on record again")
        self._failures, self._said = 0, ""

    def _is_unwell(self, error: NoticeLogError) -> float:
        self._failures += 1
        sentence = str(error)
        if sentence != self._said:
            self._log.warning(
                "what receivers are told cannot be put on record, trying again", reason=sentence
            )
        self._said = sentence
        return pause_seconds(self._failures, chance())
