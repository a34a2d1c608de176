"""Whether Sluice itself does its work: throughput, lag, rejects, transactions, restores, deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import stat, table
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.panels import OURS, SOURCE, column, graph, now, number, query, stacked, steps

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as Graph


def processes() -> stat.Panel:
    """How many processes answer."""
    return number("Processes", "That answer Prometheus.", now('sum(up{job=~"$job"})')).thresholds(
        steps((None, "red"), (1, "green"))
    )


def lag_now() -> stat.Panel:
    """How far the work is behind."""
    return number(
        "Behind",
        "Age of the oldest record that is not committed.",
        now(f"max(sluice_consumer_lag_seconds{{{OURS}}})"),
        "s",
    ).thresholds(steps((None, "green"), (60, "yellow"), (600, "red")))


def rate_of(metric: str, by: str, more: str = "") -> str:
    """A counter's rate, summed over processes."""
    return f"sum by ({by}) (rate({metric}{{{OURS}{more}}}[$__rate_interval]))"


def throughput() -> Graph:
    """Records a second."""
    return graph(
        "Records read a second",
        "The gate reads events, the watch what the gates say of them (a record for each of their batches).",
        query(rate_of("sluice_records_total", "role"), "{{role}}"),
        unit="reqps",
    )


def lag() -> Graph:
    """Records that wait."""
    return graph(
        "Lag in records",
        "Records that are not committed yet. A backlog goes down; a line that rises for long means that more comes than is "
        "done: start more processes, up to the input's partitions.",
        query(f"sum by (role) (sluice_consumer_lag_records{{{OURS}}} >= 0)", "{{role}}"),
    )


def lag_seconds() -> Graph:
    """How long they wait."""
    return graph(
        "Lag in seconds",
        "Age of the oldest record that is not committed yet.",
        query(f"max by (role) (sluice_consumer_lag_seconds{{{OURS}}})", "{{role}}"),
        unit="s",
    )


def watermark_lag() -> Graph:
    """How far event time is behind."""
    return graph(
        "Event time behind the clock",
        "Of all partitions (watch) and of the one that is furthest behind (gate). Large while a backlog is read, and in a "
        "replay of old events.",
        query(f'time() - max(sluice_watermark_timestamp_seconds{{{OURS}, role="watch"}} > 0)', "watch"),
        query(f'time() - min(sluice_watermark_timestamp_seconds{{{OURS}, role="gate"}} > 0)', "gate"),
        unit="s",
    )


def rejects() -> Graph:
    """Dead letters a second."""
    return stacked(
        graph(
            "Dead letters a second, by reason",
            "`sluice.reason` in the headers of a dead letter has the same words.",
            query(f"{rate_of('sluice_rejected_records_total', 'reason')} > 0", "{{reason}}"),
            unit="reqps",
        )
    )


def reject_share() -> Graph:
    """Dead letters of all records."""
    return graph(
        "Share of dead letters",
        "Of the records that the gate read.",
        query(
            f"sum(rate(sluice_rejected_records_total{{{OURS}}}[$__rate_interval])) / "
            f'sum(rate(sluice_records_total{{{OURS}, role="gate"}}[$__rate_interval]))',
            "dead letters",
        ),
        unit="percentunit",
    )


def purchases() -> Graph:
    """What became of purchases."""
    return stacked(
        graph(
            "Purchases an hour, by what became of them",
            "counted; replayed = the same again; collided = the same id with other content; invalid = a dead letter.",
            query(f"3600 * {rate_of('sluice_purchases_total', 'outcome')}", "{{outcome}}"),
        )
    )


def batch_time() -> Graph:
    """How long batches take."""
    buckets = rate_of("sluice_batch_duration_seconds_bucket", "le")
    return graph(
        "Time of a batch",
        "From its records being there to their being committed and applied.",
        query(f"histogram_quantile(0.5, {buckets})", "half of them"),
        query(f"histogram_quantile(0.95, {buckets})", "95 %"),
        query(f"histogram_quantile(0.99, {buckets})", "99 %"),
        unit="s",
    )


def batch_stages() -> Graph:
    """Where their time goes."""
    working = ', stage!="poll"'
    return stacked(
        graph(
            "Stages of a batch, in the mean",
            "decide is Sluice's own work, commit is Kafka's. The time spent waiting for records (poll) is left out.",
            query(
                f"{rate_of('sluice_batch_stage_duration_seconds_sum', 'stage', working)} / "
                f"{rate_of('sluice_batch_stage_duration_seconds_count', 'stage', working)}",
                "{{stage}}",
            ),
            unit="s",
        )
    )


def transactions() -> Graph:
    """How transactions end."""
    return graph(
        "Transactions a second, by how they ended",
        "A few aborted ones belong to every rebalance.",
        query(rate_of("sluice_transactions_total", "outcome"), "{{outcome}}"),
        unit="ops",
    )


def recoveries() -> Graph:
    """What the loop went on from."""
    return graph(
        "Recoveries in a quarter of an hour, by error",
        "retry = the same batch again; the others = connected and restored anew. The log has the reasons.",
        query(f"sum by (error) (increase(sluice_recoveries_total{{{OURS}}}[15m]))", "{{error}}"),
    )


def assigned() -> Graph:
    """Who works on what."""
    return stacked(
        graph(
            "Partitions by process",
            "Of the gate and of the watch; a step is a rebalance.",
            query(f"sum by (instance, role) (sluice_assigned_partitions{{{OURS}}})", "{{instance}} {{role}}"),
        )
    )


