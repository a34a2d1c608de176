"""`sluice demo`, whole: its files are true although a process was killed, and nothing of it is left, however it ends."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from consumer.local.demo_shop import DemoShop
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

DEADLINE_SECONDS = 120
SEED, DAYS = 3, 2


@contextmanager
def demo(tmp_path, *arguments):
    """The demo in a folder and with variables that would stop everything else, and its own temporary folder."""
    (tmp_path / "sluice.toml").write_text("no settings")
    (tmp_path / "temporary").mkdir()
    disturbing = {"SLUICE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SLUICE_NO_SUCH": "1"}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "consumer.cli", "demo", *arguments],
        cwd=tmp_path,
        env={**os.environ, **disturbing, "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def left(tmp_path):
    """Processes that were started for this demo and live, and what is in its temporary folder."""
    mark = str(tmp_path / "temporary").encode()
    living = [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if mark in _read(path)]
    return living, list((tmp_path / "temporary").iterdir())


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_the_files_are_the_shops_truth_although_a_process_was_killed(tmp_path):
    with demo(tmp_path, "--days", str(DAYS), "--seed", str(SEED), "--out", "out") as process:
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, errors) == (0, ""), output
    assert left(tmp_path) == ([], [])

    shop = DemoShop(SEED, DAYS)
    sent = sum(1 for _ in shop.history())
    said = " ".join(output.split())
    for happened in (
        "process 2 killed: kill -9 at ",
        "process 2 is back with ",
        ": state restored in ",
        "P0 transaction_collision, caught after 1 min: two orders had one id: Transaction id ",
        f"{sent:,} events were sent and {sent:,} are counted, each exactly once",
        "All are equal.",
    ):
        assert happened in said

    with (tmp_path / "out" / "daily_metrics.csv").open() as file:
        *rows, begun = csv.DictReader(file)
    assert [row["day"] for row in rows] == list(shop.days)
    assert begun["status"] == "open"
    truth = {str(day): known for day, known in shop.truth.days.items()}
    for row in rows:
        known = truth[row["day"]]
        for name in ("events", "sessions", "purchases", "replays"):
            assert int(row[name]) == getattr(known, name)
        assert Decimal(row["revenue"]) == known.revenue
        assert int(row["rejected"]) == known.rejected.total()
        assert (row["status"] == "quarantined") == bool(known.collisions)
    alerts = json.loads((tmp_path / "out" / "alerts.json").read_text())["alerts"]
    assert {alert["kind"] for alert in alerts} >= {"purchase_invalid", "transaction_collision"}
    assert rows[-1]["day"] in (tmp_path / "out" / "report.md").read_text()
    assert "\nsluice_watermark_timestamp_seconds{" in (tmp_path / "out" / "metrics.txt").read_text()
    assert_the_next_commands_work(tmp_path, output, rows)


def assert_the_next_commands_work(tmp_path, output, rows):
    """Those that the demo named, as they stand there; the third is the demo itself."""
    commands = [line.strip() for line in output.partition("Try next")[2].splitlines() if " --" in line]
    report, backfill, again = commands
    assert again.endswith("sluice demo --keep")
    (tmp_path / "sluice.toml").unlink()
    shown, made = (
        subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True, check=True)
        for command in (report, backfill)
    )
    assert shown.stdout.startswith(f"# {rows[-1]['day']}: quarantined")
    assert str(rows[-1]["day"]) in made.stdout
    with (tmp_path / "out" / "again" / "daily_metrics.csv").open() as file:
        alone = list(csv.DictReader(file))[: len(rows)]
    arrival = {"late", "revision"}  # late and amended is what came while it was read by several
    assert [{k: v for k, v in row.items() if k not in arrival} for row in alone] == [
        {k: v for k, v in row.items() if k not in arrival} for row in rows
    ]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_ended_on_its_way_leaves_no_process_and_no_folder(tmp_path, end):
    with demo(tmp_path, "--days", "1") as process:
        assert any("process 2 has events[" in line for line in process.stdout)
        assert (
            len(left(tmp_path)[0]) == 7
        )  # the demo, the broker and the two processes, and their three keepers
        process.send_signal(end)
        _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    if end == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert (process.returncode, errors.count("\n")) == (3, 1)
        assert errors.startswith("Error: interrupted: ")
    wait_until(lambda: left(tmp_path) == ([], []), 20, "nothing is left")
