"""What is normal for a metric: the median of the prior trusted days, and how far from it a day may lie by chance.

`z = (x - m) / s`: m is the median of the prior 7 trusted days, s the largest of three: 1.4826 MAD over up to 28 trusted
days, the sampling floor (what pure chance does to a count of this size), and r |m| (what days differ by at least).
Seven points alone are few: |0.6745 (x - m) / MAD| > 3.5 happens by chance on 6.9 % of Gaussian days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from detectors.band import CENTRE_DAYS, Band, few_days, mad, robust_sigma, sampling_floor
from detectors.rolling import rolling_median
from detectors.totals import Part, Totals
from detectors.watched import Kind, Watched, WatchLimits, value
from detectors.weekdays import WeekdayRules, factors, lost_to_fit, weekday

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class BaselineRules:
    """`spread_days`: over how many of the last trusted days the MAD is taken. `fewest_days`: below
    it there is no baseline. `memory_days`: how many days are kept, six weeks for the weekday effect. `order_value_cv`:
    the coefficient of variation of order amounts, believed as strongly as `order_value_weight` orders."""

    fewest_days: int = 3
    spread_days: int = 28
    memory_days: int = 42
    order_value_cv: float = 1.0
    order_value_weight: float = 30.0
    weekdays: WeekdayRules = field(default_factory=WeekdayRules)


class PastDay(msgspec.Struct, frozen=True, omit_defaults=True):
    """A closed day (days since 1970-01-01). `distrusted`: metrics that it must not vouch for, whatever happens (it is
    quarantined, an input is gone, an incident touches them); `doubted`: those of whose shift it is a part, until that
    is accepted."""

    day: int
    totals: Totals
    distrusted: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()

    def vouches(self, metric: str) -> bool:
        """Whether a metric's baseline may rest on it."""
        return metric not in self.distrusted and metric not in self.doubted


_VOUCHED_BY: dict[Part, str] = {
    "events": "events",
    "sessions": "sessions",
    "direct": "direct_share",
    "purchases": "purchases",
    "revenue": "revenue",
}
"""Which metric's trust a part's days need."""


class BaselineState(msgspec.Struct):
    """The days known, oldest first."""

    days: list[PastDay] = []


