"""Whether a consumer is a member of its group, and how one with a name leaves it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from consumer.runtime.kafka.transaction import is_member

if TYPE_CHECKING:
    from confluent_kafka import Consumer

LEAVE_SECONDS = 3.0
"""How long leaving the group may take; a session's time later the group finds out by itself."""


def joined(consumer: Consumer) -> bool:
    """Whether the group has taken it in."""
    return is_member(bytes(consumer.consumer_group_metadata()))


def leave(consumer: Consumer) -> None:
    """For good: a member with a name does not leave by closing, as one does that may come back. Raises what the client
    raises."""
    deadline = time.monotonic() + LEAVE_SECONDS
    consumer.unsubscribe()
    while joined(consumer) and time.monotonic() < deadline:
        consumer.poll(0.05)
