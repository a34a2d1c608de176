"""The axis of time that the charts share: a calendar of days, and where on it an instant lies."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from typing import TYPE_CHECKING

from consumer.core import timestamps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.days import Receipt

_MOST_LABELLED = 10
"""Up to so many days each has a label; of more only the Mondays do."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Axis:
    """Days side by side, each one wide. `days` are ISO dates in order without a gap."""

    def __init__(self, recent: Sequence[tuple[str, Receipt | None]]) -> None:
        self.days = [day for day, _ in recent]
        self._begins = [_begins(day, receipt) for day, receipt in recent]

    def __len__(self) -> int:
        return len(self.days)

    def at(self, moment: str | None) -> float | None:
        """Where an RFC 3339 time lies, 0 at the beginning of the first day; None if it is none. Times outside of the
        calendar lie at its ends."""
        ms = None if moment is None else timestamps.parse(moment)
        if ms is None or not self.days:
            return None
        index = bisect_right(self._begins, ms) - 1
        if index < 0:
            return 0.0
        begin = self._begins[index]
        last = index + 1 == len(self._begins)
        length = timestamps.DAY_MS if last else max(self._begins[index + 1] - begin, 1)
        return min(index + (ms - begin) / length, float(len(self)))

    def labels(self) -> list[tuple[int, str]]:
        """Which days are to be named: all of a short calendar, the Mondays of a long one."""
        every = self.is_short
        return [(index, short(day)) for index, day in enumerate(self.days) if every or _weekday(day) == 0]

    @property
    def is_short(self) -> bool:
        """Whether every day has room for its name."""
        return len(self) <= _MOST_LABELLED

    def weeks(self) -> list[int]:
        """Where weeks begin, but for the calendar's own beginning."""
        return [index for index, day in enumerate(self.days) if index and _weekday(day) == 0]


def short(day: str) -> str:
    """A day without its year.

    >>> short("2025-03-03")
    '3 Mar'
    """
    known = date.fromisoformat(day)
    return f"{known.day} {_MONTHS[known.month - 1]}"


def _weekday(day: str) -> int:
    return date.fromisoformat(day).weekday()


def _begins(day: str, receipt: Receipt | None) -> int:
    told = None if receipt is None or receipt.begins is None else timestamps.parse(receipt.begins)
    return (timestamps.parse(f"{day}T00:00:00Z") or 0) if told is None else told
