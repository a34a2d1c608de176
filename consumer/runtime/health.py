"""What the loop says of itself to other threads: whether it turns, and whether it keeps up."""

from __future__ import annotations

import threading


class Health:
    """What the loop says of itself, read by other threads. Times are seconds of the monotonic clock.

    Alive: the loop turned within `limit_seconds`. Started: alive, and every named condition holds; the first of them,
    `assigned`, is there from the start and waits for its first `set`. Ready: started, and nothing is behind.
    """

    def __init__(self, limit_seconds: float, monotonic: float) -> None:
        self._limit = limit_seconds
        self._turned = monotonic
        self._turns = 0
        self._conditions: dict[str, str | None] = {"assigned": "not connected to Kafka yet"}
        self._behind: dict[str, str] = {}
        self._warnings: dict[str, str] = {}
        self._lock = threading.Lock()

    def turned(self, monotonic: float) -> None:
        """The loop is alive at this moment: called once per turn, and at every step of a long restore."""
        with self._lock:
            self._turned = monotonic
            self._turns += 1

    def turns(self) -> int:
        """How often `turned` was called: what the watchdog watches."""
        return self._turns

    def set(self, name: str, ready: bool, reason: str = "") -> None:  # noqa: FBT001 - the answer, not a switch
        """Sets a condition; `reason` says in a few words what is missing when it does not hold."""
        with self._lock:
            self._conditions[name] = None if ready else reason or name

    def drop(self, name: str) -> None:
        """The condition is no longer ours (its partition went to another process)."""
        with self._lock:
            self._conditions.pop(name, None)

    def behind(self, name: str, sentence: str) -> None:
        """Something does not keep up with its work; no sentence = it does."""
        with self._lock:
            self._behind[name] = sentence

    def warn(self, name: str, sentence: str) -> None:
        """Something is wrong that more or fewer processes of this kind do not change; no sentence = it is over."""
        with self._lock:
            self._warnings[name] = sentence

    def warnings(self) -> list[str]:
        """What is wrong although work may be expected; empty = nothing."""
        with self._lock:
            return [sentence for sentence in self._warnings.values() if sentence]

    def not_alive(self, monotonic: float) -> list[str]:
        """Why the loop counts as dead; empty = alive."""
        with self._lock:
            age = monotonic - self._turned
        return [f"the loop has not turned for {age:.0f} s"] if age > self._limit else []

    def not_started(self, monotonic: float) -> list[str]:
        """Why no work is being done; empty = it is, though perhaps on a backlog."""
        with self._lock:
            missing = [reason for reason in self._conditions.values() if reason is not None]
        return self.not_alive(monotonic) + missing

    def not_ready(self, monotonic: float) -> list[str]:
        """Why no timely work should be expected now; empty = ready."""
        with self._lock:
            behind = [sentence for sentence in self._behind.values() if sentence]
        return self.not_started(monotonic) + behind
