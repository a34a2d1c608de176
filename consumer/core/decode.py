"""Bytes to an event's fields, or why not.

An event is decoded once into a plain dict. Which of the contract's fields it has, lacks, or has with another type
is asked of its *shape* (its keys and the types of their values), not of the event: shapes repeat, so all of that is
worked out once a shape and costs an event one look-up.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.core.contract import Contract, Field, JsonType, Role
from consumer.core.identifier import MOST_ID, MOST_NAME, shortened, told
from consumer.core.rejection import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_EVENT_BYTES = 1_048_576
"""A larger event is a dead letter (`too_big`): Kafka's own default limit for a message is about the same."""

MOST_DEPTH = 300
"""A value that is nested deeper is a dead letter (`too_deep`). How deep Python itself could read, and hash what it read,
differs from one version to the next."""

SURELY_USUAL = 2 * MOST_DEPTH
"""JSON with no more bytes is neither too big nor too deep."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)
decode_fast: Callable[[bytes | None], Any] = _decoder.decode  # type: ignore[assignment]  # None raises TypeError
"""JSON bytes to Python values, decimals exact. Raises `DECODE_ERRORS` where it takes `explain` to say more."""

DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation, TypeError)


def decode(value: bytes | str | None) -> Any | Rejection:
    """The JSON value of the bytes, or a `Rejection` that says what is wrong with them. Never raises."""
    error = None
    if value and not beyond_limits(value):
        try:
            return _decoder.decode(value)
        except DECODE_ERRORS as raised:
            error = raised
    return explain(value, error)


def beyond_limits(value: bytes | str) -> bool:
    """Whether the value is larger, or nested deeper, than is read.

    >>> beyond_limits(b"[" * 300 + b"]" * 300), beyond_limits(b"[" * 301 + b"]" * 301), beyond_limits(b"[]" * 301)
    (False, True, False)
    """
    return len(value) > MOST_EVENT_BYTES or _too_deep(value)


_TOO_DEEP = Rejection(Reason.TOO_DEEP, f"the value is nested deeper than {MOST_DEPTH}")
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_ALL_ELSE = bytes(byte for byte in range(256) if byte not in _STEP)


def _too_deep(value: bytes | str) -> bool:
    """Of anything, JSON or not: how brackets are nested outside of texts."""
    brackets, braces = (
        (value.count("["), value.count("{"))
        if isinstance(value, str)
        else (value.count(b"["), value.count(b"{"))
    )
    if brackets + braces <= MOST_DEPTH:
        return False
    raw = value.encode(errors="surrogatepass") if isinstance(value, str) else value
    steps = map(_STEP.__getitem__, _TEXT.sub(b"", raw).translate(None, _ALL_ELSE))
    return any(depth > MOST_DEPTH for depth in accumulate(steps))


def explain(value: bytes | str | None, error: Exception | None = None) -> Any | Rejection:
    """What `decode` answers for a value that is none, too large, or of which `decode_fast` raised the error."""
    if value is None:
        return Rejection(Reason.TOMBSTONE, "the record has no value (a tombstone)")
    if not value:
        return Rejection(Reason.EMPTY, "the value is empty")
    if len(value) > MOST_EVENT_BYTES:
        return Rejection(
            Reason.TOO_BIG, f"the value has {len(value)} bytes, at most {MOST_EVENT_BYTES} are read"
        )
    if isinstance(error, RecursionError) or _too_deep(value):
        return _TOO_DEEP
    if isinstance(error, UnicodeDecodeError):
        return Rejection(Reason.NOT_UTF8, f"the value is not UTF-8: {error.reason}")
    if isinstance(error, msgspec.ValidationError | InvalidOperation):
        return _decode_huge_numbers(value)
    return _not_json(value, str(error))


def _not_json(value: bytes | str, sentence: str) -> Rejection:
    """Why no JSON could be read: bytes that are no UTF-8, wherever they stand, are said to be just that."""
    try:
        _ = value if isinstance(value, str) else value.decode()
    except UnicodeDecodeError as error:
        return Rejection(Reason.NOT_UTF8, f"the value is not UTF-8: {error.reason}")
    return Rejection(Reason.NOT_JSON, sentence)


def _decode_huge_numbers(value: bytes | str) -> Any | Rejection:
    """The slow way, for JSON whose numbers are beyond any machine's: they become exact decimals or infinity."""
    try:
        text = value if isinstance(value, str) else value.decode()
        decoded = json.loads(text, parse_int=_huge_int, parse_float=_huge, parse_constant=_no_constant)
        msgspec.json.encode(decoded)  # lone surrogates do not survive this
    except UnicodeDecodeError as error:
        return Rejection(Reason.NOT_UTF8, f"the value is not UTF-8: {error.reason}")
    except RecursionError:
        return _TOO_DEEP
    except ValueError as error:
        return Rejection(Reason.NOT_JSON, f"the value is not JSON: {error}"[:200])
    return decoded


_MOST_DIGITS = 4_300
"""Python's own limit for an int's text, and so msgspec's."""


