"""Paths as an operator writes them: read, written back, refused with a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.json_path import EVERY, Path, PathError, parse_path

STEPS = st.lists(
    st.text(max_size=8).filter(lambda name: name.encode("utf-8", "ignore").decode() == name)
    | st.integers(0, 999_999)
    | st.just(EVERY),
    max_size=8,
)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("timestamp", ("timestamp",)),
        ("$.timestamp", ("timestamp",)),
        ("event_data.items[].item_price", ("event_data", "items", EVERY, "item_price")),
        ("event_data.items[*]", ("event_data", "items", EVERY)),
        ("items[0][12]", ("items", 0, 12)),
        ('["a.b"].c', ("a.b", "c")),
        ("$['a\"b']", ('a"b',)),
        ('a["b]["]', ("a", "b][")),
        ("größe.π", ("größe", "π")),
    ],
)
def test_a_path_is_read_into_its_steps(text, steps):
    assert parse_path(text).steps == steps


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a[",
        "a]",
        "a[-1]",
        "a[x]",
        "a b",
        "a.[0]",
        '["a',
        "[01234567]",
        "a" + ".a" * 32,
    ],
)
def test_what_is_no_path_is_refused_with_a_sentence(text):
    with pytest.raises(PathError, match=r"is no path: write it like event_data\.revenue"):
        parse_path(text)


@given(STEPS)
def test_a_path_reads_back_from_its_own_writing(steps):
    path = Path(tuple(steps))
    assert parse_path(str(path)) == path
