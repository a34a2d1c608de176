"""The report's charts: what is drawn of the history, as SVG with the texts that go around it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from detectors.purchases import COLLISION
from reports.render import svg, words
from reports.render.incidents import days_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from markupsafe import Markup

    from consumer.core.days import Receipt
    from reports.render.axis import Axis
    from reports.render.history import FieldLine, HourLine
    from reports.render.incidents import Incident
    from reports.render.summary import MetricLine

LEAST_WIDTH = 0.12
"""Days; what is shorter would not be seen."""

MOST_MARKS = 150
"""Marks of one loudness in a chart, so that no number of incidents makes a page that does not open."""

_RATES = frozenset({"conversion_rate", "direct_share"})
_THOUSAND, _MILLION = 1_000, 1_000_000


class Chart(NamedTuple):
    """A picture, and the numbers of its scale with their places from its top (0-100)."""

    picture: Markup
    scale: list[tuple[float, str]]


def metric_chart(
    metric: str,
    axis: Axis,
    recent: Sequence[tuple[str, Receipt | None]],
    lines: Sequence[MetricLine | None],
    marked: Sequence[Incident],
    shown: str | None,
) -> Chart:
    """A metric's days in its band, with the incidents that touch it behind them."""
    values = [None if line is None or line.value is None else float(line.value) for line in lines]
    bands = [
        None if line is None or line.band is None else (float(line.band[0]), float(line.band[1]))
        for line in lines
    ]
    top = svg.top_of(
        [*(v for v in values if v is not None), *(band[1] for band in bands if band is not None)]
    )
    marks = {index: _status(receipt) for index, (_, receipt) in enumerate(recent)}
    parts = [svg.rect("today", axis.days.index(shown), 1)] if shown in axis.days else []
    parts += [svg.rule("week", week) for week in axis.weeks()]
    parts.append(svg.area("band", [(i + 0.5, _edge(band, top)) for i, band in enumerate(bands)]))
    parts += _spans(marked, axis)
    usual = [
        None if line is None or line.usual is None else svg.height_of(float(line.usual), top)
        for line in lines
    ]
    parts.append(svg.line("usual", [(i + 0.5, y) for i, y in enumerate(usual)]))
    heights = [None if value is None else svg.height_of(value, top) for value in values]
    parts.append(svg.line("line", [(i + 0.5, y) for i, y in enumerate(heights)]))
    for status in ("pass", "released", "at_risk", "quarantined"):
        parts.append(
            svg.dots(
                status, [(i + 0.5, y) for i, y in enumerate(heights) if y is not None and marks[i] == status]
            )
        )
    parts += [
        svg.target(i, 1, _told(metric, day, receipt, line))
        for i, ((day, receipt), line) in enumerate(zip(recent, lines, strict=True))
    ]
    picture = svg.svg(max(len(axis), 1), _label(metric, axis, lines), parts)
    return Chart(picture, [(svg.height_of(at, top), tick(metric, at)) for at in (top, top / 2, 0.0)])


def hour_chart(line: HourLine, missing: Collection[int] = ()) -> Chart:
    """A day's hours as columns, before what is normal by hour. `missing` are the hours that the day does not have: the
    clock was put forward."""
    top = svg.top_of([*map(float, line.values), *(high for _, _, high in line.normal)])
    edges = [
        (x, (svg.height_of(high, top), svg.height_of(low, top)))
        for hour, (low, _, high) in enumerate(line.normal)
        for x in (hour, hour + 1)
    ]
    middle = [
        (x, svg.height_of(usual, top))
        for hour, (_, usual, _) in enumerate(line.normal)
        for x in (hour, hour + 1)
    ]
    parts = [svg.rule("week", hour) for hour in (6, 12, 18)]
    parts.append(svg.area("band", edges))
    parts += [
        svg.rect("bar", hour + 0.18, 0.64, svg.height_of(value, top), svg.HEIGHT - svg.height_of(value, top))
        for hour, value in enumerate(line.values)
    ]
    parts.append(svg.line("usual", middle))
    parts += [svg.rect("today", hour, 1) for hour in missing]
    parts += [
        svg.target(hour, 1, _no_hour(hour) if hour in missing else _hour_told(line, hour))
        for hour in range(24)
    ]
    label = f"{line.name} by hour: {line.so_far:,} in the hours that are over"
    label += "" if line.so_far_normal is None else f", {line.so_far_normal:,.0f} is usual by then"
    return Chart(svg.svg(24, label, parts), [(svg.height_of(at, top), tick("", at)) for at in (top, 0.0)])


def coverage_chart(line: FieldLine) -> Markup:
    """A field's coverage over the last days."""
    heights = [
        (i + 0.5, None if share is None else svg.height_of(share, 1.0)) for i, share in enumerate(line.shares)
    ]
    known = [(x, y) for x, y in heights if y is not None]
    parts = [svg.line("line", heights), svg.dots("pass", known[-1:])]
    now = "not known" if line.now is None else percent(line.now)
    return svg.svg(max(len(line.shares), 1), f"{line.path}: {now} have it", parts)


