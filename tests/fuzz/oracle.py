"""What must hold whatever comes in: what a target raises when it does not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from consumer.core.rejection import TRUNCATED, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.record import Record
    from consumer.core.rejection import Rejection
    from consumer.tasks.gate_state import GateOptions
    from consumer.tasks.task import Decision

NUMBER = "fuzz.number"
"""The header by which a record is known again."""

MOST_SENTENCE = 2_000


class WrongError(AssertionError):
    """A promise that an input broke."""


def must(holds: bool, promise: str) -> None:  # noqa: FBT001 - it reads as an assertion
    """Raises `WrongError`."""
    if not holds:
        raise WrongError(promise)


def sentence(text: str) -> None:
    """An error is one line that a terminal can show, and not endless."""
    odd = [character for character in text if not character.isprintable()]
    must(not odd, f"an error holds what cannot be printed: {text[:300]!r}")
    must(0 < len(text) <= MOST_SENTENCE, f"an error of {len(text)} characters")


def conserved(
    records: Sequence[Record],
    unreadable: Sequence[tuple[Record, Rejection]],
    decision: Decision,
    options: GateOptions,
) -> None:
    """Every record either passed or is a dead letter, once, with its bytes unchanged and a reason of the closed set."""
    given = [*records, *(record for record, _ in unreadable)]
    seen: Counter[int] = Counter()
    for output in decision.outputs:
        if output.topic == options.facts_topic:
            continue
        headers = dict(output.headers or [])
        number = int(headers.get(NUMBER) or b"-1")
        seen[number] += 1
        must(0 <= number < len(given), f"an output is of no record: {number}")
        whole = TRUNCATED in headers or output.value == given[number].value()
        must(whole and output.key == given[number].key(), "an output's bytes are not its record's")
        if output.topic == options.dead_letter_topic:
            Reason((headers["sluice.reason"] or b"").decode())
            sentence((headers["__connect.errors.exception.message"] or b"").decode())
    must(
        seen == Counter(range(len(given))),
        f"of {len(given)} records came out, each once: {sorted(seen.elements())}",
    )
    letters = sum(output.topic == options.dead_letter_topic for output in decision.outputs)
    must(sum(decision.tally.rejected.values()) == letters, "dead letters are not what the tally says")
    must(decision.tally.records == len(records), "records are not what the tally says")
