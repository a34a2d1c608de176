"""How numbers, times and statuses are said to people. Markdown and HTML say them alike."""

from __future__ import annotations

import re
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import reduce
from typing import TYPE_CHECKING

from consumer.core import timestamps
from consumer.core.instant import rfc3339
from consumer.core.money import add, two_decimals
from detectors.sentences import span
from reports.render.summary import FEWEST_DAYS, MetricLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.core.days import Receipt, Status

METRIC: dict[str, str] = {
    "sessions": "sessions",
    "purchases": "purchases",
    "revenue": "revenue",
    "conversion_rate": "conversion",
    "direct_share": "direct share",
}

STATUS: dict[Status, str] = {
    "open": "open",
    "pass": "pass",
    "at_risk": "at risk",
    "quarantined": "quarantined",
    "released": "released",
}

NOT_MEASURABLE = "not measurable"

NONE = "–"

REASON: dict[str, str] = {
    "tombstone": "record without a value",
    "empty": "empty record",
    "too_big": "too big to be read",
    "not_utf8": "not UTF-8",
    "not_json": "not JSON",
    "too_deep": "nested too deeply",
    "not_an_object": "JSON, but no object",
    "cut_short": "file cut short",
    "timestamp_missing": "no timestamp",
    "timestamp_invalid": "invalid timestamp",
    "timestamp_ahead": "timestamp in the future",
    "timestamp_too_old": "timestamp too old",
    "event_name_missing": "no event name",
    "purchase_data": "purchase without readable data",
    "purchase_id": "purchase without a transaction id",
    "purchase_revenue": "purchase without usable revenue",
    "purchase_items": "purchase without items",
    "transaction_collision": "transaction id with different contents",
}
"""Why something was not counted, in words; the last one is no dead letter."""

STATE: dict[str, str] = {
    "open": "open",
    "acknowledged": "acknowledged",
    "silenced": "silenced",
    "inhibited": "held back under its cause",
    "resolved": "over",
    "expired": "over",
}

_RATES = frozenset({"conversion_rate", "direct_share"})
_ROUNDING = Context(prec=80, rounding=ROUND_HALF_EVEN)
_TO_THE_MINUTE = 16
_DAYS = 2
_UTC = frozenset({"UTC", "Etc/UTC", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "Universal", "Etc/Universal"})
_AMOUNT = re.compile(r"-?\d{1,30}(\.\d{1,60})?", re.ASCII)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def headline(receipt: Receipt) -> str:
    """The verdict in one clause: what a reader may do with the day's numbers."""
    match receipt.status:
        case "open":
            return f"still open, so far {STATUS[receipt.verdict]}"
        case "pass":
            return "pass, its numbers can be used"
        case "at_risk":
            return "at risk, its numbers can be used with care"
        case "quarantined":
            return "quarantined, do not use its numbers"
        case "released":
            return "released by hand, its numbers can be used"


def amount(metric: str, value: Decimal | None) -> str:
    """A metric's value, as exact as people read it.

    >>> amount("sessions", Decimal(4070)), amount("revenue", Decimal("20408.5"))
    ('4,070', '20,408.50')
    >>> amount("conversion_rate", Decimal("0.023456")), amount("revenue", None)
    ('2.35 %', 'not measurable')
    """
    if value is None:
        return NOT_MEASURABLE
    if metric in _RATES:
        return f"{_rounded(value * 100, 2):,} %"
    if metric == "revenue":
        return f"{Decimal(two_decimals(value)):,}"
    return f"{value:,}" if value == value.to_integral_value() else f"{_rounded(value, 1):,}"


def change(line: MetricLine) -> str:
    """How far the value is from the usual one: in per cent, for shares in percentage points.

    >>> change(MetricLine("sessions", Decimal(90), Decimal(100)))
    '-10.0 %'
    >>> change(MetricLine("direct_share", Decimal("0.5"), Decimal("0.4")))
    '+10.00 points'
    >>> change(MetricLine("sessions", Decimal(100), Decimal("100.01")))
    '0.0 %'
    """
    return difference(line.metric, line.value, line.usual)


def difference(metric: str, value: Decimal | None, other: Decimal | None) -> str:
    """How far a metric's value is from another one; empty where that cannot be said."""
    if value is None or other is None:
        return ""
    if metric in _RATES:
        return f"{_signed(_rounded((value - other) * 100, 2))} points"
    if not other:
        return ""
    return f"{_signed(_rounded(_ROUNDING.divide((value - other) * 100, other), 1))} %"


def _signed(value: Decimal) -> str:
    """With its sign; nothing is neither more nor less."""
    return f"{value:+,}" if value else f"{abs(value):,}"


