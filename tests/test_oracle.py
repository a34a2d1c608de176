"""The judge judged: every rule of the words once, with numbers worked out by hand; then the streams it will judge."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from consumer.core.rejection import Reason
from tests.oracle import JudgedRecord, OracleDay, dead_letters, judge, moment
from tests.strategies import (
    CLIENTS,
    DAY,
    HOUR,
    OWN_DOMAINS,
    Arrival,
    Made,
    Partitioning,
    batchings,
    judged,
    partitionings,
    shuffled_within,
    streams,
)

if TYPE_CHECKING:
    from collections.abc import Callable

THURSDAY, FRIDAY = "2025-02-27", "2025-02-28"
NOON = 1_740_657_600_000
"""2025-02-27T12:00:00Z."""
BOUGHT = {"transaction_id": "t1", "revenue": 10, "items": [{"item_id": "m"}]}


def event(**fields: Any) -> bytes:
    """A visit at noon, with other or further fields."""
    told = {"timestamp": f"{THURSDAY}T12:00:00Z", "event_name": "page_viewed", **fields}
    return json.dumps(told).encode()


def visit(client: str, time: str, **fields: Any) -> bytes:
    """A client's visit at a time of Thursday, or at a whole timestamp."""
    return event(client_id=client, timestamp=time if "T" in time else f"{THURSDAY}T{time}Z", **fields)


def checkout(event_data: Any, time: str = "12:00:00") -> bytes:
    """Somebody buys."""
    return visit("ann", time, event_name="checkout_completed", event_data=event_data)


def bought(**fields: Any) -> dict[str, Any]:
    """A valid purchase, with other or further fields."""
    return BOUGHT | fields


def without(field: str) -> dict[str, Any]:
    """A purchase that lacks a field."""
    return {key: value for key, value in BOUGHT.items() if key != field}


def records(*values: bytes | None, log_time: int | None = None) -> list[JudgedRecord]:
    """The values in the order of their arrival."""
    return [JudgedRecord(value, arrival, 0, log_time) for arrival, value in enumerate(values)]


def thursday(*values: bytes | None, **options: Any) -> OracleDay:
    """The numbers of the day that everything lies on."""
    days = judge(records(*values), **options)
    assert list(days) == [THURSDAY]
    return days[THURSDAY]


# -- events and dead letters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "empty"),
        (b'{"client_id": "\xff"}', "not_utf8"),
        (b"not json", "not_json"),
        (b"{} {}", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'{"a": [-Infinity]}', "not_json"),
        (b'{"a": "\\ud800"}', "not_json"),
        (b'{"a": {"\\udc00": 1}}', "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"{}"', "not_an_object"),
        (b"{}", "timestamp_missing"),
        (event(timestamp=None), "timestamp_missing"),
        (event(timestamp=NOON), "timestamp_missing"),
        (event(timestamp=""), "timestamp_invalid"),
        (event(timestamp="yesterday", event_name=None), "timestamp_invalid"),
    ],
)
def test_a_value_without_a_usable_time_is_a_dead_letter_of_no_day(value, reason):
    assert judge(records(value)) == {}
    assert dead_letters(records(value)) == {reason: 1}


@pytest.mark.parametrize("name", [None, 5, ["page_viewed"], {}])
def test_an_event_without_a_name_is_a_dead_letter_on_its_own_day(name):
    assert thursday(event(event_name=name)) == OracleDay(rejected_with_own_time=1)
    assert dead_letters(records(event(event_name=name))) == {"event_name_missing": 1}


@pytest.mark.parametrize(
    "fields", [{"event_name": ""}, {"event_name": "never heard of"}, {"page_url": 5, "referrer": []}]
)
def test_an_object_with_time_and_name_is_an_event_whatever_else_it_says(fields):
    assert thursday(event(**fields)) == OracleDay(events=1, identity_missing=1)
    assert dead_letters(records(event(**fields))) == {}


def test_an_identical_event_counts_again():
    assert thursday(visit("ann", "12:00:00"), visit("ann", "12:00:00")).events == 2


