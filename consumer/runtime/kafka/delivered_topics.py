"""The two topics that are delivered, `sluice.days` and `sluice.alerts`: who is told of them, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from consumer.runtime.kafka.client import CLASSIC, consumer_config

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from consumer.runtime.kafka.client import Config


class Topics(NamedTuple):
    """The names of the two topics."""

    days: str
    alerts: str


class Reader(Protocol):
    """Who is told what the topics say. Never raises: it is called from within Kafka's callbacks, too."""

    def see_day(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the days topic."""
        ...

    def see_alert(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the alerts topic."""
        ...

    def clear(self) -> None:
        """Forget everything: the topics are somebody else's now, or come again from their start."""
        ...


class TailError(Exception):
    """The connection cannot go on, in one sentence: close it and begin anew. `leaves`: the group is left for good before."""

    def __init__(self, sentence: str, *, leaves: bool = False) -> None:
        super().__init__(sentence)
        self.leaves = leaves


def tail_config(user: Mapping[str, Any], group: str, log: logging.Logger) -> Config:
    """The tail's consumer."""
    older = {
        **user,
        "group.protocol": CLASSIC,
    }  # the newer protocol has no `range` that a client could ask for
    return {
        **consumer_config(older, f"{group}-deliver", log),
        "partition.assignment.strategy": "range",
        "fetch.wait.max.ms": 100,
    }
