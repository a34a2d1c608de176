"""Which day a command is about, as people name it: by its date, or as the latest one or yesterday."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

import click

from consumer.cli.exits import NotPossibleError
from reports.render.summary import newest_day

if TYPE_CHECKING:
    from collections.abc import Collection

    from consumer.core.days import Receipt

LATEST = "latest"
YESTERDAY = "yesterday"

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def day_or_word(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """The value itself when it names a day; else wrong usage."""
    if value is None or value in (LATEST, YESTERDAY) or is_date(value):
        return value
    raise click.BadParameter(f"{value!r} is no day: write YYYY-MM-DD, {YESTERDAY} or {LATEST}")


def chosen(day: str, receipts: Collection[Receipt]) -> Receipt:
    """The receipt of the day that was asked for. Raises NotPossibleError when there is none."""
    if not receipts:
        raise NotPossibleError("no day is known yet: `sluice run` has not seen any event")
    known = {receipt.day: receipt for receipt in receipts}
    if day == LATEST:
        newest = newest_day(list(receipts))
        if newest is None or newest.status == "open":
            raise NotPossibleError("no day is closed yet: name an open one by its date")
        return newest
    if day == YESTERDAY:
        day = (date.fromisoformat(max(known)) - timedelta(days=1)).isoformat()
    if day not in known:
        raise NotPossibleError(f"nothing is known of {day}: the days known are {min(known)} to {max(known)}")
    return known[day]


def is_date(text: str) -> bool:
    """Whether the text is a calendar day, YYYY-MM-DD."""
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False
