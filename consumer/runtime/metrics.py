"""Every number that the daemon shows to Prometheus: its name, unit, meaning, and the closed sets of its labels.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only grows, `_info` for facts
about the program. Nothing here is called for a single event: the loop tells once per batch, after its commit.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector

from consumer.core.days import METRICS, Status
from consumer.core.rejection import PURCHASE_INVALID, Reason
from consumer.runtime.metric_definitions import Definitions
from consumer.runtime.notify.notify_metrics import NotifyMetrics
from detectors.alerts import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.core.latest_days import LatestDay
    from consumer.runtime.observer import Stages
    from consumer.tasks.task import Tally

Role = Literal["keyer", "gate", "watch"]
TransactionOutcome = Literal["committed", "aborted", "unknown"]
Recovery = Literal["retry", "fenced", "unknown", "lost", "overtaken"]
Delivery = Literal["written", "unchanged", "failed"]

ROLES: tuple[Role, ...] = get_args(Role)
STAGES = ("poll", "decide", "commit", "apply")
PURCHASES = ("counted", "replayed", "collided", "invalid")

BOUNDS = ("low", "median", "high")

DAYS_SHOWN = 8
"""The newest day and the week before it: enough for a look at last week's same day, little enough to be shown at once."""

OTHER_KIND = "other"
"""Where open alerts of a kind are counted that this version does not know (written by a newer one)."""

BATCH_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. A stage takes milliseconds when all is well; a transaction must end within 10 s."""

RESTORE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds. A million open sessions take about 2 s."""