def restores() -> Graph:
    """State that is read back."""
    return graph(
        "Restoring",
        "Partitions whose state is being read back, and journal entries read a second.",
        query(f"sum(sluice_restoring_partitions{{{OURS}}})", "partitions"),
        query(f"sum(rate(sluice_restored_entries_total{{{OURS}}}[$__rate_interval]))", "entries a second"),
    )


def restore_time() -> Graph:
    """How long it takes."""
    per_partition = (
        f"sum(increase(sluice_restore_duration_seconds_sum{{{OURS}}}[1h])) / "
        f"sum(increase(sluice_restore_duration_seconds_count{{{OURS}}}[1h]))"
    )
    return graph(
        "Time to restore a partition",
        "In the mean of the last hour; empty where none was restored.",
        query(per_partition, "seconds"),
        unit="s",
    )


def state() -> Graph:
    """How much is remembered."""
    return graph(
        "Size of the state",
        "What a restore would read from the journal.",
        query(f"sum by (role) (sluice_state_bytes{{{OURS}}})", "{{role}}"),
        unit="bytes",
    )


def sessions() -> Graph:
    """Open sessions."""
    return graph(
        "Open sessions",
        "That an event in time can still join.",
        query(f"sum(sluice_open_sessions{{{OURS}}})", "sessions"),
    )


def journal() -> Graph:
    """What is written to the journal."""
    return graph(
        "Journal written a second",
        "State changes and the rolling snapshot.",
        query(f"sum(rate(sluice_journal_bytes_total{{{OURS}}}[$__rate_interval]))", "bytes a second"),
        unit="Bps",
    )


def deliveries() -> Graph:
    """What was delivered."""
    return graph(
        "Writes of the daily files in a quarter of an hour",
        "Failed ones are tried again for as long as it takes; they hold nothing else up.",
        query(
            f"sum by (sink, outcome) (increase(sluice_deliveries_total{{{OURS}}}[15m])) > 0",
            "{{sink}} {{outcome}}",
        ),
    )


def notifications() -> Graph:
    """What receivers of alerts were told."""
    return graph(
        "Messages to receivers in a quarter of an hour",
        "What they took, and tries that failed; a receiver that fails is tried again and holds nothing else up.",
        query(f"sum by (receiver) (increase(sluice_notifications_total{{{OURS}}}[15m]))", "{{receiver}}"),
        query(
            f"sum by (receiver, reason) (increase(sluice_notification_failures_total{{{OURS}}}[15m])) > 0",
            "{{receiver}}: {{reason}}",
        ),
    )


def waiting() -> Graph:
    """What they have not been told."""
    return graph(
        "News that a receiver waits for",
        "Changes of alerts that it should have been told of by now.",
        query(f"max by (receiver) (sluice_notifications_waiting{{{OURS}}})", "{{receiver}}"),
    )


def last_message() -> table.Panel:
    """When receivers last took a message."""
    return (
        table.Panel()
        .title("Receivers of alerts")
        .description(
            "How long ago each took a message, and whether the last try failed; empty = none is set up."
        )
        .datasource(SOURCE)
        .with_target(
            column(
                f"time() - (max by (receiver) (sluice_notification_last_success_timestamp_seconds{{{OURS}}}) > 0)",
                "ago",
            )
        )
        .with_target(column(f"max by (receiver) (sluice_notification_failing{{{OURS}}})", "failing"))
        .with_transformation(model.DataTransformerConfig("merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True},
                    "renameByName": {"Value #ago": "Seconds ago", "Value #failing": "Failing"},
                },
            )
        )
        .no_value("none")
    )


def heartbeats() -> Graph:
    """Signs of life for a dead man's switch."""
    return graph(
        "Heartbeats in a quarter of an hour",
        "withheld = nobody could be alerted, so the dead man's switch is to complain.",
        query(f"sum by (outcome) (increase(sluice_heartbeats_total{{{OURS}}}[15m]))", "{{outcome}}"),
    )


def memory() -> Graph:
    """Memory of each process."""
    return graph(
        "Memory by process",
        "Resident; 24 MB for 100,000 open sessions, and what the program itself takes.",
        query(f"process_resident_memory_bytes{{{OURS}}}", "{{instance}}"),
        unit="bytes",
    )


def cpu() -> Graph:
    """CPU of each process."""
    return graph(
        "CPU by process",
        "Cores; the loop cannot use more than one, the Kafka client takes some beside it.",
        query(f"rate(process_cpu_seconds_total{{{OURS}}}[$__rate_interval])", "{{instance}}"),
    )


def conflicts() -> stat.Panel:
    """Whether processes agree."""
    return number(
        "Settings conflicts",
        "Partitions on which another process of the group works with another contract or other settings.",
        now(f"max(sluice_settings_conflicts{{{OURS}}})"),
    ).thresholds(steps((None, "green"), (1, "red")))


def build() -> table.Panel:
    """What runs."""
    return (
        table.Panel()
        .title("Versions")
        .description("More than one version: an upgrade is under way, or was forgotten.")
        .datasource(SOURCE)
        .with_target(column(f"count by (version, librdkafka) (sluice_build_info{{{OURS}}})", "processes"))
        .with_transformation(
            model.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True},
                    "renameByName": {"Value": "Processes", "Value #processes": "Processes"},
                },
            )
        )
    )
