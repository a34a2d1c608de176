"""`make schedules`: tens of thousands of simulated runs, each with faults of its own, on all cores.

    python -m tests.schedules --schedules 20000 --seed 1
    python -m tests.schedules --seed 1 --part 17

Each is the real loop and the real tasks on a Kafka in memory; processes die between any two steps, sleep past their
session, lose their broker and the answers of commits, and clocks jump, as the seed wants it. Half of them have an input
that is not keyed. Exit code 1 if anything was lost, counted twice or different; the part that found it is named, and
finds it again.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import click

from tests.schedules.parts import IN_A_PART, Part, run
from tests.simulation import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORDS = {
    "schedules": "schedules simulated",
    "processes": "processes started",
    "commits": "transactions committed",
    "connection_lost": "connection to the broker lost",
    "commit_refused": "commit refused",
    "commit_answer_lost": "committed, but the answer lost",
    "commit_request_lost": "commit lost on the way there",
    "commit_request_late": "commit arrives after the next one was begun",
    "fetch_slow": "fetch slow",
    "trim_fails": "trimming of the journal fails",
    "rejoins_unheard": "given up by the group, joined anew unheard",
    "killed": "killed between two steps",
    "stopped": "stopped for up to 40 s, then woken",
    "clock_jumps": "wall clock jumps",
    "rebalanced": "group rebalanced",
}


def table(happened: Counter[str]) -> Iterator[str]:
    """Markdown."""
    yield from ("| what | times |", "| --- | ---: |")
    for name in ("schedules", "processes", "commits", *FAULTS):
        yield f"| {WORDS[name]} | {happened[name]:,} |"


def run_all(parts: Sequence[Part], jobs: int) -> int:
    """Prints what goes wrong as it does, and the table. Returns the number of parts that something went wrong in."""
    happened: Counter[str] = Counter()
    failed, began, said = 0, time.monotonic(), time.monotonic()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, (part, counts, wrong) in enumerate(pool.imap_unordered(run, parts), 1):
            happened += counts
            if wrong:
                failed += 1
                click.echo(wrong, err=True)
                click.echo(
                    f"Again: python -m tests.schedules --seed {part.seed} --part {part.number}", err=True
                )
            if time.monotonic() - said > 30 or done == len(parts):
                said = time.monotonic()
                click.echo(
                    f"{happened['schedules']:,} schedules, {said - began:.0f} s, {failed} failed", err=True
                )
    click.echo("\n".join(table(happened)))
    return failed


@click.command(help=__doc__)
@click.option("--schedules", default=20_000, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Of all of them.")
@click.option("--part", type=int, help="Only this part, and the smallest stream that fails in it.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default="one for each core", help="Processes.")
def main(schedules: int, seed: int, part: int | None, jobs: int) -> None:
    """See the module."""
    every = [Part(seed, number) for number in range(-(-schedules // IN_A_PART))]
    failed = run_all(every if part is None else [Part(seed, part, shrink=True)], jobs)
    click.echo(
        f"\n{failed} parts went wrong."
        if failed
        else "\nLost 0, counted twice 0, different 0, in every one.",
        err=bool(failed),
    )
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
