"""The processes that share the work: each under a name of its own, on a way of its own to the broker; whoever ends by
itself is noted and started again, as a supervisor would."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.processes import PROGRAM, Process, Site
from tests.torture.network import Way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.torture.machine import WallClock

PARENT = Path(__file__).parents[2]


@dataclass
class Member:
    """One place in the herd, and who holds it now. `busy`: a fault is at work on it."""

    name: str
    way: Way
    clock: WallClock | None = None
    instance: str = ""
    process: Process | None = None
    busy: bool = False

    @property
    def runs(self) -> Process:
        """Its process, which has been started."""
        assert self.process is not None
        return self.process


@dataclass
class Herd:
    """All members. `ended`: what was said by those that ended though nobody had ended them."""

    site: Site
    rng: Random
    members: list[Member] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    _ways: ExitStack = field(default_factory=ExitStack)
    _strangers: int = 0

    def add(self, name: str, clock: WallClock | None = None) -> Member:
        """One more member, not started yet."""
        way = self._ways.enter_context(Way(self.site.servers))
        member = Member(name, way, clock, instance=name)
        self.members.append(member)
        return member

    def start(self, member: Member, *, new_name: bool = False) -> None:
        """Starts its process, under the name that it had or under a new one."""
        if new_name:
            self._strangers += 1
            member.instance = f"{member.name}{self._strangers}"
        member.process = self.launch(member)

    def launch(self, member: Member, *, instance: str = "") -> Process:
        """A process on the member's way to the broker."""
        config = str(self.site.settings(member.way.address))
        environment = {"SLUICE_INSTANCE": instance or member.instance, "PYTHONFAULTHANDLER": "1"}
        program = PROGRAM
        if member.clock is not None:
            program = (sys.executable, "-W", "error", "-m", "tests.torture.jumping", str(member.clock.file))
            environment["PYTHONPATH"] = os.pathsep.join(
                [str(PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
            )
        process = Process(["run", "--config", config], environment, self.site.folder, program)
        self.site.processes.append(process)
        return process

    def stranger(self) -> Process:
        """One process more, under a name that nobody has, on somebody's way."""
        self._strangers += 1
        return self.launch(self.rng.choice(self.members), instance=f"stranger{self._strangers}")

    def free(self) -> list[Member]:
        """Those that no fault is at work on, and that run."""
        return [member for member in self.members if not member.busy and member.runs.running()]

    def mend(self) -> None:
        """Starts anew who ended by itself."""
        for member in self.members:
            if not member.busy and not member.runs.running():
                self.note_end(member)
                self.start(member)

    def note_end(self, member: Member) -> None:
        """Puts on record what a member's process said before it ended by itself."""
        self.note_process(member.runs, member.instance)

    def note_process(self, process: Process, name: str = "a stranger") -> None:
        """Puts on record what any process said before it ended by itself."""
        said = [str(line.get("reason", line["event"])) for line in process.log[-3:]]
        words, number = list(process.words)[:1], self.site.processes.index(process)
        self.ended.append(
            f"{name} (log {number:04d}) ended with {process.exit_code()}: {' / '.join([*said, *words])}"
        )

    def pids(self) -> Iterator[int]:
        """Process ids of those that run."""
        return (process.pid for process in self.site.processes if process.running())

    def close(self) -> None:
        """Ends all, at once."""
        for process in self.site.processes:
            process.resume()
            process.kill()
        self._ways.close()

    def write_logs(self, folder: Path) -> None:
        """What each process said, a file each."""
        folder.mkdir(exist_ok=True)
        for number, process in enumerate(self.site.processes):
            lines = [*map(json.dumps, process.log), *process.words]
            (folder / f"{number:04d}.log").write_text("\n".join(lines) + "\n")

    def restores(self) -> list[float]:
        """Seconds of every restore of a partition that any process told of."""
        return [
            line["seconds"] for process in self.site.processes for line in process.said("partition restored")
        ]
