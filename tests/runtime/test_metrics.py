import dataclasses
import math
import re

import pytest
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumer.core.latest_days import LatestDay, Range
from consumer.core.rejection import Reason
from consumer.runtime.metrics import OTHER_KIND, ROLES, STAGES, Metrics, metrics_markdown
from consumer.runtime.notify.notify_metrics import NotifyMetrics
from consumer.runtime.observer import Stages
from consumer.tasks.task import Tally

KINDS = ("transaction_collision", "purchase_invalid")
OWN = "sluice_"

TODAY = LatestDay(1_700_006_400_000, "open", {"sessions": 40.0, "no such metric": 1.0}, {})
YESTERDAY = LatestDay(
    1_699_920_000_000,
    "quarantined",
    {"sessions": 120.0, "direct_share": 0.5},
    {"sessions": Range(70.0, 100.0, 140.0), "direct_share": Range(0.3, 0.4, None)},
)


@pytest.fixture
def metrics():
    made = Metrics({"version": "1.2.3"}, KINDS, ("directory", "chat"))
    NotifyMetrics(made.definitions, ("ops",))
    return made


def families(metrics):
    text = generate_latest(metrics.registry).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def own_samples(metrics):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(metrics).values()
        if family.name.startswith(OWN)
        for sample in family.samples
    }


def value(metrics, name, **labels):
    return own_samples(metrics)[OWN + name, tuple(sorted(labels.items()))]


def test_every_series_is_there_with_0_before_anything_happened_but_for_what_waits_which_nobody_knows(metrics):
    samples = own_samples(metrics)
    lag = [number for (name, _), number in samples.items() if "_lag_" in name]
    assert len(lag) == 2 * len(ROLES)
    assert all(map(math.isnan, lag))
    others = {
        number for (name, _), number in samples.items() if "_lag_" not in name and "_build_" not in name
    }
    assert others == {0.0}
    assert samples["sluice_build_info", (("version", "1.2.3"),)] == 1
    assert value(metrics, "rejected_records_total", reason="not_json") == 0
    assert value(metrics, "open_alerts", kind="purchase_invalid", severity="P0_BLOCKER") == 0
    assert value(metrics, "deliveries_total", sink="chat", outcome="failed") == 0


def tell_everything(metrics):
    rejected = {reason.value: 1 for reason in Reason} | {"no such reason": 9}
    metrics.gated(Tally(30, 20, rejected, 5, {}, 2))
    metrics.watched(Tally(records=3, purchases={"counted": 4, "replayed": 3, "no such outcome": 9}))
    metrics.committed(Stages(0.2, 0.02, 0.005, 0.0001), 1000, 1_700_000_000_500)
    for outcome in ("aborted", "unknown"):
        metrics.transaction(outcome)
    for error in ("retry", "fenced", "unknown", "lost", "overtaken"):
        metrics.recovered(error)
    metrics.restoring(2)
    metrics.restored_entries(100)
    metrics.restored(1.5)
    for role in ("gate", "watch"):
        metrics.assigned(role, 3)
        metrics.lag(role, 70, 3.5)
        metrics.state_bytes(role, 4000)
        metrics.watermark(role, 1_600_000_000_250)
    metrics.open_sessions(12)
    metrics.settings_conflicts(1)
    metrics.days({"open": 1, "quarantined": 2, "no such status": 9})
    metrics.open_alerts(
        {
            ("purchase_invalid", "P1_HIGH"): 1,
            ("from_a_newer_version", "P0_BLOCKER"): 2,
            ("yet_another", "P0_BLOCKER"): 1,
        }
    )
    metrics.latest_days({0: TODAY, 1: YESTERDAY, 99: YESTERDAY})
    metrics.delivered("directory", "written")


def test_nothing_that_is_told_can_add_a_series_but_a_day_that_is_known(metrics):
    before = own_samples(metrics).keys()
    tell_everything(metrics)
    added = [(name, dict(labels)) for name, labels in own_samples(metrics).keys() - before]
    assert {name for name, _ in added} == {
        "sluice_day_start_timestamp_seconds",
        "sluice_day_status",
        "sluice_day_metric",
        "sluice_day_metric_range",
    }
    assert {labels["days_ago"] for _, labels in added} == {"0", "1"}
    assert {labels["metric"] for _, labels in added if "metric" in labels} == {"sessions", "direct_share"}


def test_what_is_told_is_shown(metrics):
    tell_everything(metrics)
    assert value(metrics, "records_total", role="gate") == 30
    assert value(metrics, "records_total", role="watch") == 3
    assert value(metrics, "events_total") == 20
    assert value(metrics, "rejected_records_total", reason="purchase_id") == 1
    assert value(metrics, "dead_letters_truncated_total") == 2
    assert value(metrics, "purchases_total", outcome="counted") == 4
    assert value(metrics, "purchases_total", outcome="invalid") == 4
    assert value(metrics, "transactions_total", outcome="committed") == 1
    assert value(metrics, "transactions_total", outcome="unknown") == 1
    assert value(metrics, "recoveries_total", error="lost") == 1
    assert value(metrics, "last_commit_timestamp_seconds") == 1_700_000_000.5
    assert value(metrics, "watermark_timestamp_seconds", role="watch") == 1_600_000_000.25
    assert value(metrics, "restore_duration_seconds_bucket", le="2.5") == 1
    assert value(metrics, "restore_duration_seconds_bucket", le="1.0") == 0
    assert value(metrics, "receipts", status="quarantined") == 2
    assert value(metrics, "consumer_lag_seconds", role="gate") == 3.5
    assert value(metrics, "state_bytes", role="watch") == 4000
    assert value(metrics, "deliveries_total", sink="directory", outcome="written") == 1


