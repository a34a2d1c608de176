"""What the embedded Kafka wrote to its log since a moment, and the one line of it that a person needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST_CHARACTERS = 300
"""Longer lines are cut: they end up in one sentence on a terminal."""

_PORT_LOST = "Address already in use"
_STARTED = "Kafka Server started"
_DEAD = "Fencing broker 1 "
_ON_RECORD = ", fenced=1,"
_ALIVE = "DUPLICATE_BROKER_REGISTRATION"
_TELLING = re.compile(r"\b(ERROR|FATAL|Error|Caused by)\b|Exception")


class ServerLog:
    """A log file that is appended to, looked at from a mark on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mark = 0

    def mark(self) -> None:
        """Look only at what comes from now on."""
        self._mark = self._file.stat().st_size

    def port_was_lost(self) -> bool:
        """Whether the server could not listen because another process does."""
        return _PORT_LOST in self._text()

    def has_started(self) -> bool:
        """Whether the server is at work."""
        return _STARTED in self._text()

    def node_is_dead(self) -> bool:
        """Whether a controller has found that the node's broker is gone, and has written it down."""
        _, _, since = self._text().partition(_DEAD)  # what was written down before is read aloud first
        return _ON_RECORD in since

    def node_counts_as_alive(self) -> bool:
        """Whether the node's broker may not come back because its predecessor is not known to be gone."""
        return _ALIVE in self._text()

    def last_words(self) -> str:
        """The line that most likely says why the server ended: the last that speaks of an error, else the last."""
        lines = [line.strip() for line in self._text().splitlines() if line.strip()]
        telling = [line for line in lines if _TELLING.search(line)]
        return (telling or lines or ["its log is empty"])[-1][:MOST_CHARACTERS]

    def _text(self) -> str:
        with self._file.open("rb") as log:
            log.seek(self._mark)
            return log.read().decode("utf-8", "replace")
