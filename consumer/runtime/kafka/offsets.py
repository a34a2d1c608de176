"""Where partitions begin and end, as a broker has answered it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from consumer.runtime.kafka.client import RAISED, error_of, result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from confluent_kafka import Consumer
    from confluent_kafka.admin import ListOffsetsResultInfo


def answered(future: Future[ListOffsetsResultInfo], seconds: float) -> int:
    """The offset that `AdminClient.list_offsets` was asked for, after at most so many seconds; -1 where no record has
    the time that was asked for. Raises KafkaException, also when nobody answered: the client passes that off as the
    offset -1001, without an error."""
    offset: int = result_of(future, seconds).offset
    if offset == OFFSET_INVALID:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no broker answered in time"))  # noqa: SLF001 - the client's name for it
    return offset


def log_end(consumer: Consumer, topic: str, number: int, seconds: float) -> int | None:
    """Where a partition ends, asked of the broker by a consumer; None without an answer, of which nothing follows."""
    try:
        bounds: Any = consumer.get_watermark_offsets(
            TopicPartition(topic, number), timeout=seconds, cached=False
        )
    except RAISED as ignored:
        error_of(ignored)
        return None
    return None if bounds is None else bounds[1]
