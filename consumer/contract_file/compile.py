"""Reads a contract document (Open Data Contract Standard YAML) and compiles it into `consumer.core.contract.Contract`.

What the standard has no word for stands in `customProperties`; `consumer/contract.yaml` explains them.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

from open_data_contract_standard.model import SchemaObject

from consumer.contract_file.fields import CustomProperties, Declared, declared_fields, keys_of
from consumer.contract_file.located import nearest, parse, quoted, read
from consumer.contract_file.standard import check_document, check_models
from consumer.core.contract import Contract, PurchaseRole, Role

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.contract_file.located import Located

NEEDED = (Role.IDENTITY, Role.TIMESTAMP, Role.EVENT_NAME)
"""The roles without which there are no numbers at all."""

_DEFAULT_NAME = "the default contract"


def load_contract(path: Path | None) -> Contract:
    """The compiled contract; without a path the one that Sluice comes with.

    Raises `ContractError`, whose text is one sentence with file, line, fault and remedy.
    """
    if path is not None:
        return compile_contract(read(path))
    raw = resources.files("consumer").joinpath("contract.yaml").read_bytes()
    return compile_contract(parse(raw, _DEFAULT_NAME))


def compile_contract(document: Located) -> Contract:
    """The contract out of a document. Raises `ContractError`."""
    check_document(document)
    own = CustomProperties(document, "contract")
    top = declared_fields(_properties(document), Role)
    _check_roles(document, top)
    inner = _within(top, Role.EVENT_DATA, PurchaseRole)
    items = _within(inner, PurchaseRole.ITEMS, None)
    event_names = _event_names(top)
    contract = Contract(
        id=document.value["id"].text("id"),
        version=document.value["version"].text("version"),
        fields=tuple(one.field for one in top),
        event_names=frozenset(event_names),
        purchase_event=_purchase_event(own, event_names, top, inner),
        purchase_fields=tuple(one.field for one in inner),
        item_fields=tuple(one.field for one in items),
        purchase_names=_purchase_names(inner),
        own_domains=frozenset(_own_domains(own)),
        campaign_parameters=_campaign_parameters(own),
    )
    check_models(document)
    return contract


def _properties(document: Located) -> Located:
    """The list of an event's fields: the properties of the only schema object."""
    schema = document.value["schema"]
    objects = schema.list("schema")
    if len(objects) != 1:
        raise schema.error(f"schema must have exactly one object, the events, not {len(objects)}")
    objects[0].only(keys_of(SchemaObject), "the schema object")
    CustomProperties(objects[0], "schema object")
    properties = objects[0].value.get("properties")
    if properties is None or not properties.list("properties"):
        raise objects[0].error("the schema object has no properties; list the fields of an event there")
    found: Located = properties
    return found


_KEPT_AS_TEXT = (Role.IDENTITY, Role.TIMESTAMP, Role.EVENT_NAME, Role.PAGE_URL, Role.REFERRER)


def _check_roles(document: Located, top: list[Declared]) -> None:
    roles = {one.field.role: one for one in top}
    for role in NEEDED:
        if role not in roles:
            raise document.value["schema"].error(
                f"no field has the role {role}; give it to one under customProperties "
                f"(- property: role, and below it value: {role})"
            )
    for role in _KEPT_AS_TEXT:
        if role in roles and roles[role].field.types != {"string"}:
            raise roles[role].node.error(
                f"the field with the role {role} must be text, a logicalType such as string"
            )
    data = roles.get(Role.EVENT_DATA)
    if data is not None and not data.field.types <= {"string", "object"}:
        raise data.node.error(
            "the field with the role event_data must have the jsonTypes string, object or both"
        )


def _within(
    outer: list[Declared], role: Role | PurchaseRole, roles: type[PurchaseRole] | None
) -> list[Declared]:
    """The fields within the field that has the role: its properties, or those of its items."""
    holder = next((one.node for one in outer if one.role == role), None)
    if holder is not None and "items" in holder.value:
        holder = holder.value["items"]
    properties = holder.mapping("items").get("properties") if holder is not None else None
    return declared_fields(properties, roles) if properties is not None else []


def _event_names(top: list[Declared]) -> dict[str, None]:
    """The names that the event-name field lists: as its `enum` or as the valid values of a quality check."""
    field = next(one for one in top if one.role == Role.EVENT_NAME)
    values = _enum(field.node) + _valid_values(field.node)
    if not values:
        raise field.node.error(
            f"{quoted(field.field.name)} lists no event names; "
            "add a quality check with the metric invalidValues and the argument validValues"
        )
    names: dict[str, None] = {}
    for value in values:
        name = value.text("an event name")
        if name in names:
            raise value.error(f"the event name {quoted(name)} is there twice; leave it once")
        names[name] = None
    return names


def _enum(field: Located) -> list[Located]:
    enum = field.value.get("enum")
    if enum is None:
        return []
    for entry in enum.list("enum"):
        if "value" not in entry.mapping("an entry of enum"):
            raise entry.error('an entry of enum needs a line "value: ..."')
    return [entry.value["value"] for entry in enum.value]


def _valid_values(field: Located) -> list[Located]:
    quality = field.value.get("quality")
    found: list[Located] = []
    for check in quality.list("quality") if quality is not None else []:
        arguments = check.mapping("a quality check").get("arguments")
        values = arguments.mapping("arguments").get("validValues") if arguments is not None else None
        if values is not None:
            found += values.list("validValues")
    return found


def _purchase_event(
    own: CustomProperties, event_names: dict[str, None], top: list[Declared], inner: list[Declared]
) -> str:
    """The event name of purchases, empty where the contract has none; then no field needs a purchase's role."""
    value = own.get("purchaseEvent")
    if value is None:
        return ""
    name = value.text("purchaseEvent")
    if name not in event_names:
        raise value.error(
            f"the purchaseEvent {quoted(name)} is no event name of the contract; {nearest(name, list(event_names))}"
        )
    given = {one.role for one in (*top, *inner)}
    for role in (Role.EVENT_DATA, *PurchaseRole):
        if role not in given:
            where = "no field" if role == Role.EVENT_DATA else "no field below event_data"
            raise value.error(
                f"{where} has the role {role}, which purchases need; give it to one, or remove purchaseEvent"
            )
    return name


def _purchase_names(inner: list[Declared]) -> dict[PurchaseRole, str]:
    names = {role: role.value for role in PurchaseRole}
    return names | {one.role: one.field.name for one in inner if isinstance(one.role, PurchaseRole)}


_DOMAIN = re.compile(r"[^\s/:@?#*.]+(\.[^\s/:@?#*.]+)*\.?")


def _own_domains(own: CustomProperties) -> list[str]:
    domains = []
    for item in own.items("ownDomains"):
        text = item.text("a domain in ownDomains")
        if not _DOMAIN.fullmatch(text):
            raise item.error(
                f"{quoted(text)} is no domain; write it like shop.example, without https:// or *"
            )
        domains.append(text.lower().strip("."))
    return domains


_PARAMETER = re.compile(r"[^\s*&=?#%]+\*?")


def _campaign_parameters(own: CustomProperties) -> tuple[str, ...]:
    """The list of the contract, or where it has none that of the default contract."""
    if own.get("campaignParameters") is None:
        return load_contract(None).campaign_parameters
    names = []
    for item in own.items("campaignParameters"):
        text = item.text("a name in campaignParameters")
        if not _PARAMETER.fullmatch(text):
            raise item.error(
                f"{quoted(text)} is no query parameter; write a name such as gclid, or a beginning such as utm_*"
            )
        names.append(text.lower())
    return tuple(names)
