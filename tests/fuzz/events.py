"""Events through the gate, and through everything to the files."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from consumer.core.record import StoredRecord
from consumer.core.wire import read_entry
from consumer.tasks.task import Moment
from consumer.tasks.watch import WatchTask
from reports.deliver import Deliverer
from tests.fuzz.grammar import NOON
from tests.fuzz.oracle import NUMBER, conserved, must
from tests.fuzz.target import ONE_PIPELINE, OPTIONS, WALL_MS, WATCH, Target, deliver, new_gate

if TYPE_CHECKING:
    from consumer.core.record import Headers, Record
    from tests.fuzz.grammar import Grammar

PARTS = b"\x1e"
"""Stands between the records of an input: a control character, which JSON must escape."""

LOG_TIMES = (None, NOON, NOON, NOON + 3_600_000, NOON + 40 * 86_400_000, 0, -5, 2**62, -(2**62))


class Decode(Target):
    """Events through the gate: records with odd log times and headers."""

    name = "decode"
    share = 15

    def draw(self, grammar: Grammar) -> bytes:
        return PARTS.join(self._record(grammar) for _ in range(grammar.pick((1, 1, 2, 5))))

    def _record(self, grammar: Grammar) -> bytes:
        """A digit for the log's time, and where there is `sluice.counted` that before the value."""
        value = grammar.event() if grammar.often(0.9) else grammar.json()
        head = str(grammar.rng.randint(0, len(LOG_TIMES) - 1))
        if grammar.often(0.1):
            head += self._counted(grammar) + "\x1d"
            value += "\n"
        return (head + value).encode("utf-8", "surrogatepass")

    def _counted(self, grammar: Grammar) -> str:
        fields = {
            "reason": grammar.pick(('"not_json"', '"purchase_items"', grammar.json(0))),
            "minute": grammar.pick((str(NOON // 60_000), "null", grammar.number())),
            "visit": grammar.pick(("true", "false")),
            "contents": grammar.pick(("[]", '["a"]', grammar.json(1))),
            "claimed": grammar.pick(('"12.50"', "null", f'"{grammar.number()}"', grammar.number())),
        }
        return grammar.object({key: value for key, value in fields.items() if grammar.often(0.8)})

    def records(self, data: bytes) -> list[Record]:
        """The records of an input."""
        return [self._made(number, part) for number, part in enumerate(data.split(PARTS))]

    def _made(self, number: int, part: bytes) -> StoredRecord:
        head, value = part[:1], part[1:]
        headers: Headers = [(NUMBER, b"%d" % number)]
        if b"\x1d" in value:
            counted, _, value = value.partition(b"\x1d")
            headers += [
                ("sluice.origin", b"events/0/7"),
                ("sluice.attempts", b"1"),
                ("sluice.counted", counted),
            ]
        log_ms = LOG_TIMES[int(head) % len(LOG_TIMES)] if head.isdigit() else NOON
        return StoredRecord(
            value or None, b"key", topic="events", offset=number, timestamp_ms=log_ms, headers=headers
        )

    def run(self, data: bytes) -> None:
        records = self.records(data)
        gate = new_gate()
        decision = gate.decide(records, Moment(WALL_MS, len(records), at_end=True))
        conserved(records, (), decision, OPTIONS)
        gate.apply(decision)
        again = new_gate()
        for entry in decision.journal:
            again.replay(read_entry(entry))
        again.restored()
        must(again.sessions == gate.sessions and again.state == gate.state, "restored is not as live")


class Whole(Decode):
    """Events through gate, watch and deliver, to the very files."""

    name = "pipeline"
    share = 1

    def run(self, data: bytes) -> None:
        records = self.records(data)
        pipeline, reader = copy(ONE_PIPELINE), Deliverer()
        pipeline.gates, pipeline.watch = [new_gate()], WatchTask(WATCH)
        outputs = pipeline.feed(records, wall_ms=WALL_MS, at_end=True)
        outputs += pipeline.end(WALL_MS)
        deliver(reader, [(output.topic, output.key, output.value) for output in outputs])
        must(reader.unusable == 0, "a receipt or alert of ours is not read by our own deliverer")
