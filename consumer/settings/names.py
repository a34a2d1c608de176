"""The names of settings: which there are, their variables, and what to say of a name that is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_origin

from pydantic import BaseModel

from consumer.settings.words import shown

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PREFIX = "SLUICE_"

Name = tuple[str, str]
"""(section, key); the section of a setting at the top of the file is empty."""


class Named:
    """Marks a field that holds sections of any name."""


@dataclass(frozen=True, slots=True)
class Places:
    """The settings that a model has: every name with its definition, and the sections that take any key.

    `intros` has a paragraph for each section, in the order of the model. `named` are sections that hold sections of any
    name; what stands in those is not among the settings here.
    """

    fields: dict[Name, FieldInfo]
    free: frozenset[str]
    intros: dict[str, str]
    named: tuple[str, ...] = ()

    @property
    def order(self) -> list[str]:
        """The top of the file (empty) and all sections, in the order of the model."""
        return ["", *self.intros]

    def keys(self, section: str) -> list[str]:
        """The keys that a section has, in the order of the model."""
        return [key for where, key in self.fields if where == section]

    def homes(self, key: str) -> list[str]:
        """The sections that have such a key, as `[name]`."""
        return [f"[{section}]" for section, inner in self.fields if section and inner == key]


def places(model: type[BaseModel]) -> Places:
    """What can be set: a field that is a model is a section, a field that is a dict takes any key."""
    fields: dict[Name, FieldInfo] = {}
    free: set[str] = set()
    intros: dict[str, str] = {}
    named: list[str] = []
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if any(isinstance(one, Named) for one in field.metadata):
            named.append(name)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            fields |= {(name, key): inner for key, inner in annotation.model_fields.items()}
            intros[name] = annotation.__doc__ or ""
        elif get_origin(annotation) is dict:
            free.add(name)
            intros[name] = field.description or ""
        else:
            fields["", name] = field
    return Places(fields, frozenset(free), intros, tuple(named))


def variable(name: Name) -> str:
    """The environment variable of a setting.

    >>> variable(("deliver", "out")), variable(("", "group")), variable(("kafka", "bootstrap.servers"))
    ('SLUICE_DELIVER_OUT', 'SLUICE_GROUP', 'SLUICE_KAFKA_BOOTSTRAP_SERVERS')
    """
    return PREFIX + "_".join(part for part in name if part).upper().replace(".", "_").replace("-", "_")


def title(name: Name) -> str:
    """How sentences name a setting: `[deliver] out`, `group`."""
    section, key = name
    return f"[{section}] {key}" if section else key


def unknown_outer(known: Places, name: str, *, is_table: bool) -> str:
    """What to say of a name at the top of the file that is neither a section nor a setting."""
    sections, keys = [*known.intros, *known.named], known.keys("")
    if is_table:
        hint = nearest(name, sections, "[{}]") or f"the sections are {', '.join(f'[{s}]' for s in sections)}"
        return f"there is no section {shown_name(name)}; {hint}."
    if homes := known.homes(name):
        return f"{name} belongs below {' or '.join(homes)}; move it there."
    hint = nearest(name, keys) or f"above the first [section] there can be {' and '.join(keys)}"
    return f"there is no setting {shown_name(name)}; {hint}."


def unknown_key(known: Places, section: str, key: str) -> str:
    """What to say of a key that a section does not have."""
    if ("", key) in known.fields:
        return f"{key} belongs at the top of the file, above the first [section]; move it there."
    keys = known.keys(section)
    hint = nearest(key, keys)
    if not hint and (homes := known.homes(key)):
        hint = f"{' and '.join(homes)} has one"
    return f"[{section}] has no setting {shown_name(key)}; {hint or 'it has ' + ', '.join(keys)}."


def shown_name(name: str) -> str:
    """A name that somebody else chose, as a sentence may hold it."""
    return name if re.fullmatch(r"[\w.\-]{1,60}", name, re.ASCII) else shown(name)


def nearest(name: str, names: list[str], form: str = "{}") -> str:
    """A hint at the most similar of the names, or nothing when none is.

    >>> nearest("inputs", ["input", "days"])
    'perhaps input is meant'
    """
    match = get_close_matches(name, names, n=1) or get_close_matches(name.lower(), names, n=1)
    return f"perhaps {form.format(match[0])} is meant" if match else ""
