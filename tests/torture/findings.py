"""What the verifier compared, as lines of a table. None of the product's code."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_EXAMPLES = 5

HEAD = """\
| what | compared | lost | twice | differing |
| --- | ---: | ---: | ---: | ---: |"""


@dataclass
class Line:
    """One thing: how many of it were compared, and how many were not as they must be."""

    what: str
    compared: int = 0
    lost: int = 0
    twice: int = 0
    differing: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether everything was as it must be."""
        return not self.lost + self.twice + self.differing

    def is_lost(self, example: str) -> None:
        """Something is not there."""
        self.lost += 1
        self._note("lost", example)

    def is_twice(self, example: str, times: int = 1) -> None:
        """Something is there more often than it should."""
        self.twice += times
        self._note("twice", example)

    def differs(self, example: str) -> None:
        """Something is not what it should be."""
        self.differing += 1
        self._note("differs", example)

    def _note(self, how: str, example: str) -> None:
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(f"{how}: {example[:400]}")

    def row(self) -> str:
        """The line of the table."""
        return f"| {self.what} | {self.compared:,} | {self.lost} | {self.twice} | {self.differing} |"


@dataclass
class Verdict:
    """All lines; and what is worth telling without being wrong."""

    lines: list[Line] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether everything was as it must be."""
        return all(line.equal for line in self.lines)

    def line(self, what: str) -> Line:
        """A new line."""
        line = Line(what)
        self.lines.append(line)
        return line

    def table(self) -> str:
        """As Markdown, with some of what is wrong behind it."""
        wrong = [f"- {line.what}: {example}" for line in self.lines for example in line.examples]
        return "\n".join([HEAD, *(line.row() for line in self.lines), *([""] if wrong else []), *wrong])
