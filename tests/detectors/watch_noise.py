"""Shops for the watch's rules: many of them, their character drawn, quiet or with a fault, as counts by the minute.

Nothing here knows the rules. Day levels, hours and conversion are gamma-distributed about their means, so that counts
are over-dispersed; order amounts have a heavy tail; weekends have another level and another course; a crawler comes at
night now and then. `scale` 1 is about 3,500 events and 19 purchases a day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detectors.arrivals import quiet_spells
from detectors.baseline import PastDay
from detectors.deviation import Deviation, Life
from detectors.pace import Pace, PastCourse
from detectors.silence import EVENT_SILENCE, PURCHASE_SILENCE, Silence
from detectors.totals import STEP_MINUTES, STEPS, Course
from detectors.weekdays import weekday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fault = Callable[["Made", int, np.random.Generator], "Made"]

FIRST_DAY = 20_142  # 2025-02-23
MINUTES = 1440


@dataclass(frozen=True)
class Shop:
    """A shop's character. `hours` and `weekend_hours` are shares of a day's visits, `*_cv` coefficients of variation."""

    scale: float
    visits: float
    hours: np.ndarray
    weekend_hours: np.ndarray
    weekdays: np.ndarray
    drift: float
    day_cv: float
    hour_cv: float
    events_per_visit: float
    direct: float
    direct_day_sd: float
    direct_hour_sd: float
    conversion: float
    conversion_cv: float
    order_value: float
    order_sigma: float
    crawler: float
    quiet_hour: float


class Made(NamedTuple):
    """One day: counts by the minute, and the order amounts with their minutes."""

    day: int
    events: np.ndarray
    sessions: np.ndarray
    direct: np.ndarray
    order_minutes: np.ndarray
    amounts: np.ndarray

    def course(self) -> Course:
        steps, cents = self.order_minutes // STEP_MINUTES, np.rint(100 * self.amounts)
        return Course(
            events=_by_step(self.events),
            sessions=_by_step(self.sessions),
            direct=_by_step(self.direct),
            purchases=np.bincount(steps, minlength=STEPS).tolist(),
            cents=np.bincount(steps, cents, minlength=STEPS).astype(int).tolist(),
            cents_squared=np.bincount(steps, cents**2, minlength=STEPS).tolist(),
        )

    def purchases(self) -> np.ndarray:
        return np.bincount(self.order_minutes, minlength=MINUTES)


def _by_step(minutes: np.ndarray) -> list[int]:
    return minutes.reshape(STEPS, STEP_MINUTES).sum(axis=1).tolist()


def draw_shop(rng: np.random.Generator, scale: float = 1.0) -> Shop:
    peak = rng.uniform(0, 24)
    weekend = rng.uniform(0.75, 1.25)
    weekdays = rng.uniform(0.95, 1.05, 7) * np.array([1, 1, 1, 1, 1, weekend, weekend])
    visits = rng.uniform(2_300, 3_000)
    hours = _hours(rng, peak)
    mixed = rng.uniform(0, 0.4)
    return Shop(
        scale=scale,
        visits=visits,
        hours=hours,
        weekend_hours=(1 - mixed) * hours + mixed * _hours(rng, peak + rng.uniform(-3, 3)),
        weekdays=weekdays / weekdays.mean(),
        drift=rng.uniform(-0.15, 0.15),
        day_cv=rng.uniform(0.03, 0.12),
        hour_cv=rng.uniform(0.02, 0.12),
        events_per_visit=rng.uniform(1.2, 1.5),
        direct=(direct := rng.uniform(0.25, 0.5)),
        direct_day_sd=direct * rng.uniform(0.02, 0.1),
        direct_hour_sd=rng.uniform(0.005, 0.03),
        conversion=rng.uniform(17, 21) / visits,
        conversion_cv=rng.uniform(0.03, 0.15),
        order_value=rng.uniform(700, 1_200),
        order_sigma=rng.uniform(0.6, 1.05),
        crawler=rng.uniform(0, 0.25),
        quiet_hour=rng.uniform(0, 0.1),
    )


def _hours(rng: np.random.Generator, peak: float) -> np.ndarray:
    """Two waves and a bump of its own for each hour; the quietest hour has 15-40 % of the busiest."""
    hour, second = np.arange(24), rng.uniform(0, 12)
    swing, ripple = rng.uniform(0.4, 0.65), rng.uniform(0.05, 0.2)
    waves = (
        1 + swing * np.cos(2 * np.pi * (hour - peak) / 24) + ripple * np.cos(4 * np.pi * (hour - second) / 24)
    )
    weights = waves * rng.uniform(0.9, 1.1, 24)
    return weights / weights.sum()


def _gamma(rng: np.random.Generator, cv: float, size: int | None = None) -> np.ndarray:
    return rng.gamma(1 / cv**2, cv**2, size)


def days(shop: Shop, rng: np.random.Generator, count: int) -> Iterator[Made]:
    for day in range(FIRST_DAY, FIRST_DAY + count):
        yield _day(shop, rng, day, 1 + shop.drift * (day - FIRST_DAY) / 28)


def _day(shop: Shop, rng: np.random.Generator, day: int, trend: float) -> Made:
    hours = shop.weekend_hours if weekday(day) >= 5 else shop.hours
    level = shop.scale * shop.visits * trend * shop.weekdays[weekday(day)] * _gamma(rng, shop.day_cv)
    rates = level * hours * _gamma(rng, shop.hour_cv, 24)
    if rng.random() < shop.quiet_hour:
        rates[np.argsort(hours)[rng.integers(0, 6)]] *= rng.uniform(0.3, 0.6)
    minutes = np.repeat(rates / 60, 60)
    share = np.clip(
        rng.normal(shop.direct, shop.direct_day_sd) + rng.normal(0, shop.direct_hour_sd, 24), 0.02, 0.98
    )
    sessions = rng.poisson(minutes)
    direct = rng.binomial(sessions, np.repeat(share, 60))
    events = sessions + rng.poisson(
        (shop.events_per_visit - 1) * np.convolve(sessions, np.ones(5) / 5, "same")
    )
    buying = np.minimum(shop.conversion * _gamma(rng, shop.conversion_cv), 1)
    orders = np.repeat(np.arange(MINUTES), rng.binomial(sessions, buying))
    mean = np.log(shop.order_value) - shop.order_sigma**2 / 2
    amounts = np.round(rng.lognormal(mean, shop.order_sigma, len(orders)), 2)
    if rng.random() < shop.crawler:
        _crawl(shop, rng, hours, events, sessions, direct)
    return Made(day, events, sessions, direct, orders, amounts)


def _crawl(shop: Shop, rng: np.random.Generator, hours: np.ndarray, *counts: np.ndarray) -> None:
    """A site audit: half an hour of direct one-page visits in a hour that is not busy."""
    start = 60 * int(np.argsort(hours)[rng.integers(0, 14)]) + int(rng.integers(0, 30))
    visits = rng.multinomial(int(shop.scale * rng.uniform(100, 350)), np.ones(30) / 30)
    for count in counts:
        count[start : start + 30] += visits


def _from(minute: int) -> np.ndarray:
    return np.arange(MINUTES) >= minute


def purchases_stop(made: Made, minute: int, rng: np.random.Generator) -> Made:
    keep = made.order_minutes < minute
    return made._replace(order_minutes=made.order_minutes[keep], amounts=made.amounts[keep])


def conversion_halved(made: Made, minute: int, rng: np.random.Generator) -> Made:
    keep = (made.order_minutes < minute) | (rng.random(len(made.order_minutes)) < 0.5)
    return made._replace(order_minutes=made.order_minutes[keep], amounts=made.amounts[keep])


def amounts_times(factor: float) -> Fault:
    def fault(made: Made, minute: int, rng: np.random.Generator) -> Made:
        return made._replace(
            amounts=np.where(made.order_minutes >= minute, factor * made.amounts, made.amounts)
        )

    return fault


def half_of_events_lost(made: Made, minute: int, rng: np.random.Generator) -> Made:
    """A visit is seen if any of its events is: of 1.3 events a visit, 58 % of visits stay."""
    after = _from(minute)
    keep = (made.order_minutes < minute) | (rng.random(len(made.order_minutes)) < 0.5)
    sessions = np.where(after, rng.binomial(made.sessions, 0.58), made.sessions)
    direct = np.minimum(np.where(after, rng.binomial(made.direct, 0.58), made.direct), sessions)
    events = np.where(after, rng.binomial(made.events, 0.5), made.events)
    return made._replace(
        events=events,
        sessions=sessions,
        direct=direct,
        order_minutes=made.order_minutes[keep],
        amounts=made.amounts[keep],
    )


def direct_share_up(made: Made, minute: int, rng: np.random.Generator) -> Made:
    """Twenty points of all visits lose what tells where they came from."""
    others = made.sessions - made.direct
    share = min(1.0, 0.2 * made.sessions.sum() / max(others.sum(), 1))
    return made._replace(direct=made.direct + np.where(_from(minute), rng.binomial(others, share), 0))


def nothing_for_three_hours(made: Made, minute: int, rng: np.random.Generator) -> Made:
    hole = _from(minute) & ~_from(minute + 180)
    keep = ~hole[made.order_minutes]
    counts = (np.where(hole, 0, count) for count in (made.events, made.sessions, made.direct))
    return Made(made.day, *counts, made.order_minutes[keep], made.amounts[keep])


FAULTS = {
    "purchases_stop": purchases_stop,
    "revenue_x100": amounts_times(100),
    "half_of_events_lost": half_of_events_lost,
    "conversion_halved": conversion_halved,
    "direct_share_up_20": direct_share_up,
    "order_value_doubled": amounts_times(2),
}


class Alarm(NamedTuple):
    """An alert of the watch as its rules alone make it: at a minute since the first day's midnight."""

    minute: int
    rule: str
    severity: str


