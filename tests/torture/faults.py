"""What is done to the processes, their ways, the broker and the disks: one generator for each kind of fault.

A fault yields seconds to wait between its steps, so that others can be at work meanwhile. It raises `NotNow` when it
cannot be done, or came to nothing; then it does not count.
"""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.kafka_proxy import Api, Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from consumer.local.kafka import EmbeddedKafka
    from tests.torture.herd import Herd, Member
    from tests.torture.machine import Disk

SESSION_SECONDS = 2.0
TRANSACTION_SECONDS = 10.0
STEP_SECONDS = 10.0
"""How long it is waited for a request that springs a trap."""

END_SECONDS = 60.0
"""How long a process may take to end in order."""

LEFT_UNDONE = 70
"""Exit code of a process that was not done some time after it was asked to end."""

STEPS = (
    Api.ADD_PARTITIONS_TO_TXN,
    Api.PRODUCE,
    Api.ADD_OFFSETS_TO_TXN,
    Api.TXN_OFFSET_COMMIT,
    Api.END_TXN,
    Api.FETCH,
    Api.HEARTBEAT,
)

TAKEOVER_STEPS = (
    Api.INIT_PRODUCER_ID,
    Api.JOIN_GROUP,
    Api.SYNC_GROUP,
    Api.OFFSET_FETCH,
    Api.LIST_OFFSETS,
    Api.FETCH,
)

COMMIT_STEPS = (Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT, Api.END_TXN, Api.END_TXN, Api.PRODUCE)


class NotNow(Exception):  # noqa: N818 - no error
    """The fault cannot be done at the moment, or came to nothing."""


@dataclass
class Scene:
    """What there is to do harm to. `wrong`: what must not have happened."""

    rng: Random
    herd: Herd
    kafka: EmbeddedKafka
    out_disk: Disk
    broker_disk: Disk | None
    wrong: list[str] = field(default_factory=list)
    broker_busy: bool = False

    def take(self, wanted: Callable[[Member], bool] = lambda _: True) -> Member:
        """A member that nothing is done to, for this fault alone until `give_back`. One at least stays free."""
        free = self.herd.free()
        fitting = [member for member in free if wanted(member)]
        if not fitting or len(free) == 1 < len(self.herd.members):
            raise NotNow
        member = self.rng.choice(fitting)
        member.busy = True
        return member

    def give_back(self, member: Member) -> None:
        """The fault is over."""
        member.way.heal()
        member.busy = False


def kill(scene: Scene) -> Iterator[float]:
    """`kill -9`; another one under its name or a new one, now or later; it may be killed as soon as it stands."""
    member, rng = scene.take(), scene.rng
    member.runs.kill()
    yield rng.choice((0.0, 0.0, rng.uniform(0, 2 * SESSION_SECONDS)))
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        scene.herd.start(member)
        yield rng.uniform(0.2, 3)
        member.runs.kill()
    scene.herd.start(member, new_name=rng.random() < 0.3)
    scene.give_back(member)


def kill_at_a_step(scene: Scene) -> Iterator[float]:
    """`kill -9` at one request of a transaction, before the broker hears of it or after."""
    member, rng = scene.take(), scene.rng
    api, fate = rng.choice(STEPS), rng.choice((Fate.PASS, Fate.LOSE_REQUEST))
    process = member.runs

    def spring() -> Fate:
        process.kill_now()
        return fate

    yield from _sprung(scene, member, api, spring)
    process.exit_code()
    scene.herd.start(member, new_name=rng.random() < 0.3)
    scene.give_back(member)


def kill_in_a_takeover(scene: Scene) -> Iterator[float]:
    """`kill -9` of a process at one request of its start: transactional id, join, offsets, journal."""
    member, rng = scene.take(), scene.rng
    member.runs.kill()
    api = rng.choice(TAKEOVER_STEPS)
    scene.herd.start(member, new_name=rng.random() < 0.3)
    process = member.runs

    def spring() -> Fate:
        process.kill_now()
        return Fate.PASS

    yield from _sprung(scene, member, api, spring)
    process.exit_code()
    scene.herd.start(member)
    scene.give_back(member)


def zombie(scene: Scene) -> Iterator[float]:
    """SIGSTOP for longer than the session, sometimes than the transaction; then SIGCONT."""
    member, rng = scene.take(), scene.rng
    member.runs.pause()
    yield _longer(rng)
    member.runs.resume()
    scene.give_back(member)


