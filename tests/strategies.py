"""Hypothesis strategies for small but nasty event streams, and for every way in which they may arrive.

A stream is made in the order of its events' own time: few clients, at most four days, moments that sit on the edges
of sessions and days, purchases that repeat and contradict each other, and values that are no events at all.
`tests/oracle.py` says what its numbers are; `shuffled_within`, `partitionings` and `batchings` must not change them.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from hypothesis import strategies as st

from tests.oracle import JudgedRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GAP = 30 * MINUTE
MOST_DAYS = 3
FEBRUARY_27 = 1_740_614_400_000
STARTS = [FEBRUARY_27, FEBRUARY_27 + DAY - GAP, FEBRUARY_27 + 12 * HOUR + 345]
NEAR_GAP = (GAP - 1, GAP, GAP + 1)
STEPS = [
    *(("on", step) for step in (0, 0, 0, 1, MINUTE, 10 * MINUTE, *NEAR_GAP, *NEAR_GAP, 3 * HOUR)),
    *(("midnight", step) for step in (-1, 0, 1)),
]


class Made(NamedTuple):
    """One record of a stream. `at` is the stream's time in milliseconds: the event's own time where that counts."""

    value: bytes | None
    at: int
    client: str | None = None
    log_time: int | None = None


class Arrival(NamedTuple):
    """A record of a stream in the partition where it arrives."""

    made: Made
    partition: int


class Partitioning(NamedTuple):
    """Puts every client into one of so many partitions, and records without a client anywhere; if it is not keyed, a
    client's moments anywhere as well."""

    partitions: int = 1
    salt: int = 0
    keyed: bool = True

    def of(self, made: Made, place: int) -> int:
        """The partition of the record at this place of its stream."""
        key = f"place {place}" if made.client is None else f"client {made.client}"
        key = key if self.keyed else f"{key} at {made.at}"
        return crc32(f"{self.salt} {key}".encode()) % self.partitions


TOGETHER = Partitioning()
"""Everything in one partition."""


class Token(str):
    """A piece of JSON that is written exactly like this."""

    __slots__ = ()


# -- what an event may say ---------------------------------------------------------------------------------------

