"""What `sluice dlq requeue` has to say: how many would pass or have passed, how many not and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from consumer.core.dead_letters import MEANINGS, Outcome
from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_DAYS = 10


@dataclass(slots=True)
class Report:
    """Counts of dead letters. `passes`: by the day that their events name. `fails`: would be rejected again, by reason.
    `refused`: could not be repaired as asked, by why. `skipped`: not tried, by what has become of them already.

    Of a real run also how many were `put_back`, and of these how many `recovered`, `failed_again` (by reason) or are
    `waiting` for the gate.
    """

    dry_run: bool
    passes: Counter[str] = field(default_factory=Counter)
    fails: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    put_back: int = 0
    recovered: int = 0
    failed_again: Counter[str] = field(default_factory=Counter)
    waiting: int = 0

    @property
    def matched(self) -> int:
        """All that were chosen."""
        return sum(counts.total() for counts in (self.passes, self.fails, self.refused, self.skipped))

    def lines(self) -> Iterator[str]:
        """In words."""
        if not self.matched:
            yield "No dead letter matches."
            return
        yield f"{self.matched} dead letter{'s match' if self.matched != 1 else ' matches'}."
        if self.passes:
            yield f"  {_as_now(self.passes.total(), 'pass', dry_run=self.dry_run)}: {_days(self.passes)}"
        if self.fails:
            yield f"  {self.fails.total()} would fail again: {_listed(self.fails)}"
        for why, count in self.refused.most_common():
            yield f"  {count} not put back, {terminal(why)}"
        for outcome, count in self.skipped.most_common():
            yield f"  {count} not tried, {outcome}: {MEANINGS[Outcome(outcome)]}"
        if self.dry_run:
            yield "Nothing was changed: this was a dry run."
        else:
            yield from self._done()

    def _done(self) -> Iterator[str]:
        yield f"{self.put_back} put back" + ("." if not self.put_back else ":")
        if self.recovered:
            yield f"  {self.recovered} recovered"
        if self.failed_again:
            yield f"  {self.failed_again.total()} failed again: {_listed(self.failed_again)}"
        if self.waiting:
            yield f"  {self.waiting} waiting for a `sluice run` with the role gate to read them"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        told: dict[str, Any] = {
            "schema_version": 1,
            "dry_run": self.dry_run,
            "matched": self.matched,
            "would_pass": self.passes.total(),
            "days": dict(sorted(self.passes.items())),
            "would_fail_again": dict(self.fails),
            "refused": dict(self.refused),
            "not_tried": dict(self.skipped),
        }
        if not self.dry_run:
            told |= {
                "put_back": self.put_back,
                "recovered": self.recovered,
                "failed_again": dict(self.failed_again),
                "waiting": self.waiting,
            }
        return told


def _as_now(count: int, verb: str, *, dry_run: bool) -> str:
    return f"{count} would now {verb}" if dry_run else f"{count} pass now"


def _days(passes: Counter[str]) -> str:
    days = sorted(passes.items())
    more = len(days) - _MOST_DAYS
    told = [f"{day or 'no day'} ({count})" for day, count in days[:_MOST_DAYS]]
    return ", ".join([*told, f"and {more} days more"] if more > 0 else told)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{terminal(name, 60)} ({count})" for name, count in counts.most_common())
