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

SESSION_TIMEOUT_MS = 6_000
"""How soon Kafka notices that a process is gone: the shortest that its brokers allow unless told otherwise."""

MAX_EVENTS = 250
"""Events of a transaction, far fewer than by default: so many small ones that a kill falls into the middle of one."""

FETCH_BYTES = 65_536
QUEUED_MESSAGES = 1_000
"""A process reads a little of each partition in turn, so that the days grow evenly before one's eyes. With the defaults
it is faster, and takes a whole partition at once."""


class DemoFolder:
    """A folder with `sluice.toml`, and the processes that run by it. On exit all are ended and it is removed."""

    def __init__(self, servers: str, out: Path) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="sluice-demo-"))
        self.config = self._path / "sluice.toml"
        self.daemons: list[Daemon] = []
        self._text = settings_text(servers, out)

    def __enter__(self) -> Self:
        try:
            self.config.write_text(self._text, "utf-8")
        except BaseException:
            shutil.rmtree(self._path, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """In order when the demo came to its end or was interrupted; what does not end in order is killed."""
        try:
            if error is None:
                for daemon in self.daemons:
                    daemon.stop()
        finally:
            for daemon in self.daemons:
                daemon.close()
            shutil.rmtree(self._path, ignore_errors=True)

    def add(self, command: Sequence[str]) -> Daemon:
        """One more process for `command`, a daemon's without its settings; not started yet."""
        with (self._path / "in-use").open("w") as held:
            daemon = Daemon(
                len(self.daemons) + 1, [*command, "--config", str(self.config)], self._path, held.fileno()
            )
        self.daemons.append(daemon)
        return daemon


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

[deliver]
out = {_quoted(str(out))}
interval_seconds = 0.5

[log]
format = "json"
"""


def _quoted(text: str) -> str:
    """A TOML text: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
