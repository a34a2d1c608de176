"""Open sessions: what they cost in memory, and how long it takes to read them back from the journal.

As a program (`python -m tests.bench.state N`) it says by how much its memory grew for N open sessions.
"""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING

import click
import psutil

from consumer.contract_file import load_contract
from consumer.core.instant import rfc3339
from consumer.core.record import StoredRecord
from consumer.core.wire import read_entry
from consumer.runtime.options import gate_options
from consumer.settings import Settings
from consumer.tasks.gate import GateTask
from consumer.tasks.task import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.tasks.task import Decision

BATCH = 10_000
FIRST_MS = 1_740_268_800_000


def new_task() -> GateTask:
    """A gate with everything at its default."""
    return GateTask(0, gate_options(Settings(), load_contract(None), "bench"))


def opened(task: GateTask, sessions: int) -> Iterator[Decision]:
    """Opens so many sessions of as many clients, a batch at a time, within less time than sessions are kept for."""
    tokens = random.Random(sessions)
    for begin in range(0, sessions, BATCH):
        numbers = range(begin, min(begin + BATCH, sessions))
        records = [_record(number, tokens.getrandbits(48)) for number in numbers]
        decision = task.decide(records, Moment(FIRST_MS, 0))
        task.apply(decision)
        yield decision


def _record(number: int, token: int) -> StoredRecord:
    """A page view of a client that nobody has seen before: an event a millisecond."""
    at_ms = FIRST_MS + number
    return StoredRecord(
        b'{"client_id":"%d-%012x","page_url":"https://www.shop.example/","referrer":null,"timestamp":"%s",'
        b'"event_name":"page_viewed","event_data":null,"user_agent":"Mozilla/5.0"}'
        % (at_ms // 1000, token, rfc3339(at_ms).encode())
    )


def journal(sessions: int) -> list[bytes]:
    """The journal of a gate that holds so many open sessions, as it lies in its topic: what a finished turn of the
    rolling snapshot has made superfluous is cut off."""
    entries: list[bytes] = []
    turn_began: int | None = None
    for decision in opened(new_task(), sessions):
        turn = decision.slice.turn
        if turn.begins:
            turn_began = len(entries)
        entries += decision.journal
        if turn.completes and turn_began is not None:
            del entries[:turn_began]
            turn_began = None
    return entries


def seconds_to_apply(entries: list[bytes], sessions: int) -> float:
    """How long decoding and applying the entries takes, without Kafka."""
    task = new_task()
    started = time.perf_counter()
    for entry in entries:
        task.replay(read_entry(entry))
    task.restored()
    seconds = time.perf_counter() - started
    if len(task.sessions) != sessions:
        raise ValueError(f"{len(task.sessions)} sessions were restored instead of {sessions}")
    return seconds


def main(sessions: str) -> None:
    """Holds so many sessions and says how many bytes of memory that took."""
    task, process = new_task(), psutil.Process()
    for _ in opened(new_task(), BATCH):  # what is loaded with the first batch counts for nothing
        before = process.memory_info().rss
    for _ in opened(task, int(sessions)):
        pass
    click.echo(process.memory_info().rss - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
