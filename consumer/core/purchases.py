"""Purchases: read from an event's data, and remembered by transaction id so that each counts once.

Not additive: a repeated id is a replay (same content) or a collision (other content, valid or not); a collision takes
back what was counted. What an id has contributed to which day is remembered, so the take-back is exact and the
result is the same in whatever order the copies arrive.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from consumer.core import money
from consumer.core.contract import PurchaseRole
from consumer.core.decode import decode
from consumer.core.identifier import shortened
from consumer.core.instant import FIRST_MS, LAST_MS
from consumer.core.rejection import Reason, Rejection

if TYPE_CHECKING:
    from consumer.core.contract import Contract


class PurchaseFact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One purchase event with a transaction id, as the gate tells it to the watch.

    `amount` is the exact revenue, None when the purchase is invalid; `content` is the fingerprint of everything in
    its data but the id. `replaces`: contents under which the very same event was told before, when it was put back after
    a repair; it is no further purchase then.
    """

    id: str
    at_ms: Annotated[int, Meta(ge=FIRST_MS, le=LAST_MS)]
    content: str
    amount: Decimal | None
    replaces: tuple[str, ...] = ()


class PurchaseReader:
    """Reads purchases by the contract's names, and their aliases, for transaction id, revenue and items."""

    def __init__(self, contract: Contract) -> None:
        aliases = {field.name: field.aliases for field in contract.purchase_fields}
        names = {role: (name, *aliases.get(name, ())) for role, name in contract.purchase_names.items()}
        self._id = names[PurchaseRole.TRANSACTION_ID]
        self._revenue = names[PurchaseRole.REVENUE]
        self._items = names[PurchaseRole.ITEMS]

    @staticmethod
    def open(data: object) -> dict[str, Any] | Rejection:
        """The purchase's data, an object or the JSON text of one; or why it is neither."""
        fields = decode(data) if isinstance(data, str) else data
        if isinstance(fields, dict):
            return fields
        message = fields.message if isinstance(fields, Rejection) else "event_data holds no object"
        return Rejection(Reason.PURCHASE_DATA, message, "$.event_data", "type")

    def items(self, fields: dict[str, Any]) -> list[Any]:
        """What was bought, as it stands there; nothing if it is no array."""
        items = _first(fields, self._items)
        return items if isinstance(items, list) else []

    def claimed(self, fields: dict[str, Any]) -> Decimal | None:
        """The revenue that it names; None unless it is an amount above 0."""
        amount = money.parse(_first(fields, self._revenue))
        return amount if amount is not None and amount > 0 else None

    def read(self, data: object, at_ms: int) -> tuple[PurchaseFact | None, Rejection | None]:
        """The purchase (if it has an id that others can repeat) and why it cannot be counted (if it cannot)."""
        fields = self.open(data)
        if isinstance(fields, Rejection):
            return None, fields
        try:
            content = fingerprint({k: v for k, v in fields.items() if k not in self._id})
        except RecursionError:
            return None, Rejection(
                Reason.PURCHASE_DATA, "event_data is nested too deeply", "$.event_data", "depth"
            )
        name = transaction_id(_first(fields, self._id))
        rejection = self._why_not(fields, name)
        if name is None:
            return None, rejection
        amount = None if rejection else money.parse(_first(fields, self._revenue))
        return PurchaseFact(name, at_ms, content, amount), rejection

    def _why_not(self, fields: dict[str, Any], name: str | None) -> Rejection | None:
        if name is None:
            path = f"$.event_data.{self._id[0]}"
            return Rejection(Reason.PURCHASE_ID, "the purchase has no transaction id", path, "required")
        revenue = _first(fields, self._revenue)
        amount = money.parse(revenue)
        if amount is None or amount <= 0:
            keyword, words = _wrong_with(revenue)
            path = f"$.event_data.{self._revenue[0]}"
            return Rejection(Reason.PURCHASE_REVENUE, f"revenue {words}", path, keyword)
        items = _first(fields, self._items)
        if not isinstance(items, list) or not items:
            path = f"$.event_data.{self._items[0]}"
            return Rejection(Reason.PURCHASE_ITEMS, "the purchase has no items", path, "minItems")
        return None


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> object:
    """The value under the first of the names that is there and not null."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _wrong_with(revenue: object) -> tuple[str, str]:
    """The rule that a revenue breaks which is no amount above 0, and what is wrong with it, in words."""
    if isinstance(revenue, bool) or not isinstance(revenue, int | Decimal) or revenue <= 0:
        return "exclusiveMinimum", "is not a positive number"
    if revenue >= money.LARGEST:
        return "exclusiveMaximum", f"is too large, it must be below {money.LARGEST:,}"
    return "multipleOf", f"has more than {money.MOST_DECIMALS} digits after the point"


def transaction_id(value: object) -> str | None:
    """The id as text (a long one shortened): of a text that is not blank, or an integer.

    >>> transaction_id("ORD-1"), transaction_id(7), transaction_id(" "), transaction_id(True)
    ('ORD-1', '7', None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value) if isinstance(value, int) else value
    if not text or text.isspace():
        return None
    return shortened(text)


def fingerprint(content: object) -> str:
    """A hash of JSON by its content: neither key order nor white space nor the writing of a number counts.

    >>> fingerprint({"a": 10, "b": [1]}) == fingerprint({"b": [Decimal("1.0")], "a": Decimal("1e1")})
    True
    >>> fingerprint({"a": "10"}) == fingerprint({"a": 10})
    False
    """
    return hashlib.blake2b(msgspec.json.encode(_canonical(content)), digest_size=12).hexdigest()


