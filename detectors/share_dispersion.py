"""How much more than chance a share's counts vary: learned from how far hours and days fell from what was expected.

A sum of trials varies as `dispersion` times a binomial one (the events of a visit share their attributes), plus the
`wiggle` of the level itself from day to day (McCullagh and Nelder 1989, §4.5). Dispersion is read off the hours of a
day beside each other, so that a day that lies high as a whole does not count; wiggle off whole days.
"""

from __future__ import annotations

import msgspec

_WIGGLE = 0.06**2
_WIGGLE_VARIANCE = 0.005**2
"""The wiggle expected (a variance on the logit scale), and how wrong that may be: levels stray by 6 % of their odds
from day to day, hardly by more than 10."""

_PRIOR_VARIANCE = 60.0
"""How much binomial variance the dispersion expected beforehand is worth: some sixty hits of a rare share."""

_MOST_SQUARES = 6.25
"""An hour or day further out than 2.5 standard deviations counts as that: a crawler, or a change that is not yet sure,
must not blind for a month."""

VISIT = 10.0
"""Hits that a single visit may bring at once, however rare hits are."""

_FADE = 1 - 1 / 14


class Noise(msgspec.Struct, frozen=True):
    """A sum with binomial variance v has the variance v · (dispersion + wiggle · v)."""

    dispersion: float
    wiggle: float

    def of(self, variance: float) -> float:
        """How many times the binomial variance.

        >>> Noise(2.0, 0.01).of(300.0)
        5.0
        """
        return self.dispersion + self.wiggle * variance


class Block(msgspec.Struct):
    """An hour or a day under way: hits beyond those expected, and the variance that a binomial count would have."""

    excess: float = 0.0
    variance: float = 0.0

    def squared(self, noise: Noise) -> float:
        """The square of the excess, cut where it would be too strange to teach anything."""
        return min(self.excess**2, max(_MOST_SQUARES * noise.of(self.variance) * self.variance, VISIT**2))


class Spread(msgspec.Struct):
    """Sums over blocks, older ones fading: the squared excess, the variance and its square, and how many."""

    squares: float = 0.0
    variance: float = 0.0
    variance2: float = 0.0
    blocks: float = 0.0

    def add(self, squares: float, variance: float, variance2: float, blocks: float = 1.0) -> None:
        """Adds blocks."""
        self.squares += squares
        self.variance += variance
        self.variance2 += variance2
        self.blocks += blocks

    def fade(self) -> None:
        """Lets a day pass."""
        self.squares, self.variance = self.squares * _FADE, self.variance * _FADE
        self.variance2, self.blocks = self.variance2 * _FADE, self.blocks * _FADE


class Dispersion(msgspec.Struct):
    """What hours and days have told, and those under way."""

    hours: Spread = msgspec.field(default_factory=Spread)
    days: Spread = msgspec.field(default_factory=Spread)
    hour: Block = msgspec.field(default_factory=Block)
    day: Block = msgspec.field(default_factory=Block)
    today: Spread = msgspec.field(default_factory=Spread)

    def see(self, excess: float, variance: float) -> None:
        """Notes how far counts fell from what was expected."""
        hour, day = self.hour, self.day
        hour.excess += excess
        hour.variance += variance
        day.excess += excess
        day.variance += variance

    def end_hour(self, noise: Noise) -> None:
        """Ends an hour."""
        hour = self.hour
        if hour.variance > 0:
            self.today.add(hour.squared(noise), hour.variance, hour.variance**2)
            self.hour = Block()

    def end_day(self, noise: Noise) -> None:
        """Ends a day: what its hours had in common is the day's own wiggle, and no dispersion."""
        today, day = self.today, self.day
        self.hours.fade()
        self.days.fade()
        if day.variance > 0:
            common = (day.excess / day.variance) ** 2 * today.variance2
            self.hours.add(max(0.0, today.squares - common), today.variance, today.variance2, today.blocks)
            self.days.add(day.squared(noise), day.variance, day.variance**2)
        self.day, self.today = Block(), Spread()

    def drop(self) -> None:
        """Forgets the day under way."""
        self.hour, self.day, self.today = Block(), Block(), Spread()

    def noise(self, cluster: float) -> Noise:
        """The noise that explains what was seen; `cluster` is the dispersion expected beforehand.

        With few hits a day, days say little about the wiggle, and the one expected counts for more.

        >>> Dispersion().noise(3.0)
        Noise(dispersion=3.0, wiggle=0.0036)
        """
        hours, days = self.hours, self.days
        found = (hours.squares + cluster * _PRIOR_VARIANCE) / (hours.variance + _PRIOR_VARIANCE)
        dispersion = max(1.0, found)
        if days.variance <= 0:
            return Noise(dispersion, _WIGGLE)
        size, of_days = days.variance2 / days.variance, days.squares / days.variance
        seen = max(0.0, (of_days - dispersion) / size)
        doubt = 2 * (max(of_days, dispersion) / size) ** 2 / days.blocks
        return Noise(dispersion, (seen * _WIGGLE_VARIANCE + _WIGGLE * doubt) / (_WIGGLE_VARIANCE + doubt))
