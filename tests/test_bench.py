"""The bench at tiny sizes: everything in it works, and a number that is wrong makes a run a failed one."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from consumer.core.wire import read_entry
from detectors.alerts import Alert, Severity
from tests.bench import core, daemon, files, latency, processes, remembered, state, steady, table
from tests.bench.__main__ import LONGER, main, parts_of
from tests.bench.daemon import Names, Right
from tests.bench.feed import Evidence
from tests.bench.latency import Latency, Seen
from tests.bench.measured import Run
from tests.bench.place import Place
from tests.bench.processes import Shared, Shares
from tests.bench.remembered import Cost
from tests.bench.steady import Curve, Point
from tests.bench.throughput import ROWS
from tests.bench.topics import Cluster, faults
from tests.bench.workload import BACKLOG, BUSY, KINDS, STEADY, Workload
from tests.waiting import wait_until

DAY = "2025-02-24"


def off_by_one(right):
    """The same numbers, but for one purchase on one day."""
    day = sorted(right)[1]
    return day, {**right, day: right[day]._replace(purchases=right[day].purchases + 1)}


ALL_KINDS = (*KINDS.values(), STEADY)


@pytest.mark.parametrize("kind", ALL_KINDS, ids=[kind.name for kind in ALL_KINDS])
def test_what_the_workload_says_of_its_days_is_what_gate_and_watch_find(kind):
    run = core.run(Workload(kind, 90_000 if kind.returning else 3_000))
    assert run.faults == []
    assert run.seconds > 0


def test_the_workload_is_as_large_as_it_says_and_the_same_every_time():
    workload = Workload(BUSY, 20_000)
    records = list(workload)
    assert len(records) == workload.records == workload.events + workload.bad
    assert records == list(Workload(BUSY, 20_000))
    assert workload.bad == workload.events // 1_000


@pytest.mark.parametrize(("every", "share"), [(0, 0), (99, 0.01), (1, 0.5)])
def test_so_many_of_its_records_are_bad_as_are_asked_for(every, share):
    workload = Workload(BUSY, 3_000, every)
    assert workload.bad / workload.records == pytest.approx(share, abs=1e-3)
    assert len(list(workload)) == workload.records
    assert core.run(workload).faults == []


def test_clients_come_back_where_they_are_to_and_transaction_ids_do_not():
    values = [msgspec.json.decode(value) for _, value in Workload(STEADY, 90_000) if b"page_url" in value]
    months = len({value["timestamp"][:10] for value in values})
    clients = [{v["client_id"] for v in values[begin : begin + 40_000]} for begin in (0, 40_000)]
    ids = [
        msgspec.json.decode(v["event_data"])["transaction_id"]
        for v in values
        if v["event_name"] == "checkout_completed"
    ]
    assert months == 24
    assert len(clients[0] & clients[1]) > 0.5 * len(clients[1])
    assert len(ids) == len(set(ids))


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


@pytest.mark.parametrize("form", files.FORMATS)
def test_backfill_and_duckdb_read_the_same_file_and_are_checked(tmp_path, form):
    workload, source = Workload(BUSY, 1_000), tmp_path / f"events.{form}"
    events = files.write(source, workload)
    assert events == workload.events
    for run in (
        files.backfill(workload, source, events, tmp_path),
        files.duckdb(workload, source, events, tmp_path, 1),
    ):
        assert run.faults == []
        assert run.records == events
        assert run.peak_bytes > 0


def test_what_duckdb_has_wrong_fails_its_run(tmp_path):
    workload, source = Workload(BUSY, 1_000), tmp_path / "events.csv"
    events = files.write(source, workload)
    source.write_text(source.read_text().replace("checkout_completed", "checkout_started", 1))
    assert len(files.duckdb(workload, source, events, tmp_path, 1).faults) == 1
    source.unlink()
    assert "exit code 1" in files.duckdb(workload, source, events, tmp_path, 1).faults[0]


def test_evidence_is_answered_by_the_first_alert_that_counts_it():
    seen = Seen()
    for count, at_ms in ((1, 1_500), (3, 2_000), (4, 9_000)):
        seen.note(alert("purchase_invalid", count), at_ms)
    second = Evidence("purchase_invalid", DAY, "", 2, 1_000)
    assert seen.seconds(second) == 1.0
    assert seen.seconds(msgspec.structs.replace(second, count=5)) is None
    assert seen.seconds(msgspec.structs.replace(second, subject="ORD-1")) is None


def alert(kind, count):
    """An alert of the day."""
    at = f"{DAY}T10:00:00.000Z"
    return Alert("id", Severity.P2_NOTE, kind, "gate", "purchases", None, DAY, "open", at, at, count=count)


def test_latencies_are_told_by_kind_with_percentiles_and_the_mark():
    found = Latency(50.0, 49.0, 0.5, {"transaction_collision": [0.2, 0.4, 2.5]})
    told = latency.lines(found)
    assert "| `transaction_collision` | 3 | 0.40 | 2.50 | 2.50 |" in told
    assert told[-1] == "- 2 of 3 within the mark of 2 s"


def test_the_limit_of_the_cores_is_what_one_process_and_the_broker_need():
    alone = Shared(1, 1_000, 1.0, 0.5, 0.5, 100_000_000, Shares((4,), (True,)))
    two = Shared(2, 1_000, 0.5, 0.5, None, 200_000_000, Shares((2, 2), (True, False)), ["wrong"])
    told = processes.lines([alone, two])
    assert "| 1 | 4+watch | 1,000 | 1.00 | 0.50 | 0.50 | 500.00 | 100 | right |" in told
    assert "| 2 | 2+watch, 2 | 2,000 | 2.00 | 1.00 | – | 500.00 | 200 | **wrong** |" in told
    assert f"these {processes.CORES} cores end at {1_000 * processes.CORES:,} records/s" in told[-1]


def test_what_grows_after_the_warm_up_is_told_per_million_records():
    points = [Point(n * 1_000_000, 10_000_000 * min(n, 4) + 1_000_000 * n, 0, 5) for n in range(11)]
    told = steady.lines(Curve(96, points))
    assert "resident memory grows by +1.000 MB" in told[-1]
    assert "| resident MB | 0 | 11 |" in "\n".join(told)
    assert "+nan" in steady.lines(Curve(96, points[:1]))[-1]


@pytest.mark.parametrize("kind", remembered.KINDS)
def test_what_is_remembered_is_held_and_what_comes_after_it_is_counted_right(kind):
    cost = remembered.cost(kind, 200 if kind != "days" else 5, 3_000)
    assert cost.faults == []
    assert cost.microseconds > 0


def test_the_ratio_is_the_median_of_the_pairs():
    costs = [Cost("days", size, cost, []) for size, cost in ((4, 1.0), (400, 2.0), (4, 1.0), (400, 1.0))]
    assert (
        remembered.lines([costs])[-1]
        == "| days | 4 | 1.00 (1.00–1.00) | 400 | 1.50 (1.00–2.00) | 1.50 | right |"
    )


def test_the_profile_names_the_gates_functions():
    assert "gate" in core.profile(Workload(BUSY, 1_000))


@pytest.mark.broker
def test_one_wrong_day_fails_the_run_of_a_real_daemon(broker, topic_prefix, tmp_path):
    cluster, workload = Cluster(broker.bootstrap_servers), Workload(BACKLOG, 2_000)
    assert cluster.fill(f"{topic_prefix}events", 2, workload) == workload.records
    day, wrong = off_by_one(workload.right())
    names = Names(f"{topic_prefix}events", topic_prefix)
    run = daemon.run("it", cluster, names, "gate,watch,deliver", tmp_path, Right(wrong, workload.bad + 1))
    letters = f"{workload.bad} dead letters instead of {workload.bad + 1}"
    assert [fault.split(":")[0] for fault in run.faults] == [day, letters, "daily_metrics.csv"]
    assert run.more["journal_bytes"] > 0


@pytest.mark.broker
def test_what_is_filled_in_unseen_is_seen_all_at_once(broker, topic_prefix):
    cluster, topic = Cluster(broker.bootstrap_servers), f"{topic_prefix}events"
    sender = cluster.fill_unseen(topic, 2, Workload(BUSY, 1_000, 0))
    assert sum(cluster.ends(topic).values()) > 0
    sender.finish()
    wait_until(lambda: cluster.count(topic) == Workload(BUSY, 1_000, 0).records, 30, "they are seen")


@pytest.mark.broker
def test_alerts_are_timed_while_events_of_now_come_and_the_numbers_are_right(broker, topic_prefix, tmp_path):
    cluster = Cluster(broker.bootstrap_servers)
    found = latency.measure(cluster, Place(topic_prefix, tmp_path), 500, 2, 4)
    assert found.faults == []
    assert {kind: len(seconds) for kind, seconds in found.seconds.items()} == {
        "purchase_invalid": 2,
        "transaction_collision": 2,
    }
    assert all(seconds > 0 for values in found.seconds.values() for seconds in values)


@pytest.mark.campaign
@pytest.mark.broker
def test_two_processes_share_what_one_did_alone_and_the_numbers_are_right(broker, topic_prefix, tmp_path):
    cluster, workload = Cluster(broker.bootstrap_servers), Workload(BUSY, 4_000)
    alone, two = processes.measure(cluster, Place(topic_prefix, tmp_path), workload, (1, 2))
    assert [alone.faults, two.faults] == [[], []]
    assert alone.shares.words() == "4+watch"
    assert sum(two.shares.partitions) == 4
    assert sum(two.shares.records) == workload.records
    assert alone.broker_cpu is None


@pytest.mark.campaign
@pytest.mark.broker
def test_memory_is_looked_at_until_the_last_record_and_the_numbers_are_right(broker, topic_prefix, tmp_path):
    curve = steady.measure(Cluster(broker.bootstrap_servers), Place(topic_prefix, tmp_path), 6_000, 3_000)
    assert curve.faults == []
    assert curve.points[-1].records == Workload(STEADY, 6_000).records
    assert all(point.resident > 0 for point in curve.points)


@pytest.mark.campaign
@pytest.mark.broker
@pytest.mark.timeout(400)
def test_the_whole_bench_prints_a_table_in_which_every_number_is_right(broker, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    result = CliRunner().invoke(main, ["--quick", "--events", "20000", "--sessions", "20000"])
    assert result.exit_code == 0, result.output
    assert sum(line.endswith("| right |") for line in result.stdout.splitlines()) == ROWS
    for words in (
        "memory per 100,000 open sessions",
        "restore per million open sessions",
        "of its records/s (mark: 0.5)",
    ):
        assert words in result.stdout


@pytest.mark.parametrize("part", LONGER)
def test_every_longer_part_is_an_option(part):
    assert f"--{part} " in CliRunner().invoke(main, ["--help"]).stdout
    assert parts_of({part: True}, everything=False) == [part]
    assert part in parts_of({}, everything=True)
