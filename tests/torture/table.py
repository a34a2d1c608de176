"""What came of a run, as Markdown."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from tests.torture.progress import stood

if TYPE_CHECKING:
    from tests.torture.campaign import Outcome

HEAD = """\
| fault | times | alone | median s without a commit | longest, alone | longest of all |
| --- | ---: | ---: | ---: | ---: | ---: |"""


def show(outcome: Outcome) -> str:
    """Everything that is known of it."""
    parts = [_faults(outcome), outcome.verdict.table(), _sentences(outcome)]
    return "\n\n".join(parts)


def _faults(outcome: Outcome) -> str:
    times = Counter(fault.kind for fault in outcome.faults)
    found = stood(outcome.faults, outcome.standstills)
    rows = [HEAD]
    for kind, count in times.most_common():
        alone, longest = found[kind]
        middle, most = (f"{median(alone):.1f}", f"{max(alone):.1f}") if alone else ("–", "–")
        rows.append(f"| {kind} | {count} | {len(alone)} | {middle} | {most} | {longest:.1f} |")
    rows.append(f"| **all** | {times.total()} | | | | |")
    return "\n".join(rows)


def _sentences(outcome: Outcome) -> str:
    options, restores, verdict = outcome.options, sorted(outcome.restores), outcome.verdict
    lost = sum(line.lost for line in verdict.lines)
    twice = sum(line.twice for line in verdict.lines)
    differing = sum(line.differing for line in verdict.lines)
    said = [
        (
            f"{len(outcome.faults)} faults in {outcome.seconds / 60:.0f} minutes, seed {options.seed}: "
            f"{options.processes} processes, {options.partitions} partitions, {outcome.sent:,} records; "
            f"lost {lost}, twice {twice}, differing {differing}."
        ),
        f"{len(restores)} restores of a partition: median {median(restores):.3f} s, longest {restores[-1]:.3f} s."
        if restores
        else "No restores.",
        *(f"{what}: {count}." for what, count in verdict.notes.items()),
        *(f"Left out on this machine: {what}." for what in outcome.left_out),
        *(f"**Wrong**: {what}" for what in outcome.wrong),
        f"**{'Everything is as it must be.' if outcome.equal else 'NOT as it must be.'}**",
    ]
    return "\n".join(f"- {sentence}" for sentence in said)
