"""`sluice alerts` without a broker: what is wrong usage, what cannot be done, and how the list looks."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from consumer.cli import alert_list
from consumer.cli.alerts import _check, _check_time, _named, _obeyed, command
from consumer.cli.exits import ExitCode, NotPossibleError
from consumer.cli.main import sluice
from consumer.core import timestamps
from detectors.alerts import Severity
from tests.reports.sample_state import HOSTILE, alert, receipt

ONE, OTHER = "3f9c0000000000000001", "3f9c0000000000000002"
REASON = ("--reason", "looked into")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ack", ONE], "Missing option '--reason'"),
        (["ack", ONE, "--reason", ""], "Invalid value for '--reason': it is blank, and goes on record"),
        (["silence", ONE, "--for", "2h", "--reason", " \t"], "Invalid value for '--reason': it is blank"),
        (["ack", ONE, *REASON, "--by", " "], "Invalid value for '--by': it is blank"),
        (["ack", *REASON], "Missing argument 'ID'"),
        (["silence", ONE, *REASON], "either --until or --for"),
        (
            ["silence", ONE, "--for", "2h", "--until", "2025-02-24T09:00:00Z", *REASON],
            "either --until or --for",
        ),
        (["silence", ONE, "--for", "2 hours", *REASON], "write 30m, 2h or 3d"),
        (["silence", ONE, "--for", "0m", *REASON], "write 30m, 2h or 3d"),
        (["silence", ONE, "--for", "99999d", *REASON], "write 30m, 2h or 3d"),
        (["silence", ONE, "--until", "tomorrow", *REASON], "write RFC 3339"),
        (["silence", ONE, "--until", "2025-02-24T09:00:00", *REASON], "write RFC 3339"),
        (["accept", ONE, "--from", "2025-02-30", *REASON], "write YYYY-MM-DD"),
        (["accept", ONE, "--from", "20250224", *REASON], "write YYYY-MM-DD"),
    ],
)
def test_wrong_usage_is_said(arguments, sentence, nowhere):
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code != ExitCode.FINE
    assert (result.stdout, sentence in result.stderr) == ("", True), result.stderr


def test_a_day_is_not_released_for_no_reason(nowhere):
    result = CliRunner().invoke(sluice, ["gate", "release", "2025-02-26", "--reason", "  "])
    assert result.exit_code != ExitCode.FINE
    assert "Invalid value for '--reason': it is blank" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--all", "--json"],
        ["ack", ONE, *REASON],
        ["silence", ONE, "--for", "2h", *REASON],
        ["accept", ONE, *REASON],
    ],
)
def test_without_a_broker_it_is_not_possible_and_said_in_one_sentence(arguments, nowhere):
    result = CliRunner().invoke(sluice, ["alerts", *arguments])
    assert (result.exit_code, result.stdout) == (ExitCode.NOT_POSSIBLE, "")
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("Error: no Kafka broker answers at 127.0.0.1:1 (")


@pytest.mark.parametrize("name", ["list", "ack", "silence", "accept"])
def test_each_has_a_help_with_an_example(name):
    result = CliRunner().invoke(sluice, ["alerts", name, "--help"])
    assert f"sluice alerts {name}" in result.stdout


def test_an_id_may_be_cut_as_long_as_it_is_unique():
    alerts = [alert(ONE), alert("aa")]
    assert _named(alerts, "3", "t").id == ONE
    assert _named([alert("aa"), alert("aab")], "aa", "t").id == "aa"


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("3f9c", f"2 alerts begin with 3f9c: write more of the id ({ONE}, {OTHER})"),
        ("b", "there is no alert 'b' in t: see `sluice alerts list --all`"),
        ("", "there is no alert '' in t: see `sluice alerts list --all`"),
        ("\x1b[2J", "there is no alert '\\x1b[2J' in t: see `sluice alerts list --all`"),
    ],
)
def test_an_id_that_names_no_alert_or_several_is_not_possible(prefix, sentence):
    with pytest.raises(NotPossibleError) as raised:
        _named([alert(ONE), alert(OTHER)], prefix, "t")
    assert str(raised.value) == sentence


def test_what_is_over_or_no_level_takes_no_order():
    for known, action in (
        (alert(ONE, state="resolved"), "acknowledge"),
        (alert(ONE, state="expired"), "silence"),
        (alert(ONE), "accept"),
        (alert(ONE, kind="bot_traffic", severity=Severity.P2_NOTE), "accept"),
    ):
        with pytest.raises(NotPossibleError):
            _check(known, action)
    _check(alert(ONE, state="inhibited"), "acknowledge")
    _check(alert(ONE, kind="direct_share_shift", severity=Severity.P1_HIGH), "accept")


def test_a_silence_that_is_over_before_it_begins_is_refused():
    receipts = [
        receipt(day, watermark=f"{day}T10:00:00.000Z") for day in ("2025-02-24", "2025-02-26", "2025-02-25")
    ]
    _check_time(timestamps.parse("2025-02-26T10:00:01Z"), receipts)
    _check_time(timestamps.parse("2025-02-26T10:00:00Z"), [receipt("2025-02-24", watermark=None)])
    _check_time(None, receipts)
    with pytest.raises(NotPossibleError, match=r"^the events are at 2025-02-26T10:00:00\.000Z already"):
        _check_time(timestamps.parse("2025-02-26T10:00:00Z"), receipts)


def test_an_order_is_obeyed_once_it_stands_in_the_history():
    entry = {"at": "2025-02-26T11:00:00.000Z", "state": "acknowledged", "by": "ann", "reason": "known"}
    before, after = alert(ONE), alert(ONE, evidence={"history": [entry]})
    again = alert(ONE, evidence={"history": [entry, entry]})
    assert _obeyed(before, after, "acknowledge")
    assert _obeyed(after, again, "acknowledge")
    assert not _obeyed(before, after, "silence")
    assert not _obeyed(after, after, "acknowledge")
    assert not _obeyed(before, alert(ONE, evidence={"history": "hostile"}), "acknowledge")


def test_a_pipe_gets_whole_ids_in_columns_the_loudest_first(capsys):
    note = alert("note", severity=Severity.P2_NOTE, message="two\tlines\nof it", opened_at="2025-02-27")
    page = alert(ONE, explains=["note"])
    alert_list.show([note, page], {})
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert tuple(lines[0]) == alert_list.COLUMNS
    assert lines[1][:7] == [
        ONE, "P0_BLOCKER", "open", "transaction_collision", "ORD-1042", "2025-02-26 09:13", "1"
    ]  # fmt: skip
    assert lines[2][-1] == "two lines of it"


def test_who_put_an_alert_away_and_why_stands_beside_it(capsys):
    entry = {"at": "2025-02-26T11:00:00.000Z", "state": "acknowledged", "by": "ann", "reason": "known"}
    alert_list.show([alert(ONE, state="acknowledged", message="x", evidence={"history": [entry]})], {})
    assert capsys.readouterr().out.endswith("\tx (acknowledged by ann: known)\n")


def test_hostile_words_stay_one_harmless_line(capsys):
    told = alert(ONE, subject=HOSTILE, message=HOSTILE, kind=HOSTILE, evidence={"history": [HOSTILE]})
    alert_list.show([told, alert("o", state="silenced", evidence={"history": HOSTILE})], {})
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 3
    assert all(line.count("\t") == len(alert_list.COLUMNS) - 1 for line in out.splitlines())
    assert all(character.isprintable() or character in "\t\n" for character in out)


@pytest.fixture
def person(monkeypatch):
    """Somebody at a terminal of 80 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")


def test_an_alert_reads_well_at_80_columns(capsys, person):
    told = (
        "Transaction id ORD-1042 came 2 times with different contents (2025-02-26). None of them is counted and these days "
        "are quarantined: find out which order is the true one, then release the day."
    )
    alert_list.show([alert(ONE, message=told, explains=["a", "b"])], {ONE: alert(ONE)})
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        f"P0  {ONE[:8]}  transaction_collision  ORD-1042",
        "    open, since 2025-02-26 09:13 UTC, explains 2 more",
        "    Transaction id ORD-1042 came 2 times with different contents (2025-02-26).",
        "    None of them is counted and these days are quarantined: find out which order",
        "    is the true one, then release the day.",
    ]


def test_a_person_gets_words_without_markup(capsys, person):
    alert_list.show([alert(ONE, message="[red]not a colour[/red]")], {ONE: alert(ONE)})
    out = capsys.readouterr().out
    assert "[red]not a colour[/red]" in out
    assert ONE[:8] in out
    assert ONE not in out
    alert_list.show([], {})
    assert capsys.readouterr().out == "No alert is open.\n"
