"""What a gate is told, what it remembers, and what goes into its journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from consumer.core.decode import MOST_EVENT_BYTES
from consumer.core.rejection import Origin
from consumer.core.sessions import SessionRules, Sessions
from consumer.core.state import Delta
from consumer.core.timestamps import DAY_MS
from consumer.core.watermark import ClockRules, ClockState

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.core.zone import DayZone


EARLIEST_MS = 946_684_800_000
"""2000-01-01T00:00:00Z. What is older is no event of the web but a clock without a battery (1970, 1980), or a zero."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """What a gate may be told. `valid_topic` empty: passed events are not written. `earliest_ms`: what is before it is
    no time of an event, whatever the stream's is; not before 1970-01-02, so that no minute of a day is negative.
    `input_topic`: where records of the keyed topic stood."""

    contract: Contract
    zone: DayZone
    sessions: SessionRules = field(default_factory=SessionRules)
    clock: ClockRules = field(default_factory=ClockRules)
    max_ahead_ms: int = DAY_MS
    max_age_ms: int = 400 * DAY_MS
    earliest_ms: int = EARLIEST_MS
    input_topic: str = "events"
    facts_topic: str = "sluice.facts"
    dead_letter_topic: str = "events.dlq"
    valid_topic: str = ""
    most_dead_letter_bytes: int = MOST_EVENT_BYTES + 65_536
    origin: Origin = field(default_factory=lambda: Origin("sluice", "0"))


class PartitionState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a gate remembers beside its sessions. `undated` are rejects that came before any event, by reason."""

    clock: ClockState = msgspec.field(default_factory=ClockState)
    idle_since_ms: int | None = None
    undated: dict[str, int] = {}


class GateChanges(msgspec.Struct, omit_defaults=True):
    """A gate's journal: its sessions by client, and its partition's state."""

    sessions: Delta[str, Sessions] = msgspec.field(default_factory=Delta)
    partition: Delta[int, PartitionState] = msgspec.field(default_factory=Delta)
