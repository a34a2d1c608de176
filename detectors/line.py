"""A metric's day as running sums, and stretches of it: what came between two times, with and without its oddest hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING

import msgspec

from detectors.totals import PARTS, STEP_MINUTES, STEPS, Totals
from detectors.watched import Kind, Watched, size_of

if TYPE_CHECKING:
    from detectors.totals import Course, Part

Steps = Sequence[float]

HOUR = 60 // STEP_MINUTES
"""Steps of an hour."""


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """What a metric has between two times: its part, and the size that its noise depends on (the whole of a ratio, the
    purchases behind an amount, a count itself)."""

    part: float
    size: float

    def minus(self, other: Stretch) -> Stretch:
        """Without a stretch that lies in it."""
        return Stretch(self.part - other.part, self.size - other.size)

    def value(self, watched: Watched) -> float | None:
        """The metric's value; None for a share of nothing."""
        if watched.whole is None:
            return self.part
        return self.part / self.size if self.size > 0 else None


@dataclass(frozen=True, slots=True)
class Line:
    """A metric's day as running sums: what has come by each step, so that any stretch is two look-ups."""

    part: Steps
    size: Steps

    def stretch(self, start: int, end: int) -> Stretch:
        """What lies between two steps.

        >>> line_of([1, 2, 4], [1, 1, 1]).stretch(1, 3)
        Stretch(part=6, size=2)
        """
        return Stretch(self.part[end] - self.part[start], self.size[end] - self.size[start])

    def without(self, start: int, end: int, hour: int) -> Stretch:
        """What lies between two steps, except for the hour from a step.

        >>> line_of([1] * 12, [2] * 12).without(0, 12, 3)
        Stretch(part=6, size=12)
        """
        part, size, until = self.part, self.size, hour + HOUR
        return Stretch(
            part[end] - part[until] + part[hour] - part[start],
            size[end] - size[until] + size[hour] - size[start],
        )


class Oddest:
    """Where the hour begins that is most off, of those that lie between midnight and a step. `m` is as in `excesses`."""

    def __init__(self, watched: Watched, own: Line, usual: Line, m: float) -> None:
        self._watched, self._own, self._usual, self._m = watched, own, usual, m
        self._starts: list[int] = []
        self._most = -1.0
        self._rests: dict[int, tuple[Stretch, Stretch]] = {}

    def until(self, end: int) -> int:
        """The first of those that end by a step, an hour after midnight at the earliest."""
        starts, last = self._starts, end - HOUR
        if len(starts) <= last:
            span = range(len(starts), last + 1)
            for start, excess in zip(span, self._excesses(span), strict=True):
                if abs(excess) > self._most:
                    self._most, oddest = abs(excess), start
                else:
                    oddest = starts[-1]
                starts.append(oddest)
        return starts[last]

    def rest(self, end: int) -> tuple[Stretch, Stretch]:
        """The day, and a typical one, by a step without the hour that is most off until then. Windows of several lengths
        begin at a step, one after the other."""
        known = self._rests.get(end)
        if known is None:
            hour = self.until(end)
            known = self._rests[end] = self._own.without(0, end, hour), self._usual.without(0, end, hour)
        return known

    def _excesses(self, span: range) -> list[float]:
        return excesses(self._watched, self._own, self._usual, span, self._m)


class Seen:
    """A day's running sums until a step: of each part that is asked for, once for all metrics."""

    def __init__(self, course: Course, until: int = STEPS) -> None:
        self._course = course
        self._until = until
        self._before = course.until(until)
        self._sums: dict[Part, list[float]] = {}
        self._lines: dict[str, Line] = {}
        self._oddest: dict[str, Oddest] = {}

    def later(self, course: Course, until: int) -> Seen:
        """The same day until a later step. What was worked out until now is only carried on, unless something came
        late."""
        known = self._until
        if until < known or course.until(known) != self._before:
            return Seen(course, until)
        self._course, self._until, self._before = course, until, course.until(until)
        for part, sums in self._sums.items():
            for x in course.of(part, known, until):
                sums.append(sums[-1] + x)
        return self

    def totals(self, start: int, end: int) -> Totals:
        """The sums between two steps."""
        lines = map(self._of, PARTS)
        return Totals(*(line[end] - line[start] for line in lines))

    def line(self, watched: Watched) -> Line:
        """One metric's day."""
        line = self._lines.get(watched.metric)
        if line is None:
            line = self._lines[watched.metric] = Line(self._of(watched.part), self._of(size_of(watched)))
        return line

    def _of(self, part: Part) -> Steps:
        sums = self._sums.get(part)
        if sums is None:
            sums = self._sums[part] = [0, *accumulate(self._course.of(part, 0, self._until))]
        return sums

    def oddest(self, watched: Watched, usual: Line) -> Oddest:
        """One metric's oddest hours beside its typical day, always the same."""
        oddest = self._oddest.get(watched.metric)
        if oddest is None:
            m = 1.0 if watched.whole is None else usual.stretch(0, STEPS).value(watched) or 0.0
            oddest = self._oddest[watched.metric] = Oddest(watched, self.line(watched), usual, m)
        return oddest


def line_of(part: Sequence[float], size: Sequence[float]) -> Line:
    """The running sums of two lists of steps."""
    return Line([0, *accumulate(part)], [0, *accumulate(size)])


def excesses(watched: Watched, own: Line, usual: Line, span: range, m: float) -> list[float]:
    """For each step of a span, how much the hour from it has beyond what is normal: beyond m times the usual for a sum,
    beyond the share m for a ratio."""
    hours, normal = _hours(own.part, span), _hours(usual.part if watched.whole is None else own.size, span)
    if m == 1:
        return list(map(sub, hours, normal))
    return [x - m * y for x, y in zip(hours, normal, strict=True)]


def _hours(sums: Steps, span: range) -> Iterable[float]:
    """What comes in the hour from each step of a span."""
    start, end = span.start, span.start + len(span)
    return map(sub, sums[start + HOUR : end + HOUR], sums[start:end])


def without_burst(own: Line, usual: Line, start: int, end: int, hour: int) -> tuple[Stretch, Stretch]:
    """What lies between two steps, and what usually does, without the hour from `hour`: half an hour of a crawler is no
    change of level."""
    return own.without(start, end, hour), usual.without(start, end, hour)


def relative_variance(watched: Watched, expected: Stretch, cv: float) -> float:
    """The variance of a metric by chance alone, as a share of its squared value: Poisson for a count (1 / n), binomial
    for a share ((1 - p) / (p n)), compound Poisson for a sum of orders ((1 + cv^2) / n), cv^2 / n for their mean.

    >>> from detectors.watched import WATCHED
    >>> relative_variance(WATCHED[0], Stretch(100, 100), 1.0), relative_variance(WATCHED[4], Stretch(50, 100), 1.0)
    (0.01, 0.01)
    """
    size = max(expected.size, 1e-9)
    if watched.kind is Kind.VOLUME:
        return 1 / size
    if watched.kind is Kind.RATIO:
        share = min(max(expected.part / size, 1e-9), 1.0)
        return (1 - share) / (share * size)
    return (cv * cv + (watched.whole is None)) / size
