"""`alerts.json`: every alert known, with its whole state, for programs; the same state gives the same bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.core import timestamps
from consumer.core.instant import rfc3339
from detectors.alerts import Alert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.days import Receipt

NAME = "alerts.json"

SCHEMA_VERSION = 1

_NOT_ASCII = re.compile(r"[^\x20-\x7e\n]")


class AlertsFile(msgspec.Struct, frozen=True):
    """The file's three fields, in the order in which they stand in it."""

    schema_version: int
    generated_at: str | None
    alerts: list[Alert]


def render(alerts: Iterable[Alert], generated_at: str | None) -> bytes:
    r"""The whole file: alerts by `opened_at`, then `id`; two spaces of indentation, so that a diff names the field.

    Characters that cannot be printed stand as `\uXXXX`: the same JSON, but harmless in a terminal.
    """
    ordered = sorted(alerts, key=lambda alert: (alert.opened_at, alert.id))
    text = msgspec.json.format(_encode(AlertsFile(SCHEMA_VERSION, generated_at, ordered)), indent=2).decode()
    return _NOT_ASCII.sub(_escaped, text).encode() + b"\n"


def generated_at(receipts: Iterable[Receipt], alerts: Iterable[Alert]) -> str | None:
    """The newest time that the data knows: how far the numbers had come, RFC 3339 UTC with milliseconds.

    Deliberately no wall clock. The file is a function of `sluice.days` and `sluice.alerts`: a restart, a second
    process or a `rollup` next year writes the same bytes for the same state, so an unchanged file is not written
    again and a changed one means changed data. When it was written is the file's own modification time.
    Alerts count too: a silence is known at a minute that no event reached. None = nothing is known yet.
    """
    known = [at for receipt in receipts for at in (receipt.watermark, receipt.closed_at)]
    known += [at for alert in alerts for at in (alert.opened_at, alert.resolved_at)]
    times = [ms for at in known if at is not None and (ms := timestamps.parse(at)) is not None]
    return rfc3339(max(times)) if times else None


def _encode(file: AlertsFile) -> bytes:
    try:
        return msgspec.json.encode(file, order="deterministic")
    except UnicodeEncodeError:  # half a surrogate pair in a text: JSON from Kafka cannot hold one, memory can
        return msgspec.json.encode(_well_formed(msgspec.to_builtins(file)), order="deterministic")


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return value


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
