"""`make torture`: processes, their connections, the broker and the disks are harmed while a shop sends events; then a verifier
that shares no code with the product says whether anything was lost, counted twice, or differs.

    python -m tests.torture --faults 500 --seed 1 --minutes 120
    python -m tests.torture --faults 20 --only "kill -9" --only "broker killed"

The same seed draws the same records and faults; what the machine makes of them in time differs. Exit code 1 if
anything differs.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

import click

from tests.torture import table
from tests.torture.campaign import Options, run
from tests.torture.faults import KINDS


@click.command()
@click.option("--faults", default=500, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Of the events and the faults.")
@click.option("--minutes", default=120.0, show_default=True, help="Longest time for the faults.")
@click.option(
    "--processes", default=3, show_default=True, type=click.IntRange(2, 8), help="That share the work."
)
@click.option("--partitions", default=8, show_default=True, type=click.IntRange(1, 64), help="Of the input.")
@click.option("--rate", default=300.0, show_default=True, help="Records a second, on average.")
@click.option("--day-seconds", default=120.0, show_default=True, help="In which a day of events passes.")
@click.option("--pause-seconds", default=1.0, show_default=True, help="Between two faults, on average.")
@click.option(
    "--unkeyed", is_flag=True, help="A client's records lie in any partition: [input] keyed = false."
)
@click.option("--newer", is_flag=True, help="The newer group protocol: group.protocol = consumer.")
@click.option(
    "--only", multiple=True, type=click.Choice(list(KINDS)), help="Only this kind; may be repeated."
)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Stays afterwards; else a temporary one is used."
)
def main(
    faults: int,
    seed: int,
    minutes: float,
    processes: int,
    partitions: int,
    rate: float,
    day_seconds: float,
    pause_seconds: float,
    unkeyed: bool,  # noqa: FBT001 - click passes it by name
    newer: bool,  # noqa: FBT001 - click passes it by name
    only: tuple[str, ...],
    folder: Path | None,
) -> None:
    """Runs faults against real processes on a real broker, and verifies everything they wrote."""
    kinds = only or tuple(KINDS)
    options = Options(
        faults, seed, minutes, processes, partitions, rate, day_seconds, pause_seconds, kinds, unkeyed, newer
    )
    with tempfile.TemporaryDirectory(prefix="sluice-torture-") as temporary:
        outcome = run(options, folder or Path(temporary), lambda said: click.echo(said, err=True))
        click.echo(table.show(outcome))
    sys.exit(not outcome.equal)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes and mounts go as well
    main()
