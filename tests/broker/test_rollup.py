"""`sluice rollup` on a real broker: the files of a day, an exit code that can be trusted, nothing left behind."""

from __future__ import annotations

import json
import logging
import time

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.cli.exits import ExitCode
from consumer.cli.report import command as report
from consumer.cli.rollup import command
from consumer.core.wire import to_json
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.delivered_topics import TailError, Topics
from consumer.runtime.kafka.read_all import read_all
from detectors.alerts import Severity
from reports.deliver import Deliverer, render_files
from tests.reports.sample_state import alert, good_week, quarantined, receipt
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

SILENT = logging.getLogger("librdkafka")
SILENT.addHandler(logging.NullHandler())


@pytest.fixture
def topics(broker, topic_prefix):
    names = Topics(f"{topic_prefix}days", f"{topic_prefix}alerts")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "logger": SILENT})
    new = [NewTopic(topic, 1, 1, config={"cleanup.policy": "compact"}) for topic in names]
    for future in admin.create_topics(new).values():
        future.result()
    return names


@pytest.fixture
def state(broker, topics):
    """Writes receipts and alerts as the watch does."""

    def write(receipts=(), alerts=(), raw=()):
        with_transaction(broker, topics, receipts, alerts, raw).commit_transaction(20)

    return write


def with_transaction(broker, topics, receipts=(), alerts=(), raw=(), timeout_ms=60_000):
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "transactional.id": topics.days,
            "transaction.timeout.ms": timeout_ms,
            "logger": SILENT,
        }
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    for one in receipts:
        producer.produce(topics.days, to_json(one), one.day.encode())
    for one in alerts:
        producer.produce(topics.alerts, to_json(one), one.id.encode())
    for topic, key, value in raw:
        producer.produce(topic, value, key)
    producer.flush(20)
    return producer


@pytest.fixture
def rollup(broker, topics, tmp_path):
    """Runs the command: its result, and the files."""
    config = tmp_path / "sluice.toml"
    config.write_text(
        f'[kafka]\n"bootstrap.servers" = "{broker.bootstrap_servers}"\n'
        f'[topics]\ndays = "{topics.days}"\nalerts = "{topics.alerts}"\n'
    )

    def run(day, out=tmp_path / "out"):
        result = CliRunner().invoke(command, ["--date", day, "--out", str(out), "--config", str(config)])
        return result, {p.name: p.read_bytes() for p in out.iterdir()} if out.is_dir() else {}

    return run


def test_a_good_day_is_fine_and_its_files_are_those_of_the_daemon(state, rollup):
    state(good_week())
    result, files = rollup("2025-02-24")
    assert (result.exit_code, result.stderr) == (ExitCode.FINE, "")
    assert result.stdout == "2025-02-24: pass, its numbers can be used\n"
    assert files == render_files(good_week(), [])


def test_the_files_are_those_as_of_the_day(state, rollup):
    receipts, alerts = quarantined()
    state(
        receipts,
        [
            *alerts,
            alert("old", day="2025-02-19", state="resolved"),
            alert("dayless", day=None, first_seen="2025-02-20T23:00:00.000Z"),
        ],
    )
    result, files = rollup("2025-02-20")
    assert files["daily_metrics.csv"].splitlines()[-1].startswith(b"2025-02-20,")
    assert [a["id"] for a in json.loads(files["alerts.json"])["alerts"]] == ["dayless", "old"]
    assert files["report.md"].startswith(b"# 2025-02-20: pass")
    assert result.exit_code == ExitCode.OPEN_P0  # the open alert of no day


def test_a_quarantined_day_is_2_even_when_no_alert_is_open(state, rollup):
    state([*good_week(), receipt("2025-02-25", status="quarantined", verdict="quarantined")])
    assert rollup("2025-02-25")[0].exit_code == ExitCode.OPEN_P0
    assert rollup("2025-02-24")[0].exit_code == ExitCode.FINE


def test_an_open_p1_is_1_and_a_p0_is_2(state, rollup):
    state(good_week(), [alert("p1", severity=Severity.P1_HIGH, day="2025-02-23")])
    assert rollup("2025-02-22")[0].exit_code == ExitCode.FINE
    assert rollup("2025-02-23")[0].exit_code == ExitCode.OPEN_P1
    assert rollup("2025-02-24")[0].exit_code == ExitCode.OPEN_P1
    state([], [alert("p0", day="2025-02-24")])
    assert rollup("2025-02-24")[0].exit_code == ExitCode.OPEN_P0


