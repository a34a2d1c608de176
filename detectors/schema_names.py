"""Event names that the contract does not know, and which known one they replaced.

An unknown name is told from its third event in a day on. It replaced a known one if that hardly came since (at most a
fifth of what its share of all events says; page versions linger), though enough were expected, and the unknown one
came about as often as the known one is short. The Poisson chance of at most 1 where 5 are expected is 4 %, and then a
new name comes by as often at the same time; names that look alike need less. An unknown name is held back for five
minutes, for ten while a known one may be what it replaced.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from detectors import schema_words as words
from detectors.alerts import Severity
from detectors.fields import REST
from detectors.finding import Finding, Word
from detectors.sentences import cut

if TYPE_CHECKING:
    from detectors.fields import Expectations, FieldMinute

UNKNOWN = "schema_unknown_event"

LEAST = 3
MOST_A_DAY = 20
"""The names beyond these are told together, under the subject `REST`."""

_DAY = 1440
_HOLD_MINUTES, _LONG_HOLD_MINUTES = 5, 10
_LINGER = 0.2
_TELL_MINUTES = 60
_MOST_NAMES = 200
_MOST_TEXT = 200
_LEARN_EVENTS = 500
_HALF_LIFE_EVENTS = 100_000
_NEEDED, _NEEDED_ALIKE = 5.0, 2.5
_ALIKE = 0.6
_AS_OFTEN = 3.0
_BACK = 3


class Name(msgspec.Struct, array_like=True):
    """An unknown name: when it came first and last, how often, how many events of the known names were expected and
    came since, when it was told and last told again, under which subject, how loud, and as which one's new name."""

    first: int
    last: int
    count: int = 0
    expected: dict[str, float] = {}
    came: dict[str, int] = {}
    told: int = -1
    subject: str = ""
    severity: Severity = Severity.P1_HIGH
    old: str = ""
    back: int = 0


class NameState(msgspec.Struct, omit_defaults=True):
    """At most 200 unknown names; the known ones' events, of how many, fading."""

    unknown: dict[str, Name] = {}
    known: dict[str, float] = {}
    events: float = 0.0
    day: int = -1
    told_today: int = 0
    rest: Name | None = None


def update_names(expect: Expectations, state: NameState, minute: FieldMinute) -> list[Finding]:
    """What is to be said of event names after a minute."""
    if not state.unknown and state.rest is None and expect.event_names.issuperset(minute.names):
        _learn(expect, state, minute)
        return []
    _turn(state, minute.minute)
    strangers = {n: c for n, c in minute.names.items() if n not in expect.event_names and c > 0}
    for name, count in sorted(strangers.items()):
        _see(state, name[:_MOST_TEXT], count, minute.minute)
    _expect(expect, state, minute)
    findings = []
    for text, stranger in list(state.unknown.items()):
        findings += _judge(expect, state, text, stranger, minute)
    findings += _judge_rest(state, minute)
    if not strangers:
        _learn(expect, state, minute)
    return findings


def _turn(state: NameState, minute: int) -> None:
    if minute // _DAY != state.day:
        state.day, state.told_today = minute // _DAY, 0
    gone = [t for t, n in state.unknown.items() if n.told < 0 and minute - n.first > _DAY]
    for text in gone:
        del state.unknown[text]


def _see(state: NameState, text: str, count: int, minute: int) -> None:
    name = state.unknown.get(text)
    if name is None:
        if text == REST or len(state.unknown) >= _MOST_NAMES:
            _see_rest(state, count, minute)
            return
        name = state.unknown[text] = Name(minute, minute)
    name.last = minute
    name.count += count


def _see_rest(state: NameState, count: int, minute: int) -> None:
    rest = state.rest
    if rest is None:
        rest = state.rest = Name(minute, minute)
    rest.last = minute
    rest.count += count


def _expect(expect: Expectations, state: NameState, minute: FieldMinute) -> None:
    """Counts what of each known name should have come since each unknown one did, and what came."""
    if state.events < _LEARN_EVENTS:
        return
    for name in state.unknown.values():
        if minute.minute - name.first > _DAY:
            continue
        for known in sorted(expect.event_names):
            usual = minute.events * state.known.get(known, 0.0) / state.events
            name.expected[known] = name.expected.get(known, 0.0) + usual
            if known in minute.names:
                name.came[known] = name.came.get(known, 0) + minute.names[known]


