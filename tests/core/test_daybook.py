"""A day as a sum of its minutes, its status by its life, and the receipt that follows from both."""

import itertools
from copy import deepcopy
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.daybook import MOST_HISTORY, MOST_NAMES, MOST_TOLD, Day, Span, receipt
from consumer.core.days import HistoryEntry, Receipt
from consumer.core.facts import REST, MinuteFacts
from consumer.core.purchases import DayChange
from consumer.core.rejection import PURCHASE_INVALID, Reason
from detectors.fields import ExpectedField

CLOSED = 1_740_358_800_000
"""2025-02-24T01:00:00Z, when 23 February closes."""
HOUR = 9
INVALID = {"purchase_revenue": 1}
TABLES = ("rejected", "names", "null", "absent", "retyped", "aliased", "unknown", "kinds")
COUNTS = ("purchase_events", "items", "robots", "repeated", "stale", "ahead")

MINUTES = st.builds(
    lambda events, sessions, table, name: MinuteFacts(events, 1, sessions, -1, **{table: {name: 2}}),
    st.integers(0, 9),
    st.integers(-2, 5),
    st.sampled_from(TABLES),
    st.sampled_from("ab"),
)


def day(*minutes, **fields):
    made = Day(**fields)
    for minute in minutes:
        made.add([minute], HOUR)
    return made


def closed(*minutes, **fields):
    made = day(*minutes, **fields)
    made.closed_at_ms = CLOSED
    made.revise(CLOSED)
    return made


def written(sums, **fields):
    told = {"contract": "shop 1", "watermark_ms": CLOSED} | fields
    span = Span("2025-02-23", told.pop("zone", "UTC"), CLOSED - 25 * 3_600_000, CLOSED - 3_600_000)
    return receipt(span, sums, **told)


# -- a sum -------------------------------------------------------------------------------------------------------


def test_every_count_of_a_minute_arrives_in_its_day():
    minute = MinuteFacts(1, 2, 3, 4, *({"a": n} for n in range(5, 13)), *range(13, 19))
    sums = day(minute, minute)
    assert (sums.events, sums.identity_missing, sums.sessions, sums.direct) == (2, 4, 6, 8)
    assert [getattr(sums, table) for table in TABLES] == [{"a": 2 * n} for n in range(5, 13)]
    assert [getattr(sums, name) for name in COUNTS] == [2 * n for n in range(13, 19)]
    assert sums.purchases == 0


@given(st.lists(MINUTES, max_size=4), st.randoms())
def test_the_order_of_minutes_does_not_matter(minutes, shuffled):
    first = day(*minutes)
    shuffled.shuffle(minutes)
    assert day(*minutes) == first


@given(st.lists(MINUTES, max_size=3), st.lists(MINUTES, max_size=3))
def test_minutes_that_were_added_up_before_give_the_same_day(some, others):
    together = MinuteFacts()
    for minute in others:
        together.add(minute)
    assert day(*some, together) == day(*some, *others)


def test_adding_leaves_the_minute_as_it_was():
    minute = MinuteFacts(1, names={"a": 1})
    sums = day(minute)
    sums.names["a"] = 99
    assert minute == MinuteFacts(1, names={"a": 1})


def test_what_comes_after_the_day_closed_is_late_and_counts_all_the_same():
    sums = closed(MinuteFacts(5))
    assert sums.late == 0
    sums.add([MinuteFacts(3)], HOUR)
    assert (sums.events, sums.late) == (8, 3)


def test_a_day_keeps_so_many_names_of_each_kind_and_counts_the_rest_together():
    sums = Day()
    for number in range(MOST_NAMES + 50):
        sums.add([MinuteFacts(1, names={f"name {number}": 1}, unknown={f"key {number}": 1})], HOUR)
    sums.add([MinuteFacts(1, names={"name 0": 1, "name 249": 1})], HOUR)
    for table in (sums.names, sums.unknown):
        assert len(table) == MOST_NAMES + 1
    assert sums.names["name 0"] == 2
    assert sums.names[REST] == 51
    assert sum(sums.names.values()) == 252


def test_purchases_add_up_exactly_and_are_taken_back_exactly():
    sums = Day()
    sums.change(DayChange("", 1, Decimal("0.1"), 2, 3))
    sums.change(DayChange("", 1, Decimal("0.2"), 0, 0))
    assert (sums.purchases, sums.revenue, sums.replays, sums.collisions) == (2, Decimal("0.3"), 2, 3)
    sums.change(DayChange("", -2, Decimal("-0.3"), -2, -3))
    assert (sums.purchases, sums.revenue, sums.replays, sums.collisions) == (0, 0, 0, 0)


@given(st.permutations([Decimal("1e-30"), Decimal(999999999999999), Decimal("0.01"), Decimal("-5.5")]))
def test_revenue_does_not_depend_on_the_order(amounts):
    sums = Day()
    for amount in amounts:
        sums.change(DayChange("", 1, amount))
    assert sums.revenue == Decimal("999999999999993.510000000000000000000000000001")


