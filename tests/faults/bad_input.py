"""Everything that can be wrong with one event, each with what has to become of it: for Kafka and for files alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.faults.feed import Sent, page_view

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = "2025-03-01T12:00:00.000Z"
AHEAD = "timestamp_ahead"

WARM_UP = [
    Sent(page_view(f"w{n}", f"2025-03-01T11:{n // 60:02d}:{n % 60:02d}.000Z"), b"w%d" % n) for n in range(120)
]
"""Ordinary events, from which a stream knows what time it is."""


class Bad(NamedTuple):
    """A value and why it is a dead letter; no reason = it is an event."""

    name: str
    value: bytes
    reason: str | None


def purchase(data: bytes) -> bytes:
    """A purchase with this `event_data`, as it stands in JSON."""
    return b'{"client_id":"b","timestamp":"%s","event_name":"checkout_completed","event_data":%s}' % (
        AT.encode(),
        data,
    )


def quoted(data: bytes) -> bytes:
    """JSON as a JSON text."""
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def sale(revenue: bytes, name: bytes, items: bytes = b'[{"item_id":"i"}]') -> bytes:
    """A purchase's data."""
    return b'{"transaction_id":"%s","revenue":%s,"items":%s}' % (name, revenue, items)


def at(timestamp: str) -> bytes:
    """An event of that time."""
    return page_view("t", timestamp)


def with_field(text: bytes) -> bytes:
    """An event with one more field, whose JSON is given."""
    return page_view("f", AT)[:-1] + b',"more":' + text + b"}"


def bad_values(year_ahead: str) -> Iterator[Bad]:
    """All of them. `year_ahead` is a timestamp 400 days from now."""
    yield from _unparseable()
    yield from _odd_but_events()
    yield from _times(year_ahead)
    yield from _purchases()


def _unparseable() -> Iterator[Bad]:
    yield Bad("not JSON", b"hello", "not_json")
    yield Bad("half of an event", page_view("h", AT)[:-20], "not_json")
    yield Bad("two events", page_view("h", AT) * 2, "not_json")
    yield Bad("NaN", with_field(b"NaN"), "not_json")
    yield Bad("Infinity", with_field(b"-Infinity"), "not_json")
    yield Bad("a lone surrogate", with_field(rb'"\ud800"'), "not_json")
    yield Bad("a zero byte in a text", with_field(b'"a\0b"'), "not_json")
    yield Bad("bytes that are no UTF-8", with_field(b'"caf\xe9"'), "not_utf8")
    yield Bad("UTF-16", page_view("u", AT).decode().encode("utf-16"), "not_utf8")
    yield Bad("an array", b"[1]", "not_an_object")
    yield Bad("a text", b'"event"', "not_an_object")
    yield Bad("a number", b"7", "not_an_object")
    yield Bad("null", b"null", "not_an_object")
    yield Bad("100,000 levels", with_field(b"[" * 100_000 + b"]" * 100_000), "too_deep")
    yield Bad("100,000 levels, never closed", b"[" * 100_000, "too_deep")


def _odd_but_events() -> Iterator[Bad]:
    yield Bad("100 levels", with_field(b"[" * 100 + b"]" * 100), None)
    yield Bad("1e400", with_field(b"1e400"), None)
    yield Bad("5,000 digits", with_field(b"9" * 5_000), None)
    yield Bad("an exponent of 5,000 digits", with_field(b"1e" + b"9" * 5_000), None)
    yield Bad("equal keys", page_view("d", AT)[:-1] + b',"event_name":"checkout_started"}', None)
    yield Bad("nearly a megabyte", with_field(b'"%s"' % (b"x" * 1_000_000)), None)
    yield Bad("other types", page_view("o", AT, page_url=5, referrer=[], user_agent={"a": 1}), None)
    yield Bad("an identity that is a number", page_view("n", AT, client_id=7), None)
    yield Bad("no key but the two", b'{"timestamp":"%s","event_name":"x"}' % AT.encode(), None)
    yield Bad("no event name", b'{"timestamp":"%s"}' % AT.encode(), "event_name_missing")
    yield Bad("an event name that is a number", page_view("e", AT, event_name=1), "event_name_missing")


def _times(year_ahead: str) -> Iterator[Bad]:
    yield Bad("no zone", at("2025-03-01T12:00:00.000"), "timestamp_invalid")
    yield Bad("no such day", at("2025-02-30T12:00:00Z"), "timestamp_invalid")
    yield Bad("an offset", at("2025-03-01T14:00:00+02:00"), None)
    yield Bad("a leap second", at("2025-02-28T23:59:60Z"), None)
    yield Bad("a leap second at noon", at("2025-03-01T12:00:60Z"), "timestamp_invalid")
    yield Bad("the year 1", at("0001-01-01T00:00:00Z"), "timestamp_too_old")
    yield Bad("before the year 1", at("0001-01-01T00:00:00+23:00"), "timestamp_invalid")
    yield Bad("the year 9999", at("9999-12-31T23:59:59.999Z"), AHEAD)
    yield Bad("400 days from now", at(year_ahead), AHEAD)
    yield Bad("a number", page_view("t", AT, timestamp=1_740_830_400_000), "timestamp_missing")
    yield Bad("null as time", page_view("t", AT, timestamp=None), "timestamp_missing")


def _purchases() -> Iterator[Bad]:
    yield Bad("data as an object", purchase(sale(b"10", b"o1")), None)
    yield Bad("data as text", purchase(quoted(sale(b"12.50", b"o2"))), None)
    yield Bad("data cut short", purchase(quoted(sale(b"10", b"o3")[:-9])), "purchase_data")
    yield Bad("data as an array", purchase(b"[]"), "purchase_data")
    yield Bad("no data", purchase(b"null"), "purchase_data")
    yield Bad("data of 100,000 levels", purchase(quoted(b"[" * 100_000)), "purchase_data")
    yield Bad("revenue 1e400", purchase(sale(b"1e400", b"o4")), "purchase_revenue")
    yield Bad("revenue of 5,000 digits", purchase(sale(b"9" * 5_000, b"o5")), "purchase_revenue")
    yield Bad("revenue as text", purchase(sale(b'"10"', b"o6")), "purchase_revenue")
    yield Bad("revenue below nothing", purchase(sale(b"-1", b"o7")), "purchase_revenue")
    yield Bad("revenue true", purchase(sale(b"true", b"o8")), "purchase_revenue")
    yield Bad("a blank id", purchase(sale(b"1", b"  ")), "purchase_id")
    yield Bad("items as an object", purchase(sale(b"1", b"o9", b'{"a":1}')), "purchase_items")
    yield Bad("NaN in the data", purchase(quoted(sale(b"NaN", b"o10"))), "purchase_data")
