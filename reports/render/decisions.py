"""The days that wait for a person: quarantined, and neither released nor explained. The first thing that a reader sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detectors.alerts import Alert, quarantines
from detectors.purchases import COLLISION
from reports.render import words
from reports.render.incidents import days_of
from reports.render.source import Source, release
from reports.render.summary import is_flag
from reports.render.titles import Name, Title, many_collisions, title

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from consumer.core.days import Receipt

MOST_REASONS = 5
"""Reasons that are told, those of the newest days."""

MOST_COMMANDS = 3
"""Commands that are written out for one reason; of more days the day is left to be filled in."""

MOST_NAMED = 10
"""Days that are named one by one; the newest."""


class Decision(NamedTuple):
    """Some days that wait for the same reason, oldest first, and the commands that would let them through: none where
    nothing takes orders."""

    days: tuple[str, ...]
    why: Title
    commands: tuple[str, ...]

    @property
    def named(self) -> str:
        """The days in words."""
        more = len(self.days) - MOST_NAMED
        return words.listed([*([f"{more:,} earlier days"] if more > 0 else []), *self.days[-MOST_NAMED:]])


def decisions(
    waiting: Iterable[str],
    receipts: Mapping[str, Receipt],
    alerts: Collection[Alert],
    source: Source,
) -> list[Decision]:
    """What is to be decided, the oldest day first; of many reasons those of the newest days."""
    blocking: dict[str, list[Alert]] = {}
    for alert in alerts:
        if quarantines(alert.layer, alert.severity):
            for day in days_of(alert):
                blocking.setdefault(day, []).append(alert)
    reasons: dict[Title, list[str]] = {}
    for day in waiting:
        reasons.setdefault(_why(blocking.get(day, []), receipts.get(day)), []).append(day)
    told = [Decision(tuple(days), why, _commands(days, source)) for why, days in reasons.items()]
    return told[-MOST_REASONS:]


def heading(waiting: Collection[str], source: Source) -> str:
    """How many days wait, and for what."""
    if not source.takes_orders:
        one = len(waiting) == 1
        days = words.many(len(waiting), "day is", "days are")
        return f"{days} quarantined, look into {'it' if one else 'each'} before you use its numbers"
    days = words.many(len(waiting), "day waits", "days wait")
    return f"{days} for your decision"


def _why(alerts: list[Alert], receipt: Receipt | None) -> Title:
    collided = [alert for alert in alerts if alert.kind == COLLISION]
    if len(collided) > 1 and len(collided) == len(alerts):
        return many_collisions(collided)
    if alerts:
        more = len(alerts) - 1
        return (*title(alerts[0]), f"and {more:,} more") if more else title(alerts[0])
    blocking = [check for check in (receipt.checks if receipt else ()) if check.result == "quarantined"]
    if not blocking:
        return ("its checks say no more why",)
    first = blocking[0]
    return (Name(first.rule),) if is_flag(first) else (first.reason,)


def _commands(days: list[str], source: Source) -> tuple[str, ...]:
    if not source.takes_orders:
        return ()
    if len(days) > MOST_COMMANDS:
        return (release("DAY"),)
    return tuple(release(day) for day in days)
