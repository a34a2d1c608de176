"""`sluice dlq list`: how many dead letters there are of which kind, and what has become of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.dlq_options import dead_letters_of, filters, reading_of, wanted_of
from consumer.cli.exits import NotPossibleError
from consumer.cli.stacked import entry
from consumer.core.dead_letter_list import Column, Groups, Seen
from consumer.core.dead_letters import MEANINGS, Outcome
from consumer.core.instant import rfc3339
from consumer.runtime.dead_letter_file import read_dead_letters
from consumer.runtime.files import FileError
from consumer.runtime.kafka.delivered_topics import TailError
from reports.render import personal
from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from consumer.core.dead_letter_list import Group, Wanted
    from consumer.settings import Settings

_DEFAULT = (Column.REASON, Column.FIELD, Column.EVENT)
_TO_THE_SECOND = 19


def _columns(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[Column, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    known = [column.value for column in Column]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name[:40]!r} is no column: use some of {', '.join(known)}")
    return tuple(Column(name) for name in names)


@click.command("list")
@filters
@click.option(
    "--group",
    "columns",
    default=",".join(_DEFAULT),
    show_default=True,
    callback=_columns,
    metavar="COLUMNS",
    help=f"What to group by, with commas: some of {', '.join(Column)}.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every number.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Look into the dead_letters.ndjson of a backfill instead.",
)
@config_option
def list_letters(
    columns: tuple[Column, ...],
    as_json: bool,  # noqa: FBT001 - click's flag
    file: Path | None,
    config: Path | None,
    **options: Any,
) -> None:
    """Count the dead letters by reason, field and event name, with where one of each lies (partition/offset).

    The day is the one that counts it as rejected, hours and times are those of the rejection, by the wall clock. No
    personal data is shown. A terminal gets some lines for each kind, a pipe gets columns parted by tabs.

    \b
    Examples:
      sluice dlq list --since 24h
      sluice dlq list --group day,reason --reason purchase_revenue
      sluice dlq list --json | jq '.outcomes'
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    settings = settings_of(config)
    reading, wanted = reading_of(settings, contract_of(settings)), wanted_of(options)
    groups = Groups(columns, reading)
    try:
        found = _of_topic(settings, wanted) if file is None else _of_file(file)
        for seen in found:
            if wanted.has(seen.letter, reading):
                groups.add(seen)
    except (TailError, FileError) as error:
        raise NotPossibleError(str(error)) from None
    source = settings.topics.dead_letters if file is None else str(file)
    if as_json:
        click.echo(_as_json(source, columns, groups))
    else:
        _show(source, columns, groups)


def _of_topic(settings: Settings, wanted: Wanted) -> Iterator[Seen]:
    letters = dead_letters_of(settings)
    if letters.put_back:
        letters.learn(wanted.since_ms)
    for name, letter in letters.all(wanted.since_ms):
        yield Seen(letter, letters.history.outcome(letter), name)


def _of_file(file: Path) -> Iterator[Seen]:
    for name, letter in read_dead_letters(file):
        yield Seen(letter, Outcome.UNRECOVERABLE if letter.is_hopeless else Outcome.OPEN, name)


def _show(source: str, columns: tuple[Column, ...], groups: Groups) -> None:
    outcomes = groups.outcomes()
    told = [outcome for outcome in Outcome if outcomes[outcome]] or [Outcome.OPEN]
    found = groups.ordered()
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        titles = [*columns, "count", *(outcome.value for outcome in told), "first", "last", "example"]
        for row in (titles, *(_row(group, told) for group in found)):
            click.echo("\t".join(row))
    elif not found:
        click.echo(f"There is no such dead letter in {source}.")
    else:
        for group in found:
            _stack(console, columns, group)


def _stack(console: Console, columns: tuple[Column, ...], group: Group) -> None:
    """The group's cells, then its counts and times; a cell that would not say what it is has its column's name."""
    plain = (Column.REASON, Column.FIELD, Column.EVENT)
    cells = zip(columns, _cells(group), strict=True)
    names = [cell if column in plain else f"{column} {cell}" for column, cell in cells if cell]
    facts = [f"{group.outcomes[outcome]:,} {outcome}" for outcome in Outcome if group.outcomes[outcome]]
    first, last = _moment(group.first_ms), _moment(group.last_ms)
    when = f"rejected {first} UTC" if first == last else f"rejected {first} to {last} UTC"
    entry(
        console,
        (f"{group.count:,} ×", *names),
        (*facts, when if first else "", f"example {terminal(group.example)}"),
    )


def _cells(group: Group) -> list[str]:
    return [personal.text(terminal(cell, 64)) for cell in group.cells]


def _row(group: Group, told: list[Outcome]) -> list[str]:
    return [
        *_cells(group),
        str(group.count),
        *(str(group.outcomes[outcome] or "") for outcome in told),
        _moment(group.first_ms),
        _moment(group.last_ms),
        terminal(group.example),
    ]


def _moment(ms: int) -> str:
    return rfc3339(ms)[:_TO_THE_SECOND].replace("T", " ") if ms >= 0 else ""


def _as_json(source: str, columns: tuple[Column, ...], groups: Groups) -> str:
    told = {
        "schema_version": 1,
        "source": source,
        "by": columns,
        "count": groups.outcomes().total(),
        "outcomes": _counts(groups.outcomes()),
        "meanings": {outcome: MEANINGS[outcome] for outcome in Outcome},
        "groups": [
            {
                **dict(zip(columns, (personal.text(cell) for cell in group.cells), strict=True)),
                "count": group.count,
                "outcomes": _counts(group.outcomes),
                "first": rfc3339(group.first_ms) if group.first_ms >= 0 else None,
                "last": rfc3339(group.last_ms) if group.last_ms >= 0 else None,
                "example": group.example,
            }
            for group in groups.ordered()
        ],
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _counts(outcomes: Counter[str]) -> dict[str, int]:
    return {outcome: outcomes[outcome] for outcome in Outcome}
