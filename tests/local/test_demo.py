"""The demo's own parts: it finds a wrong number and names it, its shop is the seed's, and nothing of it is left."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from consumer.contract_file import load_contract
from consumer.core.rejection import Reason
from consumer.local.demo_check import (
    compare_alerts,
    compare_count,
    compare_dead_letters,
    compare_with_memory,
    compare_with_truth,
    in_a_sentence,
)
from consumer.local.demo_daemon import clean_environment
from consumer.local.demo_folder import DemoFolder, settings_text
from consumer.local.demo_reference import Reference
from consumer.local.demo_shop import CLOSING_MS, FIRST_DAY, OUTAGES, DemoShop, faults
from consumer.local.shop_event import DayTruth, midnight_ms
from consumer.settings import Settings, load_settings
from tests.waiting import wait_until

DAYS = 3
replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def shop():
    return DemoShop(seed=1, days=DAYS)


@pytest.fixture(scope="module")
def sent(shop):
    return list(shop.history())


@pytest.fixture(scope="module")
def reference(sent):
    reference = Reference(Settings(), load_contract(None), "0", wall_ms=1_760_000_000_000)
    for event in sent:
        reference.take(event.value(), event.key())
    reference.finish()
    return reference


@pytest.fixture(scope="module")
def receipts(reference):
    return sorted(reference.receipts, key=lambda receipt: receipt.day)


@pytest.fixture(scope="module")
def truth(shop, sent):
    return {str(day): known for day, known in shop.truth.days.items() if str(day) in shop.days}


def test_every_reported_day_is_closed_and_true(shop, sent, receipts, truth):
    comparison = compare_with_truth(receipts, truth)
    assert comparison.differences == []
    assert comparison.compared == 11 * DAYS
    assert [receipt.day for receipt in receipts if receipt.status != "open"] == list(shop.days)
    assert compare_count(receipts, len(sent)).differences == []
    assert compare_with_memory(receipts, receipts).differences == []


@pytest.mark.parametrize(
    ("part", "changes", "name"),
    [
        ("metrics", {"sessions": 1}, "sessions"),
        ("metrics", {"purchases": None}, "purchases"),
        ("metrics", {"revenue": "0.01"}, "revenue"),
        ("counts", {"events": 5}, "events"),
        ("counts", {"direct_sessions": 5}, "direct sessions"),
        ("counts", {"identity_missing": 0}, "events without identity"),
        ("counts", {"replays": 7}, "replays"),
        ("counts", {"collisions": 7}, "collided purchases"),
    ],
)
def test_a_wrong_number_is_found_and_named(receipts, truth, part, changes, name):
    first, *others = receipts
    wrong = [replace(first, **{part: replace(getattr(first, part), **changes)}), *others]
    for comparison in (compare_with_truth(wrong, truth), compare_with_memory(wrong, receipts)):
        (difference,) = comparison.differences
        assert (difference.what, difference.day) == (name, first.day)
        assert str(difference).startswith(f"{name} of {first.day}: ")


def test_a_wrong_reason_a_wrong_rate_and_a_wrong_status_are_found(receipts, truth):
    first, *others = receipts
    wrong = [replace(first, rejects={"not_json": 10_000}), *others]
    assert [it.what for it in compare_with_truth(wrong, truth).differences] == ["rejected"]
    wrong = [replace(first, metrics=replace(first.metrics, direct_share="0.1")), *others]
    assert [it.what for it in compare_with_memory(wrong, receipts).differences] == ["direct share"]
    *others, last, begun = receipts
    wrong = [*others, replace(last, status="pass"), begun]
    assert in_a_sentence(compare_with_truth(wrong, truth).differences) == (
        f"the status of {last.day}: pass, but quarantined by the shop's own books"
    )


def test_a_metric_that_should_be_empty_and_one_that_should_not_are_found(receipts, truth):
    gone = {receipts[0].day: dataclasses.replace(truth[receipts[0].day], not_measurable={"direct_share"})}
    assert [str(it) for it in compare_with_truth(receipts, gone).differences] == [
        f"what is not measurable of {receipts[0].day}: [], but ['direct_share'] by the shop's own books"
    ]


def test_an_alert_that_is_missing_or_lives_otherwise_is_found(reference):
    known = [alert for alert in reference.alerts if alert.kind != "unparseable_events"]
    comparison = compare_alerts(reference.alerts, reference.alerts)
    assert (comparison.compared, comparison.differences) == (1 + 5 * len(known), [])
    assert [it.what for it in compare_alerts(known[1:], known).differences] == ["the alerts"]
    wrong = [replace(known[0], opened_at="2025-03-03T00:00:00.000Z"), *known[1:]]
    (difference,) = compare_alerts(wrong, known).differences
    assert difference.what == f"the opening of {known[0].kind}"


def test_a_day_that_is_missing_is_found(receipts, truth):
    assert [str(it) for it in compare_with_truth(receipts[1:], truth).differences] == [
        f"the receipt of {receipts[0].day}: missing, but there by the shop's own books"
    ]
    assert [it.what for it in compare_with_memory(receipts[1:], receipts).differences] == ["the days"]


def test_an_event_that_is_counted_twice_or_not_at_all_is_found(receipts, sent):
    for wrong in (len(sent) - 1, len(sent) + 1):
        (difference,) = compare_count(receipts, wrong).differences
        assert str(difference) == (f"all events: {len(sent):,}, but {wrong:,} by what was sent")


def test_a_dead_letter_that_is_missing_or_there_twice_is_found():
    truth = [
        DayTruth(rejected=Counter({Reason.NOT_JSON: 2})),
        DayTruth(rejected=Counter({Reason.NOT_UTF8: 1})),
    ]
    assert compare_dead_letters({"not_json": 2, "not_utf8": 1}, 0, truth).differences == []
    assert in_a_sentence(compare_dead_letters({"not_json": 3, "empty": 1}, 1, truth).differences) == (
        "dead letters of empty: 1, but 0 by the shop's own books; "
        "dead letters of not_json: 3, but 2 by the shop's own books; "
        "dead letters of not_utf8: 0, but 1 by the shop's own books; and 1 more"
    )


def test_the_history_closes_its_last_day_and_live_traffic_goes_on_from_there():
    shop = DemoShop(seed=2, days=1)
    history = list(shop.history())
    live = shop.live()
    end = midnight_ms(FIRST_DAY + timedelta(days=1)) + CLOSING_MS
    assert end - CLOSING_MS // 4 < history[-1].at_ms < end <= next(live).at_ms
    assert next(live).at_ms > end


def test_the_same_seed_is_the_same_shop_and_another_is_another():
    def first(seed):
        return [event for _, event in zip(range(50), DemoShop(seed, 2).history(), strict=False)]

    assert first(1) == first(1) != first(2)


@pytest.mark.parametrize("days", [1, 2, 3, 6, 9, 14])
def test_something_of_every_kind_goes_wrong_on_days_that_the_shop_has(days):
    last = FIRST_DAY + timedelta(days=days - 1)
    for seed in range(20):
        chosen = faults(seed, days)
        kinds = [type(fault).__name__ for fault in chosen]
        assert {"InvalidPurchases", "CollidingIds", "Replays", "Garbage"} <= set(kinds)
        assert kinds[-1] == "OutOfOrder"
        assert all(FIRST_DAY <= day <= last for fault in chosen for day in fault.days)
        assert any(last in fault.days for fault in chosen if type(fault).__name__ == "CollidingIds")
        outages = [fault for fault in chosen if type(fault) in OUTAGES]
        assert len(outages) == min(len(OUTAGES), max(days - 7, 0))
        assert len({fault.day for fault in outages}) == len(outages)
        assert all(FIRST_DAY + timedelta(days=5) <= fault.day < last - timedelta(days=1) for fault in outages)


# ── processes and their folder ──────────────────────────────────────────────────────────────────────────────────────


def test_settings_of_the_user_do_not_reach_the_demo(monkeypatch, tmp_path):
    monkeypatch.setenv("SLUICE_GROUP", "mine")
    monkeypatch.setenv("HOME", "kept")
    assert "SLUICE_GROUP" not in clean_environment()
    assert clean_environment()["HOME"] == "kept"
    folder = tmp_path / 'Käse "new" \\ 100 % 🧀'
    (tmp_path / "sluice.toml").write_text(settings_text("127.0.0.1:1", folder), "utf-8")
    settings = load_settings(tmp_path / "sluice.toml", {})
    assert settings.deliver.out == str(folder)
    assert settings.kafka["bootstrap.servers"] == "127.0.0.1:1"


LOGS = r"""
import json, os, sys
def log(event, **more):
    print(json.dumps({"level": "info", "event": event, **more}), file=sys.stderr, flush=True)
log("endpoints open", address="127.0.0.1:1")
log("partition restored", partition="events[0]", entries=0, seconds=0.1)
log("partition restored", partition="events[1]", entries=0, seconds=0.1)
log("partitions given up", partitions=["events[1]"])
print(json.dumps({"level": "critical", "event": "stopped", "reason": os.environ["SLUICE_INSTANCE"]}), file=sys.stderr)
sys.exit(3)
"""


def test_a_process_is_known_by_its_log_and_how_it_ended_by_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with DemoFolder("127.0.0.1:1", tmp_path / "out", (sys.executable, "-c", LOGS), 2) as folder:
        daemon = folder.daemons[1]
        assert daemon.partitions == set()
        daemon.start()
        wait_until(daemon.ended, 20, "the process has ended")
        assert daemon.ended() == "ended by itself with exit code 3"
        assert not daemon.was_killed()
        assert list(daemon.news()) == ["process 2 has events[0], events[1]"]
        assert daemon.partitions == {"events[0]"}
        assert daemon.address == "127.0.0.1:1"
        assert daemon.last_words() == "stopped: process-2"
        assert [path.name[:12] for path in tmp_path.iterdir()] == ["sluice-demo-"]
    assert list(tmp_path.iterdir()) == []
