"""Our own topics, should anybody else write into them: journal, facts, operators' commands, days and alerts."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from functools import cache
from typing import NamedTuple

import msgspec

from consumer.core.facts import Command, GateReport
from consumer.core.record import StoredRecord
from consumer.core.wire import WireError, read_changes, read_entry, read_facts, to_json
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_state import GateChanges
from consumer.tasks.task import Moment
from consumer.tasks.watch import WatchTask
from consumer.tasks.watch_state import WatchChanges
from reports.deliver import Deliverer
from tests.fuzz.events import PARTS, Decode
from tests.fuzz.grammar import NOON, Grammar
from tests.fuzz.oracle import must, sentence
from tests.fuzz.target import OPTIONS, WALL_MS, WATCH, Target, Told, deliver, new_gate


class Made(NamedTuple):
    """What Sluice itself wrote into its topics, of drawn events."""

    journal: list[bytes]
    facts: list[bytes]
    told: list[Told]


@cache
def made() -> Made:
    """Journals, facts, and days and alerts of two days of drawn events."""
    grammar, decode = Grammar(random.Random(5)), Decode()
    gate, watch = GateTask(0, OPTIONS), WatchTask(WATCH)
    journal, facts = [], []
    told: list[Told] = []
    for number in range(40):
        drawn = decode.draw(grammar)
        moment = Moment(WALL_MS, number + 1, at_end=number % 9 == 8)
        gated = gate.decide(decode.records(drawn), moment)
        gate.apply(gated)
        reports = [output.value or b"" for output in gated.outputs if output.topic == OPTIONS.facts_topic]
        watched = watch.decide([StoredRecord(one) for one in reports], moment)
        watch.apply(watched)
        journal += [*gated.journal, *watched.journal]
        facts += reports
        told += [(output.topic, output.key, output.value) for output in watched.outputs]
    last = watch.close_all(Moment(WALL_MS, 99))
    told += [(output.topic, output.key, output.value) for output in last.outputs]
    return Made(journal, facts, told)


class Journal(Target):
    """Journal entries: refused with a sentence, or replayed."""

    name = "journal"
    share = 50

    def draw(self, grammar: Grammar) -> bytes:
        entry: bytes = grammar.pick(made().journal)
        if grammar.often(0.3):
            return entry
        loose = msgspec.msgpack.decode(entry) | {"sequence": 1, "part": 1, "parts": 1}
        if grammar.often(0.2):
            return msgspec.msgpack.encode(replaced(grammar, loose))
        return msgspec.msgpack.encode(loose | {"changes": replaced(grammar, loose["changes"])})

    def run(self, data: bytes) -> None:
        try:
            entry = read_entry(data)
            if entry.task == "gate":
                read_changes(entry, GateChanges)
                new_gate().replay(entry)
            else:
                read_changes(entry, WatchChanges)
                WatchTask(WATCH).replay(entry)
        except WireError as error:
            sentence(str(error))


def replaced(grammar: Grammar, value: object) -> object:
    """The value with one thing in it replaced by another."""
    if isinstance(value, bytes) and len(value) > 1 and grammar.often(0.8):
        try:
            return msgspec.msgpack.encode(replaced(grammar, msgspec.msgpack.decode(value)))
        except (msgspec.MsgspecError, TypeError):
            return value
    if isinstance(value, dict) and value and grammar.often(0.9):
        key = grammar.pick(list(value))
        if grammar.often(0.06):
            other = grammar.pick((grammar.text(), -1, 0, 2**40, -(2**62), 2**63, 2**64 - 1))
            return {(other if one == key else one): inner for one, inner in value.items()}
        return value | {key: replaced(grammar, value[key])}
    if isinstance(value, list) and value and grammar.often(0.9):
        at = grammar.rng.randrange(len(value))
        return [*value[:at], replaced(grammar, value[at]), *value[at + 1 :]]
    return leaf(grammar, value)


TEXTS = ("12.5", "1e400", "NaN", "Infinity", "1E+999999", "-1", "", "9999-12-31", "0001-01-01", "2025-02-27")
NUMBERS = (0, -1, 1, 2**31, 2**53, -(2**62), 2**63, 2**64 - 1, NOON, NOON // 60_000, 10**15, -(10**12))


def leaf(grammar: Grammar, value: object) -> object:
    """Something else in its place, most of the time of the same type."""
    text, number = grammar.pick((*TEXTS, grammar.text())), grammar.pick(NUMBERS)
    if grammar.often(0.75):
        match value:
            case bool():
                return not value
            case int():
                return number
            case float():
                return grammar.pick((1e308, -0.5, 0.0, 1e-320))
            case str():
                return text
            case list():
                return grammar.pick(([], value * 2, value[1:], value[::-1]))
            case dict():
                return {}
            case _:
                pass
    return grammar.pick((None, True, [], {}, text, number, 1e308, -0.5, [text], {text: number}))


class FactsRecord(Target):
    """Records of the facts topic: refused with a sentence, or merged and the files made."""

    name = "facts"
    share = 6

    def draw(self, grammar: Grammar) -> bytes:
        report: bytes = grammar.pick(made().facts)
        loose = msgspec.json.decode(report)
        loose |= {"sequence": 1, "part": 1, "parts": 1}
        for _ in range(grammar.pick((0, 1, 1, 2, 3))):
            loose = replaced(grammar, loose)
        try:
            return msgspec.json.encode(loose)
        except (msgspec.MsgspecError, UnicodeEncodeError, TypeError):
            return report

    def run(self, data: bytes) -> None:
        try:
            told = read_facts(data)
        except WireError as error:
            sentence(str(error))
            return
        if isinstance(told, GateReport):
            told = msgspec.structs.replace(told, sequence=1)
            data = to_json(told)
        watch, reader = WatchTask(WATCH), Deliverer()
        try:
            decision = watch.decide([StoredRecord(data)], Moment(WALL_MS, 1))
        except WireError as error:
            sentence(str(error))
            return
        watch.apply(decision)
        last = watch.close_all(Moment(WALL_MS, 1))
        outputs = [*decision.outputs, *last.outputs]
        deliver(reader, [(output.topic, output.key, output.value) for output in outputs])


class Commands(Target):
    """Operators' commands to a watch that has days and alerts: none ever stops it."""

    name = "commands"
    share = 15

    def __init__(self) -> None:
        _, facts, told = made()
        self._watch = WatchTask(WATCH)
        decision = self._watch.decide([StoredRecord(one) for one in facts], Moment(WALL_MS, len(facts)))
        self._watch.apply(decision)
        self._days = [(key or b"").decode() for topic, key, _ in told if topic == "sluice.days"] or [
            "2025-02-27"
        ]
        self._alerts = [(key or b"").decode() for topic, key, _ in told if topic == "sluice.alerts"] or [
            "none"
        ]

    def draw(self, grammar: Grammar) -> bytes:
        arguments = {
            grammar.pick(("until_ms", "for_ms", "from", grammar.text())): grammar.pick(
                (
                    NOON + 10**9,
                    10**9,
                    -1,
                    2**63,
                    2**64,
                    10**30,
                    1.5,
                    None,
                    True,
                    "2025-02-27",
                    "0001-01-01",
                    "9999-12-31",
                    [],
                )
            )
            for _ in range(grammar.pick((0, 1, 1, 2)))
        }
        command = Command(
            grammar.pick(("release", "acknowledge", "silence", "accept", "accept", grammar.text())),
            grammar.pick((grammar.pick(self._days), grammar.pick(self._alerts), grammar.text())),
            grammar.text(),
            grammar.text(),
            grammar.pick((WALL_MS, 0, -(2**62), 2**62, 2**63)),
            arguments,
        )
        data = json.dumps(msgspec.to_builtins(command)).encode()
        return b'{"kind":"command",' + data[1:] if b'"kind"' not in data else data

    def run(self, data: bytes) -> None:
        try:
            told = read_facts(data)
        except WireError as error:
            sentence(str(error))
            return
        if not isinstance(told, Command):
            return
        reader = Deliverer()
        decision = self._watch.decide([StoredRecord(data)], Moment(WALL_MS, 1))
        deliver(reader, [(output.topic, output.key, output.value) for output in decision.outputs])
        must(reader.unusable == 0, "what a command leads to is not read by our own deliverer")


class Delivered(Target):
    """Records of the topics of days and alerts, as the deliverer reads them: kept out, or made into files."""

    name = "deliver"
    share = 3

    def draw(self, grammar: Grammar) -> bytes:
        topic, key, value = grammar.pick(made().told)
        loose = msgspec.json.decode(value or b"{}")
        for _ in range(grammar.pick((0, 1, 1, 2, 3))):
            loose = replaced(grammar, loose)
        with suppress(msgspec.MsgspecError, UnicodeEncodeError, TypeError):
            value = msgspec.json.encode(loose)
        return PARTS.join((topic.encode(), key or b"", value or b""))

    def run(self, data: bytes) -> None:
        topic, _, rest = data.partition(PARTS)
        key, _, value = rest.partition(PARTS)
        deliver(Deliverer(), [("sluice.alerts" if topic == b"sluice.alerts" else "sluice.days", key, value)])
