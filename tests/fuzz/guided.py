"""The process in which atheris (libFuzzer for Python) chooses inputs by the lines and branches that they reach.

python -m tests.fuzz.guided TARGET INPUTS SEED FILE     writes the outcome into the file
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from random import Random


def main(name: str, inputs: str, seed: str, answer: str) -> None:
    """Tries so many inputs, then leaves at once, since libFuzzer does not come back."""
    atheris = importlib.import_module("atheris")  # not everywhere
    with atheris.instrument_imports(
        include=["consumer", "detectors", "reports"], enable_loader_override=False
    ):
        from tests.fuzz.engine import Source, Trial, written
        from tests.fuzz.grammar import Grammar
        from tests.fuzz.target import MOST_BYTES
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]()
    trial, source = Trial(target), Source(target, int(seed))

    def one(data: bytes) -> None:
        trial.try_one(data)
        if trial.inputs >= int(inputs):
            Path(answer).write_text(written(trial.outcome(guided=True)), "utf-8")
            target.close()
            os._exit(0)

    def mutated(data: bytes, most: int, drawn: int) -> bytes:
        rng = Random(drawn)
        kind = rng.random()
        if kind < 0.3:
            return source.next()[:most]
        if kind < 0.7:
            return Grammar(rng).harmed(data, source.pool)[:most]
        changed: bytes = atheris.Mutate(data, most)
        return changed

    limits = [f"-max_len={MOST_BYTES}", "-len_control=0", "-rss_limit_mb=0", "-timeout=600"]
    quiet = ["-verbosity=0", "-detect_leaks=0", "-handle_segv=0"]
    atheris.Setup([sys.argv[0], f"-seed={int(seed) + 1}", *limits, *quiet], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
