"""Tells systemd how a service of `Type=notify` stands: started, alive, stopping, and why not yet.

The protocol is one datagram per message to the socket that the environment names (sd_notify(3), "Implementation"), which
is less than a binding of libsystemd would ask of a machine. Without such a socket nothing is told.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.runtime.clock import Clock
    from consumer.runtime.health import Health

LOOK_SECONDS = 1.0
"""Between two looks at most; a third of the watchdog's time, where that is less."""


class ServiceManager:
    """Looks at the health in a thread of its own, from `start` until the service is told to stop."""

    def __init__(self, variables: Mapping[str, str], health: Health, clock: Clock) -> None:
        self._address = variables.get("NOTIFY_SOCKET", "")
        self._health = health
        self._clock = clock
        self._started = False
        self._status = ""
        self._watched = bool(watchdog := _watchdog_seconds(variables))
        self._look_seconds = min(LOOK_SECONDS, watchdog / 3 or LOOK_SECONDS)

    def start(self, stop: threading.Event) -> None:
        """Begins to tell, if anybody wants to hear it."""
        if self._address:
            threading.Thread(target=self._run, args=(stop,), name="service manager", daemon=True).start()

    def _run(self, stop: threading.Event) -> None:
        self._look()
        while not stop.wait(self._look_seconds):
            self._look()
        self._tell("STOPPING=1", "STATUS=ends in order")

    def _look(self) -> None:
        now, words = self._clock.monotonic(), []
        if not self._started and not self._health.not_started(now):
            self._started = True
            words.append("READY=1")
        if self._watched and not self._health.not_alive(now):
            words.append("WATCHDOG=1")
        status = "; ".join([*self._health.not_ready(now), *self._health.warnings()]) or "keeps up"
        if status != self._status:
            self._status = status
            words.append(f"STATUS={status}")
        if words:
            self._tell(*words)

    def _tell(self, *words: str) -> None:
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # Who does not listen is not told: that must not stop the numbers.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto("\n".join(word.replace("\n", " ") for word in words).encode(), address)


def _watchdog_seconds(variables: Mapping[str, str]) -> float:
    """How often systemd wants a sign of life from this very process; 0 = it wants none."""
    microseconds, pid = variables.get("WATCHDOG_USEC", ""), variables.get("WATCHDOG_PID", "")
    meant = pid in ("", str(os.getpid()))
    return int(microseconds) / 1e6 if meant and microseconds.isdecimal() else 0.0
