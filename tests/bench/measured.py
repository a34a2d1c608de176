"""What one run of something came to, and the child process that it ran in."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from consumer.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Run:
    """One run over `records` records. `faults`: in words, every number that was not right; such a run counts as failed.
    `more`: further figures by name."""

    name: str
    records: int
    seconds: float
    cpu_seconds: float
    peak_bytes: float
    faults: list[str] = field(default_factory=list)
    more: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Records a second."""
        return self.records / self.seconds


class Sample(NamedTuple):
    """A process at a moment: milliseconds since the epoch, user and system seconds so far, resident bytes."""

    at_ms: int
    cpu_seconds: float
    resident_bytes: int


class Child:
    """A program of this project's in a process of its own; what it says goes to a file."""

    def __init__(
        self, arguments: list[str], output: Path, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
            )
        self._seen = psutil.Process(self._process.pid)
        self.output = output

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def sample(self) -> Sample:
        """How it stands now. Raises RuntimeError with its last words when it has ended."""
        try:
            with self._seen.oneshot():
                times, memory = self._seen.cpu_times(), self._seen.memory_info()
        except psutil.NoSuchProcess:
            memory = None
        if memory is None or not self.running():
            raise RuntimeError(f"it ended by itself: {self.words()[-2000:]}")
        return Sample(SystemClock().now_ms(), times.user + times.system, memory.rss)

    def words(self) -> str:
        """Everything it has said so far."""
        return self.output.read_text("utf-8", "replace")

    def wait(self, seconds: float) -> int:
        """Its exit code; RuntimeError if it takes longer."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"not done within {seconds} s: {self.words()[-2000:]}") from None

    def ends_within(self, seconds: float) -> bool:
        """Waits at most so long for its end; whether it has come."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> int:
        """Asks it to end in order, as a service manager would; its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
