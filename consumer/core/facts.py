"""What the gate learned from a micro-batch, addable: a zero, a `+`, no order. The watch merges them into days.

Everything is counted by event-minute (minutes since the epoch, of the event's own time). Counts of sessions may be
negative: an event that joins two sessions, or moves a session's beginning, takes back what earlier facts said.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Never
from zlib import crc32

import msgspec
from msgspec import Meta

from consumer.core import money
from consumer.core.instant import FIRST_MS, LAST_MS
from consumer.core.purchases import PurchaseFact
from consumer.core.timestamps import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

Count = Annotated[int, Meta(ge=-(10**12), le=10**12)]
"""A count of one record of facts: what is beyond is none of ours."""

Counts = dict[str, Count]

Instant = Annotated[int, Meta(ge=FIRST_MS, le=LAST_MS)]
"""Milliseconds since the epoch, within the calendar."""

Minute = Annotated[int, Meta(ge=FIRST_MS // MINUTE_MS, le=LAST_MS // MINUTE_MS)]
"""Minutes since the epoch, within the calendar."""

MOST_NOTED = 50
"""Different names that a minute keeps of each kind of note; contracts are smaller, only hostile input has more."""

MOST_KINDS = 40
"""Different keys with kinds that a minute keeps."""

MOST_CLIENTS = 50
"""Clients that a batch takes into the sample."""

OF = "\x1f"
"""Stands between a key and its values' kind in `kinds`; the last one in a name, since keys are anyone's text."""

REST = "…"
"""Where the names beyond a limit are counted."""


class _None(dict[str, Any]):
    """A table without anything in it, which nobody can write to."""

    def __setitem__(self, key: str, value: Any) -> Never:
        raise TypeError("this table is everybody's: ask MinuteFacts.table for one to write to")

    setdefault = update = __ior__ = __setitem__  # type: ignore[assignment]

    def __reduce__(self) -> str:
        return "NONE"  # a copy is the same


NONE = _None()
"""What most tables of most minutes are: to make a dict for each would be most of what it takes to make or read a minute."""


class MinuteFacts(msgspec.Struct, omit_defaults=True, gc=False):
    """One event-minute. `rejected` counts dead letters by reason; `null`, `absent`, `retyped` count events by contract
    field, `aliased` by alias used, `unknown` by key that the contract does not know, `names` by event name.

    The same tables hold what is inside purchases, by path: `event_data.revenue` is counted a purchase,
    `event_data.items[].item_id` an item; `purchases` and `items` are how many of them could be read, valid or not.
    `kinds` counts a sample of values by key and kind (`kinds.py`).

    `robots`: sessions that a self-declared robot opened (never taken back), `robots_nameless`, its events without identity,
    and `robots_lack`, by contract field, how many of these and of those with which sessions came lack it. Three are counted at the stream's minute
    instead of the event's own: `repeated`, events at a time that their client had lived through before (at their own if
    that is two minutes ago at most), `stale`, events far behind it when they came, and `ahead`, events of clocks that were
    found to run far ahead of it.

    `claimed` is the revenue that rejected purchases name, by reason, where it is above 0: the money in question.
    """

    events: Count = 0
    identity_missing: Count = 0
    sessions: Count = 0
    direct: Count = 0
    rejected: Counts = NONE
    names: Counts = {}
    null: Counts = {}
    absent: Counts = NONE
    retyped: Counts = NONE
    aliased: Counts = NONE
    unknown: Counts = NONE
    kinds: Counts = NONE
    purchases: Count = 0
    items: Count = 0
    robots: Count = 0
    repeated: Count = 0
    stale: Count = 0
    ahead: Count = 0
    claimed: dict[str, Decimal] = NONE
    robots_lack: Counts = NONE
    robots_nameless: Count = 0

    def note(self, table: str, name: str, most: int = MOST_NOTED) -> None:
        """Counts one more of a name in one of the tables; beyond `most` different ones under `REST`."""
        counts = self.table(table)
        kept = name if name in counts or len(counts) < most else REST
        counts[kept] = counts.get(kept, 0) + 1

    def table(self, name: str) -> dict[str, Any]:
        """One of the tables, to write to."""
        table: dict[str, Any] = getattr(self, name)
        if table is NONE:
            table = {}
            setattr(self, name, table)
        return table

    def claim(self, reason: str, amount: Decimal) -> None:
        """A rejected purchase names this revenue."""
        claimed = self.table("claimed")
        claimed[reason] = money.add(claimed.get(reason, Decimal(0)), amount)

    def copy(self) -> MinuteFacts:
        """The same facts, to add to."""
        return MinuteFacts(
            self.events, self.identity_missing, self.sessions, self.direct, _own(self.rejected), _own(self.names),
            _own(self.null), _own(self.absent), _own(self.retyped), _own(self.aliased), _own(self.unknown),
            _own(self.kinds), self.purchases, self.items, self.robots, self.repeated, self.stale, self.ahead,
            _own(self.claimed), _own(self.robots_lack), self.robots_nameless,
        )  # fmt: skip

    def add(self, other: MinuteFacts) -> None:
        """Takes the other's counts in."""
        self._add_numbers(other)
        if other.claimed:  # most tables are empty
            for reason, amount in other.claimed.items():
                self.claim(reason, amount)
        if other.rejected:
            _add(self.table("rejected"), other.rejected)
        if other.names:
            _add(self.names, other.names)
        if other.null:
            _add(self.null, other.null)
        if other.absent:
            _add(self.table("absent"), other.absent)
        if other.retyped:
            _add(self.table("retyped"), other.retyped)
        if other.aliased:
            _add(self.table("aliased"), other.aliased)
        if other.unknown:
            _add(self.table("unknown"), other.unknown)
        if other.kinds:
            _add(self.table("kinds"), other.kinds)
        if other.robots_lack:
            _add(self.table("robots_lack"), other.robots_lack)

    def add_earlier(self, other: MinuteFacts) -> None:
        """Takes the other's counts in, as what was counted before: as if these had been added to a copy of it, for less,
        since most tables are empty."""
        self._add_numbers(other)
        if other.claimed:
            later, self.claimed = self.claimed, other.claimed.copy()
            for reason, amount in later.items():
                self.claim(reason, amount)
        if other.rejected:
            self.rejected = _sum(other.rejected, self.rejected)
        if other.names:
            self.names = _sum(other.names, self.names)
        if other.null:
            self.null = _sum(other.null, self.null)
        if other.absent:
            self.absent = _sum(other.absent, self.absent)
        if other.retyped:
            self.retyped = _sum(other.retyped, self.retyped)
        if other.aliased:
            self.aliased = _sum(other.aliased, self.aliased)
        if other.unknown:
            self.unknown = _sum(other.unknown, self.unknown)
        if other.kinds:
            self.kinds = _sum(other.kinds, self.kinds)
        if other.robots_lack:
            self.robots_lack = _sum(other.robots_lack, self.robots_lack)

    def _add_numbers(self, other: MinuteFacts) -> None:
        self.events += other.events
        self.sessions += other.sessions
        self.direct += other.direct
        if other.identity_missing:  # most of the others are 0
            self.identity_missing += other.identity_missing
        if other.purchases:
            self.purchases += other.purchases
        if other.items:
            self.items += other.items
        if other.robots:
            self.robots += other.robots
        if other.robots_nameless:
            self.robots_nameless += other.robots_nameless
        if other.repeated:
            self.repeated += other.repeated
        if other.stale:
            self.stale += other.stale
        if other.ahead:
            self.ahead += other.ahead

    def tables(self) -> tuple[Counts, ...]:
        """The counts by name, always in the same order."""
        return (
            self.rejected, self.names, self.null, self.absent, self.retyped, self.aliased, self.unknown, self.kinds,
            self.robots_lack,
        )  # fmt: skip


