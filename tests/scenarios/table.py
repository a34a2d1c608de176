"""What was found and missed, how soon, and what was false: as Markdown tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median, quantiles
from typing import TYPE_CHECKING

from consumer.core.instant import rfc3339
from tests.scenarios.catalogue import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.scenarios.injection import Band
    from tests.scenarios.month import Month
    from tests.scenarios.trial import Trial

HEAD = """\
| fault | size | injected | found | late | early | missed | crashed | median minutes | p90 | only one page | pages |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""
QUIET_HEAD = """\
| false pages | in all | per 28 quiet days |
| --- | ---: | ---: |"""


def faults(months: Sequence[Month]) -> str:
    """A line for each fault and size, and one for all."""
    groups: defaultdict[tuple[str, Band], list[Trial]] = defaultdict(list)
    trials = [trial for month in months for trial in month.trials]
    for trial in trials:
        groups[trial.plan.fault, trial.plan.band].append(trial)
    order = list(FAULTS)
    lines = [
        _line(name, _size(name, band), group)
        for (name, band), group in sorted(groups.items(), key=lambda one: (order.index(one[0][0]), one[0][1]))
    ]
    return "\n".join([HEAD, *lines, *([_line("**all**", "", trials)] if trials else [])])


def _size(name: str, band: Band) -> str:
    fault = FAULTS[name]
    if not fault.size_is:
        return ""
    low, high = band
    return f"{low:g} {fault.size_is}" if low == high else f"{low:g}–{high:g} {fault.size_is}"


def _line(name: str, size: str, trials: Sequence[Trial]) -> str:
    outcomes = Counter(trial.outcome for trial in trials)
    found = [trial for trial in trials if trial.outcome == "found"]
    minutes = [trial.minutes for trial in found if trial.minutes is not None]
    single = sum(not trial.others for trial in found)
    pages = sum(1 + len(trial.others) for trial in found)
    cells = [
        name,
        size,
        len(trials),
        outcomes["found"],
        outcomes["late"],
        outcomes["early"],
        outcomes["missed"],
        outcomes["crashed"],
        f"{median(minutes):.0f}" if minutes else "–",
        f"{p90(minutes):.0f}" if minutes else "–",
        f"{single} of {len(found)}",
        f"{pages / len(found):.1f}" if found else "–",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def p90(values: Sequence[float]) -> float:
    """The value that nine of ten do not exceed.

    >>> p90([7.0]), p90([float(n) for n in range(11)])
    (7.0, 9.0)
    """
    return values[0] if len(values) == 1 else quantiles(values, n=10, method="inclusive")[-1]


def quiet(months: Sequence[Month]) -> str:
    """False pages by kind: those of quiet months; and in how many trials a page says that it was known before its
    fault, which a quiet month does not have."""
    days = sum(month.days for month in months)
    kinds = Counter(f"{page.kind} ({page.severity[:2]})" for month in months for page in month.quiet)
    early = sum(bool(trial.early) for month in months for trial in month.trials)
    lines = [f"| {kind} | {count} | {count * 28 / days:.2f} |" for kind, count in sorted(kinds.items())]
    total = sum(kinds.values())
    lines.append(f"| **all**, in {days} days | {total} | {total * 28 / days:.2f} |")
    lines.append(f"| trials with pages from before their fault | {early} | |")
    return "\n".join([QUIET_HEAD, *lines])


def examples(months: Sequence[Month], most: int) -> str:
    """What to look at: of each fault and kind some that went wrong, each with what to run to see it again."""
    lines: list[str] = []
    shown: Counter[str] = Counter()
    for about, line in [*_wrong(months)]:
        shown[about] += 1
        if shown[about] <= most:
            lines.append(line)
    return "\n".join(lines)


def _wrong(months: Sequence[Month]) -> list[tuple[str, str]]:
    lines = []
    for month in months:
        where = f"seed {month.seed}, {month.way}"
        if month.crash:
            lines.append(
                (f"crash {month.crash}", f"crashed on a quiet day ({where}, day {month.days}): {month.crash}")
            )
        for page in month.quiet:
            told = f"{page.kind} {page.subject or page.metric or ''}: {page.message}"
            lines.append((f"false {page.kind}", f"false ({where}, minute {_clock(page.opened_ms)}): {told}"))
        for trial in month.trials:
            fault = f"{trial.plan.fault} {trial.plan.size:.3g} from {trial.began} ({where})"
            if trial.crash:
                lines.append((f"crash {trial.crash}", f"crashed: {fault}: {trial.crash}"))
            elif trial.outcome != "found":
                after = "" if trial.minutes is None else f" after {trial.minutes:.0f} minutes"
                allowed = f" (allowed {trial.allowed_minutes:.0f})"
                lines.append(
                    (f"{trial.outcome} {trial.plan.fault}", f"{trial.outcome}: {fault}{after}{allowed}")
                )
            lines += [
                (
                    f"also {trial.plan.fault} {page.kind}",
                    f"also: {fault}: {page.kind} {page.subject or page.metric or ''} at {_clock(page.opened_ms)}: {page.message}",
                )
                for page in trial.others
            ]
            lines += [
                (
                    f"early {page.kind}",
                    f"early: {fault}: {page.kind} at {_clock(page.opened_ms)}: {page.message}",
                )
                for page in trial.early
            ]
    return lines


def _clock(ms: int) -> str:
    return rfc3339(ms)[:16]