def test_a_batch_is_timed_as_a_whole_without_the_wait_for_it_and_stage_by_stage(metrics):
    metrics.committed(Stages(1, 2, 3, 4), 0, 0)
    assert {field.name for field in dataclasses.fields(Stages)} == set(STAGES)
    sums = [value(metrics, "batch_stage_duration_seconds_sum", stage=stage) for stage in STAGES]
    assert sums == [1, 2, 3, 4]
    assert value(metrics, "batch_duration_seconds_sum") == 9


def test_a_day_is_shown_with_its_metrics_beside_what_was_normal_for_them(metrics):
    tell_everything(metrics)
    assert value(metrics, "day_start_timestamp_seconds", days_ago="0") == 1_700_006_400
    assert value(metrics, "day_status", days_ago="1", status="quarantined") == 1
    assert value(metrics, "day_status", days_ago="1", status="pass") == 0
    assert value(metrics, "day_metric", days_ago="1", metric="direct_share") == 0.5
    assert value(metrics, "day_metric_range", days_ago="1", metric="sessions", bound="low") == 70
    assert value(metrics, "day_metric_range", days_ago="1", metric="sessions", bound="high") == 140
    assert value(metrics, "day_metric_range", days_ago="1", metric="direct_share", bound="median") == 0.4


def test_a_day_that_is_not_known_or_cannot_be_measured_is_not_shown_as_0(metrics):
    tell_everything(metrics)
    metrics.latest_days({0: YESTERDAY})
    shown = {(name, *dict(labels).values()) for name, labels in own_samples(metrics) if "day_metric" in name}
    assert shown == {
        ("sluice_day_metric", "0", "sessions"),
        ("sluice_day_metric", "0", "direct_share"),
        ("sluice_day_metric_range", "low", "0", "sessions"),
        ("sluice_day_metric_range", "median", "0", "sessions"),
        ("sluice_day_metric_range", "high", "0", "sessions"),
        ("sluice_day_metric_range", "low", "0", "direct_share"),
        ("sluice_day_metric_range", "median", "0", "direct_share"),
    }


def test_an_invalid_purchase_is_counted_once_although_both_roles_see_it(metrics):
    metrics.gated(Tally(records=1, events=1, rejected={"purchase_revenue": 1}))
    metrics.watched(Tally(records=1, purchases={"invalid": 1}))
    assert value(metrics, "purchases_total", outcome="invalid") == 1


def test_opened_less_joined_sessions_is_the_number_of_sessions(metrics):
    for change in (5, -2, 0, 3, -1):
        metrics.gated(Tally(sessions_opened=change))
    opened, joined = value(metrics, "sessions_opened_total"), value(metrics, "sessions_joined_total")
    assert (opened, joined) == (8, 3)


def test_alerts_of_a_kind_from_a_newer_version_are_not_lost(metrics):
    tell_everything(metrics)
    assert value(metrics, "open_alerts", kind=OTHER_KIND, severity="P0_BLOCKER") == 3
    assert value(metrics, "open_alerts", kind="purchase_invalid", severity="P1_HIGH") == 1


def test_alerts_and_days_that_are_gone_are_not_shown_any_more(metrics):
    tell_everything(metrics)
    metrics.open_alerts({})
    metrics.days({"open": 1})
    alerts = [number for (name, _), number in own_samples(metrics).items() if name == "sluice_open_alerts"]
    assert set(alerts) == {0.0}
    assert value(metrics, "receipts", status="quarantined") == 0


@pytest.mark.parametrize(("role", "other"), [("gate", "watch"), ("watch", "gate")])
def test_a_role_that_went_to_another_process_is_shown_only_there(metrics, role, other):
    tell_everything(metrics)
    metrics.left(role)
    names = ("assigned_partitions", "consumer_lag_records", "consumer_lag_seconds", "state_bytes")
    for name in (*names, "watermark_timestamp_seconds"):
        assert value(metrics, name, role=role) == 0
        assert value(metrics, name, role=other) > 0
    assert value(metrics, "open_sessions") == (0 if role == "gate" else 12)
    assert value(metrics, "receipts", status="open") == (0 if role == "watch" else 1)
    assert value(metrics, "open_alerts", kind="purchase_invalid", severity="P1_HIGH") == (role == "gate")
    assert any("day_metric" in name for name, _ in own_samples(metrics)) == (role == "gate")


def test_names_units_and_help_follow_the_conventions(metrics):
    for family in families(metrics).values():
        if not family.name.startswith(OWN):
            continue
        assert family.documentation.endswith(".")
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        assert not re.search(r"_(ms|milliseconds|minutes|mb|count|gauge|counter)$", family.name)
        assert (family.type == "counter") == any(s.name.endswith("_total") for s in family.samples)


def test_two_processes_in_one_interpreter_do_not_share_numbers(metrics):
    other = Metrics({"version": "1.2.3"}, KINDS, ())
    tell_everything(metrics)
    assert value(other, "events_total") == 0
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith(OWN)]


def test_the_process_and_its_python_are_shown_as_well(metrics):
    assert {"process_resident_memory_bytes", "python_info", "python_gc_collections"} <= families(
        metrics
    ).keys()
    assert not [name for name in families(metrics) if name.endswith("_created")]


def test_the_table_names_every_metric_of_our_own_once(metrics):
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", metrics_markdown(), re.MULTILINE)
    shown = {
        (family.name + "_total" * (family.type == "counter"), family.type)
        for family in families(metrics).values()
        if family.name.startswith(OWN)
    }
    assert {(name, "gauge" if kind == "info" else kind) for name, kind in rows} == shown
    assert len(rows) == len(shown)
    assert "| `outcome`: counted, replayed, collided, invalid |" in metrics_markdown()
