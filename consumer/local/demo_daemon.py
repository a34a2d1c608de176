"""A real consumer process of the demo: `sluice run`, kept so that it cannot outlive the demo, and known by its log."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.local.kept_process import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

STOP_SECONDS = 20.0
"""Far above the second that an orderly end takes."""


class Daemon:
    """One `sluice run` in `folder`, where its log is; the folder goes with it should the demo be killed.

    Everything known of it is what it says in its log: `partitions` it has, `address` of its endpoints. `held` is an
    open file. `news` must be taken again and again.
    """

    def __init__(self, number: int, command: Sequence[str], folder: Path, held: int) -> None:
        self.name = f"process {number}"
        self.pid = 0
        self.partitions: set[str] = set()
        self.address = ""
        self._command = list(command)
        self._log = folder / f"process-{number}.log"
        self._read = 0
        self._starts = 0
        self._last_words = "its log says nothing of it"
        # The stable name lets the process, started again, abort at once what it left open when it was killed.
        environment = {**clean_environment(), "SLUICE_INSTANCE": f"process-{number}"}
        self._kept = KeptProcess(self._log, held, environment, folder)

    def start(self) -> None:
        """Starts it, for the first time or again."""
        self._starts += 1
        self.pid = self._kept.run(self._command)

    def ended(self) -> str:
        """In words how it has ended; empty while it runs."""
        code = self._kept.exit_code()
        if code is None:
            return ""
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended by itself with exit code {code}"

    def was_killed(self) -> bool:
        """Whether a signal that no process survives ended it: somebody's `kill -9`."""
        return self._kept.exit_code() == -signal.SIGKILL

    def kill(self) -> None:
        """kill -9."""
        self._kept.kill()
        self.partitions.clear()
        self.address = ""

    def stop(self) -> None:
        """Ends it in order; it gives its partitions up."""
        self._kept.terminate(STOP_SECONDS)

    def close(self) -> None:
        """Ends it if it still runs, and its keeper."""
        self._kept.close()

    def last_words(self) -> str:
        """The last line of its log that says more than the ordinary."""
        list(self.news())
        return self._last_words

    def news(self) -> Iterator[str]:
        """What it did since the last time, in sentences worth telling."""
        restored: dict[str, tuple[int, float]] = {}
        for line in self._lines():
            match line.get("event"):
                case "endpoints open":
                    self.address = str(line["address"])
                case "partition restored":
                    self.partitions.add(line["partition"])
                    restored[line["partition"]] = (line["entries"], line["seconds"])
                case "partitions given up":
                    self.partitions.difference_update(line["partitions"])
        if restored:
            yield self._restored(restored)

    def _restored(self, restored: dict[str, tuple[int, float]]) -> str:
        names = ", ".join(sorted(restored))
        entries = sum(count for count, _ in restored.values())
        verb = "is back with" if self._starts > 1 else "has"
        if not entries:
            return f"{self.name} {verb} {names}"
        seconds = sum(seconds for _, seconds in restored.values())
        return (
            f"{self.name} {verb} {names}: state restored in {seconds:.2f} s from {entries:,} journal entries"
        )

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Its whole new log lines, as objects; one that is none is only remembered."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        for text in whole.splitlines():
            try:
                line = msgspec.json.decode(text, type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self._last_words = text.decode("utf-8", "replace").strip() or self._last_words
                continue
            if line.get("level") != "info":
                self._last_words = f"{line.get('event')}: {line.get('reason') or line.get('message') or ''}"
            yield line


def clean_environment() -> dict[str, str]:
    """The variables without any setting of Sluice: what the user has set for other purposes must not disturb the demo."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