def _judge(
    expect: Expectations, state: NameState, text: str, name: Name, minute: FieldMinute
) -> list[Finding]:
    at = minute.minute
    if name.told >= 0:
        return _follow(expect, state, text, name, minute)
    if name.count < LEAST:
        return []
    old = _renamed(name, text)
    if not old and at - name.first < (_LONG_HOLD_MINUTES if _may_be_renamed(name) else _HOLD_MINUTES):
        return []
    if state.told_today >= MOST_A_DAY:
        _see_rest(state, name.count, at)
        del state.unknown[text]
        return []
    state.told_today += 1
    name.told, name.old, name.subject = at, old, text
    name.severity = Severity.P0_BLOCKER if old == expect.purchase_event and old else Severity.P1_HIGH
    return [_finding(expect, text, name, "opened", at)]


def _renamed(name: Name, text: str) -> str:
    """The known name that this one replaced, or nothing."""
    able = []
    for old, expected in name.expected.items():
        came = name.came.get(old, 0)
        needed = _NEEDED_ALIKE if _alike(old, text) else _NEEDED
        short = expected - came
        if came <= _LINGER * expected and short >= needed * (1 - _LINGER):
            able += [old] if short / _AS_OFTEN <= name.count <= short * _AS_OFTEN else []
    return max(able, key=lambda old: (_alike(old, text), name.expected[old], old), default="")


def _may_be_renamed(name: Name) -> bool:
    return any(e >= 1 and name.came.get(old, 0) <= e / 2 for old, e in name.expected.items())


@lru_cache(maxsize=1024)
def _alike(one: str, two: str) -> bool:
    return SequenceMatcher(None, one.lower(), two.lower()[:100]).ratio() >= _ALIKE


def _follow(
    expect: Expectations, state: NameState, text: str, name: Name, minute: FieldMinute
) -> list[Finding]:
    """A name that was told: it may turn out as a renaming, stand, or be over."""
    at = minute.minute
    name.back += minute.names.get(name.old, 0) if name.old else 0
    if at - name.last >= _DAY or (name.back >= _BACK and at - name.last >= _TELL_MINUTES):
        del state.unknown[text]
        return [_finding(expect, text, name, "resolved", at)]
    old = "" if name.old else _renamed(name, text)
    if old:
        name.old = old
        if old == expect.purchase_event:
            over = _finding(expect, text, name, "resolved", at)
            name.subject, name.severity, name.told = old, Severity.P0_BLOCKER, at
            return [over, _finding(expect, text, name, "opened", at)]
        return [_finding(expect, text, name, "standing", at)]
    if name.last == at and at - name.told >= _TELL_MINUTES:
        name.told = at
        return [_finding(expect, text, name, "standing", at)]
    return []


def _judge_rest(state: NameState, minute: FieldMinute) -> list[Finding]:
    rest, at = state.rest, minute.minute
    if rest is None:
        return []
    if rest.told < 0 and rest.count >= LEAST:
        rest.told = at
        return [_of_rest(rest, "opened", at)]
    if at - rest.last >= _DAY:
        state.rest = None
        return [_of_rest(rest, "resolved", at)] if rest.told >= 0 else []
    if rest.last == at and rest.told >= 0 and at - rest.told >= _TELL_MINUTES:
        rest.told = at
        return [_of_rest(rest, "standing", at)]
    return []


def _of_rest(rest: Name, word: Word, at: int) -> Finding:
    text = (
        words.of_event_gone(REST, at + 1)
        if word == "resolved"
        else words.of_unknown_events(rest.count, rest.first)
    )
    return Finding(
        UNKNOWN,
        word,
        Severity.P1_HIGH,
        "gate",
        rest.first,
        at + 1,
        subject=REST,
        count=rest.count,
        message=text,
    )


def _finding(expect: Expectations, text: str, name: Name, word: Word, at: int) -> Finding:
    expected, came = name.expected.get(name.old, 0.0), name.came.get(name.old, 0)
    if word == "resolved":
        message = words.of_event_gone(name.subject, at + 1)
    elif name.old:
        purchase = name.old == expect.purchase_event
        message = words.of_renamed_event(
            name.old, text, name.count, name.first, expected, came, purchase=purchase
        )
    else:
        message = words.of_unknown_event(text, name.count, name.first)
    evidence = {"event_name": cut(text)} | ({"replaces": name.old} if name.old else {})
    return Finding(
        UNKNOWN,
        word,
        name.severity,
        "gate",
        name.first,
        at + 1,
        subject=cut(name.subject),
        count=name.count,
        message=message,
        evidence=evidence,
    )


def _learn(expect: Expectations, state: NameState, minute: FieldMinute) -> None:
    """The known names' shares, of minutes without strangers."""
    if state.events > _HALF_LIFE_EVENTS:
        state.events /= 2
        state.known = {name: count / 2 for name, count in state.known.items()}
    if minute.events > 0:
        state.events += minute.events
    known, names = state.known, expect.event_names
    for name, count in minute.names.items():
        if count > 0 and name in names:
            known[name] = known.get(name, 0.0) + count
