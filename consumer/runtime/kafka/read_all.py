"""Topics such as `sluice.days` and `sluice.alerts` read once, to their ends as of now, outside of any group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.runtime.kafka.scan import TIMEOUT_SECONDS, Scan

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from consumer.runtime.clock import Clock
    from consumer.runtime.kafka.delivered_topics import Reader, Topics

    See = Callable[[bytes | None, bytes | None], object]
    """Told of a record's key and value."""


def read_all(
    user: Mapping[str, Any],
    topics: Topics,
    reader: Reader,
    clock: Clock,
    log: logging.Logger,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Tells the reader of every record of both topics, see `read_records`."""
    read_records(
        user, {topics.days: reader.see_day, topics.alerts: reader.see_alert}, clock, log, timeout_seconds
    )


def read_records(
    user: Mapping[str, Any],
    readers: Mapping[str, See],
    clock: Clock,
    log: logging.Logger,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Tells each topic's reader of every record that was committed, or just being committed, when this was called.

    Joins no group and leaves nothing on the broker. Raises TailError with a sentence: no broker, no topics, no right,
    or nothing came for so long.
    """
    for message in Scan(user, list(readers), clock, log, timeout_seconds).messages():
        readers[message.topic()](message.key(), message.value())
