"""The bench at tiny sizes: everything in it works, and a number that is wrong makes a run a failed one."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from consumer.core.wire import read_entry
from tests.bench import core, daemon, files, state, table
from tests.bench.__main__ import WORDS, main
from tests.bench.daemon import Names
from tests.bench.measured import Run
from tests.bench.topics import Cluster, faults
from tests.bench.workload import BACKLOG, BUSY, KINDS, Workload


def off_by_one(right):
    """The same numbers, but for one purchase on one day."""
    day = sorted(right)[1]
    return day, {**right, day: right[day]._replace(purchases=right[day].purchases + 1)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_the_workload_says_of_its_days_is_what_gate_and_watch_find(kind):
    run = core.run(Workload(kind, 3_000))
    assert run.faults == []
    assert run.seconds > 0


def test_the_workload_is_as_large_as_it_says_and_the_same_every_time():
    workload = Workload(BUSY, 20_000)
    records = list(workload)
    assert len(records) == workload.records == workload.events + workload.bad
    assert records == list(Workload(BUSY, 20_000))
    assert workload.bad == workload.events // 1_000


def test_copies_share_no_client_and_no_transaction_id():
    workload = Workload(BACKLOG, 120_000)
    values = [msgspec.json.decode(v) for _, v in workload if v.startswith(b"{") and b"page_url" in v]
    bought = [msgspec.json.decode(v["event_data"]) for v in values if v["event_name"] == "checkout_completed"]
    ids = [purchase["transaction_id"] for purchase in bought]
    assert len(ids) == len(set(ids)) == sum(day.purchases for day in workload.right().values())
    first, last = values[0], values[workload.events // 2]
    assert first["timestamp"][:10] < last["timestamp"][:10]


def test_about_as_many_events_open_a_session_as_in_life():
    assert 0.7 < Workload(BACKLOG, 30_000).share_opening < 0.9
    assert 0.3 < Workload(BUSY, 30_000).share_opening < 0.5


def test_a_wrong_number_is_named_with_its_day():
    right = Workload(BUSY, 1_000).right()
    day, wrong = off_by_one(right)
    (fault,) = faults(right, wrong)
    assert fault.startswith(day)
    assert faults(right, {}) != []
    assert faults({}, right) != []


def test_a_run_with_wrong_numbers_counts_for_nothing_and_is_said():
    good, bad = Run("x", 100, 1.0, 1.0, 1e6), Run("x", 100, 0.1, 0.1, 1e6, ["a day is missing"])
    top = Run("ceiling", 100, 0.5, 0.1, 1e6)
    assert (
        table.row("it", [good, bad], [top, top])
        == "| it | 100 | 0.500 | 10000.00 | 1 | **wrong in 1 of 2 runs** |"
    )
    assert "wrong in all" in table.row("it", [bad], [top])


def test_the_journal_that_is_restored_holds_every_open_session_and_little_else():
    entries = state.journal(30_000)
    assert state.seconds_to_apply(entries, 30_000) > 0
    assert read_entry(entries[0]).turn.begins
    with pytest.raises(ValueError, match="instead of 30001"):
        state.seconds_to_apply(entries, 30_001)


def test_backfill_is_measured_with_its_numbers_checked(tmp_path):
    run = files.run(Workload(BUSY, 1_000), tmp_path)
    assert run.faults == []
    assert run.records > 900
    assert run.peak_bytes > 0


def test_the_profile_names_the_gates_functions():
    assert "gate" in core.profile(Workload(BUSY, 1_000))


@pytest.mark.broker
def test_one_wrong_day_fails_the_run_of_a_real_daemon(broker, topic_prefix, tmp_path):
    cluster, workload = Cluster(broker.bootstrap_servers), Workload(BACKLOG, 2_000)
    assert cluster.fill(f"{topic_prefix}events", 2, workload) == workload.records
    day, wrong = off_by_one(workload.right())
    names = Names(f"{topic_prefix}events", topic_prefix)
    run = daemon.run("it", cluster, names, "gate,watch,deliver", tmp_path, wrong)
    assert [fault.split(":")[0] for fault in run.faults] == [day, "daily_metrics.csv"]
    assert run.more["journal_bytes"] > 0


@pytest.mark.broker
def test_the_whole_bench_prints_a_table_in_which_every_number_is_right(broker, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    result = CliRunner().invoke(main, ["--events", "2000", "--repeats", "1", "--sessions", "2000"])
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.endswith("| right |")]
    assert len(rows) == len(WORDS)
    assert "memory per 100,000 open sessions" in result.stdout
    assert "restore per million open sessions" in result.stdout
