"""Poison at scale: what one hostile source can send in quantity, through gate, watch and deliver; each in a process of its own.

    python -m tests.fuzz.poison CASE SCALE      writes what came of it as JSON

Conservation is counted as it happens: what passed and what became a dead letter must be what came in.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from consumer.core.instant import rfc3339
from consumer.core.record import StoredRecord
from consumer.core.wire import to_json
from consumer.tasks.pipeline import Pipeline
from reports.deliver import Deliverer
from tests.fuzz.engine import peak_mb
from tests.fuzz.grammar import HARMFUL, NOON
from tests.fuzz.target import OPTIONS, WALL_MS, WATCH
from tests.fuzz.traps import traps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BATCH = 10_000
MINUTE_MS = 60_000


class Poisoned(NamedTuple):
    """What came of a poison: `stays` says what is kept of it, `wrong` which bound did not hold (empty: all did)."""

    name: str
    records: int
    seconds: float
    lost: int
    peak_mb: int
    stays: str
    wrong: str


class Victim:
    """A pipeline that is fed poison, and what is known of it."""

    def __init__(self) -> None:
        self.pipeline, self.reader = Pipeline(OPTIONS, WATCH), Deliverer()
        self.records = self.passed = self.letters = 0
        self.most_sessions = self.most_outputs = 0
        self.slowest = 0.0
        self.seconds = 0.0
        self.faults: list[str] = []

    def feed(self, records: list[StoredRecord]) -> None:
        """One batch."""
        began = time.process_time()
        outputs = self.pipeline.feed(records, wall_ms=WALL_MS)
        spent = time.process_time() - began
        self.seconds += spent
        self.slowest = max(self.slowest, spent)
        self.records += len(records)
        self._take(outputs)
        self.most_sessions = max(self.most_sessions, len(self.pipeline.gates[0].sessions))

    def feed_all(self, values: Iterable[tuple[bytes, int | None]], batch: int = BATCH) -> None:
        """Values with the log's time of each, a batch at a time."""
        waiting: list[StoredRecord] = []
        for value, log_ms in values:
            waiting.append(StoredRecord(value, b"key", topic="events", timestamp_ms=log_ms))
            if len(waiting) == batch:
                self.feed(waiting)
                waiting = []
        if waiting:
            self.feed(waiting)

    def end(self) -> None:
        """Every day closes, and the files are made."""
        self._take(self.pipeline.end(WALL_MS))
        self.reader.files()

    def _take(self, outputs: list) -> None:  # type: ignore[type-arg]
        for output in outputs:
            match output.topic:
                case "events.valid":
                    self.passed += 1
                case "events.dlq":
                    self.letters += 1
                case "sluice.days":
                    self.reader.see_day(output.key, output.value)
                case "sluice.alerts":
                    self.reader.see_alert(output.key, output.value)

    def bound(self, what: str, value: float, most: float) -> str:
        """Says the value; one beyond its bound is a fault."""
        if value > most:
            self.faults.append(f"{what}: {value:,.0f} are more than {most:,.0f}")
        return f"{value:,.0f} {what}"

    def watch_bytes(self) -> int:
        """What the watch keeps, as its journal would have it."""
        pack = msgspec.msgpack.Encoder(decimal_format="string").encode
        return sum(len(pack(table)) for table in self.pipeline.watch.state.tables())

    def alert_bytes(self) -> int:
        """All alerts, as their topic has them."""
        return sum(len(to_json(alert)) for alert in self.reader.alerts)


def view(client: str, at_ms: int, more: str = "") -> bytes:
    """A page view as a shop sends it."""
    return (
        f'{{"client_id":"{client}","page_url":"https://www.shop.example/","referrer":null,'
        f'"timestamp":"{rfc3339(at_ms)}","event_name":"page_viewed","event_data":null{more}}}'
    ).encode()


_PURCHASE = '{\\"transaction_id\\":\\"t%d\\",\\"revenue\\":1.5,\\"items\\":[{\\"a%d\\":1}]}'
"""As JSON text within JSON."""


# ── the poisons ─────────────────────────────────────────────────────────────────────────────────────────────────────


