"""RFC 3339 to milliseconds: what is accepted, what is refused, and the short cut that never says anything else."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.instant import FIRST_MS, LAST_MS, rfc3339
from consumer.core.timestamps import DAY_MS, FRACTIONS, MINUTE_MS, SECONDS_OF_HOUR, HourCache, parse

HOUR_MS = 60 * MINUTE_MS
NOON = 1_740_312_000_000
"""2025-02-23T12:00:00Z"""


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2025-02-23T12:00:00.000Z", NOON),
        ("2025-02-23T12:00:00Z", NOON),
        ("2025-02-23T12:00:00.1Z", NOON + 100),
        ("2025-02-23T12:00:00.12Z", NOON + 120),
        ("2025-02-23T12:00:00.0009Z", NOON),
        ("2025-02-23T12:00:00.999999999999999999999Z", NOON + 999),
        ("2025-02-23t12:00:00z", NOON),
        ("2025-02-23 12:00:00Z", NOON),
        ("2025-02-23T12:00:00+00:00", NOON),
        ("2025-02-23T12:00:00-00:00", NOON),
        ("2025-02-23T17:45:00+05:45", NOON),
        ("2025-02-23T07:30:00.000-04:30", NOON),
        ("2025-02-24T02:00:00+14:00", NOON),
        ("2025-02-24T11:59:00+23:59", NOON),
        ("2025-02-22T12:01:00-23:59", NOON),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("0001-01-01T00:00:00Z", FIRST_MS),
        ("0001-01-01T00:00:00-12:00", FIRST_MS + DAY_MS // 2),
        ("0001-01-01T12:00:00+12:00", FIRST_MS),
        ("9999-12-31T23:59:59.999Z", LAST_MS),
        ("9999-12-31T11:59:59.999-12:00", LAST_MS),
    ],
)
def test_a_valid_timestamp_is_its_instant_cut_to_milliseconds(text, at):
    assert parse(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-02-23",
        "2025-02-23T12:00:00",
        "2025-02-23T12:00:00.000",
        "2025-02-23T12:00Z",
        "2025-02-23T12Z",
        "2025-02-23T12:00:00.Z",
        "2025-02-23T12:00:00,5Z",
        "2025-02-23T12:00:00 Z",
        " 2025-02-23T12:00:00Z",
        "2025-02-23T12:00:00Z ",
        "2025-02-23T12:00:00Z\n",
        "2025-02-23T12:00:00ZZ",
        "2025-02-23T12:00:00\0Z",
        "2025-02-23_12:00:00Z",
        "2025-02-23  12:00:00Z",
        "20250223T120000Z",
        "2025-054T12:00:00Z",
        "2025-W08-7T12:00:00Z",
        "2025/02/23T12:00:00Z",
        "25-02-23T12:00:00Z",
        "12025-02-23T12:00:00Z",
        "+2025-02-23T12:00:00Z",
        "-2025-02-23T12:00:00Z",
        "2025-00-23T12:00:00Z",
        "2025-13-23T12:00:00Z",
        "2025-02-00T12:00:00Z",
        "2025-02-29T12:00:00Z",
        "2025-04-31T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2025-02-23T24:00:00Z",
        "2025-02-23T12:60:00Z",
        "2025-02-23T12:00:61Z",
        "2025-02-23T12:00:00+24:00",
        "2025-02-23T12:00:00+00:60",
        "2025-02-23T12:00:00+0100",
        "2025-02-23T12:00:00+01",
        "2025-02-23T12:00:00+01:00:00",
        "2025-02-23T12:00:00Z+01:00",
        "2025-02-23T12:00:00 UTC",
        "2025-02-23T12:00:00−01:00",
        "٢٠٢٥-02-23T12:00:00Z",
        "2025-02-23T12:00:0\N{FULLWIDTH DIGIT ZERO}Z",
        "2025-02-23T12:00:00.\N{DEVANAGARI DIGIT FIVE}Z",
        "0000-12-31T23:59:59Z",
        "0000-12-31T23:00:00-01:00",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "1740312000000",
    ],
)
def test_anything_else_is_no_timestamp(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:60.999Z",
        "2017-01-01T00:59:60+01:00",
        "2016-12-31T15:59:60-08:00",
        "2017-01-01T05:44:60.5+05:45",
    ],
)
def test_a_leap_second_is_the_last_millisecond_of_its_utc_day(text):
    assert parse(text) == parse("2016-12-31T23:59:59.999Z")


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T23:58:60Z",
        "2016-12-31T22:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2017-01-01T00:59:60Z",
        "2016-12-31T23:60:60Z",
    ],
)
def test_a_sixtieth_second_elsewhere_than_at_the_end_of_a_utc_day_does_not_exist(text):
    assert parse(text) is None


def test_the_last_leap_second_of_year_9999_is_still_in_it():
    assert parse("9999-12-31T23:59:60Z") == LAST_MS


@given(
    st.integers(FIRST_MS, LAST_MS),
    st.integers(-1439, 1439),
    st.sampled_from("Tt "),
    st.sampled_from(["", "0", "9", "999999"]),
)
def test_an_instant_written_in_any_zone_is_read_back(at, offset, between, more):
    local = at + offset * MINUTE_MS
    if not FIRST_MS <= local <= LAST_MS:
        local, offset = at, 0
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    written = rfc3339(local)[:-1].replace("T", between)
    assert parse(f"{written}{more}{sign}{minutes // 60:02d}:{minutes % 60:02d}") == at


@st.composite
def dates_and_times(draw):
    """Year, month, day, hour, minute, second: each at most one beyond what it may be."""
    most = (13, 32, 25, 60, 61)
    return (
        draw(st.sampled_from([0, 1, 1900, 2000, 2024, 2025, 9999])),
        *(draw(st.integers(0, n)) for n in most),
    )


@given(dates_and_times())
def test_what_is_accepted_exists_in_the_calendar(numbers):
    year, month, day, hour, minute, second = numbers
    leap_second = (hour, minute, second) == (23, 59, 60)
    try:
        then = datetime(year, month, day, hour, minute, 59 if leap_second else second, tzinfo=UTC)
        expected = (then - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) + 999 * leap_second
    except ValueError:
        expected = None
    assert parse(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z") == expected


def cached(hours, text):
    """The whole parse of a common timestamp as the gate has it inline."""
    return hours[text[:14]] + SECONDS_OF_HOUR[text[14:19]] + FRACTIONS[text[19:]]


@st.composite
def near_timestamps(draw):
    """Timestamps, most of them with something wrong: a character replaced, left out or put in, a piece of another."""
    digits = st.integers(0, 99).map("{:02d}".format)
    year = st.sampled_from(["0000", "0001", "1970", "2024", "2025", "9999"])
    date = f"{draw(year)}-{draw(digits)}-{draw(digits)}"
    between, zone = (
        draw(st.sampled_from("TTTTt _")),
        draw(st.sampled_from(["Z", "Z", "Z", "z", "+01:00", ""])),
    )
    fraction = draw(st.sampled_from(["", ".5", ".123", ".000", ".1234", "."]))
    text = f"{date}{between}{draw(digits)}:{draw(digits)}:{draw(digits)}{fraction}{zone}"
    place, length = draw(st.integers(0, len(text))), draw(st.sampled_from([0, 0, 0, 0, 1, 2]))
    what = draw(
        st.sampled_from(["", "", "", "", ":", "T", "Z", "1", "60", " ", "\n", "\N{FULLWIDTH DIGIT ONE}"])
    )
    return text[:place] + what + text[place + length :]


@given(st.lists(near_timestamps() | st.text(max_size=30), max_size=20))
def test_the_hour_cache_never_differs_from_parse(texts):
    hours = HourCache()
    for text in texts + texts:
        try:
            at = cached(hours, text)
        except KeyError:
            continue
        assert at == parse(text)


@given(st.integers(FIRST_MS, LAST_MS), st.booleans())
def test_the_hour_cache_knows_every_common_timestamp(at, whole_second):
    text = rfc3339(at)
    if whole_second:
        text = re.sub(r"\.\d{3}", "", text)
    hours = HourCache()
    assert cached(hours, text) == cached(hours, text) == parse(text)


@pytest.mark.parametrize(
    "prefix", ["2025-02-23t12:", "2025-02-23 12:", "2025-02-23T12", "", "2025-02-29T12:", "2025-02-23T24:"]
)
def test_only_canonical_prefixes_are_cached(prefix):
    hours = HourCache()
    with pytest.raises(KeyError):
        hours[prefix]
    assert not hours


def hour_prefixes(count):
    return [rfc3339(NOON + number * HOUR_MS)[:14] for number in range(count)]


def test_the_hour_cache_forgets_rather_than_grow():
    hours = HourCache()
    for number, prefix in enumerate(hour_prefixes(45_000)):
        assert hours[prefix] == NOON + number * HOUR_MS
        assert len(hours) <= 20_000


def test_prefixes_that_no_timestamp_has_do_not_stay_in_the_hour_cache():
    hours = HourCache()
    for hour in range(30_000):
        prefix = rfc3339(hour * HOUR_MS)[:11]
        for wrong in ("24:", "0a:", ""):
            with pytest.raises(KeyError):
                hours[prefix + wrong]
    assert not hours
