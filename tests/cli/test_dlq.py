"""`sluice dlq` without a broker: wrong usage, repairs from a file, the report, and the dead letters of a backfill."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click import UsageError
from click.testing import CliRunner

from consumer.cli.dlq import command
from consumer.cli.dlq_repairs import read_repairs
from consumer.cli.dlq_report import Report
from consumer.cli.exits import ExitCode
from consumer.cli.main import sluice

REASON = ("--reason", "purchase_revenue")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(command, arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "--reason", "purchase"], "'purchase' is not one of"),
        (["list", "--field", "a..b"], "is no path: write it like event_data.revenue"),
        (["list", "--since", "yesterday"], "or how long ago: 30m, 2h or 3d"),
        (["list", "--since", "2025-02-24T09:00:00"], "write RFC 3339"),
        (["list", "--day", "2025-02-30"], "'2025-02-30' is no day: write YYYY-MM-DD"),
        (["list", "--group", "reason,country"], "'country' is no column: use some of reason, field, event"),
        (["show"], "Missing argument 'LETTER'"),
        (["show", "42"], "LETTER is partition/offset, such as 3/42"),
        (["requeue"], "say which: name a LETTER (partition/offset), filters, or --all"),
        (["requeue", "--cast", "event_data.revenue=number"], "say which"),
        (["requeue", *REASON, "--rename", "a"], "write it like clientId=client_id"),
        (["requeue", *REASON, "--drop", "$"], "name a place within the event"),
        (["requeue", *REASON, "--set", "a"], "write it like event_data.currency=EUR"),
        (["requeue", *REASON, "--cast", "a=money"], "write one of number, string, integer, boolean"),
        (["requeue", *REASON, "--repairs", "none.toml"], "none.toml: No such file or directory"),
    ],
)
def test_wrong_usage_is_said(arguments, sentence, nowhere):
    result = run(*arguments)
    assert result.exit_code != ExitCode.FINE
    assert (result.stdout, sentence in result.stderr) == ("", True), result.stderr


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "0/1"], ["requeue", *REASON, "--dry-run"], ["requeue", *REASON]]
)
def test_without_a_broker_there_is_one_sentence(arguments, nowhere):
    result = run(*arguments)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert len(result.stderr.splitlines()) == 1, result.stderr


# -- repairs -----------------------------------------------------------------------------------------------------

REPAIRS = """
[[repair]]
rename = "clientId"
to = "client_id"
[[repair]]
drop = "event_data.items[].debug"
[[repair]]
set = "event_data.revenue"
value = 79.50
[[repair]]
set = "event_data.items"
value = [{ item_id = "m", sold = true, n = 1 }]
[[repair]]
set = "event_data.note"
value = "12"
[[repair]]
cast = "event_data.revenue"
to = "number"
"""


def test_repairs_of_a_file_keep_their_order_and_the_digits_of_their_numbers(tmp_path):
    file = tmp_path / "repairs.toml"
    file.write_text(REPAIRS)
    rename, drop, revenue, items, note, cast = read_repairs(file)
    assert [str(repair) for repair in (rename, drop, cast)] == [
        "rename clientId to client_id",
        "drop event_data.items[].debug",
        "cast event_data.revenue to number",
    ]
    assert (revenue.value, note.value) == ("79.50", '"12"')
    assert items.value == '[{"item_id":"m","sold":true,"n":1}]'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("repair = 1", "must hold [[repair]] tables and nothing else"),
        ("", "must hold [[repair]] tables and nothing else"),
        ("[[repair]]\ndrop = 'a'\n[other]", "must hold [[repair]] tables and nothing else"),
        ("not toml", "is no TOML"),
        ("[[repair]]\nmove = 'a'", "repair 1 must have one of rename, drop, set, cast"),
        ("[[repair]]\ndrop = 1", 'repair 1 must be drop = "PATH"'),
        ("[[repair]]\ndrop = 'a'\n[[repair]]\nrename = 'a'", 'repair 2 must be rename = "PATH" with to = …'),
        ("[[repair]]\ndrop = 'a'\nto = 'b'", 'repair 1 must be drop = "PATH"'),
        ("[[repair]]\nset = 'a'\nvalue = nan", "JSON has no such value"),
        ("[[repair]]\nset = 'a'\nvalue = 2025-02-24", "JSON has no such value"),
        ("[[repair]]\ncast = 'a'\nto = 'money'", "'money' is no type"),
    ],
)
def test_a_file_that_holds_something_else_is_said_to(text, sentence, tmp_path):
    file = tmp_path / "repairs.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_repairs(file)
    assert sentence in str(raised.value)


# -- what it says ------------------------------------------------------------------------------------------------


def report(*, dry_run):
    told = Report(
        dry_run,
        Counter({"2025-02-24": 2, "2025-02-25": 1}),
        Counter({"purchase_items": 2, "timestamp_invalid": 1}),
        Counter({"cast event_data.revenue to number: what is there is no number": 1}),
        Counter({"recovered": 4, "unrecoverable": 2}),
    )
    if not dry_run:
        told.put_back, told.recovered, told.waiting = 3, 1, 1
        told.failed_again["purchase_items"] = 1
    return told


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_a_requeue_says(dry_run, golden):
    told = report(dry_run=dry_run)
    golden.check(
        f"dead_letters/requeue{'_dry_run' if dry_run else ''}.txt",
        "\n".join([*told.lines(), json.dumps(told.as_json(), indent=2), ""]),
    )


def test_where_nothing_matches_that_is_said():
    assert list(Report(dry_run=True).lines()) == ["No dead letter matches."]


# -- files -------------------------------------------------------------------------------------------------------

EVENTS = """
{"client_id":"c1","timestamp":"2025-02-24T10:00:00Z","event_name":"page_viewed","page_url":"https://shop.example/"}
{"client_id":"c1","timestamp":"2025-02-24T10:00:00","event_name":"page_viewed","page_url":"https://shop.example/"}
{"client_id":"c2","timestamp":"2025-02-24T10:01:00Z","event_name":"checkout_completed","event_data":"{\\"transaction_id\\":\\"t\\",\\"revenue\\":0}"}
{"client_id":"c2","timestamp":"2025-02-24T10:02:00","event_name":"page_viewed"}
hello
"""


@pytest.fixture
def backfilled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("events.ndjson").write_text(EVENTS)
    assert (
        CliRunner().invoke(sluice, ["backfill", "events.ndjson", "--out", "out"]).exit_code == ExitCode.FINE
    )
    return "out/dead_letters.ndjson"


def test_dead_letters_read_well_at_80_columns(backfilled, monkeypatch, capsys):
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    sluice.main(["dlq", "list", "--file", backfilled], standalone_mode=False)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "2 ×  timestamp_invalid  timestamp  page_viewed",
        "    2 open, example 3",
        "1 ×  not_json  $",
        "    1 unrecoverable, example 4",
        "1 ×  purchase_revenue  event_data.revenue  checkout_completed",
        "    1 open, example 2",
    ]


def test_the_dead_letters_of_a_backfill_are_listed_and_shown(backfilled):
    rows = run("list", "--file", backfilled).stdout.splitlines()
    assert [row.split("\t") for row in rows] == [
        ["reason", "field", "event", "count", "open", "unrecoverable", "first", "last", "example"],
        ["timestamp_invalid", "timestamp", "page_viewed", "2", "2", "", "", "", "3"],
        ["not_json", "$", "", "1", "", "1", "", "", "4"],
        ["purchase_revenue", "event_data.revenue", "checkout_completed", "1", "1", "", "", "", "2"],
    ]
    shown = run("show", "2", "--file", backfilled)
    assert "stood at  events.ndjson/0/4" in shown.stdout
    assert "^ revenue is not a positive number" in shown.stdout
    assert "c2" not in shown.stdout
    assert '"client_id": "c2"' in run("show", "2", "--file", backfilled, "--unmask").stdout
    assert (
        json.loads(run("show", "2", "--file", backfilled, "--json").stdout)["event"]["event_data"]["revenue"]
        == 0
    )


def test_filters_choose_and_json_counts(backfilled):
    told = json.loads(run("list", "--file", backfilled, "--event", "page_viewed", "--json").stdout)
    assert (told["count"], told["outcomes"]["open"], len(told["groups"])) == (2, 2, 1)
    assert (
        json.loads(run("list", "--file", backfilled, "--field", "$.timestamp", "--json").stdout)["count"] == 2
    )
    assert json.loads(run("list", "--file", backfilled, *REASON, "--json").stdout)["count"] == 1
    assert (
        json.loads(run("list", "--file", backfilled, "--group", "outcome", "--json").stdout)["groups"][0][
            "outcome"
        ]
        == "open"
    )


def test_the_day_that_counts_a_dead_letter_is_known_of_files_too(backfilled):
    rows = run("list", "--file", backfilled, "--group", "day,reason").stdout.splitlines()
    assert ["2025-02-24", "purchase_revenue", "1"] in [row.split("\t")[:3] for row in rows]
    for day, count in (("2025-02-24", 1), ("2025-02-25", 0)):
        told = json.loads(run("list", "--file", backfilled, *REASON, "--day", day, "--json").stdout)
        assert told["count"] == count


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "line 1 is no dead letter"),
        ("hello", "line 1 is no dead letter"),
        ('{"file":"a","line":1,"reason":"x","errors":[],"value_base64":"="}', "line 1 is no"),
    ],
)
def test_another_file_is_said_to_be_none(content, sentence, tmp_path):
    file = tmp_path / "other.ndjson"
    file.write_text(content)
    result = run("list", "--file", str(file))
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert sentence in result.stderr


def test_a_file_or_line_that_is_not_there_is_said(backfilled):
    assert "there is no file none.ndjson" in run("list", "--file", "none.ndjson").stderr
    assert "has no line '99'" in run("show", "99", "--file", backfilled).stderr
