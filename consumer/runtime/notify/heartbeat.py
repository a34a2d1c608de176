"""A sign of life for a dead man's switch: as long as it comes, an alert would reach somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.runtime.notify.deadline import Deadline
from consumer.runtime.notify.web import Address, request

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from consumer.runtime.clock import Clock
    from consumer.runtime.logs import Logger
    from consumer.runtime.notify.notify_metrics import NotifyMetrics

TIMEOUT_SECONDS = 15.0


class Heartbeat:
    """Asks an address every `interval_seconds`, unless `withheld` says why not: in a few words, or None = this process
    does not deliver, so it has nothing to say."""

    def __init__(
        self,
        url: str,
        interval_seconds: float,
        withheld: Callable[[], str | None],
        metrics: NotifyMetrics,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._address = Address(url, timeout_seconds=TIMEOUT_SECONDS)
        self._interval_seconds = interval_seconds
        self._withheld = withheld
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._deadline = Deadline("heartbeat", TIMEOUT_SECONDS)
        self._trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Beats until `stop` is set."""
        while not stop.is_set():
            self.beat()
            stop.wait(self._interval_seconds)

    def beat(self) -> None:
        """One sign of life, if there is one to give."""
        why_not = self._withheld()
        if why_not is None:
            return
        if why_not:
            self._metrics.beat("withheld")
            self._tell(f"withheld: {why_not}")
            return
        outcome = self._deadline.run(lambda: request("GET", self._address, self._clock.now_ms()))
        self._metrics.beat("failed" if outcome.failure else "sent")
        self._tell(outcome.said)

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            self._log.warning("no heartbeat", reason=trouble)
        elif self._trouble and not trouble:
            self._log.info("the heartbeat goes on")
        self._trouble = trouble
