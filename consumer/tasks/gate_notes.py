"""What a gate notes of some events only: purchases, and the first of their kind in a batch.

Kinds of values are a sample that depends on how records are cut into batches; everything else in the facts does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.core.facts import MOST_KINDS, OF, Facts
from consumer.core.kinds import kind_of

if TYPE_CHECKING:
    from consumer.core.contract import Contract, Field
    from consumer.core.decode import Shape
    from consumer.core.purchase_notes import Part, PurchaseNotes


class Notes:
    """Writes into a batch's facts."""

    def __init__(self, contract: Contract, purchases: PurchaseNotes, facts: Facts) -> None:
        self._contract = contract
        self._purchases = purchases
        self._facts = facts
        self.shapes: set[Shape] = set()
        """The shapes of which an event has told what its fields hold."""
        self._parts: set[str] = set()

    def kinds(self, event: dict[str, Any], shape: Shape, minute: int) -> None:
        """The event is the first of its shape and name in this minute and batch: what unknown keys hold, and once a
        shape what the contract's fields hold."""
        if shape.unknown:
            self._kinds("", event, shape.unknown, minute)
        if shape not in self.shapes:
            self.shapes.add(shape)
            self._kinds_of_fields("", event, self._contract.fields, minute)

    def purchase(self, fields: dict[str, Any], minute: int) -> None:
        """A purchase whose data could be read, valid or not."""
        facts, purchases = self._facts.minute(minute), self._purchases
        facts.purchases += 1
        self._part(purchases.data, fields, minute)
        for item in purchases.items(fields):
            facts.items += 1
            self._part(purchases.item, item, minute)

    def _part(self, part: Part, value: dict[str, Any], minute: int) -> None:
        facts, notes = self._facts.minute(minute), part.notes(value)
        for table, name in notes:
            facts.note(table, name)
        if any(table == "unknown" for table, _ in notes):
            self._kinds(part.path, value, part.unknown(value), minute)
        if part.path not in self._parts:
            self._parts.add(part.path)
            self._kinds_of_fields(part.path, value, part.fields, minute)

    def _kinds(
        self, path: str, value: dict[str, Any], names: list[str] | tuple[str, ...], minute: int
    ) -> None:
        """Notes what the keys hold; a name that was cut is no key."""
        facts = self._facts.minute(minute)
        for name in names:
            if name in value:
                facts.note("kinds", f"{path}{name}{OF}{kind_of(value[name])}", MOST_KINDS)

    def _kinds_of_fields(
        self, path: str, value: dict[str, Any], fields: tuple[Field, ...], minute: int
    ) -> None:
        """Notes what the contract's fields hold, each under its own name, whichever alias it has here."""
        facts = self._facts.minute(minute)
        for field in fields:
            key = next((name for name in (field.name, *field.aliases) if name in value), None)
            if key is not None:
                facts.note("kinds", f"{path}{field.name}{OF}{kind_of(value[key])}", MOST_KINDS)
