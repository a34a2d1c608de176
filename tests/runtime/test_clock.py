from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.instant import FIRST_MS, LAST_MS, rfc3339
from consumer.runtime.clock import Clock, SystemClock


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (FIRST_MS, "0001-01-01T00:00:00.000Z"),
        (LAST_MS, "9999-12-31T23:59:59.999Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
    ],
)
def test_an_instant_is_written_with_four_digit_year_and_milliseconds(ms, text):
    assert rfc3339(ms) == text


@given(st.integers(FIRST_MS, LAST_MS))
def test_no_millisecond_is_lost_in_writing_an_instant(ms):
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert (datetime.fromisoformat(rfc3339(ms)) - epoch) // timedelta(milliseconds=1) == ms


@given(st.lists(st.integers(FIRST_MS, LAST_MS), min_size=2))
def test_instants_sort_as_text_as_they_do_in_time(instants):
    assert sorted(map(rfc3339, instants)) == [rfc3339(ms) for ms in sorted(instants)]


@pytest.mark.parametrize("ms", [FIRST_MS - 1, LAST_MS + 1, -(2**63), 2**63 - 1])
def test_an_instant_without_a_four_digit_year_is_refused(ms):
    with pytest.raises(ValueError, match="years 1 to 9999"):
        rfc3339(ms)


def test_the_system_clock_says_wall_time_in_whole_milliseconds_and_never_runs_back():
    clock: Clock = SystemClock()
    before, monotonic = clock.now_ms(), clock.monotonic()
    assert isinstance(before, int)
    assert rfc3339(before) > "2024"
    assert clock.monotonic() >= monotonic
