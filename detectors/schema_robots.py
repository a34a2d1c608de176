"""Sessions of robots: a note from a tenth of the last day's on, an alert when an hour is mostly theirs and never was."""

from __future__ import annotations

import msgspec

from detectors.alerts import Severity
from detectors.finding import Finding, Word
from detectors.schema_jump import sane
from detectors.sentences import percent, when

BOTS = "bot_traffic"

_HOUR, _DAY = 60, 24
_NOTE_SESSIONS, _NOTE_SHARE = 10, 0.1
_ALERT_SESSIONS, _ALERT_SHARE = 30, 0.5
_FAR_MORE = 3.0
_CRAWL_MINUTES = 40
"""A crawler that looks through the site for half an hour is no flood: what counts is what comes outside of an hour's
strongest 40 minutes."""

_LASTING_SHARE = 0.2
"""A flood as steady as can be has a third of its hour there."""

_MEMORY_HOURS = 14 * 24
_LEAST_HOURS = 48
_END_SHARE = 0.25
_TELL_MINUTES = 60


class RobotState(msgspec.Struct, omit_defaults=True):
    """The last hour by the minute (minute, robots, sessions) with all its robots, the last 14 days by the hour, and of
    hours with many robots the most that came outside of a crawl in 60 minutes."""

    minutes: list[tuple[int, int, int]] = []
    robots: int = 0
    hours: list[tuple[int, int, int]] = []
    lasting: list[tuple[int, int]] = []
    since: int = -1
    worst: float = 0.0
    count: int = 0
    told: int = -1
    noted: int = -1


