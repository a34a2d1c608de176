"""The minutes that the judge has not come to yet: what reports bring is added up until the watermark has left them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.tasks.judge_state import HeldMinute

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.core.facts import MinuteFacts
    from consumer.tasks.draft import Draft


class HeldMinutes:
    """Minutes after the one that was judged last. What comes later than that goes to `late`, which is given the minute
    and what came."""

    def __init__(
        self, table: Draft[int, HeldMinute], judged: int, late: Callable[[int, HeldMinute], None]
    ) -> None:
        self._table = table
        self._judged = judged
        self._late = late

    def add(self, minutes: dict[int, MinuteFacts]) -> None:
        """Takes minutes' facts in, which must be its own to keep."""
        judged, own, before = self._judged, self._table.put, self._table.before
        for minute, facts in minutes.items():
            held = own.get(minute)
            if held is not None:
                held.facts.add(facts)
            elif minute <= judged:
                self._late(minute, HeldMinute(facts))
            else:
                earlier = before.get(minute)
                own[minute] = HeldMinute(facts) if earlier is None else earlier.before(facts)

    def purchase(self, minute: int, amount: float) -> None:
        """A purchase that was counted, when it came first."""
        cents = round(100 * amount)
        more = HeldMinute(purchases=1, cents=cents, cents_squared=float(cents) * cents)
        if minute <= self._judged:
            self._late(minute, more)
        else:
            self._held(minute).add(more)

    def replay(self, minute: int) -> None:
        """A purchase came again."""
        if minute > self._judged:
            self._held(minute).replays += 1

    def _held(self, minute: int) -> HeldMinute:
        """The minute, to add to: what the table has of it stays as it is."""
        held = self._table.put.get(minute)
        if held is None:
            known = self._table.get(minute)
            held = self._table[minute] = HeldMinute() if known is None else known.copy()
        return held

    def until(self, last: int) -> list[tuple[int, HeldMinute]]:
        """Those up to `last`, in order; they leave the table, and are judged."""
        held = self._table.merged()
        due = sorted([minute for minute in held if minute <= last])
        self._table.drop(due)
        self._judged = last
        return [(minute, held[minute]) for minute in due]
