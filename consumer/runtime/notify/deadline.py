"""A deadline for calls that have none: a server that sends a byte every few seconds can hold a client for ever."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from consumer.runtime.notify.outcome import Failure, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LEFT = 4
"""Calls that still hang; while there are so many, no further one is begun."""


class Deadline:
    """Runs one call at a time in a thread of its own, and leaves it behind when it takes too long."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._left: list[threading.Thread] = []

    def run(self, call: Callable[[], Outcome]) -> Outcome:
        """The call's outcome; a timeout if it has none by then. Never raises."""
        self._left = [thread for thread in self._left if thread.is_alive()]
        if len(self._left) >= MOST_LEFT:
            return Outcome(Failure.TIMEOUT, "no answer in time, and the tries before still hang")
        outcomes: SimpleQueue[Outcome] = SimpleQueue()
        thread = threading.Thread(
            target=lambda: outcomes.put(_safely(call)), name=f"send-{self._name}", daemon=True
        )
        thread.start()
        try:
            return outcomes.get(timeout=self._seconds)
        except Empty:
            self._left.append(thread)
            return Outcome(Failure.TIMEOUT, f"no answer within {self._seconds:g} s")


def _safely(call: Callable[[], Outcome]) -> Outcome:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - a mistake in one channel must not end the thread of its receiver
        return Outcome(Failure.UNKNOWN, f"unexpected: {type(error).__name__}")
