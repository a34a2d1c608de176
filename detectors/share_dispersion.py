"""How much more than chance a share's counts vary: learned from how far hours and days fell from what was expected.

A sum of trials varies as `dispersion` times a binomial one (the events of a visit share their attributes), plus the
`wiggle` of the level itself from day to day (McCullagh and Nelder 1989, §4.5). Dispersion is read off the hours of a
day beside each other, so that a day that lies high as a whole does not count; wiggle off whole days.
"""

from __future__ import annotations

from math import expm1

import msgspec

_WIGGLE = 0.05**2
_WIGGLE_DAYS = 6.0
"""The wiggle expected (a variance on the logit scale), and how many days' worth of telling that is: levels stray by 5 % of
their odds from day to day, by next to nothing on one site and by 20 % on another."""

_RARE_DAY = 7.3
_RARE_LOOK = 14.6
"""log of how many days, and how many looks at minutes with their visits, some years have on either side."""

_PRIOR_VARIANCE = 60.0
"""How much binomial variance the dispersion expected beforehand is worth: some sixty hits of a rare share."""

_MOST_OF_HOUR = 6.25
_MOST_OF_DAY = 12.25
"""An hour further out than 2.5 standard deviations counts as that, a day than 3.5: a crawler, or a change that is not yet
sure, must not blind for a month; but there are few days to learn from."""

VISIT = 10.0
"""Hits that a single visit may bring at once, however rare hits are."""

_FADE_OF_HOURS = 1 - 1 / 14
_FADE_OF_DAYS = 1 - 1 / 28


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

    def squared(self, noise: Noise, most: float) -> float:
        """The square of the excess, cut at so many variances: what is stranger teaches nothing."""
        return min(self.excess**2, max(most * noise.of(self.variance) * self.variance, VISIT**2))


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

    def fade(self, left: float) -> None:
        """Lets a day pass."""
        self.squares, self.variance = self.squares * left, self.variance * left
        self.variance2, self.blocks = self.variance2 * left, self.blocks * left


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
            self.today.add(hour.squared(noise, _MOST_OF_HOUR), hour.variance, hour.variance**2)
            self.hour = Block()

    def end_day(self, noise: Noise) -> None:
        """Ends a day: what its hours had in common is the day's own wiggle, and no dispersion."""
        today, day = self.today, self.day
        self.hours.fade(_FADE_OF_HOURS)
        self.days.fade(_FADE_OF_DAYS)
        if day.variance > 0:
            common = (day.excess / day.variance) ** 2 * today.variance2
            self.hours.add(max(0.0, today.squares - common), today.variance, today.variance2, today.blocks)
            self.days.add(day.squared(noise, _MOST_OF_DAY), day.variance, day.variance**2)
        self.day, self.today = Block(), Spread()

    def drop(self) -> None:
        """Forgets the day under way."""
        self.hour, self.day, self.today = Block(), Block(), Spread()

    def noise(self, cluster: float) -> Noise:
        """The noise that explains what was seen; `cluster` is the dispersion expected beforehand. The wiggle is as large as
        it must be believed possible.

        >>> noise = Dispersion().noise(3.0)
        >>> noise.dispersion, round(noise.wiggle, 4)
        (3.0, 0.0036)
        """
        hours = self.hours
        found = (hours.squares + cluster * _PRIOR_VARIANCE) / (hours.variance + _PRIOR_VARIANCE)
        dispersion = max(1.0, found)
        wiggle, days = self.wiggle(dispersion)
        return Noise(dispersion, wiggle * _doubted(days))

    def wiggle(self, dispersion: float) -> tuple[float, float]:
        """The wiggle, and how many days tell of it: the mean of a scaled inverse chi-squared posterior (Gelman et al.,
        Bayesian Data Analysis, 2.6), to which a day adds as far as wiggle, and not dispersion, makes its variance."""
        days = self.days
        if days.variance <= 0:
            return _WIGGLE, _WIGGLE_DAYS
        size, of_days = days.variance2 / days.variance, days.squares / days.variance
        seen = max(0.0, (of_days - dispersion) / size)
        told = days.blocks * (_WIGGLE / (_WIGGLE + dispersion / size)) ** 2
        return (_WIGGLE_DAYS * _WIGGLE + told * seen) / (_WIGGLE_DAYS + told), _WIGGLE_DAYS + told


def _doubted(days: float) -> float:
    """How many times the wiggle that so many days tell of must be believed possible. What a day's level may be is then
    Student's t, with tails as heavy as the days are few; but a level is drawn once a day, and not at each look, so that it
    need not be as unlikely as what chance does at one of them.

    >>> [round(_doubted(days), 1) for days in (4, 6, 10, 18, 1000)]
    [2.4, 1.4, 0.9, 0.7, 0.5]
    """
    return days * expm1(2 * _RARE_DAY / (days + 1)) / (2 * _RARE_LOOK)
