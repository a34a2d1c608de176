"""`sluice check`: settings, contract and brokers; what is wrong, in words."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

import click

from consumer.cli.broker_findings import Findings, look_at_broker
from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.exits import ExitCode, NotPossibleError
from consumer.cli.roles_option import roles_option
from consumer.runtime.clock import SystemClock
from consumer.runtime.notify.channels import ChannelError, channels_of
from consumer.settings.definitions import DEFAULT_FILE
from consumer.settings.table import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from consumer.core.contract import Contract, Field
    from consumer.settings import Settings

TIMEOUT_SECONDS = 5.0
"""How long the brokers may take to answer each question."""


@click.command("check")
@roles_option
@config_option
def command(roles: tuple[str, ...], config: Path | None) -> None:
    """Say what is wrong with settings, contract and broker, in words.

    Prints every setting with its value and where that came from (secrets are masked), what the contract says, and
    what a look at the brokers finds, the rights of a process with these roles among it. Nothing is changed anywhere.

    \b
    Exit codes: 0 all is fine, 3 something is wrong, 64 wrong usage.
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    settings = settings_of(config)
    file = config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    _say(settings_lines(settings, file))
    contract = _look_at_contract(settings)
    _say(contract.facts)
    broker = look_at_broker(settings, TIMEOUT_SECONDS, roles)
    _say([f"Broker at {settings.kafka['bootstrap.servers']}", *(f"  {fact}" for fact in broker.facts)])
    problems = contract.problems + _wrong_receivers(settings) + broker.problems
    click.echo("\n".join(verdict_lines(problems)))
    click.get_current_context().exit(ExitCode.NOT_POSSIBLE if problems else ExitCode.FINE)


def _say(lines: Iterable[str]) -> None:
    click.echo("\n".join(lines) + "\n")


def settings_lines(settings: Settings, file: Path | None) -> Iterator[str]:
    """All settings by section; the origin stands beside the values that somebody gave."""
    yield (
        f"Settings from {file} and SLUICE_* variables"
        if file
        else "Settings: no sluice.toml here, so variables alone"
    )
    yield "  (* = given, the others are at their defaults)"
    for section, members in groupby(settings.described(), key=lambda one: one.section):
        if section:
            yield f"  [{section}]"
        for one in members:
            given = one.origin != DEFAULT
            yield f"  {'*' if given else ' '} {one.assignment}" + (f"   ({one.origin})" if given else "")


def contract_lines(contract: Contract, file: str) -> Iterator[str]:
    """What the contract says, in short: `file` is where it stands."""
    yield f"Contract {contract.label} ({file})"
    width = max(len(field.name) for field in contract.fields)
    yield from (f"  {field.name:{width}}  {_meaning(field)}" for field in contract.fields)
    yield f"  event names: {', '.join(sorted(contract.event_names))}"
    if contract.purchase_event:
        yield f"  a purchase: {contract.purchase_event} with {_names(contract.purchase_fields)}"
    else:
        yield "  a purchase: none, the contract names no purchaseEvent"
    if contract.item_fields:
        yield f"  an item: {_names(contract.item_fields)}"
    yield f"  own domains beside the page's: {', '.join(sorted(contract.own_domains)) or 'none'}"
    campaign = f"  campaign parameters: {', '.join(contract.campaign_parameters) or 'none'}"
    yield textwrap.fill(campaign, 110, subsequent_indent="    ", break_on_hyphens=False)


def _meaning(field: Field) -> str:
    parts = [" or ".join(sorted(field.types)), field.severity]
    parts += [f"role {field.role}"] if field.role else []
    parts += [f"also as {', '.join(field.aliases)}"] if field.aliases else []
    return ", ".join(parts)


def _names(fields: Iterable[Field]) -> str:
    return ", ".join(field.name for field in fields)


def _look_at_contract(settings: Settings) -> Findings:
    file = settings.contract.path or "the default one"
    try:
        return Findings(facts=list(contract_lines(contract_of(settings), file)))
    except NotPossibleError as error:
        return Findings(facts=[f"Contract ({file})"], problems=[error.message])


def _wrong_receivers(settings: Settings) -> list[str]:
    """What is wrong with a receiver beyond its settings' types; whether it can be reached says `sluice notify test`."""
    try:
        channels_of(settings, SystemClock())
    except ChannelError as error:
        return [f"{error}."]
    return []


def verdict_lines(problems: list[str]) -> Iterator[str]:
    """The last words: that all is fine, or what is not."""
    if not problems:
        yield "All is fine."
    elif len(problems) == 1:
        yield f"Wrong: {problems[0]}"
    else:
        yield f"{len(problems)} things are wrong:"
        yield from (f"  {number}. {problem}" for number, problem in enumerate(problems, start=1))
