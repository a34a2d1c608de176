"""The batch oracle: what every daily number has to be, found without any of the product's own code.

Two steps. Here each record's value is read into flat columns, by the rules for JSON, RFC 3339, URLs and money;
`oracle.sql` then does all of the counting over all records at once, knowing neither batches nor partitions nor state.

Beyond it, on purpose: whatever depends on arrival (`late`, `score`, the day of a rejected record that has no time of
its own) and the product's limits (size, nesting, memory of transaction ids, oldest day, digits of a number).
A client in several partitions is one client here: the product says that such an input is not keyed.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import duckdb
from publicsuffixlist import PublicSuffixList

if TYPE_CHECKING:
    from collections.abc import Sequence

# fmt: off
CAMPAIGN_PARAMETERS = frozenset({
    "gclid", "gbraid", "wbraid", "gad_source", "dclid", "gclsrc", "fbclid", "msclkid", "ttclid", "twclid",
    "li_fat_id", "yclid", "epik", "irclickid", "irgwc", "iradid", "im_ref", "clickid", "click_id", "affid",
    "sfdr_ptcid", "sfdr_hash", "sscid", "awc", "cto_pld",
})
# fmt: on
CAMPAIGN_PREFIX = "utm_"

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
EXACT = Context(prec=100)

TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):([0-5]\d|60)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
ABSOLUTE_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?(\[[^]/?#]*]|[^]@:/?#[]*)(?::\d*)?(?![^/?#])"
)
SUFFIXES = PublicSuffixList()


class JudgedRecord(NamedTuple):
    """A record as the oracle sees it. `arrival` orders a client's events of equal time; `log_time` is Kafka's
    timestamp of the record in milliseconds."""

    value: bytes | None
    arrival: int
    partition: int = 0
    log_time: int | None = None


@dataclass(frozen=True)
class OracleDay:
    """The numbers of one day that do not depend on arrival.

    `collisions` counts the events of collided ids, `purchase_invalid` the invalid ones, collided or not;
    `rejected_with_own_time` the dead letters that belong to the day by their own time: invalid purchases and events
    without a name.
    """

    events: int = 0
    sessions: int = 0
    direct_sessions: int = 0
    purchases: int = 0
    revenue: Decimal = Decimal(0)
    replays: int = 0
    collisions: int = 0
    identity_missing: int = 0
    purchase_invalid: int = 0
    rejected_with_own_time: int = 0

    @property
    def conversion_rate(self) -> str | None:
        """Purchases per session with six decimals; None without sessions."""
        return six_decimals(self.purchases, self.sessions)

    @property
    def direct_share(self) -> str | None:
        """Direct sessions per session with six decimals; None without sessions."""
        return six_decimals(self.direct_sessions, self.sessions)


class Columns(NamedTuple):
    """One record, flat: a row of `records` in `oracle.sql`, where each column is explained."""

    arrival: int
    log_time: int | None
    unusable: str | None
    ts: int | None = None
    day: str | None = None
    event_name: str | None = None
    client: str | None = None
    external_referrer: bool | None = None
    campaign: bool | None = None
    payload: str | None = None
    transaction: str | None = None
    whole: int | None = None
    fraction: str | None = None
    items: int | None = None


PurchaseColumns = tuple[str | None, str | None, int | None, str | None, int | None]
"""The last five of them: payload, transaction, whole, fraction, items."""


class Integer(Decimal):
    """A JSON number written without fraction and exponent."""


def judge(
    records: Sequence[JudgedRecord],
    *,
    zone: str = "UTC",
    gap_minutes: int = 30,
    own_domains: Sequence[str] = (),
    max_ahead_hours: int = 24,
) -> dict[str, OracleDay]:
    """The numbers of every day (YYYY-MM-DD in `zone`) that anything is counted for."""
    rows = [columns(record, ZoneInfo(zone), own_domains) for record in records]
    return days_in(filled(rows, gap_minutes, max_ahead_hours))


def dead_letters(
    records: Sequence[JudgedRecord], *, zone: str = "UTC", max_ahead_hours: int = 24
) -> dict[str, int]:
    """How many records are dead letters for each reason (the words of `consumer.core.rejection.Reason`)."""
    rows = [columns(record, ZoneInfo(zone), ()) for record in records]
    database = filled(rows, gap_minutes=30, max_ahead_hours=max_ahead_hours)
    return dict(database.execute("SELECT * FROM dead_letters").fetchall())


def six_decimals(part: int, whole: int) -> str | None:
    """part / whole, rounded half to even; None where there is no whole."""
    if not whole:
        return None
    return f"{Decimal(round(Fraction(part * 10**6, whole))).scaleb(-6):f}"


@cache
def empty_database() -> duckdb.DuckDBPyConnection:
    """The tables and views of `oracle.sql`, made once a process."""
    database = duckdb.connect(":memory:", config={"threads": 1})
    database.execute(Path(__file__).with_name("oracle.sql").read_text(encoding="utf-8"))
    return database


def filled(rows: Sequence[Columns], gap_minutes: int, max_ahead_hours: int) -> duckdb.DuckDBPyConnection:
    """The database with these records, and no others, in it."""
    database = emptied(gap_minutes, max_ahead_hours)
    add(database, rows)
    return database


def emptied(gap_minutes: int = 30, max_ahead_hours: int = 24) -> duckdb.DuckDBPyConnection:
    """The database without any record."""
    database = empty_database()
    database.execute("TRUNCATE records")
    database.execute(f"SET VARIABLE gap_ms = {gap_minutes * 60_000:d}")
    database.execute(f"SET VARIABLE max_ahead_ms = {max_ahead_hours * 3_600_000:d}")
    return database


def add(database: duckdb.DuckDBPyConnection, rows: Sequence[Columns]) -> None:
    """Puts these records into it as well."""
    if rows:
        by_column = dict(zip(Columns._fields, map(list, zip(*rows, strict=True)), strict=True))
        lists = ", ".join(f"unnest(${name})" for name in Columns._fields)
        database.execute(f"INSERT INTO records SELECT {lists}", by_column)


def days_in(database: duckdb.DuckDBPyConnection) -> dict[str, OracleDay]:
    """The numbers of every day that the records in it come to."""
    found = database.execute("SELECT * FROM days").fetchall()
    return {
        day: OracleDay(events, sessions, direct, purchases, EXACT.add(Decimal(whole), fraction), *others)
        for day, events, sessions, direct, purchases, whole, fraction, *others in found
    }


# -- from bytes to columns ---------------------------------------------------------------------------------------


def columns(record: JudgedRecord, zone: tzinfo, own_domains: Sequence[str]) -> Columns:
    """What the record's value says; a field of a wrong type says nothing."""
    event = object_in(record.value)
    if isinstance(event, str):
        return Columns(record.arrival, record.log_time, unusable=event)
    written = text(event.get("timestamp"))
    if written is None:
        return Columns(record.arrival, record.log_time, unusable="timestamp_missing")
    ts = moment(written)
    day = None if ts is None else day_of(ts, zone)
    if day is None:
        return Columns(record.arrival, record.log_time, unusable="timestamp_invalid")
    page_url, referrer = text(event.get("page_url")) or "", text(event.get("referrer")) or ""
    return Columns(
        record.arrival,
        record.log_time,
        None,
        ts,
        day,
        text(event.get("event_name")),
        said(event.get("client_id")) or said(event.get("clientId")),
        is_external(referrer, page_url, own_domains),
        has_campaign(page_url),
        *purchase_columns(event.get("event_data")),
    )


