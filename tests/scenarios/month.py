"""A seed's month: quiet once, and from a copy of its core at midnight once more with each planned fault."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tests.scenarios.core import Core, Page, Way
from tests.scenarios.event import FIRST_DAY, Event, midnight_ms
from tests.scenarios.real_month import RealDays, RealMonth
from tests.scenarios.shop_month import ShopMonth
from tests.scenarios.trial import Plan, Run, Trial, fed, judge, plans, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = 28
HISTORY = (8, 20)
"""Quiet days before a fault."""

TAIL = 3
"""Days, the fault's own included, of which a trial may read."""

QUIET_MINUTES = 10


@dataclass(frozen=True, slots=True)
class Task:
    """What one seed has to do. `files`: real days to resample; without any, it is the seeded shop."""

    seed: int
    faults: tuple[str, ...]
    times: int = 1
    volume: float = 1.0
    days: int = DAYS
    one_day: bool = False
    """All faults on one day, so that a large month is copied only there."""
    files: tuple[Path, ...] = ()
    way: Way | None = None


class Month(NamedTuple):
    """What became of a seed's month: the pages of its quiet days, and its trials. `crash`: what the core raised on a
    quiet day, the month's last then."""

    seed: int
    volume: float
    way: str
    days: int
    events: int
    quiet: list[Page]
    trials: list[Trial]
    crash: str


def run_month(task: Task) -> Month:
    """Runs the quiet month, and every planned fault on the way."""
    way = task.way or list(Way)[task.seed % len(Way)]
    core, planned = Core(way), _planned(task)
    days = _days(task)
    window: deque[list[Event]] = deque()
    runs: list[Run] = []
    events, crash, number = 0, "", 0
    for number in range(task.days):
        here = [plan for plan in planned if plan.day == number]
        window.extend(islice(days, max((TAIL if here else 1) - len(window), 0)))
        midnight = midnight_ms(FIRST_DAY + timedelta(days=number))
        tail = [event for day in window for event in day] if here else []
        runs += [done for plan in here if (done := run(plan, core, tail, midnight)) is not None]
        today = window.popleft()
        events += len(today)
        if crash := fed(core, today, QUIET_MINUTES):
            break
    else:
        core.end(midnight_ms(FIRST_DAY + timedelta(days=task.days + 1)))
    trials = [judge(done, core.pages) for done in runs]
    quiet = list(core.pages.values())
    return Month(task.seed, task.volume, str(way), number + 1, events, quiet, trials, crash)


def _planned(task: Task) -> list[Plan]:
    last = min(HISTORY[1], task.days - 1)
    first = min(HISTORY[0], last)
    only = first + task.seed * 7919 % (last - first + 1) if task.one_day else None
    return plans(task.seed, task.faults, task.times, (first, last), only)


def _days(task: Task) -> Iterator[list[Event]]:
    if task.files:
        return RealMonth(RealDays(task.files), task.seed, task.volume).days()
    return ShopMonth(task.seed, task.volume).days()
