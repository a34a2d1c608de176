"""The Kafka client's own lines, among ours: librdkafka logs through a `logging.Logger`, and repeats itself."""

from __future__ import annotations

import logging
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.runtime.clock import Clock
    from consumer.runtime.logs import Logger


def librdkafka_logger(log: Logger, clock: Clock, every_seconds: float = 60.0) -> logging.Logger:
    """A logger for confluent_kafka's `logger=` that forwards to `log`; the same text at most once in
    `every_seconds`, then with the number of times that it was held back as `repeated`."""
    forward = logging.Logger("librdkafka")  # noqa: LOG001 - on purpose outside of the global tree of loggers
    forward.addHandler(_Forward(log, clock, Repeats(every_seconds)))
    return forward


_MEASURE = re.compile(
    r"-?\d+(?=\s?(?:ms|us|s|bytes|identical|in-flight|retry-queued|out-queue|partially-sent)\b)"
    r"|(?<=timeout #)\d+|(?<=\(broker )-?\d+"
)
_SPEAKER = re.compile(
    r"\[(?:rdkafka#|thrd:)[^\]]*\]:? ?"
    r"|\b(?:Group|Txn)Coordinator(?:/-?\d+)?: "
    r"|\S+: (?=Connect to )"
    r"|(?<=\d)/(?:-?\d+|bootstrap)(?=: )"
    r"| in state \w+|, \d+ identical error\(s\) suppressed"
)

_GUESS = re.compile(
    r":? (?:might be caused by|probably due to|or) broker version (?:is )?< 0\.10(?: \([^)]*\))?"
)
"""What librdkafka takes a broker for that closes a connection or does not answer. Such old ones have no transactions."""

_TOLD_BY_THE_LOOP = "TXNERR "
"""A transaction that failed, as at every rebalance; the loop knows whether it matters and says so itself."""

_FATAL = "FATAL "
"""The end of one client, say of one that was fenced by its own successor. The loop gets a new one, or ends and says
so itself: only then is it critical."""


def gist(text: str) -> str:
    """A line of librdkafka's without what differs between two that say the same.

    >>> gist("FAIL [rdkafka#consumer-1] [thrd:b:9092/1]: b:9092/1: Disconnected (after 9ms in state UP)")
    'FAIL b:9092: Disconnected (after #ms)'
    >>> gist("FAIL [rdkafka#producer-2] [thrd:TxnCoordinator]: TxnCoordinator: b:9092: Disconnected (after 12ms)")
    'FAIL b:9092: Disconnected (after #ms)'
    """
    return _MEASURE.sub("#", _SPEAKER.sub("", text))


class Repeats:
    """Lets the same text through once per window. Times are seconds of a monotonic clock."""

    MOST_TEXTS = 256
    """Different texts in one window; further ones are held back, so that this is the most lines a window has."""

    def __init__(self, window_seconds: float) -> None:
        self._window = window_seconds
        self._seen: dict[str, tuple[float, int]] = {}

    def held_back(self, text: str, now: float) -> int | None:
        """How often the text was held back since it last came through; None = hold it back this time too. Texts
        that differ only in numbers, or in which of a process's clients and connections speaks, are the same."""
        text = gist(text)
        since, repeated = self._seen.get(text, (-math.inf, 0))
        if now - since < self._window:
            self._seen[text] = (since, repeated + 1)
            return None
        if not self._has_room(text, now):
            return None
        self._seen[text] = (now, 0)
        return repeated

    def _has_room(self, text: str, now: float) -> bool:
        if text not in self._seen and len(self._seen) >= self.MOST_TEXTS:
            self._seen = {t: s for t, s in self._seen.items() if now - s[0] < self._window}
        return text in self._seen or len(self._seen) < self.MOST_TEXTS


class _Forward(logging.Handler):
    """librdkafka's lines arrive as `"%s [%s] %s", facility, client, text` (log_cb in confluent_kafka.c), on the
    thread that polls."""

    def __init__(self, log: Logger, clock: Clock, repeats: Repeats) -> None:
        super().__init__()
        self._log = log
        self._clock = clock
        self._repeats = repeats

    def emit(self, record: logging.LogRecord) -> None:
        text = _GUESS.sub("", record.getMessage())
        repeated = self._repeats.held_back(text, self._clock.monotonic())
        if repeated is not None:
            level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
            if text.startswith(_TOLD_BY_THE_LOOP):
                level = min(level, logging.INFO)
            elif text.startswith(_FATAL):
                level = min(level, logging.WARNING)
            more = {"repeated": repeated} if repeated else {}
            self._log.log(level, "librdkafka says", message=text, **more)


def silent() -> logging.Logger:
    """For commands that say in a sentence of their own what went wrong: librdkafka's own lines go nowhere."""
    log = logging.Logger("librdkafka")  # noqa: LOG001 - outside of the tree of loggers, so that it says nothing
    log.addHandler(logging.NullHandler())
    return log