def test_of_equal_keys_the_last_one_counts():
    twice = b'{"timestamp": 5, "event_name": "", "timestamp": "2025-02-27T12:00:00Z"}'
    assert thursday(twice).events == 1


@pytest.mark.parametrize(
    ("hours", "late_ms", "usable"), [(24, 0, True), (24, 1, False), (1, 0, True), (1, 1, False)]
)
def test_an_event_further_ahead_of_the_log_than_allowed_is_a_dead_letter(hours, late_ms, usable):
    ahead = records(event(event_name=None), event(), log_time=NOON - hours * HOUR - late_ms)
    reasons = {"event_name_missing": 1} if usable else {"timestamp_ahead": 2}
    assert dead_letters(ahead, max_ahead_hours=hours) == reasons
    assert (THURSDAY in judge(ahead, max_ahead_hours=hours)) is usable


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("2025-02-27T12:00:00Z", 0),
        ("2025-02-27t12:00:00z", 0),
        ("2025-02-27 12:00:00-00:00", 0),
        ("2025-02-28T02:00:00.0+14:00", 0),
        ("2025-02-27T06:29:59.5-05:30", -500),
        ("2025-02-27T12:00:00.0019999999999999999Z", 1),
        ("2025-02-27T23:59:60Z", 12 * HOUR - 1),
        ("2025-02-28T01:59:60.7+02:00", 12 * HOUR - 1),
        ("1970-01-01T00:00:00.001Z", 1 - NOON),
        ("2024-02-29T12:00:00Z", -364 * DAY),
    ],
)
def test_a_timestamp_is_read_as_rfc_3339_says(written, milliseconds):
    assert moment(written) == NOON + milliseconds


@pytest.mark.parametrize(
    "written",
    [
        "2025-02-27",
        "2025-02-27T12:00:00",
        "2025-02-27T12:00Z",
        "2025-02-27T12:00:00.Z",
        "2025-02-27T12:00:00,5Z",
        "2025-02-27T12:00:00+0000",
        "2025-02-27T12:00:00+24:00",
        "2025-02-27T12:00:00+00:60",
        "2025-02-27T24:00:00Z",
        "2025-02-27T12:60:00Z",
        "2025-02-27T12:00:60Z",
        "2025-02-27T23:59:60+01:00",
        "2025-02-27T23:59:61Z",
        "2025-02-29T12:00:00Z",
        "2025-13-01T12:00:00Z",
        "0000-02-27T12:00:00Z",
        "25-02-27T12:00:00Z",
        " 2025-02-27T12:00:00Z",
        "2025-02-27T12:00:00Z\n",
        "2025-02-27  12:00:00Z",
        "2025-2-27T12:00:00Z",
        "٢٠٢٥-02-27T12:00:00Z",
    ],
)
def test_nothing_else_is_a_timestamp(written):
    assert moment(written) is None


# -- identity and sessions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "missing"),
    [
        ({"client_id": "ann"}, 0),
        ({"clientId": "ann"}, 0),
        ({"client_id": " ", "clientId": "ann"}, 0),
        ({"client_id": 5, "clientId": "ann"}, 0),
        ({}, 1),
        ({"client_id": None}, 1),
        ({"client_id": "", "clientId": "\u2003\n"}, 1),
        ({"client_id": 5}, 1),
        ({"clientID": "ann"}, 1),
    ],
)
def test_an_event_opens_a_session_exactly_where_it_has_an_identity(identity, missing):
    day = thursday(event(**identity))
    assert (day.events, day.identity_missing, day.sessions) == (1, missing, 1 - missing)


def test_the_first_usable_identity_is_the_client():
    both = event(client_id="ann", clientId="bob", timestamp=f"{THURSDAY}T12:10:00Z")
    assert thursday(visit("ann", "12:00:00"), both).sessions == 1
    assert thursday(visit("bob", "12:00:00"), both).sessions == 2


