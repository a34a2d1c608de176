"""Purchases: what is one, what two of them have in common, and each counted once in whatever order they come."""

import itertools
import json
import random
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.contract import Contract, Field, PurchaseRole
from consumer.core.purchases import (
    DayChange,
    PurchaseFact,
    PurchaseReader,
    fingerprint,
    remember,
    transaction_id,
)
from consumer.core.rejection import Reason

CONTRACT = Contract(
    "shop",
    "1",
    (),
    frozenset(),
    "checkout_completed",
    purchase_fields=(
        Field("order", frozenset({"string"}), ("order_id", "oid")),
        Field("total", frozenset({"number"}), ("amount",)),
        Field("lines", frozenset({"array"}), ("items",)),
    ),
    purchase_names={
        PurchaseRole.TRANSACTION_ID: "order",
        PurchaseRole.REVENUE: "total",
        PurchaseRole.ITEMS: "lines",
    },
)
ALIASED = PurchaseReader(CONTRACT)
READER = PurchaseReader(Contract("shop", "1", (), frozenset(), "checkout_completed"))
AT = 1_740_312_000_000
BOUGHT = {"transaction_id": "t1", "revenue": 10, "items": [{"item_id": "m-1"}]}


def read(data, reader=READER):
    return reader.read(data, AT)


def bought(**fields):
    return BOUGHT | fields


def without(name):
    return {key: value for key, value in BOUGHT.items() if key != name}


# -- one purchase ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [BOUGHT, json.dumps(BOUGHT), json.dumps(BOUGHT, indent=3)])
def test_a_purchase_is_read_from_an_object_or_its_json_text(data):
    fact, rejection = read(data)
    assert rejection is None
    assert (fact.id, fact.at_ms, fact.amount) == ("t1", AT, Decimal(10))
    assert fact.content == read(BOUGHT)[0].content


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        True,
        [],
        [BOUGHT],
        "",
        "  ",
        "5",
        "null",
        "[]",
        '"{}"',
        "{",
        "{} {}",
        '{"revenue": NaN}',
        "\ufeff{}",
    ],
)
def test_data_that_is_no_object_is_no_purchase_and_no_id_is_remembered(data):
    fact, rejection = read(data)
    assert fact is None
    assert (rejection.reason, rejection.path) == (Reason.PURCHASE_DATA, "$.event_data")


def test_data_too_deep_is_no_purchase():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    fact, rejection = read(bought(note=deep))
    assert (fact, rejection.reason) == (None, Reason.PURCHASE_DATA)
    assert read('{"a":' * 10_000 + "1" + "}" * 10_000)[1].reason is Reason.PURCHASE_DATA


@pytest.mark.parametrize(
    "name", [None, "", " ", "\t\n", "\u2003", True, False, Decimal("7.0"), [], ["t1"], {}]
)
def test_without_a_transaction_id_that_others_can_repeat_nothing_is_remembered(name):
    fact, rejection = read(bought(transaction_id=name))
    assert fact is None
    assert (rejection.reason, rejection.path) == (Reason.PURCHASE_ID, "$.event_data.transaction_id")
    assert read(without("transaction_id"))[1].reason is Reason.PURCHASE_ID


@pytest.mark.parametrize(
    "revenue",
    [
        0,
        -1,
        Decimal("-0.01"),
        Decimal("0.00"),
        True,
        "10",
        None,
        [10],
        10**15,
        Decimal("1e-31"),
        Decimal("Inf"),
    ],
)
def test_revenue_that_is_no_amount_above_zero_is_remembered_as_invalid(revenue):
    fact, rejection = read(bought(revenue=revenue))
    assert (fact.id, fact.amount) == ("t1", None)
    assert (rejection.reason, rejection.path) == (Reason.PURCHASE_REVENUE, "$.event_data.revenue")


