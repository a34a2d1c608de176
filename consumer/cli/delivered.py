"""What `sluice.days` and `sluice.alerts` hold now, for the commands that look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.cli.exits import NotPossibleError
from consumer.runtime.client_log import silent
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.delivered_topics import TailError, Topics
from consumer.runtime.kafka.read_all import read_all
from reports.deliver import Deliverer

if TYPE_CHECKING:
    from consumer.settings import Settings


def read_delivered(settings: Settings) -> Deliverer:
    """Everything that is known now. Raises NotPossibleError."""
    deliverer = Deliverer()
    topics = Topics(settings.topics.days, settings.topics.alerts)
    try:
        read_all(settings.kafka, topics, deliverer, SystemClock(), silent())
    except TailError as error:
        raise NotPossibleError(str(error)) from None
    return deliverer