def zombie_at_a_step(scene: Scene) -> Iterator[float]:
    """The same at one request of a transaction."""
    member, rng = scene.take(), scene.rng
    process = member.runs

    def spring() -> Fate:
        process.pause()
        return Fate.PASS

    yield from _sprung(scene, member, rng.choice(STEPS), spring)
    yield _longer(rng)
    process.resume()
    scene.give_back(member)


def _longer(rng: Random) -> float:
    if rng.random() < 0.2:
        return rng.uniform(TRANSACTION_SECONDS, TRANSACTION_SECONDS + 3)
    return rng.uniform(SESSION_SECONDS, 3 * SESSION_SECONDS)


def restart(scene: Scene) -> Iterator[float]:
    """SIGTERM; it ends in order; another one takes its place."""
    member = scene.take()
    member.runs.ask_to_end()
    yield from _end(scene, member)
    scene.herd.start(member)
    scene.give_back(member)


def _end(scene: Scene, member: Member) -> Iterator[float]:
    """Waits for the end of a process that was asked to end."""
    deadline = time.monotonic() + END_SECONDS
    process, broker_away = member.runs, scene.broker_busy
    while process.running() and time.monotonic() < deadline:
        yield 0.1
        broker_away = broker_away or scene.broker_busy
    if process.running():
        scene.wrong.append(f"{member.instance} did not end within {END_SECONDS:.0f} s of SIGTERM")
        process.kill()
    elif not ended_as_asked(process.exit_code(), process.told(), broker_away=broker_away):
        scene.herd.note_end(member)


def ended_as_asked(code: int, told: str, *, broker_away: bool) -> bool:
    """Whether a process may end like that after SIGTERM: in order; by the signal, before it could listen, without a word;
    or, while there is no broker, because its time is over."""
    return (
        code == 0 or (code == -signal.SIGTERM and not told.strip()) or (code == LEFT_UNDONE and broker_away)
    )


def storm(scene: Scene) -> Iterator[float]:
    """Processes come and go, quickly."""
    rng, strangers = scene.rng, []
    for _ in range(rng.randint(2, 4)):
        strangers.append(scene.herd.stranger())
        yield rng.uniform(0.3, 2.5)
        if rng.random() < 0.5:
            strangers[-1].kill()
        else:
            strangers[-1].ask_to_end()
    yield rng.uniform(0, 2)
    for stranger in strangers:
        stranger.kill()
        if stranger.exit_code() not in (
            0,
            -signal.SIGKILL,
            -signal.SIGTERM,
        ):  # SIGTERM: before it could listen
            scene.herd.note_process(stranger)


def kill_the_broker(scene: Scene) -> Iterator[float]:
    """`kill -9` of the broker, sometimes as soon as it is back."""
    with _Broker(scene):
        for _ in range(scene.rng.choice((1, 1, 1, 2))):
            scene.kafka.kill()
            yield scene.rng.choice((0.0, scene.rng.uniform(0, 6)))
            yield from _meanwhile(scene.kafka.start)


def restart_the_broker(scene: Scene) -> Iterator[float]:
    """The broker ends in order and comes back."""
    with _Broker(scene):
        yield from _meanwhile(scene.kafka.restart)


def fill_the_brokers_disk(scene: Scene) -> Iterator[float]:
    """The broker's disk is full, of which it dies; then there is room again."""
    if scene.broker_disk is None:
        raise NotNow
    with _Broker(scene):
        scene.broker_disk.fill()
        deadline = time.monotonic() + 20
        while scene.kafka.running() and time.monotonic() < deadline:
            yield 0.2
        scene.kafka.kill()
        scene.broker_disk.free()
        yield from _meanwhile(scene.kafka.start)


def _meanwhile(work: Callable[[], None]) -> Iterator[float]:
    """Does it in a thread, so that others get on; nobody else uses the broker meanwhile. Raises what it raised."""
    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(work)
        while not doing.done():
            yield 0.2
        doing.result()


