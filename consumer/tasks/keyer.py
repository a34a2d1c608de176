"""The keyer: one task per input partition where the input is not keyed. Every record goes on to the keyed topic, each
client's to one partition there, with a mark behind each batch that says how far the input was read.

It keeps nothing but its place, which stands in its journal: a group's offsets expire, and read anew all would count twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from consumer.core.decode import DECODE_ERRORS, MOST_EVENT_BYTES, Shapes, client_of, decode_fast, explain
from consumer.core.keyed import Mark, cut_key, event_key, mark_key, mark_value, route
from consumer.core.record import NO_TIMESTAMP, Output
from consumer.core.rejection import size
from consumer.core.state import Slice, Turn
from consumer.core.wire import journal_entries
from consumer.tasks.task import Chain, Decision, Moment, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.contract import Contract
    from consumer.core.record import Headers, Record
    from consumer.core.wire import JournalEntry

JOURNAL_KEPT = 64
"""Batches after which the journal is cut: nothing before the last entry is needed, but cutting costs a request."""

_ROOM = 1_024
"""More than a record takes beside its key and value where it has no headers."""


@dataclass(frozen=True, slots=True)
class KeyerOptions:
    """`most_bytes`: the largest record that the keyed topic takes; it should take every event that the gate reads."""

    contract: Contract
    topic: str = "sluice.keyed"
    most_bytes: int = MOST_EVENT_BYTES + 65_536


class KeyerChanges(msgspec.Struct):
    """A keyer's journal: its entries say where it stands, and nothing else."""


class KeyerTask:
    """Reads one input partition, in order."""

    def __init__(self, partition: int, options: KeyerOptions) -> None:
        self.partition = partition
        self._options = options
        self._shapes = Shapes(options.contract)
        self._chain = Chain("keyer")

    @property
    def next_offset(self) -> int | None:
        """See `Task`."""
        return self._chain.next_offset

    def decide(self, records: Sequence[Record], moment: Moment) -> Decision:
        """See `Task`."""
        sequence = self._chain.sequence + 1
        cuts = sequence % JOURNAL_KEPT == 0
        turn = Turn(sequence // JOURNAL_KEPT, begins=cuts, completes=cuts)
        start = self._chain.next_offset
        span = (moment.next_offset if start is None else start, moment.next_offset)
        changes = KeyerChanges()
        outputs = self._keyed(records, moment.keyed_partitions)
        outputs += self._marks(sequence, len(records), moment)
        journal = journal_entries("keyer", sequence, span, turn, changes)
        tally = Tally(records=len(records))
        return Decision(
            outputs, journal, sequence, moment.next_offset, changes, Slice(turn, [], [], 0), tally
        )

    def _keyed(self, records: Sequence[Record], partitions: int) -> list[Output]:
        """The records, each where it goes. The hot path."""
        topic, here, whole = self._options.topic, self.partition, self._options.most_bytes - _ROOM
        client_in = self.client
        self._shapes.forget_if_many()
        outputs = []
        for record in records:
            value, key, headers = record.value(), record.key(), record.headers()
            kind, log_ms = record.timestamp()
            output = Output(
                topic,
                value,
                event_key(here, record.offset(), key),
                headers,
                route(client_in(value), here, partitions),
                None if kind == NO_TIMESTAMP else max(1, log_ms),  # 0 means now, to the client
            )
            if headers or len(value or b"") + len(key or b"") > whole:
                output = self._fitting(output, record, headers)
            outputs.append(output)
        return outputs

    def client(self, value: bytes | None) -> str | None:
        """The client that a record's value names, as the gate will have it; None where it cannot be read or names none."""
        if value is None or len(value) > MOST_EVENT_BYTES:
            return None
        try:
            event = decode_fast(value)
        except DECODE_ERRORS as error:
            event = explain(value, error)
        if type(event) is not dict:
            return None
        return client_of(event, self._shapes.of(event))

    def _fitting(self, output: Output, record: Record, headers: Headers | None) -> Output:
        """The record as the topic takes it: without what is not part of the event, or at last without its value."""
        most = self._options.most_bytes
        if size(output) <= most:
            return output
        here, offset = self.partition, record.offset()
        value = record.value() or b""
        if len(value) <= MOST_EVENT_BYTES:
            bare = output._replace(key=event_key(here, offset, None), headers=None)
            if size(bare) <= most:
                return bare
        cut = output._replace(
            value=b"%d" % len(value), key=cut_key(here, offset, record.key()), headers=headers
        )
        return cut if size(cut) <= most else cut._replace(key=cut_key(here, offset, None), headers=None)

    def _marks(self, sequence: int, records: int, moment: Moment) -> list[Output]:
        mark = Mark(sequence, moment.input_partitions, moment.wall_ms, records, moment.at_end, moment.asked)
        key, value = mark_key(self.partition, moment.next_offset), mark_value(mark)
        return [
            Output(self._options.topic, value, key, None, number, moment.wall_ms)
            for number in range(moment.keyed_partitions)
        ]

    def apply(self, decision: Decision) -> None:
        """See `Task`."""
        self._chain.sequence, self._chain.next_offset = decision.sequence, decision.next_offset

    def replay(self, entry: JournalEntry) -> None:
        """See `Task`."""
        self._chain.follow(entry)

    def restored(self) -> None:
        """See `Task`."""
        self._chain.finish()

    def begin(self, offset: int) -> None:
        """See `Task`."""
        self._chain.next_offset = offset
