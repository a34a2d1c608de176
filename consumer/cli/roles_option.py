"""`--roles`: which of the three a process is."""

from __future__ import annotations

import click

from consumer.runtime.app import ROLES


def _roles(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    roles = tuple(dict.fromkeys(role.strip() for role in text.split(",") if role.strip()))
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise click.BadParameter(f"{text!r} is none of: {', '.join(ROLES)}", param_hint="--roles")
    return roles


roles_option = click.option(
    "--roles",
    default=",".join(ROLES),
    show_default=True,
    metavar="LIST",
    callback=_roles,
    help="What this process does, with commas between: gate, watch, deliver. They meet in Kafka topics only.",
)
