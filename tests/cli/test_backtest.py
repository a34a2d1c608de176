"""`sluice backtest`: what other thresholds would have raised, and why a day was loud or quiet; no file is written."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import subprocess
import sys
from datetime import date, timedelta

import pytest
from click.testing import CliRunner

from consumer.cli.backtest import command
from consumer.cli.exits import ExitCode
from consumer.local.shop import ShopOptions, events
from consumer.local.shop_faults import CollidingIds

FIRST = date(2025, 3, 3)
LAST = FIRST + timedelta(days=5)
KEEN = (
    "--set",
    "watch.z=1",
    "--set",
    "watch.sessions_min_relative=0",
    "--set",
    "watch.sessions_min_absolute=1",
)
HOSTILE = "ORD\x1b[2J\u202e[bold]:boom:\nx"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Five quiet days with a hostile transaction id used twice, and a sixth at a fifth of the visits."""
    quiet = ShopOptions(
        7, FIRST, days=5, sessions_per_day=200, purchases_per_day=16, faults=(CollidingIds(FIRST),)
    )
    poor = ShopOptions(8, LAST, days=1, sessions_per_day=40, purchases_per_day=3)
    values = [event.value() for options in (quiet, poor) for event in events(options)]
    orders = [json.loads(value) for value in values if b'"checkout_completed"' in value]
    ids = [json.loads(order["event_data"])["transaction_id"] for order in orders]
    twice = next(name for name in ids if ids.count(name) > 1)
    escaped = json.dumps(json.dumps(HOSTILE)[1:-1])[1:-1].encode()
    file = tmp_path_factory.mktemp("shop") / "shop.ndjson"
    file.write_bytes(b"".join(value.replace(twice.encode(), escaped) + b"\n" for value in values))
    return file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments)])


def tables(text):
    """The rows below each title, split at tabs."""
    found = {}
    for block in text.split("\n\n")[1:]:
        title, *lines = block.splitlines()
        found[title.split(",")[0].split(" of a")[0]] = [line.split("\t") for line in lines if "\t" in line]
    return found


def test_both_sets_of_thresholds_stand_side_by_side_and_nothing_is_written(shop, folder):
    result = run(shop, *KEEN)
    assert (result.exit_code, list(folder.iterdir())) == (ExitCode.FINE, [])
    kinds = {row[0]: row[1:] for row in tables(result.stdout)["Alerts by kind"]}
    assert kinds["kind"] == [
        "P0 now", "P1 now", "notes now", "a week now", "P0 set", "P1 set", "notes set", "a week set",
    ]  # fmt: skip
    assert kinds["transaction_collision"][:4] == kinds["transaction_collision"][4:] == ["1", "0", "0", "1.2"]
    assert float(kinds["conversion_shift"][7]) > float(kinds["conversion_shift"][3]) == 0
    assert min(float(kinds["all"][number]) for number in (3, 7)) >= 1.2
    for number in (*range(3), *range(4, 7)):
        assert int(kinds["all"][number]) == sum(
            int(row[number]) for kind, row in kinds.items() if kind not in {"kind", "all"}
        )


def test_the_alerts_that_only_the_other_thresholds_raise_are_told_apart(shop, folder):
    rows = tables(run(shop, *KEEN).stdout)["P0 and P1 alerts"][1:]
    raised = {(row[0], row[3]) for row in rows}
    assert ("now and set", "transaction_collision") in raised
    assert any(who == "set" for who, _ in raised)
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)


def test_without_a_set_there_is_one_column_of_each(shop, folder):
    result = run(shop)
    assert result.exit_code == ExitCode.FINE
    assert "set" not in result.stdout.split()
    assert tables(result.stdout)["Alerts by kind"][0] == [
        "kind",
        "P0 now",
        "P1 now",
        "notes now",
        "a week now",
    ]


def test_lower_thresholds_see_smaller_changes(shop, folder):
    rows = {row[0]: row[1:] for row in tables(run(shop, *KEEN).stdout)["Smallest change"]}
    assert rows["metric"] == ["normal", "fall now", "rise now", "fall set", "rise set"]
    now, keen = (int(re.match(r"([\d,]+)", rows["sessions"][at])[1].replace(",", "")) for at in (2, 4))
    assert keen < now
    assert rows["conversion_rate"][1] == "none can be"


