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


class Repeats:
    """Lets the same text through once per window. Times are seconds of a monotonic clock."""

    MOST_TEXTS = 256
    """Different texts in one window; further ones are held back, so that this is the most lines a window has."""

    _MEASURE = re.compile(r"\d+(?=\s?(?:ms|us|s|bytes|identical)\b)")

    def __init__(self, window_seconds: float) -> None:
        self._window = window_seconds
        self._seen: dict[str, tuple[float, int]] = {}

    def held_back(self, text: str, now: float) -> int | None:
        """How often the text was held back since it last came through; None = hold it back this time too. Texts
        that differ only in a duration or a size are the same."""
        text = self._MEASURE.sub("#", text)
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
        text = record.getMessage()
        repeated = self._repeats.held_back(text, self._clock.monotonic())
        if repeated is not None:
            level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
            more = {"repeated": repeated} if repeated else {}
            self._log.log(level, "librdkafka says", message=text, **more)


def silent() -> logging.Logger:
    """For commands that say in a sentence of their own what went wrong: librdkafka's own lines go nowhere."""
    log = logging.Logger("librdkafka")  # noqa: LOG001 - outside of the tree of loggers, so that it says nothing
    log.addHandler(logging.NullHandler())
    return log
