"""Ids as keys of state: kept as they are while they are short, never long, and different where the ids are."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.identifier import MOST_ID, shortened


@given(st.text(max_size=MOST_ID))
def test_an_id_of_ordinary_length_stays_as_it_is(text):
    assert shortened(text) == text


def test_the_limit_itself_is_kept_and_one_more_is_not():
    assert shortened("x" * 256) == "x" * 256
    assert shortened("x" * 257) != "x" * 257


@given(st.text(min_size=1), st.integers(257, 5000))
def test_a_long_id_is_shown_by_its_beginning_and_stays_short(text, length):
    long = (text * length)[:length]
    assert len(shortened(long)) == 97
    assert shortened(long).startswith(long[:64] + "…")


@given(st.integers(64, 999))
def test_long_ids_that_differ_anywhere_stay_different(place):
    long = "x" * 1000
    assert shortened(long[:place] + "y" + long[place + 1 :]) != shortened(long)
    assert shortened(long) == shortened("x" * 1000)