class Metrics:
    """All metrics of one process on a registry of their own. `build` names the versions in use, `kinds` and `sinks`
    are the closed sets of alert kinds and of places that reports go to."""

    def __init__(self, build: Mapping[str, str], kinds: Sequence[str], sinks: Sequence[str]) -> None:
        self.definitions = Definitions()
        self.registry = self.definitions.registry
        self._kinds = (*kinds, OTHER_KIND)
        self._define_flow()
        self._define_loop()
        self._define_verdicts(sinks)
        self._define_days()
        self.definitions.info("build", "Always 1; the versions in use are its labels.", build)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    # ── told by the loop ────────────────────────────────────────────────────────────────────────────────────────

    def gated(self, tally: Tally) -> None:
        """What a committed batch of the gate did."""
        self._records.labels("gate").inc(tally.records)
        self._events.inc(tally.events)
        for reason in Reason:
            self._rejected.labels(reason.value).inc(tally.rejected.get(reason.value, 0))
        invalid = sum(tally.rejected.get(reason.value, 0) for reason in PURCHASE_INVALID)
        self._purchases.labels("invalid").inc(invalid)
        self._truncated.inc(tally.truncated)
        # A batch may join more sessions than it opens; a counter never goes back.
        (self._opened if tally.sessions_opened > 0 else self._joined).inc(abs(tally.sessions_opened))

    def keyed(self, tally: Tally) -> None:
        """What a committed batch of the keyer did."""
        self._records.labels("keyer").inc(tally.records)

    def watched(self, tally: Tally) -> None:
        """What a committed batch of the watch did. It sees only those invalid purchases that have an id: `gated` counts
        them all."""
        self._records.labels("watch").inc(tally.records)
        for outcome in PURCHASES[:-1]:
            self._purchases.labels(outcome).inc(tally.purchases.get(outcome, 0))

    def committed(self, stages: Stages, journal_bytes: int, at_ms: int) -> None:
        """A batch was committed and applied: how long its stages took, what it wrote to the journal, and when."""
        self._batches.inc()
        self._batch_seconds.observe(stages.decide + stages.commit + stages.apply)
        for stage in STAGES:
            self._stage_seconds.labels(stage).observe(getattr(stages, stage))
        self._journal_bytes.inc(journal_bytes)
        self._last_commit.set(at_ms / 1000)
        self.transaction("committed")

    def transaction(self, outcome: TransactionOutcome) -> None:
        """A transaction ended; `committed` tells the good end itself."""
        self._transactions.labels(outcome).inc()

    def recovered(self, error: Recovery) -> None:
        """The loop caught an error and goes on."""
        self._recoveries.labels(error).inc()

    def restoring(self, partitions: int) -> None:
        """So many partitions are being restored now."""
        self._restoring.set(partitions)

    def restored_entries(self, entries: int) -> None:
        """So many further journal entries were read; told at every step, so that a restore is seen to move."""
        self._restored_entries.inc(entries)

    def restored(self, seconds: float) -> None:
        """A partition's state was restored in that time."""
        self._restore_seconds.observe(seconds)

    def assigned(self, role: Role, partitions: int) -> None:
        """So many partitions of the role are ours now."""
        self._assigned.labels(role).set(partitions)

    def lag(self, role: Role, records: float, seconds: float) -> None:
        """So many records of all our partitions of the role are not committed yet, and the oldest of them is that old."""
        self._lag.labels(role).set(records)
        self._lag_seconds.labels(role).set(seconds)

    def state_bytes(self, role: Role, size: int) -> None:
        """The journal of our partitions of the role has so many bytes that a restore would read."""
        self._state_bytes.labels(role).set(size)

    def settings_conflicts(self, partitions: int) -> None:
        """Live processes with other settings work on so many partitions."""
        self._conflicts.set(partitions)

    def watermark(self, role: Role, at_ms: int | None) -> None:
        """How far event time has come, lowest of our partitions of the role; None = not known."""
        self._watermark.labels(role).set(0 if at_ms is None else at_ms / 1000)

    def open_sessions(self, sessions: int) -> None:
        """So many sessions of our partitions can still be joined."""
        self._open_sessions.set(sessions)

    def days(self, counts: Mapping[str, int]) -> None:
        """How many days in memory have which status; one that is not named has none."""
        for status in get_args(Status):
            self._receipts.labels(status).set(counts.get(status, 0))

    def open_alerts(self, counts: Mapping[tuple[str, str], int]) -> None:
        """How many alerts in state `open` there are by (kind, severity); what is not named has none."""
        known = dict.fromkeys(product(self._kinds, [severity.value for severity in Severity]), 0)
        for (kind, severity), count in counts.items():
            known[kind if kind in self._kinds else OTHER_KIND, severity] += count
        for labels, count in known.items():
            self._alerts.labels(*labels).set(count)

    def latest_days(self, days: Mapping[int, LatestDay]) -> None:
        """The newest days, by how many days ago they were; what is not there is not known."""
        shown = {str(ago): day for ago, day in days.items()}
        self._day_starts.show({(ago,): day.begins_ms / 1000 for ago, day in shown.items()})
        self._day_statuses.show(
            {(s, ago): float(s == day.status) for ago, day in shown.items() for s in get_args(Status)}
        )
        self._day_metrics.show(
            {(metric, ago): value for ago, day in shown.items() for metric, value in day.values.items()}
        )
        self._day_ranges.show(
            {
                (metric, ago, bound): value
                for ago, day in shown.items()
                for metric, known in day.ranges.items()
                for bound, value in zip(BOUNDS, known, strict=True)
                if value is not None
            }
        )

    def delivered(self, sink: str, outcome: Delivery) -> None:
        """One delivery to a sink ended."""
        self._deliveries.labels(sink, outcome).inc()

    def lag_unknown(self) -> None:
        """No partition is ours, mostly since there is no connection: what waits is not known."""
        for role in ROLES:
            self.lag(role, math.nan, math.nan)

    def left(self, role: Role) -> None:
        """Our last partition of the role went to another process, which shows these numbers from now on."""
        self.assigned(role, 0)
        self.lag(role, 0, 0)
        self.state_bytes(role, 0)
        self.watermark(role, None)
        if role == "gate":
            self.open_sessions(0)
        elif role == "watch":
            self.days({})
            self.open_alerts({})
            self.latest_days({})

    # ── names and meanings ──────────────────────────────────────────────────────────────────────────────────────

    def _define_flow(self) -> None:
        new = self.definitions
        self._records = new.counter(
            "records", "Records read and committed, by the role that read them.", role=ROLES
        )
        self._events = new.counter(
            "events", "Records that count as events (an invalid purchase is one, too)."
        )
        self._rejected = new.counter(
            "rejected_records",
            "Records written to the dead letter topic, by reason.",
            reason=[reason.value for reason in Reason],
        )
        self._truncated = new.counter(
            "dead_letters_truncated", "Dead letters that had to leave out their value to fit their topic."
        )
        self._opened = new.counter("sessions_opened", "Sessions opened, less those joined in the same batch.")
        self._joined = new.counter(
            "sessions_joined",
            "Sessions taken back by later batches, when an event joined two that were counted.",
        )
        self._purchases = new.counter(
            "purchases",
            "Purchases by what became of them at first; one whose id turns up again later with other content was counted.",
            outcome=PURCHASES,
        )
        self._lag = new.gauge(
            "consumer_lag_records",
            "Records in this process's partitions of the role that are not committed yet; 0 = all is read, "
            "NaN = not known, for it has no partition: no broker, or it stands by.",
            role=ROLES,
        )
        self._lag_seconds = new.gauge(
            "consumer_lag_seconds",
            "Age of the oldest record, by its Kafka timestamp, in this process's partitions of the role that is not "
            "committed yet; 0 = all is read, NaN = not known, for it has no partition: no broker, or it stands by.",
            role=ROLES,
        )
        self.lag_unknown()
        self._watermark = new.gauge(
            "watermark_timestamp_seconds",
            "How far event time has surely come (Unix time), lowest of this process's partitions of the role; 0 = not known.",
            role=ROLES,
        )
        self._open_sessions = new.gauge(
            "open_sessions",
            "Sessions that an event in time can still join, by their partition's event time (which stands still while no "
            "event comes); counted every few seconds.",
        )

    def _define_loop(self) -> None:
        new = self.definitions
        self._batches = new.counter("batches", "Micro-batches committed.")
        self._batch_seconds = new.histogram(
            "batch_duration_seconds",
            "Time from a batch's records being there to their being committed and applied.",
            BATCH_BUCKETS,
        )
        self._stage_seconds = new.histogram(
            "batch_stage_duration_seconds",
            "Time that a committed batch spent in a stage; poll is mostly waiting for records.",
            BATCH_BUCKETS,
            stage=STAGES,
        )
        self._transactions = new.counter(
            "transactions",
            "Kafka transactions by how they ended; unknown = the broker did not say, and was asked anew.",
            outcome=get_args(TransactionOutcome),
        )
        self._recoveries = new.counter(
            "recoveries",
            "Errors that the loop went on from: same batch again (retry), or connected and restored anew (the others).",
            error=get_args(Recovery),
        )
        self._last_commit = new.gauge(
            "last_commit_timestamp_seconds", "When the last batch was committed (Unix time); 0 = none yet."
        )
        self._journal_bytes = new.counter("journal_bytes", "Bytes of state changes written to the journal.")
        self._assigned = new.gauge(
            "assigned_partitions", "Partitions that this process works on.", role=ROLES
        )
        self._conflicts = new.gauge(
            "settings_conflicts",
            "Partitions on which another live process of the group works with another contract or other settings that "
            "change numbers; must be 0.",
        )
        self._state_bytes = new.gauge(
            "state_bytes",
            "Bytes of journal that hold the state of this process's partitions of the role: what restoring them reads.",
            role=ROLES,
        )
        self._restoring = new.gauge("restoring_partitions", "Partitions whose state is being restored now.")
        self._restored_entries = new.counter(
            "restored_entries", "Journal entries read to restore state, told while it goes on."
        )
        self._restore_seconds = new.histogram(
            "restore_duration_seconds", "Time to restore a partition's state.", RESTORE_BUCKETS
        )

    def _define_verdicts(self, sinks: Sequence[str]) -> None:
        new = self.definitions
        # Not "days": checkers of names take that for a unit that should have been seconds.
        self._receipts = new.gauge(
            "receipts", "Days in memory by the status of their receipt.", status=get_args(Status)
        )
        self._alerts = new.gauge(
            "open_alerts",
            "Alerts in state open (not acknowledged, silenced or inhibited) by kind and severity.",
            kind=self._kinds,
            severity=[severity.value for severity in Severity],
        )
        self._deliveries = new.counter(
            "deliveries", "Deliveries of reports and alerts by sink.", sink=sinks, outcome=get_args(Delivery)
        )

    def _define_days(self) -> None:
        new, ago = self.definitions, [str(number) for number in range(DAYS_SHOWN)]
        note = "days_ago 0 = the newest day in event time; "
        self._day_starts = new.picture(
            "day_start_timestamp_seconds",
            f"When the day begins (Unix time); {note}a day without events is not there.",
            days_ago=ago,
        )
        self._day_statuses = new.picture(
            "day_status",
            "1 for the day's status, 0 for the others.",
            status=get_args(Status),
            days_ago=ago,
        )
        self._day_metrics = new.picture(
            "day_metric",
            "The day's metric, so far or whole, in its own unit (shares are 0-1); one that cannot be measured is not there.",
            metric=METRICS,
            days_ago=ago,
        )
        self._day_ranges = new.picture(
            "day_metric_range",
            "What was normal for the metric when the day closed (median), and from where to where a whole day raises no "
            "alert by itself; not there while the day is open or its history too short.",
            metric=METRICS,
            days_ago=ago,
            bound=BOUNDS,
        )


def metrics_markdown() -> str:
    """The table of all metrics of our own as Markdown, as the README has it."""
    definitions = Metrics({}, (), ()).definitions
    NotifyMetrics(definitions, ())
    return definitions.markdown()
