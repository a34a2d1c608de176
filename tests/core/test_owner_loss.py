"""The watermark while partitions lose their owners: it passes nothing that is still unread, and it does not stay behind.

A model of gates that read, ask, and tell: what was decided may be told much later, or never; an end that was met while
reading may be an old one; an owner may go at any moment, and another comes at some time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.watermark import Progress, reached, watermark

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_740_614_400_000
WALL = 1_790_000_000_000
SECOND_MS = 1000


class Fact(NamedTuple):
    """What a gate has decided to tell of its partition: up to which offset it is read, and its times."""

    read_to: int
    stream_ms: int | None
    idle_since_ms: int | None
    end_ms: int | None


BEGUN = Fact(0, None, None, None)


@dataclass
class Input:
    """One partition: its log of event times, what was told of it last, and what its owner is about to tell."""

    log: list[int] = field(default_factory=list)
    told: Fact = BEGUN
    deciding: Fact | None = None
    owned: bool = True


class Model:
    """Writers that write in the order of time, gates, and the watch."""

    def __init__(self, partitions: int) -> None:
        self.inputs = [Input() for _ in range(partitions)]
        self.progress: dict[int, Progress] = {}
        self.mark: int | None = None
        self.now_ms = START
        self.wall_ms = WALL

    def wait(self, seconds: int, *, faster: int = 1) -> None:
        """Time goes on; of what is replayed it goes faster than the clock on the wall."""
        self.now_ms += seconds * SECOND_MS * faster
        self.wall_ms += seconds * SECOND_MS

    def come(self, number: int, events: int = 1, *, faster: int = 1) -> None:
        """Events are written, some seconds apart."""
        for _ in range(events):
            self.wait(5, faster=faster)
            self.inputs[number].log.append(self.now_ms)

    def decide(self, number: int, most: int, *, met_end: bool = False) -> None:
        """The owner reads, asks whether that was all, and decides what to tell. `met_end`: it met an end on the way
        (one of long ago, it may be) and does not ask."""
        it = self.inputs[number]
        if not it.owned or it.deciding is not None:
            return
        records = it.log[it.told.read_to : it.told.read_to + most]
        read_to = it.told.read_to + len(records)
        at_end = read_to == len(it.log)
        idle_since_ms = None
        if at_end or met_end:
            known = None if records else it.told.idle_since_ms
            idle_since_ms = self.wall_ms if known is None else known
        if not records and (met_end or not at_end):
            return
        end_ms = self.wall_ms if at_end and not met_end else None
        stream_ms = max([*records, *([] if it.told.stream_ms is None else [it.told.stream_ms])], default=None)
        it.deciding = Fact(read_to, stream_ms, idle_since_ms, end_ms)

    def tell(self, number: int) -> None:
        """What was decided is committed, and the watch reads it."""
        it = self.inputs[number]
        if it.deciding is None:
            return
        it.told, it.deciding = it.deciding, None
        others = [progress for other, progress in self.progress.items() if other != number]
        before = self.progress.get(number, Progress())
        _, *times = it.told
        self.progress[number] = before.told(before.sequence + 1, *times, reached(others))
        self.mark = watermark(list(self.progress.values()), len(self.inputs), self.mark)
        self.check()

    def check(self) -> None:
        """Nothing that the facts lack is behind the watermark."""
        if self.mark is not None:
            assert self.mark <= self.now_ms
            for it in self.inputs:
                assert all(at >= self.mark for at in it.log[it.told.read_to :]), "passed unread events"

    def lose(self, number: int, *, committed: bool) -> None:
        """The owner is gone; what it was about to tell came through or did not."""
        if committed:
            self.tell(number)
        self.inputs[number].deciding = None
        self.inputs[number].owned = False

    def own(self, number: int) -> None:
        self.inputs[number].owned = True

    def meet_an_end(self, number: int) -> None:
        """The owner reads one event, and an end that was one when the client had it put into its queue."""
        self.tell(number)
        self.decide(number, 1, met_end=True)
        self.tell(number)

    def tick(self, *numbers: int) -> None:
        """Owners that read all there is, and tell that they are at their ends."""
        for number in numbers:
            self.tell(number)
            self.decide(number, 10**6)
            self.tell(number)


def at(act: Callable[[Model, int], None]) -> st.SearchStrategy[Callable[[Model], None]]:
    """The act at one partition or the other."""
    return st.sampled_from([0, 1]).map(lambda number: lambda model: act(model, number))


actions = st.one_of(
    at(lambda model, number: model.come(number)),
    at(lambda model, number: model.come(number, 3, faster=99)),
    at(lambda model, number: model.decide(number, 100)),
    at(lambda model, number: model.tell(number)),
    at(lambda model, number: model.tick(number)),
    at(lambda model, number: model.meet_an_end(number)),
    at(lambda model, number: model.lose(number, committed=True)),
    at(lambda model, number: model.lose(number, committed=False)),
    at(lambda model, number: model.own(number)),
)
models = st.sampled_from([2, 2, 3]).map(Model)
"""The third partition stays empty."""


def run(model: Model, acts: list[Callable[[Model], None]]) -> None:
    """All have told their place; then the acts happen."""
    everyone = range(len(model.inputs))
    model.tick(*everyone)
    model.tick(*everyone)
    for act in acts:
        act(model)


@settings(max_examples=500)
@given(models, st.lists(actions, min_size=5, max_size=40))
def test_the_watermark_never_passes_an_event_that_is_still_unread(model, acts):
    run(model, acts)


@given(models, st.lists(actions, max_size=40))
def test_once_all_are_owned_and_at_their_ends_it_is_where_the_furthest_is(model, acts):
    run(model, acts)
    everyone = range(len(model.inputs))
    for number in everyone:
        model.own(number)
    for _ in range(3):
        model.tick(*everyone)
    furthest = [time for it in model.progress.values() if (time := it.time_ms()) is not None]
    assert model.mark == max([*furthest, *([] if model.mark is None else [model.mark])], default=None)


@given(st.integers(1, 1000), st.integers(1, 50))
def test_a_backlog_is_held_up_by_an_idle_partition_for_two_ticks_and_no_more(faster, facts_a_tick):
    model = Model(2)
    model.tick(0, 1)
    came_to = []
    for _ in range(10):
        model.tick(1)
        for _ in range(facts_a_tick):
            model.come(0, 2, faster=faster)
            model.decide(0, len(model.inputs[0].log) - model.inputs[0].told.read_to - 1)
            model.tell(0)
        came_to.append(model.inputs[0].told.stream_ms)
    assert model.mark is not None
    assert model.mark >= came_to[-3]


def test_a_partition_without_an_owner_holds_everybody_where_it_last_told_that_they_were():
    model = Model(3)
    model.come(0)
    for _ in range(3):
        model.tick(0, 1, 2)
    assert model.mark == model.now_ms
    before = model.mark
    model.lose(2, committed=False)
    for _ in range(20):
        for number in range(3):
            model.come(number)
        model.tick(0, 1)
    assert model.mark == before
    model.own(2)
    for _ in range(3):
        model.tick(0, 1, 2)
    assert model.mark == model.now_ms


def test_an_end_that_a_stopped_process_tells_when_it_wakes_excuses_nothing_it_slept_through():
    model = Model(2)
    model.come(0)
    for _ in range(3):
        model.tick(0, 1)
    before = model.mark
    model.decide(1, 10)
    for _ in range(3):
        model.come(1)
        model.come(0)
        model.tick(0)
    model.tell(1)
    assert model.mark == before


def test_an_end_that_was_met_while_reading_excuses_nothing_that_came_since():
    model = Model(2)
    model.come(1, 3)
    model.come(0)
    model.tick(0)
    first, second, _ = model.inputs[1].log
    model.meet_an_end(1)
    assert model.mark == first
    model.meet_an_end(1)
    assert model.mark == second
