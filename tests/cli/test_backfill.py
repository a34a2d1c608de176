"""`sluice backfill`: files give the oracle's numbers; whatever is wrong in them stops nothing and is named."""

from __future__ import annotations

import base64
import csv
import gzip
import json
from collections import Counter
from decimal import Decimal

import pytest
from click.testing import CliRunner

from consumer.cli.backfill import command
from consumer.cli.exits import ExitCode
from tests.day_numbers import expected
from tests.faults.bad_input import WARM_UP, bad_values
from tests.faults.feed import page_view, troubled_shop
from tests.oracle import JudgedRecord, dead_letters, judge

FILES = {"daily_metrics.csv", "alerts.json", "report.md", "report.html", "days.ndjson", "dead_letters.ndjson"}
YEAR_AHEAD = "2027-05-05T12:00:00.000Z"
"""Over 400 days ahead of the events in these tests: files have no log whose clock could tell."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments), "--out", "out"])


def write_lines(path, values):
    path.write_bytes(b"".join(value + b"\n" for value in values))
    return path


def write_csv(path, events, columns, encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(events)
    return path


def rows(folder):
    text = (folder / "out" / "daily_metrics.csv").read_text()
    return {row["day"]: row for row in csv.DictReader(text.splitlines())}


def letters(folder):
    lines = (folder / "out" / "dead_letters.ndjson").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def value_of(letter):
    if "value_base64" in letter:
        return base64.b64decode(letter["value_base64"])
    return letter["value"].encode()


def numbers(row):
    names = ("events", "sessions", "purchases", "replays")
    return [int(row[name]) for name in names] + [Decimal(row["revenue"])]


def wanted(values):
    days = expected(judge([JudgedRecord(value, arrival) for arrival, value in enumerate(values)]))
    return {day: [it.events, it.sessions, it.purchases, it.replays, it.revenue] for day, it in days.items()}


def test_a_troubled_shops_files_give_the_oracles_numbers_and_its_dead_letters(folder):
    values = [record.value for record in troubled_shop(31, sessions_per_day=300)]
    third = len(values) // 3
    first = write_lines(folder / "a.ndjson", values[:third])
    second = write_lines(folder / "b.jsonl", values[third : 2 * third])
    last = folder / "c.ndjson.gz"
    last.write_bytes(gzip.compress(b"\n".join(values[2 * third :])))
    result = run(first, second, last)
    assert result.exit_code == ExitCode.FINE, result.output
    assert {path.name for path in (folder / "out").iterdir()} == FILES
    assert {day: numbers(row) for day, row in rows(folder).items()} == wanted(values)
    reasons = dead_letters([JudgedRecord(value, arrival) for arrival, value in enumerate(values)])
    assert Counter(letter["reason"] for letter in letters(folder)) == reasons
    found = {
        file: values[start:] for file, start in (("a.ndjson", 0), ("b.jsonl", third), (last.name, 2 * third))
    }
    for letter in letters(folder):
        assert found[letter["file"]][letter["line"] - 1] == value_of(letter)
    assert f"{len(values):,} records, {sum(reasons.values()):,} dead letters, 3 days:" in result.output


def test_the_same_files_give_the_same_bytes_again(folder):
    path = write_lines(folder / "a.ndjson", [record.value for record in troubled_shop(32)])
    run(path)
    first = {name: (folder / "out" / name).read_bytes() for name in FILES}
    assert run(path).exit_code == ExitCode.FINE
    for name in FILES:
        assert (folder / "out" / name).read_bytes() == first[name]


def test_every_kind_of_bad_line_is_told_apart_and_every_line_is_accounted_for(folder):
    values = list(bad_values(YEAR_AHEAD))
    lines = [record.value for record in WARM_UP] + [bad.value for bad in values]
    result = run(write_lines(folder / "a.ndjson", lines))
    assert result.exit_code == ExitCode.FINE, result.output
    found = {letter["line"]: letter for letter in letters(folder)}
    wrong = {}
    for line, bad in enumerate(values, len(WARM_UP) + 1):
        letter = found.pop(line, None)
        if bad.reason != (letter and letter["reason"]):
            wrong[bad.name] = letter
        elif letter:
            assert value_of(letter) == bad.value
    assert (wrong, found) == ({}, {})
    events = sum(int(row["events"]) for row in rows(folder).values())
    invalid = sum((bad.reason or "").startswith("purchase_") for bad in values)
    assert events + len(letters(folder)) - invalid == len(lines)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_first_event_of_the_year_1_or_9999_stops_nothing(folder, monkeypatch, zone):
    monkeypatch.setenv("SLUICE_TIME_ZONE", zone)
    edges = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z"]
    values = [page_view(f"e{n}", at) for n, at in enumerate(edges)] + [record.value for record in WARM_UP]
    result = run(write_lines(folder / "a.ndjson", values))
    assert result.exit_code == ExitCode.FINE, result.output
    days = rows(folder)
    assert not any(day.startswith("0") for day in days)
    day = days["2025-03-01"]
    assert (day["events"], day["sessions"], day["status"]) == ("120", "120", "pass")


@pytest.mark.parametrize(
    "text",
    [
        "name,price\nshoe,5\n",
        "client_id;timestamp;event_name\na;2025-03-01T00:00:00Z;page_viewed\n",
        'c1,https://shop.example/,,2025-03-01T00:00:00Z,page_viewed,,"Mozilla"\n',
    ],
)
def test_a_csv_without_any_column_of_the_contract_is_no_file_of_events(folder, text):
    (folder / "a.csv").write_text(text)
    result = run(folder / "a.csv")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stderr == (
        f"Error: {folder / 'a.csv'}: its first line has none of the contract's fields (client_id, clientId, timestamp, "
        "event_name, …): it must name the columns, with commas between them\n"
    )
    assert list((folder / "out").iterdir()) == []


COLUMNS = ["client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent"]


@pytest.fixture
def shop():
    """The shop's events that a table can hold."""
    values = []
    for record in troubled_shop(33):
        try:
            event = json.loads(record.value)
        except ValueError:
            continue
        if isinstance(event, dict) and "user_agent" in event:
            values.append(event)
    return values


