"""Dead letters on their way back: repaired, judged by the gate's own code, and put where they stood, on record.

dead letter ─▶ repairs ─▶ would it pass? ─▶ the event again, in its partition, with its origin
                                        └─▶ the record that it was put back
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from consumer.core.contract import Role
from consumer.core.dead_letters import PutBack, digest, read_letter
from consumer.core.decode import decode
from consumer.core.json_text import TextError
from consumer.core.record import Output, StoredRecord
from consumer.core.rejection import is_ours
from consumer.core.repairs import repaired
from consumer.core.requeue import MARK, Again, Place, headers_of
from consumer.core.timestamps import parse
from consumer.tasks.keyer import KeyerTask
from consumer.tasks.task import Moment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from consumer.core.contract import Contract
    from consumer.core.dead_letters import Letter
    from consumer.core.repairs import Repair
    from consumer.tasks.gate import GateTask
    from consumer.tasks.keyer import KeyerOptions


class Refused(NamedTuple):
    """A dead letter that cannot go back as it is asked, and why, in words without any value."""

    letter: Letter
    why: str


class Candidate(NamedTuple):
    """A dead letter with the record that would go back for it."""

    letter: Letter
    output: Output

    @property
    def value(self) -> bytes:
        """The event as it would go back."""
        return self.output.value or b""


class Verdict(NamedTuple):
    """What the gate would make of a candidate: the reason for which it would be rejected, empty where it would pass."""

    candidate: Candidate
    reason: str
    message: str = ""


def prepare(letter: Letter, repairs: Sequence[Repair], contract: Contract, topic: str) -> Candidate | Refused:
    """The record that would go back to the topic: repaired, in its old partition, with its origin.

    An event whose visit counts already (an invalid purchase) keeps its time and its name: only its data can be repaired.
    """
    if letter.place.topic != topic:
        return Refused(letter, f"it is of another topic than {topic}")
    value = letter.record.value() or b""
    try:
        done = repaired(value, repairs)
    except TextError as error:
        return Refused(letter, f"it cannot be repaired: {error}")
    if done.misfits:
        return Refused(letter, done.misfits[0])
    if letter.counted.visit and _standing(contract, value) != _standing(contract, done.value):
        return Refused(letter, "its visit is counted already: its time and its name must stay")
    headers = [header for header in letter.record.headers() or [] if not is_ours(header[0])]
    headers += headers_of(Again(letter.first, letter.attempts + 1, letter.counted))
    new = done.value if done.value.endswith(MARK) else done.value + MARK
    return Candidate(letter, Output(topic, new, letter.record.key(), headers, letter.place.partition))


def _standing(contract: Contract, value: bytes) -> list[object]:
    """What an event says of its time and of what it is."""
    event = decode(value)
    names = [
        (field.name, *field.aliases)
        for field in contract.fields
        if field.role in (Role.TIMESTAMP, Role.EVENT_NAME)
    ]
    return [_first_text(event, some) for some in names] if isinstance(event, dict) else []


def _first_text(event: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((event[name] for name in names if isinstance(event.get(name), str)), None)


def time_of(contract: Contract, value: bytes) -> int | None:
    """The time that an event names, in milliseconds since the epoch; None if it names none."""
    event = decode(value)
    names = next(((f.name, *f.aliases) for f in contract.fields if f.role is Role.TIMESTAMP), ())
    text = _first_text(event, names) if isinstance(event, dict) else None
    return None if text is None else parse(text)


class Keying(NamedTuple):
    """Where the input is not keyed: what a keyer is told, and how many partitions the keyed topic has."""

    options: KeyerOptions
    partitions: int


def judge(
    gates: Mapping[int, GateTask],
    candidates: Sequence[Candidate],
    wall_ms: int,
    dead_letter_topic: str,
    there: Collection[int] | None = None,
    keying: Keying | None = None,
) -> list[Verdict]:
    """What the gates, as they stand, would make of the candidates if these came now. Changes nothing.

    `there`: the input's partitions (None: those of the gates). A candidate of another one would never be read: that is
    its reason.
    """
    reasons: dict[int, tuple[str, str]] = {}
    by_partition: dict[int, list[StoredRecord]] = {}
    for number, candidate in enumerate(candidates):
        partition = candidate.letter.place.partition
        if partition not in (gates if there is None else there):
            reasons[number] = ("no_partition", "its partition is gone")
            continue
        record = _record(candidate.output, number, wall_ms)
        if keying is not None:
            partition, record = _keyed(record, keying, wall_ms)
        by_partition.setdefault(partition, []).append(record)
    for partition, records in by_partition.items():
        decision = gates[partition].decide(records, Moment(wall_ms, len(records)))
        for output in decision.outputs:
            letter = read_letter(_record(output, 0, wall_ms)) if output.topic == dead_letter_topic else None
            if letter is not None:
                reasons[letter.place.offset] = (letter.reason, letter.message)
    return [Verdict(candidate, *reasons.get(number, ("", ""))) for number, candidate in enumerate(candidates)]


def _keyed(record: StoredRecord, keying: Keying, wall_ms: int) -> tuple[int, StoredRecord]:
    """The record as a keyer would pass it on, and to which gate."""
    keyer = KeyerTask(record.partition(), keying.options)
    passed = keyer.decide([record], Moment(wall_ms, 1, keyed_partitions=keying.partitions)).outputs[0]
    return passed.partition or 0, _record(passed, 0, wall_ms)


def _record(output: Output, offset: int, wall_ms: int) -> StoredRecord:
    """An output as it will be read; its offset tells which of the candidates it is."""
    return StoredRecord(
        output.value,
        output.key,
        topic=output.topic,
        partition=output.partition or 0,
        offset=offset,
        timestamp_ms=wall_ms,
        headers=output.headers,
    )


def on_record(
    topic: str,
    candidate: Candidate,
    offset: int,
    told: PutBack | None,
    by: str,
    at: str,
    repairs: Sequence[Repair],
) -> Output:
    """The record that a candidate was put back, where it stands at `offset` now; `told` is the one before."""
    letter = candidate.letter
    place = Place(candidate.output.topic, letter.place.partition, offset)
    sent = digest(letter.record)
    first = sent if letter.attempts == 0 or told is None else told.first
    words = [str(repair)[:200] for repair in repairs][:50]
    value = PutBack(letter.attempts + 1, str(place), at, by[:100], first, sent, words)
    return Output(topic, msgspec.json.encode(value), str(letter.first).encode(), None, 0)
