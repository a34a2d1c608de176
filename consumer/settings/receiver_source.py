"""Receivers out of a document's `[receivers.NAME]` tables, `SLUICE_RECEIVERS_*` variables and files of secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from consumer.settings import source
from consumer.settings.names import PREFIX, Name, Places, nearest, shown_name
from consumer.settings.receivers import NEEDED, TYPES, AnyReceiver
from consumer.settings.source import Given
from consumer.settings.words import SettingsError, has_secret, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECTION = "receivers"
VARIABLES = f"{PREFIX}RECEIVERS_"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_MOST_SECRET_BYTES = 16_384

_KEYS: list[str] = sorted(
    {key for model in TYPES.values() for key in model.model_fields}, key=len, reverse=True
)
"""All keys that a receiver of any type has, the longest first."""

Receivers = dict[str, AnyReceiver]


def receivers_of(
    document: Mapping[str, Any],
    environ: Mapping[str, str],
    lines: Mapping[tuple[str, ...], int],
    file: str,
) -> tuple[Receivers, dict[Name, str]]:
    """The receivers by name, and where each of their values came from. Raises `SettingsError`."""
    given = _from_document(document, lines, file)
    for name, key, value in _from_environ(environ):
        given.setdefault(name, {})[key] = value
    receivers: Receivers = {}
    origins: dict[Name, str] = {}
    for name, values in given.items():
        receivers[name] = _receiver(name, values)
        origins |= {(section_of(name), key): one.origin for key, one in values.items()}
    return receivers, origins


def section_of(name: str) -> str:
    """The section of a receiver.

    >>> section_of("ops")
    'receivers.ops'
    """
    return f"{SECTION}.{name}"


def model_of(kind: str, name: str) -> Places:
    """The settings of a receiver of that type, as a section of its name: its own first, then what all have."""
    model, section = TYPES[kind], section_of(name)
    own = [key for key in model.model_fields if key in model.__annotations__]
    keys = dict.fromkeys([*own, *model.model_fields])
    fields = {(section, key): model.model_fields[key] for key in keys}
    return Places(fields, frozenset(), {section: model.__doc__ or ""})


def _from_document(
    document: Mapping[str, Any], lines: Mapping[tuple[str, ...], int], file: str
) -> dict[str, dict[str, Given]]:
    def origin(*path: str) -> str:
        line = lines.get(path)
        return f"{file}, line {line}" if line else file

    tables = document.get(SECTION, {})
    how = "write [receivers.NAME], such as [receivers.ops], and its settings below"
    if not isinstance(tables, dict):
        raise SettingsError(f"{origin(SECTION)}: every receiver has a name; {how}.")
    given: dict[str, dict[str, Given]] = {}
    for name, table in tables.items():
        where = origin(SECTION, name)
        if not isinstance(table, dict):
            raise SettingsError(f"{where}: {shown_name(name)} is no receiver; {how}.")
        _check_name(where, name)
        given[name] = {key: Given(value, origin(SECTION, name, key)) for key, value in table.items()}
        given[name].setdefault("type", Given(None, where))
    return given


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, str, Given]]:
    for variable, text in sorted(environ.items()):
        if not variable.startswith(VARIABLES) or source.is_service_link(variable, text):
            continue
        rest = variable.removeprefix(VARIABLES)
        key = next(
            (key for key in _KEYS if rest.endswith(f"_{key.upper()}") and len(rest) > len(key) + 1), None
        )
        if key is None:
            raise SettingsError(
                f"The variable {shown_name(variable)} is no setting of a receiver; it must be {VARIABLES}NAME_KEY, such "
                f"as {VARIABLES}OPS_URL."
            )
        name = rest[: -len(key) - 1].lower().replace("_", "-")
        _check_name(variable, name)
        yield name, key, Given(text, variable)


def _check_name(where: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{where}: a receiver's name is 1 to 40 small letters, digits and hyphens, not {shown(name)}."
        )


def _receiver(name: str, given: dict[str, Given]) -> AnyReceiver:
    section, kind = section_of(name), given.get("type")
    if kind is None or kind.value is None:
        where = next(iter(given.values())).origin
        raise SettingsError(f"{where}: [{section}] has no type; add one of {', '.join(TYPES)}.")
    if not isinstance(kind.value, str) or kind.value not in TYPES:
        hint = nearest(str(kind.value), list(TYPES)) or f"the types are {', '.join(TYPES)}"
        raise SettingsError(f"{kind.origin}: [{section}] type is {shown(kind.value)}; {hint}.")
    known = model_of(kind.value, name)
    values: dict[Name, Given] = {}
    for key, one in given.items():
        field = known.fields.get((section, key))
        if field is None:
            hint = nearest(key, known.keys(section)) or f"it has {', '.join(known.keys(section))}"
            raise SettingsError(
                f"{one.origin}: a receiver of type {kind.value} has no setting {shown_name(key)}; {hint}."
            )
        text = one.value
        typed = source.typed(one.origin, text, field) if one.origin.startswith(PREFIX) else text
        values[section, key] = Given(typed, one.origin)
    read_secrets(section, known, values)
    for key in NEEDED[kind.value]:
        if (section, key) not in values or values[section, key].value in ("", []):
            where = values[section, key].origin if (section, key) in values else kind.origin
            or_file = f" or {key}_file" if (section, f"{key}_file") in known.fields else ""
            raise SettingsError(f"{where}: [{section}] has no {key}; add {key}{or_file}.")
    wrapper = create_model("_Wrapper", one=(TYPES[kind.value], Field(alias=section)))
    built: AnyReceiver = source.build(wrapper, known, values).one  # type: ignore[attr-defined]  # made a line above
    return built


def read_secrets(section: str, known: Places, values: dict[Name, Given]) -> None:
    """Puts what stands in a section's files of secrets into the settings that they are for. Raises `SettingsError`."""
    for (where, key), field in known.fields.items():
        named = values.get((section, f"{key}_file"))
        if where != section or not has_secret(field) or named is None or not named.value:
            continue
        if (section, key) in values:
            raise SettingsError(f"{named.origin}: [{section}] has both {key} and {key}_file; leave one.")
        values[section, key] = Given(read_secret(named, f"[{section}] {key}_file"), named.origin)


def read_secret(named: Given, title: str) -> str:
    """The first line of a file that holds a secret. Raises `SettingsError`."""
    subject = named.origin if named.origin.startswith(PREFIX) else f"{named.origin}: {title}"
    if not isinstance(named.value, str):
        raise SettingsError(f"{subject} must be text in quotes, not {shown(named.value)}.")
    try:
        with Path(named.value).open("rb") as file:
            text = file.read(_MOST_SECRET_BYTES + 1).decode()
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "it is no text").lower()
        raise SettingsError(f"{subject} names a file that cannot be read ({why}); correct it.") from None
    secret = text.strip()
    if not secret or len(text) > _MOST_SECRET_BYTES or len(secret.splitlines()) > 1:
        raise SettingsError(
            f"{subject} names a file that is not one line of text; put the secret alone there."
        )
    return secret
