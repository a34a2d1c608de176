"""The gate's absolute and run-based rules, minute after minute of event time.

What it is shown is a closed minute's counts (`fields`); what it says are `Finding`s. It has no clock: minutes come in
order, and may be left out. All that it remembers is `SchemaState`, bounded whatever comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from detectors import schema_fields, schema_numbers
from detectors.schema_fields import FieldState, update_field
from detectors.schema_names import UNKNOWN, NameState, update_names
from detectors.schema_numbers import TALLIES, TallyState, update_tally
from detectors.schema_rename import Keys, learn
from detectors.schema_robots import BOTS, RobotState, update_robots

if TYPE_CHECKING:
    from detectors.fields import Expectations, FieldMinute
    from detectors.finding import Finding


class SchemaState(msgspec.Struct, omit_defaults=True):
    """All that `SchemaWatch` remembers; encodes and decodes with msgspec."""

    minute: int = -1
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
        self._paths = frozenset(field.path for field in expect.fields)

    def update(self, minute: FieldMinute) -> list[Finding]:
        """What is to be said after a minute; learns it. One that is not later than the last is passed over."""
        state = self.state
        if minute.minute <= state.minute:
            return []
        state.minute = minute.minute
        learn(state.keys, minute, self._paths)
        findings = []
        for field in self.expect.fields:
            known = state.fields.setdefault(field.path, FieldState())
            findings += update_field(field, known, state.keys, minute)
        findings += update_names(self.expect, state.names, minute)
        for tally in TALLIES:
            findings += update_tally(tally, state.tallies.setdefault(tally.kind, TallyState()), minute)
        return findings + update_robots(state.robots, minute.minute, minute.robots, minute.sessions)

    def score_one(self, minute: FieldMinute) -> list[Finding]:
        """What `update` would say; changes nothing. It copies the state, so it is for looking, not for the stream."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=SchemaState)
        return SchemaWatch(self.expect, state).update(minute)

    def accept(self, kind: str, subject: str) -> bool:
        """Takes an open incident's level as normal from now on: it is learned anew. False if there is none."""
        field = self.state.fields.get(subject)
        if field is not None and any(told.kind == kind for told in field.told.values()):
            self.state.fields[subject] = FieldState(accepted=True)
            return True
        tally = self.state.tallies.get(kind)
        if tally is not None and tally.share.open is not None:
            self.state.tallies[kind] = TallyState()
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