@pytest.mark.parametrize(
    ("revenue", "message", "keyword"),
    [
        (0, "revenue is not a positive number", "exclusiveMinimum"),
        (-(10**30), "revenue is not a positive number", "exclusiveMinimum"),
        ("10", "revenue is not a positive number", "exclusiveMinimum"),
        (None, "revenue is not a positive number", "exclusiveMinimum"),
        (10**15, "revenue is too large, it must be below 1,000,000,000,000,000", "exclusiveMaximum"),
        (
            Decimal("1e400"),
            "revenue is too large, it must be below 1,000,000,000,000,000",
            "exclusiveMaximum",
        ),
        (
            Decimal("Infinity"),
            "revenue is too large, it must be below 1,000,000,000,000,000",
            "exclusiveMaximum",
        ),
        (Decimal("1e-31"), "revenue has more than 30 digits after the point", "multipleOf"),
    ],
)
def test_a_revenue_that_cannot_be_counted_is_told_what_is_wrong_with_it(revenue, message, keyword):
    _, rejection = read(bought(revenue=revenue))
    assert (rejection.message, rejection.keyword) == (message, keyword)


@pytest.mark.parametrize("revenue", [Decimal("1e-30"), Decimal("0.01"), 10**15 - 1])
def test_any_amount_above_zero_is_revenue(revenue):
    fact, rejection = read(bought(revenue=revenue))
    assert (fact.amount, rejection) == (revenue, None)


@pytest.mark.parametrize("items", [[], {}, "m-1", 1, True, None])
def test_items_that_are_no_array_with_something_in_it_are_remembered_as_invalid(items):
    fact, rejection = read(bought(items=items))
    assert (fact.id, fact.amount) == ("t1", None)
    assert (rejection.reason, rejection.path) == (Reason.PURCHASE_ITEMS, "$.event_data.items")


def test_items_are_not_looked_into():
    assert read(bought(items=[None]))[1] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ORD-1", "ORD-1"),
        (" 1 ", " 1 "),
        (7, "7"),
        (-7, "-7"),
        (0, "0"),
        (10**30, "1" + "0" * 30),
        ("é", "é"),
        ("x" * 256, "x" * 256),
    ],
)
def test_a_transaction_id_is_a_text_or_an_integer_as_text(value, text):
    assert transaction_id(value) == text


def test_transaction_ids_without_end_are_shortened_and_stay_different():
    long, other = transaction_id("x" * 5000), transaction_id("x" * 5001)
    assert len(long) == len(other) == 97
    assert long != other
    assert len(transaction_id(10**4299)) == 97
    assert len(transaction_id(-(10**4299))) == 97


# -- aliases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"order": "t1", "total": 10, "lines": [1]},
        {"order_id": "t1", "amount": 10, "items": [1]},
        {"order": None, "oid": "t1", "total": None, "amount": 10, "lines": None, "items": [1]},
        {"oid": "other", "order_id": "t1", "total": 10, "lines": [1]},
    ],
)
def test_names_and_then_aliases_are_looked_for_in_order(data):
    fact, rejection = read(data, ALIASED)
    assert (fact.id, fact.amount, rejection) == ("t1", Decimal(10), None)


def test_a_name_with_a_wrong_value_is_not_excused_by_an_alias():
    assert (
        read({"order": "", "oid": "t1", "total": 10, "lines": [1]}, ALIASED)[1].reason is Reason.PURCHASE_ID
    )
    assert (
        read({"order": "1", "total": "1", "amount": 1, "lines": [1]}, ALIASED)[1].reason
        is Reason.PURCHASE_REVENUE
    )


def test_no_name_of_the_id_is_part_of_the_content():
    first = read({"order": "a", "total": 10, "lines": [1]}, ALIASED)[0]
    second = read({"order_id": "b", "oid": 5, "total": 10, "lines": [1]}, ALIASED)[0]
    assert first.content == second.content


# -- content -----------------------------------------------------------------------------------------------------

