"""Bytes to fields or the reason why not, and what the contract says of a shape of event."""

import json
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.contract import Contract, Field, Role
from consumer.core.decode import MOST_EVENT_BYTES, MOST_UNKNOWN, Shapes, decode
from consumer.core.identifier import MOST_NAME
from consumer.core.rejection import UNPARSEABLE, Reason, Rejection

CONTRACT = Contract(
    "shop",
    "1",
    (
        Field("client_id", frozenset({"string"}), ("clientId", "cid"), role=Role.IDENTITY),
        Field("timestamp", frozenset({"string"}), ("ts",), role=Role.TIMESTAMP),
        Field("event_name", frozenset({"string"}), role=Role.EVENT_NAME),
        Field("page_url", frozenset({"string"}), role=Role.PAGE_URL),
        Field("referrer", frozenset({"string"}), role=Role.REFERRER),
        Field("event_data", frozenset({"string", "object"}), role=Role.EVENT_DATA),
        Field("width", frozenset({"integer"})),
        Field("price", frozenset({"number"})),
        Field("robot", frozenset({"boolean"})),
        Field("tags", frozenset({"array"})),
    ),
    frozenset({"page_viewed"}),
    "checkout_completed",
)
FEW = Contract("few", "1", CONTRACT.fields[:3], frozenset(), "")
GOOD = {
    "client_id": "ann",
    "timestamp": "2025-02-23T12:00:00Z",
    "event_name": "page_viewed",
    "page_url": "https://shop.example/",
    "referrer": "https://search.test/",
    "event_data": "{}",
    "width": 5,
    "price": Decimal("0.1"),
    "robot": False,
    "tags": [],
}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.TOMBSTONE),
        (b"", Reason.EMPTY),
        ("", Reason.EMPTY),
        (b" " * (MOST_EVENT_BYTES + 1), Reason.TOO_BIG),
        (b"[" * (MOST_EVENT_BYTES + 1), Reason.TOO_BIG),
        (b" ", Reason.NOT_JSON),
        (b"{", Reason.NOT_JSON),
        (b"{}{}", Reason.NOT_JSON),
        (b"{} x", Reason.NOT_JSON),
        (b"{'a': 1}", Reason.NOT_JSON),
        (b'{"a": 1,}', Reason.NOT_JSON),
        (b'{"a" 1}', Reason.NOT_JSON),
        (b'{"a": NaN}', Reason.NOT_JSON),
        (b'{"a": Infinity}', Reason.NOT_JSON),
        (b'{"a": 1e999999999999999999999, "b": NaN}', Reason.NOT_JSON),
        (b'{"a": 01}', Reason.NOT_JSON),
        (b'{"a": 1.}', Reason.NOT_JSON),
        (b'{"a": "\\ud800"}', Reason.NOT_JSON),
        (b'{"\\udc00": 1}', Reason.NOT_JSON),
        (b'{"a": "\\ud800", "b": 1e999999999999999999999}', Reason.NOT_JSON),
        (b'{"a": "\n"}', Reason.NOT_JSON),
        (b'\xef\xbb\xbf{"a": 1}', Reason.NOT_JSON),
        (b'{"a": "\xff"}', Reason.NOT_UTF8),
        (b'{"\xff": 1}', Reason.NOT_UTF8),
        (b'{"a": 1} \xff', Reason.NOT_UTF8),
        (b'{"a": "\xed\xa0\x80"}', Reason.NOT_UTF8),
        (b'{"a": "\xff", "b": 1e999999999999999999999}', Reason.NOT_UTF8),
        ('{"a": 1}'.encode("utf-16"), Reason.NOT_UTF8),
        (b"\x1f\x8b\x08\x00", Reason.NOT_UTF8),
        (b"[" * 100_000, Reason.TOO_DEEP),
        (b'{"a":' * 50_000, Reason.TOO_DEEP),
    ],
)
def test_what_cannot_be_read_has_its_reason(value, reason):
    rejection = decode(value)
    assert isinstance(rejection, Rejection)
    assert rejection.reason is reason
    assert rejection.message
    assert len(rejection.message) <= 500


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b'{"a": 10}', {"a": 10}),
        (b'{"a": 10.00}', {"a": Decimal("10.00")}),
        (b'{"a": 0.1000000000000000000000000000001}', {"a": Decimal("0.1000000000000000000000000000001")}),
        (b'{"a": 1e400}', {"a": Decimal("1e400")}),
        (b'{"a": 1e999999999999999999999}', {"a": Decimal("Infinity")}),
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": Decimal("9" * 5000)}),
        (b'{"a": -' + b"9" * 5000 + b"}", {"a": Decimal("-" + "9" * 5000)}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b' \n\t\r{"a": [null, true, {"": "\\u00e7"}]} ', {"a": [None, True, {"": "ç"}]}),
        (b"5", 5),
        (b'"text"', "text"),
        (b"null", None),
        (b"[1]", [1]),
    ],
)
def test_what_can_be_read_is_read_exactly(written, value):
    assert repr(decode(written)) == repr(value)


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"[]" * (depth % 2) + b"]}" * (depth // 2)


@pytest.mark.parametrize("depth", [299, 300])
def test_a_value_as_deep_as_is_allowed_is_read_also_with_texts_full_of_brackets(depth):
    value = nested(depth)[:-1] + b', "t": "' + b'[\\"{\\\\' * 400 + b'"}'
    assert isinstance(decode(value), dict)
    assert decode(value.decode()) == decode(value)


@pytest.mark.parametrize(
    "written", [nested(301), nested(302), nested(302)[:906], b"[" * 301, b'"[{" ' + b"{" * 900]
)
def test_a_deeper_one_is_not_whether_it_is_json_or_not(written):
    """So it has the same reason with every Python, whose own limits differ."""
    for value in (written, written.decode()):
        rejection = decode(value)
        assert isinstance(rejection, Rejection)
        assert rejection.reason is Reason.TOO_DEEP


def test_brackets_that_are_many_but_not_deep_are_read():
    assert decode(b"[" + b"{}," * 5000 + b"[]]") == [{}] * 5000 + [[]]


def test_an_event_of_exactly_the_largest_size_is_read():
    assert decode(b'{"a":"' + b"x" * (MOST_EVENT_BYTES - 8) + b'"}') == {"a": "x" * (MOST_EVENT_BYTES - 8)}


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_raise(value):
    decoded = decode(value)
    if isinstance(decoded, Rejection):
        assert decoded.reason in UNPARSEABLE


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**4299, 10**4301)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_every_json_value_comes_back(value):
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        written = json.dumps(value).encode()
        assert decode(written) == value
    finally:
        sys.set_int_max_str_digits(before)


