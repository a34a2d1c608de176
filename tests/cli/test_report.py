"""`sluice report`: a past day or a digest out of a backfill's folder, printed or written; what is wrong in a sentence."""

import pytest
from click.testing import CliRunner

from consumer.cli.exits import ExitCode
from consumer.cli.report import command
from consumer.runtime import dead_letter_file
from reports.deliver import digest_files as digest_of
from reports.deliver import render_files as files_of
from reports.render import alerts_json, days_ndjson
from reports.render.source import Source
from tests.reports.sample_state import alert, quarantined, receipt

STATE = quarantined()


def render_files(receipts, alerts, day=None):
    return files_of(receipts, alerts, day, Source.FILES)


def digest_files(receipts, alerts, first, last):
    return digest_of(receipts, alerts, first, last, Source.FILES)


@pytest.fixture
def folder(tmp_path):
    """What a backfill leaves behind."""
    receipts, alerts = STATE
    (tmp_path / alerts_json.NAME).write_bytes(render_files(receipts, alerts)[alerts_json.NAME])
    (tmp_path / days_ndjson.NAME).write_bytes(days_ndjson.render(receipts))
    (tmp_path / dead_letter_file.NAME).write_bytes(b"")
    return tmp_path


def run(folder, *arguments):
    return CliRunner().invoke(command, [*arguments, "--folder", str(folder)])


def test_the_newest_closed_day_is_printed(folder):
    result = run(folder)
    assert (result.exit_code, result.stderr) == (ExitCode.FINE, "")
    assert result.stdout_bytes == render_files(*STATE, "2025-02-26")["report.md"]


def test_without_a_date_it_is_what_the_daily_report_says_also_while_no_day_is_closed(tmp_path):
    days = [receipt("2025-02-18", status="open", revision=0)]
    (tmp_path / alerts_json.NAME).write_bytes(
        files_of(days, [alert("a", day="2025-02-18")])[alerts_json.NAME]
    )
    (tmp_path / days_ndjson.NAME).write_bytes(days_ndjson.render(days))
    (tmp_path / dead_letter_file.NAME).write_bytes(b"")
    result = run(tmp_path)
    assert result.stdout_bytes == render_files(days, [alert("a", day="2025-02-18")])["report.md"]
    assert result.stdout.startswith("# 2025-02-18: still open")


def test_a_folder_in_which_no_event_could_be_used_says_where_they_are(tmp_path):
    (tmp_path / alerts_json.NAME).write_bytes(files_of([], [])[alerts_json.NAME])
    (tmp_path / days_ndjson.NAME).write_bytes(b"")
    result = run(tmp_path)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stderr == f"Error: {tmp_path} has no day: no event could be used\n"
    (tmp_path / dead_letter_file.NAME).write_bytes(b"{}")
    assert f"see `sluice dlq list --file {tmp_path}/dead_letters.ndjson`" in run(tmp_path).stderr


def test_a_folder_without_dead_letters_names_no_command_for_them(folder):
    assert "sluice dlq list --file dead_letters.ndjson" in run(folder).stdout
    (folder / dead_letter_file.NAME).unlink()
    told = run(folder).stdout
    assert "sluice dlq" not in told
    assert "They lie unchanged among the dead letters." in told


def test_a_settings_file_that_is_not_there_is_said_also_where_a_folder_is_read(folder):
    result = run(folder, "--config", "nope.toml")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert "nope.toml" in result.stderr


def test_any_past_day_is_told(folder):
    assert run(folder, "--date", "2025-02-20").stdout_bytes == render_files(*STATE, "2025-02-20")["report.md"]


def test_a_days_files_are_written(folder):
    out = folder / "made"
    result = run(folder, "--date", "2025-02-24", "--out", str(out))
    made = render_files(*STATE, "2025-02-24")
    assert result.stdout == f"Files in {out}: report.md, report.html\n"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        name: made[name] for name in ("report.md", "report.html")
    }


def test_a_week_is_the_seven_days_up_to_the_day(folder):
    wanted = digest_files(*STATE, "2025-02-20", "2025-02-26")
    assert run(folder, "--week").stdout_bytes == wanted["digest.md"]
    out = folder / "made"
    assert run(folder, "--week", "--out", str(out)).exit_code == ExitCode.FINE
    assert {path.name: path.read_bytes() for path in out.iterdir()} == wanted


def test_a_range_is_from_the_first_day_to_the_last_one(folder):
    told = run(folder, "--since", "2025-02-18", "--date", "2025-02-19").stdout_bytes
    assert told == digest_files(*STATE, "2025-02-18", "2025-02-19")["digest.md"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--week", "--since", "2025-02-18"], "either --week or --since"),
        (["--since", "2025-03-18"], "--since 2025-03-18 is after 2025-02-26"),
        (["--since", "2024-02-18"], "2024-02-18 to 2025-02-26 are 375 days: a digest has at most 92"),
        (["--since", "monday"], "'monday' is no day"),
        (["--date", "monday"], "'monday' is no day"),
    ],
)
def test_wrong_usage_is_said(folder, arguments, sentence):
    result = run(folder, *arguments)
    assert result.exit_code in (ExitCode.USAGE, 2)  # click's own, which `main` makes 64
    assert sentence in result.stderr


def test_a_day_that_is_not_known_is_not_possible(folder):
    result = run(folder, "--date", "2025-02-25")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert (
        result.stderr
        == "Error: nothing is known of 2025-02-25: the days known are 2025-02-18 to 2025-02-26\n"
    )


def test_a_folder_that_no_backfill_wrote_is_named(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert (
        result.stderr == f"Error: {tmp_path} has no days.ndjson: name a folder that `sluice backfill` wrote\n"
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"alerts": 1}', b"\xff"])
def test_alerts_that_cannot_be_read_are_named(folder, content):
    (folder / alerts_json.NAME).write_bytes(content)
    result = run(folder)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stderr.startswith(f"Error: {folder / alerts_json.NAME} cannot be read: ")


def test_records_that_are_none_of_ours_are_left_out_and_counted(folder):
    with (folder / days_ndjson.NAME).open("ab") as file:
        file.write(b'{"day": "2025-02-27"}\n\xff\n{"a": 1}\n')
    result = run(folder)
    assert result.stdout_bytes == render_files(*STATE, "2025-02-26")["report.md"]
    assert result.stderr == "Left out: 3 records that are no receipts or alerts.\n"


def test_an_output_folder_that_cannot_be_written_is_said(folder):
    (folder / "file").write_text("")
    result = run(folder, "--out", str(folder / "file"))
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert "cannot write to the folder" in result.stderr
