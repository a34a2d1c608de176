"""Dead letters chosen and counted: which are wanted, and how many there are of each kind, in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from consumer.core.contract import Role
from consumer.core.decode import decode
from consumer.core.identifier import told
from consumer.core.json_path import PathError, parse_path
from consumer.core.timestamps import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.core.contract import Contract
    from consumer.core.dead_letters import Letter, Outcome
    from consumer.core.zone import DayZone


class Column(StrEnum):
    """What dead letters can be grouped by. The day is the one in which it is counted as rejected, the hour that of the
    rejection, by the wall clock in the zone of the days."""

    REASON = "reason"
    FIELD = "field"
    EVENT = "event"
    DAY = "day"
    HOUR = "hour"
    PARTITION = "partition"
    OUTCOME = "outcome"


MOST_GROUPS = 10_000
"""Different groups that are kept; dead letters of further ones are counted under `REST`."""

REST = "…"


class Reading:
    """Reads of a dead letter what columns and filters ask for."""

    def __init__(self, contract: Contract, zone: DayZone) -> None:
        self._names = next(
            ((f.name, *f.aliases) for f in contract.fields if f.role is Role.EVENT_NAME), ("event_name",)
        )
        self._zone = zone

    def event(self, letter: Letter) -> str:
        """The name of its event; empty if it has none, or is none."""
        event: Any = decode(letter.record.value())
        if not isinstance(event, dict):
            return ""
        name = next((event[name] for name in self._names if isinstance(event.get(name), str)), None)
        return "" if name is None else told(name)

    def day(self, letter: Letter) -> str:
        """The day in which it is counted as rejected; empty if it is not yet, since no time was known."""
        minute = letter.counted.minute
        return "" if minute is None else self._zone.day_of(minute)

    def cell(self, column: Column, letter: Letter, outcome: Outcome, place: str) -> str:
        """What a column says of the letter, whose own place in the dead letters is `partition/offset`."""
        minute = letter.at_ms // MINUTE_MS
        match column:
            case Column.REASON:
                return letter.reason
            case Column.FIELD:
                return field_of(letter)
            case Column.EVENT:
                return self.event(letter)
            case Column.DAY:
                return self.day(letter)
            case Column.HOUR:
                day, hour = self._zone.hour_of(minute)
                return f"{day}T{hour:02d}" if letter.at_ms >= 0 else ""
            case Column.PARTITION:
                return place.partition("/")[0]
            case Column.OUTCOME:
                return outcome


def field_of(letter: Letter) -> str:
    """The offending field as operators write it; `$` is the event as a whole."""
    try:
        return str(parse_path(letter.path))
    except PathError:
        return letter.path


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters are wanted; what is empty or None asks for nothing. Days are those in which they are counted, times
    are of the rejection, in milliseconds since the epoch; `until_ms` is not included."""

    reasons: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    days: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is asked for."""
        return self == Wanted()

    def has(self, letter: Letter, reading: Reading) -> bool:
        """Whether the letter is wanted."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.days or reading.day(letter) in self.days)
            and (self.since_ms is None or letter.at_ms >= self.since_ms)
            and (self.until_ms is None or letter.at_ms < self.until_ms)
            and (not self.fields or field_of(letter) in self.fields)
            and (not self.events or reading.event(letter) in self.events)
        )


@dataclass(slots=True)
class Group:
    """How many dead letters are alike, when the first and the last of them were rejected, where one of them is."""

    cells: tuple[str, ...]
    first_ms: int
    last_ms: int
    example: str
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many they are."""
        return self.outcomes.total()


class Seen(NamedTuple):
    """A dead letter as it is counted: `place` is `partition/offset` in the dead letters."""

    letter: Letter
    outcome: Outcome
    place: str


class Groups:
    """Counts dead letters by columns."""

    def __init__(self, columns: Sequence[Column], reading: Reading) -> None:
        self._columns = tuple(columns)
        self._reading = reading
        self._groups: dict[tuple[str, ...], Group] = {}

    def add(self, seen: Seen) -> None:
        """Takes one in. The newest one that is open is the example, if there is one."""
        letter, outcome, place = seen
        cells = tuple(self._reading.cell(column, letter, outcome, place) for column in self._columns)
        if cells not in self._groups and len(self._groups) >= MOST_GROUPS:
            cells = (REST,) * len(cells)
        group = self._groups.get(cells)
        if group is None:
            group = self._groups[cells] = Group(cells, letter.at_ms, letter.at_ms, place)
        group.first_ms, group.last_ms = min(group.first_ms, letter.at_ms), max(group.last_ms, letter.at_ms)
        if outcome == "open" or not group.outcomes["open"]:
            group.example = place
        group.outcomes[outcome] += 1

    def ordered(self) -> list[Group]:
        """The largest first, then by their cells."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.cells))

    def outcomes(self) -> Counter[str]:
        """All of them by outcome."""
        return sum((group.outcomes for group in self._groups.values()), Counter[str]())


def paths(texts: Iterable[str]) -> frozenset[str]:
    """Fields as operators write them, in one way of writing. Raises PathError."""
    return frozenset(str(parse_path(text)) for text in texts)