def test_a_copy_can_be_changed_in_every_way_and_the_day_stays():
    original = closed(MinuteFacts(5, **{table: {"a": 1} for table in TABLES}))
    before = deepcopy(original)
    other = original.copy()
    assert other == original
    more = MinuteFacts(1, 1, 1, 1, *({"a": 1, "b": 1} for _ in TABLES), claimed={"purchase_id": Decimal(1)})
    other.add([more], HOUR)
    other.change(DayChange("", 1, Decimal(1), 1, 1, Decimal(1)))
    other.released = True
    other.revise(CLOSED)
    other.history.append(HistoryEntry(9, "pass", ""))
    assert original == before


def test_a_day_knows_its_hours():
    sums = Day()
    sums.add([MinuteFacts(3, sessions=2, purchases=1)], 0)
    sums.add([MinuteFacts(2, sessions=-1)], 23)
    sums.add([MinuteFacts(4)], 0)
    hours = written(sums).hours
    assert (hours.events[0], hours.events[23], sum(hours.events)) == (7, 2, sums.events)
    assert (hours.sessions[0], hours.sessions[23]) == (2, -1)
    assert (hours.purchases[0], sum(hours.purchases)) == (1, 1)


def test_of_a_day_that_an_older_version_began_no_hours_are_told():
    sums = Day(events=7)
    sums.add([MinuteFacts(3)], 5)
    assert written(sums).hours is None


def test_what_an_older_version_wrote_is_read():
    packed = msgspec.msgpack.encode({"events": 5, "rejected": {"empty": 1}})
    sums = msgspec.msgpack.decode(packed, type=Day)
    told = msgspec.json.decode(msgspec.json.encode(written(sums)))
    lacking = ("begins", "ends", "hours", "names", "coverage", "normal", "claimed")
    older = msgspec.convert({name: value for name, value in told.items() if name not in lacking}, Receipt)
    assert (older.counts.events, older.hours, older.normal) == (5, None, {})


def test_what_rejected_and_collided_purchases_claim_adds_up_exactly():
    sums = Day()
    sums.add([MinuteFacts(claimed={"purchase_items": Decimal("0.1")})], HOUR)
    sums.add([MinuteFacts(claimed={"purchase_items": Decimal("0.2"), "purchase_id": Decimal(5)})], HOUR)
    sums.change(DayChange("", collisions=2, claimed=Decimal("10.50")))
    assert written(sums).claimed == {
        "purchase_id": "5.00",
        "purchase_items": "0.30",
        "transaction_collision": "10.50",
    }


# -- a life ------------------------------------------------------------------------------------------------------

COLLIDED = {"collisions": 2}


@pytest.mark.parametrize(
    ("fields", "open_now", "verdict", "released"),
    [
        ({}, "open", "pass", "pass"),
        ({"replays": 5}, "open", "pass", "pass"),
        ({"rejected": {"not_json": 5}}, "open", "pass", "pass"),
        ({"rejected": INVALID}, "open", "at_risk", "at_risk"),
        (COLLIDED, "open", "quarantined", "released"),
        ({"rejected": INVALID} | COLLIDED, "open", "quarantined", "released"),
    ],
)
def test_the_status_is_open_then_the_verdict_and_released_only_where_it_was_quarantined(
    fields, open_now, verdict, released
):
    assert Day(**fields).status() == open_now
    assert Day(**fields, released=True).status() == open_now
    assert closed(**fields).status() == verdict
    assert closed(**fields, released=True).status() == released


@pytest.mark.parametrize("reason", Reason)
def test_only_invalid_purchases_among_the_rejects_put_a_day_at_risk(reason):
    status = closed(rejected={reason.value: 1}).status()
    assert status == ("at_risk" if reason in PURCHASE_INVALID else "pass")


def test_an_open_day_has_a_verdict_already():
    told = written(Day(**COLLIDED))
    assert (told.status, told.verdict, told.revision) == ("open", "quarantined", 0)


def test_every_change_of_a_closed_day_is_a_revision_and_only_another_status_goes_on_record():
    sums = closed()
    sums.revise(CLOSED + 1, "late events")
    sums.rejected = dict(INVALID)
    sums.revise(CLOSED + 2, "late events")
    sums.collisions = 2
    sums.revise(CLOSED + 3)
    sums.released = True
    sums.revise(CLOSED + 4, "checked", "ann")
    assert sums.revision == 5
    assert sums.history == [
        HistoryEntry(1, "pass", "2025-02-24T01:00:00.000Z"),
        HistoryEntry(3, "at_risk", "2025-02-24T01:00:00.002Z", "late events"),
        HistoryEntry(4, "quarantined", "2025-02-24T01:00:00.003Z"),
        HistoryEntry(5, "released", "2025-02-24T01:00:00.004Z", "checked", "ann"),
    ]


