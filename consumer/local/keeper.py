"""A process of its own that runs one program for its owner, and ends it when the owner is gone, however it went.

Run as `python keeper.py OWNER_PID LOG [FOLDER]`, with nothing but the standard library. On standard input comes one
JSON array per line, on standard output goes one JSON value for each:

    ["run", ARGUMENT, ...]    start a program, its output appended to LOG      -> process id, or an error's text
    ["wait", SECONDS]         give it that long to end                         -> exit code; null while it runs
    ["terminate", SECONDS]    ask it to end; kill it if it has not by then     -> exit code
    ["kill"]                  kill it                                          -> exit code

When the input ends, or the owner has died, the program is ended and FOLDER removed; with a FOLDER the program is
killed, since nobody will read what it would still write. The lock that the owner holds on its data goes on for as
long as this process has the inherited file open.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWNER_SECONDS = 1.0
"""How often it is looked whether the owner lives. Its pipe tells at once, unless a fork of the owner still holds it."""

LAST_SECONDS = 10.0
"""How long a program whose owner is gone may take to end by itself."""

_PR_SET_PDEATHSIG = 1


class Kept:
    """The one program."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *command: str) -> int | str:
        """Start it; its process id, or why not."""
        try:
            with open(self._log, "ab") as log:  # noqa: PTH123 - pathlib would double this process's start time
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has a single thread
                )
        except OSError as error:
            return str(error)
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Its exit code, or None after that many seconds; 0 where none was started."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self, seconds: float) -> int:
        """Ask it to end, kill it after that many seconds; its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        code = self.wait(seconds)
        return self.kill() if code is None else code

    def kill(self) -> int:
        """Kill it; its exit code."""
        if self._process is None:
            return 0
        self._process.kill()
        return self._process.wait()


def _die_with_parent() -> None:
    """On Linux, have the program killed should this process be killed; elsewhere there is no such call."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def requests(owner: int) -> Iterator[list[str]]:
    """What the owner asks, until its end."""
    unfinished = b""
    while os.getppid() == owner:
        if not select.select([0], [], [], OWNER_SECONDS)[0]:
            continue
        read = os.read(0, 65536)
        if not read:
            return
        *lines, unfinished = (unfinished + read).split(b"\n")
        yield from map(json.loads, lines)


def main(owner: str, log: str, folder: str = "") -> None:
    """Serve the owner to its end, then clean up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    kept = Kept(log)
    answers: dict[str, Callable[..., object]] = {
        "run": kept.run,
        "wait": kept.wait,
        "terminate": kept.terminate,
        "kill": kept.kill,
    }
    try:
        with contextlib.suppress(BrokenPipeError):  # the owner died before it could hear the answer
            for verb, *arguments in requests(int(owner)):
                os.write(1, json.dumps(answers[verb](*arguments)).encode() + b"\n")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if folder:
            kept.kill()
            shutil.rmtree(folder, ignore_errors=True)
        else:
            kept.terminate(LAST_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
