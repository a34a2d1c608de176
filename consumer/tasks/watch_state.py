"""What the watch is told, what it remembers, and what goes into its journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from consumer.core.daybook import Day
from consumer.core.purchases import Remembered
from consumer.core.state import Delta
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.core.watermark import Progress
from consumer.tasks.judge_state import HeldMinute
from detectors.life import Entry

if TYPE_CHECKING:
    from consumer.core.zone import DayZone
    from consumer.tasks.judge_state import JudgeOptions


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What the watch may be told. `lateness_ms`: a day closes this long after the watermark left it.
    `memory_ms`: a transaction id is forgotten this long after its last event."""

    zone: DayZone
    judge: JudgeOptions
    lateness_ms: int = 60 * MINUTE_MS
    memory_ms: int = 35 * DAY_MS
    days_topic: str = "sluice.days"
    alerts_topic: str = "sluice.alerts"


class WatchClock(msgspec.Struct, frozen=True, omit_defaults=True):
    """Event time over all partitions: the watermark, and the furthest any stream has come."""

    watermark_ms: int | None = None
    furthest_ms: int | None = None
    contract: str = ""


class WatchChanges(msgspec.Struct, omit_defaults=True):
    """The watch's journal: one delta a table."""

    days: Delta[str, Day] = msgspec.field(default_factory=Delta)
    ids: Delta[str, Remembered] = msgspec.field(default_factory=Delta)
    alerts: Delta[str, Entry] = msgspec.field(default_factory=Delta)
    partitions: Delta[int, Progress] = msgspec.field(default_factory=Delta)
    clock: Delta[str, WatchClock] = msgspec.field(default_factory=Delta)
    minutes: Delta[int, HeldMinute] = msgspec.field(default_factory=Delta)
    minds: Delta[str, bytes] = msgspec.field(default_factory=Delta)


@dataclass(slots=True)
class WatchState:
    """The watch's tables, in the order in which the rolling snapshot numbers them."""

    days: dict[str, Day]
    ids: dict[str, Remembered]
    alerts: dict[str, Entry]
    partitions: dict[int, Progress]
    clock: dict[str, WatchClock]
    minutes: dict[int, HeldMinute]
    minds: dict[str, bytes]

    @classmethod
    def empty(cls) -> WatchState:
        """No facts yet."""
        return cls({}, {}, {}, {}, {}, {}, {})

    def tables(self) -> list[dict]:  # type: ignore[type-arg]  # each table has types of its own
        """All tables, in order."""
        return [
            self.days,
            self.ids,
            self.alerts,
            self.partitions,
            self.clock,
            self.minutes,
            self.minds,
        ]
