"""The dead letter as a value: why a record cannot be used, in words and in headers; its bytes stay unchanged.

Header names: Kafka Connect's where the meaning is equal (KIP-298), Snowplow's failed-event vocabulary for the
details (`failureType`, `errors[{message,path,keyword,targets,source}]`, `timestamp`, `componentName`,
`componentVersion`).
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from consumer.core.record import Headers, Output, Record
from consumer.core.requeue import ATTEMPTS, COUNTED, ORIGIN, Counted, again, counted_header


class Reason(StrEnum):
    """Why a record became a dead letter: a closed set, the same word in headers, metrics, facts and reports."""

    TOMBSTONE = "tombstone"
    EMPTY = "empty"
    TOO_BIG = "too_big"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_AN_OBJECT = "not_an_object"
    CUT_SHORT = "cut_short"
    TIMESTAMP_MISSING = "timestamp_missing"
    TIMESTAMP_INVALID = "timestamp_invalid"
    TIMESTAMP_AHEAD = "timestamp_ahead"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    EVENT_NAME_MISSING = "event_name_missing"
    PURCHASE_DATA = "purchase_data"
    PURCHASE_ID = "purchase_id"
    PURCHASE_REVENUE = "purchase_revenue"
    PURCHASE_ITEMS = "purchase_items"


UNPARSEABLE = frozenset(
    {
        Reason.TOMBSTONE,
        Reason.EMPTY,
        Reason.TOO_BIG,
        Reason.NOT_UTF8,
        Reason.NOT_JSON,
        Reason.TOO_DEEP,
        Reason.NOT_AN_OBJECT,
        Reason.CUT_SHORT,
    }
)
PURCHASE_INVALID = frozenset(
    {Reason.PURCHASE_DATA, Reason.PURCHASE_ID, Reason.PURCHASE_REVENUE, Reason.PURCHASE_ITEMS}
)
"""The reasons whose records still count as events: the visit happened, the purchase did not."""


class Rejection(NamedTuple):
    """One record's rejection: `path` is the JSONPath of the offending place, `keyword` the rule it broke."""

    reason: Reason
    message: str
    path: str = "$"
    keyword: str = ""


class Origin(NamedTuple):
    """Who rejected: the component's name and version as they stand in the headers."""

    component: str
    version: str


MOST_HEADER_BYTES = 4096
"""Our own headers stay below this, so that a dead letter of a record of the input's maximum size fits a topic
whose limit is 64 KiB larger."""

TRUNCATED = "sluice.truncated"
"""Header on a dead letter whose value was left out because it did not fit: its value is the original size."""

_OURS = ("__connect.errors.", "sluice.")
_OURS_EXACT = frozenset({"failureType", "errors", "timestamp", "componentName", "componentVersion"})


def is_ours(header: str) -> bool:
    """Whether a header name is one that a dead letter sets: replaced, never stacked, when it fails again."""
    return header.startswith(_OURS) or header in _OURS_EXACT


def dead_letter(
    topic: str, record: Record, rejection: Rejection, origin: Origin, at: str, counted: Counted | None = None
) -> Output:
    """The record as a dead letter: key, value and foreign headers unchanged, ours added.

    `at` is the wall-clock time of the rejection, RFC 3339; `counted` is what the facts have of it. The message and path
    are cut so that our headers stay under `MOST_HEADER_BYTES`. A record that was put back keeps its first origin.
    """
    before = record.headers() or []
    headers: Headers = [h for h in before if not is_ours(h[0])]
    headers += (
        ("__connect.errors.topic", record.topic().encode()),
        ("__connect.errors.partition", b"%d" % record.partition()),
        ("__connect.errors.offset", b"%d" % record.offset()),
        *_described(rejection, origin, at),
    )
    if (told := again(before)) is not None:
        headers += [(ORIGIN, str(told.origin).encode()), (ATTEMPTS, b"%d" % told.attempts)]
    if counted is not None:
        headers.append((COUNTED, counted_header(counted)))
    return Output(topic, record.value(), record.key(), headers)


@lru_cache(maxsize=256)
def _described(rejection: Rejection, origin: Origin, at: str) -> tuple[tuple[str, bytes], ...]:
    """The headers that say why, by whom and when: those of one batch are rejected for a few reasons only."""
    reason, message, path, keyword = rejection
    word = reason.value
    message, path = _cut(message[:500], 1_200), _cut(path[:200], 600)
    unparseable = reason in UNPARSEABLE
    errors = [
        {"message": message, "path": path, "keyword": keyword or word, "targets": [], "source": "contract"}
    ]
    return (
        ("__connect.errors.stage", b"VALUE_CONVERTER" if unparseable else b"TRANSFORMATION"),
        ("__connect.errors.exception.class.name", f"sluice.{word}".encode()),
        ("__connect.errors.exception.message", message.encode("utf-8", "replace")),
        ("failureType", b"ParsingError" if unparseable else b"ValidationError"),
        ("errors", msgspec.json.encode(errors)),
        ("timestamp", at.encode()),
        ("componentName", origin.component.encode()),
        ("componentVersion", origin.version.encode()),
        ("sluice.reason", word.encode()),
    )


def _cut(text: str, most_bytes: int) -> str:
    """The beginning of the text that takes at most so many bytes as JSON; raw it takes less."""
    if 6 * len(text) <= most_bytes:  # no character takes more
        return text
    while len(msgspec.json.encode(text)) > most_bytes + 2:
        text = text[: len(text) * 7 // 8]
    return text


def size(output: Output) -> int:
    """Upper bound of what a record takes on the wire, in bytes, uncompressed (format v2: at most 5 bytes for each
    length and about 70 for the batch it may have to itself)."""
    total = 100 + len(output.value or b"") + len(output.key or b"")
    for name, value in output.headers or []:
        total += 10 + len(name.encode()) + len(value or b"")
    return total


def surely_fits(record: Record, most_bytes: int) -> bool:
    """Whether the record's dead letter needs no counting to know that it fits: it has no headers but ours, which take less
    than twice `MOST_HEADER_BYTES` with what the format adds."""
    own = len(record.value() or b"") + len(record.key() or b"")
    return not record.headers() and own + 2 * MOST_HEADER_BYTES <= most_bytes


def cut_to_fit(letter: Output, most_bytes: int) -> Output:
    """The dead letter itself when it fits, else the same without its value and marked `sluice.truncated`; if even
    that is too large, without key and foreign headers as well. Origin and reason always stay: with them the record
    can be read again from the input topic."""
    if size(letter) <= most_bytes:
        return letter
    mark = (TRUNCATED, str(len(letter.value or b"")).encode())
    cut = letter._replace(value=None, headers=[*(letter.headers or []), mark])
    if size(cut) <= most_bytes:
        return cut
    return cut._replace(key=None, headers=[h for h in cut.headers or [] if is_ours(h[0])])
