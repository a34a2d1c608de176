"""What came of it, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.engine import Outcome
    from tests.fuzz.poison import Poisoned


def line(outcome: Outcome) -> str:
    """One target in words, while others are still to come."""
    return (
        f"{outcome.target}: {outcome.inputs:,} inputs in {outcome.seconds:.0f} s, {outcome.crashes} crashes, "
        f"{outcome.hangs} hangs, {outcome.broken} broken promises"
    )


def outcomes(rows: list[Outcome]) -> str:
    """All targets."""
    lines = [
        "| target | inputs | seconds | crashes | hangs | lost or wrong | peak memory, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.target} | {one.inputs:,} | {one.seconds:,.0f} | {one.crashes} | {one.hangs} | {one.broken} | {one.peak_mb} |"
        for one in rows
    ]
    inputs, seconds = sum(one.inputs for one in rows), sum(one.seconds for one in rows)
    crashes, hangs = sum(one.crashes for one in rows), sum(one.hangs for one in rows)
    broken, peak = sum(one.broken for one in rows), max((one.peak_mb for one in rows), default=0)
    lines.append(f"| all | {inputs:,} | {seconds:,.0f} | {crashes} | {hangs} | {broken} | {peak} |")
    return "\n".join(lines)


def poisons(rows: list[Poisoned]) -> str:
    """All poisons."""
    lines = [
        "| poison | records | seconds | records/s | lost | peak memory, MB | what stays |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in rows:
        stays = f"{one.stays} **{one.wrong}**" if one.wrong else one.stays
        rate = one.records / one.seconds if one.seconds else 0
        lines.append(
            f"| {one.name} | {one.records:,} | {one.seconds:,.1f} | {rate:,.0f} | {one.lost} | {one.peak_mb} | {stays} |"
        )
    return "\n".join(lines)
