"""Closed days judged once more, one after the other, to see the numbers behind what was said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detectors.deviation import Deviation
from detectors.watched import WATCHED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from detectors.band import Band
    from detectors.baseline import PastDay
    from detectors.deviation import Judgement
    from detectors.watched import WatchLimits


class Explained(NamedTuple):
    """What was said of a metric on a day, and what it rests on: the trusted days before it (days since 1970-01-01),
    the band it was held against (None with too few of them), whether the day itself is trusted for the metric from now
    on."""

    judgement: Judgement
    rests_on: tuple[int, ...]
    band: Band | None
    trusted: bool


def replay(
    pasts: Sequence[PastDay], limits: WatchLimits, unmeasurable: Mapping[int, Collection[str]]
) -> dict[int, dict[str, Explained]]:
    """Every day's metrics explained. `pasts` are all days that the watch has learned, in the order in which it did,
    with what they were distrusted for; `unmeasurable` the metrics without meaning by day."""
    deviation, found = Deviation(limits=limits), {}
    for past in pasts:
        bands = {watched.metric: _band(deviation, watched.metric, past) for watched in WATCHED}
        rests = {
            metric: tuple(d.day for d in deviation.baseline.trusted(metric, past.day)) for metric in bands
        }
        judged = deviation.learn_one(past, unmeasurable.get(past.day, ()))
        learned = next((d for d in deviation.state.baseline.days if d.day == past.day), past)
        found[past.day] = {
            (metric := judgement.answer.metric): Explained(
                judgement, rests[metric], bands[metric], learned.vouches(metric)
            )
            for judgement in judged
        }
    return found


def _band(deviation: Deviation, metric: str, past: PastDay) -> Band | None:
    """The band of the day: while a shift stands, the one from before it."""
    shift = deviation.state.shifts.get(metric)
    watched = next(watched for watched in WATCHED if watched.metric == metric)
    band = shift.band if shift else deviation.baseline.band(watched, past.day, past.totals)
    return None if band is None else band.at(past.day)
