"""What of a partition is not committed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consumer.core.record import NO_TIMESTAMP

if TYPE_CHECKING:
    from consumer.core.record import Record


class Waiting(NamedTuple):
    """How many records wait, and the Kafka timestamp (milliseconds since the epoch) of the oldest of them, or of the
    last one before it while it has not been read; None = not known."""

    records: int
    since_ms: int | None

    def seconds(self, now_ms: int) -> float:
        """How long the oldest has waited; 0 where none does, or its time is not known.

        >>> Waiting(3, 1_000).seconds(3_500), Waiting(0, 1_000).seconds(3_500), Waiting(3, None).seconds(3_500)
        (2.5, 0.0, 0.0)
        """
        return max(0, now_ms - self.since_ms) / 1000 if self.records and self.since_ms is not None else 0.0


def log_ms(record: Record) -> int | None:
    """The record's Kafka timestamp in milliseconds since the epoch; None where its log has none."""
    kind, at_ms = record.timestamp()
    return None if kind == NO_TIMESTAMP else at_ms
