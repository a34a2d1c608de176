"""The calendar day of an instant in the configured zone: with summer time, at midnight, at the ends of the calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.timestamps import DAY_MS, MINUTE_MS, parse
from consumer.core.zone import DayZone

ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
]
SINCE_1973 = parse("1973-01-01T00:00:00Z") // MINUTE_MS
UNTIL_2100 = parse("2100-01-01T00:00:00Z") // MINUTE_MS


def zone(name):
    return DayZone(ZoneInfo(name), name)


@pytest.mark.parametrize(
    ("name", "instant", "day"),
    [
        ("UTC", "2025-02-23T23:59:00Z", "2025-02-23"),
        ("UTC", "2025-02-24T00:00:00Z", "2025-02-24"),
        ("UTC", "1969-12-31T23:59:00Z", "1969-12-31"),
        ("America/New_York", "2025-02-24T04:59:00Z", "2025-02-23"),
        ("America/New_York", "2025-02-24T05:00:00Z", "2025-02-24"),
        ("America/New_York", "2025-07-01T03:59:00Z", "2025-06-30"),
        ("America/New_York", "2025-07-01T04:00:00Z", "2025-07-01"),
        ("Asia/Kathmandu", "2025-02-23T18:14:00Z", "2025-02-23"),
        ("Asia/Kathmandu", "2025-02-23T18:15:00Z", "2025-02-24"),
        ("Pacific/Chatham", "2025-07-01T11:14:00Z", "2025-07-01"),
        ("Pacific/Chatham", "2025-07-01T11:15:00Z", "2025-07-02"),
        ("Pacific/Kiritimati", "2025-02-23T10:00:00Z", "2025-02-24"),
    ],
)
def test_a_day_begins_at_local_midnight(name, instant, day):
    assert zone(name).day_of(parse(instant) // MINUTE_MS) == day


@given(st.sampled_from(ZONES), st.integers(SINCE_1973, UNTIL_2100))
def test_every_minute_has_the_date_of_the_local_clock(name, minute):
    local = datetime.fromtimestamp(minute * 60, ZoneInfo(name))
    assert zone(name).day_of(minute) == local.date().isoformat()


@given(st.sampled_from(ZONES), st.integers(SINCE_1973, UNTIL_2100))
def test_a_minute_lies_between_its_days_start_and_end(name, minute):
    days = zone(name)
    day = days.day_of(minute)
    assert days.start_ms(day) <= minute * MINUTE_MS < days.end_ms(day)


@given(st.sampled_from(ZONES), st.integers(3 * 366, 130 * 365))
def test_where_a_day_ends_the_next_one_begins(name, number):
    days = zone(name)
    day, after = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in (number, number + 1))
    assert days.end_ms(day.date().isoformat()) == days.start_ms(after.date().isoformat())


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("UTC", "2025-03-09", 24),
        ("America/New_York", "2025-03-09", 23),
        ("America/New_York", "2025-11-02", 25),
        ("Australia/Lord_Howe", "2025-04-06", 24.5),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Sao_Paulo", "2018-02-17", 25),
        ("America/Havana", "2024-11-03", 25),
        ("Pacific/Apia", "2011-12-29", 24),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Pacific/Apia", "2011-12-31", 24),
    ],
)
def test_days_are_as_long_as_their_clock_says(name, day, hours):
    days = zone(name)
    assert days.end_ms(day) - days.start_ms(day) == hours * 60 * MINUTE_MS


@pytest.mark.parametrize("name", ZONES)
def test_the_first_and_the_last_minute_of_the_calendar_have_a_day(name):
    days = zone(name)
    first, last = parse("0001-01-01T00:00:00Z"), parse("9999-12-31T23:59:59.999Z")
    assert days.day_of(first // MINUTE_MS) == "0001-01-01"
    assert days.day_of(last // MINUTE_MS) == "9999-12-31"
    assert days.end_ms("9999-12-31") - days.start_ms("9999-12-31") == DAY_MS


@given(
    st.sampled_from(["Europe/Amsterdam", "Africa/Monrovia", "Asia/Singapore"]), st.integers(-50_000_000, 0)
)
def test_where_an_offset_was_no_whole_quarter_a_minute_is_at_most_a_quarter_away_from_its_day(name, minute):
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    near = {(local + timedelta(minutes=n)).astimezone(ZoneInfo(name)).date().isoformat() for n in (-15, 0)}
    assert zone(name).day_of(minute) in near


def test_the_days_remembered_are_few_and_stay_right():
    days = zone("Asia/Kathmandu")
    for quarter in range(150_000):
        days.day_of(quarter * 15)
    assert len(days._hours) <= 100_000
    assert days.day_of(parse("2025-02-23T18:15:00Z") // MINUTE_MS) == "2025-02-24"


def test_a_day_begins_and_ends_where_it_did_when_asked_again_and_days_without_end_take_little_room(
    monkeypatch,
):
    monkeypatch.setattr("consumer.core.zone._MOST_CACHED", 1_000)
    athens = zone("Europe/Athens")
    for number in range(5_000):
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat()
        assert athens.end_ms(day) - athens.start_ms(day) in {23 * 3_600_000, DAY_MS, 25 * 3_600_000}
    assert athens.end_ms(day) == athens.end_ms(day) == zone("Europe/Athens").end_ms(day)
    assert max(len(athens._starts), len(athens._ends)) <= 1_000
