"""Bytes to an event and its shape, in the fewest steps for what nearly every event is: *plain*, nothing but fields of the
contract under their own names.

For those there is a decoder made of the contract, which puts each value where its role says; the types of the values then
tell their shape. All others (aliases, unknown keys) become a dict first, and come to the same event and shape by it. So
do those that follow one of them for a while: to find out that an event is not plain costs more than that.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec
from msgspec import UNSET

from consumer.core.contract import Role
from consumer.core.decode import MOST_SHAPES, READ, USER_AGENT, Shape, Shapes, client_of, decode, explain
from consumer.core.rejection import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.core.contract import Contract, Field


class Event(Protocol):
    """The values of an event by what they are for, of any type: whether one is there and of the right type is told by the
    event's shape. `identity` may still be blank, or long."""

    identity: Any
    timestamp: Any
    event_name: Any
    page_url: Any
    referrer: Any
    event_data: Any
    user_agent: Any


values_of: Callable[[Event], tuple[Any, ...]] = msgspec.structs.astuple  # type: ignore[assignment]
"""All values of a plain event, in the contract's order."""

UNDECODABLE = re.compile(r'[\0-\x1f\x7f"\\]')
"""Of fields with such names no struct can be made."""

_MEMORY = 8
"""Events after one that was not plain that are not expected to be."""


class Events:
    """Decodes the events of a contract.

    The hot path decodes plain ones by itself: `plain` says whether to expect one, `by_types` has the shapes by
    `(*map(type, values_of(event)),)`. It calls `learn` if that has none, and `decode` for what is not plain.
    """

    def __init__(self, contract: Contract) -> None:
        names = {_attribute(field, number): field.name for number, field in enumerate(contract.fields)}
        self._any_plain = not any(map(UNDECODABLE.search, names.values())) and not any(
            field.role and field.name == USER_AGENT for field in contract.fields
        )
        roles = (Role.IDENTITY.value, *READ)
        self._kind = msgspec.defstruct(
            "PlainEvent",
            [(name, Any, UNSET) for name in dict.fromkeys((*roles, *names))],
            rename=({name: f"\x7f{name}" for name in roles} | names) if self._any_plain else None,
            forbid_unknown_fields=True,
            gc=False,
        )
        self._shapes = Shapes(contract)
        self.plain = self._any_plain
        self._odd_lately = 0
        self.by_types: dict[tuple[type, ...], Shape] = {}
        decoder = msgspec.json.Decoder(self._kind, float_hook=Decimal)
        self.decode_plain = cast("Callable[[bytes | None], Event]", decoder.decode)

    def learn(self, event: Event, value: bytes) -> Shape | None:
        """The shape of a plain event whose types are not in `by_types` yet; None if it is beyond what is read."""
        fields: Any = decode(value)
        if type(fields) is not dict:
            return None
        shape = self.by_types[(*map(type, values_of(event)),)] = self._shapes.of(fields)
        return shape

    def decode(self, value: bytes | None, error: Exception | None) -> tuple[Any, Shape | None]:
        """Of what is not known to be plain: the event and its shape, or why it is no event (a `Rejection`) and None. `error`
        is what `decode_plain` raised of it, if it was asked."""
        is_json = error is None or isinstance(error, msgspec.ValidationError)
        fields = decode(value) if is_json else explain(value, error)
        if type(fields) is not dict:
            return _no_object(fields), None
        shape = self._shapes.of(fields)
        self._odd_lately = _MEMORY if shape.unknown or shape.aliased else max(0, self._odd_lately - 1)
        self.plain = self._any_plain and not self._odd_lately
        return self._kind(client_of(fields, shape), *map(fields.get, shape.read)), shape

    def forget_if_many(self) -> None:
        """See `Shapes.forget_if_many`."""
        if self._shapes.forget_if_many() or len(self.by_types) > MOST_SHAPES:
            self.by_types.clear()


def _attribute(field: Field, number: int) -> str:
    if field.role is not None:
        return field.role.value
    return USER_AGENT if field.name == USER_AGENT else f"field_{number}"


def _no_object(value: object) -> Rejection:
    if isinstance(value, Rejection):
        return value
    message = f"the value is JSON, but no object: {_json_word(value)}"
    return Rejection(Reason.NOT_AN_OBJECT, message, "$", "type")


def _json_word(value: object) -> str:
    return {list: "an array", str: "a text", bool: "a boolean", type(None): "null"}.get(
        type(value), "a number"
    )
