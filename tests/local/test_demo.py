"""The demo's own parts: it finds a wrong number and names it, its shop is the seed's, and nothing of it is left."""

from __future__ import annotations

import io
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from consumer.contract_file import load_contract
from consumer.core.rejection import Reason
from consumer.local.demo_check import (
    Comparison,
    compare_count,
    compare_dead_letters,
    compare_with_memory,
    compare_with_truth,
    in_a_sentence,
)
from consumer.local.demo_daemon import clean_environment
from consumer.local.demo_folder import DemoFolder, settings_text
from consumer.local.demo_reference import Reference
from consumer.local.demo_report import WIDTH, Ending, next_steps, report
from consumer.local.demo_screen import LiveScreen, PlainScreen, Standing
from consumer.local.demo_shop import CLOSING_MS, FIRST_DAY, DemoShop, faults
from consumer.local.shop_event import DayTruth, midnight_ms
from consumer.runtime.clock import SystemClock
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
def receipts(sent):
    reference = Reference(Settings(), load_contract(None), "0", wall_ms=1_760_000_000_000)
    for event in sent:
        reference.take(event.value(), event.key())
    reference.finish()
    return sorted(reference.receipts, key=lambda receipt: receipt.day)


@pytest.fixture(scope="module")
def truth(shop, sent):
    return {str(day): known for day, known in shop.truth.days.items() if str(day) in shop.days}


def test_every_reported_day_is_closed_and_true(shop, sent, receipts, truth):
    comparison = compare_with_truth(receipts, truth)
    assert comparison.differences == []
    assert comparison.compared == 10 * DAYS
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
        f"the status of {last.day}: pass, but quarantined by the shop's truth"
    )


def test_a_day_that_is_missing_is_found(receipts, truth):
    assert [str(it) for it in compare_with_truth(receipts[1:], truth).differences] == [
        f"the receipt of {receipts[0].day}: missing, but there by the shop's truth"
    ]
    assert [it.what for it in compare_with_memory(receipts[1:], receipts).differences] == ["the days"]


def test_an_event_that_is_counted_twice_or_not_at_all_is_found(receipts, sent):
    for wrong in (len(sent) - 1, len(sent) + 1):
        (difference,) = compare_count(receipts, wrong).differences
        assert str(difference) == (f"all events: {len(sent):,}, but {wrong:,} by the count of what was sent")


def test_a_dead_letter_that_is_missing_or_there_twice_is_found():
    truth = [
        DayTruth(rejected=Counter({Reason.NOT_JSON: 2})),
        DayTruth(rejected=Counter({Reason.NOT_UTF8: 1})),
    ]
    assert compare_dead_letters({"not_json": 2, "not_utf8": 1}, 0, truth).differences == []
    assert in_a_sentence(compare_dead_letters({"not_json": 3, "empty": 1}, 1, truth).differences) == (
        "dead letters of empty: 1, but 0 by the shop's truth; "
        "dead letters of not_json: 3, but 2 by the shop's truth; "
        "dead letters of not_utf8: 0, but 1 by the shop's truth; and 1 more"
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


@pytest.mark.parametrize("days", [1, 2, 6, 7, 10])
def test_something_of_every_kind_goes_wrong_on_days_that_the_shop_has(days):
    last = FIRST_DAY + timedelta(days=days - 1)
    for seed in range(20):
        chosen = faults(seed, days)
        kinds = {type(fault).__name__ for fault in chosen}
        assert kinds == {"InvalidPurchases", "CollidingIds", "Replays", "Garbage", "OutOfOrder"}
        assert all(FIRST_DAY <= day <= last for fault in chosen for day in fault.days)
        assert any(last in fault.days for fault in chosen if type(fault).__name__ == "CollidingIds")


# ── what is said ────────────────────────────────────────────────────────────────────────────────────────────────────


def ending(shop, receipts, *comparisons, counted=5, repeated=0):
    return Ending(
        shop.days, receipts, [], {"not_json": 2}, repeated, comparisons, 5, counted, 1.5,
        "process 2 was killed", Path("out"), ["a.csv"],
    )  # fmt: skip


def test_the_report_says_that_all_is_equal_only_when_it_is(shop, receipts):
    right, wrong = Comparison("x", 12), Comparison("y")
    wrong.compare("sessions", 1, 2, shop.days[0])
    good = "\n".join(report(ending(shop, receipts, right)))
    assert "Counted once: 5 of 5 events,\nalthough process 2 was killed." in good
    assert "All are equal." in good
    assert "DIFFER" not in good
    assert "2 dead letters, each once: 2 not_json." in good
    bad = "\n".join(report(ending(shop, receipts, right, wrong, counted=6, repeated=1)))
    assert "NOT counted once: 6 of 5" in bad
    assert "1 DIFFER." in bad
    assert "All are equal" not in bad
    assert "1 of them MORE THAN ONCE" in bad
    assert [line.split()[0] for line in bad.splitlines() if line.endswith("WRONG")] == [shop.days[0]]


def test_the_report_fits_into_a_narrow_terminal(shop, receipts):
    lines = [*report(ending(shop, receipts)), *next_steps(Path("out"))]
    assert max(map(len, lines)) <= WIDTH


def test_plain_lines_tell_when_a_day_closes_and_when_it_becomes_another(receipts):
    stream = io.StringIO()
    screen = PlainScreen(stream, SystemClock())
    first = replace(receipts[0], status="pass")
    with screen:
        for status in ("open", "pass", "pass", "quarantined"):
            screen.show(Standing((replace(first, status=status, revision=2),)))
    said = [line.split(" s  ")[1] for line in stream.getvalue().splitlines()]
    revenue = f"{Decimal(first.metrics.revenue):,}"
    numbers = f"{first.metrics.sessions:,} sessions, {first.metrics.purchases:,} purchases"
    assert said == [
        f"{first.day} closed: pass, {numbers}, {revenue} revenue",
        f"{first.day} was pass and is now quarantined (revision 2)",
    ]


def test_the_live_table_shows_whole_numbers_in_80_columns(receipts):
    screen = LiveScreen(io.StringIO(), SystemClock())
    screen._console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    with screen:
        screen.happened("begun")
        screen.show(Standing(tuple(receipts), 99_999, 88_888, 77.7, ("process 1 (pid 1): events[0]",)))
    shown = screen._console.file.getvalue()
    for text in (
        receipts[0].day,
        f"{receipts[0].counts.events:,}",
        "quarantined",
        "88,888 of 99,999 events counted",
    ):
        assert text in shown
    assert "…" not in shown


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
