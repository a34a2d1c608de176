"""Why an event cannot be used for its timestamp or its name, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.contract import Role
from consumer.core.instant import rfc3339
from consumer.core.rejection import Reason, Rejection

if TYPE_CHECKING:
    from consumer.core.decode import Shape
    from consumer.tasks.gate_state import GateOptions

FAR_FROM_STREAM = frozenset({Reason.TIMESTAMP_AHEAD, Reason.TIMESTAMP_TOO_OLD})
"""Reasons that compare an event's time with other times: its stream's, the log's, or the earliest that there can be."""


class Unusable:
    """Says what is wrong with an event, by the names that the contract gives its time and its name."""

    def __init__(self, options: GateOptions) -> None:
        self._options = options
        self._timestamp = timestamp = _name(options, Role.TIMESTAMP, "timestamp")
        self._path = f"$.{timestamp}"
        self._missing, self._null, self._no_text = (
            Rejection(Reason.TIMESTAMP_MISSING, f"{timestamp} {how}", self._path, "required")
            for how in ("is missing", "is null", "is no text")
        )
        self._invalid = Rejection(
            Reason.TIMESTAMP_INVALID,
            f"{timestamp} is no RFC 3339 timestamp with a zone",
            self._path,
            "format",
        )

    def why(self, shape: Shape, at_ms: int | None, log_ms: int, now_ms: int) -> Rejection:
        """Of an event that was found to be unusable for one of these: its time by itself, its name, or its time beside
        its stream's (`now_ms`)."""
        timestamp, path, options = self._timestamp, self._path, self._options
        if shape.timestamp is None:
            if timestamp in shape.absent:
                return self._missing
            return self._null if timestamp in shape.null else self._no_text
        if at_ms is None:
            return self._invalid
        if at_ms < options.earliest_ms:
            earliest = rfc3339(options.earliest_ms)[:10]
            return Rejection(Reason.TIMESTAMP_TOO_OLD, f"{timestamp} is before {earliest}", path, "minimum")
        if at_ms > log_ms + options.max_ahead_ms:
            return Rejection(
                Reason.TIMESTAMP_AHEAD, f"{timestamp} is too far beyond the log's clock", path, "maximum"
            )
        if shape.event_name is None:
            name = _name(options, Role.EVENT_NAME, "event_name")
            return Rejection(
                Reason.EVENT_NAME_MISSING, f"{name} is missing or no text", f"$.{name}", "required"
            )
        if at_ms > now_ms:
            return Rejection(
                Reason.TIMESTAMP_AHEAD, f"{timestamp} is too far ahead of its stream", path, "maximum"
            )
        return Rejection(
            Reason.TIMESTAMP_TOO_OLD, f"{timestamp} is too far behind its stream", path, "minimum"
        )


def _name(options: GateOptions, role: Role, default: str) -> str:
    return next((field.name for field in options.contract.fields if field.role == role), default)
