"""The seeded shop: the same seed gives the same bytes, the days look like a shop's, and its truth is the judge's."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from statistics import mean, median, variance

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.local.shop import ShopOptions, events
from consumer.local.shop_event import DAY_MS, PURCHASE, Truth, midnight_ms, write_ndjson
from consumer.local.shop_faults import CollidingIds, Garbage, InvalidPurchases, OutOfOrder, Replays
from consumer.local.shop_outages import (
    CampaignsLost,
    CheckoutBroken,
    ReferrerRenamed,
    TrackingDown,
)
from tests.oracle import JudgedRecord, dead_letters, judge

FIRST = date(2025, 2, 27)
SMALL = ShopOptions(seed=1, first_day=FIRST, days=3, sessions_per_day=100, purchases_per_day=12)
MONTHS = [ShopOptions(seed, FIRST, days=56, sessions_per_day=300) for seed in range(6)]


def day(number):
    return FIRST + timedelta(days=number)


def made(options):
    truth = Truth()
    return list(events(options, truth)), truth


def judged(shop_events):
    records = [JudgedRecord(event.value(), number) for number, event in enumerate(shop_events)]
    return judge(records), dead_letters(records)


def assert_truth(shop_events, truth):
    """The truth, known from how the events were made, is what the batch query finds in them."""
    days, rejected = judged(shop_events)
    told = {str(when): known for when, known in truth.days.items()}
    assert days.keys() == {when for when, known in told.items() if known.events}
    for when, found in days.items():
        known = told[when]
        for number in (
            "events", "sessions", "direct_sessions", "purchases", "revenue", "identity_missing", "replays", "collisions",
        ):  # fmt: skip
            assert getattr(known, number) == getattr(found, number), (when, number)
    assert sum((known.rejected for known in truth.days.values()), Counter()) == rejected


OUTAGES = (CampaignsLost, CheckoutBroken, ReferrerRenamed, TrackingDown)

one_day = st.integers(0, SMALL.days - 1).map(day)
counts = st.integers(0, 4)
faults = st.lists(
    st.builds(InvalidPurchases, one_day, counts, st.sampled_from(["revenue_zero", "no_items"]))
    | st.builds(CollidingIds, one_day, counts)
    | st.builds(CollidingIds, st.just(day(2)), counts, st.integers(1, 2))
    | st.builds(Replays, one_day, counts, st.integers(0, 600))
    | st.builds(Garbage, one_day, counts)
    | st.sampled_from(OUTAGES).flatmap(
        lambda outage: st.builds(outage, one_day, st.floats(0, 17), st.floats(0.5, 7))
    ),
    max_size=5,
)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), chosen=faults, shuffled=st.booleans())
def test_the_truth_is_what_the_batch_query_finds_whatever_goes_wrong(seed, chosen, shuffled):
    last = [OutOfOrder(share=0.2, most_seconds=120)] if shuffled else []
    assert_truth(*made(replace(SMALL, seed=seed, faults=(*chosen, *last))))


def test_the_truth_holds_for_a_shop_of_usual_size():
    faults = (
        InvalidPurchases(day(0)),
        CollidingIds(day(1)),
        Replays(day(0), 2),
        Garbage(day(1), 7),
        *(outage(day(number), 9, 5) for number, outage in enumerate(OUTAGES, 2)),
        OutOfOrder(),
    )
    assert_truth(*made(ShopOptions(7, FIRST, days=6, faults=faults)))


WRITE = """
import sys
from datetime import date
from consumer.local.shop import ShopOptions, events
from consumer.local.shop_event import write_ndjson
from consumer.local.shop_faults import CollidingIds, Garbage
first = date(2025, 2, 27)
options = ShopOptions(5, first, 2, faults=(CollidingIds(first), Garbage(first)))
write_ndjson(events(options), sys.stdout.buffer)
"""


def test_the_same_options_give_the_same_bytes_in_every_process():
    run = subprocess.run([sys.executable, "-c", WRITE], capture_output=True, check=True)
    here = io.BytesIO()
    options = ShopOptions(5, FIRST, 2, faults=(CollidingIds(FIRST), Garbage(FIRST)))
    count = write_ndjson(events(options), here)
    assert run.stdout == here.getvalue()
    assert here.getvalue().count(b"\n") == count


def test_another_seed_gives_another_shop():
    (one, _), (other, _) = made(SMALL), made(replace(SMALL, seed=2))
    assert {event.value() for event in one}.isdisjoint(event.value() for event in other)


def test_a_longer_shop_begins_with_the_shorter_one():
    (short, _), (long, _) = made(SMALL), made(replace(SMALL, days=4))
    assert long[: len(short)] == short
    assert long[len(short)].day == day(3)


def test_events_are_in_order_of_time_and_on_the_shops_days_only():
    shop_events, truth = made(SMALL)
    times = [event.at_ms for event in shop_events]
    assert times == sorted(times)
    assert midnight_ms(FIRST) <= times[0] < times[-1] < midnight_ms(FIRST) + 3 * DAY_MS
    assert sorted(truth.days) == [day(0), day(1), day(2)]
    assert all(event.fields["timestamp"].endswith("Z") for event in shop_events)


@pytest.mark.parametrize(
    "fault",
    [InvalidPurchases(day(1), 2), CollidingIds(day(1), 2), Replays(day(1), 2), Garbage(day(1), 2)],
    ids=lambda fault: type(fault).__name__,
)
def test_a_fault_changes_nothing_but_what_it_is_there_to_change(fault):
    plain, _ = made(SMALL)
    faulty, truth = made(replace(SMALL, faults=(fault,)))
    assert truth.injected[0].times == 2
    assert [event for event in faulty if event.day != day(1)] == [e for e in plain if e.day != day(1)]
    untouched = [event for event in faulty if event.fault is None]
    assert len(plain) - len(untouched) in {0, 2, 4}
    assert {event.value() for event in untouched} <= {event.value() for event in plain}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_changes_nothing_outside_of_its_hours_and_says_since_when_it_lasted(outage):
    plain, _ = made(SMALL)
    fault = outage(day(1), 9.5, 6)
    faulty, truth = made(replace(SMALL, faults=(fault,)))
    (injected,) = truth.injected
    assert (injected.day, injected.since_ms) == (day(1), midnight_ms(day(1)) + 9.5 * 3_600_000)
    untouched = [event for event in faulty if event.fault is None]
    changed = [event for event in plain if event not in untouched]
    assert injected.times == len(changed) > 0
    assert len(faulty) - len(untouched) in {0, len(changed)}
    # of a visit that is hit, what comes after it is lost as well
    latest = fault.until_ms + 7_200_000 * (outage is TrackingDown)
    assert all(fault.since_ms <= event.at_ms < latest for event in changed)
    assert truth.days[day(1)].not_measurable == ({"direct_share"} if outage is ReferrerRenamed else set())


@pytest.mark.parametrize(("begins", "hours"), [(-1, 5), (20, 5), (3, 0)])
def test_an_outage_that_leaves_its_day_is_refused(begins, hours):
    with pytest.raises(ValueError, match="on its day"):
        TrackingDown(FIRST, begins, hours)


def test_out_of_order_changes_the_order_only_and_only_a_little():
    plain, _ = made(SMALL)
    shuffled, truth = made(replace(SMALL, faults=(OutOfOrder(share=0.3, most_seconds=60),)))
    assert sorted(shuffled) == sorted(plain)
    assert shuffled != plain
    behind = [max(e.at_ms for e in shuffled[: n + 1]) - event.at_ms for n, event in enumerate(shuffled)]
    assert 0 < max(behind) < 60_000
    assert sum(n > 0 for n in behind) == sum(injected.times for injected in truth.injected)


def test_colliding_ids_are_one_id_with_two_payloads_of_two_clients():
    shop_events, truth = made(replace(SMALL, faults=(CollidingIds(day(2), count=2, days_back=2),)))
    (injected,) = truth.injected
    assert (injected.fault, injected.day, injected.times) == ("collision", day(2), 2)
    for transaction_id in injected.transaction_ids:
        first, second = [
            event
            for event in shop_events
            if event.fields["event_name"] == PURCHASE and event.purchase["transaction_id"] == transaction_id
        ]
        assert (first.day, second.day) == (day(0), day(2))
        assert first.client != second.client
        assert first.purchase | {"transaction_id": 0} != second.purchase | {"transaction_id": 0}


def test_a_fault_hits_no_more_purchases_than_there_are_and_says_so():
    quiet = replace(SMALL, purchases_per_day=2, faults=(InvalidPurchases(FIRST, 50), Replays(FIRST, 50)))
    shop_events, truth = made(quiet)
    bought = sum(event.fields["event_name"] == PURCHASE and event.day == FIRST for event in shop_events)
    assert [injected.times for injected in truth.injected] == [bought, 0]
    assert truth.days[FIRST].purchases == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 0},
        {"sessions_per_day": 0},
        {"purchases_per_day": 50},
        {"faults": (Garbage(day(3)),)},
        {"faults": (CollidingIds(FIRST, days_back=1),)},
        {"faults": (OutOfOrder(), Garbage(FIRST))},
    ],
)
def test_a_shop_that_cannot_exist_is_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        replace(SMALL, **wrong)


def test_a_replay_that_would_open_a_session_is_refused():
    with pytest.raises(ValueError, match="between 0 and 600"):
        Replays(FIRST, seconds_later=601)


@pytest.fixture(scope="module")
def months():
    return [made(options) for options in MONTHS]


def test_days_have_about_as_many_sessions_and_purchases_as_asked_for(months):
    for _, truth in months:
        assert mean(known.sessions for known in truth.days.values()) == pytest.approx(300, rel=0.1)
    bought = [known.purchases for _, truth in months for known in truth.days.values()]
    assert mean(bought) == pytest.approx(19, rel=0.1)


def test_day_counts_are_over_dispersed_and_weekdays_differ(months):
    visits = [[known.sessions for known in truth.days.values()] for _, truth in months]
    assert mean(variance(counts) / mean(counts) for counts in visits) > 1.5
    for counts in visits:
        weekdays = [mean(counts[weekday::7]) for weekday in range(7)]
        assert max(weekdays) / min(weekdays) > 1.02


def test_order_values_have_a_heavy_tail(months):
    for shop_events, _ in months:
        cents = sorted(event.earns_cents for event in shop_events if event.earns_cents)
        assert mean(cents) > 1.15 * median(cents)
        assert cents[-1] > 5 * median(cents)


def test_the_night_is_quiet_and_the_evening_is_not(months):
    for shop_events, _ in months:
        hours = Counter(event.at_ms // 3_600_000 % 24 for event in shop_events)
        assert max(hours.values()) > 2 * min(hours.values())


def test_visitors_return_look_at_several_pages_and_stay_over_midnight(months):
    for shop_events, truth in months:
        sessions = sum(known.sessions for known in truth.days.values())
        pages = sum(event.fields["event_name"] == "page_viewed" for event in shop_events)
        assert sessions > 1.03 * len({event.client for event in shop_events})
        assert pages > 1.5 * sessions
        by_client = {}
        for event in shop_events:
            by_client.setdefault(event.client, []).append(event)
        assert any(
            one.day != other.day and other.opens is None
            for client, theirs in by_client.items()
            if client
            for one, other in pairwise(theirs)
        )


def test_sessions_come_about_in_every_way(months):
    shop_events, truth = months[0]
    landings = [event for event in shop_events if event.opens]
    ways = Counter(
        (event.opens, event.fields["referrer"] is not None, "?" in event.fields["page_url"])
        for event in landings
    )
    assert len(ways) == 7  # referred without referrer and without query is no way at all
    assert any(known.identity_missing for known in truth.days.values())
    for known in truth.days.values():
        assert 0.15 < known.direct_sessions / known.sessions < 0.6
        assert known.identity_missing < 0.1 * known.events