def _own(table: dict[str, Any]) -> dict[str, Any]:
    return NONE if table is NONE else table.copy()


def _add(counts: Counts, more: Counts) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


def _sum(counts: Counts, more: Counts) -> Counts:
    total = counts.copy()
    for name, count in more.items():
        total[name] = total.get(name, 0) + count
    return total


class Facts(msgspec.Struct, omit_defaults=True):
    """The addable part: minutes and purchases, and how many clocks were heard and found far ahead.

    `clients` is a sample of the clients that opened a session (see `sample`): whoever reads several partitions' facts
    can see in it whether one client is in more than one. `taken_back`: rejections by the minute at which they were counted
    (`rejected`, `claimed` and `absent` of each) that count no more, since their events were put back and passed.
    """

    minutes: dict[Minute, MinuteFacts] = {}
    purchases: list[PurchaseFact] = []
    voices_ahead: Count = 0
    clients: list[int] = []
    taken_back: dict[Minute, MinuteFacts] = {}

    def minute(self, minute: int) -> MinuteFacts:
        """The facts of a minute, to add to."""
        facts = self.minutes.get(minute)
        if facts is None:
            facts = self.minutes[minute] = MinuteFacts()
        return facts

    def take_back(
        self, minute: int, reason: str, claimed: Decimal | None, absent: Iterable[str] = ()
    ) -> None:
        """A rejection that was counted at the minute counts no more, nor what it was noted to lack."""
        facts = self.taken_back.setdefault(minute, MinuteFacts())
        facts.note("rejected", reason)
        for path in absent:
            facts.note("absent", path)
        if claimed is not None:
            facts.claim(reason, claimed)

    def add(self, other: Facts) -> None:
        """Takes the other's facts in."""
        for minute, facts in other.minutes.items():
            self.minute(minute).add(facts)
        for minute, facts in other.taken_back.items():
            self.taken_back.setdefault(minute, MinuteFacts()).add(facts)
        self.purchases.extend(other.purchases)
        self.voices_ahead += other.voices_ahead
        self.clients.extend(other.clients)

    def is_exact(self) -> bool:
        """Whether all money in it is amounts, which sums can take in."""
        minutes = (*self.minutes.values(), *self.taken_back.values())
        claims = [minute.claimed for minute in minutes if minute.claimed]
        claimed = all(money.is_amount(amount) for claim in claims for amount in claim.values())
        return claimed and all(one.amount is None or money.is_amount(one.amount) for one in self.purchases)

    def halves(self) -> tuple[Facts, Facts] | None:
        """The same facts in two that add up to them; None when there is nothing to divide."""
        minutes, taken = list(self.minutes.items()), list(self.taken_back.items())
        if len(minutes) + len(self.purchases) + len(taken) < 2:  # noqa: PLR2004 - two halves
            return None
        at, purchases_at = (len(minutes) + 1) // 2, len(self.purchases) // 2
        taken_at = (len(taken) + (len(minutes) != 1)) // 2
        first = Facts(dict(minutes[:at]), self.purchases[:purchases_at], self.voices_ahead, self.clients)
        second = Facts(dict(minutes[at:]), self.purchases[purchases_at:])
        first.taken_back, second.taken_back = dict(taken[:taken_at]), dict(taken[taken_at:])
        return first, second


_ONE_IN = 16


def sample(clients: Iterable[str]) -> list[int]:
    """The numbers (CRC-32 of the id) of the same sixteenth of all clients in every partition; at most 50 of them.

    >>> sample(["client 1", "client 35", "client 54", "client 35"])
    [444502768, 992151008]
    """
    numbers: dict[int, None] = {}
    for number in map(crc32, map(str.encode, clients)):
        if number % _ONE_IN == 0:
            numbers[number] = None
            if len(numbers) == MOST_CLIENTS:
                break
    return list(numbers)


class GateReport(msgspec.Struct, tag="gate", tag_field="kind", omit_defaults=True):
    """One record on `sluice.facts` from a gate task: facts and how far its partition is.

    `sequence` counts a partition's batches without a hole, a batch's facts may come in several `parts` (only the last
    one tells how far the partition is). `partitions` is how many the input topic has. `idle_since_ms` is the wall time
    since which all that had come was read, and `end_ms` the one at which the broker was asked and said so, after the report
    before this one was committed.
    """

    partition: int
    sequence: int
    partitions: int
    contract: str
    wall_ms: Instant
    stream_ms: Instant | None = None
    idle_since_ms: Instant | None = None
    end_ms: Instant | None = None
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