@pytest.mark.parametrize(
    ("visits", "sessions"),
    [
        (["12:00:00", "12:29:59.999"], 1),
        (["12:00:00", "12:30:00"], 1),
        (["12:00:00", "12:30:00.001"], 2),
        (["12:30:00.001", "12:00:00"], 2),
        (["12:00:00", "12:50:00", "12:25:00"], 1),
        (["12:00:00", "12:30:00", "13:00:00", "13:30:00"], 1),
        (["12:00:00", "12:00:00"], 1),
        (["12:00:00", "14:00:00+02:00"], 1),
    ],
)
def test_a_gap_of_more_than_half_an_hour_opens_a_session(visits, sessions):
    whole = [f"{THURSDAY}T{time}{'' if '+' in time else 'Z'}" for time in visits]
    assert thursday(*(visit("ann", time) for time in whole)).sessions == sessions


def test_the_gap_can_be_set():
    assert thursday(visit("ann", "12:00:00"), visit("ann", "12:06:00"), gap_minutes=5).sessions == 2


def test_every_client_has_sessions_of_its_own_in_whatever_partition():
    apart = [
        JudgedRecord(visit(client, "12:00:00"), place, place)
        for place, client in enumerate(("ann", "bob", "ann"))
    ]
    assert judge(apart)[THURSDAY].sessions == 2


def test_a_session_over_midnight_counts_for_the_day_of_its_first_event():
    days = judge(records(visit("ann", f"{FRIDAY}T00:10:00Z"), visit("ann", "23:50:00")))
    assert days == {
        THURSDAY: OracleDay(events=1, sessions=1, direct_sessions=1),
        FRIDAY: OracleDay(events=1),
    }


def test_the_day_is_that_of_the_time_zone():
    midnight_in_berlin = records(visit("ann", "22:59:59.999"), visit("bob", "23:00:00"))
    assert list(judge(midnight_in_berlin)) == [THURSDAY]
    assert [day.events for day in judge(midnight_in_berlin, zone="Europe/Berlin").values()] == [1, 1]


# -- direct or not -----------------------------------------------------------------------------------------------

SHOP = "https://www.shop.co.uk/p"


@pytest.mark.parametrize(
    ("page_url", "referrer", "direct"),
    [
        (SHOP, None, 1),
        (None, None, 1),
        (SHOP, "", 1),
        (SHOP, "https://checkout.shop.co.uk/", 1),
        (SHOP, "HTTPS://user:pw@SHOP.CO.UK.:443", 1),
        (SHOP, "https://other.co.uk/", 0),
        (SHOP, "https://other.test/?x=https://shop.co.uk/", 0),
        (SHOP, "https://shop.co.uk@other.test/", 0),
        (SHOP, "android-app://com.other", 0),
        (SHOP, "https://localhost/", 0),
        ("/p", "https://localhost/", 0),
        ("https://LOCALHOST.:80/", "https://localhost/", 1),
        (SHOP, "/cart", 1),
        (SHOP, "//other.test/", 1),
        (SHOP, "https:///other", 1),
        (SHOP, "about:blank", 1),
        (SHOP, 5, 1),
        ("/p", "https://shop.co.uk/", 0),
        (None, "https://own.test/", 1),
        (SHOP, "https://www.own.test:8443", 1),
        (SHOP, "https://OWN.test./", 1),
        (SHOP, "https://notown.test/", 0),
        ("http://10.0.0.1/", "http://10.0.0.1:8080/", 1),
        ("http://10.0.0.1/", "http://10.1.0.1/", 0),
        ("http://[::1]:80/", "http://[::1]", 1),
        ("https://a.github.io/", "https://b.github.io/", 0),
        (f"{SHOP}?gclid=1", None, 0),
        (f"{SHOP}?a=1&GCLID", None, 0),
        (f"{SHOP}?utm_anything=", None, 0),
        (f"{SHOP}?%75tm%5Fsource=x#y", None, 0),
        ("/p?irclickid=1", "https://shop.co.uk/", 0),
        ("/p?a=1?gclid=1", None, 1),
        (f"{SHOP}?a=gclid&b=utm_source", None, 1),
        (f"{SHOP}?xgclid=1&gclidx=1&utm=1&srsltid=1", None, 1),
        (f"{SHOP}#?gclid=1", None, 1),
        (f"{SHOP}/gclid=1", None, 1),
        (SHOP, "https://shop.co.uk/?gclid=1", 1),
    ],
)
def test_a_session_is_direct_without_external_referrer_and_campaign(page_url, referrer, direct):
    day = thursday(visit("ann", "12:00:00", page_url=page_url, referrer=referrer), own_domains=OWN_DOMAINS)
    assert (day.sessions, day.direct_sessions) == (1, direct)


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_event_decides_by_time_and_then_by_arrival(first):
    pages = ["/", "/?gclid=1"]
    by_time = [
        visit("ann", "12:00:01", page_url=pages[1 - first]),
        visit("ann", "12:00:00", page_url=pages[first]),
    ]
    by_arrival = [
        visit("ann", "12:00:00", page_url=pages[first]),
        visit("ann", "12:00:00", page_url=pages[1 - first]),
    ]
    for visits in by_time, by_arrival:
        assert thursday(*visits) == OracleDay(events=2, sessions=1, direct_sessions=1 - first)