def test_latest_is_the_newest_closed_day_and_yesterday_the_one_before_the_newest(state, rollup):
    state([*good_week(), receipt("2025-02-25", status="open"), receipt("2025-02-26", status="open")])
    assert rollup("latest")[0].stdout.startswith("2025-02-24: ")
    assert rollup("yesterday")[0].stdout.startswith("2025-02-25: still open")


def test_a_day_that_is_not_known_is_not_possible(state, rollup):
    for day in ("latest", "yesterday", "2025-02-24"):
        result, files = rollup(day)
        assert (result.exit_code, files) == (ExitCode.NOT_POSSIBLE, {})
        assert "no day is known yet" in result.stderr
    state([*good_week(), receipt("2025-02-26", status="open")])
    result, files = rollup("2025-03-01")
    assert (result.exit_code, files) == (ExitCode.NOT_POSSIBLE, {})
    assert "nothing is known of 2025-03-01: the days known are 2025-02-18 to 2025-02-26" in result.stderr
    assert rollup("yesterday")[0].exit_code == ExitCode.NOT_POSSIBLE


def test_a_day_while_none_is_closed_is_to_be_named(state, rollup):
    state([receipt("2025-02-26", status="open")])
    assert "no day is closed yet" in rollup("latest")[0].stderr
    assert rollup("2025-02-26")[0].exit_code == ExitCode.FINE


def test_a_folder_that_cannot_be_written_is_not_possible(state, rollup, tmp_path):
    state(good_week())
    file = tmp_path / "file"
    file.write_text("")
    result, _ = rollup("latest", file)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert len(result.stderr.splitlines()) == 1
    assert "is a file and not a folder" in result.stderr


def test_topics_that_are_missing_are_said(broker, tmp_path, topic_prefix, monkeypatch):
    monkeypatch.setenv("SLUICE_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("SLUICE_TOPICS_DAYS", f"{topic_prefix}nowhere")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["--date", "latest", "--out", "out"])
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert f"there is no topic {topic_prefix}nowhere" in result.stderr


def test_a_record_that_is_no_receipt_is_left_out_and_said(state, rollup, topics):
    state(good_week(), raw=[(topics.days, b"2025-02-25", b"\xff")])
    result, files = rollup("latest")
    assert result.exit_code == ExitCode.FINE
    assert result.stderr == "Left out: 1 records that are no receipts or alerts.\n"
    assert files == render_files(good_week(), [])


def test_the_same_state_gives_the_same_files_and_touches_none(state, rollup, tmp_path):
    state(*quarantined())
    rollup("latest")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    rollup("latest")
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()} == before


def test_no_group_is_left_on_the_broker(broker, state, rollup):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "logger": SILENT})

    def groups():
        return {group.group_id for group in admin.list_consumer_groups().result().valid}

    state(good_week())
    before = groups()
    rollup("latest")
    assert groups() - before == set()


def read(broker, topics, timeout_seconds):
    deliverer = Deliverer()
    user = {"bootstrap.servers": broker.bootstrap_servers}
    read_all(user, topics, deliverer, SystemClock(), SILENT, timeout_seconds)
    return deliverer


def test_what_is_being_committed_is_waited_for(broker, state, topics):
    state(good_week())
    dead = with_transaction(broker, topics, [receipt("2025-02-25", status="quarantined")], timeout_ms=2_000)
    started = time.monotonic()
    deliverer = read(broker, topics, 30)  # the broker ends the dead one's transaction after 2 s and its scan
    assert time.monotonic() - started > 0.5
    assert {one.day for one in deliverer.receipts} == {one.day for one in good_week()}
    assert dead is not None


def test_a_transaction_that_hangs_is_said_at_the_deadline(broker, state, topics):
    state(good_week())
    hanging = with_transaction(broker, topics, [receipt("2025-02-25")])
    with pytest.raises(TailError, match=f"the end of {topics.days} was not reached in time"):
        read(broker, topics, 2)
    hanging.abort_transaction(20)
    assert len(wait_until(lambda: read(broker, topics, 10).receipts, 20, "the end")) == 7


def test_a_report_from_kafka_is_that_of_the_day(broker, topics, state, tmp_path):
    receipts, alerts = quarantined()
    state(receipts, alerts)
    config = tmp_path / "sluice.toml"
    config.write_text(
        f'[kafka]\n"bootstrap.servers" = "{broker.bootstrap_servers}"\n'
        f'[topics]\ndays = "{topics.days}"\nalerts = "{topics.alerts}"\n'
    )
    result = CliRunner().invoke(report, ["--date", "2025-02-24", "--config", str(config)])
    assert (result.exit_code, result.stderr) == (ExitCode.FINE, "")
    assert result.stdout_bytes == render_files(receipts, alerts, "2025-02-24")["report.md"]
