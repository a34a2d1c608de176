"""Runs a `ShareShift` over a site's days: how often it cries without need, and how soon it sees a fault."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detectors.share_shift import ShareShift
from tests.detectors.share_noise import DAY, Days, Fault, draw_site

if TYPE_CHECKING:
    from detectors.share_verdict import ShareOptions, ShareVerdict
    from tests.detectors.share_noise import Counts, Site

FLOODS = {"extra_traffic_minutes": 0, "min_minutes": 5}
"""The options of a share whose floods are what is looked for: identity, dead letters."""


def feed(share: ShareShift, day: int, hits: Counts, trials: Counts) -> list[ShareVerdict]:
    """The verdicts of a day."""
    minutes = range(day * DAY, (day + 1) * DAY)
    counts = zip(minutes, hits.tolist(), trials.tolist(), strict=True)
    return [share.update(minute, k, n) for minute, k, n in counts]


def site_of(seed: int, level: float, events: float, *, crawlers: bool) -> Site:
    """The site of a seed."""
    site = draw_site(np.random.default_rng(seed), level, events)
    return site if crawlers else replace(site, crawler_nights=0.0)


def false_alarms(seed: int, site: Site, days: int, options: ShareOptions) -> list[ShareVerdict]:
    """What fires on so many quiet days."""
    share, source = ShareShift(options), Days(site, np.random.default_rng(seed))
    verdicts = [verdict for day in range(days) for verdict in feed(share, day, *source.next())]
    return [verdict for verdict in verdicts if verdict.fired]


class Found(NamedTuple):
    """How long a fault went unseen: in minutes, in trials, and how far off its beginning was dated; None if missed."""

    minutes: int
    trials: int
    misdated: int


def delay(
    seed: int, site: Site, level: float, at: int, options: ShareOptions, *, warm: int, patience: int = 3
) -> Found | None:
    """When a fault is seen that moves the share to a level at a minute of a day, after so many `warm` days."""
    share, source = ShareShift(options), Days(site, np.random.default_rng(seed))
    for day in range(warm):
        feed(share, day, *source.next())
    start = warm * DAY + at
    share.state.incident = None
    trials = 0
    for day in range(warm, warm + patience):
        hits, events = source.next(Fault(at if day == warm else 0, level))
        for minute, k, n in zip(
            range(day * DAY, (day + 1) * DAY), hits.tolist(), events.tolist(), strict=True
        ):
            trials += n if minute >= start else 0
            verdict = share.update(minute, k, n)
            if verdict.fired and minute >= start:
                return Found(minute - start, trials, verdict.since - start)
    return None