# -- purchases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_data", "reason"),
    [
        (None, "purchase_data"),
        ("", "purchase_data"),
        ([BOUGHT], "purchase_data"),
        ("[]", "purchase_data"),
        ('{"transaction_id": NaN}', "purchase_data"),
        (json.dumps(json.dumps(BOUGHT)), "purchase_data"),
        ({}, "purchase_id"),
        (bought(transaction_id=" "), "purchase_id"),
        (bought(transaction_id=None), "purchase_id"),
        (bought(transaction_id=7.5), "purchase_id"),
        (bought(transaction_id=True, revenue=0), "purchase_id"),
        (bought(revenue=0, items=[]), "purchase_revenue"),
        (bought(revenue=-0.01), "purchase_revenue"),
        (bought(revenue="10"), "purchase_revenue"),
        (bought(revenue=True), "purchase_revenue"),
        (bought(revenue=10**15), "purchase_revenue"),
        (bought(revenue=1e-31), "purchase_revenue"),
        (json.dumps(BOUGHT).replace("10", "1.0000000000000000000000000000001"), "purchase_revenue"),
        (without("revenue"), "purchase_revenue"),
        (bought(items=[]), "purchase_items"),
        (bought(items={"item_id": "m"}), "purchase_items"),
        (without("items"), "purchase_items"),
    ],
)
def test_an_invalid_purchase_is_a_dead_letter_and_still_a_visit(event_data, reason):
    visited = OracleDay(events=1, sessions=1, direct_sessions=1, purchase_invalid=1, rejected_with_own_time=1)
    assert thursday(checkout(event_data)) == visited
    assert dead_letters(records(checkout(event_data))) == {reason: 1}


@pytest.mark.parametrize(
    "event_data", [BOUGHT, json.dumps(BOUGHT), bought(items=[None]), bought(transaction_id=7)]
)
def test_a_valid_purchase_is_counted(event_data):
    assert thursday(checkout(event_data)) == OracleDay(
        events=1, sessions=1, direct_sessions=1, purchases=1, revenue=Decimal(10)
    )


def test_a_purchase_needs_no_identity():
    nobody = event(event_name="checkout_completed", event_data=BOUGHT)
    assert thursday(nobody) == OracleDay(events=1, identity_missing=1, purchases=1, revenue=Decimal(10))


def test_only_a_completed_checkout_is_a_purchase():
    assert thursday(event(event_name="checkout_started", event_data=BOUGHT)).purchases == 0


def test_revenue_is_exact():
    cents = '{"transaction_id": "%s", "revenue": %s, "items": [1]}'
    revenues = ["0.1", "0.2", "999999999999999.999999999999999999999999999999", "3e-30"]
    day = thursday(*(checkout(cents % (place, revenue)) for place, revenue in enumerate(revenues)))
    assert (day.purchases, day.revenue) == (4, Decimal("1000000000000000.300000000000000000000000000002"))


REPLAYED = OracleDay(events=2, sessions=1, direct_sessions=1, purchases=1, revenue=Decimal(10), replays=1)
COLLIDED = OracleDay(events=2, sessions=1, direct_sessions=1, collisions=2)


