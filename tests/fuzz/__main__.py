"""`make fuzz`: hostile input for everything that reads bytes of others, and poison at scale.

    python -m tests.fuzz --inputs 1000000 --seed 1
    python -m tests.fuzz --inputs 20000 --target csv --target journal
    python -m tests.fuzz --poison

Exit code 1 if anything crashed, hung, was lost, or grew without bound; then the inputs that did it are in `--keep`.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import click

from tests.fuzz import poison, table
from tests.fuzz.engine import Outcome, can_guide, run_guided, run_plain
from tests.fuzz.targets import TARGETS


def shares(names: list[str], inputs: int) -> dict[str, int]:
    """How many inputs each target gets, the quick ones more."""
    total = sum(TARGETS[name].share for name in names)
    return {name: max(1, round(inputs * TARGETS[name].share / total)) for name in names}


@click.command()
@click.option("--inputs", default=1_000_000, show_default=True, help="How many, over all targets.")
@click.option("--seed", default=1, show_default=True, help="Of the inputs.")
@click.option(
    "--target", multiple=True, type=click.Choice(list(TARGETS)), help="Only this one; may be repeated."
)
@click.option("--plain", is_flag=True, help="Draw by the seed alone, even where atheris is installed.")
@click.option("--poison", "poisoned", is_flag=True, help="Poison at scale instead.")
@click.option("--scale", default=1.0, show_default=True, help="Of the poison: 0.01 is a hundredth.")
@click.option("--keep", type=click.Path(path_type=Path), help="A folder for inputs that broke something.")
def main(
    inputs: int,
    seed: int,
    target: tuple[str, ...],
    plain: bool,  # noqa: FBT001 - as click hands it over
    poisoned: bool,  # noqa: FBT001
    scale: float,
    keep: Path | None,
) -> None:
    """Tries hostile inputs and says what came of them."""
    if poisoned:
        results = poison.run(scale, lambda said: click.echo(said, err=True))
        click.echo(table.poisons(results))
        sys.exit(any(one.wrong for one in results))
    guided = can_guide() and not plain
    if not guided:
        click.echo("Inputs are drawn by the seed alone, not by coverage.", err=True)
    outcomes: list[Outcome] = []
    for name, number in shares(list(target or TARGETS), inputs).items():
        outcome = (run_guided if guided else run_plain)(name, number, seed)
        outcomes.append(outcome)
        click.echo(table.line(outcome), err=True)
        for failure in outcome.failures:
            click.echo(f"  {failure.where}\n    {failure.what}\n    {failure.data[:300]!r}", err=True)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name}-{hashlib.sha256(failure.data).hexdigest()[:12]}").write_bytes(failure.data)
    click.echo(table.outcomes(outcomes))
    sys.exit(not all(outcome.fine for outcome in outcomes))


if __name__ == "__main__":
    main()
