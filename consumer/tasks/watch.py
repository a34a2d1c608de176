"""The watch: the one task that reads all facts, and so sees every purchase and every partition's time.

    facts ─▶ merge into days ─▶ transaction ids ─▶ watermark ─▶ close days ─▶ verdict ─▶ receipts, alerts

`watch_state.py` has what it is told and remembers, `watch_batch.py` how facts are merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.core.latest_days import latest_days
from consumer.core.purchases import Remembered
from consumer.core.state import Delta, RollingSnapshot, Slice
from consumer.core.wire import journal_entries, read_changes
from consumer.tasks.task import Chain, Decision, Moment, Tally
from consumer.tasks.watch_batch import WatchBatch
from consumer.tasks.watch_state import WatchChanges, WatchClock, WatchOptions, WatchState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.latest_days import LatestDay
    from consumer.core.record import Record
    from consumer.core.wire import JournalEntry


class WatchTask:
    """Merges the facts of all gates, in the order of their topic."""

    def __init__(self, options: WatchOptions) -> None:
        self.state = WatchState.empty()
        self._options = options
        self._memo: dict[str, Any] = {}
        self._chain = Chain("watch")
        self._snapshot = RollingSnapshot()

    @property
    def next_offset(self) -> int | None:
        return self._chain.next_offset

    @property
    def clock(self) -> WatchClock:
        """Event time as far as it is committed."""
        return self.state.clock.get("", WatchClock())

    def latest_days(self, count: int) -> dict[int, LatestDay]:
        """The newest days as they are committed, by how many days ago they were."""
        options = self._options
        return latest_days(self.state.days, self.clock.furthest_ms, options.zone, options.judge.limits, count)

    def decide(self, records: Sequence[Record], moment: Moment) -> Decision:
        batch = WatchBatch(self.state, self._options, self._memo)
        for record in records:
            batch.read(record)
        return self._decision(batch, moment, len(records))

    def close_all(self, moment: Moment) -> Decision:
        """The input is at its end for good (files): every day that the stream has reached closes."""
        batch = WatchBatch(self.state, self._options, self._memo)
        batch.end()
        return self._decision(batch, moment, 0)

    def _decision(self, batch: WatchBatch, moment: Moment, records: int) -> Decision:
        sequence = self._chain.sequence + 1
        changes, snapshot = self._changes(batch)
        start = self._chain.next_offset
        span = (moment.next_offset if start is None else start, moment.next_offset)
        journal = journal_entries("watch", sequence, span, snapshot.turn, changes)
        tally = Tally(records=records, purchases=batch.purchases)
        return Decision(batch.outputs(), journal, sequence, moment.next_offset, changes, snapshot, tally)

    def _changes(self, batch: WatchBatch) -> tuple[WatchChanges, Slice]:
        batch.settle()
        drafts = batch.drafts()
        tables = self.state.tables()
        snapshot = self._snapshot.next_slice(
            tables, sum(len(draft.put) + len(draft.gone) for draft in drafts)
        )
        deltas: list[Delta] = [Delta(dict(draft.put), sorted(draft.gone)) for draft in drafts]  # type: ignore[type-arg]
        for number, key in snapshot.keys:
            value = drafts[number].get(key)
            if value is None:
                continue
            if isinstance(value, Remembered) and self._has_left(value, batch.clock.watermark_ms):
                deltas[number].put.pop(key, None)
                deltas[number].gone.append(key)
            else:
                deltas[number].put[key] = value
        return WatchChanges(*deltas), snapshot

    def _has_left(self, value: Remembered, watermark_ms: int | None) -> bool:
        return watermark_ms is not None and value.last_ms < watermark_ms - self._options.memory_ms

    def apply(self, decision: Decision) -> None:
        self._move(decision.changes, decision.sequence, decision.next_offset)
        self._snapshot.advance(decision.slice, _size(decision.changes))

    def replay(self, entry: JournalEntry) -> None:
        self._chain.follow(entry)
        self._move(read_changes(entry, WatchChanges), entry.sequence, entry.to_offset)
        self._snapshot.resume(entry.turn)

    def restored(self) -> None:
        self._chain.finish()

    def begin(self, offset: int) -> None:
        self._chain.next_offset = offset

    def _move(self, changes: WatchChanges, sequence: int, next_offset: int) -> None:
        for name, table in zip(changes.__struct_fields__, self.state.tables(), strict=True):
            getattr(changes, name).apply(table)
        self._chain.sequence, self._chain.next_offset = sequence, next_offset


def _size(changes: WatchChanges) -> int:
    return sum(len(getattr(changes, name)) for name in changes.__struct_fields__)