SAME = [
    ({"a": 10}, {"a": Decimal("10.0")}),
    ({"a": 10}, {"a": Decimal("1e1")}),
    ({"a": 10}, {"a": Decimal("100e-1")}),
    ({"a": 0}, {"a": Decimal("-0.000")}),
    ({"a": Decimal("0e5")}, {"a": Decimal("0e-5")}),
    ({"a": Decimal("0.10")}, {"a": Decimal("1e-1")}),
    ({"a": 10**40}, {"a": Decimal("1e40")}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}),
    ([{"b": 1, "a": [10]}], [{"a": [Decimal("10.00")], "b": 1}]),
]
OTHER = [
    ({"a": 1}, {"a": True}),
    ({"a": 0}, {"a": False}),
    ({"a": 0}, {"a": None}),
    ({"a": None}, {}),
    ({"a": ""}, {"a": None}),
    ({"a": 10}, {"a": "10"}),
    ({"a": Decimal("1e1")}, {"a": "1e1"}),
    ({"a": 10}, {"a": {"number": "1e1"}}),
    ({"a": 10}, {"a": [["number", "1e1"]]}),
    ({"a": [1]}, {"a": {"list": [1]}}),
    ({"a": {}}, {"a": []}),
    ({"a": {"b": 1}}, {"a": [["b", 1]]}),
    ({"a": [1, 2]}, {"a": [2, 1]}),
    ({"a": [[1], 2]}, {"a": [[1, 2]]}),
    ({"a": 1}, {"A": 1}),
    ({"a": 1}, {"a ": 1}),
    ({"a": "é"}, {"a": "e\N{COMBINING ACUTE ACCENT}"}),
    ({"a": 10}, {"a": -10}),
    ({"a": 10}, {"a": 100}),
    ({"a": Decimal("0.1")}, {"a": Decimal("0.1000000000000000055")}),
    ({"a": Decimal("1e999")}, {"a": Decimal("1e998")}),
    ({"a": 10**40}, {"a": 10**40 + 1}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_key_order_and_the_writing_of_a_number_are_not_content(one, other):
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_everything_else_is_content(one, other):
    assert fingerprint(one) != fingerprint(other)


def test_white_space_and_key_order_of_the_text_make_no_other_purchase():
    texts = [
        '{"transaction_id":"t1","revenue":10,"items":[{"a":1,"b":2}]}',
        '{ "items" : [ {"b":2.0, "a":1e0} ],\n"revenue":10.00, "transaction_id":"\\u0074\\u0031"}',
        '{"revenue":99,"transaction_id":"t1","items":[{"a":1,"b":2}],"revenue":10}',
    ]
    facts = [read(text)[0] for text in texts]
    assert len({(fact.id, fact.content, fact.amount) for fact in facts}) == 1


def test_a_purchase_has_the_same_content_whatever_its_id_valid_or_not():
    assert read(bought(transaction_id="t1"))[0].content == read(bought(transaction_id=2))[0].content
    assert read(bought(revenue=10))[0].content != read(bought(revenue=0))[0].content
    assert read(bought(items=[]))[0].content != read(without("items"))[0].content


NUMBERS = st.integers(-100, 100) | st.decimals(allow_nan=False, allow_infinity=False, places=2)
CONTENT = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=2),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=2), inside, max_size=3),
    max_leaves=6,
)


def typed(value):
    """The value with its types, so that Python's own 1 == True does not count; numbers are numbers."""
    match value:
        case dict():
            return ("object", {key: typed(inside) for key, inside in value.items()})
        case list():
            return ("array", [typed(inside) for inside in value])
        case bool() | str() | None:
            return (type(value).__name__, value)
        case _:
            return ("number", Decimal(value))


