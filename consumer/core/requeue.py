"""What a record that was put back says of itself: where it came from first, how often it was tried, what of it counts.

It says so in three headers, and its value ends in a line feed (white space, to JSON), so that the gate knows whose headers
to look at: to look at every record's would cost a sixth of the throughput.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

from consumer.core import money
from consumer.core.contract import PurchaseRole
from consumer.core.instant import LAST_MS
from consumer.core.timestamps import MINUTE_MS

if TYPE_CHECKING:
    from consumer.core.record import Headers

ORIGIN = "sluice.origin"
"""Header on records that were put back, and on their dead letters: `topic/partition/offset` of the first of them all."""

ATTEMPTS = "sluice.attempts"
"""Header beside it: how often the event was put back."""

COUNTED = "sluice.counted"
"""Header on dead letters, and on records that were put back: what is counted of the event (`Counted`, as JSON)."""

MARK = b"\n"
"""Ends the value of a record that was put back."""

MOST_CONTENTS = 16
"""Contents that a purchase is known under: one more each time that it fails again with another repair."""

_Content = Annotated[str, Meta(max_length=128)]
_MOST_ATTEMPTS = 1_000_000
_PLACE = re.compile(r"([\w.\-]{1,249})/(\d{1,10})/(\d{1,19})", re.ASCII)


class Place(NamedTuple):
    """Where a record stands; the identity of an event is the place where it stood first."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def read(cls, text: str) -> Place | None:
        """Of `topic/partition/offset`.

        >>> Place.read("events/3/42"), Place.read("events/3")
        (Place(topic='events', partition=3, offset=42), None)
        """
        found = _PLACE.fullmatch(text)
        return None if found is None else cls(found[1], int(found[2]), int(found[3]))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Counted(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the facts have of a rejected event, so that it is counted once however often it is tried.

    `reason` and `minute`: as what and at which event-minute the rejection was counted (None: not yet, no time was known).
    `visit`: whether it counts as an event of its session, as an invalid purchase does. `contents`: the fingerprints under
    which its purchase was told, `claimed` the revenue that it named. `lacks`: what its purchase was counted as lacking, of
    the three things without which none counts.

    Whoever may write events can write this header, too, so what is read is held within what we write.
    """

    reason: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,32}\Z")]
    minute: Annotated[int, Meta(ge=0, le=LAST_MS // MINUTE_MS)] | None = None
    visit: bool = False
    contents: Annotated[tuple[_Content, ...], Meta(max_length=MOST_CONTENTS)] = ()
    claimed: Decimal | None = None
    lacks: Annotated[tuple[PurchaseRole, ...], Meta(max_length=len(PurchaseRole))] = ()

    def told(self, content: str) -> Counted:
        """The same after its purchase was told with one more content."""
        contents = tuple(dict.fromkeys((*self.contents, content)))[-MOST_CONTENTS:]
        return msgspec.structs.replace(self, contents=contents)


class Again(NamedTuple):
    """What the headers of a record that was put back say."""

    origin: Place
    attempts: int
    counted: Counted


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Counted)


def again(headers: Headers | None) -> Again | None:
    """What the headers say; None if the record was not put back, or they are not as `headers_of` writes them."""
    if not headers:
        return None
    ours = {name: value for name, value in headers if name in (ORIGIN, ATTEMPTS, COUNTED)}
    origin = Place.read((ours.get(ORIGIN) or b"").decode("utf-8", "replace"))
    attempts, counted = number(ours.get(ATTEMPTS)), read_counted(ours.get(COUNTED))
    if origin is None or attempts is None or counted is None or not 0 < attempts <= _MOST_ATTEMPTS:
        return None
    return Again(origin, attempts, counted)


def headers_of(told: Again) -> Headers:
    """The three headers."""
    return [
        (ORIGIN, str(told.origin).encode()),
        (ATTEMPTS, b"%d" % told.attempts),
        (COUNTED, counted_header(told.counted)),
    ]


def counted_header(counted: Counted) -> bytes:
    """A header's value."""
    return _encode(counted)


def read_counted(value: bytes | None) -> Counted | None:
    """Of a header's value; None if it is none."""
    try:
        counted = _decoder.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return counted if counted.claimed is None or money.is_amount(counted.claimed) else None


def number(value: bytes | None) -> int | None:
    """A header's number, not negative; None if it is none."""
    return int(value) if value and len(value) <= 19 and value.isdigit() else None  # noqa: PLR2004 - 64 bits
