"""Journals and facts as older versions wrote them, kept under `tests/golden/journals`.

As a program (`python -m tests.older_journals NAME`) it writes today's; it can be run in the tree of any version. What is
there already is never written anew: it stands for what users' topics hold.
"""

from __future__ import annotations

import json
import random
import sys
import zlib
from pathlib import Path
from typing import Any

import msgspec

from consumer.core.instant import rfc3339
from consumer.core.record import StoredRecord
from consumer.tasks.gate import GateTask
from consumer.tasks.task import Moment
from consumer.tasks.watch import WatchTask
from tests.shop_contract import gate_options, watch_options

FOLDER = Path(__file__).parent / "golden" / "journals"

MIDNIGHT_MS = 1_740_614_400_000
DAY_MS = 86_400_000
DAYS = 4
VISITS_A_DAY = 50
BATCH = 60
WALL_MS = 1_750_000_000_000


def events() -> list[bytes]:
    """Some days of visits: purchases, one twice, two under one id, invalid ones, garbage, events without a client."""
    drawn = random.Random(20)
    found: list[tuple[int, bytes]] = []
    for day in range(DAYS):
        for visit in range(VISITS_A_DAY):
            begins = MIDNIGHT_MS + day * DAY_MS + drawn.randrange(DAY_MS - 7_200_000)
            found += _visit(f"{day}-{visit}", begins, drawn)
    found.append((MIDNIGHT_MS + DAY_MS, b"no JSON"))
    found.sort(key=lambda one: one[0])
    return [value for _, value in found]


def _visit(name: str, begins_ms: int, drawn: random.Random) -> list[tuple[int, bytes]]:
    client = {} if name.endswith("-7") else {"client_id": f"c{name}"}
    referrer = drawn.choice([None, "https://www.google.com/"])
    told = []
    for page in range(drawn.randrange(1, 5)):
        at_ms = begins_ms + page * drawn.randrange(1, 40) * 60_000
        event = {**client, "timestamp": rfc3339(at_ms), "event_name": "page_viewed", "referrer": referrer}
        told.append((at_ms, json.dumps(event).encode()))
    if name.endswith(("0", "5")):
        bought = {"revenue": 10 + len(name), "transaction_id": f"t{name[-2:]}", "items": [{"id": "a"}]}
        if name.endswith("15"):
            del bought["items"]
        event = {
            **client,
            "timestamp": rfc3339(begins_ms),
            "event_name": "checkout_completed",
            "event_data": bought,
        }
        told += [(begins_ms, json.dumps(event).encode())] * (1 + name.endswith("20"))
    return told


class Shop:
    """A gate and a watch that read the events, a batch at a time; what they write is noted. They may come from a
    journal."""

    def __init__(self) -> None:
        self.gate, self.watch = GateTask(0, gate_options()), WatchTask(watch_options())
        self.written: dict[str, list[bytes]] = {"gate": [], "watch": [], "facts": []}
        self.days: dict[str, Any] = {}

    def read(self, values: list[bytes]) -> None:
        """Reads events on from where it stands."""
        place = self.gate.next_offset or 0
        for begin in range(0, len(values), BATCH):
            batch = values[begin : begin + BATCH]
            records = [StoredRecord(value, offset=place + n) for n, value in enumerate(batch)]
            place += len(batch)
            gated = self.gate.decide(records, Moment(WALL_MS, place))
            self.gate.apply(gated)
            self.written["gate"] += gated.journal
            self._watch([output.value for output in gated.outputs if output.topic == "sluice.facts"])

    def _watch(self, facts: list[bytes]) -> None:
        at = self.watch.next_offset or 0
        records = [StoredRecord(value, offset=at + n) for n, value in enumerate(facts)]
        self._take(self.watch.decide(records, Moment(WALL_MS, at + len(facts))))
        self.written["facts"] += facts

    def end(self) -> dict[str, Any]:
        """Closes every day; what the latest receipts say of each."""
        self._take(self.watch.close_all(Moment(WALL_MS, self.watch.next_offset or 0)))
        return self.days

    def _take(self, decision: Any) -> None:
        self.watch.apply(decision)
        self.written["watch"] += decision.journal
        for output in decision.outputs:
            if output.topic == "sluice.days":
                self.days[output.key.decode()] = msgspec.json.decode(output.value)


def main(name: str) -> None:
    """Writes what a version's gate and watch hold after half of the events."""
    shop, values = Shop(), events()
    shop.read(values[: len(values) // 2])
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.msgpack.z").open("xb") as file:
        file.write(zlib.compress(msgspec.msgpack.encode(shop.written), 9))


if __name__ == "__main__":
    main(sys.argv[1])
