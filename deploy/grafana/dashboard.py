"""Builds `sluice.json`, the dashboard, with Grafana's own published types; `make docs` writes it anew.

Every query aggregates over processes: of a group's processes, one has the watch, and each has some of the partitions.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana import business, pipeline
from deploy.grafana.panels import METRICS, SOURCE

FILE = Path(__file__).with_name("sluice.json")

WIDTH = 24
"""Columns of Grafana's grid."""

ROWS = (
    (
        "Business",
        (
            (business.open_p0(), 3, 4),
            (business.quarantined(), 3, 4),
            (business.verdicts(), 18, 4),
            (business.latest_days(), 14, 9),
            (business.in_range(), 10, 9),
            *((business.against_band(metric), 8, 8) for metric in METRICS),
            (business.alerts_over_time(), 8, 8),
            (business.open_alerts(), 24, 6),
        ),
    ),
    (
        "Pipeline",
        (
            (pipeline.processes(), 4, 4),
            (pipeline.lag_now(), 4, 4),
            (pipeline.conflicts(), 4, 4),
            (pipeline.build(), 12, 4),
            (pipeline.throughput(), 8, 8),
            (pipeline.lag(), 8, 8),
            (pipeline.lag_seconds(), 8, 8),
            (pipeline.watermark_lag(), 8, 8),
            (pipeline.rejects(), 8, 8),
            (pipeline.reject_share(), 8, 8),
            (pipeline.batch_time(), 8, 8),
            (pipeline.batch_stages(), 8, 8),
            (pipeline.transactions(), 8, 8),
            (pipeline.recoveries(), 8, 8),
            (pipeline.restores(), 8, 8),
            (pipeline.restore_time(), 8, 8),
            (pipeline.assigned(), 8, 8),
            (pipeline.deliveries(), 8, 8),
            (pipeline.purchases(), 8, 8),
            (pipeline.sessions(), 8, 8),
            (pipeline.state(), 8, 8),
            (pipeline.journal(), 8, 8),
            (pipeline.notifications(), 8, 8),
            (pipeline.waiting(), 8, 8),
            (pipeline.heartbeats(), 8, 8),
            (pipeline.last_message(), 24, 5),
            (pipeline.memory(), 12, 8),
            (pipeline.cpu(), 12, 8),
        ),
    ),
)


def build_dashboard() -> model.Dashboard:
    """The whole dashboard. Panels flow from left to right, row by row."""
    made = (
        dashboard.Dashboard("Sluice")
        .uid("sluice")
        .description(
            "The five daily metrics against their bands, verdicts and alerts; and the pipeline behind them."
        )
        .tags(["sluice", "kafka"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("job")
            .label("Job")
            .datasource(SOURCE)
            .query("label_values(sluice_build_info, job)")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(model.VariableSort.ALPHABETICAL_ASC)
            .multi(False)
            .include_all(True)
            .all_value(".+")
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("Alarms of Sluice itself")
            .datasource(SOURCE)
            .enable(True)
            .icon_color("red")
            .expr('ALERTS{alertname=~"Sluice.+", alertname!="SluiceHeartbeat", alertstate="firing"}')
        )
    )
    y, ids = 0, count(1)
    for title, panels in ROWS:
        made.with_row(dashboard.Row(title).id(next(ids)).grid_pos(model.GridPos(h=1, w=WIDTH, x=0, y=y)))
        x, y, tallest = 0, y + 1, 0
        for panel, width, height in panels:
            if x + width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            made.with_panel(panel.id(next(ids)).grid_pos(model.GridPos(h=height, w=width, x=x, y=y)))
            for letter, target in zip(ascii_uppercase, panel.build().targets, strict=False):
                target.ref_id = target.ref_id or letter
            x, tallest = x + width, max(tallest, height)
        y += tallest
    return made.build()


def rendered() -> str:
    """The dashboard as the file has it."""
    return json.dumps(build_dashboard(), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"