def update_robots(state: RobotState, minute: int, robots: int, sessions: int) -> list[Finding]:
    """What is to be said of robots after a minute.

    >>> state = RobotState()
    >>> [f.severity.value for at in range(120) for f in update_robots(state, at, at < 20, 1)]
    ['P2_NOTE']
    """
    if robots:
        robots, sessions = sane(robots, max(sessions, robots))
    if sessions > 0:
        _take(state, minute, robots, sessions)
    _forget(state, minute)
    if state.since < 0 and state.robots < _ALERT_SESSIONS:
        return _note(state, minute, robots) if robots else []
    hour_robots, hour_sessions = _sum(state.minutes)
    if state.since >= 0:
        state.count += robots
        return _note(state, minute, robots) + _follow(state, minute, hour_robots, hour_sessions)
    findings = _note(state, minute, robots)
    lasting = _lasting(state.minutes, hour_robots)
    _note_lasting(state, minute // _HOUR, lasting)
    if hour_robots <= _ALERT_SHARE * hour_sessions:
        return findings
    if lasting < max(_NOTE_SESSIONS, _LASTING_SHARE * hour_robots):
        return findings
    past = _past(state, minute)
    if past is None:
        return findings
    before = max(_most_lasting(state, minute), _NOTE_SESSIONS)
    if hour_robots < _FAR_MORE * past and lasting < _FAR_MORE * before:
        return findings
    state.since = next(at for at, some, _ in state.minutes if some)
    state.told, state.count = minute, hour_robots
    state.worst = hour_robots / hour_sessions
    return [*findings, _finding(state, "opened", minute, past)]


def _take(state: RobotState, minute: int, robots: int, sessions: int) -> None:
    state.minutes.append((minute, robots, sessions))
    state.robots += robots
    hour, hours = minute // _HOUR, state.hours
    if hours and hours[-1][0] == hour:
        _, old_robots, old_sessions = hours[-1]
        hours[-1] = hour, robots + old_robots, sessions + old_sessions
    else:
        hours.append((hour, robots, sessions))


def _lasting(minutes: list[tuple[int, int, int]], robots: int) -> int:
    """How many of the last hour's robots came outside of its strongest 40 minutes.

    >>> _lasting([(minute, 2, 2) for minute in range(50)], 100), _lasting([(minute, 5, 5) for minute in range(30)], 150)
    (20, 0)
    """
    most = inside = first = 0
    some_robots = [(at, some) for at, some, _ in minutes if some]
    for at, some in some_robots:
        inside += some
        while some_robots[first][0] <= at - _CRAWL_MINUTES:
            inside -= some_robots[first][1]
            first += 1
        if inside > most:  # noqa: PLR1730 - max() costs thrice
            most = inside
    return robots - most


def _note_lasting(state: RobotState, hour: int, lasting: int) -> None:
    if lasting and state.lasting and state.lasting[-1][0] == hour:
        state.lasting[-1] = hour, max(lasting, state.lasting[-1][1])
    elif lasting:
        state.lasting.append((hour, lasting))


def _most_lasting(state: RobotState, minute: int) -> int:
    """The most that came outside of a crawl in an hour before this one and the last."""
    return max((most for at, most in state.lasting if at < minute // _HOUR - 1), default=0)


def _forget(state: RobotState, minute: int) -> None:
    minutes, hours, lasting = state.minutes, state.hours, state.lasting
    while minutes and minutes[0][0] <= minute - _HOUR:
        state.robots -= minutes.pop(0)[1]
    oldest = minute // _HOUR - _MEMORY_HOURS
    while hours and hours[0][0] <= oldest:
        del hours[0]
    while lasting and lasting[0][0] <= oldest:
        del lasting[0]


def _sum(cells: list[tuple[int, int, int]]) -> tuple[int, int]:
    if not cells:
        return 0, 0
    _, robots, sessions = zip(*cells, strict=True)
    return sum(robots), sum(sessions)


def _past(state: RobotState, minute: int) -> float | None:
    """The most robots in an hour before this one and the last; None with too short a history."""
    past = [cell for cell in state.hours if cell[0] < minute // _HOUR - 1]
    if not past or minute // _HOUR - past[0][0] < _LEAST_HOURS:
        return None
    return float(max(cell[1] for cell in past))


def _note(state: RobotState, minute: int, robots: int) -> list[Finding]:
    due = state.noted < 0 or minute - state.noted >= _TELL_MINUTES
    if not robots or not due:
        return []
    day = state.hours[-_DAY:]
    while day and day[0][0] <= minute // _HOUR - _DAY:
        del day[0]
    some, all_of_them = _sum(day)
    if some < _NOTE_SESSIONS or some < _NOTE_SHARE * all_of_them:
        return []
    state.noted = minute
    text = (
        f"{some:,} of {all_of_them:,} sessions of the last 24 hours ({percent(some / all_of_them)}) are robots', by their "
        "own word or because they saw one page. They count as sessions: conversion looks lower than it is."
    )
    since = next(cell[0] for cell in day if cell[1]) * _HOUR
    return [Finding(BOTS, "happened", Severity.P2_NOTE, "watch", since, minute + 1, count=some, message=text)]


def _follow(state: RobotState, minute: int, robots: int, sessions: int) -> list[Finding]:
    share = robots / sessions if sessions else 0.0
    if minute - state.told >= _TELL_MINUTES or share < _END_SHARE:
        word: Word = "standing" if share >= _END_SHARE else "resolved"
        state.told = minute
        finding = _finding(state, word, minute, None)
        if word == "resolved":
            state.since = -1
        return [finding]
    return []


def _finding(state: RobotState, word: Word, minute: int, past: float | None) -> Finding:
    usual = "" if past is None else f", where at most {past:.0f} in an hour is normal"
    end = (
        f"The flood is over, seen at {when(minute + 1)}."
        if word == "resolved"
        else "Look at the user agents and addresses, and keep these robots off the site or out of its tracking."
    )
    text = f"Robots flood the site: {state.count:,} sessions since {when(state.since)}{usual}. {end}"
    return Finding(
        BOTS,
        word,
        Severity.P1_HIGH,
        "watch",
        state.since,
        minute + 1,
        metric="sessions",
        value=state.worst,
        count=state.count,
        message=text,
    )
