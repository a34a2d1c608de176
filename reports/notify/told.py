"""What a receiver was told: the durable record that says what is still to be told after a restart or a takeover.

One record for each receiver and alert, and one for each receiver. It is written after a message was taken, so a
process that is killed in between sends that one message again, under the same id. What a pager is told of a beginning is
on record before as well: if the alert is over by the next start, its incident has to be ended all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from detectors.alerts import Severity

State = Literal["open", "acknowledged", "over"]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one receiver knows of one alert: its state and severity as told, a fingerprint of what was said (`content`),
    when it was last (`at_ms`) and first (`since_ms`, of this opening) told, how often, and under which key of the
    receiver's own (`thread`; empty = the alert's id). `unsure` = it was put on record before it was sent, and nobody knows
    whether it was taken."""

    state: State
    severity: Severity
    content: str
    at_ms: int
    since_ms: int
    times: int = 1
    thread: str = ""
    unsure: bool = False

    @property
    def live(self) -> bool:
        """Whether the receiver still takes the incident for one that stands."""
        return self.state != "over"


class Marker(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a receiver itself: since when it is told of things, and the date of its last digest."""

    since_ms: int
    digested: str = ""


@dataclass(slots=True)
class Knowledge:
    """All that one receiver was told; alerts by id."""

    marker: Marker | None = None
    told: dict[str, Told] = field(default_factory=dict)

    def join(self, other: Knowledge) -> None:
        """Takes over from another what is newer there, or not known here."""
        self.marker = max(
            (m for m in (self.marker, other.marker) if m), key=lambda m: m.digested, default=None
        )
        for alert_id, told in other.told.items():
            mine = self.told.get(alert_id)
            if mine is None or (mine.at_ms, not mine.unsure) < (told.at_ms, not told.unsure):
                self.told[alert_id] = told


_told = msgspec.json.Decoder(Told)
_marker = msgspec.json.Decoder(Marker)


def key_of(receiver: str, alert_id: str = "") -> bytes:
    """The record's key; without an alert, that of the receiver itself. A receiver's name has no slash."""
    return f"{receiver}/{alert_id}".encode()


def value_of(said: Told | Marker) -> bytes:
    """The record's value."""
    return msgspec.json.encode(said)


def take(known: dict[str, Knowledge], key: bytes | None, value: bytes | None) -> bool:
    """Takes a record in. False = it is none of ours, and is left out."""
    receiver, slash, alert_id = (key or b"").decode("utf-8", "replace").partition("/")
    if not receiver or not slash:
        return False
    knowledge = known.setdefault(receiver, Knowledge())
    try:
        if not alert_id:
            knowledge.marker = _marker.decode(value) if value else None
        elif value:
            knowledge.told[alert_id] = _told.decode(value)
        else:
            knowledge.told.pop(alert_id, None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
