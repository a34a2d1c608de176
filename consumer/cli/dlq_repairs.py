"""The repairs of `sluice dlq requeue`: options of the command line, and a file of them."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
import msgspec

from consumer.core.repairs import Cast, Drop, Rename, Repair, RepairError, SetTo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KEYS = {"rename": "to", "drop": None, "set": "value", "cast": "to"}
"""What a repair in a file is named after, and which key stands beside the path."""


def _reader(read: Callable[[str], Repair]) -> Callable[..., tuple[Repair, ...]]:
    def callback(
        _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
    ) -> tuple[Repair, ...]:
        try:
            return tuple(read(value) for value in values)
        except RepairError as error:
            raise click.BadParameter(str(error)) from None

    return callback


_OPTIONS = (
    click.option(
        "--rename",
        "renames",
        multiple=True,
        callback=_reader(Rename.read),
        metavar="PATH=NAME",
        help="Rename a field.",
    ),
    click.option(
        "--drop",
        "drops",
        multiple=True,
        callback=_reader(Drop.read),
        metavar="PATH",
        help="Take a field out.",
    ),
    click.option(
        "--set",
        "sets",
        multiple=True,
        callback=_reader(SetTo.read),
        metavar="PATH=VALUE",
        help='Put a value: JSON if it is JSON (79.5, null, "79"), else text.',
    ),
    click.option(
        "--cast",
        "casts",
        multiple=True,
        callback=_reader(Cast.read),
        metavar="PATH=TYPE",
        help="Make it a number, string, integer or boolean, where what it says allows it.",
    ),
)


def repair_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options for repairs; `repairs_of` makes a list of them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def repairs_of(options: dict[str, Any], file: Path | None) -> list[Repair]:
    """All repairs in the order in which they are done: the file's, then renames, drops, sets, casts. Raises
    click.UsageError."""
    found = [] if file is None else read_repairs(file)
    return [*found, *options["renames"], *options["drops"], *options["sets"], *options["casts"]]


def read_repairs(file: Path) -> list[Repair]:
    """The repairs of a TOML file: `[[repair]]` tables, in their order. Raises click.UsageError with one sentence."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} is no TOML: {error}") from None
    tables = document.get("repair")
    if not isinstance(tables, list) or document.keys() != {"repair"}:
        raise click.UsageError(f"{file} must hold [[repair]] tables and nothing else")
    return [_repair(file, number, table) for number, table in enumerate(tables, 1)]


def _repair(file: Path, number: int, table: Any) -> Repair:
    where = f"{file}, repair {number}"
    kind = next((name for name in _KEYS if name in table), None) if isinstance(table, dict) else None
    if kind is None:
        raise click.UsageError(f"{where} must have one of {', '.join(_KEYS)}")
    beside = _KEYS[kind]
    if table.keys() != {kind, *([beside] if beside else [])} or not isinstance(table[kind], str):
        raise click.UsageError(f'{where} must be {kind} = "PATH"' + (f" with {beside} = …" if beside else ""))
    try:
        match kind:
            case "rename":
                return Rename.read(f"{table[kind]}={table['to']}")
            case "drop":
                return Drop.read(table[kind])
            case "cast":
                return Cast.read(f"{table[kind]}={table['to']}")
        return SetTo.read(f"{table[kind]}={_json(where, table['value'])}")
    except RepairError as error:
        raise click.UsageError(f"{where}: {error}") from None


_numbers = msgspec.json.Encoder(decimal_format="number")


def _json(where: str, value: Any) -> str:
    """A TOML value as JSON; numbers by their digits."""
    try:
        return _numbers.encode(_plain(value)).decode()
    except (TypeError, ValueError):
        raise click.UsageError(f"{where}: JSON has no such value") from None


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case bool() | int() | str():
            return value
        case Decimal() if value.is_finite():
            return value
    raise TypeError
