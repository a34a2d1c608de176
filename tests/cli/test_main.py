"""The command line as a whole: what a newcomer and a shell find."""

from __future__ import annotations

import subprocess
import sys

import pytest

from consumer.cli.exits import ExitCode
from consumer.cli.main import COMMANDS

START = [sys.executable, "-W", "error", "-m", "consumer.cli"]


def sluice(*arguments, folder=None, **environment):
    import os

    return subprocess.run(
        [*START, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, **environment},
    )


def test_the_help_has_every_command_in_order_with_a_sentence():
    result = sluice("--help")
    assert (result.returncode, result.stderr) == (ExitCode.FINE, "")
    listed = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(len(line.split()) > 3 for line in listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(command):
    result = sluice(command, "--help")
    assert (result.returncode, result.stderr) == (ExitCode.FINE, "")
    assert f"sluice {command}" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run", "--nonsense"),
        ("run", "--roles", "gate,cook"),
        ("run", "--roles", ""),
        ("backfill", "--out", "x"),
        ("backfill", "a.csv"),
        ("produce",),
        ("rollup", "--date", "2025-13-01", "--out", "x"),
    ],
)
def test_wrong_usage_ends_with_64_and_says_where_the_help_is(tmp_path, arguments):
    result = sluice(*arguments, folder=tmp_path)
    assert result.returncode == ExitCode.USAGE
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: sluice")
    assert "\nError: " in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "check", "produce a.csv", "backfill a.csv --out x"])
def test_wrong_settings_end_every_command_with_3_and_one_sentence(tmp_path, command):
    (tmp_path / "sluice.toml").write_text("[topics]\ninputs = 5\n")
    result = sluice(*command.split(), folder=tmp_path)
    assert result.returncode == ExitCode.NOT_POSSIBLE
    assert result.stderr == (
        "Error: sluice.toml, line 2: [topics] has no setting inputs; perhaps input is meant.\n"
    )


def test_a_settings_file_that_is_not_there_is_said(tmp_path):
    result = sluice("run", "--config", "nowhere.toml", folder=tmp_path)
    assert result.returncode == ExitCode.NOT_POSSIBLE
    assert result.stderr.startswith("Error: ")
    assert "nowhere.toml" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_contract_that_cannot_be_used_ends_the_daemon_before_it_connects(tmp_path):
    (tmp_path / "mine.yaml").write_text("kind: Deployment\n")
    result = sluice("run", folder=tmp_path, SLUICE_CONTRACT_PATH="mine.yaml")
    assert result.returncode == ExitCode.NOT_POSSIBLE
    assert result.stderr.startswith("Error: mine.yaml, line 1: ")
    assert result.stderr.count("\n") == 1
