"""One turn: poll → decide → commit → apply. The only catcher of the three errors, and the only owner of tasks.

connect ──▶ turn ──▶ turn ──▶ …           Retry:  aborted; the same records again, with what came since
▲          │                           Fenced: drop every task, connect anew, restore from the journal
└──────────┘ Fenced                    Fatal:  stop, one sentence
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from consumer.core.wire import WireError, read_entry
from consumer.runtime.observer import Stages
from consumer.runtime.transport import (
    Fatal,
    Fenced,
    Partition,
    Polled,
    Retry,
    Transaction,
    Transport,
    journal_partition,
)
from consumer.runtime.waiting import Waiting, log_ms
from consumer.tasks.task import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.core.record import Record
    from consumer.runtime.clock import Clock
    from consumer.runtime.observer import Observer
    from consumer.runtime.transport import Owner
    from consumer.tasks.task import Decision, Task

ENTRIES_A_STEP = 100
"""Journal entries between two signs of life of a restore."""

FENCED_SECONDS = 30.0
"""Twins put each other out about once a second, with a batch committed now and then. A broker that ends transactions
because their time is up takes ten seconds for each."""


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """`tick_seconds`: how often the broker is asked whether a partition is still at its end: an idle one holds event
    time up for two of them. `most_fenced`: fenced so often without one commit in between, or within `fenced_seconds`, two
    processes must be using one instance name; 0 = they cannot, the name is drawn at each start. `most_equal`: what was
    refused, or did not fit together, so often in a row always will be. `keyed_topic`: empty where the input itself is
    keyed."""

    facts_topic: str
    most_records: int = 10_000
    wait_seconds: float = 0.25
    tick_seconds: float = 5.0
    most_fenced: int = 6
    fenced_seconds: float = FENCED_SECONDS
    most_equal: int = 3
    keyed_topic: str = ""
    first_backoff_seconds: float = 0.05
    most_backoff_seconds: float = 5.0


@dataclass(slots=True)
class Batch:
    """Records of one partition that are not committed yet."""

    records: list = field(default_factory=list)  # type: ignore[type-arg]
    position: int | None = None
    at_end: bool = False
    asked: bool = False

    def extend(self, polled: Polled, partition: Partition) -> None:
        """Takes in what a poll brought for the partition."""
        if partition in polled.records:
            self.records.extend(polled.records[partition])
            self.at_end = False
        if partition in polled.positions:
            self.position = polled.positions[partition]
        self.at_end = self.at_end or partition in polled.at_end


class Stop(Protocol):
    """Tells when to end, and waits no longer than until then (a `threading.Event`)."""

    def is_set(self) -> bool:
        """Whether to end."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Waits at most so many seconds; whether to end."""
        ...


