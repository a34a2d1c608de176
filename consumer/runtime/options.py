"""From settings to the options of the tasks: the only place where the two meet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from consumer.core.decode import MOST_EVENT_BYTES
from consumer.core.rejection import Origin
from consumer.core.sessions import SessionRules
from consumer.core.timestamps import DAY_MS, MINUTE_MS, parse
from consumer.core.zone import DayZone
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.gate_state import GateOptions
from consumer.tasks.judge_state import JudgeOptions
from consumer.tasks.keyer import KeyerOptions
from consumer.tasks.watch_state import WatchOptions
from detectors.silence import EVENT_SILENCE, PURCHASE_SILENCE
from detectors.watched import WatchLimits

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.settings import Settings
    from consumer.settings.watch import Watch

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
        earliest_ms=_midnight_ms(settings.timestamps.earliest),
        input_topic=settings.topics.input,
        facts_topic=settings.topics.facts,
        dead_letter_topic=settings.topics.dead_letters,
        valid_topic=settings.topics.valid,
        most_dead_letter_bytes=most_dead_letter_bytes,
        origin=Origin("sluice", version),
    )


def keyer_options(
    settings: Settings, contract: Contract, most_bytes: int = DEFAULT_MOST_BYTES
) -> KeyerOptions:
    """What a keyer is told."""
    return KeyerOptions(contract, settings.topics.keyed, most_bytes)


def new_gate(partition: int, settings: Settings, options: GateOptions) -> GateTask:
    """A gate, of the input's partition or of the keyed topic's."""
    return GateTask(partition, options) if settings.input.keyed else KeyedGateTask(partition, options)


def _midnight_ms(date: str) -> int:
    at_ms = parse(f"{date}T00:00:00Z")
    if at_ms is None:
        raise ValueError(f"{date} is no date")
    return at_ms


def watch_options(settings: Settings, contract: Contract) -> WatchOptions:
    """What the watch is told."""
    zone = zone_of(settings)
    return WatchOptions(
        zone,
        judge_options(settings, contract, zone),
        lateness_ms=settings.sessions.allowed_lateness_minutes * MINUTE_MS,
        memory_ms=settings.purchases.memory_days * DAY_MS,
        days_topic=settings.topics.days,
        alerts_topic=settings.topics.alerts,
    )


def judge_options(settings: Settings, contract: Contract, zone: DayZone) -> JudgeOptions:
    """What the rules are told."""
    watch = settings.watch
    return JudgeOptions(
        zone,
        contract,
        settings.sessions.allowed_lateness_minutes,
        watch.hold_minutes,
        limits=watch_limits(watch),
        event_silence=replace(EVENT_SILENCE, false_per_year=watch.silence_false_per_year),
        purchase_silence=replace(PURCHASE_SILENCE, false_per_year=watch.purchase_silence_false_per_year),
    )


def watch_limits(watch: Watch) -> WatchLimits:
    """The thresholds by metric: the settings', and the rules' own where there is no setting."""
    own, values = WatchLimits(z=watch.z), watch.model_dump()
    metrics = ("sessions", "purchases", "revenue", "conversion_rate", "direct_share", "purchase_value")
    changed: dict[str, Any] = {}
    for metric in metrics:
        limits = own.of(metric)
        relative = values.get(f"{metric}_min_relative", limits.relative)
        changed[metric] = replace(limits, relative=relative, absolute=values[f"{metric}_min_absolute"])
    return replace(own, **changed)
