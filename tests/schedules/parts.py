"""Schedules in parts that can be run anywhere, and again."""

from __future__ import annotations

import traceback
from collections import Counter
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.schedules.checks import check, small_limits
from tests.schedules.drawn import SCHEDULES, Schedule, Stream, runs

STREAMS = 25
"""In a part."""

IN_A_PART = STREAMS * SCHEDULES


class Part(NamedTuple):
    """Some streams, drawn from a seed of their own. `shrink`: look for the smallest stream that goes wrong, which takes
    minutes."""

    seed: int
    number: int
    shrink: bool = False

    @property
    def keyed(self) -> bool:
        """Half of the parts are."""
        return self.number % 2 == 0


def run(part: Part) -> tuple[Part, Counter[str], str]:
    """What happened in a part, and what went wrong in it, if anything did."""
    happened: Counter[str] = Counter()
    phases = (Phase.generate, Phase.shrink) if part.shrink else (Phase.generate,)

    @seed(f"{part.seed}/{part.number}")
    @settings(
        max_examples=STREAMS,
        deadline=None,
        database=None,
        derandomize=False,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(runs(keyed=part.keyed))
    def every_schedule_comes_to_the_same(drawn: tuple[Stream, list[Schedule]]) -> None:
        happened.update(check(*drawn))

    try:
        with small_limits():
            every_schedule_comes_to_the_same()
    except Exception:  # noqa: BLE001 - whatever it is, the part is named with it
        return part, happened, traceback.format_exc()
    return part, happened, ""
