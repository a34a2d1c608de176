"""`sluice dlq`: look into the dead letters; repair them and put them back, each once."""

from __future__ import annotations

import click

from consumer.cli.dlq_list import list_letters
from consumer.cli.dlq_requeue import requeue
from consumer.cli.dlq_show import show


@click.group("dlq")
def command() -> None:
    """Look into the dead letters; repair them and put them back, each once.

    \b
    Examples:
      sluice dlq list --since 24h
      sluice dlq show 3/42
      sluice dlq requeue --reason purchase_revenue --cast event_data.revenue=number --dry-run
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped


for sub_command in (list_letters, show, requeue):
    command.add_command(sub_command)
