"""What the watch counts, addable: the sums of a day or of a part of it, and a day's course in steps of ten minutes."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Part = Literal["events", "sessions", "direct", "purchases", "revenue", "revenue_squares"]

PARTS: tuple[Part, ...] = ("events", "sessions", "direct", "purchases", "revenue", "revenue_squares")

STEP_MINUTES = 10
STEPS = 24 * 60 // STEP_MINUTES
"""Steps of a day. On a day of 25 hours the last step takes what comes after it."""


class Totals(msgspec.Struct, frozen=True, omit_defaults=True):
    """Sums of a stretch of time. `direct` are direct sessions, `revenue_squares` the sum of squared order amounts,
    which says how much the orders vary and how much of the revenue is one large order.

    >>> Totals(sessions=3, purchases=1, revenue=10.0) + Totals(sessions=2)
    Totals(events=0, sessions=5, direct=0, purchases=1, revenue=10.0, revenue_squares=0.0)
    """

    events: float = 0
    sessions: float = 0
    direct: float = 0
    purchases: float = 0
    revenue: float = 0.0
    revenue_squares: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, part) + getattr(other, part) for part in PARTS))


class Course(msgspec.Struct, omit_defaults=True):
    """A day step by step: for each part, what each ten minutes of the day added to it. Counts of sessions may be
    taken back later, so a step may be negative. Amounts are kept in whole cents, and their squares in whole squared cents
    (exact below 2^53), so that the order in which purchases come changes no digit."""

    events: list[int] = msgspec.field(default_factory=lambda: [0] * STEPS)
    sessions: list[int] = msgspec.field(default_factory=lambda: [0] * STEPS)
    direct: list[int] = msgspec.field(default_factory=lambda: [0] * STEPS)
    purchases: list[int] = msgspec.field(default_factory=lambda: [0] * STEPS)
    cents: list[int] = msgspec.field(default_factory=lambda: [0] * STEPS)
    cents_squared: list[float] = msgspec.field(default_factory=lambda: [0.0] * STEPS)

    def count(self, minute: int, events: int = 0, sessions: int = 0, direct: int = 0) -> None:
        """Adds what happened in a minute of the day (0-1439)."""
        step = minute // STEP_MINUTES
        if not 0 <= step < STEPS:  # seldom: else a call for each minute is saved
            step = step_of(minute)
        self.events[step] += events
        self.sessions[step] += sessions
        self.direct[step] += direct

    def purchase(self, minute: int, amount: float, times: int = 1) -> None:
        """Adds a purchase of this amount in a minute of the day; `times` = -1 takes it back."""
        step, cents = step_of(minute), round(100 * amount)
        self.purchases[step] += times
        self.cents[step] += times * cents
        self.cents_squared[step] += float(times * cents * cents)

    def add(self, minute: int, purchases: int, cents: int, cents_squared: float) -> None:
        """Adds purchases of a minute of the day, as sums."""
        step = step_of(minute)
        self.purchases[step] += purchases
        self.cents[step] += cents
        self.cents_squared[step] += cents_squared

    def of(self, part: Part, start: int = 0, end: int = STEPS) -> Sequence[float]:
        """One part's steps from `start` to before `end`, amounts in the currency's unit."""
        if part == "revenue":
            return [cents / 100 for cents in self.cents[start:end]]
        if part == "revenue_squares":
            return [squares / 10_000 for squares in self.cents_squared[start:end]]
        counts: list[int] = getattr(self, part)
        return counts[start:end]

    def until(self, end: int) -> tuple[Sequence[float], ...]:
        """What it consists of before a step."""
        return (
            self.events[:end],
            self.sessions[:end],
            self.direct[:end],
            self.purchases[:end],
            self.cents[:end],
            self.cents_squared[:end],
        )

    def totals(self, start: int = 0, end: int = STEPS) -> Totals:
        """The sums of the steps from `start` to before `end`.

        >>> course = Course()
        >>> course.purchase(75, 20.0)
        >>> course.totals(7, 8).revenue, course.totals(8).revenue
        (20.0, 0.0)
        """
        return Totals(*(fsum(self.of(part, start, end)) for part in PARTS))

    def hours(self, part: Part) -> list[float]:
        """One part by hour of the day."""
        steps, hour = self.of(part), 60 // STEP_MINUTES
        return [fsum(steps[start : start + hour]) for start in range(0, STEPS, hour)]


def step_of(minute: int) -> int:
    """The step that a minute of the day lies in.

    >>> step_of(0), step_of(19), step_of(1439), step_of(1499)
    (0, 1, 143, 143)
    """
    step = minute // STEP_MINUTES
    return step if 0 <= step < STEPS else 0 if step < 0 else STEPS - 1
