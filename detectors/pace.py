"""Today so far, so that a day need not end before it is judged: every ten minutes, two questions about each metric.

*So far* (`so_far.py`): is the sum since midnight far from what prior trusted days had by now? *Of late* (`of_late.py`):
are the last hours far from what the day's own level until then makes them?
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from detectors.answer import Answer, Reason
from detectors.line import HOUR, Seen, Steps
from detectors.of_late import Late, LateRules, needed
from detectors.so_far import SoFarRules, judge_so_far, may_fire
from detectors.totals import STEP_MINUTES, Course, Part
from detectors.typical import PartDays, Typical
from detectors.watched import EVENTS, PACED, Watched, WatchLimits, size_of
from detectors.weekdays import weekday

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from detectors.baseline import Baseline


_ODD, _ODD_EVENTS = 0.35, 20
"""By what share of the usual, and how many events, an hour is odd."""


@dataclass(frozen=True, slots=True)
class PaceRules:
    """`fewest_days`: with fewer trusted days nothing is said. `memory_days`: how many days are kept. `shape_days`: of
    how many of them the typical course of a day and the noise of its hours are made."""

    fewest_days: int = 3
    memory_days: int = 28
    shape_days: int = 14
    so_far: SoFarRules = field(default_factory=SoFarRules)
    late: LateRules = field(default_factory=LateRules)


class PastCourse(msgspec.Struct, frozen=True, omit_defaults=True):
    """A closed day's course (days since 1970-01-01). What it may vouch for, the baseline knows."""

    day: int
    course: Course


class PaceState(msgspec.Struct):
    """The courses known, oldest first."""

    days: list[PastCourse] = []


class Pace:
    """Learns closed days' courses, and makes the judge of a day from those before it."""

    def __init__(
        self,
        rules: PaceRules | None = None,
        limits: WatchLimits | None = None,
        state: PaceState | None = None,
    ) -> None:
        self._rules = rules or PaceRules()
        self._limits = limits or WatchLimits()
        self.state = state or PaceState()

    def learn_one(self, past: PastCourse) -> None:
        """Takes in a closed day, or its amendment."""
        kept = [known for known in self.state.days if known.day != past.day]
        kept = sorted([*kept, past], key=lambda known: known.day)
        self.state.days = kept[-self._rules.memory_days :]

    def begin(
        self, day: int, start_minute: int, baseline: Baseline, metrics: Sequence[Watched] = PACED
    ) -> Today:
        """The judge of these metrics on a day that begins at `start_minute` (since the epoch), from the days before it
        that the baseline trusts, each brought to the day's weekday."""
        effects = baseline.effects(day)
        known: dict[tuple[Part, frozenset[int]], PartDays] = {}

        def days_of(part: Part, trusted: list[PastCourse]) -> PartDays:
            key = part, frozenset(past.day for past in trusted)
            if key not in known:
                steps = [_brought(past, part, day, effects[part]) for past in trusted]
                known[key] = PartDays(steps, self._rules.shape_days)
            return known[key]

        cv = baseline.order_value_cv(day)
        typical = {watched.metric: self._typical(watched, day, baseline, days_of, cv) for watched in metrics}
        return Today(typical, start_minute, self._rules, self._limits)

    def _typical(
        self,
        watched: Watched,
        day: int,
        baseline: Baseline,
        days_of: Callable[[Part, list[PastCourse]], PartDays],
        cv: float,
    ) -> Typical | None:
        vouching = {past.day for past in baseline.trusted(watched.metric, day)}
        trusted = [past for past in self.state.days if past.day in vouching]
        if len(trusted) < self._rules.fewest_days:
            return None
        limits = self._limits.of(watched.metric)
        return Typical(
            watched,
            days_of(watched.part, trusted),
            days_of(size_of(watched), trusted),
            cv=cv,
            hourly=limits.spread_hourly,
            daily=limits.spread,
        )


