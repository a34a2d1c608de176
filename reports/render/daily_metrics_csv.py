r"""`daily_metrics.csv`: one row per day, oldest first, for programs; the same receipts give the same bytes.

UTF-8, comma, "\n" line ends. A metric that is not measurable is empty, never 0; a quarantined day's row is in the
file, marked by `status`, so that whoever loads it decides by that column.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from consumer.core.money import two_decimals
from reports.render.escape import csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.days import Receipt

NAME = "daily_metrics.csv"

HEADER = (
    "day",
    "sessions",
    "purchases",
    "revenue",
    "conversion_rate",
    "direct_share",
    "status",
    "score",
    "events",
    "rejected",
    "replays",
    "late",
    "identity_missing_rate",
    "revision",
)


def render(receipts: Iterable[Receipt]) -> bytes:
    """The whole file. Raises ArithmeticError if a receipt's revenue is no number (`reports/deliver.py` keeps such
    a receipt out)."""
    rows = [HEADER, *(_row(receipt) for receipt in sorted(receipts, key=lambda receipt: receipt.day))]
    return "".join(",".join(csv_cell(cell) for cell in row) + "\n" for row in rows).encode()


def _row(receipt: Receipt) -> tuple[str, ...]:
    metrics, counts = receipt.metrics, receipt.counts
    return (
        receipt.day,
        _whole(metrics.sessions),
        _whole(metrics.purchases),
        "" if metrics.revenue is None else two_decimals(Decimal(metrics.revenue)),
        metrics.conversion_rate or "",
        metrics.direct_share or "",
        receipt.status,
        receipt.score,
        str(counts.events),
        str(counts.rejected),
        str(counts.replays),
        str(counts.late),
        receipt.identity_missing_rate or "",
        str(receipt.revision),
    )


def _whole(number: int | None) -> str:
    return "" if number is None else str(number)
