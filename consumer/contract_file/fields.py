"""The fields that a contract declares, and the custom properties by which it says what the standard cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_args

from open_data_contract_standard.model import CustomProperty, SchemaProperty

from consumer.contract_file.located import nearest, quoted
from consumer.core.contract import Field, FieldSeverity, JsonType, PurchaseRole, Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum

    from pydantic import BaseModel

    from consumer.contract_file.located import Located

KNOWN: dict[str, tuple[str, ...]] = {
    "contract": ("purchaseEvent", "ownDomains", "campaignParameters"),
    "schema object": (),
    "field": ("role", "aliases", "severity", "jsonTypes"),
}
"""The custom properties that there are, by the place where they stand."""

_JSON_TYPES: dict[str, JsonType] = {
    "string": "string",
    "date": "string",
    "time": "string",
    "timestamp": "string",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "object": "object",
    "map": "object",
    "array": "array",
    "vector": "array",
}
"""How JSON writes the standard's logical types."""

_P0_ROLES = frozenset({Role.IDENTITY, Role.TIMESTAMP, Role.EVENT_NAME, Role.EVENT_DATA, *PurchaseRole})
"""Roles without which there are no numbers, or no purchases: their default severity is P0_BLOCKER, others' P1_HIGH."""


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that the standard's model has, as a document writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


class CustomProperties:
    """The custom properties of one place, by name. Those of other vendors are left alone.

    Raises `ContractError` for a name that is neither ours nor another vendor's, and for one that is there twice.
    """

    def __init__(self, holder: Located, place: str) -> None:
        self._found: dict[str, Located] = {}
        listed = holder.mapping(f"a {place}").get("customProperties")
        for entry in listed.list("customProperties") if listed is not None else []:
            entry.only(keys_of(CustomProperty), "a custom property", KNOWN[place])
            parts = entry.value
            if "vendor" in parts and parts["vendor"].text("vendor") != "sluice":
                continue
            if "property" not in parts or "value" not in parts:
                raise entry.error('a custom property needs the two lines "property: ..." and "value: ..."')
            self._add(parts["property"], parts["value"], place)

    def _add(self, name: Located, value: Located, place: str) -> None:
        key, known = name.text("property"), list(KNOWN[place])
        if key not in known:
            hint = nearest(key, known) if known else "remove it"
            raise name.error(f"a {place} has no custom property {quoted(key)}; {hint} (or give it a vendor)")
        if key in self._found:
            raise name.error(f"the custom property {key} is there twice; leave it once")
        self._found[key] = value

    def get(self, name: str) -> Located | None:
        """The value of a property, None when it is not there."""
        return self._found.get(name)

    def items(self, name: str) -> list[Located]:
        """The values of a property that is a list, none when it is not there."""
        value = self.get(name)
        return [] if value is None else value.list(name)


@dataclass(frozen=True, slots=True)
class Declared:
    """A field of the contract, where it stands, and its role at its level."""

    field: Field
    node: Located
    role: StrEnum | None


def declared_fields(properties: Located, roles: type[Role | PurchaseRole] | None) -> list[Declared]:
    """The fields of one level; `roles` are those that they may have. Raises `ContractError`."""
    found = [_declared(node, roles) for node in properties.list("properties")]
    names: set[str] = set()
    taken: set[StrEnum] = set()
    for one in found:
        for name in (one.field.name, *one.field.aliases):
            if name in names:
                raise one.node.error(
                    f"{quoted(name)} names two fields; rename one, or remove one as an alias"
                )
            names.add(name)
        if one.role is not None and one.role in taken:
            raise one.node.error(f"two fields have the role {one.role}; leave it to one")
        if one.role is not None:
            taken.add(one.role)
    return found


def _declared(node: Located, roles: type[Role | PurchaseRole] | None) -> Declared:
    parts = node.mapping("a field")
    if "name" not in parts:
        raise node.error('a field has no name; add "name: ..."')
    name = parts["name"].text("name")
    node.only(keys_of(SchemaProperty), f"the field {quoted(name)}", KNOWN["field"])
    _check_parts(parts, name)
    own = CustomProperties(node, "field")
    role = _role(own, roles)
    wire_name = parts["physicalName"].text("physicalName") if "physicalName" in parts else name
    field = Field(
        name=wire_name,
        types=_types(node, own, name),
        aliases=tuple(alias.text("an alias") for alias in own.items("aliases")),
        required=parts["required"].flag("required") if "required" in parts else False,
        severity=_severity(own, role),
        role=role if isinstance(role, Role) else None,
        personal=role is Role.IDENTITY or _is_personal(parts),
    )
    return Declared(field, node, role)


def _check_parts(parts: dict[str, Located], name: str) -> None:
    """Only an object has properties, and only an array has items, by the standard's own schema."""
    for key, kind in (("properties", "object"), ("items", "array")):
        if key in parts and ("logicalType" not in parts or parts["logicalType"].value != kind):
            hint = " (and jsonTypes: [string] if it is JSON text)" if kind == "object" else ""
            raise parts[key].error(
                f"only a field of logicalType {kind} has {key}; give {quoted(name)} that type{hint}"
            )


_HARMLESS = frozenset({"public", "internal", "none"})
_PERSONAL_TAGS = frozenset({"personal", "pii", "gdpr", "sensitive"})


def _is_personal(parts: dict[str, Located]) -> bool:
    """By the standard's own words: any `classification` but public or internal, or a tag such as pii."""
    level = parts["classification"].text("classification") if "classification" in parts else "none"
    tags = parts["tags"].list("tags") if "tags" in parts else []
    return level.lower() not in _HARMLESS or any(str(tag.value).lower() in _PERSONAL_TAGS for tag in tags)


def _role(own: CustomProperties, roles: type[Role | PurchaseRole] | None) -> StrEnum | None:
    value = own.get("role")
    if value is None:
        return None
    name, known = value.text("role"), [role.value for role in roles] if roles else []
    if name not in known:
        hint = nearest(name, known) if known else "remove it, since fields here have none"
        raise value.error(f"{quoted(name)} is no role that a field can have here; {hint}")
    return cast("StrEnum", roles(name)) if roles else None


def _severity(own: CustomProperties, role: StrEnum | None) -> FieldSeverity:
    value = own.get("severity")
    if value is None:
        return "P0_BLOCKER" if role in _P0_ROLES else "P1_HIGH"
    return cast("FieldSeverity", _one_of(value, "severity", get_args(FieldSeverity)))


def _types(node: Located, own: CustomProperties, name: str) -> frozenset[JsonType]:
    given = own.items("jsonTypes")
    if given:
        return frozenset(cast("JsonType", _one_of(one, "JSON type", get_args(JsonType))) for one in given)
    logical = node.value.get("logicalType")
    if logical is None:
        raise node.error(
            f'the field {quoted(name)} has no logicalType; add one such as "logicalType: string"'
        )
    return frozenset({_JSON_TYPES[_one_of(logical, "logicalType", tuple(_JSON_TYPES))]})


def _one_of(value: Located, what: str, known: Sequence[str]) -> str:
    text = value.text(what)
    if text not in known:
        raise value.error(f"{quoted(text)} is no {what}; {nearest(text, list(known))}")
    return text