def usual(line: MetricLine) -> str:
    """The usual value and half of its band, or in words that there is none yet.

    >>> usual(MetricLine("sessions", Decimal(90), Decimal("100.6"), Decimal("12.25")))
    '101 ± 12'
    >>> usual(MetricLine("direct_share", Decimal("0.5"), Decimal("0.4"), Decimal("0.042")))
    '40.00 ± 4.20 %'
    >>> usual(MetricLine("sessions", Decimal(90), days=2)), usual(MetricLine("sessions", None, days=8))
    ('not yet (2 of 3 days)', '–')
    """
    if line.usual is None or line.spread is None:
        missing = f"not yet ({line.days} of {FEWEST_DAYS} days)"
        return missing if line.days < FEWEST_DAYS else NONE
    if line.metric in _RATES:
        return f"{_rounded(line.usual * 100, 2):,} ± {_rounded(line.spread * 100, 2):,} %"
    return f"{_rounded(line.usual, 0):,} ± {_rounded(line.spread, 0):,}"


def beside(line: MetricLine) -> str:
    """The usual value as a clause.

    >>> beside(MetricLine("sessions", Decimal(90), Decimal("100.6"), Decimal("12.25")))
    'usual 101 ± 12'
    >>> beside(MetricLine("sessions", Decimal(90), days=2)), beside(MetricLine("sessions", Decimal(90), days=8))
    ('no usual range yet (2 of 3 days)', 'no usual range: too few of the last days can be trusted')
    """
    if line.usual is not None and line.spread is not None:
        return f"usual {usual(line)}"
    if line.days < FEWEST_DAYS:
        return f"no usual range yet ({line.days} of {FEWEST_DAYS} days)"
    return "no usual range: too few of the last days can be trusted"


def band(line: MetricLine) -> str:
    """The band from its lowest to its highest value; empty where it is not known.

    >>> band(MetricLine("purchases", Decimal(9), Decimal(20), Decimal(9)))
    '11 to 29'
    """
    if line.band is None:
        return ""
    low, high = line.band
    if line.metric in _RATES:
        return f"{_rounded(low * 100, 2):,} to {_rounded(high * 100, 2):,} %"
    return f"{_rounded(low, 0):,} to {_rounded(high, 0):,}"


def share(part: int, whole: int) -> str:
    """A share in per cent with as many digits as tell something.

    >>> share(1, 3), share(1, 4000), share(1, 0)
    ('33 %', '0.025 %', '')
    """
    if whole <= 0:
        return ""
    percent = Decimal(part * 100) / Decimal(whole)
    digits = 0 if percent >= 10 or not percent % 1 else 1 if percent >= 1 else 3  # noqa: PLR2004 - about two that count
    return f"{_rounded(percent, digits):f} %"


def money(amount: str) -> str:
    """An exact amount (text) for people: two decimals; "–" if it is none.

    >>> money("1234.5"), money("much")
    ('1,234.50', '–')
    """
    return f"{Decimal(two_decimals(Decimal(amount))):,}" if _AMOUNT.fullmatch(amount) else NONE


def total(amounts: Iterable[str]) -> str:
    """The sum of exact amounts (texts), those that are none left out; empty if it is nothing.

    >>> total(["1.10", "2", "much"]), total([])
    ('3.10', '')
    """
    known = [Decimal(amount) for amount in amounts if _AMOUNT.fullmatch(amount)]
    added = reduce(add, known, Decimal(0))
    return f"{added:f}" if added else ""


def number(count: int) -> str:
    """A small number as a word.

    >>> number(5), number(12)
    ('five', '12')
    """
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else f"{count:,}"


def listed(names: Sequence[str]) -> str:
    """Several names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def weekday(day: str) -> str:
    """The weekday of a day (YYYY-MM-DD).

    >>> weekday("2025-02-28")
    'Friday'
    """
    return _WEEKDAYS[date.fromisoformat(day).weekday()]


def moment(at: str | None) -> str:
    """An RFC 3339 time to the minute, in UTC; whatever else the text is, it is an unknown time.

    >>> moment("2025-02-24T01:00:00.000Z"), moment(None)
    ('2025-02-24 01:00 UTC', 'unknown')
    """
    milliseconds = None if at is None else timestamps.parse(at)
    if milliseconds is None:
        return "unknown"
    return f"{rfc3339(milliseconds)[:_TO_THE_MINUTE].replace('T', ' ')} UTC"


def utc_aside(zone: str) -> str:
    """That the sentences of the rules name their times in UTC; empty where everything is."""
    return "" if zone in _UTC else " (but in UTC where the sentence of an alert says so)"


def state_of(moment: str, *, past: bool) -> str:
    """How far the state had come that a page shows; of a day in the `past`, what that means for its alerts."""
    return f"State of the data: {moment}{', so alerts tell also what came after this day' if past else ''}."


def length(minutes: int) -> str:
    """How long something took; of more than two days only the days.

    >>> length(7), length(185), length(29069)
    ('7 minutes', '3 hours 5 minutes', '20 days')
    """
    if minutes < _DAYS * 1440:
        return span(minutes)
    return many(round(minutes / 1440), "day", "days")


def many(count: int, one: str, more: str) -> str:
    """A count with its noun.

    >>> many(1, "day", "days"), many(1200, "day", "days")
    ('1 day', '1,200 days')
    """
    return f"{count:,} {one if count == 1 else more}"


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), context=_ROUNDING)
