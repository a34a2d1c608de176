"""Events are the same, and have the same shape, whichever way they are decoded."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.contract import Contract, Field, Role
from consumer.core.decode import DECODE_ERRORS, MOST_EVENT_BYTES, MOST_SHAPES, Shapes
from consumer.core.events import Events, values_of
from consumer.core.rejection import Reason

TEXT = frozenset({"string"})
FIELDS = (
    Field("client_id", TEXT, ("clientId", "cid"), role=Role.IDENTITY),
    Field("timestamp", TEXT, ("ts",), role=Role.TIMESTAMP),
    Field("event_name", TEXT, role=Role.EVENT_NAME),
    Field("page_url", TEXT, role=Role.PAGE_URL),
    Field("referrer", TEXT, role=Role.REFERRER),
    Field("event_data", frozenset({"string", "object"}), role=Role.EVENT_DATA),
    Field("user_agent", TEXT),
    Field("price", frozenset({"number"})),
)
READ = ("timestamp", "event_name", "page_url", "referrer", "event_data", "user_agent")


def contract(*fields):
    return Contract("shop", "1", fields, frozenset({"page_viewed"}), "bought")


GOOD = {
    "client_id": "ann",
    "timestamp": "2025-02-23T12:00:00Z",
    "event_name": "page_viewed",
    "page_url": "https://shop.example/",
    "referrer": None,
    "event_data": {"a": [1]},
    "user_agent": "Mozilla",
    "price": 1.5,
}


def bytes_of(event):
    return json.dumps(event).encode()


def by_the_plain_way(events, value):
    """As the hot path has it; None if it is not plain."""
    try:
        event = events.decode_plain(value)
    except DECODE_ERRORS:
        return None
    return event, events.by_types.get((*map(type, values_of(event)),)) or events.learn(event, value)


def told(event, shape):
    """All that a gate reads of an event."""
    read = {name: getattr(event, name) for name in READ if getattr(shape, name) is not None}
    client = event.identity if shape.identity else None
    said = {name: getattr(shape, name) for name in (*READ, "null", "absent", "retyped", "unknown", "aliased")}
    return read, client if client and not client.isspace() else None, said


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*GOOD, "clientId", "cid", "ts", "other", "\x7fpage_url", "field_7", "identity"])


@given(st.lists(st.dictionaries(NAMES, JSON | st.just("ann"), max_size=9), min_size=1, max_size=6))
def test_both_ways_come_to_the_same_event_and_shape(some):
    events = Events(contract(*FIELDS))
    for event in some:
        value = bytes_of(GOOD | event)
        other = told(*events.decode(value, None))
        plain = by_the_plain_way(events, value)
        if plain is not None:
            assert told(*plain) == other


def test_an_event_of_the_contracts_fields_alone_is_plain_in_whatever_order_they_stand():
    events = Events(contract(*FIELDS))
    for event in (GOOD, dict(reversed(GOOD.items())), {}, {"price": None}):
        assert by_the_plain_way(events, bytes_of(event)) is not None
    assert by_the_plain_way(events, bytes_of({"cid": "ann"})) is None
    assert by_the_plain_way(events, bytes_of(GOOD | {"other": 1})) is None


def test_plain_events_of_the_same_types_have_one_shape_which_the_other_way_shares():
    events = Events(contract(*FIELDS))
    _, shape = by_the_plain_way(events, bytes_of(GOOD))
    assert by_the_plain_way(events, bytes_of(GOOD | {"client_id": "bob"}))[1] is shape
    assert events.decode(bytes_of(GOOD), None)[1] is shape
    assert by_the_plain_way(events, bytes_of(GOOD | {"referrer": "https://search.test/"}))[1] is not shape


def test_numbers_stay_exact_and_of_a_key_that_comes_twice_the_last_counts_both_ways():
    events = Events(contract(*FIELDS))
    value = b'{"price": 0.1, "client_id": "ann", "client_id": "bob", "event_data": {"n": 0.10}}'
    plain, _ = by_the_plain_way(events, value)
    other, _ = events.decode(value, None)
    assert (
        (plain.identity, plain.event_data)
        == (other.identity, other.event_data)
        == ("bob", {"n": Decimal("0.10")})
    )


@pytest.mark.parametrize(
    ("event", "client"),
    [
        ({"client_id": " ", "cid": "ann"}, "ann"),
        ({"clientId": "", "cid": "ann"}, "ann"),
        ({"client_id": None, "cid": " "}, None),
        ({"client_id": "bob", "cid": "ann"}, "bob"),
        ({"client_id": 7, "cid": "ann"}, "ann"),
    ],
)
def test_the_client_is_the_first_of_all_names_that_says_one(event, client):
    found, shape = Events(contract(*FIELDS)).decode(bytes_of(event), None)
    assert shape.identity
    assert found.identity == client


def test_after_an_event_that_was_not_plain_none_is_expected_for_a_while():
    events = Events(contract(*FIELDS))
    assert events.plain
    for odd in (GOOD | {"other": 1}, {"cid": "ann"}):
        events.decode(bytes_of(odd), None)
        for _ in range(8):
            assert not events.plain
            events.decode(bytes_of(GOOD), None)
        assert events.plain


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.TOMBSTONE),
        (b"", Reason.EMPTY),
        (b"[1]", Reason.NOT_AN_OBJECT),
        (b"1e999999999999999999999", Reason.NOT_AN_OBJECT),
        (b"{", Reason.NOT_JSON),
        (b'{"other": 1, ', Reason.NOT_JSON),
        (b'{"client_id": "\xff"}', Reason.NOT_UTF8),
        (b'{"\xff": 1}', Reason.NOT_UTF8),
        (b'{"other": "\xff"}', Reason.NOT_UTF8),
        (b'{"price": ' + b"[" * 100_000, Reason.TOO_DEEP),
        (b"{}" + b" " * MOST_EVENT_BYTES, Reason.TOO_BIG),
    ],
)
def test_what_is_no_event_is_rejected_alike_whichever_way_was_tried_first(value, reason):
    events = Events(contract(*FIELDS))
    alone = events.decode(value, None)
    error = None
    try:
        events.decode_plain(value)
    except DECODE_ERRORS as raised:
        error = raised
    assert events.decode(value, error) == alone
    rejection, shape = alone
    assert (rejection.reason, shape) == (reason, None)


def test_numbers_beyond_any_machines_are_no_fault_of_an_event():
    events = Events(contract(*FIELDS))
    value = bytes_of(GOOD)[:-1] + b', "price": 1e999999999999999999999}'
    assert by_the_plain_way(events, value) is None
    event, shape = events.decode(value, None)
    assert event.identity == "ann"
    assert shape.unknown == ()


@pytest.mark.parametrize(
    "odd",
    [
        Field('say "hi"', TEXT),
        Field("back\\slash", TEXT, role=Role.PAGE_URL),
        Field("new\nline", TEXT),
        Field("\x7freferrer", TEXT),
        Field("user_agent", TEXT, role=Role.PAGE_URL),
    ],
)
def test_a_contract_of_which_no_decoder_can_be_made_has_no_plain_events(odd):
    events = Events(contract(*FIELDS[:3], odd))
    assert not events.plain
    event, shape = events.decode(bytes_of({"client_id": "ann", odd.name: "x"}), None)
    assert (event.identity, shape.unknown, events.plain) == ("ann", (), False)
    if odd.role:
        assert event.page_url == "x"


def test_a_contract_without_the_further_roles_has_plain_events_too():
    events = Events(contract(*FIELDS[:3]))
    event, shape = by_the_plain_way(events, bytes_of({"client_id": "ann"}))
    assert (event.identity, shape.page_url, shape.user_agent) == ("ann", None, None)


def test_however_many_types_come_memory_is_bounded_between_batches():
    events = Events(contract(*FIELDS))
    for number in range(MOST_SHAPES + 1):
        events.by_types[(number,)] = Shapes(contract()).of({})
    events.forget_if_many()
    assert not events.by_types
    _, shape = by_the_plain_way(events, bytes_of(GOOD))
    for number in range(MOST_SHAPES):
        events._shapes.of({str(number): 1})
    events.forget_if_many()
    assert by_the_plain_way(events, bytes_of(GOOD))[1] is not shape