def test_csv_gives_the_same_numbers_as_json(folder, shop):
    assert run(write_csv(folder / "a.csv", shop, COLUMNS)).exit_code == ExitCode.FINE
    assert {day: numbers(row) for day, row in rows(folder).items()} == wanted(
        json.dumps(event).encode() for event in shop
    )


def test_a_csv_whose_identity_column_is_missing_still_counts_its_events_and_purchases(folder, shop):
    path = write_csv(folder / "a.csv", shop, COLUMNS[1:])
    assert run(path).exit_code == ExitCode.FINE
    by_day = wanted(json.dumps(event).encode() for event in shop)
    for day, row in rows(folder).items():
        events, _, purchases, replays, revenue = by_day[day]
        assert (row["events"], row["purchases"], row["replays"]) == (
            str(events),
            str(purchases),
            str(replays),
        )
        assert Decimal(row["revenue"]) == revenue
        assert row["identity_missing_rate"] == "1.000000"
        assert row["conversion_rate"] == row["direct_share"] == ""


def test_a_csv_whose_time_column_is_missing_is_all_dead_letters(folder, shop):
    path = write_csv(folder / "a.csv", shop[:50], [name for name in COLUMNS if name != "timestamp"])
    assert run(path).exit_code == ExitCode.FINE
    assert Counter(letter["reason"] for letter in letters(folder)) == {"timestamp_missing": 50}
    assert rows(folder) == {}


def test_a_gzip_file_that_is_cut_short_is_used_up_to_there_and_said(folder):
    values = [record.value for record in WARM_UP]
    packed = gzip.compress(b"".join(value + b"\n" for value in values), compresslevel=0)
    (folder / "a.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    result = run(folder / "a.ndjson.gz")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert "a.ndjson.gz is cut short" in result.stderr
    (letter,) = letters(folder)
    assert letter["reason"] == "cut_short"
    whole = int(rows(folder)["2025-03-01"]["events"])
    assert 0 < whole < len(values)
    assert values[whole].startswith(value_of(letter))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"PAR1", "neither CSV nor NDJSON"),
        ("a.csv", b"\xff\xfe\x00", "no line of CSV column names in UTF-8"),
        ("a.csv.gz", b"client_id,timestamp\n", "not gzip"),
        ("missing.csv", None, "there is no file"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_one_sentence(folder, name, content, words):
    if content is not None:
        (folder / name).write_bytes(content)
    result = run(folder / name)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (folder / "out" / "daily_metrics.csv").exists()


def test_a_file_where_the_folder_should_be_is_one_sentence(folder):
    (folder / "out").write_text("")
    result = run(write_lines(folder / "a.ndjson", [record.value for record in WARM_UP]))
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stderr.startswith("Error: out")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_gives_empty_files(folder, content):
    (folder / "a.ndjson").write_bytes(content)
    result = run(folder / "a.ndjson")
    assert result.exit_code == ExitCode.FINE, result.output
    assert rows(folder) == {}
    assert letters(folder) == []
