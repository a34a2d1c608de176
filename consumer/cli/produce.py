"""`sluice produce`: files into Kafka, keyed by client id."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.exits import NotPossibleError
from consumer.core import timestamps
from consumer.core.contract import Role
from consumer.core.decode import decode
from consumer.core.rejection import TRUNCATED, Reason
from consumer.runtime.clock import SystemClock
from consumer.runtime.files import FileError, Unreadable, check_files, names_of_fields, read_records
from consumer.runtime.kafka.sender import Sender, SendError
from consumer.runtime.pace import Pace
from consumer.runtime.progress import progress
from consumer.settings.legal import topic as legal_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consumer.core.contract import Contract
    from consumer.runtime.files import FileItem


def _topic(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    try:
        return name and legal_topic(name)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _speed(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)x?", text, re.ASCII)
    if match is None or not float(match[1]):
        raise click.BadParameter("must be a number above 0, such as 60x")
    return float(match[1])


@click.command("produce")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--topic", callback=_topic, help="Topic to send to.  [default: the input topic of the settings]"
)
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    default=4,
    show_default=True,
    help="Partitions of the topic if it is missing and so is created.",
)
@click.option(
    "--speed", callback=_speed, metavar="Nx", help="Pace by event time: 60x sends an hour in a minute."
)
@config_option
def command(
    files: tuple[Path, ...], topic: str | None, partitions: int, speed: float | None, config: Path | None
) -> None:
    """Send files of events to Kafka, keyed by client id.

    FILE is CSV (one event a row) or NDJSON (one event a line), also with .gz. The files are sent in the order in which
    they are named. Lines that cannot be read are sent as they are: what becomes of them is for the gate to say.

    \b
    Examples:
      sluice produce day1.csv day2.csv.gz --topic events
      sluice produce live.ndjson --topic events --speed 60x

    \b
    Exit codes: 0 everything was sent, 3 something was not, 64 wrong usage.
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    settings = settings_of(config)
    contract = contract_of(settings)
    topic = topic or settings.topics.input
    try:
        check_files(files)
        sender = Sender(settings.kafka, topic, partitions, settings.topics.replication_factor)
    except (FileError, SendError) as error:
        raise NotPossibleError(str(error)) from None
    if sender.created:
        click.echo(f"Created the topic {topic} with {partitions} partition{'s' * (partitions > 1)}.")
    unsent = Unsent()
    problem = _send_files(files, sender, unsent, contract, speed)
    _say(sender, unsent)
    if problem := problem or unsent.problem(sender):
        raise NotPossibleError(problem)


@dataclass(slots=True)
class Unsent:
    """What in the files was no record: lines sent as they are, by the reason; files that break off, in words; and how
    many lines were so long that they were not even read to their end."""

    as_they_are: Counter[str] = field(default_factory=Counter)
    broken_off: list[str] = field(default_factory=list)
    beginnings: int = 0

    def problem(self, sender: Sender) -> str:
        """Why not everything was sent; empty when it was."""
        count = sender.too_big + self.beginnings
        if not count:
            return ""
        return (
            f"not sent, since the topic {sender.topic} takes none that large: {_records(count)}; "
            f"raise its max.message.bytes"
        )


def _send_files(
    files: Sequence[Path], sender: Sender, unsent: Unsent, contract: Contract, speed: float | None
) -> str:
    """Sends the files; whatever has been read is delivered even when reading cannot go on. The problem in words."""
    problem = ""
    try:
        with progress(f"Sending to {sender.topic}", sum(path.stat().st_size for path in files)) as advance:
            names = _names(contract, Role.IDENTITY)
            items = read_records(files, names, advance, names_of_fields(contract))
            for item in items if speed is None else _paced(items, speed, contract, sender):
                _send(item, sender, unsent)
    except KeyboardInterrupt:
        problem = "interrupted: the rest of the files was not sent"
    except (FileError, SendError, OSError) as error:
        problem = str(error)
    try:
        sender.finish()
    except SendError as error:
        problem = problem or str(error)
    return problem


def _send(item: FileItem, sender: Sender, unsent: Unsent) -> None:
    if not isinstance(item, Unreadable):
        sender.send(item.value() or b"", item.key())
        return
    record, rejection = item
    if rejection.reason is Reason.CUT_SHORT:
        unsent.broken_off.append(f"{record.topic()}, line {record.offset():,}: {rejection.message}")
    if any(name == TRUNCATED for name, _ in record.headers() or ()):
        unsent.beginnings += 1
    elif value := record.value():
        unsent.as_they_are[rejection.reason] += 1
        sender.send(value, None)


def _paced(items: Iterable[FileItem], speed: float, contract: Contract, sender: Sender) -> Iterator[FileItem]:
    """The items, each when its event's turn has come; those without a time come at once."""
    names = _names(contract, Role.TIMESTAMP)
    pace = Pace(speed, SystemClock(), time.sleep)
    for item in items:
        at_ms = None if isinstance(item, Unreadable) else _time_of(item.value() or b"", names)
        if at_ms is not None:
            pace.wait_for(at_ms, sender.serve)
        yield item


def _time_of(value: bytes, names: Sequence[str]) -> int | None:
    event = decode(value)
    if not isinstance(event, dict):
        return None
    texts = (event.get(name) for name in names)
    return next((timestamps.parse(text) for text in texts if isinstance(text, str)), None)


def _names(contract: Contract, role: Role) -> tuple[str, ...]:
    """The names of the contract's field of that role, its own before its aliases."""
    return next(((found.name, *found.aliases) for found in contract.fields if found.role is role), ())


def _say(sender: Sender, unsent: Unsent) -> None:
    click.echo(f"{_records(sender.delivered.total())} went to the topic {sender.topic}.")
    for partition, count in sorted(sender.delivered.items()):
        click.echo(f"  partition {partition}: {count:,}")
    if unsent.as_they_are:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(unsent.as_they_are.items()))
        click.echo(
            f"{unsent.as_they_are.total():,} of them could not be read and went as they are: {reasons}."
        )
    for sentence in unsent.broken_off:
        click.echo(f"{sentence}.", err=True)
    if sender.unconfirmed:
        click.echo(
            f"{_records(sender.unconfirmed)} more may be there, too: no broker has said so. "
            "What is sent again counts again.",
            err=True,
        )


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"
