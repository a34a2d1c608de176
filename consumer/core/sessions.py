"""Sessions: a client's events with no gap over 30 minutes, whatever the order they arrive in.

Not additive, so corrections are facts too: an event can open a session, prolong one at either end (a new first
event moves its minute and perhaps its directness) or join two; each of these is told as −1 and +1.

A client's sessions are one flat tuple of integers, four a session, oldest first:
`(first_ms, last_ms, direct, lag_minutes, …)`. `lag_minutes` is how far the stream already was beyond the session's
last event when it was last touched (0 for events in order), so that events that come days late still find each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.core.timestamps import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Sessions = tuple[int, ...]

WIDTH = 4
"""Integers a session."""

MOST_SESSIONS = 64
"""Sessions remembered of one client; with more (hostile input: a visitor has one or two) the oldest is let go, and an
event that comes even later opens a session of its own."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    """`gap_ms`: a strictly longer pause starts a new session. `lateness_ms`: how far behind its stream an event may
    come and still be placed as if it had come in order."""

    gap_ms: int = 30 * MINUTE_MS
    lateness_ms: int = 60 * MINUTE_MS

    @property
    def memory_ms(self) -> int:
        """How long after its last event, in stream time, a session can still be joined."""
        return self.gap_ms + self.lateness_ms


def gone(sessions: Sessions, now_ms: int, rules: SessionRules) -> bool:
    """Whether all of a client's sessions have left: gap + lateness after the last touch."""
    horizon = now_ms - rules.memory_ms
    if len(sessions) == WIDTH:
        return sessions[1] + sessions[3] * MINUTE_MS < horizon
    return all(
        sessions[i + 1] + sessions[i + 3] * MINUTE_MS < horizon for i in range(0, len(sessions), WIDTH)
    )


def count_open(clients: Iterable[Sessions], now_ms: int, rules: SessionRules) -> int:
    """How many of these clients' sessions can still be joined by an event in time.

    >>> rules = SessionRules()
    >>> count_open([(0, 0, 1, 0), (0, 0, 1, 0, 7_200_000, 7_260_000, 0, 0)], rules.memory_ms + 1, rules)
    1
    """
    horizon = now_ms - rules.memory_ms
    return sum(
        sessions[i + 1] + sessions[i + 3] * MINUTE_MS >= horizon
        for sessions in clients
        for i in range(0, len(sessions), WIDTH)
    )


_OUT_OF_ORDER_MS = 2 * MINUTE_MS
"""A client's events may overtake each other on their way by this much; what comes later than that comes again."""


def lived_through(sessions: Sessions, at_ms: int) -> bool:
    """Whether the client was already beyond this time within a session: at its last event's very instant, or more than
    two minutes before it. So it is when a stretch of events is sent again.

    >>> [lived_through((0, 600_000, 1, 0), at_ms) for at_ms in (-1, 0, 479_999, 480_000, 600_000, 600_001)]
    [False, True, True, False, True, False]
    """
    for i in range(0, len(sessions), WIDTH):
        first, last = sessions[i], sessions[i + 1]
        if first <= at_ms and (at_ms == last or at_ms < last - _OUT_OF_ORDER_MS):
            return True
    return False


Delta = tuple[int, int, int]
"""(epoch minute of a session's first event, change of sessions, change of direct sessions)"""


def place(
    sessions: Sessions,
    at_ms: int,
    now_ms: int,
    rules: SessionRules,
    is_direct: Callable[[], bool],
) -> tuple[Sessions, list[Delta]]:
    """The client's sessions after an event at `at_ms`, and what that changed.

    `now_ms` is the stream's time: sessions that it has left are not joined and are dropped. `is_direct` is asked only
    if the event becomes the first of its session. Of equal timestamps the earlier arrival stays first.
    """
    horizon = now_ms - rules.memory_ms
    gap = rules.gap_ms
    before: list[int] = []
    after: list[int] = []
    joined: list[tuple[int, int, int]] = []
    for i in range(0, len(sessions), WIDTH):
        first, last, direct, lag = sessions[i : i + WIDTH]
        if last + lag * MINUTE_MS < horizon:
            continue
        if last < at_ms - gap:
            before += (first, last, direct, lag)
        elif first > at_ms + gap:
            after += (first, last, direct, lag)
        else:
            joined.append((first, last, direct))
    if joined and joined[0][0] <= at_ms:
        first, direct = joined[0][0], joined[0][2]
    else:
        first, direct = at_ms, int(is_direct())
    last = max(at_ms, joined[-1][1]) if joined else at_ms
    lag = max(0, now_ms - last) // MINUTE_MS
    deltas = [(was // MINUTE_MS, -1, -was_direct) for was, _, was_direct in joined]
    deltas.append((first // MINUTE_MS, 1, direct))
    if len(joined) == 1 and joined[0][0] == first:
        deltas = []
    placed = (*before, first, last, direct, lag, *after)
    return placed[-MOST_SESSIONS * WIDTH :], deltas
