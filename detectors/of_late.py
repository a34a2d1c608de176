"""The last hours beside what the day's own level until then makes them: finds what begins at noon, before the morning
has hidden it, and hardly depends on how much days differ from each other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from detectors.answer import Answer, Reason
from detectors.band import NOTHING, Band, enough, judge, unevenness
from detectors.line import HOUR, Stretch, excesses, relative_variance, without_burst
from detectors.so_far import SPIKE
from detectors.totals import STEP_MINUTES, STEPS
from detectors.watched import EVENTS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.line import Line, Seen
    from detectors.typical import Typical
    from detectors.watched import Limits


@dataclass(frozen=True, slots=True)
class LateRules:
    """`hours`: the windows. `level_hours`: how many hours must lie before one to tell the day's own level (their oddest is
    left out). `z`: what they need. `fewest`: how
    many sessions, purchases or events a window must expect (a share: of what it counts, and of the rest). `day_share`:
    by what part of a typical day a volume must be off. `spike`, `spike_day_share`: by what share of the expected, and
    of a typical day, events or sessions must rise; half an hour of a crawler is no spike. `burst_steps`: without so many
    of its ten minutes, its strongest, a window may still be a rise: then it goes on, and `day_share` is enough;
    `rise_steps`: such windows. `back_hours`, `back_z`: over which windows, and within how many scales, a
    metric must be to be back."""

    hours: tuple[int, ...] = (1, 2, 4, 8)
    level_hours: int = 4
    z: float = 4.25
    fewest: float = 20
    day_share: float = 0.03
    spike: float = 1.0
    spike_day_share: float = 0.25
    burst_steps: int = 4
    rise_steps: tuple[int, ...] = (5, 6, 8, 12)
    back_hours: tuple[int, ...] = (2, 4, 8)
    back_z: float = 2.0


_EVENTS_DEVIATIONS = 2.0
"""By how much events stray in a window anyway: what lies further below leaves fewer purchases to expect."""

_LEAST_LEVEL = 0.05
"""Counts may be taken back, so that a day has less than nothing."""

_ROUNDING = 1 + 1e-9
"""A bound is moved by so much before it counts."""


class Needed(NamedTuple):
    """What the change of a window must be to matter: a fall, a rise, and a rise that goes on; `usual`: of a metric that is
    to be back."""

    usual: Limits
    fall: Limits
    rise: Limits
    lasting: Limits


def needed(typical: Typical, limits: Limits, rules: LateRules) -> Needed:
    """Of a volume, a part of a whole day, and more if it is a rise."""
    watched, day = typical.watched, typical.line.part[STEPS]
    if watched.kind is not Kind.VOLUME:
        return Needed(limits, limits, limits, limits)

    def of(relative: float, day_share: float) -> Limits:
        return replace(limits, relative=relative, absolute=max(limits.absolute, day_share * day))

    fall = of(limits.relative, rules.day_share)
    if watched.part == "purchases":
        return Needed(limits, fall, fall, fall)
    return Needed(limits, fall, of(rules.spike, rules.spike_day_share), of(rules.spike, rules.day_share))


class Level(NamedTuple):
    """How the day stands beside a typical one until a window begins, and the variance of that (relative)."""

    factor: float
    variance: float


class Window(NamedTuple):
    """What lies between two steps beside what should: value, normal value, scale, and the level taken for it."""

    start: int
    end: int
    level: Level
    x: float = 0.0
    m: float = 0.0
    scale: float = 0.0

    @property
    def strength(self) -> float:
        """How far it is off, on a scale on which a rise is as unlikely as a fall."""
        return abs(self.x - self.m) / self.scale / unevenness(self.x, self.m)

    def enough(self, limits: Limits) -> bool:
        """Whether its change is large enough to matter."""
        change = abs(self.x - self.m)
        return change >= limits.relative * self.m and change >= limits.absolute


class Late:
    """The last hours of one metric when a day's first `step` steps are known. `events`: those of the events, if the metric
    is a sum over purchases, of which fewer are to be expected where fewer events come."""

    def __init__(
        self,
        typical: Typical,
        seen: Seen,
        step: int,
        limits: Needed,
        rules: LateRules,
        events: Late | None = None,
    ) -> None:
        self._typical = typical
        self._seen = seen
        self._line = seen.line(typical.watched)
        self._step = step
        self._needed = limits
        self._rules = rules
        self._events = events

    def answer(self, since: int | None = None) -> Answer:
        """What the last hours say: the answer of the strongest window that fires, else of the strongest.

        `since` is the step at which the metric went off, if it has; its level is taken from before that.
        """
        windows = self._windows(self._starts(), since)
        alert = self._alert(windows, since)
        if alert is not None:
            return alert
        if not windows:
            return Answer(self._typical.watched.rule, self._typical.watched.metric, Reason.BELOW_MIN_ABS)
        return self.judged(windows[0])

    def alert(self) -> Answer | None:
        """The answer if it fires: on a quiet day no window can, which takes much less to see."""
        return self._alert(self._windows(filter(self._may_fire, self._starts())))

    def _alert(self, windows: list[Window], since: int | None = None) -> Answer | None:
        rise = self._lasting_rise() if since is None else None
        if rise is not None:
            return rise
        strong = (self.judged(window) for window in windows if window.strength >= self._rules.z)
        return next((answer for answer in strong if answer.fired), None)

    def _windows(self, starts: Iterable[int], since: int | None = None) -> list[Window]:
        """Those of the windows that tell something, the strongest first."""
        windows = [w for start in starts if (w := self.window(start, self._step, since)) is not None]
        return sorted(windows, key=lambda window: window.strength, reverse=True)

    def _may_fire(self, start: int) -> bool:
        """Whether the window from a step can be off by enough to matter, whatever the noise of the hours is: it is what
        takes long to work out, and only says how far the day's own level is believed, and how unlikely a change is."""
        watched, fewest = self._typical.watched, self._rules.fewest
        if self._most_counted(start) < fewest:
            return False
        own, expected = self._line.stretch(start, self._step), self._typical.line.stretch(start, self._step)
        usual, x = expected.value(watched), own.value(watched)
        if usual is None or usual <= 0 or x is None:
            return False
        factor = self._factor(start)
        if factor is None:
            return self._may_matter(own, expected, usual, usual)
        low, high = usual * min(factor, 1.0), usual * max(factor, 1.0)  # no level is drawn further
        if not self._may_matter(own, expected, low / _ROUNDING, high * _ROUNDING):
            return False
        low, high = self.levels(start)
        return self._may_matter(own, expected, usual * low, usual * high)

    def _may_matter(self, own: Stretch, expected: Stretch, least: float, most: float) -> bool:
        """Whether a window can be off by enough if what is normal lies between these."""
        watched = self._typical.watched
        x = own.value(watched)
        if x is None or self._counted(own, expected, min(most, 1 - least)) < self._rules.fewest:
            return False
        if x < 0 or least <= NOTHING:
            return True
        needed = self._needed
        return (x > least and enough(x, least, needed.rise)) or (x < most and enough(x, most, needed.fall))

    def recovery(self, since: int) -> Answer:
        """Whether a metric that went off at a step is back, beside its level from before: `within_band` if the last two
        hours (four, eight, where two are too little to tell) are within 2 scales or half of what mattered, and nearer to
        normal than to the incident; `fired` if not; `below_min_abs` while less time has passed, or it goes on."""
        watched, rules = self._typical.watched, self._rules
        for hours in rules.back_hours:
            start = self._step - hours * HOUR
            window = self.window(start, self._step, since) if start >= max(since, 0) else None
            if window is None:
                continue
            usual = self._needed.usual
            limits = replace(usual, relative=usual.relative / 2, absolute=usual.absolute / 2)
            if watched.kind is not Kind.RATIO:
                limits = replace(limits, absolute=0.0)
            band = Band(window.m, 0.0, window.scale, self._typical.days, "hours")
            totals = self._seen.totals(start, self._step)
            answer = judge(watched, totals, band, limits, rules.back_z)
            if answer.reason is Reason.WITHIN_BAND and self._goes_on(window, since):
                continue
            return msgspec.structs.replace(
                answer, severity=None, baseline_mad=None, since_minute=start * STEP_MINUTES
            )
        return Answer(watched.rule, watched.metric, Reason.BELOW_MIN_ABS)

    def _goes_on(self, window: Window, since: int) -> bool:
        """Whether a window is nearer to what the incident had made of the metric before it than to normal."""
        before = self.window(since, window.start, since) if window.start > since else None
        return before is not None and abs(window.x - window.m) > abs(
            window.x - window.m * before.x / before.m
        )

    def _starts(self) -> list[int]:
        """Where the windows begin that fit into the day so far and are due: the longer, the slower it changes, so four
        hours are looked at every 20 minutes and eight every 40. A share has none of one hour, which may be one burst."""
        return _starts(self._rules.hours, 1 if self._typical.watched.whole is None else 2, self._step)

    def window(self, start: int, end: int, since: int | None = None) -> Window | None:
        """What lies between two steps beside what should; None where that is too little to tell."""
        level = self.level(start if since is None else min(start, since))
        window = Window(start, end, level)
        return self._beside(self._line.stretch(start, end), self._typical.line.stretch(start, end), window)

    def level(self, end: int) -> Level:
        """How the day stands beside a typical one by a step, as far as its sums tell that apart from how days differ
        (the mean of a Gaussian prior and a Gaussian observation)."""
        days, own = self._typical.day_variance, self._own_level(end)
        if own is None:
            return Level(1.0, days)
        variance = max(self._typical.noise(HOUR)) ** 2 * own.variance
        weight = days / (days + variance)
        return Level(_drawn(own.factor, weight), weight * variance)

    def levels(self, end: int) -> tuple[float, float]:
        """The lowest and the highest factor that `level` can have, whatever the noise of the hours is: never below 1, it
        only draws the level to that of a typical day."""
        days, own = self._typical.day_variance, self._own_level(end)
        if own is None:
            return 1.0, 1.0
        furthest = _drawn(own.factor, days / (days + own.variance))
        return min(furthest, 1.0), max(furthest, 1.0)

    def _own_level(self, end: int) -> Level | None:
        """How the day stands by a step but for its oddest hour, and the variance of that by chance; None where that is too
        little to tell."""
        factor = self._factor(end)
        if factor is None:
            return None
        typical, watched = self._typical, self._typical.watched
        _, expected = self._seen.oddest(watched, typical.line).rest(end)
        chance = relative_variance(watched, expected, typical.cv) + typical.hourly**2 * HOUR / end
        return Level(factor, chance)

    def _factor(self, end: int) -> float | None:
        """How the day stands by a step but for its oddest hour; None where that is too little to tell."""
        typical, watched = self._typical, self._typical.watched
        if end < self._rules.level_hours * HOUR:
            return None
        own, expected = self._seen.oddest(watched, typical.line).rest(end)
        if expected.size < self._rules.fewest:
            return None
        x, m = own.value(watched), expected.value(watched) or 0.0
        return x / m if m > 0 and x is not None else None

    def judged(self, window: Window) -> Answer:
        """The answer of one window."""
        limits = self._needed.rise if window.x > window.m else self._needed.fall
        answer = self._judged(window, limits)
        if answer.fired and self._one_burst(window, limits):
            return msgspec.structs.replace(answer, reason=Reason.WITHIN_BAND, severity=None)
        return answer

    def _judged(self, window: Window, limits: Limits) -> Answer:
        watched, window = self._typical.watched, self._beside_events(window)
        band = Band(window.m, 0.0, window.scale, self._typical.days, "hours")
        totals = self._seen.totals(window.start, window.end)
        answer = judge(watched, totals, band, limits, self._rules.z)
        return msgspec.structs.replace(
            answer,
            rule=SPIKE if watched is EVENTS and window.x > window.m else watched.rule,
            baseline_mad=None,
            since_minute=window.start * STEP_MINUTES,
            evidence={**answer.evidence, "level": window.level.factor},
        )

    def _beside_events(self, window: Window) -> Window:
        """A fall of purchases beside what the events of the window leave to expect: an hour that is quiet altogether is no
        fault of the checkout."""
        if self._events is None or window.x >= window.m:
            return window
        events = self._events.window(window.start, window.end)
        if events is None:
            return window
        left = max(events.x / events.m * (1 + _EVENTS_DEVIATIONS * events.scale / events.m), _LEAST_LEVEL)
        if left >= 1:
            return window
        return window._replace(m=max(left * window.m, window.x), scale=math.sqrt(left) * window.scale)

    def _beside(
        self, own: Stretch, expected: Stretch, window: Window, fewest: float | None = None
    ) -> Window | None:
        typical, watched = self._typical, self._typical.watched
        usual, x = expected.value(watched), own.value(watched)
        if usual is None or usual <= 0 or x is None:
            return None
        m = usual * window.level.factor
        size = expected.size if watched.whole is None else own.size
        if self._counted(own, expected, min(m, 1 - m)) < (self._rules.fewest if fewest is None else fewest):
            return None
        chance = relative_variance(watched, Stretch(m * size, size), typical.cv) + typical.hourly**2
        noise = typical.noise(window.end - window.start)[x > m]
        variance = noise**2 * chance + window.level.variance
        return window._replace(x=x, m=m, scale=m * math.sqrt(variance))

    def _most_counted(self, start: int) -> float:
        """As much as a window from a step to now has to tell anything by, at most."""
        watched = self._typical.watched
        size = self._typical.line.size if watched.whole is None else self._line.size
        return (size[self._step] - size[start]) * (0.5 if watched.kind is Kind.RATIO else 1.0)

    def _counted(self, own: Stretch, expected: Stretch, share: float) -> float:
        """How much a stretch has to tell anything by: of a share, how many there should be of what it counts, or of the
        rest."""
        watched = self._typical.watched
        size = expected.size if watched.whole is None else own.size
        return size if watched.kind is not Kind.RATIO else size * share

    def _lasting_rise(self) -> Answer | None:
        """The answer of the first window of events or sessions in which many more came than usual, and that not within
        the half hour of a crawler: without its strongest ten minutes, too."""
        watched, usual = self._typical.watched, self._typical.line
        if watched.kind is not Kind.VOLUME or watched.part == "purchases":
            return None
        own, expected, end = self._line.part, usual.part, self._step
        for steps in self._rules.rise_steps:
            start = end - steps
            if start < 0 or own[end] - own[start] <= self._many(expected[end] - expected[start]):
                continue
            window = self.window(start, end)
            if window is not None and window.strength >= self._rules.z and self._lasts(window):
                answer = self._judged(window, self._needed.lasting)
                if answer.fired:
                    return answer
        return None

    def _many(self, usual: float) -> float:
        return (1 + self._rules.spike) * usual

    def _lasts(self, window: Window) -> bool:
        """Whether a rise is one without its strongest steps as well."""
        steps = range(window.start, window.end)
        own = [self._line.stretch(step, step + 1) for step in steps]
        usual = [self._typical.line.stretch(step, step + 1) for step in steps]
        by_excess = sorted(range(len(own)), key=lambda n: own[n].part - window.level.factor * usual[n].part)
        left = by_excess[: -self._rules.burst_steps]
        rest = self._beside(_sum(own[n] for n in left), _sum(usual[n] for n in left), window, fewest=0)
        return rest is not None and rest.x >= self._many(rest.m) and rest.strength >= self._rules.z

    def _one_burst(self, window: Window, limits: Limits) -> bool:
        """Whether a change is the doing of single hours. One that a burst can make: without its strongest hour the window
        is not off. A fall of a volume is no burst, for nothing can be less than nothing, but must be one of each hour."""
        watched, usual = self._typical.watched, self._typical.line
        side = 1 if window.x > window.m else -1
        if watched.whole is None and side < 0:
            return self._has_usual_hour(window)
        m = window.level.factor if watched.whole is None else window.m
        span = range(window.start, window.end - HOUR + 1)
        by_hour = excesses(watched, self._line, usual, span, m)
        hour = max(span, key=lambda step: side * by_hour[step - window.start])
        rest = self._beside(*without_burst(self._line, usual, window.start, window.end, hour), window)
        if rest is None or (rest.x > rest.m) != (window.x > window.m) or rest.strength < self._rules.z:
            return True
        return not rest.enough(limits if watched.whole else replace(limits, absolute=0.0))

    def _has_usual_hour(self, window: Window) -> bool:
        """Whether some hour of a fall is, as a factor, nearer to normal than to the fall: quiet hours about a usual one
        are no lower level."""
        middle = math.sqrt(max(window.x, 0.0) / window.m) * window.level.factor
        hours = range(window.start, window.end, HOUR)
        own, usual = _hours(self._line, hours), _hours(self._typical.line, hours)
        return any(came > middle * expected for came, expected in zip(own, usual, strict=True))


def _hours(line: Line, hours: Iterable[int]) -> list[float]:
    """What the hours that begin at these steps have."""
    return [line.stretch(start, start + HOUR).part for start in hours]


@lru_cache(maxsize=2 * (STEPS + 1))
def _starts(windows: tuple[int, ...], least: int, step: int) -> list[int]:
    return [
        step - hours * HOUR
        for hours in windows
        if hours >= least and hours * HOUR <= step and step % max(hours // 2, 1) == 0
    ]


def _drawn(factor: float, weight: float) -> float:
    """A level drawn to that of a typical day."""
    return max(1 + weight * (factor - 1), _LEAST_LEVEL)


def _sum(stretches: Iterable[Stretch]) -> Stretch:
    parts, sizes = zip(*((stretch.part, stretch.size) for stretch in stretches), strict=True)
    return Stretch(math.fsum(parts), math.fsum(sizes))
