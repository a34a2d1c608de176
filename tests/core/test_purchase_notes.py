"""Which fields of a purchase and of its items are there, by the contract."""

from decimal import Decimal

import pytest

from consumer.core.contract import Contract, Field, PurchaseRole, Role
from consumer.core.purchase_notes import MOST_ITEMS, PurchaseNotes

TEXT, NUMBER = frozenset({"string"}), frozenset({"number"})
CONTRACT = Contract(
    "shop",
    "1",
    (Field("payload", frozenset({"object"}), role=Role.EVENT_DATA),),
    frozenset(),
    "order",
    purchase_fields=(
        Field("order_id", TEXT, ("orderId",)),
        Field("revenue", NUMBER),
        Field("lines", frozenset({"array"})),
        Field("coupon", TEXT),
    ),
    item_fields=(Field("sku", TEXT), Field("price", NUMBER)),
    purchase_names={
        PurchaseRole.TRANSACTION_ID: "order_id",
        PurchaseRole.REVENUE: "revenue",
        PurchaseRole.ITEMS: "lines",
    },
)
NOTES = PurchaseNotes(CONTRACT)
WHOLE = {"order_id": "o1", "revenue": 10, "lines": [{"sku": "a", "price": 1}], "coupon": "ten"}


@pytest.mark.parametrize(
    ("change", "notes"),
    [
        ({}, []),
        ({"coupon": None}, [("null", "payload.coupon")]),
        ({"coupon": ""}, [("null", "payload.coupon")]),
        ({"coupon": " \n"}, [("null", "payload.coupon")]),
        ({"coupon": 5}, [("retyped", "payload.coupon")]),
        ({"revenue": "10"}, [("retyped", "payload.revenue")]),
        ({"revenue": Decimal("0.1")}, []),
        ({"coupon": ...}, [("absent", "payload.coupon")]),
        ({"order_id": ..., "orderId": "o1"}, [("aliased", "payload.orderId")]),
        ({"order_id": None, "orderId": "o1"}, [("aliased", "payload.orderId")]),
        ({"z": 1, "y": 2}, [("unknown", "payload.y"), ("unknown", "payload.z")]),
    ],
)
def test_what_a_purchase_lacks_is_named_by_its_path(change, notes):
    value = {key: it for key, it in (WHOLE | change).items() if it is not ...}
    assert list(NOTES.data.notes(value)) == list(NOTES.data.notes(value)) == notes


@pytest.mark.parametrize(
    ("item", "notes"),
    [
        ({"sku": "a", "price": 1}, []),
        ({"sku": " ", "price": None}, [("null", "payload.lines[].sku"), ("null", "payload.lines[].price")]),
        ({"sku": "a", "cost": 1}, [("absent", "payload.lines[].price"), ("unknown", "payload.lines[].cost")]),
        ({"sku": True, "price": 1}, [("retyped", "payload.lines[].sku")]),
    ],
)
def test_what_an_item_lacks_is_named_by_its_path(item, notes):
    assert list(NOTES.item.notes(item)) == notes


@pytest.mark.parametrize(
    ("lines", "items"), [(None, 0), ({}, 0), ("[]", 0), ([], 0), ([1, {}, None, {"sku": "a"}], 2)]
)
def test_items_are_the_objects_in_the_array(lines, items):
    assert len(list(NOTES.items(WHOLE | {"lines": lines}))) == items


def test_items_without_end_are_looked_at_up_to_a_limit():
    assert len(list(NOTES.items({"lines": [{}] * 100_000}))) == MOST_ITEMS


def test_a_contract_that_says_nothing_of_purchases_finds_nothing_unknown_in_them():
    silent = PurchaseNotes(Contract("few", "1", (), frozenset(), "order"))
    assert list(silent.data.notes(WHOLE)) == list(silent.item.notes({"sku": 1})) == []


def test_purchases_of_other_shapes_without_end_take_little_room():
    notes = PurchaseNotes(CONTRACT)
    for number in range(3000):
        assert ("unknown", f"payload.k{number}") in notes.data.notes({f"k{number}": 1})
    assert len(notes.data._notes) <= 1024


def test_keys_without_end_are_cut_and_few():
    notes = list(NOTES.data.notes({f"{n:05}" + "x" * 1000: 1 for n in range(1000)} | WHOLE))
    assert len(notes) == 20
    assert max(len(name) for _, name in notes) == len("payload.") + 64
