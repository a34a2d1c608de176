"""Bytes of the journal and the facts: they come back as they were, fit Kafka, and nothing but a WireError is raised."""

import json
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.daybook import Day
from consumer.core.facts import Command, Facts, GateReport, MinuteFacts
from consumer.core.purchases import PurchaseFact, Remembered
from consumer.core.state import Delta, Turn
from consumer.core.watermark import ClockState, Progress
from consumer.core.wire import (
    MOST_RECORD_BYTES,
    JournalEntry,
    WireError,
    gate_reports,
    journal_entries,
    read_changes,
    read_entry,
    read_facts,
    to_json,
)
from consumer.tasks.gate_state import GateChanges, PartitionState
from consumer.tasks.watch_state import WatchChanges, WatchClock
from detectors.alerts import Alert, Severity
from detectors.life import Entry

KAFKAS_LIMIT = 1_048_588
"""Bytes: the default of `message.max.bytes`."""
TURN = Turn(7, begins=True)
MANY = 60_000
LARGEST = Decimal("999999999999999.999999999999999999999999999999")


def gate_changes(clients=2):
    sessions = {f"client {number}": (number, number + 5, 1, 0) for number in range(clients)}
    state = PartitionState(ClockState(5, 4, 3, {"ann": 2, "\0001": 1}), 8, {"empty": 9})
    return GateChanges(Delta(sessions, ["gone"]), Delta({3: state}))


def watch_changes():
    alert = Alert(
        "id", Severity.P0_BLOCKER, "kind", "gate", None, None, None, "open", "", "", evidence={"days": ["x"]}
    )
    return WatchChanges(
        Delta({"2025-02-23": Day(5, revenue=Decimal("10.10"), rejected={"empty": 1})}, ["2024-01-01"]),
        Delta({"t1": Remembered("abc", LARGEST, -1, "2025-02-23", 2**52, {"2025-02-23": 2}, collided=True)}),
        Delta({"id": Entry(alert, 5)}),
        Delta({0: Progress(1, None, 2, None, 3)}),
        Delta({"": WatchClock(5, 6, "shop 1")}),
    )


# -- journal entries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "changes"), [("gate", gate_changes()), ("watch", watch_changes())])
def test_an_entry_comes_back_as_it_was_written(task, changes):
    (written,) = journal_entries(task, 5, (10, 20), TURN, changes)
    entry = read_entry(written)
    assert (entry.task, entry.sequence, entry.from_offset, entry.to_offset) == (task, 5, 10, 20)
    assert (entry.turn, entry.part, entry.parts, entry.version) == (TURN, 1, 1, 1)
    assert read_changes(entry, type(changes)) == changes


def test_money_is_exact_in_the_journal_and_its_exponent_stays():
    (written,) = journal_entries("watch", 1, (0, 1), Turn(), watch_changes())
    back = read_changes(read_entry(written), WatchChanges)
    assert back.ids.put["t1"].amount == LARGEST
    assert str(back.days.put["2025-02-23"].revenue) == "10.10"


def test_voices_come_back_in_the_order_in_which_they_were_heard():
    voices = {"b": 1, "a": 2, "c": 0}
    changes = GateChanges(partition=Delta({0: PartitionState(ClockState(voices=voices))}))
    (written,) = journal_entries("gate", 1, (0, 1), Turn(), changes)
    assert list(read_changes(read_entry(written), GateChanges).partition.put[0].clock.voices) == [
        "b",
        "a",
        "c",
    ]


def test_a_batch_of_no_changes_has_an_entry():
    (written,) = journal_entries("gate", 1, (5, 5), Turn(), GateChanges())
    assert read_changes(read_entry(written), GateChanges) == GateChanges()


