"""Fields of the contract that go missing, get another name, or another type; told apart from each other.

A missing key is a matter of the contract, so it needs no statistics but for one thing: whether the field used to be
there (`schema_jump`). A loss is held back for up to two minutes while an unknown key may be what took its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from detectors import fields, schema_rename
from detectors import schema_words as words
from detectors.alerts import Severity
from detectors.fields import ExpectedField, FieldMinute
from detectors.finding import Finding, Word
from detectors.schema_jump import (
    Jump,
    JumpOptions,
    JumpState,
    begin,
    catch_up,
    counted,
    follow,
    is_busy,
    is_unsettled,
    normal,
    retell,
    step,
)
from detectors.sentences import cut

if TYPE_CHECKING:
    from detectors.fields import Passing, Scope
    from detectors.schema_rename import Keys, Match

MISSING, RENAMED, RETYPED = "schema_field_missing", "schema_field_renamed", "schema_type_changed"

OPTIONS: dict[Scope, JumpOptions] = {
    "event": JumpOptions(),
    "purchase": JumpOptions(
        cluster=1.0,
        levels=(0.15, 0.5, 0.95),
        least_hits=3,
        least_minutes=2,
        quiet_years=5.0,
        looks=5,
        least_trials=20,
        back=6.0,
    ),
    "item": JumpOptions(cluster=3.0, least_hits=6, least_minutes=2, least_trials=40),
}
"""Purchases are rare and each its own; a purchase's items share their fate."""

_HOLD_MINUTES = 2
_TELL_MINUTES = 60
_LOUD_SHARE = 0.1
"""What fewer lack does not stop a day."""

_NEVER_TRIALS: dict[Scope, int] = {"event": 200, "purchase": 20, "item": 40}
_NEVER_MINUTES = 60


class Told(msgspec.Struct, array_like=True):
    """What was said of an open incident, to be said again with newer numbers."""

    kind: str
    severity: Severity
    other: str = ""
    never: bool = False


class FieldState(msgspec.Struct, omit_defaults=True):
    """What is remembered of one field."""

    lost: JumpState = msgspec.field(default_factory=JumpState)
    aliased: JumpState = msgspec.field(default_factory=JumpState)
    retyped: JumpState = msgspec.field(default_factory=JumpState)
    told: dict[str, Told] = {}
    held_since: int = -1
    accepted: bool = False

    def shares(self) -> tuple[JumpState, JumpState, JumpState]:
        """The three of them."""
        return self.lost, self.aliased, self.retyped

    def is_busy(self) -> bool:
        """Whether a minute in which nothing is wrong with the field may still tell something of it."""
        lost, aliased, retyped = self.shares()
        waits = bool(self.told) or self.held_since >= 0
        return waits or is_busy(lost) or is_unsettled(aliased) or is_unsettled(retyped)


class _Sight(msgspec.Struct, frozen=True, gc=False):
    """One table of one field in one minute."""

    field: ExpectedField
    table: str
    share: JumpState
    hits: int
    trials: int
    minute: FieldMinute


def update_field(
    field: ExpectedField, state: FieldState, keys: Keys, minute: FieldMinute, passing: Passing
) -> list[Finding]:
    """What is to be said of a field after a minute; `keys` know that minute already."""
    sights = []
    lost, aliased, retyped = state.shares()
    told = bool(state.told)  # then what is said of one share depends on the others
    waits = state.held_since >= 0 or is_busy(lost) or (told and bool(lost.climbs))
    if waits or minute.absent or minute.rejected:
        hits, trials = fields.lost(field, minute)
        if hits or waits:
            sights.append(_Sight(field, "lost", lost, hits, trials, minute))
    if field.aliases:
        waits = is_busy(aliased) or (told and bool(aliased.climbs))
        if waits or minute.aliased:
            hits, trials = fields.aliased(field, minute)
            if hits or waits:
                sights.append(_Sight(field, "aliased", aliased, hits, trials, minute))
    waits = is_busy(retyped) or (told and bool(retyped.climbs))
    if waits or minute.retyped:
        hits, trials = fields.retyped(field, minute)
        if hits or waits:
            sights.append(_Sight(field, "retyped", retyped, hits, trials, minute))
    findings = []
    for sight in sights:
        share = sight.share
        catch_up(share, OPTIONS[field.scope], passing)
        finding = _follow(sight, state) if share.open is not None else _open(sight, state, keys)
        findings += [finding] if finding is not None else []
    return findings


def _open(sight: _Sight, state: FieldState, keys: Keys) -> Finding | None:
    field, share, at = sight.field, sight.share, sight.minute.minute
    jump = step(share, _options(field, sight.table), at, sight.hits, sight.trials)
    told = _name(sight, state, keys, jump) if jump is not None else None
    if jump is None and sight.table == "lost":
        state.held_since = -1
        jump = _never(field, state, at) if 0 < sight.trials <= sight.hits else None
        told = Told(MISSING, Severity(field.severity), never=True) if jump is not None else None
    if jump is None or told is None:
        return None
    state.told[sight.table] = told
    begin(share, jump, at)
    return _finding(sight, told, jump, "opened")