def percent(share: float) -> str:
    """A share of 1, as people read it; almost all is not all.

    >>> percent(0.26), percent(0.9999), percent(1.0), percent(0.0)
    ('26 %', '99.99 %', '100 %', '0 %')
    """
    text = f"{100 * share:.0f}"
    if (text == "100" and share < 1) or (text == "0" and share > 0):
        text = f"{100 * share:.2f}"
    return f"{text} %"


def tick(metric: str, value: float) -> str:
    """A number on a scale, short.

    >>> tick("revenue", 40000), tick("conversion_rate", 0.015), tick("sessions", 1500), tick("sessions", 2500000)
    ('40k', '1.5 %', '1,500', '2.5M')
    """
    if metric in _RATES:
        return f"{100 * value:.4g} %"
    if value >= _MILLION:
        return f"{value / _MILLION:.4g}M"
    if value >= 10 * _THOUSAND:
        return f"{value / _THOUSAND:.4g}k"
    return f"{value:,.4g}" if value < _THOUSAND else f"{value:,.0f}"


def place(start: float, end: float, width: float) -> tuple[float, float]:
    """A stretch of the axis as its left edge and its width in per cent."""
    if width <= 0:
        return 0.0, 0.0
    length = max(end - start, LEAST_WIDTH)
    left = min(start, width - length)
    return round(100 * max(left, 0.0) / width, 2), round(100 * min(length, width) / width, 2)


def stretches(incident: Incident, axis: Axis) -> list[tuple[float, float]]:
    """From when to when an incident lies on the axis; nothing if it does not. One that happened and was over at once
    ends with what was known last of it; purchases that collide mark the days on which they lie."""
    alert = incident.alert
    if alert.kind == COLLISION:
        days = days_of(alert)
        return [(float(at), at + 1.0) for at, day in enumerate(axis.days) if day in days]
    start = axis.at(alert.first_seen)
    end = axis.at(alert.opened_at if alert.state == "expired" else alert.resolved_at)
    if start is None:
        return []
    end = float(len(axis)) if end is None else end
    return [] if end <= 0 or start >= len(axis) else [(start, max(end, start))]


def united(known: Iterable[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """Stretches that overlap, or lie so close that no eye parts them, as one: at most `MOST_MARKS`, whatever comes.

    >>> united([(3.0, 4.0), (1.0, 2.0), (1.5, 2.5)], 28.0)
    [(1.0, 2.5), (3.0, 4.0)]
    """
    least = max(LEAST_WIDTH, width / MOST_MARKS)
    told: list[tuple[float, float]] = []
    for start, end in sorted(known):
        end = min(max(end, start + least), width)  # noqa: PLW2901 - wide enough to be seen
        if told and start <= told[-1][1] + least / 2:
            told[-1] = told[-1][0], max(told[-1][1], end)
        else:
            told.append((start, end))
    return told


def _spans(marked: Sequence[Incident], axis: Axis) -> list[str]:
    """The incidents behind a line: louder ones above, none darker for lying on another of its kind."""
    parts = []
    for severity in ("P1", "P0"):
        found = [incident for incident in marked if incident.alert.severity[:2] == severity]
        known = united((one for incident in found for one in stretches(incident, axis)), float(len(axis)))
        parts += [svg.rect(f"incident {severity.lower()}", start, end - start) for start, end in known]
    return parts


def _edge(band: tuple[float, float] | None, top: float) -> tuple[float, float] | None:
    return None if band is None else (svg.height_of(band[1], top), svg.height_of(band[0], top))


def _status(receipt: Receipt | None) -> str:
    return receipt.status if receipt is not None else "none"


def _told(metric: str, day: str, receipt: Receipt | None, line: MetricLine | None) -> str:
    if receipt is None:
        return f"{day}: no events"
    if line is None:
        return f"{day}: still filling"
    value = words.amount(metric, line.value)
    return f"{words.weekday(day)[:3]} {day}: {value}, {words.beside(line)}; {words.STATUS[receipt.status]}"


def _label(metric: str, axis: Axis, lines: Sequence[MetricLine | None]) -> str:
    known = [line.value for line in lines if line is not None and line.value is not None]
    if not known or not axis.days:
        return f"{words.METRIC[metric]}: nothing is known"
    low, high = words.amount(metric, min(known)), words.amount(metric, max(known))
    off = sum(1 for line in lines if line is not None and line.place in ("low", "high"))
    outside = f"{words.many(off, 'day', 'days')} outside the band"
    return (
        f"{words.METRIC[metric]} from {axis.days[0]} to {axis.days[-1]}: between {low} and {high}, {outside}"
    )


def _no_hour(hour: int) -> str:
    return f"{hour:02}:00 to {hour + 1:02}:00: there is no such hour on this day, the clock was put forward"


def _hour_told(line: HourLine, hour: int) -> str:
    told = f"{hour:02}:00 to {hour + 1:02}:00: "
    told += f"{line.values[hour]:,} {line.name}" if hour < len(line.values) else "not yet"
    if line.normal:
        low, usual, high = (Decimal(str(x)).normalize() for x in line.normal[hour])
        told += f"; usual {usual:,f} ({low:,f} to {high:,f})"
    return told
