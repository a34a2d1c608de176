"""Where a bench runs, and how the parts of one keep out of each other's way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """`prefix`: what the names of all topics and groups of this bench begin with. `folder`: for its files."""

    prefix: str
    folder: Path

    def named(self, name: str) -> str:
        """A name that no other bench on the same broker has."""
        return f"{self.prefix}-{name}"

    def fresh(self, name: str) -> Path:
        """A new folder."""
        folder = self.folder / name
        folder.mkdir()
        return folder


def say(text: str) -> None:
    """How far it is, on standard error: the report alone goes to standard output."""
    click.echo(text, err=True)
