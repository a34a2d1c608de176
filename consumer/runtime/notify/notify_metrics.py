"""The numbers about receivers for Prometheus: labels are the receivers of the settings and closed sets of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from consumer.runtime.notify.outcome import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.runtime.metric_definitions import Definitions
    from consumer.runtime.notify.outcome import Outcome
    from reports.notify.message import Message

About = Literal["opened", "updated", "over", "summary", "digest", "standing"]
Beat = Literal["sent", "failed", "withheld"]


class NotifyMetrics:
    """Adds its metrics to those of the process."""

    def __init__(self, new: Definitions, receivers: Sequence[str]) -> None:
        self._sent = new.counter(
            "notifications",
            "Messages that receivers of alerts took, by what they were about.",
            receiver=receivers,
            about=get_args(About),
        )
        self._failures = new.counter(
            "notification_failures",
            "Tries to send a message that failed, by reason; each is tried again.",
            receiver=receivers,
            reason=[failure.value for failure in Failure],
        )
        self._waiting = new.gauge(
            "notifications_waiting",
            "Changes of alerts that a receiver should have been told of by now.",
            receiver=receivers,
        )
        self._last = new.gauge(
            "notification_last_success_timestamp_seconds",
            "When a receiver last took a message (Unix time); 0 = not since the start.",
            receiver=receivers,
        )
        self._failing = new.gauge(
            "notification_failing", "1 = the last try to reach the receiver failed.", receiver=receivers
        )
        self._beats = new.counter(
            "heartbeats",
            "Signs of life for a dead man's switch by how they ended; withheld = nobody could be alerted.",
            outcome=get_args(Beat),
        )

    def sent(self, receiver: str, message: Message, at_ms: int) -> None:
        """A message was taken."""
        self._sent.labels(receiver, about(message)).inc()
        self._last.labels(receiver).set(at_ms / 1000)
        self._failing.labels(receiver).set(0)

    def failed(self, receiver: str, outcome: Outcome) -> None:
        """A try failed."""
        reason = outcome.failure or Failure.UNKNOWN
        self._failures.labels(receiver, reason.value).inc()
        self._failing.labels(receiver).set(1)

    def waiting(self, receiver: str, due: int) -> None:
        """So much is due and not told yet."""
        self._waiting.labels(receiver).set(due)

    def beat(self, outcome: Beat) -> None:
        """A sign of life was sent, or not."""
        self._beats.labels(outcome).inc()


def about(message: Message) -> About:
    """What a message is about, in one word of the metric."""
    match message.kind:
        case "many":
            return "summary"
        case "digest" | "standing":
            return message.kind
        case _:
            events = {change.event for change in message.changes}
            if message.action == "resolve" or events == {"resolved"}:
                return "over"
            return "opened" if "opened" in events else "updated"