@pytest.mark.parametrize(
    "again",
    [
        BOUGHT,
        json.dumps(BOUGHT),
        '{ "items":[{"item_id":"\\u006d"}], "revenue":10.0,\n "transaction_id":"t1"}',
        '{"transaction_id": "t1", "items": [{"item_id": "m"}], "revenue": 100e-1}',
        '{"revenue": 5, "transaction_id": "t1", "items": [{"item_id": "m"}], "revenue": 1E1}',
    ],
)
def test_the_same_content_again_is_a_replay(again):
    assert thursday(checkout(BOUGHT), checkout(again)) == REPLAYED


@pytest.mark.parametrize(
    "other",
    [
        bought(revenue=10.5),
        bought(user_email=None),
        bought(items=[{"item_id": "m"}, {"item_id": "m"}]),
        '{"transaction_id": "t1", "revenue": 10.00000000000000000000000001, "items": [{"item_id": "m"}]}',
    ],
)
def test_other_content_under_the_same_id_is_a_collision(other):
    assert thursday(checkout(BOUGHT), checkout(other)) == COLLIDED
    assert dead_letters(records(checkout(BOUGHT), checkout(other))) == {}


def test_true_and_minus_one_are_not_one_and_the_order_of_items_matters():
    assert thursday(checkout(bought(gift=True)), checkout(bought(gift=1))).collisions == 2
    assert thursday(checkout(bought(gift=-1)), checkout(bought(gift=1))).collisions == 2
    assert thursday(checkout(bought(items=[1, 2])), checkout(bought(items=[2, 1]))).collisions == 2


def test_an_id_is_compared_as_text():
    assert thursday(checkout(bought(transaction_id=7)), checkout(bought(transaction_id="7"))) == REPLAYED
    assert (
        thursday(checkout(bought(transaction_id="7")), checkout(bought(transaction_id="07"))).purchases == 2
    )


def test_an_invalid_purchase_collides_with_a_valid_one_and_stays_a_dead_letter():
    day = thursday(checkout(BOUGHT), checkout(BOUGHT), checkout(bought(revenue=0)))
    assert day == OracleDay(
        events=3, sessions=1, direct_sessions=1, collisions=3, purchase_invalid=1, rejected_with_own_time=1
    )


def test_an_invalid_purchase_repeated_is_neither_replay_nor_collision():
    day = thursday(checkout(bought(items=[])), checkout(bought(items=[])))
    assert (day.purchases, day.replays, day.collisions, day.purchase_invalid) == (0, 0, 0, 2)


def test_purchases_without_an_id_do_not_meet():
    day = thursday(checkout(without("transaction_id")), checkout(bought(transaction_id="", revenue=5)))
    assert (day.collisions, day.purchase_invalid) == (0, 2)


def test_the_earliest_by_time_counts_on_its_day_and_each_replay_on_its_own():
    on_friday = [checkout(BOUGHT, f"{FRIDAY}T00:00:00Z"), checkout(BOUGHT, f"{FRIDAY}T09:00:00Z")]
    days = judge(records(*on_friday, checkout(BOUGHT, "23:59:59.999")))
    assert (days[THURSDAY].purchases, days[THURSDAY].revenue, days[THURSDAY].replays) == (1, 10, 0)
    assert (days[FRIDAY].purchases, days[FRIDAY].revenue, days[FRIDAY].replays) == (0, 0, 2)


def test_a_collision_is_counted_on_every_day_that_holds_one_of_it():
    days = judge(records(checkout(BOUGHT), checkout(bought(revenue=11), f"{FRIDAY}T12:00:00Z")))
    assert [(day.collisions, day.purchases, day.revenue) for day in days.values()] == [(1, 0, 0), (1, 0, 0)]


def test_rates_have_six_decimals_half_to_even_and_need_sessions():
    assert (OracleDay(purchases=2, sessions=3).conversion_rate, OracleDay().conversion_rate) == (
        "0.666667",
        None,
    )
    assert OracleDay(direct_sessions=1, sessions=2_000_000).direct_share == "0.000000"
    assert OracleDay(direct_sessions=3, sessions=2_000_000).direct_share == "0.000002"
    assert OracleDay(direct_sessions=3, sessions=3).direct_share == "1.000000"