class _Broker:
    """One fault of the broker at a time."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __enter__(self) -> None:
        if self._scene.broker_busy:
            raise NotNow
        self._scene.broker_busy = True

    def __exit__(self, *_: object) -> None:
        self._scene.broker_busy = False


def cut(scene: Scene) -> Iterator[float]:
    """All connections of a process, or those of one purpose, break once or a few times."""
    member, rng = scene.take(), scene.rng
    for _ in range(rng.choice((1, 1, 3, 8))):
        member.way.cut(rng.choice((None, Api.FETCH, Api.PRODUCE, Api.HEARTBEAT, Api.TXN_OFFSET_COMMIT)))
        yield rng.uniform(0, 1)
    scene.give_back(member)


def cut_all(scene: Scene) -> Iterator[float]:
    """All connections of all processes break."""
    yield 0
    for member in scene.herd.members:
        member.way.cut()


def freeze(scene: Scene) -> Iterator[float]:
    """Nothing goes to the broker any more, for less or longer than the session; then it goes on, or breaks."""
    member, rng = scene.take(), scene.rng
    member.way.freeze()
    yield rng.uniform(0.5, 4 * SESSION_SECONDS)
    if rng.random() < 0.3:
        member.way.cut()
    scene.give_back(member)


def slow_down(scene: Scene) -> Iterator[float]:
    """Each request takes longer."""
    member, rng = scene.take(), scene.rng
    member.way.slow_down(rng.uniform(0.02, 0.5))
    yield rng.uniform(2, 8)
    scene.give_back(member)


def time_out_a_commit(scene: Scene) -> Iterator[float]:
    """A request of the commit, or its answer, is lost or takes its time."""
    member, rng = scene.take(), scene.rng
    fate = rng.choice(
        (Fate.LOSE_REQUEST, Fate.LOSE_ANSWER, Fate.SWALLOW_ANSWER, Fate.SWALLOW_ANSWER, Fate.PASS)
    )

    def spring() -> Fate:
        if fate is Fate.PASS:
            member.way.freeze()
        return fate

    yield from _sprung(scene, member, rng.choice(COMMIT_STEPS), spring)
    if fate in (Fate.PASS, Fate.SWALLOW_ANSWER):
        yield rng.choice((rng.uniform(0.5, 4), _longer(rng)))
        if rng.random() < 0.3:
            member.way.cut()
    scene.give_back(member)


def fill_the_disk(scene: Scene) -> Iterator[float]:
    """The disk of the daily files is full for a while."""
    scene.out_disk.fill()
    yield scene.rng.uniform(1, 6)
    scene.out_disk.free()


def jump_the_clock(scene: Scene) -> Iterator[float]:
    """A process's wall clock is ahead or behind for a while: seconds, minutes, hours, days."""
    member, rng = scene.take(lambda member: member.clock is not None), scene.rng
    assert member.clock is not None
    size = rng.choice((30, 600, 3_500, 7_300, 10 * 86_400))
    member.clock.jump(rng.choice((-1, 1)) * rng.randint(size // 2, size))
    yield rng.uniform(2, 10)
    member.clock.jump(0)
    scene.give_back(member)


def _sprung(scene: Scene, member: Member, api: Api, spring: Callable[[], Fate]) -> Iterator[float]:
    """Sets a trap and waits until it has sprung."""
    sprung: list[bool] = []

    def first() -> Fate:
        fate = spring()
        sprung.append(True)
        return fate

    member.way.trap(api, first)
    deadline = time.monotonic() + STEP_SECONDS
    while not sprung:
        if time.monotonic() > deadline:
            member.way.heal()
            if not sprung:
                scene.give_back(member)
                raise NotNow
        yield 0.05


KINDS: dict[str, tuple[Callable[[Scene], Iterator[float]], int]] = {
    "kill -9": (kill, 6),
    "kill -9 at a step of a transaction": (kill_at_a_step, 5),
    "kill -9 in a takeover": (kill_in_a_takeover, 4),
    "SIGSTOP past the session, SIGCONT": (zombie, 5),
    "SIGSTOP at a step of a transaction, SIGCONT": (zombie_at_a_step, 4),
    "restart": (restart, 4),
    "rebalance storm": (storm, 3),
    "broker killed": (kill_the_broker, 3),
    "broker restarted": (restart_the_broker, 1),
    "broker's disk full": (fill_the_brokers_disk, 1),
    "connections cut": (cut, 5),
    "all connections cut": (cut_all, 2),
    "connections frozen": (freeze, 4),
    "connections slow": (slow_down, 2),
    "commit lost or timed out": (time_out_a_commit, 6),
    "disk of the files full": (fill_the_disk, 3),
    "clock jumps": (jump_the_clock, 4),
}
"""What can be done, and how often it is compared with the others."""