def object_in(value: bytes | None) -> dict[str, object] | str:
    """The JSON object that the bytes hold, or the reason why there is none."""
    if value is None:
        return "tombstone"
    if not value:
        return "empty"
    try:
        parsed = json_value(value.decode("utf-8"))
    except UnicodeDecodeError:
        return "not_utf8"
    except ValueError:
        return "not_json"
    return parsed if isinstance(parsed, dict) else "not_an_object"


def json_value(written: str) -> object:
    """Strict JSON with exact numbers; of equal keys the last wins. ValueError for anything else."""
    return json.loads(
        written, parse_int=Integer, parse_float=Decimal, parse_constant=refused, object_pairs_hook=members
    )


def refused(constant: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(constant)


def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object; ValueError for half of a surrogate pair, which no text can hold."""
    json.dumps(pairs, ensure_ascii=False, default=str).encode("utf-8")
    return dict(pairs)


def text(value: object) -> str | None:
    """The value if it is a text."""
    return value if isinstance(value, str) else None


def said(value: object) -> str | None:
    """The value if it is a text that is neither empty nor only white space."""
    return value if isinstance(value, str) and value.strip() else None


# -- time --------------------------------------------------------------------------------------------------------


def moment(written: str) -> int | None:
    """Milliseconds since the epoch of an RFC 3339 timestamp, finer digits dropped; None if it is not one.

    A leap second exists at the end of a UTC day and counts as that day's last millisecond.
    """
    match = TIMESTAMP.fullmatch(written)
    if match is None:
        return None
    *digits, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, digits)
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    zone = timezone(-offset if sign == "-" else offset)
    try:
        start = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        return None
    whole_seconds = (start - EPOCH) // MILLISECOND
    if second < 60:
        return whole_seconds + int((fraction or "").ljust(3, "0")[:3])
    return whole_seconds + 999 if (whole_seconds + 1000) % DAY_MS == 0 else None


def day_of(ts: int, zone: tzinfo) -> str | None:
    """The calendar day of a moment; None outside the years 1 to 9999."""
    try:
        return (EPOCH + ts * MILLISECOND).astimezone(zone).date().isoformat()
    except OverflowError:
        return None


# -- attribution -------------------------------------------------------------------------------------------------


def host_of(url: str) -> str:
    """The lower-case host of an absolute URL, without user, port and final dot; empty if there is none."""
    match = ABSOLUTE_URL.match(url)
    return match[1].lower().removesuffix(".") if match else ""


def registrable(host: str) -> str:
    """The domain that its owner registered; the host itself where there is none (an address, `localhost`)."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return SUFFIXES.privatesuffix(host) or host
    return host


def is_external(referrer: str, page_url: str, own_domains: Sequence[str]) -> bool:
    """Whether the referrer names a host of somebody else."""
    host = host_of(referrer)
    if not host or any(f".{host}".endswith(f".{own.lower()}") for own in own_domains):
        return False
    return registrable(host) != registrable(host_of(page_url))


def has_campaign(page_url: str) -> bool:
    """Whether the query of the URL has a campaign parameter, whatever its value."""
    query = page_url.partition("#")[0].partition("?")[2]
    names = [unquote(parameter.partition("=")[0]).lower() for parameter in query.split("&")]
    return any(name in CAMPAIGN_PARAMETERS or name.startswith(CAMPAIGN_PREFIX) for name in names)


# -- purchases ---------------------------------------------------------------------------------------------------


def purchase_columns(event_data: object) -> PurchaseColumns:
    """What event_data says; nothing at all where it holds no object."""
    data = bought(event_data)
    if data is None:
        return None, None, None, None, None
    transaction, items = data.get("transaction_id"), data.get("items")
    whole, fraction = amount(data.get("revenue"))
    return (
        content({key: value for key, value in data.items() if key != "transaction_id"}),
        str(transaction) if isinstance(transaction, Integer) else said(transaction),
        whole,
        fraction,
        len(items) if isinstance(items, list) else None,
    )


def bought(event_data: object) -> dict[str, object] | None:
    """The object that event_data is, or holds as JSON text."""
    if isinstance(event_data, str):
        try:
            event_data = json_value(event_data)
        except ValueError:
            return None
    return event_data if isinstance(event_data, dict) else None


def content(value: object) -> str:
    """A text that is equal exactly where two JSON values are: without key order, white space, ways to write numbers."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{content(value[key])}" for key in sorted(value)) + "}"
        case list():
            return "[" + ",".join(map(content, value)) + "]"
        case Decimal():
            digits, exponent = scientific(value)
            return f"{digits}e{exponent}"
    return json.dumps(value)


def scientific(number: Decimal) -> tuple[str, int]:
    """The one (digits, exponent) of a number whose digits do not end in zero; ("0", 0) for zero."""
    sign, digits, exponent = number.as_tuple()
    shortest = "".join(map(str, digits)).rstrip("0")
    if not shortest:
        return "0", 0
    return "-" * sign + shortest, int(exponent) + len(digits) - len(shortest)


def amount(revenue: object) -> tuple[int | None, str | None]:
    """A JSON number below 10^15 with at most 30 decimals, split at its point; nothing for anything else."""
    if not isinstance(revenue, Decimal) or revenue.copy_abs() >= 10**15 or scientific(revenue)[1] < -30:
        return None, None
    whole = int(revenue)
    return whole, f"{EXACT.subtract(revenue, whole):f}"
