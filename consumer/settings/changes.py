"""Settings changed for a trial: `watch.z=4` on top of what the file and the variables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.settings.definitions import PLACES, Settings
from consumer.settings.names import nearest, shown_name
from consumer.settings.source import Given, build, typed
from consumer.settings.words import SettingsError, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from consumer.settings.names import Name


def changed(settings: Settings, changes: Iterable[str], sections: Collection[str]) -> Settings:
    """The settings with each change (`section.key=value`) made. Only these sections can be changed.

    Raises `SettingsError`, whose text is one sentence.
    """
    given = _present(settings)
    seen: set[Name] = set()
    for change in changes:
        name, value = _read(change, sections)
        if name in seen:
            raise SettingsError(f"--set {'.'.join(name)} is given twice; give it once.")
        seen.add(name)
        given[name] = Given(value, "--set")
    return build(Settings, PLACES, given)


def _present(settings: Settings) -> dict[Name, Given]:
    origins = {(one.section, one.key): one.origin for one in settings.described()}
    given: dict[Name, Given] = {}
    for section, key in PLACES.fields:
        home = getattr(settings, section) if section else settings
        given[section, key] = Given(getattr(home, key), origins[section, key])
    for section in PLACES.free:
        values = getattr(settings, section)
        given |= {(section, key): Given(value, origins[section, key]) for key, value in values.items()}
    return given


def _read(change: str, sections: Collection[str]) -> tuple[Name, object]:
    name, equals, text = change.partition("=")
    name, text = name.strip(), text.strip()
    section, dot, key = name.partition(".")
    if not (equals and dot and text):
        raise SettingsError(f"--set {shown(change)} is no change; write one such as --set watch.z=4.")
    if section not in sections:
        raise SettingsError(f"--set cannot change {shown_name(name)}, only {', '.join(sections)}.")
    field = PLACES.fields.get((section, key))
    if field is None:
        keys = PLACES.keys(section)
        hint = nearest(key, keys) or f"it has {', '.join(keys)}"
        raise SettingsError(f"--set: [{section}] has no setting {shown_name(key)}; {hint}.")
    return (section, key), typed(f"--set {name}", text, field)
