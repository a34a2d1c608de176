"""`days.ndjson`: every day's receipt, one JSON object a line, oldest first: what `sluice.days` holds, for whoever has no
Kafka at hand. `sluice report --from` reads it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.days import Receipt

NAME = "days.ndjson"


def render(receipts: Iterable[Receipt]) -> bytes:
    """The whole file."""
    ordered = sorted(receipts, key=lambda receipt: receipt.day)
    return b"".join(msgspec.json.encode(receipt) + b"\n" for receipt in ordered)