def shape_of(event):
    return Shapes(CONTRACT).learn(event)


def without(*names, **others):
    return {name: value for name, value in (GOOD | others).items() if name not in names}


def test_an_event_as_the_contract_wants_it_has_nothing_to_note():
    shape = shape_of(GOOD)
    assert shape.notes == ()
    assert shape.identity == ("client_id",)
    roles = ("timestamp", "event_name", "page_url", "referrer", "event_data")
    assert tuple(getattr(shape, role) for role in roles) == roles


@pytest.mark.parametrize(
    ("event", "notes"),
    [
        (without("referrer"), {("absent", "referrer")}),
        (without(referrer=None), {("null", "referrer")}),
        (without(referrer=7), {("retyped", "referrer")}),
        (without(referrer={}), {("retyped", "referrer")}),
        (without(event_data={}), set()),
        (without(event_data=[]), {("retyped", "event_data")}),
        (without(width=True), {("retyped", "width")}),
        (without(width=Decimal("5.0")), {("retyped", "width")}),
        (without(price=5), set()),
        (without(price=True), {("retyped", "price")}),
        (without(price="5"), {("retyped", "price")}),
        (without(robot=0), {("retyped", "robot")}),
        (without(tags={}), {("retyped", "tags")}),
        (without("client_id", clientId="ann"), {("aliased", "clientId")}),
        (without(clientId="ann"), {("aliased", "clientId")}),
        (without("client_id", clientId=None), {("null", "client_id"), ("aliased", "clientId")}),
        (without(client_id=None, clientId="ann"), {("aliased", "clientId")}),
        (without(client_id=None, cid=7), {("retyped", "client_id"), ("aliased", "cid")}),
        (without("timestamp", ts="x"), {("aliased", "ts")}),
        (without(client_ID="ann"), {("unknown", "client_ID")}),
        (without("width", "tags", x=1), {("absent", "width"), ("absent", "tags"), ("unknown", "x")}),
    ],
)
def test_a_shape_notes_what_is_not_as_the_contract_wants_it(event, notes):
    found = shape_of(event).notes
    assert set(found) == notes
    assert len(found) == len(notes)


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"cid": "a", "clientId": "b", "client_id": "c"}, ("client_id", "clientId", "cid")),
        ({"cid": "a", "client_id": None}, ("cid",)),
        ({"clientId": "a", "client_id": 5}, ("clientId",)),
        ({"client_id": " "}, ("client_id",)),
        ({"client_id": None}, ()),
        ({}, ()),
    ],
)
def test_identity_is_looked_for_under_the_name_first_and_then_under_the_aliases_in_order(fields, keys):
    assert shape_of(fields).identity == keys


