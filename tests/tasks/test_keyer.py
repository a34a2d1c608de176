"""The keyer: every record goes on once, unchanged, each client's to one partition, and the way leads back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.contract import Contract
from consumer.core.facts import GateReport
from consumer.core.keyed import (
    CUT_KEYED,
    MARK,
    OriginalRecord,
    event_key,
    mark_key,
    read_mark,
    read_source,
    unpack_head,
)
from consumer.core.record import Output, StoredRecord
from consumer.core.rejection import TRUNCATED
from consumer.core.wire import WireError, read_entry, read_facts
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.keyer import JOURNAL_KEPT, KeyerOptions, KeyerTask
from consumer.tasks.task import Decision, Moment
from tests.shop_contract import CONTRACT, gate_options
from tests.strategies import streams

NOON = 1_740_657_600_000
"""2025-02-27T12:00:00Z."""

PARTITIONS = 3


def event(client: object = "c1", **more: object) -> bytes:
    fields = {"timestamp": "2025-02-27T12:00:00Z", "event_name": "page_viewed", "client_id": client}
    return json.dumps({**fields, **more}).encode()


def record(
    value: bytes | None,
    key: bytes | None = b"k",
    offset: int = 0,
    at: int | None = NOON,
    headers: list[tuple[str, bytes | None]] | None = None,
) -> StoredRecord:
    return StoredRecord(
        value, key, topic="events", partition=2, offset=offset, timestamp_ms=at, headers=headers
    )


def decide(*records: StoredRecord, keyer: KeyerTask | None = None, most_bytes: int = 0) -> Decision:
    options = KeyerOptions(CONTRACT, most_bytes=most_bytes) if most_bytes else KeyerOptions(CONTRACT)
    moment = Moment(NOON, len(records), input_partitions=4, keyed_partitions=PARTITIONS)
    return (keyer or KeyerTask(2, options)).decide(records, moment)


def passed(decision: Decision) -> list[Output]:
    """What was written, without the marks."""
    return [it for it in decision.outputs if unpack_head(it.key)[0] != MARK]


def as_read(output: Output, offset: int = 0) -> StoredRecord:
    """A record of the keyed topic as its gate reads it."""
    return StoredRecord(
        output.value,
        output.key,
        topic=output.topic,
        partition=output.partition or 0,
        offset=offset,
        timestamp_ms=output.timestamp_ms,
        headers=output.headers,
    )


def to_gate(*records: StoredRecord) -> tuple[Decision, GateReport]:
    """What a gate makes of records that a keyer passed on."""
    decision = decide(*records)
    return judge([as_read(output) for output in [*passed(decision), decision.outputs[-1]]])


def judge(keyed: list[StoredRecord]) -> tuple[Decision, GateReport]:
    decision = KeyedGateTask(0, gate_options(valid_topic="events.valid")).decide(
        keyed, Moment(NOON, len(keyed))
    )
    report = read_facts(next(it.value for it in decision.outputs if it.topic == "sluice.facts"))
    assert isinstance(report, GateReport)
    return decision, report


@given(
    st.binary(max_size=40) | st.none(),
    st.binary(max_size=40) | st.none(),
    st.integers(0, 2**40),
    st.none() | st.integers(1, 2**42),
    st.none() | st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=3),
)
def test_a_record_is_the_same_after_it_was_keyed(value, key, offset, at, headers):
    before = record(value, key, offset, at, headers)
    after = OriginalRecord(as_read(passed(decide(before))[0]), "events")
    assert (after.value(), after.key(), after.headers()) == (value, key, headers)
    assert (after.topic(), after.partition(), after.offset()) == ("events", 2, offset)
    assert after.timestamp() == before.timestamp()


@given(streams(most=30))
def test_all_events_that_a_gate_gives_to_one_client_go_to_one_partition(stream):
    """The gate's own word for it: what it keeps its sessions by."""
    homes: dict[str, int] = {}
    for made in stream:
        gate = GateTask(0, gate_options())
        gate.apply(gate.decide([record(made.value)], Moment(NOON, 1)))
        for client in gate.sessions:
            (output,) = passed(decide(record(made.value)))
            assert homes.setdefault(client, output.partition or 0) == output.partition
            assert KeyerTask(2, KeyerOptions(CONTRACT)).client(made.value) == client


@pytest.mark.parametrize("client", ["c1", "x" * 300, " c1", "ж"])
def test_an_alias_and_a_long_id_lead_to_the_same_client(client):
    by_name, by_alias = (
        passed(decide(record(value)))[0].partition
        for value in (event(client), event(None, clientId=client, more=1))
    )
    assert by_name == by_alias


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"[]", b"\xff", event(None), event(" "), event(7), b"{}", b"1" * 2_000_000]
)
def test_what_has_no_client_goes_where_its_input_partition_says(value):
    assert [it.partition for it in passed(decide(record(value)))] == [2 % PARTITIONS]


def test_a_number_beyond_any_machine_does_not_hide_the_client():
    huge = event("c1").replace(b"}", b', "n": ' + b"1" * 5_000 + b"}")
    assert passed(decide(record(huge)))[0].partition == passed(decide(record(event("c1"))))[0].partition


def test_each_batch_ends_with_a_mark_in_every_partition():
    keyer = KeyerTask(2, KeyerOptions(CONTRACT))
    for sequence in (1, 2):
        decision = decide(record(event()), record(event("c2")), keyer=keyer)
        keyer.apply(decision)
        marks = decision.outputs[-PARTITIONS:]
        assert [it.partition for it in marks] == [0, 1, 2]
        assert {it.key for it in marks} == {mark_key(2, 2)}
        assert {read_mark(it.value).sequence for it in marks} == {sequence}
        assert read_mark(marks[0].value).partitions == 4


