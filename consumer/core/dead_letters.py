"""Dead letters as they lie in their topic: what each says of itself, and what has become of its event since.

An event is known by the place where it stood first (`Letter.first`): each time it is put back and fails again there is
one more dead letter of it, with one more attempt.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consumer.core import json_text
from consumer.core.rejection import PURCHASE_INVALID, TRUNCATED, UNPARSEABLE
from consumer.core.requeue import ATTEMPTS, COUNTED, ORIGIN, Counted, Place, number, read_counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.core.record import Record


class Outcome(StrEnum):
    """What has become of a dead letter's event."""

    OPEN = "open"
    WAITING = "waiting"
    RECOVERED = "recovered"
    FAILED_AGAIN = "failed_again"
    UNRECOVERABLE = "unrecoverable"


MEANINGS = {
    Outcome.OPEN: "nobody has put it back",
    Outcome.WAITING: "it was put back, and the gate has not read it yet",
    Outcome.RECOVERED: "it was put back, and passed",
    Outcome.FAILED_AGAIN: "it was put back, and is a dead letter again (another one, further on)",
    Outcome.UNRECOVERABLE: "no repair can make an event of what is there",
}


class Letter(NamedTuple):
    """A dead letter. `place` is where its record stood, `first` where its event stood before anybody put it back;
    `at_ms` is when it was rejected, by the wall clock; `truncated` tells that its value was left out."""

    record: Record
    place: Place
    first: Place
    attempts: int
    reason: str
    message: str
    path: str
    at_ms: int
    counted: Counted
    truncated: bool

    @property
    def is_hopeless(self) -> bool:
        """Whether no repair can make an event of it: its value was left out, or is no JSON object."""
        if self.truncated:
            return True
        return self.reason in UNPARSEABLE and not _is_object(self.record.value() or b"")


def _is_object(value: bytes) -> bool:
    """Whether it is an object, or would be one if a field with what JSON has no word for were taken out."""
    try:
        text = value.decode()
        return text[json_text.whole(text).start] == "{"
    except (UnicodeDecodeError, json_text.TextError):
        return False


class _Error(msgspec.Struct):
    message: str = ""
    path: str = "$"


_errors = msgspec.json.Decoder(list[_Error])


def read_letter(record: Record) -> Letter | None:
    """What a record of the dead letter topic says; None if it is no dead letter of ours."""
    headers = {name: value for name, value in record.headers() or [] if value is not None}
    reason = _text(headers.get("sluice.reason"))
    partition, offset = (number(headers.get(f"__connect.errors.{name}")) for name in ("partition", "offset"))
    if not reason or partition is None or offset is None:
        return None
    place = Place(_text(headers.get("__connect.errors.topic")), partition, offset)
    first, attempts = Place.read(_text(headers.get(ORIGIN))), number(headers.get(ATTEMPTS))
    again = first is not None and attempts
    counted = read_counted(headers.get(COUNTED)) or Counted(reason, visit=reason in PURCHASE_INVALID)
    error = _error(headers.get("errors"))
    return Letter(
        record,
        place,
        first if first is not None and again else place,
        attempts if attempts and again else 0,
        reason,
        error.message,
        error.path,
        record.timestamp()[1],
        counted,
        TRUNCATED in headers,
    )


def _error(value: bytes | None) -> _Error:
    try:
        return next(iter(_errors.decode(value or b"")), _Error())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Error()


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


class PutBack(msgspec.Struct, frozen=True, omit_defaults=True):
    """On record that an event was put back: the value of a record whose key is the event's first place.

    `attempts`: how often by now. `place`: where it stands in the input since. `first` and `sent` are hashes of the first
    dead letter and of the last one's, by which a topic that was made anew under the same name is told from this one.
    """

    attempts: int
    place: str
    at: str
    by: str
    first: str
    sent: str
    repairs: list[str] = []
    version: int = 1


_put_back = msgspec.json.Decoder(PutBack)


def read_put_back(value: bytes | None) -> PutBack | None:
    """Of a record's value; None if it is none, or was taken back."""
    try:
        return _put_back.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def digest(record: Record) -> str:
    """A hash of a record's key and value."""
    key, value = record.key(), record.value()
    sizes = b"%d %d " % (-1 if key is None else len(key), -1 if value is None else len(value))
    return hashlib.blake2b(sizes + (key or b"") + (value or b""), digest_size=12).hexdigest()


class History:
    """What is on record of events that were put back, and which of them came back as dead letters.

    `read_to`: the group's offsets by topic and partition. They must have been asked for before the dead letters were read
    to their ends: then an event below them that has no dead letter has passed.
    """

    def __init__(self, put_back: Mapping[Place, PutBack], read_to: Mapping[tuple[str, int], int]) -> None:
        self._put_back = put_back
        self._read_to = read_to
        self._newest: dict[Place, int] = {}

    def concerns(self, letter: Letter) -> bool:
        """Whether the letter's event was ever put back."""
        return letter.attempts > 0 or letter.first in self._put_back

    def see(self, letter: Letter) -> None:
        """Takes note of a dead letter: to be told of all of those that `concerns` names before `outcome` is asked."""
        if letter.attempts:
            self._newest[letter.first] = max(self._newest.get(letter.first, 0), letter.attempts)

    def last(self, letter: Letter) -> PutBack | None:
        """How its event was put back last, after this dead letter; None if it was not."""
        told = self._put_back.get(letter.first)
        if told is None or told.attempts <= letter.attempts or self._is_of_others(letter, told):
            return None
        return told

    def outcome(self, letter: Letter) -> Outcome:
        """What has become of it."""
        told = self._put_back.get(letter.first)
        if told is None or not self._is_of_others(letter, told):
            if self._newest.get(letter.first, 0) > letter.attempts:
                return Outcome.FAILED_AGAIN
            if told is not None and told.attempts > letter.attempts:
                return Outcome.RECOVERED if self.is_read(told) else Outcome.WAITING
        return Outcome.UNRECOVERABLE if letter.is_hopeless else Outcome.OPEN

    @staticmethod
    def _is_of_others(letter: Letter, told: PutBack) -> bool:
        """Whether the record is about another event, which stood at that place before the topic was made anew."""
        if letter.attempts == 0:
            return told.first != digest(letter.record)
        return letter.attempts == told.attempts - 1 and told.sent != digest(letter.record)

    def is_read(self, told: PutBack) -> bool:
        """Whether the gate has read past where the event was put back."""
        place = Place.read(told.place)
        return place is not None and self._read_to.get((place.topic, place.partition), -1) > place.offset