class Watching:
    """All of the watch's rules over one shop's days, as they would be asked live."""

    def __init__(self, look_every: int = 1) -> None:
        self.look_every = look_every
        self.deviation, self.pace = Deviation(), Pace()
        self.silences = {"events": Silence(EVENT_SILENCE), "purchases": Silence(PURCHASE_SILENCE)}
        self.last: dict[str, int] = {}

    def live(self, made: Made, from_step: int = 0) -> list[Alarm]:
        """What the day raises; each rule on each metric once. Learns the day."""
        midnight = (made.day - FIRST_DAY) * MINUTES
        alarms = [*self._paced(made, midnight, from_step), *self._silent(made, midnight)]
        judged = self.deviation.learn_one(PastDay(made.day, made.course().totals()))
        opened = [j.answer for j in judged if j.life is Life.OPENED]
        alarms += [Alarm(midnight + MINUTES + 60, a.rule, a.severity) for a in opened if a.severity]
        self.pace.learn_one(PastCourse(made.day, made.course()))
        events, purchases = np.flatnonzero(made.events), np.flatnonzero(made.purchases())
        spells = quiet_spells(events.tolist())
        self.silences["events"].learn_one(made.day, _by_hour(made.events), made.sessions.sum(), spells)
        spells = quiet_spells(purchases.tolist())
        self.silences["purchases"].learn_one(made.day, _by_hour(made.purchases()), None, spells)
        return alarms

    def _paced(self, made: Made, midnight: int, from_step: int) -> Iterator[Alarm]:
        today, course, told = (
            self.pace.begin(made.day, midnight, self.deviation.baseline),
            made.course(),
            set(),
        )
        for step in range(self.look_every, STEPS + 1, self.look_every):
            if step < from_step:
                continue
            for answer in today.score(course, step):
                if answer.fired and (answer.rule, answer.metric) not in told:
                    told.add((answer.rule, answer.metric))
                    yield Alarm(answer.known_minute, answer.rule, answer.severity)

    def _silent(self, made: Made, midnight: int) -> Iterator[Alarm]:
        for name, counts in (("events", made.events), ("purchases", made.purchases())):
            silence, last = self.silences[name], self.last.get(name)
            for minute in [*(np.flatnonzero(counts) + midnight).tolist(), midnight + MINUTES]:
                fires = silence.fires_at(last) if last is not None and minute - last >= 5 else None
                if fires is not None and midnight <= fires < min(minute, midnight + MINUTES):
                    answer = silence.score_one(last, fires)
                    yield Alarm(fires, answer.rule, answer.severity)
                if minute < midnight + MINUTES:
                    last = self.last[name] = minute


