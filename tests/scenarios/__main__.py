"""`make scenarios`: seeded shops with realistic noise, faults of many kinds, sizes and times, and what the real core makes
of them: found or missed, how soon, by one page or more, and what was false on quiet days.

    python -m tests.scenarios --seeds 10 --jobs 2
    python -m tests.scenarios --fault outage --fault half_lost --seeds 30
    python -m tests.scenarios --volume 100 --seeds 1
    python -m tests.scenarios --files day1.csv --files day2.csv

Nothing is asserted; the same options give the same numbers.
"""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tests.scenarios import table
from tests.scenarios.catalogue import FAULTS
from tests.scenarios.core import Way
from tests.scenarios.month import DAYS, Month, Task, run_month

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGE = 10
"""From this volume on, a seed has all of its faults on one day."""


def run_all(tasks: Sequence[Task], jobs: int) -> Iterator[Month]:
    """The months of all tasks, in their order."""
    if jobs == 1:
        yield from map(run_month, tasks)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(run_month, tasks)


def as_json(months: Sequence[Month]) -> bytes:
    """Everything that is known of them, one document, so that runs can be compared."""
    document = [
        month._asdict()
        | {
            "quiet": [page._asdict() for page in month.quiet],
            "trials": [trial.as_json() for trial in month.trials],
        }
        for month in months
    ]
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


@click.command()
@click.option("--seeds", default=6, show_default=True, help="How many months, each of a shop of its own.")
@click.option("--first-seed", default=0, show_default=True, help="The first of the seeds.")
@click.option("--times", default=1, show_default=True, help="How often a seed has each fault and size.")
@click.option(
    "--fault", "chosen", multiple=True, type=click.Choice(list(FAULTS)), help="Only this; may be repeated."
)
@click.option("--quiet", "no_faults", is_flag=True, help="Quiet months only.")
@click.option("--quick", is_flag=True, help="Two seeds.")
@click.option("--volume", default=1.0, show_default=True, help="Times 3,500 events and 19 purchases a day.")
@click.option("--days", default=DAYS, show_default=True, help="Days of a quiet month.")
@click.option(
    "--way", type=click.Choice([str(way) for way in Way]), help="How all are read; else each seed its own."
)
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option(
    "--files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Real days to resample; may be repeated.",
)
@click.option(
    "--examples", default=1, show_default=True, help="How many of each kind that went wrong are shown."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="A file for everything.")
@click.argument("more_files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(
    seeds: int,
    first_seed: int,
    times: int,
    chosen: tuple[str, ...],
    *,
    no_faults: bool,
    quick: bool,
    volume: float,
    days: int,
    way: str | None,
    jobs: int,
    files: tuple[Path, ...],
    examples: int,
    json_file: Path | None,
    more_files: tuple[Path, ...],
) -> None:
    """Runs faults over seeded months, or over months resampled from real days (`--files day1.csv day2.csv …`): give
    days that were quiet, since what was wrong on them comes again."""
    tasks = [
        Task(
            seed=seed,
            faults=() if no_faults else chosen or tuple(FAULTS),
            times=times,
            volume=volume,
            days=days,
            one_day=volume >= LARGE,
            files=(*files, *more_files),
            way=Way(way) if way else None,
        )
        for seed in range(first_seed, first_seed + (min(seeds, 2) if quick else seeds))
    ]
    months: list[Month] = []
    for month in run_all(tasks, jobs):
        months.append(month)
        click.echo(f"seed {month.seed} ({month.way}): {len(month.trials)} faults", err=True)
    for part in (table.faults(months), table.quiet(months), table.examples(months, examples)):
        click.echo(f"{part}\n")
    if json_file is not None:
        json_file.write_bytes(as_json(months))


if __name__ == "__main__":
    main()