def test_of_a_history_without_end_the_newest_is_kept():
    sums = closed()
    for number in range(200):
        sums.collisions = number % 2
        sums.revise(CLOSED + number)
    assert len(sums.history) == MOST_HISTORY
    assert sums.history[-1].revision == sums.revision == 201


def test_revising_leaves_a_history_that_others_hold_as_it_was():
    sums = closed()
    before = sums.history
    sums.collisions = 1
    sums.revise(CLOSED)
    assert len(before) == 1


# -- the receipt -------------------------------------------------------------------------------------------------


def test_a_receipt_is_derived_from_the_sums_alone():
    sums = closed(
        MinuteFacts(100, 7, 20, 5, {"not_json": 2, "purchase_id": 1, "purchase_items": 2}),
        purchases=3,
        revenue=Decimal("10.10"),
        replays=4,
        collisions=0,
    )
    told = written(sums, contract="shop 2", zone="Asia/Kathmandu", watermark_ms=CLOSED + 5)
    assert (told.day, told.contract, told.time_zone) == ("2025-02-23", "shop 2", "Asia/Kathmandu")
    assert (told.watermark, told.closed_at) == ("2025-02-24T01:00:00.005Z", "2025-02-24T01:00:00.000Z")
    assert msgspec.structs.astuple(told.metrics) == (20, 3, "10.10", "0.150000", "0.250000")
    assert msgspec.structs.asdict(told.counts) == {
        "events": 100,
        "rejected": 5,
        "purchase_invalid": 3,
        "replays": 4,
        "collisions": 0,
        "late": 0,
        "identity_missing": 7,
        "direct_sessions": 5,
    }
    assert told.score == "95.09"
    assert told.identity_missing_rate == "0.070000"
    assert list(told.rejects) == ["not_json", "purchase_id", "purchase_items"]
    assert told.not_measurable == {}


def test_coverage_is_the_share_of_what_could_carry_the_field():
    fields = [
        ExpectedField("referrer"),
        ExpectedField("event_data.revenue", scope="purchase"),
        ExpectedField("event_data.items[].item_id", scope="item"),
        ExpectedField("timestamp"),
    ]
    odd = {
        "null": {"referrer": 5},
        "absent": {"referrer": 2, "event_data.revenue": 1},
        "retyped": {"referrer": 1},
    }
    told = written(day(MinuteFacts(10, purchases=4, **odd)), fields=fields)
    assert told.coverage == {
        "referrer": "0.200000",
        "event_data.revenue": "0.750000",
        "timestamp": "1.000000",
    }


def test_a_receipt_tells_the_most_frequent_names_and_the_rest_together():
    names = {f"name {number:02}": number + 1 for number in range(MOST_TOLD + 5)} | {REST: 100}
    told = written(day(MinuteFacts(1, names=names))).names
    assert len(told) == MOST_TOLD
    assert list(told)[:2] == [REST, "name 24"]
    assert sum(told.values()) == sum(names.values())


def test_a_receipt_says_when_its_day_begins_and_ends():
    told = written(Day())
    assert (told.begins, told.ends) == ("2025-02-23T00:00:00.000Z", "2025-02-24T00:00:00.000Z")


def test_a_day_of_nothing_has_no_rates_and_says_why():
    told = written(Day(), watermark_ms=None)
    assert msgspec.structs.astuple(told.metrics) == (0, 0, "0.00", None, None)
    assert told.not_measurable.keys() == {"conversion_rate", "direct_share"}
    assert (told.score, told.identity_missing_rate, told.watermark, told.closed_at) == (
        "100.00",
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("revenue", "text"),
    [
        ("1e3", "1000.00"),
        ("1e-30", "0.000000000000000000000000000001"),
        ("10.10", "10.10"),
        ("999999999999999e5", None),
    ],
)
def test_revenue_is_written_exactly_and_never_with_an_exponent(revenue, text):
    told = written(Day(revenue=Decimal(revenue))).metrics.revenue
    assert "e" not in told.lower()
    assert Decimal(told) == Decimal(revenue)
    assert text in {told, None}


def test_every_rule_has_a_check_even_when_it_is_silent():
    for fields in ({}, COLLIDED, {"replays": 1}, {"rejected": INVALID}):
        checks = written(Day(**fields)).checks
        assert [check.rule for check in checks] == [check.rule for check in written(Day()).checks]
        assert all(check.reason for check in checks)


def test_a_receipt_does_not_change_when_its_day_does():
    sums = closed()
    told = written(sums)
    before = msgspec.json.encode(told)
    for collisions in itertools.islice(itertools.cycle([1, 0]), 5):
        sums.collisions = collisions
        sums.add([MinuteFacts(1, rejected={"empty": 1})], HOUR)
        sums.revise(CLOSED)
    assert msgspec.json.encode(told) == before
