"""Draws inputs and tries them, with a deadline each; by coverage where atheris is installed, else by the seed alone."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.fuzz.grammar import Grammar
from tests.fuzz.oracle import WrongError
from tests.fuzz.target import MOST_BYTES
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from types import FrameType

    from tests.fuzz.target import Target

MOST_SECONDS = 10.0
"""Of processor time that one input may take, however busy the machine is."""

MOST_GROWTH_MB = 400
"""By which the memory of a target may grow over all its inputs."""

MOST_POOL = 500
MOST_FAILURES = 20


class Failure(NamedTuple):
    """What went wrong, where, and the first input that did it."""

    where: str
    what: str
    data: bytes


class Outcome(NamedTuple):
    """How a target did."""

    target: str
    inputs: int
    seconds: float
    crashes: int
    hangs: int
    broken: int
    peak_mb: int
    growth_mb: int
    guided: bool
    failures: list[Failure]

    @property
    def fine(self) -> bool:
        """Whether nothing was found."""
        return not self.failures and self.growth_mb <= MOST_GROWTH_MB


class Hang(BaseException):
    """An input took too long; no `except Exception` may hide it."""


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise Hang


class Trial:
    """Tries inputs on a target and keeps account."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.inputs = self.crashes = self.hangs = self.broken = 0
        self.failures: dict[str, Failure] = {}
        self._began = time.perf_counter()
        self._memory_at_first = 0
        signal.signal(signal.SIGPROF, _too_long)

    def try_one(self, data: bytes) -> None:
        """One input; what goes wrong is kept, by the line where it did."""
        self.inputs += 1
        if self.inputs == 1_000:
            self._memory_at_first = peak_mb()
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        try:
            self.target.run(data)
        except Hang:
            self.hangs += 1
            self._keep("hang", f"more than {MOST_SECONDS} s", data)
        except WrongError as error:
            self.broken += 1
            self._keep(f"broken: {str(error)[:50]}", str(error), data)
        except Exception as error:  # noqa: BLE001 - any is a finding
            self.crashes += 1
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
            self._keep(where, traceback.format_exc(limit=-6), data)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _keep(self, where: str, what: str, data: bytes) -> None:
        known = self.failures.get(where)
        if known is None and len(self.failures) >= MOST_FAILURES:
            return
        if known is None or len(data) < len(known.data):
            self.failures[where] = Failure(where, what, data)

    def outcome(self, *, guided: bool) -> Outcome:
        """How it went so far."""
        peak = peak_mb()
        growth = peak - self._memory_at_first if self._memory_at_first else 0
        seconds = time.perf_counter() - self._began
        counts = (self.crashes, self.hangs, self.broken)
        failures = list(self.failures.values())
        return Outcome(self.target.name, self.inputs, seconds, *counts, peak, growth, guided, failures)


def peak_mb() -> int:
    """The most memory that this process ever had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1024 * 1024 if sys.platform == "darwin" else 1024)


class Source:
    """Draws inputs: new ones by the grammar, and harmed ones of those that were drawn before."""

    def __init__(self, target: Target, seed: int) -> None:
        number = int.from_bytes(hashlib.sha256(f"{target.name} {seed}".encode()).digest()[:8])
        self._grammar = Grammar(Random(number))
        self._target = target
        self.pool: list[bytes] = []
        """Inputs drawn before."""

    def next(self) -> bytes:
        """The next input."""
        grammar, pool = self._grammar, self.pool
        if len(pool) < 20 or grammar.often(0.5):
            data = self._target.draw(grammar)
            if len(pool) < MOST_POOL:
                pool.append(data)
            else:
                pool[grammar.rng.randrange(MOST_POOL)] = data
            return data[:MOST_BYTES]
        return grammar.harmed(grammar.pick(pool), pool)[:MOST_BYTES]


def run_plain(name: str, inputs: int, seed: int) -> Outcome:
    """So many inputs by the seed alone, in this process."""
    with closing(TARGETS[name]()) as target:
        source, trial = Source(target, seed), Trial(target)
        for _ in range(inputs):
            trial.try_one(source.next())
        return trial.outcome(guided=False)


def can_guide() -> bool:
    """Whether atheris is here, which has no wheel for every platform."""
    return importlib.util.find_spec("atheris") is not None


def run_guided(name: str, inputs: int, seed: int) -> Outcome:
    """So many inputs by coverage, in a process of its own: libFuzzer ends the one that it runs in."""
    with tempfile.NamedTemporaryFile(prefix="sluice-fuzz-") as answer:
        command = [sys.executable, "-m", "tests.fuzz.guided", name, str(inputs), str(seed), answer.name]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
        told = Path(answer.name).read_text("utf-8")
        if not told:
            what = f"the process ended with {ended.returncode}: {ended.stderr[-3000:]}"
            return Outcome(name, 0, 0, 1, 0, 0, 0, 0, guided=True, failures=[Failure("process", what, b"")])
    loose = json.loads(told)
    failures = [Failure(where, what, bytes.fromhex(data)) for where, what, data in loose.pop("failures")]
    return Outcome(**loose, failures=failures)


def written(outcome: Outcome) -> str:
    """An outcome as JSON, for the process that waits for it."""
    failures = [(one.where, one.what, one.data.hex()) for one in outcome.failures]
    return json.dumps(outcome._asdict() | {"failures": failures})
