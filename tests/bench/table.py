"""What was measured, as a Markdown table: medians, with the least and the most of the runs behind them."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.measured import Run

HEAD = """\
| what | records/s | of the ceiling | CPU s per million | peak MB | numbers |
| --- | ---: | ---: | ---: | ---: | --- |"""


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """The median, and in brackets the least and the most if there are several.

    >>> spread([3.0, 1.0, 2.0], "{:.0f}".format), spread([1.5], "{:.1f}".format)
    ('2 (1–3)', '1.5')
    """
    middle = show(median(values))
    return middle if len(values) == 1 else f"{middle} ({show(min(values))}–{show(max(values))})"


def row(words: str, runs: Sequence[Run], ceiling: Sequence[Run]) -> str:
    """One line for the runs of one kind, each beside the run of the ceiling in the same round; failed ones are left
    out, and said. No ceiling: it is not compared."""
    good = [run for run in runs if not run.faults]
    if not good:
        return f"| {words} | – | – | – | – | **wrong in all of {len(runs)} runs** |"
    ratios = [
        run.per_second / top.per_second for run, top in zip(runs, ceiling, strict=False) if not run.faults
    ]
    cells = [
        words,
        spread([run.per_second for run in good], "{:,.0f}".format),
        spread(ratios, "{:.3f}".format) if ratios else "",
        spread([1e6 * run.cpu_seconds / run.records for run in good], "{:.2f}".format),
        spread([run.peak_bytes / 1e6 for run in good], "{:.0f}".format),
        "right" if len(good) == len(runs) else f"**wrong in {len(runs) - len(good)} of {len(runs)} runs**",
    ]
    return f"| {' | '.join(cells)} |"


def stages(words: str, runs: Sequence[Run]) -> str:
    """Where the loop's time went: microseconds a record, and what its journal weighs."""
    good = [run for run in runs if run.more and not run.faults]
    if not good:
        return f"{words}: no run to tell of"
    each = {name: median(1e6 * run.more[name] / run.records for run in good) for name in good[0].more}
    times = ", ".join(f"{stage} {each[stage]:.2f}" for stage in ("poll", "decide", "commit", "apply"))
    return f"{words}, µs a record: {times}; journal {each['journal_bytes'] / 1e6:.0f} bytes a record"