CLIENTS = ("ann", "bob", "çiğdem")
NOBODY: list[dict[str, Any]] = [
    {},
    {"client_id": None},
    {"client_id": ""},
    {"client_id": " \t", "clientId": "\n"},
    {"client_id": 5, "clientId": ["ann"]},
]
PAGES: list[Any] = [
    "https://www.shop.example/",
    "https://shop.co.uk/p?size=1&utmost=2&x=gclid",
    "https://shop.example/#?gclid=1",
    "https://shop.example/?GcLiD",
    "https://shop.example/p?size=1&utm%5Fsource=x#top",
    "/p?li_fat_id=",
    None,
    7,
]
OWN_DOMAINS = ("own.test",)
"""To be given to both sides: it makes one of the referrers below internal."""
REFERRERS: list[Any] = [
    None,
    "https://shop.example/cart",
    "HTTPS://me:pw@CHECKOUT.Shop.Example.:8443?x",
    "https://other.co.uk/",
    "https://search.test/?q=shop.example",
    "android-app://com.search.app/",
    "https://localhost/",
    "http://10.0.0.1:80/",
    "http://[::1]/",
    "https://own.test/",
    "https://notown.test",
    "https:///nowhere",
    "//search.test/",
    "about:blank",
    "",
    ["https://search.test/"],
]
ITEMS = [{"item_id": "m-1", "quantity": Decimal(1), "item_price": Decimal("0.1")}, {"item_id": "p-2"}]
BOUGHT: dict[str, Any] = {"revenue": Decimal(10), "items": ITEMS, "gift": True}
CONTENTS: list[dict[str, Any]] = [
    BOUGHT,
    BOUGHT | {"revenue": Decimal("0.1")},
    BOUGHT | {"revenue": Decimal("0.10000000000000000001")},
    BOUGHT | {"revenue": Token("999999999999999.999999999999999999999999999999")},
    BOUGHT | {"gift": Decimal(1)},
    BOUGHT | {"items": ITEMS[::-1]},
    BOUGHT | {"items": [{"item_id": "m-1", "item_price": Decimal("0.1000000000000000055")}]},
    BOUGHT | {"note": None},
    BOUGHT | {"note": [Token("1e999"), Token("9" * 40)]},
]
MISSING = Token("")
"""The key is left out."""
NO_REVENUES: list[Any] = [Decimal(0), Decimal(-1), True, "10", None, MISSING, Token("1e15"), Token("1e-31")]
NO_ITEMS: list[Any] = [[], {"item_id": "m-1"}, "m-1", None, MISSING]
NO_IDS: list[Any] = [MISSING, None, "", " \n", True, ["t1"]]
NO_DATA: list[Any] = [
    MISSING,
    None,
    "",
    "[]",
    '"{}"',
    "{} {}",
    '{"revenue": NaN}',
    '{"note": "\\ud800"}',
    [BOUGHT],
    5,
]
NO_NAMES: list[Any] = [MISSING, None, 5, ["page_viewed"]]
NO_TIMES: list[Any] = [
    *(MISSING, None, "", 1740268800000, "2025-02-28", "2025-02-28T12:00:00", "2025-02-29T12:00:00Z"),
    *("2025-02-28T24:00:00Z", "2025-02-28T12:00:60Z", "2025-02-28T12:00:00.Z", "2025-02-28T12:00:00+24:00"),
    *("0000-02-28T12:00:00Z", "2025-02-28T12:00:00Z ", "2025-02-28 12:00:00 Z", "٢٠٢٥-02-28T12:00:00Z"),
]
NO_EVENTS = [
    None,
    b"",
    b"[]",
    b"5",
    b"null",
    b'"{}"',
    b"not json",
    b"{}",
    b"{",
    b'{"timestamp": \xff}',
    b"\xef\xbb\xbf{}",
]
SPOILT = [
    b'"user_agent": "\xff"',
    b'"user_agent": NaN',
    b'"user_agent": "\\udc00"',
    b"'user_agent': 1",
    b'"user_agent"',
]


KINDS = ["event"] * 12 + ["no_event", "no_time", "no_name", "spoilt", "ahead"]


class Said(NamedTuple):
    """What an event says, before it gets its time and is written down; `taste` picks among equal ways to write."""

    identity: dict[str, Any]
    client: str | None
    name: Any
    event_data: Any
    page_url: Any
    referrer: Any
    taste: int


def identities() -> st.SearchStrategy[tuple[dict[str, Any], str | None]]:
    """The identity fields of an event, and the client that they mean."""
    fields = st.sampled_from(
        [
            lambda client: {"client_id": client},
            lambda client: {"client_id": client, "clientId": "somebody else"},
            lambda client: {"clientId": client},
            lambda client: {"client_id": " ", "clientId": client},
            lambda client: {"client_id": 5, "clientId": client},
        ]
    )
    known = st.builds(lambda form, client: (form(client), client), fields, st.sampled_from(CLIENTS))
    return known | known | known | st.sampled_from(NOBODY).map(lambda identity: (identity, None))


def checkouts() -> st.SearchStrategy[Any]:
    """The `event_data` of checkouts with few transaction ids: the same again, another one, and invalid ones."""
    ids = st.sampled_from(["t1", "t2", 7, "7"])
    differing: st.SearchStrategy[dict[str, Any]] = (
        st.sampled_from(CONTENTS)
        | st.sampled_from(NO_REVENUES).map(lambda revenue: BOUGHT | {"revenue": revenue})
        | st.sampled_from(NO_ITEMS).map(lambda items: BOUGHT | {"items": items})
    )
    identified = st.builds(
        lambda bought, key: bought | {"transaction_id": key}, st.just(BOUGHT) | differing, ids
    )
    unidentified = st.sampled_from(NO_IDS).map(lambda key: BOUGHT | {"transaction_id": key})
    return identified | identified | unidentified | st.sampled_from(NO_DATA)


