"""Where settings come from: a TOML file and `SLUICE_*` variables, each value with its origin; variables win.

Everything here works on any pydantic model whose fields are either settings or sections of settings
(`consumer/settings/definitions.py` has the one that Sluice uses).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from consumer.settings.legal import ContradictionError
from consumer.settings.names import (
    PREFIX,
    Name,
    Places,
    nearest,
    shown_name,
    title,
    unknown_key,
    unknown_outer,
    variable,
)
from consumer.settings.words import LIST, SWITCH, SettingsError, has_secret, is_secret, kind, shown, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

_MOST_PARTS = 20
"""Of a dotted key in a section that takes any; librdkafka's longest name has eight."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave, and where: `sluice.toml, line 3` or the name of a variable."""

    value: Any
    origin: str


def from_document(
    known: Places, document: Mapping[str, Any], lines: Mapping[tuple[str, ...], int], source: str
) -> dict[Name, Given]:
    """The settings that a TOML document gives. Raises `SettingsError` for anything that is no setting."""
    given: dict[Name, Given] = {}

    def origin(*path: str) -> str:
        line = lines.get(path)
        return f"{source}, line {line}" if line else source

    for outer, value in document.items():
        if ("", outer) in known.fields:
            given["", outer] = Given(value, origin(outer))
        elif outer not in known.intros:
            raise SettingsError(
                f"{origin(outer)}: {unknown_outer(known, outer, is_table=isinstance(value, dict))}"
            )
        elif not isinstance(value, dict):
            raise SettingsError(
                f"{origin(outer)}: {outer} is a section, not a single value; write [{outer}] and its settings below."
            )
        elif outer in known.free:
            for path, leaf in _leaves(value, origin(outer)):
                name = outer, ".".join(path)
                if name in given:
                    raise SettingsError(f"{origin(outer, *path)}: {title(name)} is set twice; leave it once.")
                given[name] = Given(leaf, origin(outer, *path))
        else:
            for key, leaf in value.items():
                if (outer, key) not in known.fields:
                    raise SettingsError(f"{origin(outer, key)}: {unknown_key(known, outer, key)}")
                given[outer, key] = Given(leaf, origin(outer, key))
    return given


def _leaves(table: Mapping[str, Any], where: str) -> list[tuple[tuple[str, ...], Any]]:
    """The values below a table by their paths: `a.b = 1` without quotes is a table in a table to TOML."""
    leaves = []
    waiting: list[tuple[tuple[str, ...], Any]] = [((key,), value) for key, value in table.items()]
    while waiting:
        path, value = waiting.pop(0)
        if len(path) > _MOST_PARTS:
            raise SettingsError(f"{where}: a name of more than {_MOST_PARTS} parts is no setting; remove it.")
        if isinstance(value, dict) and value:
            waiting += [((*path, key), inner) for key, inner in value.items()]
        else:
            leaves.append((path, value))
    return leaves


# Kubernetes sets these for every Service in a pod's namespace; a Service called "sluice" or "sluice-metrics" must
# not stop the pods behind it (kubernetes.io, "Discovering services", and the Docker links that it imitates).
_SERVICE_LINK = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)\Z"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes has set this variable for a Service."""
    return bool(_SERVICE_LINK.search(name) or (name.endswith("_PORT") and _SERVICE_ADDRESS.match(value)))


def from_environ(known: Places, environ: Mapping[str, str]) -> dict[Name, Given]:
    """The settings that variables give. Raises `SettingsError` for a `SLUICE_` variable that is none."""
    names = {variable(name): name for name in known.fields}
    free = {variable((section, "")) + "_": section for section in known.free}
    given: dict[Name, Given] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or is_service_link(name, text):
            continue
        section = next((free[start] for start in free if name.startswith(start) and name != start), None)
        if name in names:
            field = known.fields[names[name]]
            given[names[name]] = Given(typed(name, text, field), name)
        elif section is not None:
            key = name.removeprefix(variable((section, "")) + "_").lower().replace("_", ".")
            given[section, key] = Given(text, name)
        else:
            tails = [known_name.removeprefix(PREFIX) for known_name in names]
            hint = nearest(name.removeprefix(PREFIX), tails, PREFIX + "{}")
            hint = hint or f"unset it, since what begins with {PREFIX} must be one"
            raise SettingsError(f"The variable {shown_name(name)} is no setting; {hint}.")
    return given


_SWITCHES = {"true": True, "false": False}


def _switch(text: str) -> object:
    return _SWITCHES.get(text, text)


_CONVERT: dict[str, Callable[[str], object]] = {"whole number": int, "number": float, SWITCH: _switch}


def typed(name: str, text: str, field: FieldInfo) -> object:
    """A variable's text as the type of its setting; text that does not fit stays text and is refused later."""
    if kind(field) == LIST:
        return [part.strip() for part in text.split(",")] if text.strip() else []
    convert = _CONVERT.get(kind(field))
    if convert is None:
        return text
    if not text.strip():
        raise SettingsError(f"{name} is empty; it must be {wanted(field)}, or not set at all.")
    try:
        return convert(text)
    except ValueError:
        return text


def build(model: type[M], known: Places, given: Mapping[Name, Given]) -> M:
    """The model with what was given, defaults for the rest. Raises `SettingsError` with the first thing wrong.

    The origins of the values are the validation's context.
    """
    values: dict[str, Any] = {}
    for (section, key), one in given.items():
        if section:
            values.setdefault(section, {})[key] = one.value
        else:
            values[key] = one.value
    try:
        return model.model_validate(values, context={name: one.origin for name, one in given.items()})
    except ValidationError as error:
        raise SettingsError(_sentence(known, given, error.errors(include_url=False)[0])) from None


def _sentence(known: Places, given: Mapping[Name, Given], error: ErrorDetails) -> str:
    """What is wrong, in one sentence, out of pydantic's description of it."""
    cause = error.get("ctx", {}).get("error")
    name = _name(given, [str(part) for part in error["loc"] if part != "[key]"], cause)
    one = given.get(name)
    origin = one.origin if one else "The default"
    subject = origin if origin.startswith(PREFIX) else f"{origin}: {title(name)}"
    if isinstance(cause, ContradictionError):
        return f"{subject} {cause.words(name[1])}."
    if isinstance(cause, ValueError):
        return f"{subject} {cause}."
    field = known.fields.get(name)
    must = wanted(field) if field else "text in quotes, a number, true or false"
    secret = is_secret(name[1]) or (field is not None and has_secret(field))
    value = "this value" if secret else shown(one.value if one else None)
    return f"{subject} must be {must}, not {value}."


def _name(given: Mapping[Name, Given], path: list[str], cause: object) -> Name:
    """The setting that is wrong; of two that contradict each other, one that somebody gave."""
    if isinstance(cause, ContradictionError):
        names = [(path[0], key) for key in cause.keys]
        return next((name for name in names if name in given), names[0])
    return (path[0], path[1]) if len(path) > 1 else ("", path[0])
