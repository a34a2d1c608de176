"""Where partitions begin and end, as a broker has answered it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException

from consumer.runtime.kafka.client import result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from confluent_kafka.admin import ListOffsetsResultInfo


def answered(future: Future[ListOffsetsResultInfo], seconds: float) -> int:
    """The offset that `AdminClient.list_offsets` was asked for, after at most so many seconds; -1 where no record has
    the time that was asked for. Raises KafkaException, also when nobody answered: the client passes that off as the
    offset -1001, without an error."""
    offset: int = result_of(future, seconds).offset
    if offset == OFFSET_INVALID:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no broker answered in time"))  # noqa: SLF001 - the client's name for it
    return offset
