"""How numbers, times and statuses are said to people. Markdown and HTML say them alike."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING

from consumer.core import timestamps
from consumer.core.instant import rfc3339
from consumer.core.money import two_decimals
from reports.render.summary import FEWEST_DAYS, MetricLine

if TYPE_CHECKING:
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

_RATES = frozenset({"conversion_rate", "direct_share"})
_ROUNDING = Context(prec=80, rounding=ROUND_HALF_EVEN)
_TO_THE_MINUTE = 16


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

    >>> change(MetricLine("sessions", Decimal(90), Decimal(100), 7))
    '-10.0 %'
    >>> change(MetricLine("direct_share", Decimal("0.5"), Decimal("0.4"), 7))
    '+10.00 points'
    """
    if line.value is None or line.usual is None:
        return ""
    if line.metric in _RATES:
        return f"{_rounded((line.value - line.usual) * 100, 2):+,} points"
    if not line.usual:
        return ""
    return f"{_rounded(_ROUNDING.divide((line.value - line.usual) * 100, line.usual), 1):+,} %"


def usual(line: MetricLine) -> str:
    """The usual value, or in words that there is none yet."""
    if line.usual is None:
        return f"no baseline yet ({line.days} of {FEWEST_DAYS} days)"
    return amount(line.metric, line.usual)


def moment(at: str | None) -> str:
    """An RFC 3339 time to the minute, in UTC; whatever else the text is, it is an unknown time.

    >>> moment("2025-02-24T01:00:00.000Z"), moment(None)
    ('2025-02-24 01:00 UTC', 'unknown')
    """
    milliseconds = None if at is None else timestamps.parse(at)
    if milliseconds is None:
        return "unknown"
    return f"{rfc3339(milliseconds)[:_TO_THE_MINUTE].replace('T', ' ')} UTC"


def many(count: int, one: str, more: str) -> str:
    """A count with its noun.

    >>> many(1, "day", "days"), many(1200, "day", "days")
    ('1 day', '1,200 days')
    """
    return f"{count:,} {one if count == 1 else more}"


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), context=_ROUNDING)
