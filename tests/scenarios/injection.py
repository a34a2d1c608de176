"""A fault as a value: what it does to events, how large it is drawn, and what counts as having found it in time."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from tests.scenarios.event import MINUTE_MS, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

Band = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault at one time: `before` is what was sent before it (the day's, at most), which nothing changes."""

    begin_ms: int
    size: float
    rng: Random
    before: Sequence[Event]

    def chosen(self, share: float) -> Callable[[Event], bool]:
        """Whether an event is one of a share of all: drawn for each event, or (as often) for each client, as a broken
        browser breaks all of its events."""
        if self.rng.random() < 0.5:
            return lambda _: self.rng.random() < share
        return self.of_clients(share)

    def of_clients(self, share: float) -> Callable[[Event], bool]:
        """Whether an event is of one of a share of all clients."""
        salt = f"{self.rng.random()}"
        return lambda event: crc32(f"{salt}{event.client}".encode()) < share * 2**32


class Patience(NamedTuple):
    """How long a fault may stay unseen: until this many minutes have passed since it began *and* this many quiet events,
    quiet purchases and faulty events (changed or added) came. So nights, small sites and large ones are judged by what
    there is to see."""

    minutes: float
    events: int = 0
    purchases: int = 0
    faulty: int = 0

    def deadline_ms(self, begin_ms: int, quiet: Sequence[Event], faulty: Sequence[Event]) -> int:
        """The last millisecond in time; the last event's if there are too few."""
        after = quiet[bisect_left(quiet, begin_ms, key=at) :]
        bought = [event for event in after if event.is_purchase]
        known = set(map(id, quiet))
        wrong = [event for event in faulty if id(event) not in known] if self.faulty else []
        end_ms = after[-1].at_ms if after else begin_ms
        wanted = ((after, self.events), (bought, self.purchases), (wrong, self.faulty))
        seen = (_nth(events, number, end_ms) for events, number in wanted)
        return max(begin_ms + int(self.minutes * MINUTE_MS), *seen)


def _nth(events: Sequence[Event], number: int, end_ms: int) -> int:
    if number == 0:
        return 0
    return events[number - 1].at_ms if len(events) >= number else end_ms


@dataclass(frozen=True, slots=True)
class Fault:
    """`change` gets the events from the fault's beginning on and gives them back changed, in any order. Sizes are drawn
    from each of `bands`; `size_is` says in a word what they measure. Any of `kinds` finds it."""

    name: str
    change: Callable[[Sequence[Event], Injection], list[Event]]
    kinds: frozenset[str]
    patience: Patience
    bands: tuple[Band, ...] = ((1, 1),)
    size_is: str = ""

    def inject(self, quiet: Sequence[Event], begin_ms: int, size: float, rng: Random) -> list[Event]:
        """The events with the fault in them from `begin_ms` on; what was sent before stays the same objects."""
        place = bisect_left(quiet, begin_ms, key=at)
        before = list(quiet[:place])
        after = self.change(quiet[place:], Injection(begin_ms, size, rng, before))
        after.sort(key=at)
        if after and after[0].at_ms < begin_ms:
            raise ValueError(f"{self.name} sends an event before it begins")
        return before + after


def first_difference_ms(quiet: Sequence[Event], faulty: Sequence[Event]) -> int | None:
    """When the first event was sent that is changed, added or lost; None where nothing is."""
    for one, other in zip(quiet, faulty, strict=False):
        if one is not other:
            return min(one.at_ms, other.at_ms)
    longer = quiet if len(quiet) > len(faulty) else faulty
    shared = min(len(quiet), len(faulty))
    return longer[shared].at_ms if len(longer) > shared else None


def at(event: Event) -> int:
    """When it is sent."""
    return event.at_ms
