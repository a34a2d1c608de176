"""Which of the contract's fields a purchase's data and its items have, lack, or have with another type.

What `Shapes` is to events, but looked at one by one: purchases are few, and here an empty text counts as null.
"""

from __future__ import annotations

from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any

from consumer.core.contract import PurchaseRole, Role
from consumer.core.decode import MOST_UNKNOWN, fits, known_names, unknown_names
from consumer.core.identifier import MOST_NAME
from consumer.core.purchases import PurchaseReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from consumer.core.contract import Contract, Field

MOST_ITEMS = 200
"""Items of a purchase that are looked at."""

_MOST_REMEMBERED = 1_024

Note = tuple[str, str]
"""(table of `MinuteFacts`, the name in it)"""


class Part:
    """One kind of object within a purchase: where it stands, and the fields that the contract gives it.

    `path` is what stands before a field's name. Where the contract names no field, no key is unknown.
    """

    def __init__(
        self, path: str, fields: tuple[Field, ...], also_known: frozenset[str] = frozenset()
    ) -> None:
        self.path = path
        self.fields = fields
        self._known = known_names(fields) | also_known
        self._notes: dict[tuple[Any, ...], tuple[Note, ...]] = {}

    def notes(self, value: dict[str, Any]) -> tuple[Note, ...]:
        """What is to be said of such an object; worked out once for all with the same keys and types of values."""
        signature = (*value, *map(_type, value.values()))
        notes = self._notes.get(signature)
        if notes is None:
            notes = tuple(self._look(value))
            if len(self._notes) >= _MOST_REMEMBERED:
                self._notes.clear()
            if len(value) <= MOST_UNKNOWN and all(len(key) <= MOST_NAME for key in value):
                self._notes[signature] = notes
        return notes

    def _look(self, value: dict[str, Any]) -> Iterator[Note]:
        for field in self.fields:
            present = [name for name in (field.name, *field.aliases) if name in value]
            yield from (("aliased", self.path + name) for name in present if name != field.name)
            table = _table(field, [value[name] for name in present])
            if table is not None:
                yield table, self.path + field.name
        for name in self.unknown(value):
            yield "unknown", self.path + name

    def unknown(self, value: dict[str, Any]) -> list[str]:
        """Its keys that the contract does not know, as `unknown_names` cuts them."""
        return unknown_names(value, self._known) if self.fields else []


def _type(value: object) -> type:
    """The value's type; that of null for a text of white space."""
    kind = type(value)
    return kind if kind is not str or value.strip() else NoneType  # type: ignore[attr-defined]


def _table(field: Field, values: list[Any]) -> str | None:
    """Where a field with these values (under all its names) is noted; nowhere if one of them is as it should be."""
    if not values:
        return "absent"
    told = [value for value in values if _type(value) is not NoneType]
    if not told:
        return "null"
    return None if any(fits(value, field) for value in told) else "retyped"


class PurchaseNotes:
    """The parts of a purchase by the contract's names."""

    def __init__(self, contract: Contract) -> None:
        data = next((field.name for field in contract.fields if field.role is Role.EVENT_DATA), "event_data")
        items = contract.purchase_names[PurchaseRole.ITEMS]
        self._paths = {f"{data}.{name}": role for role, name in contract.purchase_names.items()}
        self.data = Part(f"{data}.", contract.purchase_fields, frozenset(contract.purchase_names.values()))
        self.item = Part(f"{data}.{items}[].", contract.item_fields)
        self._reader = PurchaseReader(contract)

    def items(self, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The purchase's items that are objects."""
        return (item for item in islice(self._reader.items(fields), MOST_ITEMS) if isinstance(item, dict))

    def lacks(self, fields: dict[str, Any]) -> tuple[PurchaseRole, ...]:
        """Which of the things without which no purchase counts are noted as absent from its data."""
        notes = self.data.notes(fields)
        return tuple(self._paths[name] for table, name in notes if table == "absent" and name in self._paths)

    def paths(self, roles: Collection[PurchaseRole]) -> list[str]:
        """Under which names the absence of these is noted."""
        return [path for path, role in self._paths.items() if role in roles]
