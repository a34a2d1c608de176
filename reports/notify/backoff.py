"""How long to wait after failures in a row: twice as long each time, never all at the same moment."""

from __future__ import annotations

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
"""A receiver that was away for a day is told within five minutes of its return."""

LONGEST_ASKED_SECONDS = 3_600.0
"""A server that asks for more patience than this is asked again all the same."""

_MOST_DOUBLINGS = 16


def pause_seconds(failures: int, chance: float, asked_seconds: float | None = None) -> float:
    """Seconds before the next try, after so many failures in a row (1 = the first one).

    `chance` is a random number from 0 to 1: the pause is between half and all of `2 ** (failures - 1)` seconds, so
    that many processes do not come back together ("equal jitter", M. Brooker, AWS Architecture Blog, 2015). A server
    that asks for a longer pause (`Retry-After`) gets it.

    >>> [pause_seconds(failures, 1.0) for failures in (1, 2, 3, 20)], pause_seconds(1, 0.0), pause_seconds(1, 1.0, 30)
    ([1.0, 2.0, 4.0, 300.0], 0.5, 30.0)
    """
    doubled = FIRST_SECONDS * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS)
    pause = min(LONGEST_SECONDS, doubled) * (0.5 + 0.5 * min(max(chance, 0.0), 1.0))
    asked = min(max(asked_seconds or 0.0, 0.0), LONGEST_ASKED_SECONDS)
    return float(max(pause, asked))