def sayings() -> st.SearchStrategy[Said]:
    """Visits and checkouts by anybody, from anywhere."""
    names = st.sampled_from(["page_viewed", "product_added_to_cart", "", "never_heard_of"])
    visits = st.tuples(names, st.sampled_from([MISSING, None, "{}"]))
    acts = visits | st.tuples(st.just("checkout_completed"), checkouts())
    urls = st.tuples(st.sampled_from(PAGES), st.sampled_from(REFERRERS))
    return st.builds(
        lambda who, act, url, taste: Said(who[0], who[1], act[0], act[1], url[0], url[1], taste),
        identities(),
        acts,
        urls,
        st.integers(0, 9999),
    )


# -- writing it down, in one of many equal ways ------------------------------------------------------------------


def timestamp(at: int, taste: random.Random) -> str:
    """The moment in RFC 3339, in any zone, with any number of digits."""
    zone, minutes = taste.choice(
        [("Z", 0), ("Z", 0), ("z", 0), ("-00:00", 0), ("+14:00", 840), ("-05:30", -330)]
    )
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at, minutes=minutes)
    second, fraction = f"{local:%Y-%m-%d{taste.choice('TTt ')}%H:%M:%S}", f".{at % 1000:03d}"
    if at % DAY == DAY - 1 and taste.random() < 0.3:
        second, fraction = f"{second[:-2]}60", ""
    if not at % 1000 and taste.random() < 0.3:
        fraction = taste.choice(["", ".0"])
    more = taste.choice(["", "9", "999999999"]) if len(fraction) == 4 else ""
    return f"{second}{fraction}{more}{zone}"


def written(value: Any, taste: random.Random) -> str:
    """The value as JSON text: keys in any order, now and then twice (the last one counts), any white space."""
    space = taste.choice(["", "", " ", "\n\t"])
    match value:
        case dict():
            pairs = [(key, member) for key, member in value.items() if member is not MISSING]
            taste.shuffle(pairs)
            pairs = [(key, "overwritten") for key, _ in pairs if taste.random() < 0.02] + pairs
            members = [f"{space}{json.dumps(key)}{space}:{written(member, taste)}" for key, member in pairs]
            return f"{{{','.join(members)}{space}}}"
        case list():
            return f"[{','.join(space + written(entry, taste) for entry in value)}{space}]"
        case Decimal():
            plain = f"{value:f}"
            return taste.choice([plain, plain + ("0" if "." in plain else ".0"), f"{value:e}", f"{value:E}"])
        case Token():
            return str(value)
    return json.dumps(value, ensure_ascii=taste.random() < 0.5)


def value_of(said: Said, taste: random.Random, **fields: Any) -> bytes:
    """The event's bytes; a purchase is an object in it, or a JSON text."""
    data = said.event_data
    if isinstance(data, dict) and taste.random() < 0.5:
        data = written(data, taste)
    event = {
        **said.identity,
        "event_name": said.name,
        "event_data": data,
        "page_url": said.page_url,
        "referrer": said.referrer,
        "user_agent": taste.choice([MISSING, None, "Mozilla/5.0", {"deep": [Token("-1e999"), {}]}]),
    }
    return written(event | fields, taste).encode()


