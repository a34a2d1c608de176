"""The gate's absolute and run-based rules, minute after minute of event time.

What it is shown is a closed minute's counts (`fields`); what it says are `Finding`s. It has no clock: minutes come in
order, and may be left out. All that it remembers is `SchemaState`, bounded whatever comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from detectors import schema_fields, schema_numbers
from detectors.fields import Carriers, has_bad_records, is_odd, letter_of
from detectors.schema_fields import OPTIONS, FieldState, update_field
from detectors.schema_jump import JumpState, is_unsettled, turn
from detectors.schema_names import UNKNOWN, NameState, update_names
from detectors.schema_numbers import TALLIES, Tally, TallyState, is_at_work, update_tally
from detectors.schema_rename import Keys, learn
from detectors.schema_robots import BOTS, RobotState, update_robots

if TYPE_CHECKING:
    from detectors.fields import Expectations, FieldMinute
    from detectors.finding import Finding


class SchemaState(msgspec.Struct, omit_defaults=True):
    """All that `SchemaWatch` remembers; encodes and decodes with msgspec."""

    minute: int = -1
    carriers: Carriers = msgspec.field(default_factory=Carriers)
    fields: dict[str, FieldState] = {}
    keys: Keys = msgspec.field(default_factory=Keys)
    names: NameState = msgspec.field(default_factory=NameState)
    tallies: dict[str, TallyState] = {}
    robots: RobotState = msgspec.field(default_factory=RobotState)


class Standing(msgspec.Struct, frozen=True):
    """How a rule stands: `open`, or why nothing was opened (`within_band`, `insufficient_history`, `inhibited_by`)."""

    kind: str
    subject: str
    reason: str


class SchemaWatch:
    """Watches a stream's fields, event names and bad records.

    >>> from detectors.fields import Expectations, ExpectedField, FieldMinute
    >>> field = ExpectedField("client_id", "P0_BLOCKER", role="identity", required=True)
    >>> watch = SchemaWatch(Expectations((field,), frozenset({"page_viewed"}), "checkout_completed"))
    >>> for at in range(600):
    ...     assert not watch.update(FieldMinute(at, 3, names={"page_viewed": 3}))
    >>> for at in range(600, 605):
    ...     gone = {"absent": {"client_id": 3}, "unknown": {"clientId": 3}}
    ...     for finding in watch.update(FieldMinute(at, 3, names={"page_viewed": 3}, **gone)):
    ...         print(finding.kind, finding.severity.value, finding.evidence["fix"], finding.known_minute)
    schema_field_renamed P0_BLOCKER aliases: [clientId] 604
    """

    def __init__(self, expect: Expectations, state: SchemaState | None = None) -> None:
        self.expect = expect
        self.state = state or SchemaState()
        self._index = {field.path: number for number, field in enumerate(expect.fields)}
        self._bad = {
            alias: n for n, field in enumerate(expect.fields) for alias in field.aliases
        } | self._index
        self._letters = {letter_of(field): number for number, field in enumerate(expect.fields)}
        self._busy = {n for n, field in enumerate(expect.fields) if self._is_busy(field.path)}
        self._busy_tallies = self._tallies_at_work()

    def _is_busy(self, path: str) -> bool:
        known = self.state.fields.get(path)
        return known is None or known.is_busy()

    def _tallies_at_work(self) -> list[Tally]:
        """Those of which a minute in which nothing is bad may still tell something."""
        known = self.state.tallies
        return [tally for tally in TALLIES if tally.kind not in known or is_at_work(tally, known[tally.kind])]

    def update(self, minute: FieldMinute) -> list[Finding]:
        """What is to be said after a minute; learns it. One that is not later than the last is passed over.

        Only what a minute says something about is looked at; the rest is made up for once an hour.
        """
        state = self.state
        if minute.minute <= state.minute:
            return []
        state.minute = minute.minute
        if minute.minute // 60 != state.carriers.hour:
            self._turn(minute.minute)
        state.carriers.add(minute)
        if minute.kinds or minute.unknown:
            learn(state.keys, minute, self._index.keys())
        findings: list[Finding] = []
        if self._busy or is_odd(minute):
            self._update_fields(minute, findings)
        findings += update_names(self.expect, state.names, minute)
        any_bad = has_bad_records(minute)
        if any_bad or self._busy_tallies:
            self._update_tallies(minute, findings, any_bad=any_bad)
        findings += update_robots(state.robots, minute.minute, minute.robots, minute.sessions)
        return findings

    def _update_fields(self, minute: FieldMinute, findings: list[Finding]) -> None:
        state = self.state
        touched = self._touched(minute)
        for number in sorted(self._busy.union(touched) if touched else self._busy):
            field = self.expect.fields[number]
            known = state.fields.get(field.path)
            if known is None:
                known = state.fields[field.path] = FieldState()
            passing = state.carriers.passing(field.scope, minute)
            findings += update_field(field, known, state.keys, minute, passing)
            (self._busy.add if known.is_busy() else self._busy.discard)(number)

    def _touched(self, minute: FieldMinute) -> list[int]:
        """The fields of which a minute says that something is wrong."""
        bad, letters = self._bad, self._letters
        wrong: list[int] = []
        for table in (minute.absent, minute.retyped, minute.aliased):
            if table:
                wrong += [bad[path] for path in table if path in bad]
        if minute.rejected:
            wrong += [letters[reason] for reason in minute.rejected if reason in letters]
        return wrong

    def _update_tallies(self, minute: FieldMinute, findings: list[Finding], *, any_bad: bool) -> None:
        state, at_work = self.state, self._busy_tallies
        for tally in TALLIES if any_bad else at_work:
            counts = tally.counts(minute) if any_bad else (0, max(minute.carriers(tally.carrier), 0))
            hits, trials = counts
            busy = tally in at_work
            if not hits and not busy:
                continue
            known = state.tallies.get(tally.kind)
            if known is None:
                known = state.tallies[tally.kind] = TallyState()
            if not trials and known.share.open is None and known.share.first >= 0:
                continue  # sums on their way stay as they are
            passing = state.carriers.passing(tally.carrier, minute)
            findings += update_tally(tally, known, minute, counts, passing)
            if is_at_work(tally, known) != busy:
                self._busy_tallies = self._tallies_at_work()

    def _turn(self, minute: int) -> None:
        """Ends the hour: this minute lies in another one."""
        state, carriers, hour = self.state, self.state.carriers, self.state.carriers.hour
        for number, field in enumerate(self.expect.fields):
            known = state.fields.get(field.path)
            if known is not None:
                passed, options = carriers.of(field.scope), OPTIONS[field.scope]
                for share in known.shares():
                    turn(share, options, hour, passed, minute)
                    if is_unsettled(share):
                        self._busy.add(number)
        for tally in TALLIES:
            if tally.kind in state.tallies:
                share = state.tallies[tally.kind].share
                turn(share, tally.options, hour, carriers.of(tally.carrier), minute)
        self._busy_tallies = self._tallies_at_work()
        state.carriers = Carriers(minute // 60)

    def score_one(self, minute: FieldMinute) -> list[Finding]:
        """What `update` would say; changes nothing. It copies the state, so it is for looking, not for the stream."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=SchemaState)
        return SchemaWatch(self.expect, state).update(minute)

    def accept(self, kind: str, subject: str) -> bool:
        """Takes an open incident's level as normal from now on: it is learned anew. False if there is none."""
        field = self.state.fields.get(subject)
        if field is not None and any(told.kind == kind for told in field.told.values()):
            known = self.state.fields[subject] = FieldState(accepted=True)
            number = self._index[subject]
            for share in known.shares():
                share.seen = self.state.carriers.of(self.expect.fields[number].scope)
            self._busy.add(number)
            return True
        tally = self.state.tallies.get(kind)
        if tally is not None and tally.share.open is not None:
            carrier = next(tally.carrier for tally in TALLIES if tally.kind == kind)
            anew = TallyState(share=JumpState(seen=self.state.carriers.of(carrier)), accepted=True)
            self.state.tallies[kind] = anew
            self._busy_tallies = self._tallies_at_work()
            return True
        return False

    def standing(self) -> list[Standing]:
        """Per rule and field, what is open or why nothing is; for the day's checks."""
        state, answer = self.state, []
        for field in self.expect.fields:
            reasons = schema_fields.standing_of(field, state.fields.get(field.path, FieldState()))
            answer += [Standing(kind, field.path, reason) for kind, reason in reasons.items()]
        told = [name.subject for name in state.names.unknown.values() if name.told >= 0]
        answer += [Standing(UNKNOWN, subject, "open") for subject in told] or [
            Standing(UNKNOWN, "", "within_band")
        ]
        for tally in TALLIES:
            reason = schema_numbers.standing_of(tally, state.tallies.get(tally.kind, TallyState()))
            answer.append(Standing(tally.kind, "", reason))
        return [*answer, Standing(BOTS, "", "open" if state.robots.since >= 0 else "within_band")]
