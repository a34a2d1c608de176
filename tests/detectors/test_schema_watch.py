"""A fault of a field, an event name or a record is found within minutes, under its right name; a quiet shop is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from detectors.alerts import Severity
from detectors.fields import FieldMinute
from detectors.schema_watch import SchemaState, SchemaWatch
from tests.detectors.schema_noise import (
    DAY,
    EXPECT,
    Shop,
    call,
    hurry,
    lose,
    reject,
    rename,
    repeat,
    turn,
)

if TYPE_CHECKING:
    from detectors.finding import Finding

LEARNED_DAYS = 14


@pytest.fixture(scope="module")
def learned() -> bytes:
    """What a watch remembers after two quiet weeks."""
    shop, watch = Shop(7), SchemaWatch(EXPECT)
    for day in range(LEARNED_DAYS):
        for minute in shop.day(day):
            watch.update(minute)
    return msgspec.msgpack.encode(watch.state)


def restored(learned: bytes) -> SchemaWatch:
    return SchemaWatch(EXPECT, msgspec.msgpack.decode(learned, type=SchemaState))


def struck(learned: bytes, fault: object, seed: int, at: int = 15 * 60, days: int = 1) -> list[Finding]:
    """What is said, notes aside, on days of which a fault strikes from a minute of the first on."""
    watch, shop, findings = restored(learned), Shop(seed), []
    for day in range(days):
        for minute in shop.day(LEARNED_DAYS + day, fault, at if day == 0 else 0):
            findings += watch.update(minute)
    return [f for f in findings if f.severity != Severity.P2_NOTE]


def test_sixty_quiet_days_of_a_small_shop_raise_nothing() -> None:
    shop, watch, loud = Shop(1), SchemaWatch(EXPECT), []
    for day in range(60):
        for minute in shop.day(day):
            loud += [f for f in watch.update(minute) if f.severity != Severity.P2_NOTE]
    assert loud == []


FAULTS = {
    "identity under an unknown name": (
        lose("client_id", key="visitor"),
        "schema_field_renamed",
        "client_id",
        "P0_BLOCKER",
        20,
    ),
    "identity under its alias": (call("clientId"), "schema_field_renamed", "client_id", "P1_HIGH", 20),
    "page gone": (lose("page_url"), "schema_field_missing", "page_url", "P1_HIGH", 20),
    "identity gone from 30 % of events": (
        lose("client_id", 0.3),
        "schema_field_missing",
        "client_id",
        "P0_BLOCKER",
        40,
    ),
    "page renamed in 30 % of visits": (
        lose("page_url", 0.3, by_visit=True, key="pageUrl"),
        "schema_field_renamed",
        "page_url",
        "P1_HIGH",
        40,
    ),
    "user agent as a number": (turn("user_agent"), "schema_type_changed", "user_agent", "P1_HIGH", 20),
    "an optional field that most had is gone": (
        lose("consent"),
        "schema_field_missing",
        "consent",
        "P1_HIGH",
        30,
    ),
    "event renamed": (
        rename("page_viewed", "pageview"),
        "schema_unknown_event",
        "pageview",
        "P1_HIGH",
        20,
    ),
    "timestamp gone": (
        reject("timestamp_missing", 1.0),
        "schema_field_missing",
        "timestamp",
        "P0_BLOCKER",
        20,
    ),
    "event name gone from 30 %": (
        reject("event_name_missing", 0.3),
        "schema_field_missing",
        "event_name",
        "P0_BLOCKER",
        40,
    ),
    "timestamps that are none": (reject("timestamp_invalid", 0.2), "timestamp_errors", "", "P1_HIGH", 60),
    "clocks ahead": (hurry(0.3), "timestamp_errors", "", "P1_HIGH", 60),
    "a tenth garbage": (reject("not_json", 0.1), "unparseable_events", "", "P1_HIGH", 60),
    "events sent again": (repeat(0.5), "duplicate_events", "", "P1_HIGH", 60),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_once_in_time_under_its_name_and_no_other(learned: bytes, name: str) -> None:
    fault, kind, subject, severity, minutes = FAULTS[name]
    for seed in (31, 32):
        said = struck(learned, fault, seed)
        opened = [f for f in said if f.word == "opened"]
        assert [(f.kind, f.subject, f.severity) for f in opened] == [(kind, subject, severity)]
        start = LEARNED_DAYS * DAY + 15 * 60
        assert start < opened[0].known_minute <= start + minutes
        assert start - 10 <= opened[0].since_minute < opened[0].known_minute


PURCHASE_FAULTS = {
    "revenue as text": (turn("event_data.revenue"), "schema_type_changed", "event_data.revenue"),
    "transaction id renamed": (
        lose("event_data.transaction_id", key="event_data.order_id"),
        "schema_field_renamed",
        "event_data.transaction_id",
    ),
    "a price inside items gone": (
        lose("event_data.items[].item_price"),
        "schema_field_missing",
        "event_data.items[].item_price",
    ),
    "items emptied": (reject("purchase_items", 1.0, purchases=True), "purchase_invalid", ""),
    "purchase event renamed": (
        rename("checkout_completed", "checkout_complete"),
        "schema_unknown_event",
        "checkout_completed",
    ),
}


@pytest.mark.parametrize("name", PURCHASE_FAULTS)
def test_what_purchases_lose_is_known_after_a_few_of_them(learned: bytes, name: str) -> None:
    fault, kind, subject = PURCHASE_FAULTS[name]
    opened = [f for f in struck(learned, fault, 33, 8 * 60) if f.word == "opened"]
    assert (kind, subject) in {(f.kind, f.subject) for f in opened}
    assert {f.kind for f in opened} == {kind}


def test_a_renamed_purchase_event_pages(learned: bytes) -> None:
    said = struck(learned, rename("checkout_completed", "order_placed"), 34, 0, days=2)
    pages = [f for f in said if f.severity == Severity.P0_BLOCKER and f.word == "opened"]
    assert [(f.kind, f.subject, f.evidence["event_name"]) for f in pages] == [
        ("schema_unknown_event", "checkout_completed", "order_placed")
    ]
    assert "checkout_completed was renamed to order_placed" in pages[0].message


def test_what_is_mended_is_resolved_and_can_open_again(learned: bytes) -> None:
    watch, shop, words = restored(learned), Shop(35), []
    for day, fault in ((0, lose("page_url")), (1, None), (2, lose("page_url"))):
        for minute in shop.day(LEARNED_DAYS + day, fault):
            words += [f.word for f in watch.update(minute) if f.kind == "schema_field_missing"]
    assert [word for word in words if word != "standing"] == ["opened", "resolved", "opened"]


def test_a_lasting_fault_is_said_once_and_updated_at_most_hourly(learned: bytes) -> None:
    said = struck(learned, lose("page_url"), 36, 0, days=3)
    assert [f.word for f in said].count("opened") == 1
    assert len(said) <= 3 * 24 + 1
    assert not [f for f in said if f.word == "resolved"]


def test_an_accepted_level_is_normal_from_then_on(learned: bytes) -> None:
    watch, shop = restored(learned), Shop(37)
    for minute in shop.day(LEARNED_DAYS, lose("page_url")):
        watch.update(minute)
    assert watch.accept("schema_field_missing", "page_url")
    assert not watch.accept("schema_field_missing", "page_url")
    for day in (1, 2):
        for minute in shop.day(LEARNED_DAYS + day, lose("page_url")):
            assert not [f for f in watch.update(minute) if f.severity != Severity.P2_NOTE]


def test_a_required_field_that_never_came_is_said_and_an_optional_one_is_not() -> None:
    def never(event: object, rng: object, luck: float) -> None:
        event.absent |= {"page_url", "referrer"}

    watch, said = SchemaWatch(EXPECT), []
    for minute in Shop(38).day(0, never):
        said += [f for f in watch.update(minute) if f.severity != Severity.P2_NOTE]
    assert {(f.kind, f.subject) for f in said} == {("schema_field_missing", "page_url")}
    assert [f.word for f in said].count("opened") == 1
    assert "came in none of the first" in said[0].message


def test_a_stream_that_starts_with_an_alias_is_as_the_contract_allows() -> None:
    watch = SchemaWatch(EXPECT)
    for minute in Shop(39).day(0, call("clientId")):
        assert not [f for f in watch.update(minute) if f.severity != Severity.P2_NOTE]


def test_one_visit_without_a_field_is_no_incident(learned: bytes) -> None:
    watch, at = restored(learned), LEARNED_DAYS * DAY
    for _ in range(10):
        assert not watch.update(FieldMinute(at, 12, names={"page_viewed": 12}, absent={"page_url": 8}))
        for quiet in range(1, 360):
            watch.update(FieldMinute(at + quiet, 3, names={"page_viewed": 3}))
        at += 360


def test_every_rule_says_why_it_is_silent(learned: bytes) -> None:
    young = {s.reason for s in SchemaWatch(EXPECT).standing()}
    assert young == {"insufficient_history", "within_band"}
    grown = {(s.kind, s.subject): s.reason for s in restored(learned).standing()}
    assert grown["schema_field_missing", "client_id"] == "within_band"
    assert grown["schema_type_changed", "event_data.revenue"] == "within_band"
    assert grown["purchase_invalid", ""] == "within_band"


def test_hostile_names_are_cut_and_printable(learned: bytes) -> None:
    watch, name = restored(learned), "x\x1b[31m\n" + "y" * 5000
    said = []
    for at in range(20):
        now = LEARNED_DAYS * DAY + at
        said += watch.update(FieldMinute(now, 3, names={name: 3}, absent={"page_url": 3}, unknown={name: 3}))
    assert {f.kind for f in said} == {"schema_unknown_event", "schema_field_renamed"}
    for finding in said:
        text = msgspec.json.encode(finding).decode()
        assert len(text) < 2_000
        assert "\\u001b" not in text
        assert "\\n" not in text
