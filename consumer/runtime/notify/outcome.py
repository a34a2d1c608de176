"""How one try to send a message ended. Nothing that a receiver's server does is an exception to whoever tries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """Why a message was not taken; the closed set of a metric's label."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    TLS = "tls"
    PROTOCOL = "protocol"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"
    SERVER_ERROR = "server_error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`failure` None = the message was taken. `said` is for people and holds no secret. `asked_seconds` is how long the
    server wants to be left alone."""

    failure: Failure | None = None
    said: str = ""
    asked_seconds: float | None = None

    @property
    def is_about_the_message(self) -> bool:
        """Whether another form of the same message may be taken."""
        return self.failure in (Failure.REFUSED, Failure.UNKNOWN)


TAKEN = Outcome()
