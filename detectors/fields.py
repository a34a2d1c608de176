"""What the rules about events' fields are shown: a closed minute's counts, and what the contract expects of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Counts = dict[str, int]
Scope = Literal["event", "purchase", "item"]
"""What carries a field, so what its counts are shares of: events, purchases' data, or the items in them."""

Carrier = Literal["event", "purchase", "item", "record"]
"""A scope, or everything that came."""

SEPARATOR = "\x1f"
"""Between key and kind of value in `FieldMinute.kinds`."""

REST = "…"
"""Where a minute counts the names beyond its limit."""

UNPARSEABLE = frozenset(
    {"tombstone", "empty", "too_big", "not_utf8", "not_json", "too_deep", "not_an_object", "cut_short"}
)
BAD_TIMESTAMP = frozenset({"timestamp_invalid", "timestamp_ahead", "timestamp_too_old"})
BAD_PURCHASE = frozenset({"purchase_data", "purchase_id", "purchase_revenue", "purchase_items"})
"""Reasons of dead letters, by what they say of the stream."""


class FieldMinute(msgspec.Struct, omit_defaults=True):
    """One closed minute of event time (minutes since the epoch), whole.

    `purchases` are purchase data that could be read, `items` the items in them. `null`, `absent`, `retyped` count by a
    contract field's path (`referrer`, `event_data.revenue`, `event_data.items[].item_price`), `aliased` by the alias'
    path, `unknown` by that of a key that the contract does not know, `kinds` by key and kind of value, `names` by event
    name, `rejected` by a dead letter's reason. `repeated` are events at a time that their client has lived through
    already, `stale` late beyond use, `ahead` with a clock far ahead of the stream, `robots` sessions of robots. Of robots that
    tell their name but no identity each event is a session.
    """

    minute: int
    events: int = 0
    purchases: int = 0
    items: int = 0
    sessions: int = 0
    robots: int = 0
    replays: int = 0
    collisions: int = 0
    repeated: int = 0
    stale: int = 0
    ahead: int = 0
    null: Counts = {}
    absent: Counts = {}
    retyped: Counts = {}
    aliased: Counts = {}
    unknown: Counts = {}
    names: Counts = {}
    kinds: Counts = {}
    rejected: Counts = {}

    def rejects(self, reasons: frozenset[str]) -> int:
        """How many dead letters have one of these reasons.

        >>> FieldMinute(0, rejected={"not_json": 2, "purchase_id": 1}).rejects(UNPARSEABLE)
        2
        """
        if not self.rejected:
            return 0
        return sum(count for reason, count in self.rejected.items() if reason in reasons)

    def records(self) -> int:
        """Everything that came, but for purchases that are counted among the events as well."""
        return (
            self.events + sum(self.rejected.values()) - self.rejects(BAD_PURCHASE)
            if self.rejected
            else self.events
        )

    def carriers(self, carrier: Carrier) -> int:
        """How many things of this minute could have carried something."""
        match carrier:
            case "event":
                return self.events
            case "purchase":
                return self.purchases
            case "item":
                return self.items
            case "record":
                return self.records()


class Passing(msgspec.Struct, frozen=True, gc=False):
    """How many of one kind the hour had before a minute, and with it."""

    hour: int
    before: int
    after: int


class Carriers(msgspec.Struct, array_like=True):
    """What came in the minutes of an hour so far that could have carried something, by scope, and all records."""

    hour: int = -1
    event: int = 0
    purchase: int = 0
    item: int = 0
    record: int = 0

    def add(self, minute: FieldMinute) -> None:
        """Takes a minute of the same hour in.

        >>> carriers = Carriers(2)
        >>> carriers.add(FieldMinute(130, 3, purchases=1, rejected={"not_json": 2}))
        >>> carriers
        Carriers(hour=2, event=3, purchase=1, item=0, record=5)
        """
        events = minute.events
        self.event += events
        if minute.purchases or minute.items:  # most minutes have none
            self.purchase += minute.purchases
            self.item += minute.items
        self.record += minute.records() if minute.rejected else events

    def of(self, carrier: Carrier) -> int:
        """Those of one kind."""
        count: int = getattr(self, carrier)
        return count

    def passing(self, carrier: Carrier, minute: FieldMinute) -> Passing:
        """One kind, before and with a minute that is taken in already."""
        after: int = getattr(self, carrier)
        return Passing(self.hour, after - minute.carriers(carrier), after)


class ExpectedField(NamedTuple):
    """A field of the contract: its path, how bad its loss is (a `Severity`'s text), its aliases as paths too."""

    path: str
    severity: str = "P1_HIGH"
    aliases: tuple[str, ...] = ()
    role: str | None = None
    required: bool = False
    scope: Scope = "event"


class Expectations(NamedTuple):
    """What the contract says, as plain values."""

    fields: tuple[ExpectedField, ...]
    event_names: frozenset[str]
    purchase_event: str


def is_odd(minute: FieldMinute) -> bool:
    """Whether anything is wrong with a minute's fields."""
    return bool(minute.absent or minute.retyped or minute.aliased or minute.rejected)


def has_bad_records(minute: FieldMinute) -> bool:
    """Whether single records of a minute do something wrong."""
    return bool(minute.rejected or minute.replays or minute.repeated or minute.stale or minute.ahead)


_LETTER = {"timestamp": "timestamp_missing", "event_name": "event_name_missing"}
"""An event without one of these is a dead letter, and counted nowhere else."""


def letter_of(field: ExpectedField) -> str:
    """The reason of dead letters that lack this field; empty if such events are none."""
    return _LETTER.get(field.role or "", "")


def lost(field: ExpectedField, minute: FieldMinute) -> tuple[int, int]:
    """How many lack the field's key, of how many.

    >>> lost(ExpectedField("timestamp", role="timestamp"), FieldMinute(0, 8, rejected={"timestamp_missing": 2}))
    (2, 10)
    """
    letters = minute.rejected.get(letter_of(field), 0)
    return minute.absent.get(field.path, 0) + letters, minute.carriers(field.scope) + letters


def retyped(field: ExpectedField, minute: FieldMinute) -> tuple[int, int]:
    """How many have the field with a value of another type, of how many."""
    return minute.retyped.get(field.path, 0), minute.carriers(field.scope)


def aliased(field: ExpectedField, minute: FieldMinute) -> tuple[int, int]:
    """How many use one of the field's aliases, of how many."""
    return sum(minute.aliased.get(alias, 0) for alias in field.aliases), minute.carriers(field.scope)


def parent(path: str) -> str:
    """What a path's last key stands in.

    >>> parent("event_data.items[].item_id"), parent("referrer")
    ('event_data.items[]', '')
    """
    return path.rpartition(".")[0]
