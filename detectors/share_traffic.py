"""Tells a share that changed from events of one kind that came on top (a crawler, a flood), and whether it goes on.

Both move a share. If the share changed, there are as many events as ever, but fewer of the other kind; if events came
on top, there are more in all, and of the other kind as many as ever. Which of the two fits better is read off the
volume of the hour before, carried on along the profile of the day.
"""

from __future__ import annotations

from math import fsum, hypot, log, sqrt
from typing import TYPE_CHECKING, Literal

import msgspec

from detectors.share_profile import Level, Profile, slot_of

if TYPE_CHECKING:
    from detectors.share_verdict import Reason, ShareOptions
    from detectors.share_window import Window

Cause = Literal["share", "unclear", "traffic"]

_BLOCK = 5
_KEPT = 72
_LEAST_BEFORE, _MOST_BEFORE = 3, 12
_ENOUGH_BEFORE = 1000
"""Blocks of five minutes: six hours are kept. A window is compared with what came before it: a quarter of an hour if that
had so many events, an hour at most."""

_PRIOR = 16.0
"""Events of an ordinary level that the last hour is weighed against."""

_MOST_RATIO = 2.0
"""An hour is believed to be at most so many times as busy as usual, or as quiet."""

_ROUGHNESS = 0.25
_ROUGH_MINUTES = 30.0
"""How much volume wanders in half an hour, beyond chance, from what came before: a quiet hour of the night may have half
of the usual, and a crawler in it makes up for that. In a quarter of an hour it hardly does; but where the profile's hours
differ, minutes may lie anywhere between."""

_CLEAR = 6.0
"""Difference of squared deviations (twice a log likelihood ratio: 20 to 1) that settles the case."""

_UNCLEAR_MINUTES = 50
"""How long an unclear case is waited for: half an hour of a crawler, and some minutes to see that it is over."""

_HOLDS_MINUTES = 60
"""How long after its last sign additional traffic counts as under way."""

_LATELY_BLOCKS = (1, 3)
"""The last 5 to 10 and 15 to 20 minutes must both speak for a change that is said to go on."""

_OVER = 3.0


class Traffic(msgspec.Struct):
    """Hits and trials by block of five minutes; and since when, until when, additional ones came."""

    blocks: dict[int, tuple[int, int]] = {}
    extra_since: int = -1
    extra_last: int = -1

    def add(self, minute: int, hits: int, trials: int) -> None:
        """Counts a minute."""
        blocks, block = self.blocks, minute // _BLOCK
        known = blocks.get(block)
        if known is not None:
            blocks[block] = known[0] + hits, known[1] + trials
            return
        while blocks and (oldest := next(iter(blocks))) <= block - _KEPT:  # they are in order
            del blocks[oldest]
        blocks[block] = hits, trials

    def hold(self, since: int, minute: int) -> None:
        """Notes that additional events came between these minutes."""
        if not self.under_way(since):
            self.extra_since = since
        self.extra_last = minute

    def under_way(self, minute: int) -> bool:
        """Whether additional events came within the last hour."""
        return self.extra_last >= 0 and minute - self.extra_last <= _HOLDS_MINUTES

    def cause(self, window: Window, minute: int, profile: Profile, options: ShareOptions) -> Cause:
        """Which explanation fits a window. While additional events are under way, it takes clear evidence that they
        are not the cause; after `extra_traffic_minutes` they are no excuse."""
        under_way = self.under_way(minute)
        began = min(window.since, self.extra_since) if under_way else window.since
        if minute - began >= options.extra_traffic_minutes:
            return "share"
        usual, deviation = self._usual(window.since, began, minute, profile, options.day_offset_minutes)
        share, others = window.expected / window.trials, window.hits
        if window.hits > window.expected:
            share, others = 1 - share, window.trials - window.hits
        surge = (window.trials - usual) / deviation
        same = (others - usual * share) / max(1.0, deviation * sqrt(share))
        better = surge * abs(surge) - same * same
        if better >= (-_CLEAR if under_way else _CLEAR):
            return "traffic"
        return "unclear" if better > -_CLEAR else "share"

    def _usual(
        self, since: int, began: int, minute: int, profile: Profile, offset: int
    ) -> tuple[float, float]:
        """Trials to be expected from `since` to a minute, going by those before `began`; their deviation."""
        first, seen, blocks = began // _BLOCK, 0, 0
        while blocks < _MOST_BEFORE and (blocks < _LEAST_BEFORE or seen < _ENOUGH_BEFORE):
            blocks += 1
            seen += self.blocks.get(first - blocks, (0, 0))[1]
        before = (block * _BLOCK + offset for block in range(first - blocks, first))
        expected = fsum(_level(profile, block).per_minute * _BLOCK for block in before)
        ratio = (seen + _PRIOR) / (expected + _PRIOR)
        ratio = min(max(ratio, 1 / _MOST_RATIO), _MOST_RATIO)
        level = _level(profile, minute + offset).per_minute
        mean = level * ratio * (minute - since + 1)
        lag = (since + minute) / 2 - (first - blocks / 2) * _BLOCK
        step = log((level * _BLOCK * blocks + _PRIOR) / (expected + _PRIOR))
        rough = min(_ROUGHNESS, hypot(_ROUGHNESS * (lag / _ROUGH_MINUTES) ** 2, step)) ** 2
        return mean, sqrt(1 + 2 * mean + (rough + 2 / (expected + _PRIOR)) * mean * mean)

    def confirm(
        self, window: Window, minute: int, found: Cause, dispersion: float, options: ShareOptions
    ) -> Reason:
        """`shifted` if a change has lasted, still goes on, and is no mere addition; else what is missing."""
        if found == "traffic":
            return "extra_traffic"
        still = min(self._still(window, minute, blocks) for blocks in _LATELY_BLOCKS)
        if still < -_OVER * dispersion:
            return "passed"
        lasted = minute - window.since + 1
        sure = found == "share" or lasted > _UNCLEAR_MINUTES
        return "shifted" if sure and still >= 0 and lasted >= options.min_minutes else "unconfirmed"

    def _still(self, window: Window, minute: int, blocks: int) -> float:
        """log of how much likelier the last minutes are under the window's share than under the one before."""
        first, last = window.since // _BLOCK, minute // _BLOCK
        lately = [self.blocks.get(block, (0, 0)) for block in range(max(first, last - blocks), last + 1)]
        hits, trials = sum(hits for hits, _ in lately), sum(trials for _, trials in lately)
        new, old = (window.hits + 0.5) / (window.trials + 1), (window.expected + 0.5) / (window.trials + 1)
        return hits * log(new / old) + (trials - hits) * log((1 - new) / (1 - old))


def _level(profile: Profile, minute: int) -> Level:
    return profile.levels[slot_of(minute // 60)]
