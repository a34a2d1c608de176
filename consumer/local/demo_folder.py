"""The demo's temporary folder: the settings and logs of its processes, gone with the demo."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from consumer.local.demo_daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

MAX_WAIT_SECONDS = 0.1
"""The watch takes what has come after so long, so that an alert is told soon after it opens."""

SESSION_TIMEOUT_MS = 6_000
"""How soon Kafka notices that a process is gone: the shortest that its brokers allow unless told otherwise."""

MAX_EVENTS = 250
"""Events of a transaction, far fewer than by default: so many small ones that a kill falls into the middle of one."""

FETCH_BYTES = 65_536
QUEUED_MESSAGES = 1_000
SENT_TOGETHER = 250
"""Little is fetched of each partition at a time, and sent in batches smaller than that, so that all partitions are read
evenly and the days grow and close one after the other. At the defaults it is faster, a whole partition at a time."""


class DemoFolder:
    """A folder with `sluice.toml`, and so many `daemons` that will run by it, for `command` (a daemon's without its
    settings). On exit all are ended and it is removed; the same happens when this process is killed."""

    def __init__(self, servers: str, out: Path, command: Sequence[str], processes: int) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="sluice-demo-"))
        self.config = self._path / "sluice.toml"
        self.daemons: list[Daemon] = []
        try:
            with (self._path / "in-use").open("w") as held:
                for number in range(1, processes + 1):
                    whole = [*command, "--config", str(self.config)]
                    self.daemons.append(Daemon(number, whole, self._path, held.fileno()))
            self.config.write_text(settings_text(servers, out), "utf-8")
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """In order when the demo came to its end; else they are killed, which loses nothing that anybody will miss."""
        try:
            if error is None:
                for daemon in self.daemons:
                    daemon.stop()
        finally:
            self._close()

    def _close(self) -> None:
        for daemon in self.daemons:
            daemon.close()
        shutil.rmtree(self._path, ignore_errors=True)


def settings_text(servers: str, out: Path) -> str:
    """The processes' `sluice.toml`: everything that is not named is at its default."""
    return f"""\
[kafka]
"bootstrap.servers" = {_quoted(servers)}
"session.timeout.ms" = {SESSION_TIMEOUT_MS}
"queued.min.messages" = {QUEUED_MESSAGES}
"fetch.message.max.bytes" = {FETCH_BYTES}

[batch]
max_events = {MAX_EVENTS}
max_wait_seconds = {MAX_WAIT_SECONDS}

[deliver]
out = {_quoted(str(out))}
interval_seconds = 0.5

[log]
format = "json"
"""


def _quoted(text: str) -> str:
    """A TOML text: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
