"""Days as sums of facts, and the receipt derived from them: sums are kept, rates only at reading time."""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from consumer.core import money
from consumer.core.days import Counts, HistoryEntry, Hours, Metrics, Receipt, Status, rate, score
from consumer.core.facts import REST
from consumer.core.instant import FIRST_MS, LAST_MS, rfc3339
from consumer.core.rejection import PURCHASE_INVALID
from consumer.core.zone import QUARTER
from detectors.purchases import COLLISION, judge_collisions, judge_invalid, judge_replays
from detectors.unmeasurable import mended
from detectors.verdict import Check, Normal, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.core.facts import MinuteFacts
    from consumer.core.purchases import DayChange
    from consumer.core.zone import DayZone
    from detectors.causes import Fields
    from detectors.fields import ExpectedField

V = TypeVar("V")

MOST_NAMES = 200
"""Different names that a day keeps of each kind; the rest is counted under `REST`."""

MOST_TOLD = 20
"""Names of events that a receipt tells, the most frequent ones."""

MOST_HISTORY = 50

HOURS = 24

_INVALID = frozenset(reason.value for reason in PURCHASE_INVALID)


class Day(msgspec.Struct, omit_defaults=True):
    """One day's sums, and how far its life has come. The tables count events by name, as in `MinuteFacts`.

    `purchases` are those that count; `purchase_events` are all that could be read, and with `items` what the paths
    inside of purchases in the tables are shares of. The three `hour_` lists have a number for
    each hour of the wall clock. `put_back` counts what was taken back of `rejected` and `absent`, by the same names;
    `over` names the flags that stand for nothing but what was put back.
    """

    events: int = 0
    identity_missing: int = 0
    sessions: int = 0
    direct: int = 0
    purchases: int = 0
    revenue: Decimal = Decimal(0)
    replays: int = 0
    collisions: int = 0
    late: int = 0
    rejected: dict[str, int] = {}
    names: dict[str, int] = {}
    null: dict[str, int] = {}
    absent: dict[str, int] = {}
    retyped: dict[str, int] = {}
    aliased: dict[str, int] = {}
    unknown: dict[str, int] = {}
    kinds: dict[str, int] = {}
    purchase_events: int = 0
    items: int = 0
    robots: int = 0
    repeated: int = 0
    stale: int = 0
    ahead: int = 0
    revision: int = 0
    closed_at_ms: int | None = None
    released: bool = False
    history: list[HistoryEntry] = []
    flags: dict[str, Check] = {}
    answers: list[Check] = []
    unmeasurable: dict[str, str] = {}
    hour_events: list[int] = msgspec.field(default_factory=lambda: [0] * HOURS)
    hour_sessions: list[int] = msgspec.field(default_factory=lambda: [0] * HOURS)
    hour_purchases: list[int] = msgspec.field(default_factory=lambda: [0] * HOURS)
    claimed: dict[str, Decimal] = {}
    normal: dict[str, Normal] = {}
    put_back: dict[str, int] = {}
    over: list[str] = []

    def copy(self) -> Day:
        """A day of its own, to change while a batch is decided."""
        day = copy(self)
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, dict | list):
                setattr(day, name, value.copy())
        return day

    def add(self, minutes: Sequence[MinuteFacts], hour: int) -> None:
        """Merges some of its minutes in, which lie in this hour of the day."""
        events = sessions = direct = purchases = 0
        names = self.names
        for facts in minutes:
            events += facts.events
            sessions += facts.sessions
            direct += facts.direct
            _merge(names, facts.names)
            if facts.null:  # most tables are empty, and most counts 0
                _merge(self.null, facts.null)
            if facts.identity_missing:
                self.identity_missing += facts.identity_missing
            if facts.robots:
                self.robots += facts.robots
            if facts.purchases:
                purchases += facts.purchases
            if facts.items:
                self.items += facts.items
            if facts.rejected:
                _merge(self.rejected, facts.rejected)
            if facts.absent:
                _merge(self.absent, facts.absent)
            if facts.retyped:
                _merge(self.retyped, facts.retyped)
            if facts.aliased:
                _merge(self.aliased, facts.aliased)
            if facts.unknown:
                _merge(self.unknown, facts.unknown)
            if facts.kinds:
                _merge(self.kinds, facts.kinds)
            if facts.repeated:
                self.repeated += facts.repeated
            if facts.stale:
                self.stale += facts.stale
            if facts.ahead:
                self.ahead += facts.ahead
            if facts.claimed:
                for reason, amount in facts.claimed.items():
                    self._claim(reason, amount)
        if self.closed_at_ms is not None:
            self.late += events
        self.events += events
        self.sessions += sessions
        self.direct += direct
        self.purchase_events += purchases
        self.hour_events[hour] += events
        self.hour_sessions[hour] += sessions
        self.hour_purchases[hour] += purchases

    def _claim(self, reason: str, amount: Decimal) -> None:
        self.claimed[reason] = money.add(self.claimed.get(reason, Decimal(0)), amount)

    def change(self, change: DayChange) -> None:
        """Merges what a transaction id adds or takes back."""
        self.purchases += change.purchases
        self.revenue = money.add(self.revenue, change.revenue)
        self.replays += change.replays
        self.collisions += change.collisions
        if change.claimed:
            self._claim(COLLISION, change.claimed)
        if change.collisions > 0:
            self.released = False  # nobody has looked at this one

    def take_back(self, facts: MinuteFacts) -> None:
        """Rejections that were counted count no more: their events were put back, and passed."""
        for table, taken in ((self.rejected, facts.rejected), (self.absent, facts.absent)):
            for name, count in taken.items():
                known = table.pop(name, 0)
                if known > count:
                    table[name] = known - count
                if (back := min(known, count)) > 0:
                    self.put_back[name] = self.put_back.get(name, 0) + back
        for reason, amount in facts.claimed.items():
            still = money.subtract(self.claimed.pop(reason, Decimal(0)), amount)
            if still > 0:
                self.claimed[reason] = still

    @property
    def purchase_invalid(self) -> int:
        """Purchases that were rejected: events, but no purchases."""
        return sum(count for reason, count in self.rejected.items() if reason in _INVALID)

    def checks(self) -> list[Check]:
        """What the rules say of the day so far: of its purchases, the incidents that touch it, and once it is closed
        of each metric."""
        return [
            judge_invalid(self.purchase_invalid),
            judge_collisions(self.collisions),
            judge_replays(self.replays),
            *(self._flag(name) for name in sorted(self.flags)),
            *(answer for answer in self.answers if answer.rule not in self.flagged),
        ]

    def _flag(self, name: str) -> Check:
        flag = self.flags[name]
        return msgspec.structs.replace(flag, result="note") if name in self.over else flag

    @property
    def flagged(self) -> set[str]:
        """The rules of which an incident touches the day."""
        return {flag.rule for name, flag in self.flags.items() if name not in self.over}

    def mended(self, fields: Fields) -> set[str]:
        """The fields that events of the day lacked until they were put back."""
        return mended(
            self.put_back, lambda name: self.rejected.get(name, 0) + self.absent.get(name, 0), fields
        )

    def verdict(self) -> Verdict:
        """The worst of what the rules say."""
        return worst(self.checks())

    def status(self) -> Status:
        """What a reader acts on."""
        if self.closed_at_ms is None:
            return "open"
        verdict = self.verdict()
        return "released" if self.released and verdict == "quarantined" else verdict

    def revise(self, at_ms: int, reason: str = "", by: str = "", decided_ms: int | None = None) -> None:
        """A closed day was changed, or closes now: the next revision; its status goes on record if it is another.
        `decided_ms`: when a person said so, by the clock on the wall."""
        self.revision += 1
        status = self.status()
        if not self.history or self.history[-1].status != status:
            decided_at = None if decided_ms is None else _moment(decided_ms)
            entry = HistoryEntry(self.revision, status, rfc3339(at_ms), reason, by, decided_at)
            self.history = [*self.history[-MOST_HISTORY + 1 :], entry]


