"""`sluice rollup` without a broker: wrong usage, what cannot work, and what the exit code stands for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from consumer.cli.exits import ExitCode
from consumer.cli.main import sluice
from consumer.cli.rollup import command, exit_code, lines
from detectors.alerts import Severity
from tests.reports.sample_state import alert, receipt

ROOT = Path(__file__).parents[2]
P1 = {"severity": Severity.P1_HIGH}
P2 = {"severity": Severity.P2_NOTE}


@pytest.mark.parametrize(
    "day", ["today", "2025-2-3", "2025-02-30", "20250224", "", "=cmd", "2025-02-24T00:00:00Z"]
)
def test_what_is_no_day_is_wrong_usage(day, tmp_path):
    with pytest.raises(click.UsageError, match="write YYYY-MM-DD, yesterday or latest"):
        command.main(["--date", day, "--out", str(tmp_path)], standalone_mode=False)


@pytest.mark.parametrize(
    "arguments", [["--date", "today", "--out", "out"], ["--out", "out"], ["--date", "latest"]]
)
def test_wrong_usage_ends_with_64(arguments, tmp_path):
    main = [sys.executable, "-c", "from consumer.cli.main import main; main()", "rollup"]
    done = subprocess.run(
        [*main, *arguments],
        env={"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "Usage: " in done.stderr


def test_without_a_broker_it_is_not_possible_and_said_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(sluice, ["rollup", "--date", "latest", "--out", "out"])
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("Error: no Kafka broker answers at 127.0.0.1:1 (")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("day", "alerts", "code"),
    [
        ({}, [], ExitCode.FINE),
        ({"status": "at_risk"}, [], ExitCode.FINE),
        ({"status": "quarantined"}, [], ExitCode.OPEN_P0),
        ({"status": "open", "verdict": "quarantined"}, [], ExitCode.OPEN_P0),
        ({"status": "released", "verdict": "quarantined"}, [], ExitCode.FINE),
        ({}, [{}], ExitCode.OPEN_P0),
        ({}, [P1], ExitCode.OPEN_P1),
        ({}, [P2], ExitCode.FINE),
        ({}, [P1, {}], ExitCode.OPEN_P0),
        ({}, [{"state": "acknowledged"}], ExitCode.OPEN_P0),
        ({}, [P1 | {"state": "silenced"}], ExitCode.OPEN_P1),
        ({}, [{"state": "inhibited"}], ExitCode.FINE),
        ({}, [{"state": "resolved"}, P1 | {"state": "expired"}], ExitCode.FINE),
        ({}, [{"day": None}], ExitCode.OPEN_P0),
        ({}, [{"day": None, "first_seen": "2025-02-26T23:59:59.999Z"}], ExitCode.OPEN_P0),
        ({}, [{"day": None, "first_seen": "2025-02-27T00:00:00.000Z"}], ExitCode.FINE),
        (
            {"ends": "2025-02-26T23:00:00.000Z"},
            [{"day": None, "first_seen": "2025-02-26T22:59:00.000Z"}],
            ExitCode.OPEN_P0,
        ),
        (
            {"ends": "2025-02-26T23:00:00.000Z"},
            [{"day": None, "first_seen": "2025-02-26T23:00:00.000Z"}],
            ExitCode.FINE,
        ),
        ({}, [{"day": "2025-02-01"}], ExitCode.OPEN_P0),
        ({}, [{"day": "2025-02-27", "evidence": None}], ExitCode.FINE),
        ({}, [{"day": "2025-02-27", "evidence": {"days": ["2025-02-25", "2025-02-27"]}}], ExitCode.OPEN_P0),
        ({}, [{"day": "2025-02-27", "evidence": {"days": "2025-02-25"}}], ExitCode.FINE),
    ],
)
def test_the_exit_code_says_whether_the_numbers_may_be_used(day, alerts, code):
    known = [alert(f"a{number}", **fields) for number, fields in enumerate(alerts)]
    assert exit_code(receipt("2025-02-26", **day), known) == code


def test_what_is_open_about_later_days_changes_no_exit_code_but_is_said():
    later = [alert(f"a{n}", day="2025-02-27") for n in range(57)]
    later += [alert("p", day="2025-02-28", **P1), alert("n", day="2025-02-28", **P2)]
    day = receipt("2025-02-26")
    assert exit_code(day, later) == ExitCode.FINE
    assert lines([day], later, day) == [
        "2025-02-26: pass, its numbers can be used",
        "58 alerts about later days are open (57 P0).",
    ]
    filling = receipt("2025-02-27", status="open", verdict="quarantined")
    assert lines([day, filling], later[:1], day) == [
        "2025-02-26: pass, its numbers can be used; but 2025-02-27, still filling, is quarantined so far",
        "1 alert about later days is open (P0).",
    ]
    assert lines([day], [], day) == ["2025-02-26: pass, its numbers can be used"]