def test_a_record_that_does_not_fit_loses_what_is_no_part_of_its_event_first():
    value = event(filler="x" * 2_000)
    large = record(value, b"k" * 3_000, 7, headers=[("h", b"y" * 3_000)])
    (output,) = passed(decide(large, most_bytes=4_000))
    assert (output.value, output.headers, read_source(output.key)) == (value, None, (2, 7, None))


def test_a_value_that_does_not_fit_at_all_is_a_dead_letter_that_names_its_size():
    large = record(event(filler="x" * 9_000), b"k", 7, headers=[("h", b"y")])
    (output,) = passed(decide(large, most_bytes=4_000))
    assert unpack_head(output.key)[0] == CUT_KEYED
    decision, report = judge([as_read(output)])
    (letter,) = (it for it in decision.outputs if it.topic == "events.dlq")
    headers = dict(letter.headers or [])
    assert (letter.value, letter.key, headers["h"]) == (None, b"k", b"y")
    assert headers["sluice.reason"] == b"too_big"
    assert headers[TRUNCATED] == str(len(large.value() or b"")).encode()
    assert headers["__connect.errors.offset"] == b"7"
    assert (decision.tally.truncated, decision.tally.records, report.facts.minutes) == (1, 1, {})


def test_a_dead_letter_says_where_its_record_stood_first_and_is_as_it_was_there():
    decision, _ = to_gate(record(b"{", b"key", 42, headers=[("trace", b"1"), ("sluice.reason", b"forged")]))
    (letter,) = (it for it in decision.outputs if it.topic == "events.dlq")
    headers = dict(letter.headers or [])
    assert (letter.value, letter.key, headers["trace"]) == (b"{", b"key", b"1")
    place = [headers[f"__connect.errors.{name}"] for name in ("topic", "partition", "offset")]
    assert place == [b"events", b"2", b"42"]
    assert headers["sluice.reason"] == b"not_json"


def test_an_event_that_passes_has_its_own_key_and_headers():
    decision, _ = to_gate(record(event(), None, headers=[("trace", b"1")]))
    (event_out,) = (it for it in decision.outputs if it.topic == "events.valid")
    assert (event_out.value, event_out.key) == (event(), None)
    assert event_out.headers == [("trace", b"1"), ("sluice-day", b"2025-02-27")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, event()),
        (b"", event()),
        (b"client", event()),
        (b"\x09" + event_key(0, 0, b"k")[1:], event()),
        (mark_key(0, 1), b"no mark"),
        (mark_key(0, 1), None),
    ],
)
def test_what_no_keyer_wrote_is_refused_with_a_sentence(key, value):
    with pytest.raises(WireError, match="keyed topic"):
        judge([StoredRecord(value, key, topic="sluice.keyed")])


def test_a_mark_that_is_lost_or_doubled_is_noticed():
    gate = KeyedGateTask(0, gate_options())
    first, second, third = (as_read(decide(keyer=keyer_at(number)).outputs[0]) for number in (1, 2, 3))
    gate.apply(gate.decide([first], Moment(NOON, 1)))
    with pytest.raises(WireError, match="mark number 3 of input partition 2 came after number 1"):
        gate.decide([third], Moment(NOON, 2))
    with pytest.raises(WireError, match="mark number 2 of input partition 2 came after number 2"):
        gate.decide([second, second], Moment(NOON, 2))


def keyer_at(sequence: int) -> KeyerTask:
    """A keyer whose next batch has this number."""
    keyer = KeyerTask(2, KeyerOptions(CONTRACT))
    for _ in range(sequence - 1):
        keyer.apply(decide(keyer=keyer))
    return keyer


def test_a_keyer_is_restored_to_its_place_from_a_journal_that_is_cut_now_and_then():
    keyer, journal, cuts = KeyerTask(2, KeyerOptions(CONTRACT)), [], 0
    keyer.begin(0)
    for offset in range(1, 3 * JOURNAL_KEPT):
        decision = keyer.decide(
            [record(event(), offset=offset)], Moment(NOON, offset, keyed_partitions=PARTITIONS)
        )
        keyer.apply(decision)
        if decision.slice.turn.begins and decision.slice.turn.completes:
            journal, cuts = [], cuts + 1
        journal += decision.journal
        fresh = KeyerTask(2, KeyerOptions(CONTRACT))
        for entry in journal:
            fresh.replay(read_entry(entry))
        fresh.restored()
        assert fresh.next_offset == keyer.next_offset == offset
        assert fresh._chain.sequence == keyer._chain.sequence
    assert cuts == 2
    assert len(journal) <= JOURNAL_KEPT


def test_a_journal_of_before_the_setting_was_changed_is_refused_and_says_so():
    keyed, input_gate = KeyedGateTask(0, gate_options()), GateTask(0, gate_options())
    keyed.begin(0)
    input_gate.begin(0)
    entries = [read_entry(task.decide([], Moment(NOON, 0)).journal[0]) for task in (keyed, input_gate)]
    with pytest.raises(WireError, match=r"\[input\] keyed was changed"):
        GateTask(0, gate_options()).replay(entries[0])
    with pytest.raises(WireError, match=r"\[input\] keyed was changed"):
        KeyedGateTask(0, gate_options()).replay(entries[1])


def test_the_identity_is_the_contracts():
    fields = tuple(it for it in CONTRACT.fields if it.name != "client_id")
    nobody = Contract("x", "1", fields, CONTRACT.event_names, CONTRACT.purchase_event)
    assert KeyerTask(2, KeyerOptions(nobody)).client(event("c1")) is None
