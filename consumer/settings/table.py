"""All settings as rows, and what is made of the rows: the README's table and `sluice.example.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from consumer.settings import kafka
from consumer.settings.names import Name, Places, variable
from consumer.settings.words import MASK, has_secret, is_secret, kind, masked, masked_secret, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

DEFAULT = "default"
"""Origin of a value that nobody gave."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as people read it. `default` and `value` are written as in TOML; a secret's value is masked."""

    section: str
    key: str
    type: str
    default: str
    variable: str
    description: str
    value: str
    origin: str
    secret: bool = False

    @property
    def name(self) -> str:
        """The setting in one word, `deliver.out`."""
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def assignment(self) -> str:
        """The setting at its value as TOML has it, the name in quotes where it has dots."""
        key = f'"{self.key}"' if "." in self.key else self.key
        return f"{key} = {self.value}"


def rows(settings: BaseModel, known: Places, origins: Mapping[Name, str]) -> list[Setting]:
    """Every setting of the model, section by section, with its value and that value's origin."""
    found: list[Setting] = []
    for section in known.order:
        if section in known.free:
            found += _properties(section, getattr(settings, section), origins)
        else:
            found += _section(section, getattr(settings, section) if section else settings, known, origins)
    return found


def _section(section: str, values: Any, known: Places, origins: Mapping[Name, str]) -> Iterator[Setting]:
    for key in known.keys(section):
        field = known.fields[section, key]
        value, secret = getattr(values, key), has_secret(field)
        yield Setting(
            section,
            key,
            kind(field),
            written(field.default),
            variable((section, key)),
            field.description or "",
            written(masked_secret(value) if secret else value),
            origins.get((section, key), DEFAULT),
            secret=secret and bool(value),
        )


def section(name: str, values: BaseModel, known: Places, origins: Mapping[Name, str]) -> list[Setting]:
    """The settings of one section, whose name may have dots."""
    return list(_section(name, values, known, origins))


def _properties(section: str, values: Mapping[str, str], origins: Mapping[Name, str]) -> Iterator[Setting]:
    for key, value in values.items():
        yield Setting(
            section,
            key,
            "text",
            written(kafka.DEFAULTS.get(key, "")),
            variable((section, key)),
            kafka.DESCRIPTIONS.get(key, "A property of librdkafka, passed on as it is."),
            written(masked(key, value)),
            origins.get((section, key), DEFAULT),
            secret=is_secret(key) or MASK in masked(key, value),
        )


def markdown(settings: list[Setting]) -> str:
    """A Markdown table of all settings."""
    lines = ["| setting | type | default | variable | what it is |", "| --- | --- | --- | --- | --- |"]
    for one in settings:
        name = f'[{one.section}] "{one.key}"' if "." in one.key else f"[{one.section}] {one.key}"
        name = name if one.section else one.key
        lines.append(f"| `{name}` | {one.type} | `{one.default}` | `{one.variable}` | {one.description} |")
    return "\n".join(lines) + "\n"


_HEAD = """\
# All settings of Sluice, each at its default. Copy this file to sluice.toml and keep what you change.
# A variable wins over the file: SLUICE_<SECTION>_<KEY>, such as SLUICE_DELIVER_OUT, or SLUICE_GROUP.
# Paths are relative to the folder that Sluice is started in. `sluice check` says what is wrong.
"""


def example(settings: list[Setting], intros: Mapping[str, str]) -> str:
    """A TOML file with every setting at its value, below its sentence; `intros` has a paragraph for each section."""
    parts = [_HEAD]
    for section, members in groupby(settings, key=lambda one: one.section):
        if section:
            parts.append(f"\n[{section}]\n" + _comment(intros[section]))
        for one in members:
            choices = f" Choices: {one.type}." if '"' in one.type else ""
            parts.append(f"\n{_comment(one.description + choices)}{one.assignment}\n")
        parts.append(kafka.EXAMPLES if section == "kafka" else "")
    return "".join(parts)


def _comment(text: str) -> str:
    lines, line = [], "#"
    for word in text.split():
        if len(line) + len(word) >= _WIDTH:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "\n".join([*lines, line]) + "\n"


_WIDTH = 110
