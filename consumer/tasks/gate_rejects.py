"""What a batch of the gate rejects: counted once, at its own minute or its stream's, and made into dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.instant import rfc3339
from consumer.core.record import NO_TIMESTAMP, Output
from consumer.core.rejection import cut_to_fit, dead_letter, surely_fits
from consumer.core.requeue import Counted, again
from consumer.core.timestamps import MINUTE_MS
from consumer.core.watermark import NO_LOG

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from consumer.core.contract import PurchaseRole
    from consumer.core.facts import Facts
    from consumer.core.purchases import PurchaseFact
    from consumer.core.record import Record
    from consumer.core.rejection import Rejection
    from consumer.core.watermark import StreamClock
    from consumer.tasks.gate_state import GateOptions
    from consumer.tasks.task import Moment, Tally


Rejected = tuple["Record", "Rejection", Counted]
"""A record with why it was rejected, and what the facts have of it."""


class Rejects:
    """Writes into a batch's facts and tally. `undated` are rejects that came before any event, by reason."""

    def __init__(self, facts: Facts, clock: StreamClock, tally: Tally, undated: dict[str, int]) -> None:
        self.undated = dict(undated)
        self._facts = facts
        self._clock = clock
        self._tally = tally
        self._rejected: list[Rejected] = []

    def reject(self, record: Record, rejection: Rejection, minute: int | None = None) -> None:
        """A record that is no event: counted at its own minute if it has one, else at its stream's time. One that was put
        back and fails again is counted already."""
        back = again(record.headers())
        if back is not None:
            self.put_aside(record, rejection, back.counted)
            return
        reason = str(rejection.reason)
        if minute is None:
            kind, log_ms = record.timestamp()
            if kind == NO_TIMESTAMP:
                log_ms = NO_LOG
            self._clock.log_goes_on(log_ms)
            guess = self._clock.arrived_ms(log_ms)
            minute = None if guess is None else guess // MINUTE_MS
        counts = self.undated if minute is None else self._facts.minute(minute).table("rejected")
        counts[reason] = counts.get(reason, 0) + 1
        self.put_aside(record, rejection, Counted(reason, minute))

    def reject_purchase(
        self,
        record: Record,
        rejection: Rejection,
        minute: int,
        fact: PurchaseFact | None,
        claimed: Decimal | None,
        lacks: tuple[PurchaseRole, ...],
    ) -> None:
        """A purchase that is invalid: its visit counts, and its fact (if it has one) is told. `claimed` is the revenue that
        it names, `lacks` what is noted as absent of what it must have."""
        facts, reason = self._facts.minute(minute), rejection.reason.value
        facts.note("rejected", reason)
        if claimed is not None:
            facts.claim(reason, claimed)
        contents = () if fact is None else (fact.content,)
        counted = Counted(reason, minute, visit=True, contents=contents, claimed=claimed, lacks=lacks)
        self.put_aside(record, rejection, counted)

    def put_aside(self, record: Record, rejection: Rejection, counted: Counted) -> None:
        """A record that becomes a dead letter; the facts know of it."""
        self._rejected.append((record, rejection, counted))
        reason = str(rejection.reason)
        self._tally.rejected[reason] = self._tally.rejected.get(reason, 0) + 1

    def take_back(self, counted: Counted, absent: Iterable[str] = ()) -> None:
        """An event that was put back passes: it is no rejected one any more, and `absent` is there."""
        if counted.minute is not None:
            self._facts.take_back(counted.minute, counted.reason, counted.claimed, absent)

    def date(self) -> None:
        """Counts what was waiting for a time, once there is one."""
        guess = self._clock.present_ms()
        if self.undated and guess is not None:
            rejected = self._facts.minute(guess // MINUTE_MS).table("rejected")
            for reason, count in self.undated.items():
                rejected[reason] = rejected.get(reason, 0) + count
            self.undated = {}

    def dead_letters(self, options: GateOptions, moment: Moment) -> list[Output]:
        """The rejected records as dead letters that fit their topic."""
        topic, most_bytes = options.dead_letter_topic, options.most_dead_letter_bytes
        at = rfc3339(moment.wall_ms)
        letters = []
        for record, rejection, counted in self._rejected:
            letter = dead_letter(topic, record, rejection, options.origin, at, counted)
            if not surely_fits(record, most_bytes):
                fitting = cut_to_fit(letter, most_bytes)
                self._tally.truncated += fitting is not letter
                letter = fitting
            letters.append(letter)
        return letters