def _by_hour(minutes: np.ndarray) -> list[int]:
    return minutes.reshape(24, 60).sum(axis=1).tolist()


def quiet_alarms(seed: int, scale: float, count: int, look_every: int) -> list[Alarm]:
    """What a drawn shop's quiet days raise."""
    rng = np.random.default_rng([seed, int(scale)])
    shop, watching = draw_shop(rng, scale), Watching(look_every)
    return [alarm for made in days(shop, rng, count) for alarm in watching.live(made)]


def minutes_to_find(
    seed: int, scale: float, fault: Fault, *, known_days: int, minute: int, lasting: int, look_every: int
) -> tuple[int, str] | None:
    """How long after a fault began, at this minute of a day, a rule told it, and which; None if none did."""
    rng = np.random.default_rng([seed, int(scale), known_days])
    shop, watching = draw_shop(rng, scale), Watching(look_every=STEPS + 1)
    for number, made in enumerate(days(shop, rng, known_days + lasting)):
        if number < known_days:
            watching.live(made)
            continue
        watching.look_every = look_every
        began = minute if number == known_days else 0
        alarms = watching.live(fault(made, began, rng), from_step=began // STEP_MINUTES)
        found = [alarm for alarm in alarms if alarm.minute >= known_days * MINUTES + minute]
        if found:
            first = min(found)
            return first.minute - known_days * MINUTES - minute, first.rule
    return None


def steady(shop: Shop) -> Shop:
    """The same shop with nothing but chance in it."""
    flat = np.ones(7)
    return replace(
        shop,
        weekdays=flat,
        drift=0.0,
        day_cv=1e-3,
        hour_cv=1e-3,
        direct_day_sd=0.0,
        direct_hour_sd=0.0,
        conversion_cv=1e-3,
        crawler=0.0,
        quiet_hour=0.0,
        weekend_hours=shop.hours,
    )