def made_of(said: Said, kind: str, at: int, *, log_times: bool) -> Made:
    """The record of an event, or of what became of it."""
    taste = random.Random(said.taste)
    log_time = at + taste.choice([0, 0, 1, HOUR, -DAY]) if log_times else None
    whole = value_of(said, taste, timestamp=timestamp(at, taste))
    match kind:
        case "no_event":
            return Made(taste.choice(NO_EVENTS), at, None, log_time)
        case "no_time":
            return Made(value_of(said, taste, timestamp=taste.choice(NO_TIMES)), at, None, log_time)
        case "no_name":
            named = {"timestamp": timestamp(at, taste), "event_name": taste.choice(NO_NAMES)}
            return Made(value_of(said, taste, **named), at, None, log_time)
        case "spoilt":
            return Made(b"{" + taste.choice(SPOILT) + b"," + whole[1:], at, None, log_time)
        case "ahead" if log_times:
            return Made(value_of(said, taste, timestamp=timestamp(at + DAY + 1, taste)), at, None, at)
    return Made(whole, at, said.client, log_time)


# -- streams, and how they arrive --------------------------------------------------------------------------------


def later(now: int, step: tuple[str, int]) -> int:
    """The time after a step: some milliseconds on, or to so many of them from the coming midnight."""
    way, milliseconds = step
    return (now // DAY + 1) * DAY + milliseconds if way == "midnight" else now + milliseconds


@st.composite
def streams(draw: st.DrawFn, *, most: int = 30, log_times: bool = True) -> list[Made]:
    """Records in the order of their own time. With log times, some events lie too far ahead of theirs."""
    start = draw(st.sampled_from(STARTS))
    steps = st.sampled_from(STEPS)
    drawn = draw(st.lists(st.tuples(steps, st.sampled_from(KINDS), sayings()), min_size=1, max_size=most))
    stream, now = [], start
    for step, kind, said in drawn:
        now = min(later(now, step), start + MOST_DAYS * DAY)
        stream.append(made_of(said, kind, now, log_times=log_times))
    return stream


@st.composite
def shuffled_within(
    draw: st.DrawFn, stream: Sequence[Made], lateness_ms: int, partitioning: Partitioning = TOGETHER
) -> list[Arrival]:
    """Arrival orders in which no record is more than the lateness behind the newest of its partition so far.

    Partitions may be days apart. A client's events of one moment stay in order, because then arrival decides.
    """
    waits = st.sampled_from([0, 0, 1, lateness_ms // 2, lateness_ms]) | st.integers(0, lateness_ms)
    skews = st.sampled_from([0, 0, HOUR, 2 * MOST_DAYS * DAY])
    skew = draw(st.lists(skews, min_size=partitioning.partitions, max_size=partitioning.partitions))
    drawn = draw(st.lists(waits, min_size=len(stream), max_size=len(stream)))
    arrivals = [Arrival(made, partitioning.of(made, place)) for place, made in enumerate(stream)]
    moments: dict[object, list[int]] = {}
    for place, (made, wait) in enumerate(zip(stream, drawn, strict=True)):
        moments.setdefault((made.client or place, made.at), []).append(wait)
    in_order = {moment: iter(sorted(waits)) for moment, waits in moments.items()}
    due = [
        made.at + next(in_order[made.client or place, made.at]) + skew[partition]
        for place, (made, partition) in enumerate(arrivals)
    ]
    return [arrivals[place] for place in sorted(range(len(stream)), key=due.__getitem__)]


def partitionings(n: int, *, keyed: bool = True) -> st.SearchStrategy[Partitioning]:
    """Ways to share clients out among `n` partitions, or where the input is not keyed their moments."""
    return st.builds(Partitioning, st.just(n), st.integers(0, 99), st.just(keyed))


def batchings(n: int) -> st.SearchStrategy[list[int]]:
    """Ways to cut `n` records into batches: the sizes of the batches."""
    cuts = st.sets(st.integers(1, n - 1)) if n > 1 else st.just(set())
    return cuts.map(lambda drawn: [end - start for start, end in pairwise(sorted({0, n} | drawn))])


def judged(arrivals: Sequence[Arrival]) -> list[JudgedRecord]:
    """What the oracle is given: the records as they arrived."""
    return [
        JudgedRecord(made.value, place, partition, made.log_time)
        for place, (made, partition) in enumerate(arrivals)
    ]
