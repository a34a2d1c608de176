"""Share-years of noise and every kind of fault, at both volumes: what `ShareShift` promises, measured.

Run with `pytest -m campaign -s tests/detectors/test_share_campaign.py`; about ten minutes.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from detectors.share_verdict import ShareOptions
from tests.detectors.share_trials import FLOODS, Found, delay, false_alarms, site_of

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(3600)]

LEVELS = (0.0, 0.003, 0.01, 0.05, 0.2, 0.5, 0.73, 0.98)
FAULTS = ((0.05, 0.1), (0.2, 0.4), (0.45, 0.9), (0.0, 0.3), (0.01, 0.3), (0.0, 0.02), (0.4, 0.2), (0.3, 1.0))
HOURS = (3, 9, 15, 20)


@pytest.mark.parametrize(
    ("events", "days", "sites", "crawlers", "options", "most_a_year"),
    [
        (3500, 180, 128, False, ShareOptions(**FLOODS), 0.2),
        (3500, 180, 128, True, ShareOptions(), 0.4),
        (350_000, 60, 64, False, ShareOptions(**FLOODS), 0.4),
        (350_000, 60, 64, True, ShareOptions(), 0.8),
    ],
)
def test_false_alarms_a_share_year(
    *, events: int, days: int, sites: int, crawlers: bool, options: ShareOptions, most_a_year: float
) -> None:
    alarms = dict.fromkeys(LEVELS, 0)
    for seed in range(1000, 1000 + sites):
        level = LEVELS[seed % len(LEVELS)]
        site = site_of(seed, level, events, crawlers=crawlers)
        alarms[level] += len(false_alarms(seed, site, days, options))
    years = sites * days / 365
    rate = sum(alarms.values()) / years
    sys.stdout.write(
        f"\n{events} a day, crawlers {crawlers}: {rate:.2f} a share-year in {years:.0f}: {alarms}\n"
    )
    assert rate <= most_a_year


@pytest.mark.parametrize(("events", "runs"), [(3500, 10), (350_000, 2)])
@pytest.mark.parametrize("floods", [True, False])
def test_delays(*, events: int, runs: int, floods: bool) -> None:
    options = ShareOptions(**FLOODS) if floods else ShareOptions()
    sys.stdout.write(f"\n{events} a day, floods looked for: {floods}\n")
    for before, after in FAULTS:
        found = [
            delay(
                seed, site_of(seed, before, events, crawlers=not floods), after, 60 * hour, options, warm=21
            )
            for hour in HOURS
            for seed in range(2000 + 100 * hour, 2000 + 100 * hour + runs)
        ]
        sys.stdout.write(f"{before:.2f} to {after:.2f}: {_told(found)}\n")
        if (before, after) != (0.05, 0.1) or events > 10_000:
            assert sum(one is None for one in found) <= 0.05 * len(found)


def _told(found: list[Found | None]) -> str:
    seen = [one for one in found if one]
    numbers = [
        f"{name} {np.quantile(values, 0.5):.0f} ({np.quantile(values, 0.95):.0f})"
        for name, values in (
            ("minutes", [one.minutes for one in seen]),
            ("trials", [one.trials for one in seen]),
            ("misdated by", [abs(one.misdated) for one in seen]),
        )
    ]
    return ", ".join(numbers) + f", missed {len(found) - len(seen)} of {len(found)}"
