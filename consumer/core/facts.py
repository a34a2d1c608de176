"""What the gate learned from a micro-batch, addable: a zero, a `+`, no order. The watch merges them into days.

Everything is counted by event-minute (minutes since the epoch, of the event's own time). Counts of sessions may be
negative: an event that joins two sessions, or moves a session's beginning, takes back what earlier facts said.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from consumer.core.purchases import PurchaseFact

Counts = dict[str, int]

MOST_NOTED = 50
"""Different names that a minute keeps of each kind of note; contracts are smaller, only hostile input has more."""

REST = "…"
"""Where the names beyond a limit are counted."""


class MinuteFacts(msgspec.Struct, omit_defaults=True):
    """One event-minute. `rejected` counts dead letters by reason; `null`, `absent`, `retyped` count events by contract
    field, `aliased` by alias used, `unknown` by key that the contract does not know, `names` by event name."""

    events: int = 0
    identity_missing: int = 0
    sessions: int = 0
    direct: int = 0
    rejected: Counts = {}
    names: Counts = {}
    null: Counts = {}
    absent: Counts = {}
    retyped: Counts = {}
    aliased: Counts = {}
    unknown: Counts = {}

    def add(self, other: MinuteFacts) -> None:
        """Takes the other's counts in."""
        self.events += other.events
        self.identity_missing += other.identity_missing
        self.sessions += other.sessions
        self.direct += other.direct
        for mine, theirs in zip(self.tables(), other.tables(), strict=True):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count

    def tables(self) -> tuple[Counts, ...]:
        """The counts by name, always in the same order."""
        return (self.rejected, self.names, self.null, self.absent, self.retyped, self.aliased, self.unknown)


class Facts(msgspec.Struct, omit_defaults=True):
    """The addable part: minutes and purchases, and how many clocks were heard and found far ahead."""

    minutes: dict[int, MinuteFacts] = {}
    purchases: list[PurchaseFact] = []
    voices_ahead: int = 0

    def minute(self, minute: int) -> MinuteFacts:
        """The facts of a minute, to add to."""
        facts = self.minutes.get(minute)
        if facts is None:
            facts = self.minutes[minute] = MinuteFacts()
        return facts

    def add(self, other: Facts) -> None:
        """Takes the other's facts in."""
        for minute, facts in other.minutes.items():
            self.minute(minute).add(facts)
        self.purchases.extend(other.purchases)
        self.voices_ahead += other.voices_ahead

    def halves(self) -> tuple[Facts, Facts] | None:
        """The same facts in two that add up to them; None when there is nothing to divide."""
        minutes = list(self.minutes.items())
        if len(minutes) + len(self.purchases) < 2:  # noqa: PLR2004 - two halves
            return None
        at, purchases_at = (len(minutes) + 1) // 2, len(self.purchases) // 2
        first = Facts(dict(minutes[:at]), self.purchases[:purchases_at], self.voices_ahead)
        return first, Facts(dict(minutes[at:]), self.purchases[purchases_at:])


class GateReport(msgspec.Struct, tag="gate", tag_field="kind", omit_defaults=True):
    """One record on `sluice.facts` from a gate task: facts and how far its partition is.

    `sequence` counts a partition's batches without a hole, a batch's facts may come in several `parts` (only the last
    one tells how far the partition is). `partitions` is how many the input topic has.
    """

    partition: int
    sequence: int
    partitions: int
    contract: str
    wall_ms: int
    stream_ms: int | None = None
    log_ms: int | None = None
    idle_since_ms: int | None = None
    end_ms: int | None = None
    facts: Facts = msgspec.field(default_factory=Facts)
    part: int = 1
    parts: int = 1
    version: Literal[1] = 1


class Command(msgspec.Struct, tag="command", tag_field="kind", omit_defaults=True):
    """An operator's command on `sluice.facts`: what to do, to what, by whom and why."""

    action: str
    target: str
    by: str
    reason: str
    wall_ms: int
    arguments: dict[str, Any] = {}
    version: Literal[1] = 1
