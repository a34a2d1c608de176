"""Settings reach the rules: at their defaults nothing changes, and every threshold lands where it is named for."""

from __future__ import annotations

import pytest

from consumer.contract_file import load_contract
from consumer.runtime.options import watch_options
from consumer.settings import settings_of
from consumer.settings.watch import Watch
from consumer.tasks.judge_state import JudgeOptions
from detectors.silence import EVENT_SILENCE, PURCHASE_SILENCE
from detectors.watched import WatchLimits

CONTRACT = load_contract(None)


def judge(**watch):
    return watch_options(settings_of({"watch": watch}, {}), CONTRACT).judge


def test_the_default_settings_are_the_rules_own_thresholds():
    options = judge()
    own = JudgeOptions(options.zone, CONTRACT)
    assert options.limits == own.limits == WatchLimits()
    assert (options.event_silence, options.purchase_silence) == (EVENT_SILENCE, PURCHASE_SILENCE)
    assert (options.hold_minutes, options.lateness_minutes) == (own.hold_minutes, own.lateness_minutes)


@pytest.mark.parametrize("name", [name for name in Watch.model_fields if "_min_" in name])
def test_a_metrics_minimum_changes_that_limit_and_no_other(name):
    metric, _, which = name.partition("_min_")
    limits, own = judge(**{name: 0.75}).limits, WatchLimits()
    assert getattr(limits.of(metric), which) == 0.75
    unlike = [key for key in WatchLimits.__slots__ if getattr(limits, key) != getattr(own, key)]
    assert unlike == [metric]


def test_z_silences_and_the_hold_reach_the_rules():
    options = judge(z=6, silence_false_per_year=1, purchase_silence_false_per_year=2.5, hold_minutes=5)
    assert options.limits.z == 6.0
    assert options.event_silence.false_per_year == 1.0
    assert options.purchase_silence.false_per_year == 2.5
    assert options.event_silence.least_minutes == EVENT_SILENCE.least_minutes
    assert options.hold_minutes == 5
