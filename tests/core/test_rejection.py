"""Dead letters: the record's bytes unchanged, why and whence in headers, never larger than its topic takes."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.record import Output, StoredRecord
from consumer.core.rejection import (
    MOST_HEADER_BYTES,
    PURCHASE_INVALID,
    TRUNCATED,
    UNPARSEABLE,
    Origin,
    Reason,
    Rejection,
    cut_to_fit,
    dead_letter,
    is_ours,
    size,
    surely_fits,
)
from consumer.core.requeue import Counted

ORIGIN = Origin("sluice", "1.2.3")
AT = "2025-02-23T12:00:00.000Z"
RECORD = StoredRecord(
    b"not json", b"ann", topic="events", partition=3, offset=42, headers=[("trace", b"7"), ("trace", None)]
)
NOT_JSON = Rejection(Reason.NOT_JSON, "it is not JSON", "$", "syntax")
IDENTIFYING = {
    "__connect.errors.topic": b"events",
    "__connect.errors.partition": b"3",
    "__connect.errors.offset": b"42",
    "sluice.reason": b"not_json",
}


def letter(record=RECORD, rejection=NOT_JSON):
    return dead_letter("events.dlq", record, rejection, ORIGIN, AT)


def ours(output):
    return {name: value for name, value in output.headers if is_ours(name)}


def wire_bytes(headers):
    return sum(len(name.encode()) + len(value or b"") for name, value in headers if is_ours(name))


def test_key_value_and_foreign_headers_stay_as_they_came():
    output = letter()
    assert (output.topic, output.value, output.key, output.partition) == (
        "events.dlq",
        b"not json",
        b"ann",
        None,
    )
    assert output.headers[:2] == [("trace", b"7"), ("trace", None)]


def test_the_headers_say_whence_and_why():
    assert ours(letter()) == IDENTIFYING | {
        "__connect.errors.stage": b"VALUE_CONVERTER",
        "__connect.errors.exception.class.name": b"sluice.not_json",
        "__connect.errors.exception.message": b"it is not JSON",
        "failureType": b"ParsingError",
        "errors": (
            b'[{"message":"it is not JSON","path":"$","keyword":"syntax","targets":[],"source":"contract"}]'
        ),
        "timestamp": AT.encode(),
        "componentName": b"sluice",
        "componentVersion": b"1.2.3",
    }


@pytest.mark.parametrize("reason", Reason)
def test_what_cannot_be_parsed_and_what_is_not_valid_are_two_failures(reason):
    headers = ours(letter(rejection=Rejection(reason, "why")))
    unparseable = reason in UNPARSEABLE
    assert headers["failureType"] == (b"ParsingError" if unparseable else b"ValidationError")
    assert headers["__connect.errors.stage"] == (b"VALUE_CONVERTER" if unparseable else b"TRANSFORMATION")
    assert json.loads(headers["errors"])[0]["keyword"] == reason.value


def test_only_invalid_purchases_are_rejected_and_counted_as_events():
    assert {r for r in Reason if r.value.startswith("purchase_")} == PURCHASE_INVALID
    assert not PURCHASE_INVALID & UNPARSEABLE


def test_a_dead_letter_that_fails_again_has_our_headers_once_and_those_of_the_last_failure():
    first = letter()
    again = StoredRecord(first.value, first.key, topic="retry", partition=0, offset=7, headers=first.headers)
    second = letter(again, Rejection(Reason.TIMESTAMP_MISSING, "timestamp is missing"))
    names = [name for name, _ in second.headers]
    assert sorted(names) == sorted(name for name, _ in first.headers)
    assert ours(second)["__connect.errors.topic"] == b"retry"
    assert ours(second)["sluice.reason"] == b"timestamp_missing"


def test_a_truncated_dead_letter_that_fails_again_is_not_called_truncated_any_more():
    cut = cut_to_fit(letter(StoredRecord(b"x" * 9000)), 5000)
    again = letter(StoredRecord(cut.value, headers=cut.headers))
    assert TRUNCATED in ours(cut)
    assert TRUNCATED not in ours(again)


def test_a_record_without_anything_has_a_dead_letter_too():
    output = letter(StoredRecord(None))
    assert (output.value, output.key) == (None, None)
    assert ours(output)["__connect.errors.topic"] == b""


@pytest.mark.parametrize("character", ["x", '"', "\\", "\0", "\x1f", "\x7f", "é", "€", "\N{GRINNING FACE}"])
@pytest.mark.parametrize("length", [0, 1, 150, 199, 200, 201, 500, 501, 100_000])
def test_our_headers_stay_small_whatever_the_message_says(character, length):
    record = StoredRecord(b"x", topic="t" * 249, partition=2**31 - 1, offset=2**63 - 1)
    message, path = character * length, character * length
    output = letter(record, Rejection(Reason.TIMESTAMP_TOO_OLD, message, path, "exclusiveMinimum"))
    assert wire_bytes(output.headers) <= MOST_HEADER_BYTES
    (error,) = json.loads(ours(output)["errors"])
    assert message.startswith(error["message"])
    assert path.startswith(error["path"])
    assert len(error["message"]) >= min(length, 150)


def test_a_long_message_keeps_as_much_as_fits():
    (error,) = json.loads(ours(letter(rejection=Rejection(Reason.NOT_JSON, "x" * 600, "y" * 300)))["errors"])
    assert (len(error["message"]), len(error["path"])) == (500, 200)


def test_a_dead_letter_that_fits_stays_whole():
    output = letter()
    assert cut_to_fit(output, size(output)) is output


def test_one_byte_too_large_and_the_value_is_left_out_and_its_size_told():
    output = letter(StoredRecord(b"v" * 100, b"ann", topic="events", headers=[("trace", b"7")]))
    cut = cut_to_fit(output, size(output) - 1)
    assert cut == output._replace(value=None, headers=[*output.headers, (TRUNCATED, b"100")])


@given(
    st.integers(0, 50_000),
    st.none() | st.integers(0, 50_000),
    st.lists(st.tuples(st.text(max_size=5), st.integers(0, 20_000)), max_size=3),
    st.integers(MOST_HEADER_BYTES + 400, 100_000),
)
def test_no_dead_letter_exceeds_the_limit_and_every_one_keeps_its_origin_and_reason(
    value, key, headers, limit
):
    record = StoredRecord(
        b"v" * value,
        None if key is None else b"k" * key,
        topic="events",
        partition=3,
        offset=42,
        headers=[(name, b"h" * length) for name, length in headers],
    )
    output = letter(record)
    cut = cut_to_fit(output, limit)
    assert size(cut) <= limit
    assert IDENTIFYING.items() <= ours(cut).items()
    if size(output) > limit:
        assert cut.value is None
        assert ours(cut)[TRUNCATED] == str(value).encode()
    else:
        assert cut is output


@given(st.text(max_size=600), st.text(max_size=300), st.integers(0, 3_000), st.sampled_from(Reason))
def test_what_surely_fits_does(message, path, value, reason):
    record = StoredRecord(b"v" * value, b"ann", topic="t" * 249, partition=2**31 - 1, offset=2**63 - 1)
    counted = Counted(
        reason.value, 9_999_999_999, visit=True, contents=("c" * 24,), claimed=Decimal("9" * 18)
    )
    output = dead_letter(
        "events.dlq", record, Rejection(reason, message, path, "exclusiveMinimum"), ORIGIN, AT, counted
    )
    assert not surely_fits(record, size(output) - 1)
    assert surely_fits(record, value + 3 + 2 * MOST_HEADER_BYTES)


def test_a_record_with_headers_of_its_own_is_counted_first():
    assert not surely_fits(RECORD, 1_000_000)


def test_the_key_stays_as_long_as_it_fits():
    cut = cut_to_fit(letter(StoredRecord(b"v" * 10_000, b"ann", headers=[("trace", b"7")])), 5_000)
    assert (cut.value, cut.key, cut.headers[0]) == (None, b"ann", ("trace", b"7"))
    cut = cut_to_fit(letter(StoredRecord(b"v", b"k" * 10_000, headers=[("trace", b"7")])), 5_000)
    assert (cut.value, cut.key) == (None, None)
    assert all(is_ours(name) for name, _ in cut.headers)


def varint(number):
    """Bytes of a zigzag varint of a length."""
    return max(1, -(-(number * 2).bit_length() // 7))


@given(
    st.none() | st.binary(max_size=200),
    st.none() | st.binary(max_size=200),
    st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=99)), max_size=9),
)
def test_the_size_is_no_less_than_on_the_wire(value, key, headers):
    body = 1 + 10 + 5 + varint(len(headers))
    for part in (value, key):
        body += varint(len(part or b"")) + len(part or b"")
    for name, part in headers:
        encoded = name.encode()
        body += varint(len(encoded)) + len(encoded) + varint(len(part or b"")) + len(part or b"")
    batch_header = 61
    assert size(Output("t", value, key, headers)) >= batch_header + varint(body) + body
