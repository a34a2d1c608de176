"""The end-of-day judgement of the watched metrics, and the life of a shift: opened, standing, resolved or adopted.

A shift is measured against the band from before it for as long as it stands: a rolling baseline would heal a lasting
fault by itself (a permanent shift of 6 sigma is flagged with probability .94, .82, .52, .13, then 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from detectors.alerts import Severity
from detectors.answer import Answer, Reason
from detectors.band import Band, centre_variance, judge, unevenness
from detectors.baseline import Baseline, BaselineRules, BaselineState, PastDay
from detectors.watched import WATCHED, Watched, WatchLimits, value

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class DeviationRules:
    """`sustained_*`: a smaller shift counts when, of the last `sustained_within` days, `sustained_days` lie at least
    `sustained_z` scales from normal on the same side, their z together is at least `sustained_total_z` (Stouffer's
    sum of z / sqrt(n), wider by what their common median is off) and their mean change at least `sustained_share` of what one day would need.
    `good_days`: days in a row, within `sustained_z` of the old normal, that end a shift. `adopt_days`: how long a
    new level must last to be taken as normal without anybody saying so."""

    sustained_z: float = 2.0
    sustained_days: int = 2
    sustained_within: int = 3
    sustained_total_z: float = 3.5
    sustained_share: float = 0.7
    good_days: int = 2
    adopt_days: int = 14


class Life(StrEnum):
    """What a day means for a metric's shift."""

    QUIET = "quiet"
    OPENED = "opened"
    STANDING = "standing"
    IMPROVING = "improving"
    RESOLVED = "resolved"
    ADOPTED = "adopted"


class Shift(msgspec.Struct):
    """An open shift of a metric: since which day, and the band from before it. `good` counts good days in a row."""

    since: int
    band: Band
    good: int = 0


class Judgement(msgspec.Struct, frozen=True):
    """A day's answer about a metric, and what it means for its shift, which began on the day `since`."""

    answer: Answer
    life: Life
    since: int | None = None


class DeviationState(msgspec.Struct):
    """What is remembered: the days, and the open shifts by metric."""

    baseline: BaselineState = msgspec.field(default_factory=BaselineState)
    shifts: dict[str, Shift] = {}