@pytest.mark.parametrize("timestamp", [None, 5, [], {}, True, Decimal(1)])
def test_a_role_without_a_value_of_its_type_is_not_filled(timestamp):
    assert shape_of(without(timestamp=timestamp)).timestamp is None
    assert shape_of(without("timestamp")).timestamp is None


def test_a_role_may_be_filled_by_an_alias():
    assert shape_of(without("timestamp", ts="x")).timestamp == "ts"
    assert shape_of(without(ts="x")).timestamp == "timestamp"


def test_a_contract_without_a_role_leaves_it_unfilled():
    shape = Shapes(FEW).learn({"page_url": "https://shop.example/"})
    assert shape.page_url is shape.referrer is shape.event_data is None
    assert shape.unknown == ("page_url",)


def test_of_unknown_keys_few_are_told_and_those_cut():
    event = GOOD | {f"{number:02}" + "x" * 100: 1 for number in range(50)}
    unknown = shape_of(event).unknown
    assert unknown == tuple(f"{number:02}" + "x" * (MOST_NAME - 2) for number in range(MOST_UNKNOWN))


def test_unknown_keys_that_are_cut_to_the_same_name_are_noted_once():
    assert shape_of(GOOD | {"x" * 70: 1, "x" * 80: 2}).unknown == ("x" * MOST_NAME,)


def test_keys_of_which_nothing_can_be_seen_are_told_as_one_that_can():
    assert shape_of(GOOD | {"": 1, " \t": 2, "page": 3}).unknown == ("(blank)", "page")


def test_a_shape_is_known_again_by_keys_and_types_and_shared_by_all_that_say_the_same():
    shapes = Shapes(CONTRACT)
    learned = shapes.learn(GOOD)
    assert shapes.by_signature[*GOOD, *map(type, GOOD.values())] is learned
    reordered = dict(reversed(GOOD.items()))
    assert (*reordered, *map(type, reordered.values())) not in shapes.by_signature
    assert shapes.learn(reordered) is learned
    assert shapes.learn(GOOD | {"price": 5}) is learned
    assert shapes.learn(without("referrer")) is not learned


def test_events_of_many_or_long_keys_are_judged_but_not_remembered_by_their_keys():
    shapes = Shapes(CONTRACT)
    assert shapes.learn(GOOD | {str(number): 1 for number in range(100)}).timestamp == "timestamp"
    assert shapes.learn(GOOD | {"x" * 65: 1}).timestamp == "timestamp"
    assert not shapes.by_signature
    shapes.learn(GOOD | {str(number): 1 for number in range(64 - len(GOOD))})
    shapes.learn(GOOD | {"x" * 64: 1})
    assert len(shapes.by_signature) == 2


def test_however_many_shapes_come_memory_is_bounded_between_batches():
    shapes = Shapes(FEW)
    for number in range(16_384):
        shapes.learn({str(number): 1})
    shapes.forget_if_many()
    assert len(shapes.by_signature) == len(shapes._alike) == 16_384
    shapes.learn(GOOD)
    shapes.forget_if_many()
    assert not shapes.by_signature
    assert not shapes._alike
    assert shapes.learn(GOOD).identity == ("client_id",)


@given(st.dictionaries(st.text(max_size=70) | st.sampled_from(sorted(GOOD)), JSON, max_size=8))
def test_any_object_has_a_shape_whose_filled_roles_are_texts(event):
    shape = shape_of(event)
    for role in ("timestamp", "event_name", "page_url", "referrer"):
        key = getattr(shape, role)
        assert key is None or isinstance(event[key], str)
    assert all(isinstance(event[key], str) for key in shape.identity)
