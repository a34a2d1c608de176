"""What is drawn: a stream of records, and schedules of everything that may happen to those who read it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from consumer.core.timestamps import MINUTE_MS
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.keyer import KeyerOptions, KeyerTask
from consumer.tasks.watch import WatchTask
from tests.oracle import OracleDay, dead_letters, judge
from tests.shop_contract import gate_options, watch_options
from tests.simulated_ledger import Ledger
from tests.simulated_transport import TOPICS
from tests.simulation import Setting, Simulation
from tests.strategies import OWN_DOMAINS, judged, partitionings, shuffled_within, streams

if TYPE_CHECKING:
    from consumer.runtime.transport import Partition
    from consumer.tasks.task import Task
    from tests.oracle import JudgedRecord
    from tests.strategies import Arrival

LATENESS_MS = 60 * MINUTE_MS
SCHEDULES = 10
"""Of each stream: what the batch query says of it holds for all of them."""


class Schedule(NamedTuple):
    """All that decides what happens to those who read a stream."""

    seed: int
    setting: Setting


class Stream:
    """Records, where they lie, and what the batch query says of them."""

    def __init__(self, arrivals: list[Arrival], partitions: int, zone: str, *, keyed: bool) -> None:
        self.zone = zone
        self.keyed = keyed
        self._arrivals = arrivals
        self._partitions = partitions

    def __repr__(self) -> str:
        return f"Stream({self._arrivals!r}, {self._partitions}, {self.zone!r}, keyed={self.keyed})"

    @cached_property
    def days(self) -> dict[str, OracleDay]:
        """The numbers of each day."""
        return judge(self._judged, zone=self.zone, own_domains=OWN_DOMAINS)

    @cached_property
    def reasons(self) -> dict[str, int]:
        """How many dead letters there are for each reason."""
        return dead_letters(self._judged, zone=self.zone)

    @property
    def _judged(self) -> list[JudgedRecord]:
        return judged(self._arrivals)

    def new_task(self, partition: Partition) -> Task:
        """A gate for a partition of the input, the watch for the facts."""
        if partition.topic == TOPICS.facts:
            return WatchTask(watch_options(self.zone))
        options = gate_options(self.zone, "events.valid")
        if self.keyed:
            return GateTask(partition.number, options)
        if partition.topic == TOPICS.events:
            return KeyerTask(partition.number, KeyerOptions(options.contract))
        return KeyedGateTask(partition.number, options)

    def simulation(self, schedule: Schedule) -> tuple[Simulation, Ledger]:
        """The run, ready to go, and who watches its commits."""
        seed, setting = schedule
        simulation = Simulation(seed, self._arrivals, self._partitions, setting, self.new_task)
        return simulation, Ledger(simulation.kafka, simulation.topics)


@st.composite
def drawn_streams(draw: st.DrawFn, *, keyed: bool) -> Stream:
    """Some records over some partitions."""
    partitions = draw(st.sampled_from([1, 2, 2, 3]))
    stream = draw(streams(most=20))
    spread = draw(partitionings(partitions, keyed=keyed))
    arrivals = draw(shuffled_within(stream, LATENESS_MS, spread))
    return Stream(arrivals, partitions, draw(st.sampled_from(["UTC", "America/New_York"])), keyed=keyed)


def drawn_schedules(*, keyed: bool) -> st.SearchStrategy[Schedule]:
    """A seed for everything that happens, and what kind of run it is."""
    setting = st.builds(
        Setting,
        processes=st.sampled_from([1, 2, 3]),
        most_records=st.sampled_from([1, 3, 10, 100] if keyed else [4, 10, 100]),
        faulty_steps=st.sampled_from([300, 50, 0]),
        live=st.booleans(),
        grows=st.sampled_from([False, False, True]),
        keyed=st.just(keyed),
    )
    return st.builds(Schedule, st.integers(0, 2**32 - 1), setting)


def runs(*, keyed: bool) -> st.SearchStrategy[tuple[Stream, list[Schedule]]]:
    """A stream, and what is to happen to its readers, each time anew."""
    schedules = st.lists(drawn_schedules(keyed=keyed), min_size=SCHEDULES, max_size=SCHEDULES)
    return st.tuples(drawn_streams(keyed=keyed), schedules)
