"""A day's numbers as the oracle names them, from the watch's state and from the receipts that others read."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from consumer.core.days import Receipt
from tests.oracle import OracleDay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.core.daybook import Day
    from consumer.core.record import Output, StoredRecord

NOTHING = OracleDay()


def numbers_of_day(day: Day) -> OracleDay:
    """What the watch's state says of a day, as far as it does not depend on arrival."""
    return OracleDay(
        day.events,
        day.sessions,
        day.direct,
        day.purchases,
        day.revenue,
        day.replays,
        day.collisions,
        day.identity_missing,
        day.purchase_invalid,
    )


def numbers_of_receipt(receipt: Receipt) -> OracleDay:
    """What a receipt says of a day."""
    metrics, counts = receipt.metrics, receipt.counts
    return OracleDay(
        counts.events,
        metrics.sessions or 0,
        counts.direct_sessions,
        metrics.purchases or 0,
        Decimal(metrics.revenue or 0),
        counts.replays,
        counts.collisions,
        counts.identity_missing,
        counts.purchase_invalid,
    )


def expected(days: Mapping[str, OracleDay]) -> dict[str, OracleDay]:
    """The oracle's days with something in them, without what only arrival can tell."""
    trimmed = {
        day: OracleDay(
            **{**{name: getattr(it, name) for name in it.__dataclass_fields__}, "rejected_with_own_time": 0}
        )
        for day, it in days.items()
    }
    return {day: it for day, it in trimmed.items() if it != NOTHING}


def told(days: Mapping[str, Day]) -> dict[str, OracleDay]:
    """The watch's days with something in them."""
    numbers = {day: numbers_of_day(sums) for day, sums in days.items()}
    return {day: it for day, it in numbers.items() if it != NOTHING}


def rejected(days: Mapping[str, Day], waiting: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Dead letters by reason as the days have them, and those that still wait for a time to count at."""
    counts: Counter[str] = Counter()
    for reasons in [*(day.rejected for day in days.values()), *waiting]:
        counts.update(reasons)
    return counts


def latest_receipts(written: Iterable[StoredRecord | Output]) -> dict[str, Receipt]:
    """The last receipt of every day. A day's revision never goes back, and a closed day never opens again."""
    receipts: dict[str, Receipt] = {}
    for record in written:
        value = record.value if not callable(record.value) else record.value()
        receipt = msgspec.json.decode(value or b"", type=Receipt)
        before = receipts.get(receipt.day)
        if before is not None:
            assert receipt.revision >= before.revision
            assert before.status == "open" or receipt.status != "open"
        receipts[receipt.day] = receipt
    return receipts