class Today:
    """The judge of one day as it goes on. It remembers nothing of what it is shown."""

    def __init__(
        self, typical: Mapping[str, Typical | None], start_minute: int, rules: PaceRules, limits: WatchLimits
    ) -> None:
        self._typical = typical
        self._start = start_minute
        self._rules = rules
        self._limits = limits
        self._needed = {
            metric: needed(usual, limits.of(metric), rules.late)
            for metric, usual in typical.items()
            if usual is not None
        }

    def score(
        self,
        course: Course,
        step: int,
        since: Mapping[str, int] | None = None,
        unmeasurable: Collection[str] = (),
    ) -> list[Answer]:
        """What the day's first `step` steps, all of them complete, say of each metric. `since` gives, for a metric that
        is off already, the step at which that began: the level it is compared with is taken from before."""
        seen = Seen(course)
        return [
            self.score_one(watched, seen, step, (since or {}).get(watched.metric))
            if watched.metric not in unmeasurable
            else Answer(watched.rule, watched.metric, Reason.UNMEASURABLE)
            for watched in PACED
        ]

    def score_one(self, watched: Watched, seen: Seen, step: int, since: int | None = None) -> Answer:
        """The louder of both answers about one metric."""
        typical = self._typical[watched.metric]
        if typical is None:
            answer = Answer(watched.rule, watched.metric, Reason.INSUFFICIENT_HISTORY)
            return self._timed(answer, step)
        answer = self._so_far(typical, seen, step)
        if not answer.fired:
            late = self._late(typical, seen, step).answer(since)
            answer = late if late.fired else answer
        return self._timed(answer, step)

    def alert(self, watched: Watched, seen: Seen, step: int) -> Answer | None:
        """What `score_one` answers if that fires. On a quiet day nothing is off by enough to matter, and how unlikely it
        would be, which takes most of the work, is not asked."""
        typical = self._typical[watched.metric]
        if typical is None:
            return None
        answer = None
        if may_fire(typical, seen, step, self._limits.of(watched.metric), self._rules.so_far):
            answer = self._so_far(typical, seen, step)
        if answer is None or not answer.fired:
            answer = self._late(typical, seen, step).alert()
        return None if answer is None else self._timed(answer, step)

    def _so_far(self, typical: Typical, seen: Seen, step: int) -> Answer:
        limits = self._limits.of(typical.watched.metric)
        return judge_so_far(typical, seen, step, limits, self._limits.z, self._rules.so_far)

    def _late(self, typical: Typical, seen: Seen, step: int) -> Late:
        watched = typical.watched
        of_purchases = watched.whole is None and size_of(watched) == "purchases"
        usual_events = self._typical.get(EVENTS.metric) if of_purchases else None
        events = None if usual_events is None else self._late(usual_events, seen, step)
        return Late(typical, seen, step, self._needed[watched.metric], self._rules.late, events)

    def is_odd(self, course: Course, step: int) -> bool:
        """Whether the last hour brought so few or so many events that the day is worth a look between the hours."""
        typical = self._typical.get(EVENTS.metric)
        if typical is None or step < HOUR:
            return False
        came, usual = sum(course.events[step - HOUR : step]), typical.line.stretch(step - HOUR, step).part
        return abs(came - usual) > max(_ODD * usual, _ODD_EVENTS)

    def recovery(self, watched: Watched, seen: Seen, step: int, since: int) -> Answer:
        """Whether a metric that went off at the step `since` is back: see `Late.recovery`."""
        typical = self._typical[watched.metric]
        if typical is None:
            return Answer(watched.rule, watched.metric, Reason.INSUFFICIENT_HISTORY)
        return self._timed(self._late(typical, seen, step).recovery(since), step)

    def _timed(self, answer: Answer, step: int) -> Answer:
        """With minutes since the epoch."""
        return msgspec.structs.replace(
            answer,
            since_minute=self._start + (answer.since_minute or 0),
            known_minute=self._start + step * STEP_MINUTES,
        )


def _brought(past: PastCourse, part: Part, day: int, factors: tuple[float, ...]) -> Steps:
    """A day's part as it would have been on another day's weekday."""
    factor = factors[weekday(day)] / factors[weekday(past.day)]
    steps = past.course.of(part)
    return steps if factor == 1 else [factor * x for x in steps]
