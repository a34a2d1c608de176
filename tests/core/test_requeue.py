"""What a record that was put back says of itself, and what a dead letter says of its event."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.dead_letters import History, Outcome, PutBack, digest, read_letter, read_put_back
from consumer.core.instant import LAST_MS
from consumer.core.record import StoredRecord
from consumer.core.rejection import Origin, Reason, Rejection, cut_to_fit, dead_letter, is_ours
from consumer.core.requeue import (
    ATTEMPTS,
    COUNTED,
    MOST_CONTENTS,
    ORIGIN,
    Again,
    Counted,
    Place,
    again,
    headers_of,
)

PLACE = Place("events", 3, 42)
COUNTS = Counted("purchase_revenue", 29_000_000, visit=True, contents=("c0",), claimed=Decimal("79.50"))
BACK = Again(PLACE, 1, COUNTS)
AT = "2025-02-23T12:00:00.000Z"

COUNTED_VALUES = st.builds(
    Counted,
    st.sampled_from([reason.value for reason in Reason]),
    st.none() | st.integers(0, LAST_MS // 60_000),
    st.booleans(),
    st.lists(st.text(max_size=24), max_size=MOST_CONTENTS).map(tuple),
    st.none() | st.decimals(0, 10**14, places=4),
)
PLACES = st.builds(
    Place,
    st.text("abcXYZ019._-", min_size=1, max_size=249),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
)


@given(PLACES, st.integers(1, 1_000_000), COUNTED_VALUES)
def test_headers_read_back_what_was_written(place, attempts, counted):
    told = Again(place, attempts, counted)
    assert again([("trace", b"1"), *headers_of(told)]) == told
    assert all(is_ours(name) for name, _ in headers_of(told))


@pytest.mark.parametrize(
    "counted",
    [
        b'{"reason":"not_json","minute":4611686018427387904}',
        b'{"reason":"not_json","minute":-1}',
        b'{"reason":"not_json","claimed":"NaN"}',
        b'{"reason":"not_json","claimed":"1e400"}',
        b'{"reason":"not json\n"}',
        b'{"reason":"x","contents":["%s"]}' % (b"c" * 1_000),
        b'{"reason":"x","contents":[%s"c"]}' % (b'"c",' * 20),
    ],
)
def test_a_forged_header_says_nothing_that_could_stop_the_watch(counted):
    assert again([*headers_of(BACK)[:2], (COUNTED, counted)]) is None


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("trace", b"1")],
        [(ORIGIN, b"events/3/42")],
        headers_of(BACK)[:2],
        headers_of(BACK)[1:],
        [*headers_of(BACK), (ATTEMPTS, b"-1")],
        [*headers_of(BACK), (ATTEMPTS, b"0")],
        [*headers_of(BACK), (ATTEMPTS, None)],
        [*headers_of(BACK), (ATTEMPTS, "١".encode())],
        [*headers_of(BACK), (ORIGIN, b"events")],
        [*headers_of(BACK), (ORIGIN, b"\xff/1/2")],
        [*headers_of(BACK), (COUNTED, b"[]")],
        [*headers_of(BACK), (COUNTED, b"\xff")],
        [*headers_of(BACK), (COUNTED, b"[" * 100_000)],
    ],
)
def test_a_record_with_other_headers_was_not_put_back(headers):
    assert again(headers) is None


def test_a_purchase_is_known_under_its_last_contents_only():
    counted = COUNTS
    for number in range(100):
        counted = counted.told(f"c{number}")
    assert counted.contents == tuple(f"c{number}" for number in range(100 - MOST_CONTENTS, 100))
    assert counted.told("c99") == counted


# -- dead letters ------------------------------------------------------------------------------------------------


def letter_of(record, reason=Reason.PURCHASE_REVENUE, counted=COUNTS, most=10_000):
    rejection = Rejection(reason, "revenue is not a positive number", "$.event_data.revenue", "minimum")
    output = cut_to_fit(
        dead_letter("events.dlq", record, rejection, Origin("sluice", "1"), AT, counted), most
    )
    return read_letter(
        StoredRecord(
            output.value, output.key, topic="events.dlq", offset=7, timestamp_ms=5, headers=output.headers
        )
    )


def stood(value=b'{"a":1}', headers=None, offset=42):
    return StoredRecord(value, b"ann", topic="events", partition=3, offset=offset, headers=headers)


def test_a_dead_letter_says_where_its_event_stood_and_what_counts_of_it():
    letter = letter_of(stood())
    assert (letter.place, letter.first, letter.attempts, letter.counted) == (PLACE, PLACE, 0, COUNTS)
    assert (letter.reason, letter.path, letter.at_ms) == ("purchase_revenue", "$.event_data.revenue", 5)
    assert letter.message == "revenue is not a positive number"
    assert not letter.truncated


def test_one_that_failed_again_keeps_its_first_place_and_has_one_more_attempt():
    letter = letter_of(stood(headers=headers_of(BACK), offset=99))
    assert (letter.place, letter.first, letter.attempts) == (Place("events", 3, 99), PLACE, 1)


def test_one_of_a_version_that_did_not_tell_what_counts_is_taken_as_it_was_counted():
    assert letter_of(stood(), counted=None).counted == Counted("purchase_revenue", visit=True)
    assert letter_of(stood(), Reason.NOT_JSON, None).counted == Counted("not_json")


@pytest.mark.parametrize(
    "headers", [None, [], [("sluice.reason", b"x")], [("__connect.errors.offset", b"1")]]
)
def test_what_is_no_dead_letter_of_ours_is_none(headers):
    assert read_letter(StoredRecord(b"{}", headers=headers)) is None


@pytest.mark.parametrize(
    ("value", "reason", "hopeless"),
    [
        (b'{"a":NaN}', Reason.NOT_JSON, False),
        (b'{"a":1,"a":"\0"}', Reason.NOT_JSON, False),
        (b'{"a":1}' * 2, Reason.NOT_JSON, True),
        (b"", Reason.EMPTY, True),
        (None, Reason.TOMBSTONE, True),
        (b"[]", Reason.NOT_AN_OBJECT, True),
        (b"\xff", Reason.NOT_UTF8, True),
        (b'{"a":' * 100_000, Reason.TOO_DEEP, True),
        (b'{"a":1}', Reason.TOO_BIG, False),
        (b'{"a":1}', Reason.PURCHASE_DATA, False),
    ],
)
def test_hopeless_is_what_no_repair_makes_an_event_of(value, reason, hopeless):
    assert letter_of(stood(value), reason).is_hopeless is hopeless


def test_a_letter_whose_value_did_not_fit_is_hopeless():
    letter = letter_of(stood(b'{"a":"%s"}' % (b"x" * 5_000)), most=4_000)
    assert letter.truncated
    assert letter.is_hopeless


# -- outcomes ----------------------------------------------------------------------------------------------------

FIRST = letter_of(stood())
AGAIN = letter_of(stood(b'{"a":2}\n', headers_of(BACK), offset=99))


def put_back(attempts=1, sent=FIRST, first=FIRST, place="events/3/99"):
    return PutBack(attempts, place, AT, "ann", digest(first.record), digest(sent.record))


def outcomes(*letters, told=None, read_to=100):
    history = History({} if told is None else {PLACE: told}, {("events", 3): read_to})
    for letter in letters:
        if history.concerns(letter):
            history.see(letter)
    return [history.outcome(letter) for letter in letters]


def test_what_nobody_has_put_back_is_open():
    assert outcomes(FIRST) == [Outcome.OPEN]


def test_what_was_put_back_waits_until_the_gate_has_read_it_and_has_passed_if_it_did_not_come_back():
    assert outcomes(FIRST, told=put_back(), read_to=99) == [Outcome.WAITING]
    assert outcomes(FIRST, told=put_back(), read_to=100) == [Outcome.RECOVERED]


def test_what_came_back_failed_again_and_its_new_dead_letter_is_open():
    assert outcomes(FIRST, AGAIN, told=put_back()) == [Outcome.FAILED_AGAIN, Outcome.OPEN]


def test_what_was_put_back_twice_has_passed_at_last():
    told = put_back(2, sent=AGAIN, place="events/3/150")
    assert outcomes(FIRST, AGAIN, told=told, read_to=150) == [Outcome.FAILED_AGAIN, Outcome.WAITING]
    assert outcomes(FIRST, AGAIN, told=told, read_to=151) == [Outcome.FAILED_AGAIN, Outcome.RECOVERED]


def test_without_the_record_the_newest_dead_letter_of_an_event_is_the_open_one():
    assert outcomes(FIRST, AGAIN) == [Outcome.FAILED_AGAIN, Outcome.OPEN]


def test_the_record_of_a_topic_that_was_made_anew_says_nothing_of_the_new_one():
    other = letter_of(stood(b'{"b":1}'))
    assert outcomes(other, told=put_back()) == [Outcome.OPEN]
    assert outcomes(other, AGAIN, told=put_back()) == [Outcome.OPEN, Outcome.OPEN]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_record_of_being_put_back_is_none(value):
    assert read_put_back(value) is None