class Deviation:
    """Judges closed days, one after the other."""

    def __init__(
        self,
        rules: DeviationRules | None = None,
        baseline_rules: BaselineRules | None = None,
        limits: WatchLimits | None = None,
        state: DeviationState | None = None,
    ) -> None:
        self._rules = rules or DeviationRules()
        self._limits = limits or WatchLimits()
        self.state = state or DeviationState()
        self.baseline = Baseline(baseline_rules, self._limits, self.state.baseline)

    def score_one(self, watched: Watched, past: PastDay, unmeasurable: Collection[str] = ()) -> Answer:
        """What a closed day says of a metric; changes nothing. While a shift stands, against the band before it."""
        return self._score(watched, past, unmeasurable)[0]

    def score_again(self, watched: Watched, past: PastDay, *, was_off: bool) -> Answer:
        """What an amended day says of a metric. One that was off is so until it is as near to normal as a day that ends
        a shift."""
        answer = self.score_one(watched, past)
        if was_off and answer.robust_z is not None and abs(answer.robust_z) >= self._rules.sustained_z:
            severity = answer.severity or Severity.P1_HIGH
            return msgspec.structs.replace(answer, reason=Reason.FIRED, severity=severity)
        return answer

    def learn_one(self, past: PastDay, unmeasurable: Collection[str] = ()) -> list[Judgement]:
        """Judges a closed day by every metric, then learns it. `past.distrusted` names the metrics for which it
        deserves no trust; those whose shift it belongs to join them by themselves."""
        judged = [self._live(watched, past, unmeasurable) for watched in WATCHED]
        doubted = {j.answer.metric for j in judged if j.life in (Life.OPENED, Life.STANDING)}
        distrusted = tuple(sorted({*past.distrusted, *unmeasurable}))
        self.baseline.learn_one(PastDay(past.day, past.totals, distrusted, tuple(sorted(doubted))))
        for judgement in judged:
            if judgement.life is Life.ADOPTED and judgement.since is not None:
                self.accept(judgement.answer.metric, judgement.since)
        return judged

    def accept(self, metric: str, day: int) -> None:
        """A person, or time, says that the level since this day is the new normal. Ends the metric's shift."""
        self.state.shifts.pop(metric, None)
        self.baseline.restart(metric, day)

    def _score(
        self, watched: Watched, past: PastDay, unmeasurable: Collection[str]
    ) -> tuple[Answer, Shift | None]:
        """The answer, and if it fired the shift that opens."""
        x = value(watched, past.totals)
        if watched.metric in unmeasurable or x is None or not math.isfinite(x):
            return Answer(watched.rule, watched.metric, Reason.UNMEASURABLE), None
        standing = self.state.shifts.get(watched.metric)
        if standing and past.day < standing.since:
            standing = None  # an amended day of before
        band = standing.band if standing else self.baseline.band(watched, past.day, past.totals)
        if band is None:
            return Answer(watched.rule, watched.metric, Reason.INSUFFICIENT_HISTORY, value=x), None
        answer = self._beside(watched, past, band)
        if answer.fired:
            return answer, Shift(past.day, band)
        return (answer, None) if standing else self._sustained(watched, past, answer)

    def _sustained(self, watched: Watched, past: PastDay, answer: Answer) -> tuple[Answer, Shift | None]:
        """The same answer, or that the last days together are a shift that none of them is alone."""
        rules = self._rules
        first = past.day - rules.sustained_within + 1
        band = self.baseline.band(watched, first, past.totals)
        if band is None:
            return answer, None
        days = [*(d for d in self.baseline.trusted(watched.metric, past.day) if d.day >= first), past]
        answers = {d.day: a for d in days if (a := self._beside(watched, d, band)).robust_z is not None}
        scores = {day: _score(a) for day, a in answers.items()}
        side = math.copysign(1, scores[past.day])
        far = [day for day, score in scores.items() if score * side >= rules.sustained_z]
        total_z = math.fsum(scores.values()) / math.sqrt(
            len(scores) * centre_variance(band.days, len(scores))
        )
        if past.day not in far or len(far) < rules.sustained_days or total_z * side < rules.sustained_total_z:
            return answer, None
        if not self._enough(watched, list(answers.values())):
            return answer, None
        evidence = {"days": len(far), "of_days": len(scores), "total_z": total_z}
        fired = msgspec.structs.replace(
            answers[past.day], reason=Reason.FIRED, severity=Severity.P1_HIGH, evidence=evidence
        )
        return fired, Shift(far[0], band)

    def _beside(self, watched: Watched, past: PastDay, band: Band) -> Answer:
        limits = self._limits.of(watched.metric)
        return judge(watched, past.totals, band.at(past.day), limits, self._limits.z)

    def _enough(self, watched: Watched, answers: list[Answer]) -> bool:
        """Whether the mean change of several days is large enough to matter."""
        limits, share = self._limits.of(watched.metric), self._rules.sustained_share
        relative = fmean(a.relative_change or 0 for a in answers)
        absolute = fmean(a.absolute_change or 0 for a in answers)
        return abs(relative) >= share * limits.relative and abs(absolute) >= share * limits.absolute

    def _live(self, watched: Watched, past: PastDay, unmeasurable: Collection[str]) -> Judgement:
        """Judges a metric's day and moves its shift on."""
        answer, opening = self._score(watched, past, unmeasurable)
        standing = self.state.shifts.get(watched.metric)
        if standing is not None:
            return self._stand(watched.metric, standing, past, answer)
        if opening is None:
            return Judgement(answer, Life.QUIET)
        self.state.shifts[watched.metric] = opening
        self.baseline.doubt(watched.metric, opening.since)
        return Judgement(answer, Life.OPENED, opening.since)

    def _stand(self, metric: str, shift: Shift, past: PastDay, answer: Answer) -> Judgement:
        if past.day - shift.since >= self._rules.adopt_days:
            return Judgement(answer, Life.ADOPTED, shift.since)
        if answer.reason is Reason.UNMEASURABLE or metric in past.distrusted:
            return Judgement(answer, Life.STANDING, shift.since)
        good = answer.robust_z is not None and abs(answer.robust_z) < self._rules.sustained_z
        shift.good = shift.good + 1 if good else 0
        if shift.good < self._rules.good_days:
            return Judgement(answer, Life.IMPROVING if good else Life.STANDING, shift.since)
        del self.state.shifts[metric]
        return Judgement(answer, Life.RESOLVED, shift.since)


def _score(answer: Answer) -> float:
    """The z of an answer on a scale on which a rise is as likely as a fall."""
    return (answer.robust_z or 0.0) / unevenness(answer.value or 0.0, answer.baseline_median or 0.0)