def _merge(table: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        try:
            table[name] += count
        except KeyError:
            kept = name if len(table) < MOST_NAMES else REST
            table[kept] = table.get(kept, 0) + count


def by_hour(minutes: Mapping[int, MinuteFacts], zone: DayZone) -> list[tuple[str, int, list[MinuteFacts]]]:
    """The minutes in the order in which they are given, as runs of the same day and hour."""
    runs: list[tuple[str, int, list[MinuteFacts]]] = []
    quarter = None
    for minute, facts in minutes.items():
        if minute // QUARTER != quarter:  # it lies in one hour
            quarter, here = minute // QUARTER, zone.hour_of(minute)
            if not runs or runs[-1][:2] != here:
                runs.append((*here, []))
            run = runs[-1][2]
        run.append(facts)
    return runs


class Span(NamedTuple):
    """A day as a time: its date, its zone's name, and when it begins and ends (milliseconds since the epoch)."""

    day: str
    zone: str
    begins_ms: int
    ends_ms: int


def receipt(
    span: Span,
    sums: Day,
    contract: str,
    watermark_ms: int | None,
    fields: Sequence[ExpectedField] = (),
) -> Receipt:
    """The receipt of a day: everything that others read, derived from its sums. `fields` are the contract's."""
    rejected, invalid = sum(sums.rejected.values()), sums.purchase_invalid
    checks = sums.checks()
    not_measurable = dict(sums.unmeasurable)
    if not sums.sessions:
        for metric in ("conversion_rate", "direct_share"):
            not_measurable.setdefault(metric, "there was no session")

    def measured(metric: str, value: V) -> V | None:
        return None if metric in not_measurable else value

    return Receipt(
        day=span.day,
        revision=sums.revision,
        status=sums.status(),
        verdict=worst(checks),
        metrics=Metrics(
            sessions=measured("sessions", sums.sessions),
            purchases=measured("purchases", sums.purchases),
            revenue=measured("revenue", money.exact(sums.revenue)),
            conversion_rate=measured("conversion_rate", rate(sums.purchases, sums.sessions)),
            direct_share=measured("direct_share", rate(sums.direct, sums.sessions)),
        ),
        counts=Counts(
            events=sums.events,
            rejected=rejected,
            purchase_invalid=invalid,
            replays=sums.replays,
            collisions=sums.collisions,
            late=sums.late,
            identity_missing=sums.identity_missing,
            direct_sessions=sums.direct,
        ),
        score=score(sums.events, rejected, invalid),
        identity_missing_rate=rate(sums.identity_missing, sums.events),
        rejects=dict(sorted(sums.rejected.items())),
        checks=checks,
        contract=contract,
        time_zone=span.zone,
        watermark=None if watermark_ms is None else rfc3339(watermark_ms),
        closed_at=None if sums.closed_at_ms is None else rfc3339(sums.closed_at_ms),
        not_measurable=not_measurable,
        history=sums.history,
        begins=_moment(span.begins_ms),
        ends=_moment(span.ends_ms),
        hours=_hours(sums),
        names=_most_frequent(sums.names),
        coverage={field.path: share for field in fields if (share := _coverage(sums, field)) is not None},
        normal=dict(sums.normal),
        claimed={reason: money.exact(amount) for reason, amount in sorted(sums.claimed.items())},
    )


def _moment(ms: int) -> str:
    """As near as the calendar goes: its first and last day may reach beyond it in their zone."""
    return rfc3339(min(max(ms, FIRST_MS), LAST_MS))


def _hours(sums: Day) -> Hours | None:
    if sum(sums.hour_events) != sums.events:
        return None  # begun by a version that did not count them
    return Hours([*sums.hour_events], [*sums.hour_sessions], [*sums.hour_purchases])


def _most_frequent(names: dict[str, int]) -> dict[str, int]:
    ordered = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[MOST_TOLD:])
    told = dict(ordered[:MOST_TOLD])
    return told | ({REST: told.get(REST, 0) + rest} if rest else {})


def _coverage(sums: Day, field: ExpectedField) -> str | None:
    """The share of events, purchases or items that have the field; None where there is none of them."""
    whole = {"event": sums.events, "purchase": sums.purchase_events, "item": sums.items}[field.scope]
    missing = sum(table.get(field.path, 0) for table in (sums.null, sums.absent, sums.retyped))
    return rate(max(whole - missing, 0), whole)
