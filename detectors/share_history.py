"""A share's past: hits and trials by the hour, of hours that may be trusted, and how much they vary."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter

import msgspec

from detectors.share_dispersion import Dispersion
from detectors.share_profile import KEPT_DAYS, Profile, fit, logit_of, share_of, slot_of

Counts = dict[int, tuple[int, int]]
"""Hits and trials by hour number, in order."""


class History(msgspec.Struct):
    """At most `KEPT_DAYS` of hours."""

    cells: Counts = {}
    dispersion: Dispersion = msgspec.field(default_factory=Dispersion)

    def oldest(self, otherwise: int) -> int:
        """The first hour that is known."""
        return next(iter(self.cells), otherwise)

    def has_hits(self) -> bool:
        """Whether there was a hit in any hour."""
        return any(map(itemgetter(0), self.cells.values()))

    def profile(self, hour: int, lag: int, cluster: float) -> Profile:
        """The profile at this hour, from the hours at least `lag` before it; forgets what is too old."""
        hours, counts = tuple(self.cells), tuple(self.cells.values())
        first, end = bisect_left(hours, hour - 24 * KEPT_DAYS), bisect_right(hours, hour - lag)
        for cell in hours[:first]:
            del self.cells[cell]
        return fit(hours[first:end], counts[first:end], hour, self.dispersion.noise(cluster))

    def cut_from(self, hour: int) -> Counts:
        """Takes the hours from this one on out, with what they told about the noise, and returns them."""
        later = {cell: counts for cell, counts in self.cells.items() if cell >= hour}
        self.cells = {cell: counts for cell, counts in self.cells.items() if cell < hour}
        self.dispersion.drop()
        return later

    def move(self, profile: Profile, logit: float) -> None:
        """Turns the past into what it would have been on another level, so that hours and noise stay known."""
        for hour, (hits, trials) in self.cells.items():
            before = profile.levels[slot_of(hour)].share
            moved = hits + trials * (share_of(logit_of(before) + logit) - before)
            self.cells[hour] = (min(max(round(moved), 0), trials), trials)


def add_to(cells: Counts, hour: int, hits: int, trials: int) -> None:
    """Adds counts to an hour of some."""
    known = cells.get(hour)
    cells[hour] = (hits, trials) if known is None else (known[0] + hits, known[1] + trials)
