"""What single records do wrong, in numbers: invalid purchases, replays, duplicates, unparseable records, timestamps.

One such record is normal somewhere; more than chance is not (`schema_jump`). Two incidents may live beside each other
under the same kind and subject: the note (`happened`, P2, from a number a day on) and the alert (`opened`, P1). A note
never turns into an alert; whoever keeps incidents tells them apart by the severity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from detectors.alerts import Severity
from detectors.fields import BAD_PURCHASE, BAD_TIMESTAMP, UNPARSEABLE, FieldMinute
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
    normal,
    retell,
    step,
)
from detectors.schema_words import amount
from detectors.sentences import when

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.fields import Passing

INVALID, REPLAY, DUPLICATES = "purchase_invalid", "transaction_replay", "duplicate_events"
UNPARSEABLES, TIMESTAMPS = "unparseable_events", "timestamp_errors"

_DAY = 1440
_TELL_MINUTES = 60
_START_MINUTES = 10
_NEARLY_ALL = 0.8


class Tally(NamedTuple):
    """One kind: what counts, of what, what there is of that in a minute without any, when it jumps, from how many a day
    it is a note (0: the note is made elsewhere), what is said, what the note counts where that is less, and how many
    need no history if nearly all were bad from the first on (0: never); the reason that also a quiet day has (an order of
    nothing: a test, an exchange), and how many it takes if there is no other."""

    kind: str
    carrier: Literal["event", "purchase", "record"]
    counts: Callable[[FieldMinute], tuple[int, int]]
    options: JumpOptions
    note_from: int
    what: str
    of: str
    look: str
    noted: Callable[[FieldMinute], int] | None = None
    from_start: int = 0
    usual: str = ""
    usual_hits: int = 0


def _invalid(minute: FieldMinute) -> tuple[int, int]:
    bad = minute.rejects(BAD_PURCHASE)
    return bad, max(minute.purchases + minute.rejected.get("purchase_data", 0), bad)


def _replays(minute: FieldMinute) -> tuple[int, int]:
    return minute.replays, max(minute.purchases, minute.replays)


def _duplicates(minute: FieldMinute) -> tuple[int, int]:
    """With those far behind the stream: old events that are sent again lie in minutes that are judged already."""
    return minute.repeated + minute.stale, max(minute.events, minute.repeated) + minute.stale


def _repeated(minute: FieldMinute) -> int:
    return minute.repeated


def _unparseable(minute: FieldMinute) -> tuple[int, int]:
    return minute.rejects(UNPARSEABLE), minute.records()


def _timestamps(minute: FieldMinute) -> tuple[int, int]:
    """Without missing ones: those are the field's own matter (`schema_field_missing`)."""
    bad = minute.rejects(BAD_TIMESTAMP) + minute.ahead
    return bad, max(minute.records(), bad)


_RECORDS = JumpOptions(
    cluster=1.0,
    levels=(0.02, 0.06, 0.2, 0.6),
    least_hits=3,
    least_minutes=2,
    least_share=0.01,
    quiet_years=0.5,
    looks=1,
    floor=2e-4,
    hourly=False,
    back_cluster=2.0,
    burst=2,
)
"""Garbage comes alone, or many in a minute: those are one, so it takes two minutes of it (a partial jump, four)."""

TALLIES: tuple[Tally, ...] = (
    Tally(
        INVALID,
        "purchase",
        _invalid,
        JumpOptions(
            cluster=1.0,
            levels=(0.15, 0.4, 0.75, 0.97),
            least_hits=3,
            least_minutes=1,
            quiet_years=1.0,
            looks=1,
            least_trials=15,
            back=5.0,
            burst=1,
            unsure=True,
        ),
        0,
        "Purchases without an id, without items, or without revenue above 0 are more than chance",
        "purchases",
        "They are not counted; the checkout's tracking was probably changed. Look into the dead letters.",
        from_start=10,
        usual="purchase_revenue",
        usual_hits=4,
    ),
    Tally(
        REPLAY,
        "purchase",
        _replays,
        JumpOptions(
            cluster=2.0, levels=(0.2, 0.5, 0.95), least_hits=4, least_minutes=2, looks=2, least_trials=15
        ),
        1,
        "Purchases came again with the same transaction id and content",
        "purchases",
        "Each is counted once. Something sends twice, or old events were sent again: look at the checkout page and at what "
        "sends the events.",
    ),
    Tally(
        DUPLICATES,
        "event",
        _duplicates,
        JumpOptions(
            cluster=4.0,
            levels=(0.1, 0.3, 0.6, 0.95),
            least_hits=20,
            least_minutes=1,
            quiet_years=2.0,
            looks=1,
        ),
        3,
        "Events came again, or long after their time",
        "events",
        "They were probably sent again: look whether old events are being replayed, or the tracking is on the page twice.",
        _repeated,
    ),
    Tally(
        UNPARSEABLES,
        "record",
        _unparseable,
        _RECORDS,
        3,
        "Records could not be read as events",
        "records",
        "They are dead letters, unchanged: look at one of them to see who sends them.",
        from_start=20,
    ),
    Tally(
        TIMESTAMPS,
        "record",
        _timestamps,
        _RECORDS,
        3,
        "Events had a timestamp that is invalid, or far ahead of the stream",
        "records",
        "Look at the clocks and the time format of what sends them.",
        from_start=20,
    ),
)