def _options(field: ExpectedField, table: str) -> JumpOptions:
    options = OPTIONS[field.scope]
    if field.role == "timestamp":  # without it, event time stands still: all of them lie in one minute
        return msgspec.structs.replace(options, least_minutes=0)
    if (
        table == "retyped" and field.scope == "purchase"
    ):  # an order sent twice lacks a key twice, but types are typed
        return msgspec.structs.replace(options, least_hits=2)
    return options


def _name(sight: _Sight, state: FieldState, keys: Keys, jump: Jump) -> Told | None:
    """What the jump is; None if that is not to be told, or not yet."""
    field, minute = sight.field, sight.minute
    loud = Severity(field.severity) if jump.share >= _LOUD_SHARE else Severity.P1_HIGH
    if sight.table == "retyped":
        return Told(RETYPED, Severity.P2_NOTE if field.severity == Severity.P2_NOTE else Severity.P1_HIGH)
    if sight.table == "aliased":
        alias = max(field.aliases, key=lambda name: minute.aliased.get(name, 0))
        return None if "lost" in state.told else Told(RENAMED, Severity.P1_HIGH, alias)
    if "aliased" in state.told and state.aliased.open is not None:
        return None
    taken = frozenset(name for name in keys.unknown if keys.unknown[name].taken_by not in ("", field.path))
    match = _match(
        keys, field.path, [(jump.since, jump.hits), *((c.since, c.hits) for c in sight.share.climbs)], taken
    )
    if match.word == "sure":
        keys.unknown[match.key].taken_by = field.path
        return Told(RENAMED, loud, match.key)
    if match.word == "perhaps":
        if not 0 <= minute.minute - state.held_since <= 2 * _HOLD_MINUTES:
            state.held_since = minute.minute
        if minute.minute - state.held_since < _HOLD_MINUTES:
            return None
    return Told(MISSING, loud)


def _match(keys: Keys, path: str, since: list[tuple[int, int]], taken: frozenset[str]) -> Match:
    """What took a field's place, by each of the minutes in which the loss may have begun."""
    matches = [schema_rename.find(keys, path, minute, hits, taken) for minute, hits in since if hits]
    ranks = ("none", "perhaps", "sure")
    return max(matches, key=lambda match: ranks.index(match.word))


def _never(field: ExpectedField, state: FieldState, at: int) -> Jump | None:
    """A required field that was never there."""
    share = state.lost
    if not field.required or state.accepted or share.first < 0 or at - share.first < _NEVER_MINUTES:
        return None
    hits, trials = counted(share)
    if trials < _NEVER_TRIALS[field.scope] or hits < trials:
        return None
    return Jump(share.first, hits, trials, 0.0)


def _follow(sight: _Sight, state: FieldState) -> Finding | None:
    """The end of an open incident, or once an hour how it stands."""
    field, share, at = sight.field, sight.share, sight.minute.minute
    told = state.told.get(sight.table) or Told(MISSING, Severity.P1_HIGH)
    options = _options(field, sight.table)
    step(share, options, at, sight.hits, sight.trials)
    over = follow(share, options, at, sight.hits, sight.trials)
    if over is not None:
        state.told.pop(sight.table, None)
        state.held_since = -1
        if told.never:
            share.days, share.hours, share.usual = [], [], None
        return _finding(sight, told, over, "resolved")
    newer = retell(share, at, _TELL_MINUTES)
    return None if newer is None else _finding(sight, told, newer, "standing")


def _finding(sight: _Sight, told: Told, jump: Jump, word: Word) -> Finding:
    field, at = sight.field, sight.minute.minute
    evidence = {"hits": jump.hits, "trials": jump.trials}
    named = {"renamed_to": cut(told.other), "fix": words.fix(told.other)} if told.other else {}
    if sight.table == "aliased":
        named.pop("fix", None)
    return Finding(
        told.kind,
        word,
        told.severity,
        "gate",
        jump.since,
        at + 1,
        subject=field.path,
        value=jump.share,
        baseline_median=jump.normal,
        absolute_change=jump.share - jump.normal,
        count=jump.hits,
        message=_message(sight, told, jump, word),
        evidence=evidence | named,
    )


def _message(sight: _Sight, told: Told, jump: Jump, word: Word) -> str:
    field = sight.field
    if word == "resolved":
        return words.of_field_back(field.path, sight.minute.minute + 1, jump)
    if told.kind == RETYPED:
        return words.of_retyped(field.path, field.scope, jump)
    if told.never:
        return words.of_never(field.path, field.scope, jump)
    if sight.table == "aliased":
        return words.of_alias(field.path, told.other, field.scope, jump)
    if told.kind == RENAMED:
        return words.of_renamed(field.path, told.other, field.scope, jump)
    return words.of_missing(field.path, field.scope, field.role, jump)


def standing_of(field: ExpectedField, state: FieldState) -> dict[str, str]:
    """By kind, why nothing was opened for a field, or that it was."""
    kinds = {MISSING: state.lost, RETYPED: state.retyped} | (
        {RENAMED: state.aliased} if field.aliases else {}
    )
    answer = {kind: _reason(share, OPTIONS[field.scope]) for kind, share in kinds.items()}
    for told in state.told.values():
        answer[told.kind] = "open"
        if told.kind == RENAMED and answer[MISSING] == "open":
            answer[MISSING] = "inhibited_by"
    return answer


def _reason(share: JumpState, options: JumpOptions) -> str:
    if share.open is not None:
        return "open"
    return "insufficient_history" if normal(share, options) is None else "within_band"