def test_changes_larger_than_a_record_come_in_numbered_parts_that_fit_and_are_all_there():
    changes = gate_changes(MANY)
    changes.sessions.gone = [f"gone {number}" for number in range(MANY // 3)]
    written = journal_entries("gate", 5, (10, 20), TURN, changes)
    assert len(written) > 1
    assert max(map(len, written)) < KAFKAS_LIMIT
    entries = [read_entry(data) for data in written]
    assert [(entry.part, entry.parts) for entry in entries] == [
        (n, len(written)) for n in range(1, len(written) + 1)
    ]
    assert {(e.sequence, e.from_offset, e.to_offset, e.turn) for e in entries} == {(5, 10, 20, TURN)}
    parts = [read_changes(entry, GateChanges) for entry in entries]
    assert [key for part in parts for key in part.sessions.put] == list(changes.sessions.put)
    assert [key for part in parts for key in part.sessions.gone] == changes.sessions.gone
    assert [key for part in parts for key in part.partition.put] == [3]
    table = {}
    for part in parts:
        part.sessions.apply(table)
    assert table == changes.sessions.put


def test_a_single_key_that_is_too_large_is_left_whole():
    changes = GateChanges(Delta({"x" * MOST_RECORD_BYTES: (1, 2, 3, 4)}))
    (written,) = journal_entries("gate", 1, (0, 1), Turn(), changes)
    assert read_changes(read_entry(written), GateChanges) == changes


@pytest.mark.parametrize("data", [None, b"", b"\x80", b"\xc0", b"not msgpack", b"\xff" * 20, b"\x91" * 5000])
def test_bytes_that_are_no_entry_are_said_to_be_none(data):
    with pytest.raises(WireError, match="a journal entry cannot be read"):
        read_entry(data)


def packed_entry(**fields):
    entry = {"task": "gate", "sequence": 1, "from_offset": 0, "to_offset": 1, "changes": {}} | fields
    return msgspec.msgpack.encode(entry)


@pytest.mark.parametrize(
    "fields", [{"version": 2}, {"task": "deliver"}, {"sequence": "1"}, {"turn": 5}, {"part": None}]
)
def test_an_entry_of_another_kind_or_version_is_refused(fields):
    read_entry(packed_entry())
    with pytest.raises(WireError, match="a journal entry cannot be read"):
        read_entry(packed_entry(**fields))


def test_an_entry_of_yesterday_reads_with_what_was_added_since_left_at_its_default():
    entry = read_entry(packed_entry(changes={"sessions": {"put": {"ann": [1, 2, 3, 4]}}}))
    assert read_changes(entry, GateChanges) == GateChanges(Delta({"ann": (1, 2, 3, 4)}))


def test_an_entry_with_fields_of_tomorrow_is_read_without_them():
    assert read_entry(packed_entry(added_later=5)).sequence == 1


def test_changes_of_another_task_or_broken_ones_name_the_entry():
    with pytest.raises(WireError, match="the changes of journal entry 1 cannot be read"):
        read_changes(read_entry(packed_entry(changes={"sessions": 5})), GateChanges)
    with pytest.raises(WireError, match="the changes of journal entry 1 cannot be read"):
        read_changes(
            read_entry(packed_entry(changes={"days": {"put": {"x": {"events": "5"}}}})), WatchChanges
        )


@given(st.data())
def test_a_damaged_entry_raises_nothing_but_a_wire_error(data):
    task, changes = data.draw(st.sampled_from([("gate", gate_changes()), ("watch", watch_changes())]))
    (written,) = journal_entries(task, 5, (10, 20), TURN, changes)
    place = data.draw(st.integers(0, len(written)))
    length = data.draw(st.integers(0, 9))
    damaged = written[:place] + data.draw(st.binary(max_size=9)) + written[place + length :]
    with suppress(WireError):
        read_changes(read_entry(damaged), type(changes))


@given(st.binary(max_size=100))
def test_any_bytes_as_changes_raise_nothing_but_a_wire_error(data):
    entry = JournalEntry("watch", 1, 0, 1, msgspec.Raw(data))
    for kind in (GateChanges, WatchChanges):
        with suppress(WireError):
            read_changes(entry, kind)


HOSTILE_VALUES = [
    pytest.param(b"\x81\x81\x01\x02\x03", id="a map as the key of a map"),
    pytest.param(b"\x81\x91\x01\x02", id="an array as the key of a map"),
    pytest.param(b"\xd7\xff" + b"\xff" * 8, id="a timestamp with too many nanoseconds"),
    pytest.param(b"\xc7\x0c\xff\x00\x00\x00\x01\x7f" + b"\xff" * 7, id="a timestamp beyond all years"),
    pytest.param(b"\xc7\x03\x05abc", id="an extension"),
    pytest.param(b"\xa2\xff\xff", id="text that is no UTF-8"),
    pytest.param(b"\x91" * 3000 + b"\x01", id="nested without end"),
    pytest.param(b"\xdd\xff\xff\xff\xff", id="an array longer than the data"),
]


@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_hostile_values_where_anything_may_stand_raise_nothing_but_a_wire_error(value):
    known = msgspec.to_builtins(watch_changes().alerts.put["id"].alert)
    alert = known | {"evidence": {"x": msgspec.Raw(value)}}
    changes = msgspec.msgpack.encode({"alerts": {"put": {"a": {"alert": alert, "last_ms": 1}}}})
    with suppress(WireError):
        read_changes(JournalEntry("watch", 1, 0, 1, msgspec.Raw(changes)), WatchChanges)


# -- facts -------------------------------------------------------------------------------------------------------


def report(facts):
    return GateReport(3, 5, 8, "shop 1", 100, 200, 400, 500, facts)


FACTS = Facts(
    {-1: MinuteFacts(5, 1, -2, -1, {"empty": 1}, {"page_viewed": 5}), 29: MinuteFacts(unknown={"é\0": 1})},
    [PurchaseFact("t1", 5, "abc", Decimal("10.10")), PurchaseFact("t2", 6, "abc", None)],
    2,
)


def test_a_report_comes_back_as_it_was_written():
    (written,) = gate_reports(report(FACTS))
    assert read_facts(written) == report(FACTS)
    assert str(read_facts(written).facts.purchases[0].amount) == "10.10"


def test_a_command_comes_back_as_it_was_written():
    command = Command("release", "2025-02-23", "ann", "checked", 100, {"until": "x", "n": [1, None]})
    assert read_facts(to_json(command)) == command


def test_a_report_is_json_that_others_can_read():
    (written,) = gate_reports(report(FACTS))
    read = json.loads(written)
    assert (read["kind"], read["partition"], read["sequence"], read["stream_ms"]) == ("gate", 3, 5, 200)
    assert read["facts"]["purchases"][0]["amount"] == "10.10"


def large_facts():
    minutes = {number: MinuteFacts(1, names={"x" * 60: 1}) for number in range(9_000)}
    facts = Facts(minutes, [PurchaseFact(str(n), n, "c" * 24, LARGEST, ("c" * 24,)) for n in range(5_000)], 7)
    for number in range(9_000):
        facts.take_back(number, "purchase_revenue", LARGEST)
    return facts


def test_a_report_larger_than_a_record_comes_in_parts_that_fit_and_add_up():
    whole = report(large_facts())
    written = gate_reports(whole)
    assert len(written) > 1
    assert max(map(len, written)) <= MOST_RECORD_BYTES + 1000 < KAFKAS_LIMIT
    parts = [read_facts(data) for data in written]
    assert [(p.part, p.parts) for p in parts] == [(n, len(parts)) for n in range(1, len(parts) + 1)]
    assert {(p.partition, p.sequence, p.partitions, p.contract, p.wall_ms) for p in parts} == {
        (3, 5, 8, "shop 1", 100)
    }
    total = Facts()
    for part in parts:
        total.add(part.facts)
    assert total == whole.facts


def test_how_far_the_partition_is_stands_in_the_last_part_only():
    *first, last = [read_facts(data) for data in gate_reports(report(large_facts()))]
    for part in first:
        assert (part.stream_ms, part.idle_since_ms, part.end_ms) == (None, None, None)
    assert (last.stream_ms, last.idle_since_ms, last.end_ms) == (200, 400, 500)


def test_a_purchase_of_yesterday_reads_as_one_that_replaces_nothing():
    (written,) = gate_reports(report(FACTS))
    assert b"replaces" not in written
    assert b"taken_back" not in written


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"kind":"gate"}',
        b'{"kind":"other"}',
        b'{"kind":"gate","partition":0,"sequence":1,"partitions":1,"contract":"","wall_ms":0,"version":2}',
        b'{"kind":"gate","partition":0,"sequence":1,"partitions":1,"contract":"","wall_ms":1.5}',
        b'{"kind":"command","action":"","target":"","by":"","reason":"","wall_ms":0,"arguments":{"a":1e999}}',
        b'{"kind":"command","action":"","target":"","by":"","reason":"","wall_ms":0,"arguments":{"a":"\\ud800"}}',
        b'{"kind":"command","action":"\xff","target":"","by":"","reason":"","wall_ms":0}',
        b'{"kind":"command","arguments":{"a":' + b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_facts_are_said_to_be_none(data):
    with pytest.raises(WireError, match="a record of the facts topic cannot be read"):
        read_facts(data)


@pytest.mark.parametrize(
    "amount", ['"ten"', '"NaN x"', "1e99999999999999999999", '"1e99999999999999999999"', "true"]
)
def test_an_amount_that_is_no_number_is_no_facts(amount):
    facts = f'{{"purchases":[{{"id":"a","at_ms":1,"content":"","amount":{amount}}}]}}'
    head = '{"kind":"gate","partition":0,"sequence":1,"partitions":1,"contract":"","wall_ms":0,"facts":'
    with pytest.raises(WireError):
        read_facts(f"{head}{facts}}}".encode())


@given(st.data())
def test_damaged_facts_raise_nothing_but_a_wire_error(data):
    (written,) = gate_reports(report(FACTS))
    written = data.draw(st.sampled_from([written, to_json(Command("release", "d", "b", "r", 1, {"a": 1}))]))
    place, length = data.draw(st.integers(0, len(written))), data.draw(st.integers(0, 9))
    piece = data.draw(
        st.binary(max_size=9) | st.sampled_from([b"1e999", b"{", b"[", b"null", b'"', b"\\ud800", b"9" * 30])
    )
    with suppress(WireError):
        read_facts(written[:place] + piece + written[place + length :])


@given(st.binary(max_size=100))
def test_any_bytes_raise_nothing_but_a_wire_error(data):
    for read in (read_entry, read_facts):
        with suppress(WireError):
            read(data)


REPORT = {"kind": "gate", "partition": 0, "sequence": 1, "partitions": 1, "contract": "shop", "wall_ms": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream_ms": 2**63},
        {"wall_ms": -(2**62)},
        {"facts": {"minutes": {"382545546317": {"events": 1}}}},
        {"facts": {"taken_back": {"-99999999999": {}}}},
        {"facts": {"minutes": {"0": {"events": 2**62}}}},
        {"facts": {"minutes": {"0": {"names": {"a": 2**62}}}}},
        {"facts": {"minutes": {"0": {"claimed": {"purchase_items": "NaN"}}}}},
        {"facts": {"purchases": [{"id": "a", "at_ms": 2**62, "content": "c", "amount": None}]}},
        {"facts": {"purchases": [{"id": "a", "at_ms": 0, "content": "c", "amount": "1e400"}]}},
        {"kind": "gate\n\u202e\u001b[31m"},
    ],
)
def test_facts_beyond_the_calendar_and_beyond_counting_are_refused_on_one_line(wrong):
    with pytest.raises(WireError, match="a record of the facts topic cannot be read") as raised:
        read_facts(json.dumps(REPORT | wrong).encode())
    assert str(raised.value).isprintable()