class Loop:
    """Runs tasks on the partitions that the group gives us. One thread; no decisions about the data."""

    def __init__(
        self,
        connect: Callable[[Owner], Transport],
        new_task: Callable[[Partition], Task],
        options: LoopOptions,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.tasks: dict[Partition, Task] = {}
        self._connect = connect
        self._new_task = new_task
        self._options = options
        self._clock = clock
        self._observer = observer
        self._transport: Transport | None = None
        self._pending: dict[Partition, Batch] = {}
        self._ended: set[Partition] = set()
        self._asked: dict[Partition, float] = {}
        """When the end of an input partition was last asked: and told, or denied."""
        self.behind: dict[Partition, int] = {}
        """Records left to read by partition, when last known."""
        self._reached_ms: dict[Partition, int] = {}
        """When the last record that was committed had come into its log."""
        self._trim_from: dict[Partition, int] = {}
        self._equal_aborts: tuple[str, int] = ("", 0)
        self._fenced: Counter[str] = Counter()
        """How often in a row without one commit, by outcome."""
        self._fenced_at: deque[float] = deque(maxlen=max(1, options.most_fenced))
        self._overtaken: Counter[Partition | None] = Counter()
        """How often in a row without a commit of that partition."""

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, stop: Stop) -> None:
        """Turns until `stop` is set. Raises Fatal."""
        while not stop.is_set():
            try:
                self._connect_and_turn(stop)
            except Fenced as error:
                self._count_fenced(error)
                self._observer.recovering(error)
                stop.wait(self._backoff_seconds())

    def _connect_and_turn(self, stop: Stop) -> None:
        self._drop_everything()
        transport = self._transport = self._connect(self)
        comes_back = False
        try:
            self._observer.connected()
            while not stop.is_set():
                self.turn(transport, stop)
        except Fenced as error:
            comes_back = not error.leaves
            raise
        finally:
            transport.close(for_good=not comes_back)
            self._drop_everything()

    def _drop_everything(self) -> None:
        self._transport = None
        self.tasks.clear()
        self.behind.clear()
        self._reached_ms.clear()
        self._pending.clear()
        self._ended.clear()
        self._asked.clear()
        self._trim_from.clear()

    def _count_fenced(self, error: Fenced) -> None:
        self._fenced[error.outcome] += 1
        self._overtaken[error.about] += error.outcome == "overtaken"
        if self._overtaken[error.about] >= self._options.most_equal:
            raise Fatal(str(error)) from error
        if error.outcome == "fenced" and self._has_a_twin():
            raise Fatal(
                "fenced again and again: another process uses the same instance name; "
                "give each its own (setting `instance`) or leave it empty"
            ) from error

    def _has_a_twin(self) -> bool:
        """Whether being fenced once more means that."""
        most, now = self._options.most_fenced, self._clock.monotonic()
        self._fenced_at.append(now)
        at_once = len(self._fenced_at) == most and now - self._fenced_at[0] <= self._options.fenced_seconds
        return most > 0 and (at_once or self._fenced["fenced"] >= most)

    def _backoff_seconds(self) -> float:
        doubled: float = self._options.first_backoff_seconds * 2.0 ** min(self._fenced.total() - 1, 16)
        return min(doubled, self._options.most_backoff_seconds)

    # ── one turn ────────────────────────────────────────────────────────────────────────────────────────────────

    def turn(self, transport: Transport, stop: Stop) -> None:
        """Poll, decide, commit, apply. A clean abort keeps the records for the next turn. Raises Fenced, Fatal."""
        stages, clock = Stages(), self._clock.monotonic
        started = clock()
        self._collect(transport)
        self._tell_waiting()  # a commit can take long, and fail
        stages.poll, started = clock() - started, clock()
        decisions = self._decide(transport)
        stages.decide, started = clock() - started, clock()
        if decisions:
            try:
                marks = transport.commit(self._transaction(decisions))
            except Retry as error:
                self._count_equal(error)
                self._observer.aborted(error)
                self._turned(transport)
                stop.wait(
                    0 if error.rebalance else self._options.first_backoff_seconds * self._equal_aborts[1]
                )
                return
            stages.commit, started = clock() - started, clock()
            self._apply(transport, decisions, marks)
            stages.apply = clock() - started
            self._observer.committed(decisions, self.tasks, stages)
        self._turned(transport)

    def _turned(self, transport: Transport) -> None:
        self._tell_waiting()
        if not self.tasks:
            self._observer.without_partitions(transport.joined(), transport.reached())
        self._observer.turned()

    def _tell_waiting(self) -> None:
        self._observer.waiting({partition: self._waiting(partition) for partition in self.behind})

    def _waiting(self, partition: Partition) -> Waiting:
        batch = self._pending.get(partition)
        read = batch.records if batch is not None else []
        since_ms = log_ms(read[0]) if read else self._reached_ms.get(partition)
        return Waiting(self.behind[partition] + len(read), since_ms)

    def _collect(self, transport: Transport) -> None:
        """Adds what a poll brings to what is pending; partitions that went away have taken their records along."""
        waiting = sum(len(batch.records) for batch in self._pending.values())
        most = max(1, self._options.most_records - waiting)
        polled = transport.poll(most, 0 if waiting else self._options.wait_seconds)
        self.behind.update(polled.behind)
        for partition in polled.positions.keys() | polled.records.keys() | polled.at_end:
            if partition in self.tasks:
                self._pending.setdefault(partition, Batch()).extend(polled, partition)

    def _decide(self, transport: Transport) -> dict[Partition, Decision]:
        parts, keyed = transport.input_partitions(), transport.keyed_partitions()
        wall = self._clock.now_ms()
        self._ask_ends(transport)
        decisions = {}
        for partition, batch in self._pending.items():
            if batch.position is not None and (batch.records or batch.asked):
                read = keyed if partition.topic == self._options.keyed_topic else parts
                moment = Moment(wall, batch.position, batch.at_end, read, batch.asked, keyed)
                decisions[partition] = self._decide_one(partition, batch.records, moment)
        return decisions

    def _ask_ends(self, transport: Transport) -> None:
        """Asks where the logs end for partitions that seem to be at their end. What was met while reading does not do:
        the client had it in its queue, perhaps since before the last commit."""
        due = self._due()
        ended = transport.still_at_end(due)
        for partition in due:
            if partition not in ended:
                self._asked[partition] = self._clock.monotonic()
        for batch in self._pending.values():
            batch.asked = False
        for partition in ended:
            batch = self._pending.setdefault(partition, Batch())
            if batch.position is None:
                batch.position = self.tasks[partition].next_offset
            batch.at_end = batch.asked = batch.position is not None

    def _decide_one(self, partition: Partition, records: Sequence[Record], moment: Moment) -> Decision:
        try:
            return self.tasks[partition].decide(records, moment)
        except WireError as error:
            raise Fenced(
                f"{partition} cannot be read below offset {moment.next_offset}: {error}; take "
                "away what is not ours, or delete all sluice topics and the group and read anew",
                outcome="overtaken",
                about=partition,
            ) from error

    def _due(self) -> list[Partition]:
        """Input partitions that seem to be at their end, and were not asked for a while."""
        due_from = self._clock.monotonic() - self._options.tick_seconds
        met = {partition for partition, batch in self._pending.items() if batch.at_end}
        more = {partition for partition, batch in self._pending.items() if batch.records} - met
        return [
            partition
            for partition in sorted((self._ended | met) - more)
            if partition in self.tasks
            and partition.topic != self._options.facts_topic
            and self._asked.get(partition, due_from) <= due_from
        ]

    def _transaction(self, decisions: dict[Partition, Decision]) -> Transaction:
        transaction = Transaction()
        for partition, decision in decisions.items():
            transaction.outputs += decision.outputs
            transaction.journal[self._journal_of(partition)] = decision.journal
            transaction.positions[partition] = decision.next_offset
        return transaction

    def _apply(
        self, transport: Transport, decisions: dict[Partition, Decision], marks: dict[int, int]
    ) -> None:
        now = self._clock.monotonic()
        self._equal_aborts = ("", 0)
        self._fenced.clear()
        self._overtaken.pop(None, None)
        cut: dict[int, int] = {}
        consumed: dict[Partition, int] = {}
        for partition, decision in decisions.items():
            self.tasks[partition].apply(decision)
            self._overtaken.pop(partition, None)
            batch = self._pending.pop(partition)
            if batch.records and (reached_ms := log_ms(batch.records[-1])) is not None:
                self._reached_ms[partition] = reached_ms
            if batch.at_end:
                self._ended.add(partition)
            else:
                self._ended.discard(partition)
            if batch.asked:
                self._asked[partition] = now
            number = self._journal_of(partition)
            turn = decision.slice.turn
            if turn.begins and number in marks:
                self._trim_from[partition] = marks[number]
            if turn.completes and partition in self._trim_from:
                cut[number] = self._trim_from.pop(partition)
                if partition.topic in (self._options.facts_topic, self._options.keyed_topic):
                    consumed[partition] = decision.next_offset
        if cut:
            transport.trim(cut, consumed)

    def _journal_of(self, partition: Partition) -> int:
        return journal_partition(partition, self._options.facts_topic, self._options.keyed_topic)

    def _count_equal(self, error: Retry) -> None:
        code, times = self._equal_aborts
        times = times + 1 if code == error.code else 1
        self._equal_aborts = (error.code, times)
        if error.permanent and times >= self._options.most_equal:
            raise Fatal(f"the same transaction was refused {times} times: {error}") from error

    # ── partitions come and go (called from within poll and close) ──────────────────────────────────────────────

    def assigned(self, partition: Partition, committed: int | None) -> int | None:
        """Restores the partition's task from its journal and checks it against the committed offset."""
        started = self._clock.monotonic()
        self._observer.restoring(partition, 0, 0)
        task = self._new_task(partition)
        entries = self._replay(partition, task)
        offset = _agreed(partition, task.next_offset, committed)
        self.tasks[partition] = task
        self._observer.restored(partition, self.tasks, entries, self._clock.monotonic() - started, offset)
        return offset

    def _replay(self, partition: Partition, task: Task) -> int:
        if self._transport is None:
            raise Fenced("assigned while not connected", outcome="lost")
        number = self._journal_of(partition)
        entries, size, at = 0, 0, -1
        try:
            for at, data in self._transport.read_journal(number):  # noqa: B007 - named in the error below
                task.replay(read_entry(data))
                entries, size = entries + 1, size + len(data or b"")
                if entries % ENTRIES_A_STEP == 0:
                    self._observer.restoring(partition, entries, size)
                    self._observer.turned()
            self._observer.restoring(partition, entries, size)
            task.restored()
        except WireError as error:
            raise Fenced(
                f"the journal of {partition} (its partition {number}, offset {at}) is "
                f"damaged: {error}; restore that topic, or delete all sluice topics and the group and read anew",
                outcome="overtaken",
                about=partition,
            ) from error
        return entries

    def starts_at(self, partition: Partition, offset: int) -> None:
        """A partition without a place begins here."""
        task = self.tasks.get(partition)
        if task is not None:
            task.begin(offset)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Drops the partitions' tasks and their pending records."""
        for partition in partitions:
            self._ended.discard(partition)
            for kept in (
                self.tasks,
                self.behind,
                self._pending,
                self._asked,
                self._reached_ms,
                self._trim_from,
            ):
                kept.pop(partition, None)
        self._observer.revoked(partitions)


def _agreed(partition: Partition, journalled: int | None, committed: int | None) -> int | None:
    """The offset to go on from, if the journal and the group agree on it.

    A group without an offset (it expires after seven days without members) goes on where the journal stands: both
    were written in one transaction, so the journal knows. If they do not agree, we may have been stopped between asking
    for the one and reading the other, and somebody else went on: raises Fenced(overtaken), which is Fatal when it stays.
    """
    if committed is None or journalled == committed:
        return journalled
    if journalled is None:
        raise Fenced(
            f"{partition} was read up to offset {committed}, but its journal is empty: bring the journal topic back, "
            "or delete all sluice topics and the group and read anew",
            outcome="overtaken",
            about=partition,
        )
    raise Fenced(
        f"the journal of {partition} stands at offset {journalled}, the group at {committed}: somebody moved the group's "
        f"offset; set it to {journalled}, or delete all sluice topics and the group and read anew",
        outcome="overtaken",
        about=partition,
    )