class Baseline:
    """Learns closed days, and says what was normal before a day. A day never is in its own baseline, nor a later one,
    so a late amendment of a day is judged as that day was."""

    def __init__(
        self,
        rules: BaselineRules | None = None,
        limits: WatchLimits | None = None,
        state: BaselineState | None = None,
    ) -> None:
        self._rules = rules or BaselineRules()
        self._limits = limits or WatchLimits()
        self.state = state or BaselineState()

    def learn_one(self, past: PastDay) -> None:
        """Takes in a closed day; if it is known, in the place of what was known of it."""
        kept = [known for known in self.state.days if known.day != past.day]
        kept = sorted([*kept, past], key=lambda known: known.day)
        self.state.days = kept[-self._rules.memory_days :]

    def amend(self, totals: Mapping[int, Totals]) -> None:
        """Known days have other sums now; what they deserve stays as it is."""
        self.state.days = [_amended(past, totals.get(past.day)) for past in self.state.days]

    def doubt(self, metric: str, day: int) -> None:
        """The days since this one are part of a metric's shift."""
        self.state.days = [_marked(past, metric) if past.day >= day else past for past in self.state.days]

    def restart(self, metric: str, day: int) -> None:
        """A new level is normal from this day on: the days before it no longer count for the metric, and those since do
        again."""
        self.state.days = [_marked(past, metric, doubted=past.day < day) for past in self.state.days]

    def effects(self, before: int) -> dict[Part, tuple[float, ...]]:
        """The weekday factors of the parts that days are made of, for judging a day as it goes on."""
        found: dict[Part, tuple[float, ...]] = {}
        for part, metric in _VOUCHED_BY.items():
            days = self.trusted(metric, before)
            found[part] = factors(
                [(past.day, getattr(past.totals, part)) for past in days], self._rules.weekdays
            )
        return found

    def order_value_cv(self, before: int) -> float:
        """How much order amounts vary, as the days tell whose revenue is trusted."""
        return order_value_cv([past.totals for past in self.trusted("revenue", before)], self._rules)

    def trusted(self, metric: str, before: int) -> list[PastDay]:
        """The days before `before` that a metric's baseline may rest on, oldest first."""
        return [past for past in self.state.days if past.day < before and past.vouches(metric)]

    def band(self, watched: Watched, before: int, totals: Totals | None = None) -> Band | None:
        """What is normal for a metric, as far as the days before `before` say; None with too few of them.

        `totals` of the day to judge tell how many trials a share or a mean rests on; without, as many as usual.
        """
        days = self.trusted(watched.metric, before)
        points = [(past.day, x) for past in days if (x := value(watched, past.totals)) is not None]
        if len(points) < self._rules.fewest_days:
            return None
        effect = factors(points, self._rules.weekdays)
        level = [x / effect[weekday(day)] for day, x in points]
        cv = self.order_value_cv(before) if watched.kind is Kind.MONEY else 0.0
        return self._band(watched, level, effect, days, totals, cv)

    def _band(
        self,
        watched: Watched,
        level: list[float],
        effect: tuple[float, ...],
        days: list[PastDay],
        totals: Totals | None,
        cv: float,
    ) -> Band:
        rules = self._rules
        m = rolling_median(level, CENTRE_DAYS)
        wide = level[-rules.spread_days :]
        sigma, floor = robust_sigma(wide)
        sigma *= lost_to_fit(len(wide), sum(factor != 1 for factor in effect))
        size = _size(watched, days[-CENTRE_DAYS:], totals)
        spread = self._limits.of(watched.metric).spread * few_days(len(wide)) * abs(m)
        candidates = [(sigma, floor), (sampling_floor(watched, m, size, cv), "sampling"), (spread, "spread")]
        scale, floor = max(candidates, key=lambda pair: pair[0])
        return Band(m, mad(wide), scale, len(wide), floor, effect)


def order_value_cv(days: Sequence[Totals], rules: BaselineRules) -> float:
    """The pooled coefficient of variation of order amounts over days, shrunk to `rules.order_value_cv`.

    >>> order_value_cv([], BaselineRules())
    1.0
    >>> orders = Totals(purchases=2, revenue=40.0, revenue_squares=1000.0)  # 10 and 30
    >>> order_value_cv([orders], BaselineRules(order_value_weight=0.0))
    0.5
    """
    orders = math.fsum(past.purchases for past in days)
    revenue = math.fsum(past.revenue for past in days)
    squares = math.fsum(past.revenue_squares for past in days)
    own = max(orders * squares / (revenue * revenue) - 1, 0.0) if revenue > 0 and squares > 0 else 0.0
    known = orders if revenue > 0 and squares > 0 else 0.0
    prior = rules.order_value_weight
    if known + prior <= 0:
        return rules.order_value_cv
    return math.sqrt((known * own + prior * rules.order_value_cv**2) / (known + prior))


def _size(watched: Watched, days: Sequence[PastDay], totals: Totals | None) -> float:
    """How many trials, or orders, the metric rests on: those of the judged day for a share or a mean, the usual
    number of orders for a sum."""
    part = watched.whole or "purchases"
    if watched.whole is not None and totals is not None:
        own: float = getattr(totals, part)
        return own
    return float(median(getattr(past.totals, part) for past in days))


def _marked(past: PastDay, metric: str, *, doubted: bool = True) -> PastDay:
    """The same day, doubted or not for a metric."""
    others = {*past.doubted} - {metric}
    return msgspec.structs.replace(past, doubted=tuple(sorted(others | {metric} if doubted else others)))


def _amended(past: PastDay, totals: Totals | None) -> PastDay:
    """The same day with other sums. Its orders' squares stay: few come late, and they tell a variation, no amount."""
    if totals is None:
        return past
    totals = msgspec.structs.replace(totals, revenue_squares=past.totals.revenue_squares)
    return msgspec.structs.replace(past, totals=totals)
