"""A shop's closed minutes as they are on quiet days, and what each fault does to them; for judging `SchemaWatch`.

Events come in visits that share their page version. Optional keys are absent by visit, some hours more than others;
purchases are sometimes invalid or repeated; some records are garbage, once in a burst; some nights a crawler comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from detectors.fields import Expectations, ExpectedField, FieldMinute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = 1440
P0, P1 = "P0_BLOCKER", "P1_HIGH"

EXPECT = Expectations(
    (
        ExpectedField("client_id", P0, ("clientId",), "identity", required=True),
        ExpectedField("page_url", P1, (), "page_url", required=True),
        ExpectedField("referrer", P1, (), "referrer"),
        ExpectedField("timestamp", P0, (), "timestamp", required=True),
        ExpectedField("event_name", P0, (), "event_name", required=True),
        ExpectedField("event_data", P0, (), "event_data"),
        ExpectedField("user_agent"),
        ExpectedField("promo"),
        ExpectedField("consent"),
        ExpectedField("event_data.transaction_id", P0, required=True, scope="purchase"),
        ExpectedField("event_data.revenue", P0, required=True, scope="purchase"),
        ExpectedField("event_data.items", P0, required=True, scope="purchase"),
        ExpectedField("event_data.items[].item_id", scope="item"),
        ExpectedField("event_data.items[].item_price", scope="item"),
    ),
    frozenset({"page_viewed", "email_filled_on_popup", "product_added_to_cart", "checkout_completed"}),
    "checkout_completed",
)

_KINDS = {"client_id": "word", "page_url": "url", "referrer": "url", "user_agent": "text", "promo": "word"}
_HOURS = [1.1] * 5 + [0.7, 0.5, 0.45, 0.4, 0.35, 0.4, 0.45, 0.7, 0.9, 1.0, 1.15, 1.2, 1.3, 1.2, 1.25]
_HOURS += [1.25, 1.2, 1.2, 1.2]


@dataclass
class Event:
    """One event before it is counted: what it lacks and what is wrong with it."""

    name: str
    absent: set[str] = field(default_factory=set)
    retyped: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    aliased: set[str] = field(default_factory=set)
    rejected: str = ""
    items: int = 0
    times: int = 1
    repeated: int = 0
    ahead: int = 0


@dataclass
class Shop:
    """Closed minutes of one shop, day after day."""

    seed: int
    events: float = 3500
    size: float = 3.0

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.promo_absent = self.rng.uniform(0.2, 0.6)
        self.consent_absent = self.rng.uniform(0.001, 0.02)
        self.invalid = self.rng.uniform(0.0, 0.04)
        self.over: dict[int, list[Event]] = {}
        self.robots: dict[int, tuple[int, int]] = {}

    def day(
        self, number: int, fault: Callable[[Event, Random, float], None] | None = None, at: int = 0
    ) -> Iterator[FieldMinute]:
        """The minutes of a day; the fault strikes every event from minute `at` of the day on. A visit's luck is the
        fault's third argument."""
        rng = self.rng
        scale = self.events / sum(_HOURS) / 60 / self.size * rng.gauss(1, 0.1)
        crawler = rng.randrange(6 * 60) if rng.random() < 0.2 else -100
        for minute in range(DAY):
            now = number * DAY + minute
            visits = _poisson(rng, _HOURS[minute // 60] * scale)
            for _ in range(visits):
                self._visit(now, minute // 60, fault if minute >= at else None)
            events = self.over.pop(now, [])
            if crawler <= minute < crawler + 30:
                events += [Event("page_viewed") for _ in range(_poisson(rng, 5.0))]
            if rng.random() < 0.0005:
                events += [Event("page_viewed", rejected="not_json")] * rng.randint(1, 5)
            robots = sum(rng.random() < 0.02 for _ in range(visits))
            yield count(now, events, visits, robots)

    def _visit(self, now: int, hour: int, fault: Callable[[Event, Random, float], None] | None) -> None:
        rng, luck = self.rng, self.rng.random()
        absent = {"promo"} if rng.random() < self.promo_absent * (1.3 if hour < 6 else 1.0) else set()
        absent |= {"consent"} if rng.random() < self.consent_absent else set()
        unknown = {"debug"} if rng.random() < 0.002 else set()
        at = now
        while True:
            event = Event(self._name(), set(absent), unknown=set(unknown))
            if event.name == "checkout_completed":
                event.items = rng.randint(1, 4)
                event.rejected = "purchase_revenue" if rng.random() < self.invalid else ""
            event.repeated = rng.random() < 0.001
            event.ahead = rng.random() < 0.0002
            if fault is not None:
                fault(event, rng, luck)
            self.over.setdefault(at, []).append(event)
            if rng.random() < 1 / self.size:
                return
            at += int(rng.expovariate(0.8))

    def _name(self) -> str:
        x = self.rng.random()
        if x < 0.0055:
            return "checkout_completed"
        return "email_filled_on_popup" if x < 0.02 else "product_added_to_cart" if x < 0.08 else "page_viewed"


def count(now: int, events: list[Event], sessions: int, robots: int) -> FieldMinute:
    """The minute's counts, as the gate makes them."""
    minute = FieldMinute(now, sessions=sessions, robots=robots)
    for event in events:
        if event.rejected and not event.rejected.startswith("purchase"):
            _add(minute.rejected, event.rejected, 1)
            continue
        minute.events += event.times
        minute.repeated += event.repeated
        minute.ahead += event.ahead
        _add(minute.names, event.name, event.times)
        for table in ("absent", "retyped", "unknown", "aliased"):
            for name in sorted(getattr(event, table)):
                times = event.items if "[]" in name else event.times
                if event.items or not name.startswith("event_data."):
                    _add(getattr(minute, table), name, times)
        if event.name == "checkout_completed":
            minute.purchases += event.times
            minute.items += event.items
            if event.rejected:
                _add(minute.rejected, event.rejected, 1)
    for name in sorted(minute.unknown):
        _add(minute.kinds, f"{name}\x1f{'url' if 'url' in name.lower() else 'word'}", 1)
    if events:
        for name, kind in _KINDS.items():
            _add(minute.kinds, f"{name}\x1f{kind}", 1)
    return minute


def _add(counts: dict[str, int], name: str, times: int) -> None:
    if times:
        counts[name] = counts.get(name, 0) + times


def _poisson(rng: Random, mean: float) -> int:
    """A Poisson count, as arrivals in a unit of time."""
    n, t = 0, rng.expovariate(1.0)
    while t < mean:
        n, t = n + 1, t + rng.expovariate(1.0)
    return n


def lose(path: str, share: float = 1.0, *, by_visit: bool = False, key: str = "") -> Callable[..., None]:
    """The key is gone from a share of the events, or comes under another name."""

    def strike(event: Event, rng: Random, luck: float) -> None:
        if (luck if by_visit else rng.random()) < share:
            event.absent.add(path)
            event.unknown |= {key} if key else set()

    return strike


def turn(path: str, share: float = 1.0) -> Callable[..., None]:
    """The field's values get another type."""

    def strike(event: Event, rng: Random, luck: float) -> None:
        if rng.random() < share:
            event.retyped.add(path)

    return strike


def call(alias: str) -> Callable[..., None]:
    """The field comes under its alias."""

    def strike(event: Event, rng: Random, luck: float) -> None:
        event.aliased.add(alias)

    return strike


def rename(old: str, new: str) -> Callable[..., None]:
    """An event comes under another name."""

    def strike(event: Event, rng: Random, luck: float) -> None:
        if event.name == old:
            event.name, event.items, event.rejected = new, 0, ""

    return strike


def reject(reason: str, share: float, *, purchases: bool = False) -> Callable[..., None]:
    """A share of the records (or of the purchases) is rejected."""

    def strike(event: Event, rng: Random, luck: float) -> None:
        if rng.random() < share and (event.name == "checkout_completed" or not purchases):
            event.rejected = reason

    return strike


def repeat(share: float) -> Callable[..., None]:
    """A share of the events comes twice."""

    def strike(event: Event, rng: Random, luck: float) -> None:
        if rng.random() < share:
            event.times, event.repeated = 2, 1

    return strike


def hurry(share: float) -> Callable[..., None]:
    """A share of the visits has a clock far ahead."""

    def strike(event: Event, rng: Random, luck: float) -> None:
        event.ahead = int(luck < share)

    return strike
