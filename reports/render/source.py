"""Where the state that a report shows lives: that decides which commands work on it."""

from __future__ import annotations

from enum import Enum


class Source(Enum):
    """`KAFKA`: a running Sluice, which takes orders. `FILES`: a folder made of files, where nobody takes any. `LEFTOVERS`:
    such a folder that has no dead letters, as the demo leaves it."""

    KAFKA = "kafka"
    FILES = "files"
    LEFTOVERS = "leftovers"

    @property
    def takes_orders(self) -> bool:
        """Whether a day can be released, or a new level be accepted."""
        return self is Source.KAFKA

    @property
    def dead_letters(self) -> str:
        """The command that shows the dead letters, as code; empty where there is none."""
        match self:
            case Source.KAFKA:
                return "`sluice dlq list`"
            case Source.FILES:
                return "`sluice dlq list --file dead_letters.ndjson`"
            case Source.LEFTOVERS:
                return ""

    @property
    def where_rejected(self) -> str:
        """Where what was rejected is, as a sentence."""
        command = f": {self.dead_letters}" if self.dead_letters else ""
        return f"They lie unchanged among the dead letters{command}."

    @property
    def made_of(self) -> str:
        """What a page is made of."""
        return "`sluice.days` and `sluice.alerts`" if self.takes_orders else "`days.ndjson` and `alerts.json`"


def release(day: str) -> str:
    """The command that lets a quarantined day through."""
    return f'sluice gate release {day} --reason "…"'