# -- the streams that will be judged -----------------------------------------------------------------------------


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Made], list[Arrival], Partitioning]:
    """A stream, and one way in which it may arrive within an hour."""
    stream = draw(streams())
    partitioning = draw(st.integers(1, 3).flatmap(partitionings))
    return stream, draw(shuffled_within(stream, HOUR, partitioning)), partitioning


@given(arrivals())
def test_nothing_arrives_more_than_the_lateness_behind_its_partition(drawn):
    stream, arrived, partitioning = drawn
    newest: dict[int, int] = defaultdict(int)
    for made, partition in arrived:
        assert newest[partition] - made.at <= HOUR
        newest[partition] = max(newest[partition], made.at)
    expected = [Arrival(made, partitioning.of(made, place)) for place, made in enumerate(stream)]
    assert sorted(map(repr, arrived)) == sorted(map(repr, expected))


@given(arrivals())
def test_a_clients_events_of_one_moment_stay_in_order_and_in_one_partition(drawn):
    stream, arrived, _ = drawn
    made, came = defaultdict(list), defaultdict(list)
    for event_made in stream:
        made[event_made.client, event_made.at].append(event_made)
    for event_made, partition in arrived:
        came[event_made.client, event_made.at].append((event_made, partition))
    for (client, at), events in came.items():
        if client is not None:
            assert [event_made for event_made, _ in events] == made[client, at]
            assert len({partition for _, partition in events}) == 1


@given(arrivals())
@settings(deadline=None)
def test_no_order_of_arrival_changes_a_number(drawn):
    stream, arrived, _ = drawn
    in_order = judged([Arrival(made, 0) for made in stream])
    assert judge(judged(arrived), own_domains=OWN_DOMAINS) == judge(in_order, own_domains=OWN_DOMAINS)
    assert dead_letters(judged(arrived)) == dead_letters(in_order)


@given(streams(log_times=False))
@settings(deadline=None)
def test_without_log_times_nothing_is_too_far_ahead(stream):
    assert {made.log_time for made in stream} == {None}
    assert "timestamp_ahead" not in dead_letters(judged([Arrival(made, 0) for made in stream]))


@given(st.integers(0, 50).flatmap(lambda n: st.tuples(st.just(n), batchings(n))))
def test_batches_hold_every_record_once(drawn):
    n, sizes = drawn
    assert sum(sizes) == n
    assert 0 not in sizes


SIGHTS: dict[str, Callable[[OracleDay], bool]] = {
    "purchase": lambda day: day.purchases > 0,
    "replay": lambda day: day.replays > 0,
    "collision": lambda day: day.collisions > 0,
    "invalid purchase that collides": lambda day: day.purchase_invalid > 0 and day.collisions > 1,
    "session that is not direct": lambda day: 0 < day.direct_sessions < day.sessions,
    "second session of a client": lambda day: day.sessions > len(CLIENTS),
    "day without a session": lambda day: day.sessions == 0 < day.events,
    "event without identity": lambda day: day.identity_missing > 0,
}
LIMITS = {Reason.TOO_BIG, Reason.TOO_DEEP, Reason.CUT_SHORT, Reason.TIMESTAMP_TOO_OLD}
"""Reasons that are limits of the program and no words of the numbers."""


def test_streams_show_every_way_to_be_counted_and_every_reason_not_to_be():
    wanted = SIGHTS.keys() | {reason.value for reason in set(Reason) - LIMITS}
    seen: set[str] = set()

    def shows_the_last(stream: list[Made]) -> bool:
        in_order = judged([Arrival(made, 0) for made in stream])
        seen.update(dead_letters(in_order))
        days = judge(in_order).values()
        seen.update(sight for sight, shows in SIGHTS.items() if any(map(shows, days)))
        return seen >= wanted

    drawn = settings(
        max_examples=3000, phases=[Phase.generate], database=None, derandomize=True, deadline=None
    )
    find(streams(), shows_the_last, settings=drawn)
    assert seen == wanted
