"""Single events at which a careless reader spends minutes or gigabytes: numbers, nesting, patterns, keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.fuzz.grammar import NOON, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator


def _event(number: int, name: str = "page_viewed", **fields: str) -> bytes:
    """An event whose fields are written already."""
    told = {
        "client_id": f'"c{number}"',
        "timestamp": '"2025-02-27T12:00:00Z"',
        "event_name": f'"{name}"',
        "event_data": "null",
        **fields,
    }
    return ("{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in told.items()) + "}").encode()


def _bought(number: int, **fields: str) -> bytes:
    data = {"transaction_id": f'"t{number}"', "revenue": "1.5", "items": '[{"item_id":"a"}]', **fields}
    text = "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in data.items()) + "}"
    return _event(number, "checkout_completed", event_data=text)


def traps(number: int) -> Iterator[bytes]:
    """Each of them once; `number` makes them differ from the last time."""
    digits, deep = "9" * 100_000, 60_000
    for written in (
        "1e400",
        "-1e400",
        "1e999999999",
        "1e-999999999",
        digits,
        f"0.{digits}",
        f"1e{'9' * 5_000}",
        f"{number}e9",
    ):
        yield _event(number, more=written)
        yield _bought(number, revenue=written)
        yield _bought(number, transaction_id=written)
        yield _bought(number, note=written, items=f"[{written}]")
        yield _event(number, timestamp=written)
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        for depth in (90, 900, deep):
            nested = opened * depth + "1" + closed * depth
            yield _event(number, more=nested)
            yield _bought(number, items=nested, note=nested)
            yield _event(number, "checkout_completed", event_data=json.dumps(nested))
    for text in (
        "a" * 900_000,
        "&" * 900_000,
        "." * 900_000,
        "/" * 900_000,
        "a." * 400_000,
        "utm_=" * 100_000,
        "%" * 300_000,
    ):
        quoted = json.dumps(text)
        for name in (
            "client_id",
            "page_url",
            "referrer",
            "user_agent",
            "event_name",
            "timestamp",
            "event_data",
        ):
            yield _event(number, **{name: quoted})
        yield _event(
            number,
            page_url=json.dumps(f"https://shop.example/?{text}"),
            referrer=json.dumps(f"https://{text}/"),
        )
        yield _bought(number, transaction_id=quoted)
    yield _event(number, timestamp=f'"2025-02-27T12:00:00.{digits}Z"')
    for text in TEXTS:
        yield _event(number, **{text or "empty": json.dumps(text)})
    yield b'{"client_id":"a",' * 40_000
    yield _event(number)[:-1] + b',"client_id":"other"' * 40_000 + b"}"
    yield _event(number)[:-1] + b"".join(b',"k%d":1' % key for key in range(80_000)) + b"}"
    yield _bought(number, items="[" + ",".join('{"item_id":"a"}' for _ in range(50_000)) + "]")
    yield _bought(number, items="[" + ",".join(f'{{"key{key}":{NOON}}}' for key in range(50_000)) + "]")
