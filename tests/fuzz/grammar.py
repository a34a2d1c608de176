"""Inputs that look real and are not: drawn by a grammar of what each reader expects, then harmed.

Everything is drawn from the generator of random numbers that is handed over, so a seed gives the same inputs again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

NOON = 1_740_657_600_000
"""2025-02-27T12:00:00Z."""

NUMBERS = (
    *(
        "0",
        "-0",
        "1",
        "-1",
        "0.1",
        "12.5",
        "1e400",
        "-1e400",
        "1e-400",
        "1e999999999999",
        "9" * 20,
        "9" * 400,
    ),
    *("0.1000000000000000055511151231257827", "1E+3", "999999999999999", "1000000000000000", "1e-31", "NaN"),
    *(
        "Infinity",
        "-Infinity",
        "01",
        "1.",
        ".5",
        "0x10",
        "1_000",
        "9223372036854775808",
        "18446744073709551616",
    ),
)
HUGE_NUMBERS = ("9" * 4_301, "9" * 100_000, "0." + "9" * 100_000, "1e" + "9" * 5_000)

TEXTS = (
    *(
        "",
        " ",
        "\t\n",
        "\0",
        "a",
        "çiğdem",
        "\u202eabc\u200b",
        "\x1b[31mred",
        "=HYPERLINK(1)",
        "x" * 300,
        "x" * 5_000,
    ),
    *(
        "|</table><script>alert(1)</script>",
        "\ufeff",
        "\U0001f600" * 40,
        "…",
        "\x1f",
        "a\x1fb",
        "__proto__",
        "nan",
    ),
    *(
        "page_viewed",
        "checkout_completed",
        "product_added_to_cart",
        "(blank)",
        "client_id",
        "null",
        "\u2028",
        "\x85",
    ),
)
URLS = (
    *(
        "https://www.shop.example/",
        "https://shop.example/p?utm_source=x&gclid=1",
        "//",
        "http://[::1]/",
        "http://[",
    ),
    *(
        "https://user:pw@host:99999999/",
        "javascript:alert(1)",
        "https://xn--/",
        "http://a..b/",
        "https://%zz/?%",
    ),
    *(
        "https://" + "a." * 200 + "example/",
        "?" + "&" * 500,
        "?" + "utm_x=1&" * 500,
        "https:///",
        "\\\\host\\x",
    ),
    *(
        "android-app://com.search.app/",
        "about:blank",
        "https://shop.example/#?gclid=1",
        "http://１２７.0.0.1/",
    ),
)
TIMES = (
    *(
        "2025-02-27T12:00:00Z",
        "2025-02-27T12:00:00.123Z",
        "2025-02-27 12:00:00z",
        "2025-02-27T12:00:00+23:59",
    ),
    *(
        "2025-02-27T12:00:60Z",
        "2016-12-31T23:59:60Z",
        "2025-02-29T12:00:00Z",
        "2025-02-27T24:00:00Z",
        "2025-02-27",
    ),
    *(
        "0001-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59-23:59",
    ),
    *(
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2000-01-01T00:00:00Z",
        "2025-02-27T12:00:00",
        "yesterday",
    ),
    *("2026-04-03T12:00:00Z", "2024-01-20T12:00:00Z", "2025-02-28T11:59:59Z", "2025-02-27T12:00:00.Z"),
    *("２０２５-02-27T12:00:00Z", "2025-02-27T12:00:00." + "9" * 5_000 + "Z", "-2025-02-27T12:00:00Z"),
)
KEYS = (
    *("client_id", "clientId", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent"),
    *(
        "revenue",
        "items",
        "transaction_id",
        "item_id",
        "quantity",
        "item_price",
        "Referrer",
        "ts",
        "user_email",
    ),
)
EVENTS = (
    "page_viewed",
    "product_added_to_cart",
    "checkout_started",
    "checkout_completed",
    "email_filled_on_popup",
)
HARMFUL = (
    *(
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b"\r\n",
        b'"',
        b"\\",
        b"\\ud800",
        b",",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"null",
        b"true",
        b"1e400",
        b"\x1f\x8b",
        b"\x1b[31m",
        b"=",
        b"'",
        b"#",
        b"-",
    ),
    *(
        b"\xdf\xff\xff\xff\xff",
        b"\xc1",
        b"\xd4",
        b"\xcf" + b"\xff" * 8,
        b"\xd3\x80" + b"\0" * 7,
        b"\x1e",
        b"&a *a",
    ),
)


class Grammar:
    """Draws inputs."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def often(self, share: float) -> bool:
        """Whether something of this share happens."""
        return self.rng.random() < share

    def text(self) -> str:
        """A text, most of the time an odd one."""
        rng = self.rng
        return rng.choice((*TEXTS, f"{rng.randint(0, 30)}", rng.choice(URLS), rng.choice(TIMES)))

    def number(self) -> str:
        """A number as it is written."""
        if self.often(0.004):
            return self.rng.choice(HUGE_NUMBERS)
        return self.rng.choice(NUMBERS) if self.often(0.5) else str(self.rng.randint(-(2**40), 2**40))

    def json(self, depth: int = 3) -> str:
        """A JSON value as it is written, or what nearly is one."""
        rng = self.rng
        kind = rng.randint(0, 9 if depth else 6)
        if kind <= 2:
            return self.quoted(self.text())
        if kind <= 4:
            return self.number()
        if kind <= 6:
            return rng.choice(("null", "true", "false", "{}", "[]", '""', "nul", ""))
        if kind == 7 and self.often(0.05):
            return self.nested()
        if kind <= 8:
            return self.object(
                {self.key(): self.json(depth - 1) for _ in range(rng.randint(0, 4))}, dictionary=False
            )
        return "[" + ",".join(self.json(depth - 1) for _ in range(rng.randint(0, 4))) + "]"

    def nested(self) -> str:
        """Brackets in brackets, within the limit and beyond it."""
        deep = self.rng.choice((100, 299, 301, 600, 5_000, 50_000))
        return "[" * deep + "]" * deep if self.often(0.5) else '{"a":' * deep + "1" + "}" * deep

    def key(self) -> str:
        """A name of a field."""
        return self.rng.choice(KEYS) if self.often(0.7) else self.text()

    def quoted(self, text: str) -> str:
        """A text as JSON, with escapes or without, sometimes with what no text may hold."""
        if self.often(0.03):
            return self.rng.choice(('"\\ud800"', '"\\x"', '"\\u12"', '"\t"', '"open', "'single'"))
        return json.dumps(text, ensure_ascii=self.often(0.5))

    def object(self, members: dict[str, str], *, dictionary: bool = True) -> str:
        """Members whose values are written already, as an object; sometimes with a key twice."""
        pairs = [f"{self.quoted(key)}:{value}" for key, value in members.items()]
        if pairs and self.often(0.05):
            pairs.append(self.rng.choice(pairs))
        if not dictionary and self.often(0.05):
            pairs.append("")
        return "{" + ",".join(pairs) + "}"

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────

    def time(self) -> str:
        """A time near noon, or an odd one."""
        if self.often(0.8):
            hours, minutes, seconds = (
                self.rng.randint(0, 23),
                self.rng.randint(0, 59),
                self.rng.randint(0, 59),
            )
            return f"2025-02-{self.rng.choice((26, 27, 27, 27))}T{hours:02}:{minutes:02}:{seconds:02}Z"
        return self.rng.choice(TIMES)

    def purchase(self) -> str:
        """A purchase's data as an object."""
        rng = self.rng
        data = {
            "transaction_id": rng.choice(
                (f'"t{rng.randint(0, 9)}"', self.json(0), self.number(), f'"{"t" * 900}"')
            ),
            "revenue": self.number() if self.often(0.7) else self.json(1),
            "items": '[{"item_id":"m-1","quantity":1,"item_price":0.1}]' if self.often(0.6) else self.json(2),
        }
        for key in list(data):
            if self.often(0.05):
                del data[key]
        if self.often(0.2):
            data[self.key()] = self.json(2)
        return self.object(data)

    def event(self) -> str:
        """An event of a shop, of which something may be odd."""
        rng = self.rng
        name = rng.choice(EVENTS)
        fields = {
            "client_id": f'"c{rng.randint(0, 40)}"',
            "page_url": self.quoted(rng.choice(URLS)),
            "referrer": rng.choice(("null", self.quoted(rng.choice(URLS)))),
            "timestamp": self.quoted(self.time()),
            "event_name": self.quoted(name),
            "event_data": "null",
        }
        if name == "checkout_completed":
            data = self.purchase()
            fields["event_data"] = data if self.often(0.5) else self.quoted(data)
        if self.often(0.005):  # one of its own fields, so that all else is as it should be
            huge = f'"{"x" * 1_048_576}"'
            fields[rng.choice(list(fields))] = huge if self.often(0.2) else self.nested()
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
            fields[self.key()] = self.json()
        if self.often(0.1):
            fields.pop(rng.choice(list(fields)), None)
        if self.often(0.01):
            fields |= {f"key{number}": "1" for number in range(rng.choice((70, 700)))}
        return self.object(fields)

    # ── harm ────────────────────────────────────────────────────────────────────────────────────────────────────

    def harmed(self, data: bytes, others: list[bytes]) -> bytes:
        """The input with one to four pieces cut out, put in, doubled, turned, or taken from another."""
        rng = self.rng
        for _ in range(rng.randint(1, 4)):
            at = rng.randint(0, len(data))
            end = min(len(data), at + rng.choice((1, 1, 2, 8, 64)))
            match rng.randint(0, 6):
                case 0:
                    data = data[:at] + data[end:]
                case 1:
                    data = data[:at] + rng.choice(HARMFUL) + data[at:]
                case 2:
                    data = data[:at] + rng.choice(HARMFUL) + data[end:]
                case 3:
                    data = data[:end] + data[at:end] * rng.choice((1, 2, 50)) + data[end:]
                case 4:
                    data = (
                        data[:at]
                        + bytes(byte ^ (1 << rng.randint(0, 7)) for byte in data[at:end])
                        + data[end:]
                    )
                case 5:
                    data = data[:at]
                case _:
                    other = rng.choice(others) if others else b""
                    begin = rng.randint(0, len(other))
                    data = data[:at] + other[begin : begin + rng.choice((4, 40, 400))] + data[end:]
        return data

    def pick(self, choices: Any) -> Any:
        """One of them."""
        return self.rng.choice(choices)
