"""`sluice dlq show`: one dead letter, with the offending place marked and personal data masked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.dlq_options import dead_letters_of
from consumer.cli.exits import NotPossibleError
from consumer.core.dead_letters import Outcome
from consumer.core.requeue import Place
from consumer.runtime.dead_letter_file import read_dead_letters
from consumer.runtime.files import FileError
from consumer.runtime.kafka.delivered_topics import TailError
from reports.render.dead_letter import Shown, as_json, lines

if TYPE_CHECKING:
    from consumer.runtime.kafka.dead_letters import DeadLetters, Lying
    from consumer.settings import Settings

CLOCKS_MS = 600_000
"""How far the clocks of the gates' machines may be apart."""

_NAME = re.compile(r"\d{1,10}/\d{1,19}", re.ASCII)


@click.command("show")
@click.argument("letter", metavar="LETTER")
@click.option("--unmask", is_flag=True, help="Show personal data too: it is on your screen then.")
@click.option("--json", "as_object", is_flag=True, help="As one JSON object.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Look into the dead_letters.ndjson of a backfill instead; LETTER is the number of its line there.",
)
@config_option
def show(
    letter: str,
    unmask: bool,  # noqa: FBT001 - click's flag
    as_object: bool,  # noqa: FBT001 - as above
    file: Path | None,
    config: Path | None,
) -> None:
    """Show one dead letter: why, where it stood, what has become of it, and the event with the place marked.

    LETTER is its partition/offset in the dead letters, as `sluice dlq list` has it, or topic/partition/offset of the
    event in the input. Client ids, e-mail addresses, queries of URLs and whatever the contract does not know are masked
    unless you ask for them.

    \b
    Examples:
      sluice dlq show 3/42
      sluice dlq show events/0/1234 --unmask
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    settings = settings_of(config)
    contract = contract_of(settings)
    try:
        shown = _of_topic(settings, letter) if file is None else _of_file(file, letter)
    except (TailError, FileError) as error:
        raise NotPossibleError(str(error)) from None
    if as_object:
        told = msgspec.json.encode(as_json(shown, contract, unmask=unmask))
        click.echo(msgspec.json.format(told, indent=2))
        return
    for line in lines(shown, contract, unmask=unmask):
        click.secho(line.text, fg="red", bold=True) if line.marked else click.echo(line.text)


def _of_topic(settings: Settings, wanted: str) -> Shown:
    place = Place.read(wanted)
    if place is None and not _NAME.fullmatch(wanted):
        raise click.UsageError("LETTER is partition/offset, such as 3/42: see `sluice dlq list`")
    letters = dead_letters_of(settings)
    found = letters.one(wanted) if place is None else _newest(letters, place)
    if found is None:
        raise NotPossibleError(f"there is no dead letter {wanted} in {letters.topic}: see `sluice dlq list`")
    name, letter = found
    letters.learn(max(letter.at_ms - CLOCKS_MS, 0))
    return Shown(name, letter, letters.history.outcome(letter), letters.history.last(letter))


def _newest(letters: DeadLetters, place: Place) -> Lying | None:
    """The last dead letter of the event that stood there, at first or when it was put back."""
    found = None
    for lying in letters.all():
        if place in (lying.letter.place, lying.letter.first):
            found = lying
    return found


def _of_file(file: Path, wanted: str) -> Shown:
    for name, letter in read_dead_letters(file):
        if name == wanted:
            return Shown(name, letter, Outcome.UNRECOVERABLE if letter.is_hopeless else Outcome.OPEN, None)
    raise NotPossibleError(f"{file} has no line {wanted[:40]!r}: see `sluice dlq list --file {file}`")