def garbage(victim: Victim, scale: float) -> str:
    """A million records in ten hours, of which one in a hundred is an event."""
    rng = Random(1)
    pieces = [
        b"",
        b"hello",
        b"[1]",
        b"null",
        *HARMFUL,
        b"{" * 300,
        view("c", NOON)[:-9],
        b'{"a":1}',
        rng.randbytes(300),
    ]
    most = int(1_000_000 * scale)
    victim.feed_all(
        (view(f"c{n % 5_000}", NOON + n * 36_000_000 // most), None)
        if n % 100 == 0
        else (rng.choice(pieces) + rng.choice(pieces), None)
        for n in range(most)
    )
    return ", ".join(
        (
            f"{victim.letters:,} dead letters",
            victim.bound("alerts", len(victim.reader.alerts), 20),
            victim.bound("bytes of watch", victim.watch_bytes(), 200_000),
        )
    )


def one_client(victim: Victim, scale: float) -> str:
    """One client with a million events, in and out of order, over ten days."""
    rng, most = Random(2), int(1_000_000 * scale)
    step = max(1, round(10 * scale)) * 86_400_000 // most
    victim.feed_all((view("one", NOON + n * step - rng.randint(0, 7_200_000)), None) for n in range(most))
    kept = max((len(sessions) // 4 for sessions in victim.pipeline.gates[0].sessions.values()), default=0)
    return ", ".join(
        (victim.bound("sessions kept", kept, 64), victim.bound("clients kept", victim.most_sessions, 1))
    )


CLIENTS = 10_000_000


def many_clients(victim: Victim, scale: float) -> str:
    """Ten million clients with an event each, in eight hours: sessions leave after gap + lateness, 90 minutes."""
    most, hours = int(CLIENTS * scale), 8
    victim.feed_all((view(f"{n:x}-client", NOON + n * hours * 3_600_000 // most), None) for n in range(most))
    a_minute = most / hours / 60
    stays = victim.bound("clients kept at most", victim.most_sessions, 3.2 * 90 * a_minute + 3 * BATCH)
    return f"{stays}, {victim.most_sessions / a_minute:,.0f} minutes' worth"


def one_minute(victim: Victim, scale: float) -> str:
    """One minute with everything: clients, event names, fields, purchases and garbage, all of them new each time."""
    rng, most = Random(4), int(300_000 * scale)

    def values() -> Iterable[tuple[bytes, int | None]]:
        for n in range(most):
            at = NOON + n % MINUTE_MS
            kind = n % 5
            if kind == 0:
                yield view(f"c{n}", at), None
            elif kind == 1:
                yield view(f"c{n}", at).replace(b"page_viewed", b"event %d" % n), None
            elif kind == 2:
                yield view(f"c{n}", at, f',"field{n}":{n},"key":"{rng.random()}"'), None
            elif kind == 3:
                data = _PURCHASE % (n // 10, n)
                bought = view(f"c{n}", at).replace(b"page_viewed", b"checkout_completed")
                yield bought.replace(b'"event_data":null', f'"event_data":"{data}"'.encode()), None
            else:
                yield b"{%d" % n, None

    victim.feed_all(values())
    victim.end()
    minute = len(to_json(next(iter(victim.pipeline.watch.state.days.values())))) if victim.records else 0
    alerts = sum(alert.kind != "transaction_collision" for alert in victim.reader.alerts)
    return ", ".join(
        (
            victim.bound("bytes of a day", minute, 150_000),
            victim.bound("alerts beside one for each id that collided", alerts, 100),
            victim.bound("transaction ids", len(victim.pipeline.watch.state.ids), most / 10 + 1),
        )
    )


def field_names(victim: Victim, scale: float) -> str:
    """50 MB of field names that nobody has seen before, in five hours."""
    rng, most = Random(5), int(16_000 * scale)

    def values() -> Iterable[tuple[bytes, int | None]]:
        for n in range(most):
            names = "".join(f',"{rng.getrandbits(190):x}":1' for _ in range(60))
            yield view(f"c{n % 900}", NOON + n * 18_000_000 // most, names), None

    victim.feed_all(values(), 1_000)
    victim.end()
    events = victim.pipeline.gates[0]._compiled.events
    shapes = events._shapes
    days = victim.pipeline.watch.state.days.values()
    return ", ".join(
        (
            victim.bound(
                "shapes",
                max(len(shapes._alike), len(shapes.by_signature), len(events.by_types)),
                16_384 + 1_000,
            ),
            victim.bound("names of a day", max(len(day.unknown) for day in days), 201),
            victim.bound("alerts", len(victim.reader.alerts), 300),
            victim.bound("bytes of alerts", victim.alert_bytes(), 1_000_000),
            victim.bound("bytes of watch", victim.watch_bytes(), 3_000_000),
        )
    )


def dragged_time(victim: Victim, scale: float) -> str:
    """A third of the clients say it is up to 300 days later, or earlier; one sends a thousand such events."""
    rng, most = Random(6), int(200_000 * scale)
    ahead = 0

    def values() -> Iterable[tuple[bytes, int | None]]:
        nonlocal ahead
        for n in range(most):
            now = NOON + n * 36_000_000 // most
            if n % 1_000 == 0 and victim.pipeline.gates[0].stream_ms is not None:
                ahead = max(ahead, victim.pipeline.gates[0].stream_ms - now)
            if n % 3:
                yield view(f"c{n % 700}", now - rng.randint(0, 90_000)), None
            else:
                client = "liar" if n % 6 else f"h{rng.randint(0, 200)}"
                yield view(client, now + rng.choice((-1, 1, 1)) * rng.randint(0, 300 * 86_400_000)), None

    victim.feed_all(values(), 1_000)
    mark = victim.pipeline.watch.clock.watermark_ms or 0
    return ", ".join(
        (
            victim.bound("minutes that the stream ran ahead", ahead / MINUTE_MS, 31),
            victim.bound(
                "minutes that the watermark ran ahead", max(0, mark - NOON - 36_000_000) / MINUTE_MS, 31
            ),
        )
    )


def trapped(victim: Victim, scale: float) -> str:
    """Events that are slow to read where a reader is careless; each in a batch of its own, so that each is timed."""
    rounds = max(1, int(20 * scale))
    for number in range(rounds):
        for trap in traps(number):
            victim.feed([StoredRecord(trap, b"key", topic="events")])
    return victim.bound("ms for the slowest", victim.slowest * 1_000, 1_500)


CASES: dict[str, tuple[str, Callable[[Victim, float], str]]] = {
    "garbage": ("99 % garbage", garbage),
    "client": ("one client with all events", one_client),
    "clients": ("every event a new client", many_clients),
    "minute": ("one minute with everything", one_minute),
    "names": ("50 MB of unknown field names", field_names),
    "time": ("timestamps that drag the clock", dragged_time),
    "traps": ("numbers, nesting, patterns, keys that are slow to read", trapped),
}


def one(case: str, scale: float) -> Poisoned:
    """One poison, in this process."""
    name, poison = CASES[case]
    victim = Victim()
    stays = poison(victim, scale)
    lost = victim.records - victim.passed - victim.letters
    if lost:
        victim.faults.append(f"{lost} records were lost")
    return Poisoned(name, victim.records, victim.seconds, lost, peak_mb(), stays, "; ".join(victim.faults))


def run(scale: float, say: Callable[[str], object]) -> list[Poisoned]:
    """All poisons, one after the other, each in a process of its own so that its memory is its own."""
    results = []
    for case, (name, _) in CASES.items():
        command = [sys.executable, "-m", "tests.fuzz.poison", case, str(scale)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        if ended.returncode:
            result = Poisoned(name, 0, 0.0, 0, 0, "", f"the process ended: {ended.stderr[-2000:]}")
        else:
            result = Poisoned(**json.loads(ended.stdout))
        results.append(result)
        say(f"{name}: {result.records:,} records in {result.seconds:.1f} s; {result.stays} {result.wrong}")
    return results


if __name__ == "__main__":
    click.echo(json.dumps(one(sys.argv[1], float(sys.argv[2]))._asdict()))
