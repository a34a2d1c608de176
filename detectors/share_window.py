"""The window that speaks loudest for another level, of all that end at the present minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detectors.share_dispersion import VISIT
from detectors.share_evidence import Point, Walk, against, variance_of

if TYPE_CHECKING:
    from detectors.share_profile import Level

_ONE_VISIT = 5.0
"""A window must also convince without its largest visit, taken to be so many times (dispersion − 1) trials, at most
`VISIT`: the few large clusters of a rare share have a heavier tail than their dispersion tells."""


class Window(NamedTuple):
    """Counts from `since` to now, the hits `expected` in them, and the evidence that these do not explain them."""

    since: int
    hits: int
    trials: int
    expected: float
    evidence: float


def loudest(
    walk: Walk,
    minute: int,
    counts: tuple[int, int],
    level: Level,
    dispersion: float,
    least: float,
    *,
    falls: bool,
) -> Window | None:
    """The window with the most evidence, if that is at least `least`; `counts` are this minute's hits and trials.
    Without `falls`, only rises are looked for.

    A squared deviation of z² is worth about z²/2: what is far from that is not looked at more closely.
    """
    hits, trials = counts
    share, unsure, now = level.share, level.unsure, walk.now
    excess = now.excess + hits - trials * share
    variance = now.variance + trials * variance_of(share)
    best: Window | None = None
    rises, drops = (walk.low, 1.0), (walk.high, -1.0)
    for side, sign in (rises, drops) if falls else (rises,):
        for start in side:
            more, chance = (excess - start.excess) * sign, variance - start.variance
            if more <= 0:
                break  # every corner lies further that way than the one before
            if more * more >= least * chance * (dispersion + unsure * chance):
                end = Point(minute, now.hits + hits, now.trials + trials, excess, variance)
                window = _between(start, end, level, dispersion)
                if window.evidence >= (least if best is None else best.evidence):
                    best = window
    return best


def _between(start: Point, end: Point, level: Level, dispersion: float) -> Window:
    hits, trials = end.hits - start.hits, end.trials - start.trials
    expected = max(0.0, hits - (end.excess - start.excess))
    unsure = level.unsure + level.hour_unsure / (1 + (end.minute - start.minute) / 60)
    visit, rise = min(_ONE_VISIT * (dispersion - 1), VISIT), hits > expected
    strength = 0.0
    if trials > visit:
        strength = against(
            hits - visit if rise else hits,
            trials - visit,
            expected / trials,
            dispersion=dispersion,
            unsure=unsure,
            rise=rise,
        )
    return Window(start.minute + 1, hits, trials, expected, strength)
