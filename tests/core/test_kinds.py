"""What a value looks like, in one word that says nothing of the value itself."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.kinds import KINDS, kind_of


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \t", "empty"),
        ("6F9619FF-8b86-d011-b42d-00c04fc964ff", "uuid"),
        ("d41d8cd98f00b204e9800998ecf8427e", "hex"),
        ("deadbeef", "word"),
        ("https://shop.example/p?x=1", "url"),
        ("android-app://com.search.app/", "url"),
        ("/cart", "word"),
        ("2025-02-23T00:00:01.750Z", "timestamp"),
        ("2025-02-23 00:00:01+01:00", "timestamp"),
        ("2025-02-23", "timestamp"),
        ("ann@shop.example", "email"),
        ("-12", "integer-text"),
        ("1234567890123456", "integer-text"),
        ("12.50", "number-text"),
        ('{"a": 1}', "json"),
        ("[]", "json"),
        ("GA1.2.123456.7890", "word"),
        ("page_viewed", "word"),
        ("Mozilla/5.0 (X11)", "text"),
        (5, "number"),
        (Decimal("0.1"), "number"),
        (True, "bool"),
        ({}, "object"),
        ([], "array"),
    ],
)
def test_a_value_has_its_kind(value, kind):
    assert kind_of(value) == kind


@given(st.text() | st.none() | st.integers() | st.booleans() | st.lists(st.none()))
def test_every_value_has_one_of_the_kinds(value):
    assert kind_of(value) in KINDS


@pytest.mark.parametrize("piece", ["a", "1", "@", "a@", "a.", "{", " ", "é"])
def test_no_text_takes_long(piece):
    started = time.process_time()
    kind_of(piece * 1_000_000)
    assert time.process_time() - started < 0.1
