"""One receiver's thread: plans, sends, puts on record, and waits. A receiver that is away holds up nobody else.

There is no queue that could overflow or grow stale: what is to be sent is planned anew before each try, from the latest
alerts and from what was told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reports.notify.backoff import pause_seconds
from reports.notify.hearing import Noticed, Situation
from reports.notify.message import Pace
from reports.notify.told import Knowledge, Marker, key_of, value_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from consumer.runtime.clock import Clock
    from consumer.runtime.logs import Logger
    from consumer.runtime.notify.board import Board, Shown
    from consumer.runtime.notify.channels import Channel
    from consumer.runtime.notify.outcome import Outcome
    from reports.notify.message import Message, Plan
    from reports.notify.told import Told

LONGEST_WAIT_SECONDS = 60.0
"""Then it plans again in any case: the wall clock may have been set."""

BREATH_SECONDS = 0.2
"""Between two plans: alerts may change with every batch, and nobody needs to hear of it that soon."""

AHEAD_SECONDS = 3.0
"""How long a page waits for its place on record. While the broker is away it goes out without."""

LAST_SECONDS = 5.0
"""For what is due at the end of the process; the rest is sent by the next one."""


class Keeper(Protocol):
    """Who puts on record what was told."""

    def __call__(self, records: Mapping[bytes, bytes], *, wait_seconds: float = 0) -> None:
        """To be written, by key; waits at most so long until it is."""
        ...


class Meter(Protocol):
    """Who counts."""

    def sent(self, receiver: str, message: Message, at_ms: int) -> None:
        """A message was taken."""
        ...

    def failed(self, receiver: str, outcome: Outcome) -> None:
        """A try failed."""
        ...

    def waiting(self, receiver: str, due: int) -> None:
        """So much is due and not told yet."""
        ...


class Worker:
    """`chance` gives random numbers from 0 to 1."""

    def __init__(
        self,
        channel: Channel,
        board: Board,
        record: Keeper,
        meter: Meter,
        clock: Clock,
        log: Logger,
        chance: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._name = channel.policy.receiver
        self._board = board
        self._record = record
        self._meter = meter
        self._clock = clock
        self._log = log.bind(receiver=self._name)
        self._chance = chance
        self._term = 0
        self._knowledge = Knowledge()
        self._noticed: dict[str, Noticed] = {}
        self._pace = Pace()
        self._failures = 0
        self._plain = False
        self._retry_at = 0.0
        self._said = ""

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; what is due then is still tried for a few seconds."""
        while not stop.is_set():
            version, shown = self._board.look()
            wait = self._safe_turn(shown) if shown is not None else LONGEST_WAIT_SECONDS
            if wait > 0:
                self._board.wait(version, wait)
                stop.wait(BREATH_SECONDS)
        until = self._clock.monotonic() + LAST_SECONDS
        _, shown = self._board.look()
        while shown is not None and self._clock.monotonic() < until and self._safe_turn(shown) == 0:
            pass

    def _safe_turn(self, shown: Shown) -> float:
        """A turn that never raises: an alert that cannot be planned must not silence the receiver for good."""
        try:
            return self._turn(shown)
        except Exception as error:  # noqa: BLE001 - see above
            self._log.error("planning failed, trying again", error=error)
            return LONGEST_WAIT_SECONDS

    def _turn(self, shown: Shown) -> float:
        """Sends one message if one is due. Seconds to wait before the next turn; 0 = there may be more."""
        if shown.term != self._term:
            self._take_over(shown)
        now_ms = self._clock.now_ms()
        situation = Situation(shown.alerts, self._knowledge, self._noticed, now_ms, shown.receipts)
        plan = self._channel.plan(self._channel.policy, situation, self._pace)
        self._noticed = plan.noticed
        self._meter.waiting(self._name, plan.due)
        if plan.message is None:
            return self._until(plan, now_ms)
        patience = self._retry_at - self._clock.monotonic()
        if patience > 0:
            return min(patience, LONGEST_WAIT_SECONDS)
        return self._try(plan.message)

    def _take_over(self, shown: Shown) -> None:
        """Begins with what is on record, and with what this process told by itself just now."""
        self._knowledge.join(shown.knowledge.get(self._name, Knowledge()))
        self._noticed, self._pace, self._term = {}, Pace(), shown.term
        if self._knowledge.marker is None:
            self._knowledge.marker = Marker(self._clock.now_ms())
            self._record({key_of(self._name): value_of(self._knowledge.marker)})

    def _until(self, plan: Plan, now_ms: int) -> float:
        if plan.wake_ms is None:
            return LONGEST_WAIT_SECONDS
        return min(max((plan.wake_ms - now_ms) / 1000, 0.001), LONGEST_WAIT_SECONDS)

    def _try(self, message: Message) -> float:
        if message.ahead:
            self._knowledge.told.update(message.ahead)
            self._record(self._records(message.ahead), wait_seconds=AHEAD_SECONDS)
        outcome = self._channel.send(message, plain=self._plain)
        if outcome.failure is not None:
            self._failed(outcome)
            return min(self._retry_at - self._clock.monotonic(), LONGEST_WAIT_SECONDS)
        self._taken(message, outcome)
        return 0

    def _taken(self, message: Message, outcome: Outcome) -> None:
        now_ms = self._clock.now_ms()
        self._knowledge.told.update(message.records)
        records = self._records(message.records)
        if message.marker is not None:
            self._knowledge.marker = message.marker
            records[key_of(self._name)] = value_of(message.marker)
        if records:
            self._record(records)
        self._pace = self._pace.after(message, now_ms)
        self._meter.sent(self._name, message, now_ms)
        if self._failures:
            self._log.info("alerts reach the receiver again", failures=self._failures)
        if outcome.said and outcome.said != self._said:
            self._log.warning("the receiver took a message in part", reason=outcome.said)
        self._said = outcome.said
        self._failures, self._plain, self._retry_at = 0, False, 0.0

    def _records(self, told: Mapping[str, Told]) -> dict[bytes, bytes]:
        return {key_of(self._name, alert_id): value_of(one) for alert_id, one in told.items()}

    def _failed(self, outcome: Outcome) -> None:
        self._failures += 1
        self._meter.failed(self._name, outcome)
        # a server that refuses this very message may take a simpler one; if it does not, the other is tried again
        self._plain = outcome.is_about_the_message and not self._plain
        pause = pause_seconds(self._failures, self._chance(), outcome.asked_seconds)
        self._retry_at = self._clock.monotonic() + pause
        if outcome.said != self._said:
            self._log.warning(
                "alerts do not reach the receiver, trying again", reason=outcome.said, kind=outcome.failure
            )
        self._said = outcome.said
