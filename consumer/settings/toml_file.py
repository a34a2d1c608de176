"""A TOML settings file as values, with the line of every key in it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from consumer.settings.words import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES = 262_144
_MOST_LINES_A_VALUE = 100


def read(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """The TOML document and the line of every key in it. Raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; name another one with --config.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"{path} cannot be read ({reason.lower()}); name another file with --config."
        ) from None
    if len(raw) > _MOST_BYTES:
        raise SettingsError(
            f"{path} has more than 256 KiB and is no settings file; name another one with --config."
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}, line {line} is not UTF-8; save the file with that encoding.") from None
    return _parse(path, text), key_lines(text)


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = at[1] if at else text.count("\n") + 1
        what = (
            "sets something that was set before; leave it once"
            if str(error).startswith("Cannot")
            else "is not TOML; look at quotes (text needs them), brackets and the equals sign"
        )
        raise SettingsError(f"{path}, line {line} {what}.") from None
    except (RecursionError, ValueError):  # lists in lists without end; a number with thousands of digits
        raise SettingsError(f"{path} has values that no setting can have; remove them.") from None


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    r"""The line on which each key of a valid TOML text stands, by its whole path.

    A statement is the shortest run of lines that parses, since TOML ends statements with the line; so the lines are
    exact without a second TOML parser. After a value of more than 100 lines nothing is found any more.

    >>> key_lines('group = "a"\n[kafka]\n\n"bootstrap.servers" = "b"')
    {('group',): 1, ('kafka',): 2, ('kafka', 'bootstrap.servers'): 4}
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] | None = ()
    statement: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        statement.append(line)
        if len(statement) > _MOST_LINES_A_VALUE:
            break
        is_header = len(statement) == 1 and line.lstrip().startswith("[")
        try:
            found = tomllib.loads("\n".join(statement))
        except (ValueError, RecursionError):
            continue
        paths = list(_paths(found))
        if is_header:
            table = max(paths, key=len) if line.lstrip()[:2] != "[[" else None
        elif table is None:
            paths = []  # of one table in a list of them: no setting is
        else:
            paths = [(*table, *path) for path in paths]
        for path in paths:
            lines.setdefault(path, number - len(statement) + 1)
        statement = []
    return lines


def _paths(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    open_tables: list[tuple[tuple[str, ...], dict[str, Any]]] = [((), document)]
    while open_tables:
        path, table = open_tables.pop()
        for key, value in table.items():
            yield (*path, key)
            if isinstance(value, dict):
                open_tables.append(((*path, key), value))