class TallyState(msgspec.Struct, omit_defaults=True):
    """What is remembered of one kind: its share, today's count, whether a person takes its level as normal, and the last
    minute with a hit that is not the usual one."""

    share: JumpState = msgspec.field(default_factory=JumpState)
    day: int = -1
    count: int = 0
    first: int = -1
    noted: int = -1
    accepted: bool = False
    unusual: int = -1


def is_at_work(tally: Tally, state: TallyState) -> bool:
    """Whether a minute without hits may tell something of a kind by itself. Where a sum must convince once more with what
    is normal, misses can help it to."""
    return is_busy(state.share) or (tally.options.unsure and bool(state.share.climbs))


def update_tally(
    tally: Tally, state: TallyState, minute: FieldMinute, counts: tuple[int, int], passing: Passing
) -> list[Finding]:
    """What is to be said of a kind after a minute, which has these `tally.counts`."""
    hits, trials = counts
    at, share = minute.minute, state.share
    catch_up(share, tally.options, passing)
    findings = _note(tally, state, hits if tally.noted is None else tally.noted(minute), at)
    if tally.usual and hits > minute.rejected.get(tally.usual, 0):
        state.unusual = at
    was_open = share.open is not None
    jump = step(share, tally.options, at, hits, trials)
    if jump is not None and jump.hits < tally.usual_hits and state.unusual < jump.since:
        jump = None
    if was_open:
        return findings + _follow(tally, state, hits, trials, at)
    if jump is None and hits and not state.accepted:
        jump = _from_the_start(tally, share, at)
    if jump is None:
        return findings
    begin(share, jump, at)
    return [*findings, _finding(tally, jump, "opened", at)]


def _from_the_start(tally: Tally, share: JumpState, at: int) -> Jump | None:
    """Nearly all were bad from the first on: that takes no history to tell."""
    if not tally.from_start or at - share.first < _START_MINUTES:
        return None
    hits, trials = counted(share)
    if hits < tally.from_start or hits < _NEARLY_ALL * trials:
        return None
    return Jump(share.first, hits, trials, 0.0)


def _note(tally: Tally, state: TallyState, hits: int, at: int) -> list[Finding]:
    """The note of today's number, again at most once an hour."""
    if at // _DAY != state.day:
        state.day, state.count, state.first, state.noted = at // _DAY, 0, -1, -1
    if hits <= 0:
        return []
    state.count += hits
    state.first = at if state.first < 0 else state.first
    due = state.noted < 0 or at - state.noted >= _TELL_MINUTES
    if not tally.note_from or state.count < tally.note_from or not due:
        return []
    state.noted = at
    text = f"{tally.what}: {state.count:,} since {when(state.first)}. {tally.look}"
    return [
        Finding(
            tally.kind,
            "happened",
            Severity.P2_NOTE,
            "gate",
            state.first,
            at + 1,
            count=state.count,
            message=text,
        )
    ]


def _follow(tally: Tally, state: TallyState, hits: int, trials: int, at: int) -> list[Finding]:
    over = follow(state.share, tally.options, at, hits, trials)
    if over is not None:
        return [_finding(tally, over, "resolved", at)]
    newer = retell(state.share, at, _TELL_MINUTES)
    return [] if newer is None else [_finding(tally, newer, "standing", at)]


def _finding(tally: Tally, jump: Jump, word: Word, at: int) -> Finding:
    over = f" This is over, seen at {when(at + 1)}." if word == "resolved" else f" {tally.look}"
    return Finding(
        tally.kind,
        word,
        Severity.P1_HIGH,
        "gate",
        jump.since,
        at + 1,
        value=jump.share,
        baseline_median=jump.normal,
        absolute_change=jump.share - jump.normal,
        count=jump.hits,
        message=f"{tally.what}: {amount(jump, tally.of)}.{over}",
        evidence={"hits": jump.hits, "trials": jump.trials},
    )


def standing_of(tally: Tally, state: TallyState) -> str:
    """Why no alert was opened, or that it was."""
    if state.share.open is not None:
        return "open"
    return "insufficient_history" if normal(state.share, tally.options) is None else "within_band"
