"""The contract, compiled once: which fields and event names exist, their types, aliases and severities.

The document itself is Open Data Contract Standard YAML; `consumer/contract_file.py` reads it into these values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

FieldSeverity = Literal["P0_BLOCKER", "P1_HIGH", "P2_NOTE"]
JsonType = Literal["string", "integer", "number", "boolean", "object", "array"]


class Role(StrEnum):
    """What a field means to the numbers. The first three are needed; a contract without the others has no
    attribution or no purchases."""

    IDENTITY = "identity"
    TIMESTAMP = "timestamp"
    EVENT_NAME = "event_name"
    PAGE_URL = "page_url"
    REFERRER = "referrer"
    EVENT_DATA = "event_data"


class PurchaseRole(StrEnum):
    """What a field inside the purchase's data means."""

    TRANSACTION_ID = "transaction_id"
    REVENUE = "revenue"
    ITEMS = "items"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event, or (for `purchase_fields` and `item_fields`) of its data.

    `types` are the JSON types that its values may have besides null; `aliases` are other names under which it is
    accepted (and noticed); `severity` is that of its going missing, being renamed or changing type. `personal`: its values
    may tell who somebody is, and are shown to nobody who does not ask for them.
    """

    name: str
    types: frozenset[JsonType]
    aliases: tuple[str, ...] = ()
    required: bool = False
    severity: FieldSeverity = "P1_HIGH"
    role: Role | None = None
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything that the gate needs to know about a site's events.

    `campaign_parameters` are query parameter names in lower case; one that ends in `*` is a prefix.
    `own_domains` are hosts or domains in lower case whose referrers are internal.
    """

    id: str
    version: str
    fields: tuple[Field, ...]
    event_names: frozenset[str]
    purchase_event: str
    purchase_fields: tuple[Field, ...] = ()
    item_fields: tuple[Field, ...] = ()
    purchase_names: dict[PurchaseRole, str] = field(
        default_factory=lambda: {role: role.value for role in PurchaseRole}
    )
    own_domains: frozenset[str] = frozenset()
    campaign_parameters: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How receipts and logs name the contract: id and version."""
        return f"{self.id} {self.version}"
