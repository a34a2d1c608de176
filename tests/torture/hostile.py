"""Records that mean harm, or were made by something broken: each near its stream's time, by a visitor of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tests.faults.feed import Sent, page_view

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

FAR_DAYS = 450
"""Further from its stream than the 400 days up to which an event is believed."""

INJECTION = "|</table><script>alert(1)</script>`\x1b[31m\u202e=HYPERLINK()"


class Now(NamedTuple):
    """Stream time, the same as RFC 3339, and a visitor nobody has seen."""

    ms: int
    at: str
    client: str


class Maker:
    """Hostile records, as the generator of random numbers has it. `make` gives the one or two records of a case."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._made = 0
        self._cases: tuple[Callable[[Now], list[Sent]], ...] = (
            self._garbage,
            self._garbage,
            self._odd,
            self._odd,
            self._time,
            self._purchase,
            self._purchase,
            self._collision,
            self._late,
        )

    def make(self, now_ms: int) -> list[Sent]:
        """The records of one case, for a stream that has come to that time."""
        self._made += 1
        return self._rng.choice(self._cases)(Now(now_ms, written(now_ms), f"hostile-{self._made}"))

    # ── records that are no events ──────────────────────────────────────────────────────────────────────────────

    def _garbage(self, now: Now) -> list[Sent]:
        view = page_view(now.client, now.at)
        value = self._rng.choice(
            (
                None,
                b"",
                b"hello",
                b"[1]",
                b"7",
                b"null",
                b'"event"',
                view[:-20],
                view * 2,
                b"\x00" * 50,
                view.decode().encode("utf-16"),
                more(view, b"NaN"),
                more(view, b"-Infinity"),
                more(view, rb'"\ud800"'),
                more(view, b'"caf\xe9"'),
                more(view, b'"a\0b"'),
                more(view, b"[" * 100_000 + b"]" * 100_000),
                b"[" * 100_000,
                b'{"timestamp":"%s"}' % now.at.encode(),
                page_view(now.client, now.at, event_name=1),
            )
        )
        key = self._rng.choice((now.client.encode(), None, b"", b"\xff\xfe", b"k" * 2_000))
        return [Sent(value, key)]

    # ── odd, but events ─────────────────────────────────────────────────────────────────────────────────────────

    def _odd(self, now: Now) -> list[Sent]:
        view = page_view(now.client, now.at)
        offset = (EPOCH + timedelta(milliseconds=now.ms, hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
        value = self._rng.choice(
            (
                more(view, b"[" * 100 + b"]" * 100),
                more(view, b"1e400"),
                more(view, b"9" * 5_000),
                more(view, b'"%s"' % (b"x" * 100_000)),
                view[:-1] + b',"event_name":"checkout_started"}',
                page_view(now.client, now.at, page_url=5, referrer=[], user_agent={"a": 1}),
                page_view(now.client, now.at, client_id=7),
                page_view(now.client, now.at, client_id="  ", clientId=now.client),
                page_view(now.client, now.at, event_name=INJECTION[: self._rng.randint(3, len(INJECTION))]),
                page_view(now.client, now.at, page_url=INJECTION, referrer=INJECTION),
                page_view(now.client, now.at, **{f"{INJECTION}{self._rng.randint(0, 9)}": 1}),
                page_view(now.client, offset),
                page_view(now.client, written(now.ms + self._rng.randint(2, 10) * HOUR_MS)),
                b'{"timestamp":"%s","event_name":"x"}' % now.at.encode(),
            )
        )
        return [Sent(value, now.client.encode())]

    # ── times ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _time(self, now: Now) -> list[Sent]:
        time = self._rng.choice(
            (
                now.at[:-1],
                "2025-02-30T12:00:00Z",
                f"{now.at[:10]}T12:00:60Z",
                "0001-01-01T00:00:00+23:00",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999Z",
                written(now.ms - FAR_DAYS * DAY_MS),
                written(now.ms + FAR_DAYS * DAY_MS),
                now.ms,
                None,
                "",
                "yesterday",
            )
        )
        return [Sent(page_view(now.client, now.at, timestamp=time), now.client.encode())]

    # ── purchases ───────────────────────────────────────────────────────────────────────────────────────────────

    def _purchase(self, now: Now) -> list[Sent]:
        fine = json.dumps(order(now.client))
        data = self._rng.choice(
            (
                order(now.client),
                fine,
                fine[:-9],
                [],
                None,
                "[" * 100_000,
                priced(fine, "1e400"),
                priced(fine, "9" * 5_000),
                priced(fine, "0.1000000000000000000000000000"),
                priced(fine, '"10"'),
                priced(fine, "-1"),
                priced(fine, "true"),
                priced(fine, "NaN"),
                json.dumps({**order(now.client), "transaction_id": " "}),
                json.dumps({**order(now.client), "transaction_id": 10**15 + self._made}),
                json.dumps({**order(now.client), "items": {"a": 1}}),
                json.dumps({**order(now.client), "items": []}),
            )
        )
        return [Sent(bought(now.client, now.at, data), now.client.encode())]

    def _collision(self, now: Now) -> list[Sent]:
        """One transaction id by two visitors, with the same data (a replay) or not (a collision)."""
        other, text = f"{now.client}-b", json.dumps(order(now.client))
        second = self._rng.choice((text, priced(text, "12.51"), priced(text, "0")))
        return [
            Sent(bought(now.client, now.at, text), now.client.encode()),
            Sent(bought(other, now.at, second), other.encode()),
        ]

    def _late(self, now: Now) -> list[Sent]:
        """A visit of a day that closed long ago."""
        days = self._rng.randint(1, 4)
        return [Sent(page_view(now.client, written(now.ms - days * DAY_MS)), now.client.encode())]


def order(client: str) -> dict[str, object]:
    """What a purchase that counts consists of."""
    return {"transaction_id": f"ORD-{client}", "revenue": 12.5, "items": [{"item_id": "i", "price": 12.5}]}


def bought(client: str, at: str, data: object) -> bytes:
    """A purchase with this `event_data`."""
    return page_view(client, at, event_name="checkout_completed", event_data=data)


def priced(data: str, revenue: str) -> str:
    """The purchase's data with another revenue, as it stands in JSON."""
    return data.replace('"revenue": 12.5', f'"revenue": {revenue}')


def more(view: bytes, field: bytes) -> bytes:
    """The event with one more field, whose JSON is given."""
    return view[:-1] + b',"more":' + field + b"}"


def written(at_ms: int) -> str:
    """RFC 3339, UTC, milliseconds."""
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
