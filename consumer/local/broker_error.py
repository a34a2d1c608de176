"""What went wrong with the embedded Kafka, for the person in front of it."""

from __future__ import annotations


class BrokerError(Exception):
    """The embedded Kafka cannot be had; the message is one sentence that says why and, where possible, what helps."""
