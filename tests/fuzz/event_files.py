"""Files of events, CSV and NDJSON, plain and gzip, and then through the gate."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, ClassVar

from consumer.core.record import StoredRecord
from consumer.runtime.files import FileError, read_records
from consumer.tasks.task import Moment
from tests.fuzz.oracle import NUMBER, conserved, must, sentence
from tests.fuzz.target import OPTIONS, WALL_MS, Scratch, Target, new_gate

if TYPE_CHECKING:
    from consumer.core.record import Record
    from consumer.core.rejection import Rejection
    from tests.fuzz.grammar import Grammar


class Rows(Target):
    """Files of events, plain and gzip, and then through the gate."""

    ending: ClassVar[str]

    def __init__(self) -> None:
        self._plain = Scratch(f"events{self.ending}")
        self._packed = Scratch(f"events{self.ending}.gz")

    def lines(self, grammar: Grammar) -> list[str]:
        """Nearly right lines."""
        raise NotImplementedError

    def draw(self, grammar: Grammar) -> bytes:
        end = grammar.pick(("\n", "\n", "\r\n", "\r"))
        data = end.join(self.lines(grammar)).encode("utf-8", "surrogatepass")
        data += grammar.pick((b"", b"\n"))
        if grammar.often(0.1):
            data = b"\xef\xbb\xbf" + data
        if grammar.often(0.25):
            data = gzip.compress(data, 1, mtime=0)
            return data[: grammar.rng.randint(0, len(data))] if grammar.often(0.3) else data
        return data

    def run(self, data: bytes) -> None:
        packed = data[:2] == b"\x1f\x8b"
        path = (self._packed if packed else self._plain).holding(data)
        given: list[Record] = []
        unreadable: list[tuple[Record, Rejection]] = []
        try:
            for item in read_records([path], ["client_id", "clientId"]):
                if isinstance(item, StoredRecord):
                    given.append(item)
                else:
                    unreadable.append((item.record, item.rejection))
        except FileError as error:
            sentence(str(error))
            return
        if not packed:
            self.check(data.removeprefix(b"\xef\xbb\xbf"), given, unreadable)
        numbered = [_numbered(number, one) for number, one in enumerate(given)]
        bad = [(_numbered(len(given) + number, one), why) for number, (one, why) in enumerate(unreadable)]
        gate = new_gate()
        conserved(numbered, bad, gate.decide(numbered, Moment(WALL_MS, len(given)), bad), OPTIONS)

    def check(self, data: bytes, given: list[Record], unreadable: list[tuple[Record, Rejection]]) -> None:
        """What must have come out of a plain file."""
        raise NotImplementedError


def _numbered(number: int, one: Record) -> StoredRecord:
    return StoredRecord(
        one.value(), one.key(), topic=one.topic(), offset=number, headers=[(NUMBER, b"%d" % number)]
    )


class Ndjson(Rows):
    """NDJSON."""

    name = "ndjson"
    ending = ".ndjson"

    def lines(self, grammar: Grammar) -> list[str]:
        return [
            grammar.event() if grammar.often(0.9) else grammar.json() for _ in range(grammar.pick((1, 2, 6)))
        ]

    def check(self, data: bytes, given: list[Record], unreadable: list[tuple[Record, Rejection]]) -> None:
        lines = [line.rstrip(b"\r\n") for line in data.split(b"\n")]
        must(
            [one.value() for one in given] == [one for one in lines if one.strip()],
            "a line was lost or changed",
        )
        must(not unreadable, "a short line is unreadable")


class Csv(Rows):
    """CSV."""

    name = "csv"
    ending = ".csv"

    def lines(self, grammar: Grammar) -> list[str]:
        names = [grammar.key() for _ in range(grammar.rng.randint(1, 8))]
        if grammar.often(0.8):
            names = ["client_id", "timestamp", "event_name", "page_url", "event_data"]
        rows = [[self._cell(grammar, name) for name in names] for _ in range(grammar.pick((0, 1, 2, 6)))]
        return [",".join(names), *map(",".join, rows)]

    def _cell(self, grammar: Grammar, name: str) -> str:
        text = {
            "client_id": f"c{grammar.rng.randint(0, 9)}",
            "timestamp": grammar.time(),
            "event_name": "page_viewed",
            "event_data": grammar.purchase(),
        }.get(name, grammar.text())
        if any(mark in text for mark in ',"\r\n'):
            return '"' + text.replace('"', '""') + grammar.pick(('"', '"', '"', "", '"x'))
        return grammar.pick((text, text, text, f'"{text}"', ""))

    def check(self, data: bytes, given: list[Record], unreadable: list[tuple[Record, Rejection]]) -> None:
        """Nothing is lost: without quotes, every line but the header is a row; with them, the bytes of what could not be
        read stand in the file."""
        for record, _ in unreadable:
            must((record.value() or b"") in data, "an unreadable row is not as it stands in the file")
        places = sorted(one.offset() for one in (*given, *(record for record, _ in unreadable)))
        must(len(places) == len(set(places)), "two rows have the same place")
        if b'"' not in data:
            lines = [one for one in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n") if one]
            blank = sum(not one.strip() for one in lines)  # white space is a cell where there is one column
            most = max(0, len(lines) - 1)
            must(
                most - blank <= len(places) <= most, f"{len(lines)} lines with the header, {len(places)} rows"
            )
