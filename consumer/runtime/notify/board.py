"""Where the deliverer shows what it knows, and the threads of the receivers look at it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from consumer.core.days import Receipt
    from detectors.alerts import Alert
    from reports.notify.told import Knowledge


@dataclass(frozen=True, slots=True)
class Shown:
    """The latest state, and what was told before this process took over. A new `term` begins with each takeover."""

    term: int
    alerts: Mapping[str, Alert]
    receipts: Collection[Receipt]
    knowledge: Mapping[str, Knowledge]


class Board:
    """Everything is shown whole; who looks is told when something changes.

    Messages may be sent while there is something to see: the topics are ours and read to their ends, and the record of
    what was told is read.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._term = 0
        self._tenure = 0
        self._state: tuple[Mapping[str, Alert], Collection[Receipt]] | None = None
        self._knowledge: Mapping[str, Knowledge] | None = None
        self._ended = False

    def show(self, alerts: Mapping[str, Alert], receipts: Collection[Receipt]) -> None:
        """The latest alerts and receipts. Neither is changed afterwards. Receipts alone wake nobody: they are for digests,
        which have their time."""
        with self._changed:
            is_news = self._state is None or self._state[0] != alerts
            self._state = alerts, receipts
            if is_news:
                self._turn()

    def know(self, knowledge: Mapping[str, Knowledge], tenure: int) -> bool:
        """What receivers were told before: a new term. Says whether it still holds: not if the topics were lost since
        that `tenure`, since another process may have told something meanwhile."""
        with self._changed:
            if self._state is None or tenure != self._tenure:
                return False
            self._knowledge = knowledge
            self._term += 1
            self._turn()
            return True

    def clear(self) -> None:
        """The topics are somebody else's now."""
        with self._changed:
            self._state = self._knowledge = None
            self._tenure += 1
            self._turn()

    def end(self) -> None:
        """Wakes everybody, for good."""
        with self._changed:
            self._ended = True
            self._turn()

    @property
    def owned(self) -> bool:
        """Whether the topics are ours and read to their ends."""
        return self._state is not None

    @property
    def tenure(self) -> int:
        """How often the topics were lost."""
        return self._tenure

    @property
    def ready(self) -> bool:
        """Whether messages may be sent."""
        return self._state is not None and self._knowledge is not None

    def look(self) -> tuple[int, Shown | None]:
        """The version of what there is to see, and what it is; None while nothing may be sent."""
        with self._changed:
            if self._state is None or self._knowledge is None:
                return self._version, None
            return self._version, Shown(self._term, *self._state, self._knowledge)

    def wait(self, version: int, seconds: float) -> None:
        """Waits until there is something newer than that version, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._version != version, timeout=max(seconds, 0.0))

    def _turn(self) -> None:
        self._version += 1
        self._changed.notify_all()