def test_the_numbers_behind_a_day_agree_with_each_other(shop, folder):
    result = run(shop, *KEEN, "--explain", LAST, "sessions")
    rows = {row[0]: row[1:] for row in tables(result.stdout)["Why"]}
    value, median = (int(rows[name][0].replace(",", "")) for name in ("value", "median"))
    scale = float(rows["scale"][0].split()[0].replace(",", ""))
    z = float(rows["z"][0].split()[0])
    assert z == pytest.approx((value - median) / scale, abs=0.01)
    assert rows["verdict"][1].startswith("fired")
    assert rows["relative change"][0].startswith(f"{100 * (value - median) / median:+.1f} %")
    days = [str(FIRST + timedelta(days=number)) for number in range(1, 5)]  # the first is quarantined
    assert rows["trusted days before"][0].split(", ") == days


def test_the_alerts_about_a_day_stand_with_the_numbers_they_were_raised_on(shop, folder):
    result = run(shop, *KEEN, "--explain", LAST, "sessions")
    rows = {row[0]: row[1:] for row in tables(result.stdout)["Why"]}
    assert re.search(
        r"P[01]_\w+ sessions_anomaly, known [\d-]{10} \d\d:\d\d \(\d+ beside [\d.]+, z -\d+\.\d\d\)",
        rows["alerts about it"][1],
    )


def test_a_day_without_history_says_so(shop, folder):
    result = run(shop, "--explain", FIRST, "revenue", "--explain", FIRST, "sessions")
    assert result.stdout.count("insufficient_history (quiet: fewer than three trusted days before it)") == 2
    assert "no: it is no measure for later days" in result.stdout


def test_hostile_text_out_of_events_stays_one_harmless_cell(shop, folder):
    output = run(shop).stdout
    assert "ORD?[2J?[bold]:boom:?x came 2 times" in output
    assert all(character.isprintable() or character in "\n\t" for character in output)


def test_a_person_gets_tables_and_the_same_words(shop, folder):
    text = " ".join(on_a_terminal(shop, *KEEN, "--explain", LAST, "sessions").split())
    assert "\t" not in text
    for words in ("Alerts by kind", "transaction_collision", "[bold]:boom:", "fired"):
        assert words in text
    assert "\x1b[2J" not in text


def on_a_terminal(*arguments):
    """What the command shows on a terminal of 200 columns; progress, on standard error, left out."""
    controller, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "consumer.cli", "backtest", *map(str, arguments)],
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "COLUMNS": "200", "TERM": "xterm"},
        )
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(controller, 65_536):
                shown += chunk
        except OSError:  # the other end is closed: all was read
            pass
        assert process.wait(60) == ExitCode.FINE
    finally:
        os.close(controller)
    return shown.decode()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "watch.z=high"), 'Error: --set: [watch] z must be a number from 1 to 100, not "high".'),
        (("--set", "kafka.a=1"), "Error: --set cannot change kafka.a, only watch,"),
        (("--explain", "2025-3-3", "revenue"), "Error: --explain '2025-3-3': it is no day; write YYYY-MM-DD"),
        (
            ("--explain", "2025-03-03", "renevue"),
            "Error: --explain 'renevue': it is no metric; write one of sessions,",
        ),
    ],
)
def test_wrong_usage_ends_with_64_and_one_sentence(tmp_path, arguments, words):
    result = subprocess.run(
        [sys.executable, "-m", "consumer.cli", "backtest", "x.csv", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (ExitCode.USAGE, "")
    assert words in result.stderr.splitlines()[-1]


def test_what_is_not_possible_ends_with_3_and_one_sentence(shop, folder):
    for arguments, words in (
        (
            (shop, "--explain", "2024-01-01", "revenue"),
            f"no day 2024-01-01 that was judged: they have {FIRST} to {LAST}",
        ),
        (("missing.csv",), "there is no file missing.csv"),
    ):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (ExitCode.NOT_POSSIBLE, "")
        assert words in result.stderr


def test_files_without_a_day_still_give_an_answer(folder):
    (folder / "empty.ndjson").write_bytes(b"")
    result = run("empty.ndjson", *KEEN)
    assert result.exit_code == ExitCode.FINE
    assert "0 records, 0 days" in result.stdout
    assert "No rule raised anything." in result.stdout


def test_a_file_that_is_cut_short_is_used_as_far_as_it_goes_and_named(shop, folder):
    (folder / "cut.ndjson.gz").write_bytes(gzip.compress(shop.read_bytes())[:-5_000])
    result = run("cut.ndjson.gz")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert "transaction_collision" in result.stdout
    assert "cut.ndjson.gz is cut short" in result.stderr
