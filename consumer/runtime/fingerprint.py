"""What a process makes its numbers with, in a few characters: two that differ in it must not share one group."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.settings import Settings

Fingerprint = dict[str, str]
"""By name of what it is of, as people know it: `contract`, `[time]`, …"""

_SECTIONS = ("time", "sessions", "timestamps", "purchases", "watch", "topics")
_CHANGES_NO_NUMBER = {"topics": {"replication_factor", "notices", "requeued", "keyed"}}
_CHARACTERS = 8


def fingerprint(settings: Settings, contract: Contract) -> Fingerprint:
    """Of the contract as it is understood (comments and order do not matter), and of every section of the settings
    that changes numbers, verdicts or where they go. How fast they come is left out: batches, the log, the deliverer."""
    parts: dict[str, object] = {"contract": contract}
    for name in _SECTIONS:
        section = getattr(settings, name)
        parts[f"[{name}]"] = section.model_dump(exclude=_CHANGES_NO_NUMBER.get(name))
    if not settings.input.keyed:
        parts["[input]"] = settings.topics.keyed
    return {name: _hash(value) for name, value in parts.items()}


def _hash(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:_CHARACTERS]
