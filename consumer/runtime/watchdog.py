"""Ends the process when its loop hangs, or its end does. A process that is gone is replaced and its partitions move; one that hangs
in the Kafka client (`send_offsets_to_transaction` can ignore its time limit: librdkafka issues 5456 and 5511) is not.
Nothing is lost by it: what was not committed is read again."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from consumer.runtime.logs import where

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.runtime.logs import Logger

EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: an internal error; a supervisor starts us again."""

LOOKS = 10
"""Looks within the limit. The process ends when so many in a row saw no turn: after 1 to 1.1 times the limit."""

STOP_SECONDS = 25.0
"""For an orderly end. Supervisors kill after 30 s (Kubernetes' default, and what `deploy/` sets)."""

SECONDS_TO_TELL = 2.0
"""For the last sentence. If its reader is what hangs (a full pipe), the process ends without it."""


class Watchdog:
    """Watches from a thread of its own, from `start` to `stop`.

    It counts its own looks instead of comparing times, so that a process that was stopped as a whole (SIGSTOP, a
    suspended host) gets its full limit again when it wakes. It needs the interpreter's lock like everyone else: code
    that never gives it back cannot be ended from here; confluent_kafka gives it back in every call that waits.
    """

    def __init__(
        self,
        limit_seconds: float,
        turns: Callable[[], int],
        log: Logger,
        end: Callable[[int], object] = os._exit,  # an exit that no hanging thread or destructor can hold up
    ) -> None:
        self._limit_seconds = limit_seconds
        self._turns = turns
        self._log = log
        self._end = end
        self._last_turns = turns()
        self._idle_looks = 0
        self._watched = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begins to watch the loop of the calling thread."""
        self._watched = threading.get_ident()
        self._thread.start()

    def stop(self) -> None:
        """Ends watching: the last step of an orderly end, since closing the client can hang as well."""
        self._stopped.set()

    def look(self) -> bool:
        """One look: whether the loop has hung for the whole limit by now."""
        turns = self._turns()
        self._idle_looks = self._idle_looks + 1 if turns == self._last_turns else 0
        self._last_turns = turns
        return self._idle_looks >= LOOKS

    def _watch(self) -> None:
        while not self._stopped.wait(self._limit_seconds / LOOKS):
            if self.look():
                self._end_process()
                break

    def _end_process(self) -> None:
        end_process(
            self._log,
            "loop hangs, process ends",
            self._limit_seconds,
            self._watched,
            self._end,
        )


class StopDeadline:
    """Ends the process when an orderly end, begun by `stop`, takes longer than `limit_seconds`; until `ended`."""

    def __init__(
        self,
        stop: threading.Event,
        log: Logger,
        limit_seconds: float = STOP_SECONDS,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._stop = stop
        self._log = log
        self._limit_seconds = limit_seconds
        self._end = end
        self._watched = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stop deadline", daemon=True)

    def start(self) -> None:
        """Begins to watch; the calling thread is the one whose place is told."""
        self._watched = threading.get_ident()
        self._thread.start()

    def ended(self) -> None:
        """It has ended in order."""
        self._ended.set()

    def _watch(self) -> None:
        self._stop.wait()
        if not self._ended.wait(self._limit_seconds):
            end_process(
                self._log,
                "stop takes too long, process ends",
                self._limit_seconds,
                self._watched,
                self._end,
            )


def end_process(
    log: Logger, event: str, limit_seconds: float, thread: int, end: Callable[[int], object]
) -> None:
    """One line with the place where that thread is, then the end."""

    def tell() -> None:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented; there is no other way to see it
        calls = list(traceback.walk_stack(frame))[::-1] if frame else []
        log.critical(event, limit_seconds=limit_seconds, exit_code=EXIT_CODE, at=where(calls))

    try:
        last_words = threading.Thread(target=tell, name="last words", daemon=True)
        last_words.start()
        last_words.join(SECONDS_TO_TELL)
    finally:
        end(EXIT_CODE)