def _canonical(value: Any) -> object:
    """JSON with sorted keys, and every number in one writing that no text can have (a pair in an object of its own)."""
    kind = type(value)
    if kind is dict:
        return [[key, _canonical(value[key])] for key in sorted(value)]
    if kind is list:
        return {"list": [_canonical(item) for item in value]}
    if kind is int or kind is Decimal:
        return {"number": _one_writing(value)}
    return value


def _one_writing(number: int | Decimal) -> str:
    """Its digits without zeros at either end, and the power of ten of the last; "0" of what has none.

    >>> [_one_writing(Decimal(text)) for text in ("-100", "1.50", "0E+5", "Infinity")]
    ['-1e2', '15e-1', '0', '0']
    """
    text = str(number)
    mantissa, _, power = text.partition("E")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits.isdecimal():
        return "0"
    short = digits.rstrip("0")
    exponent = int(power or 0) - len(fraction) + len(digits) - len(short)
    return f"{'-' if text[0] == '-' else ''}{short}e{exponent}"


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """What is known of one transaction id.

    `occurrences` counts its events by day; the earliest event (by time, then arrival) is the one that counts.
    `content` and `amount` are that one's. `clashed_ms` is the earliest time at which two contents had been seen, whatever the
    order of arrival. `last_ms` is the newest event's time: the id is forgotten `memory_days` after it. `claimed` is the
    revenue that the events of a collided id name, by day. `replaced`: contents in whose place `content` came by a repair;
    an event that has one of them is a copy of what was repaired.
    """

    content: str
    amount: Decimal | None
    first_ms: int
    first_day: str
    last_ms: int
    occurrences: dict[str, int]
    collided: bool = False
    clashed_ms: int | None = None
    claimed: dict[str, Decimal] | None = None
    replaced: tuple[str, ...] = ()


class DayChange(NamedTuple):
    """What one purchase event changes in one day; all of it addable."""

    day: str
    purchases: int = 0
    revenue: Decimal = Decimal(0)
    replays: int = 0
    collisions: int = 0
    claimed: Decimal = Decimal(0)


def remember(known: Remembered | None, fact: PurchaseFact, day: str) -> tuple[Remembered, list[DayChange]]:
    """What is known of an id after one more event with it, on `day`, and what that changes in which days."""
    if known is None:
        now = Remembered(
            fact.content, fact.amount, fact.at_ms, day, fact.at_ms, {day: 1}, replaced=fact.replaces
        )
        return now, _contribution(now)
    if fact.replaces and (
        known.collided or fact.amount is None or known.content in (fact.content, *fact.replaces)
    ):
        return _repaired(known, fact)
    if fact.content in known.replaced and not known.collided:
        fact = msgspec.structs.replace(fact, content=known.content, amount=known.amount)
    occurrences = {**known.occurrences, day: known.occurrences.get(day, 0) + 1}
    earlier = fact.at_ms < known.first_ms
    clashed_ms = known.clashed_ms
    if fact.content != known.content:
        at_ms = max(fact.at_ms, known.first_ms)
        clashed_ms = at_ms if clashed_ms is None else min(clashed_ms, at_ms)
    now = Remembered(
        fact.content if earlier else known.content,
        fact.amount if earlier else known.amount,
        fact.at_ms if earlier else known.first_ms,
        day if earlier else known.first_day,
        max(known.last_ms, fact.at_ms),
        occurrences,
        clashed_ms is not None,
        clashed_ms,
        None if clashed_ms is None else _claimed(known, fact, day),
        known.replaced,
    )
    return now, _difference(_contribution(known), _contribution(now))


def _repaired(known: Remembered, fact: PurchaseFact) -> tuple[Remembered, list[DayChange]]:
    """What is known after an event that had been told came back with another content: all copies of the old content
    are copies of the new one. What has collided stays so, and a copy that failed again says nothing of one that passed."""
    if known.collided or known.content not in (fact.content, *fact.replaces):
        return known, []
    replaced = tuple(dict.fromkeys((*known.replaced, *fact.replaces)))
    now = msgspec.structs.replace(known, content=fact.content, amount=fact.amount, replaced=replaced)
    return now, _difference(_contribution(known), _contribution(now))


def _claimed(known: Remembered, fact: PurchaseFact, day: str) -> dict[str, Decimal]:
    """What the events of a collided id claim, with one more: a sum, so the order of arrival does not matter."""
    claimed = known.claimed or {}
    if not known.collided:
        amount = known.amount or Decimal(0)
        claimed = {on: money.EXACT.multiply(amount, n) for on, n in known.occurrences.items()}
    return {**claimed, day: money.add(claimed.get(day, Decimal(0)), fact.amount or Decimal(0))}


def _contribution(known: Remembered) -> list[DayChange]:
    """All that an id adds to the days that hold one of its events."""
    if known.collided:
        claimed, nothing = known.claimed or {}, Decimal(0)
        return [
            DayChange(day, collisions=n, claimed=claimed.get(day, nothing))
            for day, n in known.occurrences.items()
        ]
    if known.amount is None:
        return []
    return [
        DayChange(day, 1, known.amount, n - 1) if day == known.first_day else DayChange(day, replays=n)
        for day, n in known.occurrences.items()
    ]


def _difference(before: list[DayChange], after: list[DayChange]) -> list[DayChange]:
    then = {change.day: change for change in before}
    changes = []
    for new in after:
        old = then.pop(new.day, DayChange(new.day))
        if new != old:
            changes.append(_minus(new, old))
    return changes + [_minus(DayChange(old.day), old) for old in then.values()]


def _minus(new: DayChange, old: DayChange) -> DayChange:
    return DayChange(
        new.day,
        new.purchases - old.purchases,
        money.subtract(new.revenue, old.revenue),
        new.replays - old.replays,
        new.collisions - old.collisions,
        money.subtract(new.claimed, old.claimed),
    )
