"""Times as an operator writes them, as click's callbacks: a moment, a length, a day. Another text is wrong usage."""

from __future__ import annotations

import re
from datetime import date

import click

from consumer.core import timestamps

_LENGTH = re.compile(r"(\d{1,5})([mhd])", re.ASCII)
_UNITS_MS = {"m": timestamps.MINUTE_MS, "h": 60 * timestamps.MINUTE_MS, "d": timestamps.DAY_MS}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOST_MS = 366 * timestamps.DAY_MS


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """RFC 3339 as milliseconds since the epoch."""
    ms = None if value is None else timestamps.parse(value)
    if value is not None and ms is None:
        raise click.BadParameter(f"{value!r} is no time: write RFC 3339, such as 2025-02-24T09:00:00Z")
    return ms


def length(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Minutes, hours or days, a year at most, as milliseconds."""
    if value is None:
        return None
    match = _LENGTH.fullmatch(value)
    ms = int(match[1]) * _UNITS_MS[match[2]] if match else 0
    if not 0 < ms <= _MOST_MS:
        raise click.BadParameter(f"{value!r} is no length up to a year: write 30m, 2h or 3d")
    return ms


def day(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """A calendar day as it is written."""
    if value is None or (_DAY.fullmatch(value) and _is_date(value)):
        return value
    raise click.BadParameter(f"{value!r} is no day: write YYYY-MM-DD")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