@given(CONTENT, CONTENT)
def test_two_contents_have_one_fingerprint_only_if_they_are_equal(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (typed(one) == typed(other))


# -- each counted once -------------------------------------------------------------------------------------------

DAY = 86_400_000
AMOUNTS = {"x": Decimal("10.00"), "y": Decimal("0.1"), "bad": None}


def day_of(at_ms):
    return f"2025-03-{at_ms // DAY % 28 + 1:02}"


def fact(at_ms, content="x"):
    return PurchaseFact("t1", at_ms, content, AMOUNTS[content])


def counted(facts):
    """What the days hold after the facts in their order of arrival."""
    known, days = None, defaultdict(lambda: [0, Decimal(0), 0, 0, Decimal(0)])
    for arrived in facts:
        known, changes = remember(known, arrived, day_of(arrived.at_ms))
        for change in changes:
            for place, more in enumerate(change[1:]):
                days[change.day][place] += more
    return {day: tuple(sums) for day, sums in days.items() if any(sums)}


def claimed_on(day, facts):
    return sum(f.amount or 0 for f in facts if day_of(f.at_ms) == day)


def batch(facts):
    """The batch definition: all events with one id at once."""
    events = Counter(day_of(f.at_ms) for f in facts)
    if len({f.content for f in facts}) > 1:
        return {day: (0, 0, 0, n, claimed_on(day, facts)) for day, n in events.items()}
    amount = facts[0].amount
    if amount is None:
        return {}
    first = day_of(min(f.at_ms for f in facts))
    sums = {day: (1, amount, n - 1, 0, 0) if day == first else (0, 0, n, 0, 0) for day, n in events.items()}
    return {day: s for day, s in sums.items() if any(s)}


def test_a_purchase_counts_on_its_day():
    known, changes = remember(None, fact(0), "2025-03-01")
    assert changes == [DayChange("2025-03-01", 1, Decimal(10))]
    assert not known.collided


def test_a_replay_counts_as_one_on_its_own_day():
    assert counted([fact(0), fact(5), fact(DAY)]) == {
        "2025-03-01": (1, 10, 1, 0, 0),
        "2025-03-02": (0, 0, 1, 0, 0),
    }


def test_an_earlier_replay_takes_the_purchase_to_its_own_day():
    known, _ = remember(None, fact(DAY), "2025-03-02")
    known, changes = remember(known, fact(0), "2025-03-01")
    assert sorted(changes) == [
        DayChange("2025-03-01", 1, Decimal(10)),
        DayChange("2025-03-02", -1, Decimal(-10), 1),
    ]
    assert (known.first_ms, known.first_day, known.last_ms) == (0, "2025-03-01", DAY)


def test_a_collision_takes_back_all_that_was_counted():
    assert counted([fact(0), fact(DAY), fact(DAY + 1, "y")]) == {
        "2025-03-01": (0, 0, 0, 1, 10),
        "2025-03-02": (0, 0, 0, 2, Decimal("10.1")),
    }


def test_once_collided_the_first_content_again_stays_a_collision():
    facts = [fact(0), fact(1, "y"), fact(2), fact(3)]
    assert counted(facts) == {"2025-03-01": (0, 0, 0, 4, Decimal("30.1"))}


def test_an_invalid_purchase_again_is_no_replay_and_with_another_content_a_collision():
    assert counted([fact(0, "bad"), fact(1, "bad")]) == {}
    assert counted([fact(0, "bad"), fact(1, "x")]) == {"2025-03-01": (0, 0, 0, 2, 10)}


def test_remembering_changes_no_earlier_memory():
    first, _ = remember(None, fact(0), "2025-03-01")
    before = (first, dict(first.occurrences))
    remember(first, fact(1, "y"), "2025-03-01")
    assert (first, first.occurrences) == before


MOMENTS = [0, 1, DAY - 1, DAY, 2 * DAY]


@pytest.mark.parametrize("contents", ["xxx", "xxxx", "xxy", "xyxy", "bbx", "bbb", "bxy"])
def test_every_order_of_arrival_gives_the_numbers_of_the_batch_definition(contents):
    names = {"x": "x", "y": "y", "b": "bad"}
    facts = [fact(at, names[c]) for at, c in zip(MOMENTS, contents, strict=False)]
    expected = batch(facts)
    for arrival in itertools.permutations(facts):
        assert counted(arrival) == expected


@given(
    st.lists(
        st.tuples(st.sampled_from(MOMENTS), st.sampled_from(["x", "x", "x", "y", "bad"])),
        min_size=1,
        max_size=8,
    ),
    st.integers(),
)
def test_any_permutation_of_purchases_gives_the_numbers_of_the_batch_definition(made, seed):
    facts = [fact(at, content) for at, content in made]
    expected = batch(facts)
    assert counted(facts) == expected
    random.Random(seed).shuffle(facts)
    assert counted(facts) == expected


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["x", "x", "y", "bad"])), min_size=1, max_size=8),
    st.integers(),
)
def test_a_collision_is_known_since_the_second_content_in_whatever_order_they_arrive(made, seed):
    facts = [fact(at, content) for at, content in made]
    since = [at for at in range(10) if len({content for time, content in made if time <= at}) > 1]
    random.Random(seed).shuffle(facts)
    known = None
    for arrived in facts:
        known, _ = remember(known, arrived, day_of(arrived.at_ms))
    assert known.clashed_ms == min(since, default=None)
    assert known.collided == bool(since)
