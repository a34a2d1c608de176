"""The book of alerts: findings go in, minute by minute; alerts with their whole lives come out.

How it is used, once for each batch that is decided:

    book = Book(entries, fields)          # entries: the table of `Entry` by alert id as it will be (a Draft: get,
                                          # [id] = entry, del [id], merged()); fields: `causes.Fields` of the contract
    book.take(minute, findings)           # a judged minute (since the epoch), in order; also one without findings, so
                                          # that what is due (expiry, the end of a silence) happens: cheap when nothing is
    book.amend(finding)                   # late events changed what a finding said: numbers, never times or states
    asked = book.obey(order)              # an operator's `Order` (orders.py); None, or the `Acceptance` for detectors
    book.told                             # ids of the alerts that changed: write `book.last_word(id)` of each
    book.live()                           # the alerts whose incidents are not over, by `opened_at`
    book.between(start_ms, end_ms, kinds) # the alerts whose incidents touch this time (a day), live or over
    unmeasurable(alerts, fields)          # detectors/unmeasurable.py: {metric: reason} of those

What the words of a finding do:

- `opened`: a new alert with an id made of kind, subject and the since minute; while one of the condition is live, an
  update. With a higher `{"step": n}` in its evidence it opens a second one that names the first in `caused_by` and is
  not held back by it.
- `standing`: an update of the latest live alert of the condition; it opens nothing (an accepted level may still be
  said to stand), but a loud one where only a note is live.
- `resolved`: every live alert of the condition is over.
- `happened`: more of the same joins: by transaction id for a collision, by the finding's day if it has one, else
  whatever is live of the condition. It expires a day of event time after its last evidence.

A note never turns into a page: the P0 or P1 of the same condition is a new alert, and explains the note. A P1 that
becomes a P0 stays one alert, and is open again if it was acknowledged or silenced. Who explains whom is in
`detectors/causes.py`. Two things it reads in evidence: `{"renamed_to": name}` of a `schema_field_renamed` (one of
`Fields.aliases`: the numbers stay right), and `{"replaces": name}` of a `schema_unknown_event`.

The same findings and orders give the same alerts, however they are cut into batches.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from detectors import life
from detectors.alerts import LIVE, Alert, Severity, identity
from detectors.causes import DEFAULT_FIELDS, Fields
from detectors.ledger import Entries, Ledger
from detectors.life import EXPIRES_MS, Entry
from detectors.moment import MINUTE_MS, text_of
from detectors.orders import Acceptance, Order, day_of, until_of
from detectors.purchases import COLLISION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from detectors.finding import Finding


class Book:
    """Alerts while a batch is decided. Raises nothing, whatever findings and orders say."""

    def __init__(self, entries: Entries, fields: Fields = DEFAULT_FIELDS) -> None:
        self._ledger = Ledger(entries, fields)

    @property
    def told(self) -> set[str]:
        """The ids of the alerts that changed."""
        return self._ledger.told

    def last_word(self, name: str) -> Alert | None:
        """The latest state of an alert that was told, also if it has left the table since."""
        entry = self._ledger.get(name)
        return self._ledger.left.get(name) if entry is None else entry.alert

    def take(self, minute: int, findings: Collection[Finding] = ()) -> None:
        """The findings of a judged minute; what is due by then happens before, and what they make due after."""
        now_ms = minute * MINUTE_MS
        self._ledger.turn(now_ms)
        if not findings:
            return
        fresh = {name for finding in findings for name in self._hear(finding)}
        if fresh:
            self._ledger.causes.settle(fresh, now_ms)
        self._ledger.turn(now_ms)

    def amend(self, finding: Finding) -> None:
        """Numbers and sentence of the condition's latest alert, live or over, of the finding's day if it has one."""
        known = [
            entry
            for entry in self._ledger.of(finding.kind, finding.subject)
            if finding.day is None or finding.day == entry.alert.day
        ]
        if known:
            self._ledger.keep(life.amended(known[-1], finding))

    def obey(self, order: Order) -> Acceptance | None:
        """What an operator wants of a live alert; an order that does not fit changes nothing."""
        entry = self._ledger.get(order.target)
        if entry is None or not entry.live:
            return None
        match order.action:
            case "acknowledge":
                self._ledger.keep(life.acknowledged(entry, order.at_ms, order.reason, order.by))
            case "silence":
                until_ms = until_of(order)
                if until_ms is not None:
                    self._ledger.keep(life.silenced(entry, until_ms, order.at_ms, order.reason, order.by))
            case "accept":
                return self._accept(entry, order)
        return None

    def live(self) -> list[Alert]:
        """The alerts whose incidents are not over, by `opened_at`."""
        return _ordered(alert for alert in self._ledger.alerts() if alert.state in LIVE)

    def between(self, start_ms: int, end_ms: int, kinds: Collection[str] | None = None) -> list[Alert]:
        """The alerts (of these kinds, or of all) whose incidents touch this time, its end left out, by `opened_at`."""
        alerts = list(self._ledger.alerts() if kinds is None else self._ledger.alerts_of(kinds))
        if not alerts:
            return alerts
        start, end = text_of(start_ms), text_of(end_ms)
        return _ordered(
            alert
            for alert in alerts
            if alert.first_seen < end and (alert.resolved_at is None or alert.resolved_at >= start)
        )

    def knows(self, kind: str, subject: str) -> bool:
        """Whether there is an alert of the condition, live or over."""
        return bool(self._ledger.of(kind, subject))

    def subjects_by_day(self, kind: str) -> Counter[str]:
        """How many alerts of a kind that have a subject each day has, live or over."""
        alerts = (alert for alert in self._ledger.alerts() if alert.kind == kind and alert.subject)
        return Counter(alert.day or "" for alert in alerts)

    def _hear(self, finding: Finding) -> list[str]:
        """One finding; the ids of the alerts that it opened."""
        if finding.word == "happened":
            return self._happened(finding)
        live = [
            entry for entry in self._ledger.of(finding.kind, finding.subject) if entry.live and entry.lasting
        ]
        if finding.word == "resolved":
            for entry in live:
                at_ms = max(_known_ms(finding), entry.opened_ms)
                self._ledger.keep(life.resolved(life.saying(entry, finding.message), at_ms))
            return []
        return self._stands(finding, live)

    def _stands(self, finding: Finding, live: list[Entry]) -> list[str]:
        if not live:
            return [self._open(finding, _step(finding))] if finding.word == "opened" else []
        loud = [entry for entry in live if entry.loud]
        if not loud and finding.severity != Severity.P2_NOTE:
            return [self._open(finding, _step(finding))]
        latest = (loud or live)[-1]
        further = finding.word == "opened" and _step(finding) > latest.step
        if further and (finding.severity != Severity.P2_NOTE or not latest.loud):
            return [self._open(finding, _step(finding), latest.alert.id)]
        self._ledger.keep(life.seen_again(latest, finding))
        return []

    def _open(self, finding: Finding, step: int = 0, caused_by: str | None = None) -> str:
        since = text_of(min(finding.since_minute, finding.known_minute) * MINUTE_MS)
        name, known = self._name(finding, since)
        if known is not None:
            self._again(known, finding)
            return name
        self._ledger.keep(life.caused(life.opened(name, finding, step), caused_by))
        return name

    def _again(self, known: Entry, finding: Finding) -> None:
        """What was over goes on."""
        self._ledger.causes.drop(known)
        self._ledger.keep(life.again(life.seen_again(known, finding), _known_ms(finding)))

    def _name(self, finding: Finding, since: str) -> tuple[str, Entry | None]:
        """The id of a new incident, or of one that was over and goes on: the same condition since the same minute, as
        loud as it was. Another one that has that id already gets the next."""
        loud, number, text = finding.severity != Severity.P2_NOTE, 1, since
        while True:
            name = identity(finding.kind, finding.subject, text)
            known = self._ledger.get(name)
            if known is None or (
                not known.live and known.loud == loud and known.lasting == (finding.word != "happened")
            ):
                return name, known
            number += 1
            text = f"{since} {number}"

    def _happened(self, finding: Finding) -> list[str]:
        loud = finding.severity != Severity.P2_NOTE
        for entry in reversed(self._ledger.of(finding.kind, finding.subject)):
            if entry.live and not entry.lasting and entry.loud == loud and _joins(finding, entry):
                self._ledger.keep(life.seen_again(entry, finding))
                return []
        since = text_of(min(finding.since_minute, finding.known_minute) * MINUTE_MS)
        name, known = self._name(finding, "" if _by_itself(finding) else finding.day or since)
        if known is None:
            self._ledger.keep(life.opened(name, finding))
        elif _known_ms(finding) + EXPIRES_MS > (known.over_ms or 0):
            self._again(known, finding)
        else:
            self._ledger.keep(life.seen_again(known, finding))
            return []
        return [name]

    def _accept(self, entry: Entry, order: Order) -> Acceptance | None:
        """The level of a condition that lasts is normal from now on: every live alert of it is over."""
        if not entry.lasting:
            return None
        day = day_of(order) or entry.alert.day or entry.alert.first_seen[:10]
        for one in self._ledger.of(*entry.condition):
            if one.live and one.lasting:
                self._ledger.keep(life.accepted(one, day, order.at_ms, order.reason, order.by))
        return Acceptance(
            entry.alert.kind,
            entry.alert.subject or "",
            entry.alert.metric,
            day,
            life.clean(order.by, life.MOST_BY),
            life.clean(order.reason),
        )


def _ordered(alerts: Iterable[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda alert: (alert.opened_at, alert.id))


def _known_ms(finding: Finding) -> int:
    return finding.known_minute * MINUTE_MS


def _joins(finding: Finding, entry: Entry) -> bool:
    """Whether what happened is more of the same: a collision by its transaction id alone, else of the same day, if it
    has one."""
    return _by_itself(finding) or finding.day is None or finding.day == entry.alert.day


def _by_itself(finding: Finding) -> bool:
    """Whether it is one transaction id's collision, on whatever day."""
    return finding.kind == COLLISION and bool(finding.subject)


def _step(finding: Finding) -> int:
    step = finding.evidence.get("step")
    return step if isinstance(step, int) else 0
