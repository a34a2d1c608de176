"""What a backtest shows, as titled tables of plain text: alerts by kind, the loud ones, what each rule can see."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from consumer.tasks.judge_metrics import day_number
from detectors.alerts import Severity
from detectors.visible import smallest_change
from detectors.watched import WATCHED, Kind, Watched
from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.runtime.backtest import Trial
    from detectors.alerts import Alert
    from detectors.band import Band
    from detectors.watched import WatchLimits

NAMES = ("now", "set")
"""What the trials are called: with the settings as they are, and with every --set."""

LOUD = (Severity.P0_BLOCKER, Severity.P1_HIGH)
_WEEK = 7
_HELD = "held back"
_TO_THE_MINUTE = 16
_ROUNDING = 1e-6
_LONGEST_MESSAGE = 200


class Part(NamedTuple):
    """A table below its title; the words after it may be empty."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    after: str = ""


def kinds(trials: Sequence[Trial]) -> Part:
    """Alerts by kind: P0, P1, notes, and P0 and P1 a week, for each trial; those held back by a cause in a sum."""
    counts = [_counts(trial) for trial in trials]
    found = sorted({kind for table in counts for kind, _ in table})
    columns = [f"{what} {name}" for name in _names(trials) for what in ("P0", "P1", "notes", "a week")]
    if not found:
        return Part("Alerts by kind", ("kind", *columns), [], "No rule raised anything.")
    rows = [_of_kind(kind, counts, trials) for kind in found]
    rows.append(_of_kind("all", [_summed(table) for table in counts], trials))
    return Part("Alerts by kind", ("kind", *columns), rows, _held_back(trials, counts))


def _names(trials: Sequence[Trial]) -> tuple[str, ...]:
    return NAMES[: len(trials)]


def _counts(trial: Trial) -> Counter[tuple[str, str]]:
    return Counter(
        (alert.kind, str(alert.severity) if alert.id in trial.heard else _HELD) for alert in trial.seen.alerts
    )


def _summed(table: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for (_, what), count in table.items():
        sums["all", what] += count
    return sums


def _held_back(trials: Sequence[Trial], counts: Sequence[Counter[tuple[str, str]]]) -> str:
    held = [sum(count for (_, what), count in table.items() if what == _HELD) for table in counts]
    sums = ", ".join(f"{count} {name}" for count, name in zip(held, _names(trials), strict=True))
    return (
        "A week: P0 and P1. Notes never reach a person by themselves, nor does what its cause holds back "
        f"(of all kinds: {sums}; a row of zeros is a kind that only was held back)."
    )


def _of_kind(
    kind: str, counts: Sequence[Counter[tuple[str, str]]], trials: Sequence[Trial]
) -> tuple[str, ...]:
    row = [terminal(kind)]
    for table, trial in zip(counts, trials, strict=True):
        numbers = [table[kind, str(severity)] for severity in Severity]
        days = len(trial.days)
        row += [*map(str, numbers), f"{_WEEK * sum(numbers[:2]) / days:.1f}" if days else ""]
    return tuple(row)


def loud(trials: Sequence[Trial]) -> Part:
    """Every P0 and P1 that would have been sent, by the time at which it was known, and in which trial."""
    raised: dict[str, list[str]] = {}
    known: dict[str, Alert] = {}
    for name, trial in zip(_names(trials), trials, strict=True):
        for alert in trial.heard.values():
            if alert.severity in LOUD:
                raised.setdefault(alert.id, []).append(name)
                known.setdefault(alert.id, alert)
    ordered = sorted(known.values(), key=lambda alert: (alert.opened_at, alert.id))
    rows = [_row(alert, " and ".join(raised[alert.id])) for alert in ordered]
    none = "" if rows else "None: nobody would have been told anything."
    return Part("P0 and P1 alerts", ("raised", "known at", "severity", "kind", "message"), rows, none)


def _row(alert: Alert, raised: str) -> tuple[str, ...]:
    at = terminal(alert.opened_at[:_TO_THE_MINUTE].replace("T", " "))
    return (raised, at, str(alert.severity), terminal(alert.kind), terminal(alert.message, _LONGEST_MESSAGE))


def visible(trials: Sequence[Trial]) -> Part | None:
    """The smallest fall and rise of each metric that the end of the last day would have told; None without a day."""
    if not trials[0].days:
        return None
    day = trials[0].days[-1].day
    bands = [_bands(trial, day) for trial in trials]
    columns = [f"{side} {name}" for name in _names(trials) for side in ("fall", "rise")]
    rows = []
    for watched in WATCHED:
        cells = [
            _seen(watched, band[watched.metric], trial.limits, side)
            for band, trial in zip(bands, trials, strict=True)
            for side in (-1, 1)
        ]
        normal = bands[0][watched.metric]
        rows.append((watched.metric, "" if normal is None else amount(watched, normal.median), *cells))
    after = (
        "In brackets: the share of normal, and which threshold it just reaches. Shifts that last (2 of 3 days) are seen "
        "when smaller; a rise of an amount must be one without its largest order as well."
    )
    title = f"Smallest change of a whole day that is an alert, beside what was normal on {day}"
    return Part(title, ("metric", "normal", *columns), rows, after)


def _bands(trial: Trial, day: str) -> dict[str, Band | None]:
    explained = trial.explained().get(day_number(day), {})
    return {w.metric: explained[w.metric].band if w.metric in explained else None for w in WATCHED}


def _seen(watched: Watched, band: Band | None, limits: WatchLimits, side: int) -> str:
    if band is None:
        return "too few days"
    change = smallest_change(watched, band, limits.of(watched.metric), limits.z, side)
    if change is None:
        return "none can be"
    share = "" if change.relative is None else f"{100 * change.relative:.0f} %, "
    least = math.ceil(change.change - _ROUNDING) if watched.kind is Kind.VOLUME else change.change
    return f"{difference(watched, least)} ({share}{change.by})"


def amount(watched: Watched, x: float) -> str:
    """A value or a change of a metric as people read it: shares in percent, money with two decimals, counts whole.

    >>> amount(WATCHED[0], 2552.0), amount(WATCHED[2], -1234.5), amount(WATCHED[3], 0.00509)
    ('2,552', '-1,234.50', '0.51 %')
    """
    if watched.kind is Kind.RATIO:
        return f"{100 * x:.2f} %"
    if watched.kind is Kind.MONEY:
        return f"{x:,.2f}"
    return f"{x:,.0f}" if x == round(x) else f"{x:,.1f}"


def difference(watched: Watched, x: float) -> str:
    """The same of a change: that of a share is in points, so that nobody takes it for relative.

    >>> difference(WATCHED[0], -52.0), difference(WATCHED[4], -0.068)
    ('-52', '-6.80 points')
    """
    return f"{100 * x:.2f} points" if watched.kind is Kind.RATIO else amount(watched, x)
