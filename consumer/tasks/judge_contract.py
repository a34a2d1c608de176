"""What the rules need of a contract, as the plain values that detectors take, and a minute's facts likewise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.contract import PurchaseRole, Role
from consumer.core.decode import USER_AGENT
from detectors.causes import Fields
from detectors.fields import Expectations, ExpectedField, FieldMinute, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.contract import Contract, Field
    from consumer.tasks.judge_state import HeldMinute


def data_of(contract: Contract) -> str:
    """The name of the field that holds an event's data."""
    return _name(contract, Role.EVENT_DATA) or "event_data"


def items_of(contract: Contract) -> str:
    """The path of a purchase's items."""
    return f"{data_of(contract)}.{contract.purchase_names[PurchaseRole.ITEMS]}[]"


def expectations(contract: Contract) -> Expectations:
    """Every field with its path: of events, of purchases, of their items."""
    scopes: tuple[tuple[Iterable[Field], str, Scope], ...] = (
        (contract.fields, "", "event"),
        (contract.purchase_fields, f"{data_of(contract)}.", "purchase"),
        (contract.item_fields, f"{items_of(contract)}.", "item"),
    )
    fields = [_expected(field, prefix, scope) for known, prefix, scope in scopes for field in known]
    return Expectations(tuple(fields), contract.event_names, contract.purchase_event)


def _expected(field: Field, prefix: str, scope: Scope) -> ExpectedField:
    return ExpectedField(
        prefix + field.name,
        field.severity,
        tuple(prefix + alias for alias in field.aliases),
        None if field.role is None else field.role.value,
        field.required,
        scope,
    )


def cause_fields(contract: Contract) -> Fields:
    """Which paths mean what."""
    data = data_of(contract)
    aliases = [alias for field in expectations(contract).fields for alias in field.aliases]
    return Fields(
        _name(contract, Role.IDENTITY),
        _name(contract, Role.TIMESTAMP),
        _name(contract, Role.EVENT_NAME),
        _name(contract, Role.PAGE_URL),
        _name(contract, Role.REFERRER),
        _name(contract, Role.EVENT_DATA),
        USER_AGENT if any(field.name == USER_AGENT for field in contract.fields) else None,
        contract.purchase_event,
        frozenset(aliases),
        frozenset(f"{data}.{name}" for name in contract.purchase_names.values()),
    )


def field_minute(minute: int, held: HeldMinute) -> FieldMinute:
    """A closed minute as the rules about fields take it."""
    facts = held.facts
    return FieldMinute(
        minute, facts.events, facts.purchases, facts.items, facts.sessions + facts.robots_nameless,
        facts.robots + facts.robots_nameless, held.replays, 0,
        facts.repeated, facts.stale, facts.ahead, facts.null, facts.absent, facts.retyped, facts.aliased, facts.unknown,
        facts.names, facts.kinds, facts.rejected,
    )  # fmt: skip


def _name(contract: Contract, role: Role) -> str | None:
    return next((field.name for field in contract.fields if field.role is role), None)
