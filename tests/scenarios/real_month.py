"""Quiet months resampled from days of real files: whole visits, bootstrapped by the hour of the day they began in.

Each made day weighs the real days anew, so that made days differ from each other as real ones do. Visits get clients and
transaction ids of their own. What a robot does on one day is taken as a block, at its own time of day.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import msgspec

from consumer.core import timestamps
from consumer.runtime.files import Unreadable, read_records
from tests.scenarios.event import (
    DAY_MS,
    FIRST_DAY,
    HOUR_MS,
    MINUTE_MS,
    Event,
    Fields,
    midnight_ms,
    sent_again,
    with_data,
)
from tests.scenarios.noise import gamma

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GAP_MS = 30 * MINUTE_MS
_ROBOT = re.compile("bot|crawl|spider|audit", re.IGNORECASE)

Visit = list[tuple[int, Fields]]
"""Milliseconds since midnight with what was sent then."""


class RealDays:
    """The visits of some real days by hour, and the robots' blocks of each."""

    def __init__(self, files: Sequence[Path]) -> None:
        found = _days_of(files)
        if not found:
            raise ValueError("the files hold no event with a time and an identity's field")
        self.hours: list[list[list[Visit]]] = []
        """Per real day, 24 lists of visits."""
        self.blocks: list[Visit] = []
        for day in found:
            robots, people = _split(day)
            hours: list[list[Visit]] = [[] for _ in range(24)]
            for visit in _visits_of(people):
                hours[visit[0][0] // HOUR_MS].append(visit)
            self.hours.append(hours)
            self.blocks.append(robots)


class RealMonth:
    """Made days of one seed, each in order of time. The same files, seed and volume give the same events."""

    def __init__(self, real: RealDays, seed: int, volume: float = 1.0) -> None:
        self._real = real
        self._volume = volume
        self._rng = Random(f"{seed} real month {volume}")
        self._day_shape = self._rng.uniform(90, 500)
        self._mix = self._rng.uniform(1, 6)
        self._made = 0

    def days(self) -> Iterator[list[Event]]:
        """Day after day without end."""
        number = 0
        while True:
            start_ms = midnight_ms(FIRST_DAY + timedelta(days=number))
            made = [event for visit in self._day() for event in self._sent(visit, start_ms)]
            made.sort(key=lambda event: event.at_ms)
            yield made
            number += 1

    def _day(self) -> Iterator[Visit]:
        rng, real = self._rng, self._real
        weights = [gamma(rng, self._mix) for _ in real.hours]
        mean = sum(weights) / len(weights)
        level = self._volume * gamma(rng, self._day_shape) / len(weights)
        for day, weight in zip(real.hours, weights, strict=True):
            for hour in day:
                for visit in hour:
                    for _ in range(_poisson(rng, level * weight / mean)):
                        yield _moved(visit, rng)
        yield rng.choice(real.blocks)

    def _sent(self, visit: Visit, start_ms: int) -> Iterator[Event]:
        """The visit by new clients: one for each that it had, none for those without identity."""
        clients: dict[str, str] = {}
        for since, fields in visit:
            if since >= DAY_MS:
                return
            old = fields["client_id"]
            if old is not None and old not in clients:
                self._made += 1
                clients[old] = f"{start_ms // 1000}-{self._made:012x}"
            event = sent_again(Event(0, fields, None), start_ms + since, old and clients[old])
            yield self._bought(event) if event.is_purchase else event

    def _bought(self, event: Event) -> Event:
        self._made += 1
        return with_data(event, transaction_id=f"ORD-{self._made}")


def _days_of(files: Sequence[Path]) -> list[Visit]:
    days: defaultdict[int, Visit] = defaultdict(list)
    for item in read_records(files):
        if isinstance(item, Unreadable):
            continue
        fields = msgspec.json.decode(item.value() or b"{}")
        if "client_id" not in fields:
            fields = {"client_id": fields.pop("clientId", None)} | fields
        at_ms = timestamps.parse(fields.get("timestamp") or "")
        if at_ms is not None:
            days[at_ms // DAY_MS].append((at_ms % DAY_MS, fields))
    return [sorted(day, key=lambda one: one[0]) for _, day in sorted(days.items())]


def _split(day: Visit) -> tuple[Visit, Visit]:
    """What robots did that named themselves, and the rest."""
    robots = [one for one in day if _ROBOT.search(one[1].get("user_agent") or "")]
    return robots, [one for one in day if not _ROBOT.search(one[1].get("user_agent") or "")]


def _visits_of(day: Visit) -> list[Visit]:
    """A client's events with no gap over half an hour. Events without identity belong to their browser's name."""
    last: dict[tuple[str | None, str | None], Visit] = {}
    visits: list[Visit] = []
    for since, fields in day:
        who = (fields["client_id"], None if fields["client_id"] else fields.get("user_agent"))
        visit = last.get(who)
        if visit is None or since - visit[-1][0] > GAP_MS:
            visit = last[who] = []
            visits.append(visit)
        visit.append((since, fields))
    return visits


def _moved(visit: Visit, rng: Random) -> Visit:
    """The visit at another time of its hour."""
    first = visit[0][0]
    shift = first // HOUR_MS * HOUR_MS + rng.randrange(HOUR_MS) - first
    return [(since + shift, fields) for since, fields in visit]


def _poisson(rng: Random, mean: float) -> int:
    """How many arrivals before a time (a mean of some hundred at most)."""
    count, at = 0, rng.expovariate(1)
    while at < mean:
        count += 1
        at += rng.expovariate(1)
    return count
