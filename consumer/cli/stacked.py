"""Lists for people: an entry is a line that names it and, indented under it, what there is to say; readable however
narrow the terminal is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_INDENT = (0, 0, 0, 4)
_BETWEEN = "  "


def entry(console: Console, names: Sequence[str], facts: Sequence[str], words: str = "") -> None:
    """Prints an entry: its names side by side, its facts with commas, and a sentence. All are printable lines; those
    that are empty are left out."""
    console.print(Text(_BETWEEN.join(filter(None, names)), style="bold", overflow="fold"))
    for line in (", ".join(filter(None, facts)), words):
        if line:
            console.print(Padding(Text(line, overflow="fold"), _INDENT))
