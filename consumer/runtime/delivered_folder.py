"""A folder that `sluice backfill` wrote, read back: its days and alerts as `sluice.days` and `sluice.alerts` would tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.runtime import dead_letter_file
from reports.deliver import Deliverer
from reports.render import alerts_json, days_ndjson
from reports.render.source import Source

if TYPE_CHECKING:
    from pathlib import Path


class FolderError(Exception):
    """The folder cannot be read back, said in one sentence."""


class _Alerts(msgspec.Struct):
    schema_version: int
    alerts: list[msgspec.Raw]


class _Id(msgspec.Struct):
    id: str


class _Day(msgspec.Struct):
    day: str


def read_folder(folder: Path) -> Deliverer:
    """Everything that the folder holds; a record in it that is none of ours is counted in `unusable`.

    Raises FolderError.
    """
    letters = (folder / dead_letter_file.NAME).exists()
    deliverer = Deliverer(Source.FILES if letters else Source.LEFTOVERS)
    days = _bytes(folder, days_ndjson.NAME)
    alerts = _bytes(folder, alerts_json.NAME)
    for line in days.splitlines():
        deliverer.see_day(_name(line, _Day, "day"), line)
    try:
        known = msgspec.json.decode(alerts, type=_Alerts).alerts
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FolderError(f"{folder / alerts_json.NAME} cannot be read: {error}") from None
    for alert in known:
        deliverer.see_alert(_name(bytes(alert), _Id, "id"), bytes(alert))
    return deliverer


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        sentence = f"{folder} has no {name}: name a folder that `sluice backfill` wrote"
        raise FolderError(sentence) from None
    except OSError as error:
        raise FolderError(f"{folder / name} cannot be read: {error.strerror or error}") from None


def _name(value: bytes, kind: type[_Day | _Id], field: str) -> bytes:
    """The record's key; nothing where it has none, so that the deliverer leaves it out."""
    try:
        name: str = getattr(msgspec.json.decode(value, type=kind), field)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b""
    return name.encode("utf-8", "replace")
