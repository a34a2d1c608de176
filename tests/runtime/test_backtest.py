"""A backtest's numbers are the backfill's, and what it explains is what the watch said of the day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from consumer.contract_file import load_contract
from consumer.local.shop import ShopOptions, events
from consumer.local.shop_faults import CollidingIds, Garbage
from consumer.runtime.backfill import backfill
from consumer.runtime.backtest import backtest
from consumer.settings import Settings
from consumer.settings.changes import changed
from consumer.tasks.judge_metrics import EPOCH
from detectors.watched import WATCHED

FIRST = date(2025, 3, 3)
DAYS = 9
WALL_MS = 1_760_000_000_000
CONTRACT = load_contract(None)
KEEN = changed(
    Settings(),
    ["watch.z=1", "watch.sessions_min_relative=0.01", "watch.sessions_min_absolute=1"],
    ("watch",),
)


def no_progress(_bytes):
    return None


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Nine quiet days with a collision and some garbage, and a tenth at a fifth of the visits."""
    quiet = ShopOptions(
        7,
        FIRST,
        days=DAYS,
        sessions_per_day=250,
        purchases_per_day=20,
        faults=(CollidingIds(FIRST + timedelta(days=4)), Garbage(FIRST + timedelta(days=5), 3)),
    )
    poor = ShopOptions(8, FIRST + timedelta(days=DAYS), days=1, sessions_per_day=50, purchases_per_day=4)
    file = tmp_path_factory.mktemp("shop") / "shop.ndjson"
    with file.open("wb") as out:
        for options in (quiet, poor):
            out.writelines(event.value() + b"\n" for event in events(options))
    return file


@pytest.fixture(scope="module")
def outcome(shop):
    return backtest([shop], [Settings(), KEEN], CONTRACT, "test", WALL_MS, no_progress)


@pytest.mark.parametrize(("number", "settings"), [(0, Settings()), (1, KEEN)])
def test_days_and_alerts_are_those_of_a_backfill_with_the_same_settings(
    shop, outcome, tmp_path, number, settings
):
    filled = backfill([shop], tmp_path / "out", settings, CONTRACT, "test", WALL_MS, no_progress)
    trial = outcome.trials[number]
    by_day = {receipt.day: receipt for receipt in filled.deliverer.receipts}
    assert {one.day: (one.status, one.metrics, one.checks) for one in trial.days} == {
        day: (one.status, one.metrics, one.checks) for day, one in by_day.items()
    }
    assert {alert.id: alert.opened_at for alert in trial.seen.alerts} == {
        alert.id: alert.opened_at for alert in filled.deliverer.alerts
    }
    assert outcome.records == filled.records


def test_every_trial_has_thresholds_of_its_own(outcome):
    now, keen = outcome.trials
    sessions = [
        {alert.id for alert in trial.seen.alerts if alert.kind == "sessions_anomaly"} for trial in (now, keen)
    ]
    assert len(sessions[1]) > len(sessions[0])


def test_what_is_explained_is_what_the_receipts_say(outcome):
    rules = {watched.rule: watched.metric for watched in WATCHED}
    for trial in outcome.trials:
        explained = trial.explained()
        assert len(explained) == DAYS + 1
        for receipt in trial.days:
            day = (date.fromisoformat(receipt.day) - EPOCH).days
            for check in receipt.checks:
                if check.rule in rules and not check.reason.startswith("an alert"):
                    answer = explained[day][rules[check.rule]].judgement.answer
                    assert check.reason.split(":")[0] == answer.reason
                    if answer.robust_z is not None:
                        assert check.reason.endswith(f"z {answer.robust_z:.2f}")


def test_a_quarantined_day_is_in_no_later_days_baseline(outcome):
    explained = outcome.trials[0].explained()
    bad = (FIRST + timedelta(days=4) - EPOCH).days
    assert not explained[bad]["revenue"].trusted
    assert bad not in explained[bad + 1]["revenue"].rests_on
    assert bad - 1 in explained[bad + 1]["revenue"].rests_on


def test_no_day_rests_on_itself_or_a_later_one(outcome):
    for day, metrics in outcome.trials[1].explained().items():
        assert all(other < day for told in metrics.values() for other in told.rests_on)


def test_what_a_cause_held_back_all_the_time_is_not_heard(outcome):
    for trial in outcome.trials:
        for alert in trial.seen.alerts:
            if alert.state == "inhibited" and len((alert.evidence or {})["history"]) == 1:
                assert alert.id not in trial.heard or alert.opened_at < alert.evidence["history"][0]["at"]
            if alert.state == "open":
                assert alert.id in trial.heard