def _huge_int(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MOST_DIGITS else _huge(digits)


def _huge(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Decimal("Infinity")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Shape:
    """What the contract says of all events with the same keys and value types.

    `identity` lists the keys that may hold the client's id, in order of preference; the other keys name where a role
    is filled with a value of the right type (None = missing or of another type). The tuples hold
    names of contract fields (`unknown`: of keys that the contract does not know, cut to 64 characters, at most 20).
    """

    __slots__ = (
        "absent", "aliased", "event_data", "event_name", "identity", "notes", "null", "page_url", "read", "referrer",
        "retyped", "timestamp", "unknown", "user_agent",
    )  # fmt: skip

    def __init__(self) -> None:
        self.identity: tuple[str, ...] = ()
        self.timestamp: str | None = None
        self.event_name: str | None = None
        self.page_url: str | None = None
        self.referrer: str | None = None
        self.event_data: str | None = None
        self.user_agent: str | None = None
        self.null: tuple[str, ...] = ()
        self.absent: tuple[str, ...] = ()
        self.retyped: tuple[str, ...] = ()
        self.unknown: tuple[str, ...] = ()
        self.aliased: tuple[str, ...] = ()
        self.notes: tuple[tuple[str, str], ...] = ()
        """(which of the tuples above, the name in it) for all of them in one."""
        self.read: tuple[str | None, ...] = ()
        """The keys of `READ`, in its order."""


_JSON_TYPES: dict[type, frozenset[JsonType]] = {
    str: frozenset({"string"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    Decimal: frozenset({"number"}),
    dict: frozenset({"object"}),
    list: frozenset({"array"}),
}

USER_AGENT = "user_agent"
"""The contract field in which a client names itself, if it has one of this name."""

READ = (
    *(
        role.value
        for role in (Role.TIMESTAMP, Role.EVENT_NAME, Role.PAGE_URL, Role.REFERRER, Role.EVENT_DATA)
    ),
    USER_AGENT,
)
"""What is read of an event beside its identity."""

MOST_UNKNOWN = 20
MOST_SHAPES = 16_384
_MOST_KEYS = 64


class Shapes:
    """All shapes seen lately, by `(*event, *map(type, event.values()))`."""

    def __init__(self, contract: Contract) -> None:
        self._fields = contract.fields
        self._known = known_names(contract.fields)
        self._roles: dict[Role, Field] = {f.role: f for f in contract.fields if f.role is not None}
        self.by_signature: dict[tuple[Any, ...], Shape] = {}
        self._alike: dict[tuple[Any, ...], Shape] = {}

    def forget_if_many(self) -> bool:
        """Keeps memory bounded; whether all was forgotten. To be called between batches only, since what was one shape is
        then another."""
        many = len(self._alike) > MOST_SHAPES or len(self.by_signature) > MOST_SHAPES
        if many:
            self.by_signature.clear()
            self._alike.clear()
        return many

    def of(self, event: dict[str, Any]) -> Shape:
        """The shape of an event."""
        return self.by_signature.get((*event, *map(type, event.values()))) or self.learn(event)

    def learn(self, event: dict[str, Any]) -> Shape:
        """The shape of an event whose signature is not in `by_signature` yet."""
        shape = self._describe(event)
        if len(event) <= _MOST_KEYS and all(len(key) <= MOST_NAME for key in event):
            self.by_signature[(*event, *map(type, event.values()))] = shape
        return shape

    def _describe(self, event: dict[str, Any]) -> Shape:
        null: list[str] = []
        absent: list[str] = []
        retyped: list[str] = []
        aliased: list[str] = []
        usable: dict[str, list[str]] = {}
        for field in self._fields:
            present = [name for name in (field.name, *field.aliases) if name in event]
            usable[field.name] = right = [n for n in present if fits(event[n], field)]
            aliased += [name for name in present if name != field.name]
            if right:
                continue
            if not present:
                absent.append(field.name)
            elif all(event[name] is None for name in present):
                null.append(field.name)
            else:
                retyped.append(field.name)
        unknown = unknown_names(event, self._known)
        keys = {role: tuple(usable[field.name]) for role, field in self._roles.items()}
        user_agent = next(iter(usable.get(USER_AGENT, ())), None)
        alike = (tuple(keys.items()), user_agent, *map(tuple, (null, absent, retyped, unknown, aliased)))
        shape = self._alike.get(alike)
        if shape is None:
            shape = self._alike[alike] = Shape()
            shape.identity, shape.user_agent = keys.get(Role.IDENTITY, ()), user_agent
            for name in READ[:-1]:
                setattr(shape, name, next(iter(keys.get(Role(name), ())), None))
            shape.null, shape.absent, shape.retyped = tuple(null), tuple(absent), tuple(retyped)
            shape.unknown, shape.aliased = tuple(unknown), tuple(aliased)
            shape.read = tuple(getattr(shape, name) for name in READ)
            tuples = ("null", "absent", "retyped", "aliased", "unknown")
            shape.notes = tuple((which, name) for which in tuples for name in getattr(shape, which))
        return shape


def client_of(event: dict[str, Any], shape: Shape) -> str | None:
    """The client that an event of this shape names, as state is kept by it; None if it names none. The gate's hot path
    has it once more, written out for a plain event: a test holds them together."""
    for key in shape.identity:
        client: str = event[key]
        if client and not client.isspace():
            return client if len(client) <= MOST_ID else shortened(client)
    return None


def known_names(fields: tuple[Field, ...]) -> frozenset[str]:
    """All names under which the fields may stand."""
    return frozenset(name for field in fields for name in (field.name, *field.aliases))


def unknown_names(value: dict[str, Any], known: frozenset[str]) -> list[str]:
    """The keys that are not among the known ones, in order, cut to 64 characters, at most 20."""
    return sorted({told(key) for key in value if key not in known})[:MOST_UNKNOWN]


def fits(value: object, field: Field) -> bool:
    """Whether the value has one of the field's types; null has none."""
    return not field.types.isdisjoint(_JSON_TYPES.get(type(value), frozenset()))
