"""A site's share by the minute as it is on quiet days, and what a fault does to it; for judging `ShareShift`.

Nothing in it follows the detector's own model: events come in visits of 1 to 10 that wholly or partly share the
attribute, the share has an hour profile, other weekends, a slow drift, better and worse days and hours, the volume
too, and some nights a crawler asks for half an hour. Every site's parameters are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.random import Generator

Counts = NDArray[np.int64]
DAY = 1440
QUIET_DAY = 3500
"""Events on an ordinary day of the small site."""

_HOURS = np.array(
    [1.1] * 5
    + [0.7, 0.5, 0.45, 0.4, 0.35, 0.4, 0.45, 0.7, 0.9, 1.0, 1.15, 1.2, 1.3, 1.2, 1.25, 1.25]
    + [1.2] * 3
)


@dataclass(frozen=True)
class Site:
    """One share of one site. Sizes of wiggles are on the logit scale."""

    events: float
    share: float
    shared_visits: float
    visit_size: float
    hour_swing: float
    hour_phase: float
    weekend: float
    day_noise: float
    hour_noise: float
    drift: float
    volume_noise: float
    crawler_nights: float
    crawler_rate: float


def draw_site(rng: Generator, share: float, events: float = QUIET_DAY) -> Site:
    """A site whose share is about this; everything else drawn."""
    return Site(
        events=events,
        share=share,
        shared_visits=rng.uniform(0.1, 0.9),
        visit_size=rng.uniform(1.5, 5.0),
        hour_swing=rng.uniform(0.0, 0.3),
        hour_phase=rng.uniform(0, 24),
        weekend=rng.normal(0, 0.12),
        day_noise=rng.uniform(0.02, 0.1),
        hour_noise=rng.uniform(0.0, 0.08),
        drift=rng.uniform(0.0, 0.03),
        volume_noise=rng.uniform(0.05, 0.2),
        crawler_nights=rng.uniform(0.0, 0.3),
        crawler_rate=rng.uniform(3, 10) * (events / QUIET_DAY) ** 0.5,
    )


class Days:
    """The days of a site, one after the other: each a pair of 1440 hits and trials. Day 0 is a Thursday."""

    def __init__(self, site: Site, rng: Generator) -> None:
        self.site = site
        self.rng = rng
        self.day = 0
        self._level = 0.0
        self._volume = 1.0
        self._over_midnight = np.zeros((2, DAY), dtype=np.int64)

    def next(self, fault: Fault | None = None) -> tuple[Counts, Counts]:
        """The next day; a `fault` holds from its minute to the end of the day."""
        site, rng = self.site, self.rng
        weekend = (self.day + 3) % 7 >= 5
        self._level = 0.97 * self._level + rng.normal(0, site.drift) if site.drift else 0.0
        level = self._level + rng.normal(0, site.day_noise) + (site.weekend if weekend else 0.0)
        volume = (0.8 if weekend else 1.05) * rng.gamma(1 / site.volume_noise**2, site.volume_noise**2)
        starts, sizes = self._visits(site.events * np.linspace(self._volume, volume, DAY))
        self._volume = volume
        shares = self._shares(level)[starts // 60]
        if fault is not None and fault.by_visit:
            shares = np.where(starts >= fault.minute, fault.share, shares)
        hits, trials = self._events(starts, sizes, shares)
        if rng.random() < site.crawler_nights:
            self._crawl(hits, trials)
        if fault is not None and not fault.by_visit:
            fault.strike(hits, trials, site.share, rng)
        self.day += 1
        return hits, trials

    def _visits(self, events: NDArray[np.float64]) -> tuple[Counts, Counts]:
        rng, stop = self.rng, 1 / self.site.visit_size
        profile = np.repeat(_HOURS / _HOURS.sum() / 60, 60)
        sizes = np.arange(1, 11)
        weights = stop * (1 - stop) ** (sizes - 1)
        weights /= weights.sum()
        count = rng.poisson(profile * events / float(sizes @ weights))
        starts = np.repeat(np.arange(DAY), count)
        return starts, rng.choice(sizes, size=len(starts), p=weights)

    def _shares(self, level: float) -> NDArray[np.float64]:
        """The share by hour of the day."""
        site = self.site
        if site.share <= 0:
            return np.zeros(24)
        hours = site.hour_swing * np.cos((np.arange(24) - site.hour_phase) * np.pi / 12)
        hours = hours + self.rng.normal(0, site.hour_noise, 24)
        odds = site.share / (1 - site.share) * np.exp(level + hours)
        return odds / (1 + odds)

    def _events(self, starts: Counts, sizes: Counts, shares: NDArray[np.float64]) -> tuple[Counts, Counts]:
        rng = self.rng
        visit = np.repeat(np.arange(len(starts)), sizes)
        first = np.cumsum(sizes) - sizes
        step = np.arange(len(visit)) - np.repeat(first, sizes)
        minute = np.minimum(
            starts[visit] + (step * rng.exponential(1.2, len(visit))).astype(np.int64), 2 * DAY - 1
        )
        together = rng.random(len(starts)) < self.site.shared_visits
        whole = rng.random(len(starts)) < shares
        hit = np.where(together[visit], whole[visit], rng.random(len(visit)) < shares[visit])
        both = np.array([np.bincount(minute[hit], minlength=2 * DAY), np.bincount(minute, minlength=2 * DAY)])
        today = both[:, :DAY] + self._over_midnight
        self._over_midnight = both[:, DAY:]
        return today[0], today[1]

    def _crawl(self, hits: Counts, trials: Counts) -> None:
        """Half an hour at night in which a crawler's events come on top, all of them hits (where there are any)."""
        start = int(self.rng.integers(0, 6 * 60))
        asked = self.rng.poisson(self.site.crawler_rate, 30)
        trials[start : start + 30] += asked
        if self.site.share > 0:
            hits[start : start + 30] += asked


@dataclass(frozen=True)
class Fault:
    """From a minute of the day on, the share is another: of whole visits, or event by event."""

    minute: int
    share: float
    by_visit: bool = False

    def strike(self, hits: Counts, trials: Counts, before: float, rng: Generator) -> None:
        """Takes the attribute from some events, or gives it, one by one."""
        at = self.minute
        if self.share >= before:
            hits[at:] += rng.binomial(trials[at:] - hits[at:], (self.share - before) / (1 - before))
        else:
            hits[at:] = rng.binomial(hits[at:], self.share / before)
