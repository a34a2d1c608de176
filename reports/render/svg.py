"""Inline SVG out of numbers: paths, rectangles and dots in a box whose width and height stretch with the page.

Lines keep their width while the box stretches (`non-scaling-stroke`), and a dot is a line of hardly any length and with
a round or square end, so it keeps its shape. Whatever text goes in is escaped.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEIGHT = 100.0
"""Of every box; 0 is the top."""

_NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def svg(width: float, label: str, content: Iterable[str]) -> Markup:
    """A picture for those who see it, and its label for those who hear it."""
    inner = Markup("").join(Markup(part) for part in content)  # noqa: S704 - made here, of numbers and escaped text
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(_n(width), _n(HEIGHT), terminal(label, 400), inner)


def rect(css: str, x: float, width: float, y: float = 0.0, height: float = HEIGHT) -> str:
    """A rectangle."""
    return f'<rect class="{css}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"/>'


def target(x: float, width: float, title: str) -> str:
    """An invisible column that says something to whoever points at it."""
    told = escape(terminal(title, 400))
    return f'<rect class="hit" x="{_n(x)}" y="0" width="{_n(width)}" height="{_n(HEIGHT)}"><title>{told}</title></rect>'


def line(css: str, points: Sequence[tuple[float, float | None]]) -> str:
    """A line through the points, with a gap where there is none; a lone point is a dot."""
    path, drawing = [], False
    for x, y in points:
        if y is not None:
            path.append(f"{'L' if drawing else 'M'}{_n(x)} {_n(y)}")
        drawing = y is not None
    return f'<path class="{css}" d="{"".join(path)}"/>' if path else ""


def area(css: str, edges: Sequence[tuple[float, tuple[float, float] | None]]) -> str:
    """What lies between two lines (their tops and bottoms), with a gap where there is neither."""
    path: list[str] = []
    run: list[tuple[float, float, float]] = []
    for x, edge in [*edges, (0.0, None)]:
        if edge is not None:
            run.append((x, *edge))
        elif run:
            there = "L".join(f"{_n(at)} {_n(top)}" for at, top, _ in run)
            back = "L".join(f"{_n(at)} {_n(bottom)}" for at, _, bottom in reversed(run))
            path.append(f"M{there}L{back}Z")
            run = []
    return f'<path class="{css}" d="{"".join(path)}"/>' if path else ""


def dots(css: str, points: Iterable[tuple[float, float]]) -> str:
    """Dots of one kind. Their lines have a length, or paper shows none with a square end (PDF paints only round ones)."""
    path = "".join(f"M{_n(x)} {_n(y)}h.01" for x, y in points)
    return f'<path class="dot {css}" d="{path}"/>' if path else ""


def rule(css: str, x: float) -> str:
    """A line from top to bottom."""
    return f'<path class="{css}" d="M{_n(x)} 0V{_n(HEIGHT)}"/>'


def top_of(values: Iterable[float]) -> float:
    """The end of a scale from 0 that holds all the values: a number that reads well.

    >>> top_of([3.0, 17.0]), top_of([0.41]), top_of([])
    (20.0, 0.5, 1.0)
    """
    most = max((value for value in values if math.isfinite(value)), default=0.0)
    if most <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(most))
    factor = next((nice for nice in _NICE if nice * unit >= most), 10.0)
    return float(f"{factor * unit:.6g}")


def height_of(value: float, top: float) -> float:
    """Where a value lies on a scale from 0 to its top; beyond them at its ends."""
    return HEIGHT * (1 - min(max(value / top, 0.0), 1.0))


def _n(x: float) -> str:
    """A coordinate, as short as it can be."""
    text = f"{x:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
