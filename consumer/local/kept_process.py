"""A program that cannot outlive this process, not even after `kill -9`: the owner's side of `keeper.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.local.broker_error import BrokerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEEPER = Path(__file__).with_name("keeper.py")
_CLOSE_SECONDS = 30


class KeptProcess:
    """One program at a time, run by a keeper process; `close` ends both. From one thread at a time.

    `log` takes the program's output, and its folder is where the program runs. `held` is an open file that stays
    open (and so locked) for as long as the program may run. `removed` is a folder that goes when this process does,
    and with `close`.
    """

    def __init__(
        self, log: Path, held: int, environment: Mapping[str, str], removed: Path | None = None
    ) -> None:
        removing = [] if removed is None else [str(removed)]
        with log.open("ab") as complaints:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER), str(os.getpid()), str(log), *removing],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=log.parent,
                env=environment,
                pass_fds=[held],
                start_new_session=True,  # Ctrl-C is this process's to handle
            )

    def run(self, command: Sequence[str]) -> int:
        """Start the program and give its process id; BrokerError if it cannot be started."""
        answer = self._ask("run", *command)
        if isinstance(answer, int):
            return answer
        raise BrokerError(f"{command[0]} does not start: {answer}.")

    def exit_code(self, wait_seconds: float = 0.0) -> int | None:
        """The ended program's exit code (negative: the signal that ended it), None if it runs on after the wait."""
        answer = self._ask("wait", wait_seconds)
        return answer if isinstance(answer, int) else None

    def terminate(self, seconds: float) -> None:
        """End the program by SIGTERM, after `seconds` by SIGKILL; return when it is gone."""
        self._ask("terminate", seconds)

    def kill(self) -> None:
        """End the program by SIGKILL; return when it is gone."""
        self._ask("kill")

    def close(self) -> None:
        """End the program and its keeper, and remove the folder; a second call does nothing."""
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._keeper.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()

    def _ask(self, *request: object) -> object:
        assert self._keeper.stdin is not None  # noqa: S101 - it was opened as a pipe
        assert self._keeper.stdout is not None  # noqa: S101
        try:
            self._keeper.stdin.write(json.dumps(request).encode() + b"\n")
            answer = self._keeper.stdout.readline()
        except (BrokenPipeError, ValueError):
            answer = b""
        if not answer:
            raise BrokerError("The embedded Kafka's keeper process was ended by somebody else.")
        return json.loads(answer)
