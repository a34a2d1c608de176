"""One fault at one time in one month: planned, run beside the quiet month, and judged."""

from __future__ import annotations

import traceback
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from consumer.core.instant import rfc3339
from tests.scenarios.catalogue import FAULTS
from tests.scenarios.event import DAY_MS, HOUR_MS, MINUTE_MS
from tests.scenarios.injection import first_difference_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.scenarios.core import Core, Page
    from tests.scenarios.event import Event
    from tests.scenarios.injection import Band

FAULT_MINUTES = 2
"""Minutes a batch while there is a fault; over quiet days they are longer, which must change nothing."""

SEEN_AFTER_MS = 6 * HOUR_MS
"""A trial goes on for so long after the fault's first day and its deadline, so that the day's own alerts are seen and the
longest outage is over."""


class Plan(NamedTuple):
    """What is tried: a fault of a size within a band, on a day of the month (0 = the first) at a minute of it."""

    seed: int
    fault: str
    band: Band
    size: float
    day: int
    minute: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a plan. Minutes are counted from the first faulty event.

    `outcome` is "found", "late" (found after the deadline), "early" (found, but it says that it was known before there was
    anything to know), "missed", or "crashed": the core raised `crash`. `minutes` to when it says that it was known;
    `sent_minutes` to when it came out. `others` are further pages that the quiet month does not have; `early` pages of
    events before the fault that the quiet month does not have.
    """

    plan: Plan
    way: str
    began: str
    allowed_minutes: float
    outcome: str
    minutes: float | None
    sent_minutes: float | None
    found: Page | None
    others: list[Page]
    early: list[Page]
    crash: str

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        pages = {
            "found": self.found and self.found._asdict(),
            "others": [page._asdict() for page in self.others],
            "early": [page._asdict() for page in self.early],
        }
        return asdict(self) | {"plan": self.plan._asdict()} | pages


class Run(NamedTuple):
    """A plan that has been run; to be judged once the quiet month's own pages are known."""

    plan: Plan
    way: str
    first_ms: int
    began: str
    deadline_ms: int
    pages: dict[str, Page]
    crash: str = ""


def plans(
    seed: int, faults: Sequence[str], times: int, days: tuple[int, int], only_day: int | None = None
) -> list[Plan]:
    """`times` trials of each fault and band, spread evenly over the minutes of the day, each on a day of its own."""
    rng = Random(f"{seed} plans")
    made = []
    for name in faults:
        for band in FAULTS[name].bands:
            for number in range(times):
                minute = int((number + rng.random()) / times * 1440)
                day = rng.randint(*days) if only_day is None else only_day
                made.append(Plan(seed, name, band, rng.uniform(*band), day, minute))
    return made


def run(plan: Plan, core: Core, quiet: Sequence[Event], midnight: int) -> Run | None:
    """Runs a plan on a copy of the core, which has read the month up to `midnight`; `quiet` are the events from then on.
    None where the fault finds nothing to change."""
    fault = FAULTS[plan.fault]
    begin_ms = midnight + plan.minute * MINUTE_MS
    rng = Random(f"{plan.seed} {plan.fault} {plan.day} {plan.minute}")
    faulty = fault.inject(quiet, begin_ms, plan.size, rng)
    first_ms = first_difference_ms(quiet, faulty)
    if first_ms is None:
        return None
    deadline_ms = fault.patience.deadline_ms(begin_ms, quiet, faulty)
    end_ms = max(midnight + DAY_MS, deadline_ms) + SEEN_AFTER_MS
    live = core.copy()
    crash = fed(live, [event for event in faulty if event.at_ms < end_ms], FAULT_MINUTES)
    return Run(
        plan, str(core.way), first_ms, rfc3339(first_ms)[:19], max(deadline_ms, first_ms), live.pages, crash
    )


def fed(core: Core, events: Sequence[Event], minutes: int) -> str:
    """Feeds the core; what it raised, and where, or nothing."""
    try:
        core.feed(events, minutes)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a result of the bench
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({at.name}, {at.filename.rpartition('/')[2]}:{at.lineno})"
    return ""


def judge(run_: Run, quiet_pages: dict[str, Page]) -> Trial:
    """What became of it: only pages that the quiet month does not have are the fault's."""
    kinds = FAULTS[run_.plan.fault].kinds
    own = sorted((p for p in run_.pages.values() if p.id not in quiet_pages), key=lambda page: page.opened_ms)
    early = [page for page in own if page.opened_ms < run_.first_ms]
    after = [page for page in own if page.opened_ms >= run_.first_ms]
    found = next((page for page in after if page.kind in kinds), None)
    outcome = "early" if any(page.kind in kinds for page in early) else "missed"
    if found is not None and outcome != "early":
        outcome = "found" if found.opened_ms <= run_.deadline_ms + MINUTE_MS else "late"  # whole minutes
    if run_.crash:
        outcome = "crashed"
    return Trial(
        plan=run_.plan,
        way=run_.way,
        began=run_.began,
        allowed_minutes=_minutes(run_.deadline_ms - run_.first_ms),
        outcome=outcome,
        minutes=found and _minutes(found.opened_ms - run_.first_ms),
        sent_minutes=found and _minutes(found.sent_ms - run_.first_ms),
        found=found,
        others=[page for page in after if page is not found],
        early=early,
        crash=run_.crash,
    )


def _minutes(ms: int) -> float:
    return round(ms / MINUTE_MS, 1)
