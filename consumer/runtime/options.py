"""From settings to the options of the tasks: the only place where the two meet."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from consumer.core.decode import MOST_EVENT_BYTES
from consumer.core.rejection import Origin
from consumer.core.sessions import SessionRules
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.core.zone import DayZone
from consumer.tasks.gate_state import GateOptions
from consumer.tasks.judge_state import JudgeOptions
from consumer.tasks.watch_state import WatchOptions

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.settings import Settings

DEFAULT_MOST_BYTES = MOST_EVENT_BYTES + 65_536


def zone_of(settings: Settings) -> DayZone:
    """The configured time zone."""
    return DayZone(ZoneInfo(settings.time.zone), settings.time.zone)


def gate_options(
    settings: Settings, contract: Contract, version: str, most_dead_letter_bytes: int = DEFAULT_MOST_BYTES
) -> GateOptions:
    """What a gate is told."""
    return GateOptions(
        contract,
        zone_of(settings),
        sessions=SessionRules(
            settings.sessions.gap_minutes * MINUTE_MS,
            settings.sessions.allowed_lateness_minutes * MINUTE_MS,
        ),
        max_ahead_ms=settings.timestamps.max_ahead_hours * 60 * MINUTE_MS,
        max_age_ms=settings.timestamps.max_age_days * DAY_MS,
        facts_topic=settings.topics.facts,
        dead_letter_topic=settings.topics.dead_letters,
        valid_topic=settings.topics.valid,
        most_dead_letter_bytes=most_dead_letter_bytes,
        origin=Origin("sluice", version),
    )


def watch_options(settings: Settings, contract: Contract) -> WatchOptions:
    """What the watch is told."""
    zone = zone_of(settings)
    return WatchOptions(
        zone,
        JudgeOptions(zone, contract, settings.sessions.allowed_lateness_minutes),
        lateness_ms=settings.sessions.allowed_lateness_minutes * MINUTE_MS,
        memory_ms=settings.purchases.memory_days * DAY_MS,
        days_topic=settings.topics.days,
        alerts_topic=settings.topics.alerts,
    )
