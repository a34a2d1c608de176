"""The kinds of panels that the dashboard has, and what all of its queries share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as Graph

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
OURS = 'job=~"$job"'

STATUSES = {"open": "blue", "pass": "green", "at_risk": "yellow", "quarantined": "red", "released": "purple"}
METRICS = {
    "sessions": ("Sessions", "short", 0),
    "purchases": ("Purchases", "short", 0),
    "revenue": ("Revenue", "short", 2),
    "conversion_rate": ("Purchases per session", "percentunit", 2),
    "direct_share": ("Direct share", "percentunit", 1),
}


def query(expr: str, legend: str = "", ref: str = "") -> prometheus.Dataquery:
    """A query of a graph."""
    made = prometheus.Dataquery().expr(expr).range().legend_format(legend)
    return made.ref_id(ref) if ref else made


def now(expr: str, legend: str = "", ref: str = "") -> prometheus.Dataquery:
    """A query for how it stands now."""
    return query(expr, legend, ref).instant()


def column(expr: str, ref: str) -> prometheus.Dataquery:
    """A query whose answer is a column of a table."""
    return now(expr, ref=ref).format(PromQueryFormat.TABLE)


def status_of(days_ago: str) -> str:
    """A day's status as a number: its place in `STATUSES`, from 1 on."""
    places = (
        f'{place} * sluice_day_status{{{OURS}, {days_ago}status="{status}"}}'
        for place, status in enumerate(STATUSES, 1)
    )
    return f"max by (days_ago) ({' or '.join(places)})"


def status_words() -> list[model.ValueMap]:
    """What those numbers mean, and their colours."""
    return [
        model.ValueMap(
            {
                str(place): model.ValueMappingResult(text=status.replace("_", " "), color=color)
                for place, (status, color) in enumerate(STATUSES.items(), 1)
            }
        )
    ]


def steps(*pairs: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from these values on; the first pair's value is None."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=color) for value, color in pairs])
    )


def graph(title: str, meaning: str, *queries: prometheus.Dataquery, unit: str = "short") -> Graph:
    """Lines over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(8)
        .show_points(shapes.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
    )
    for made in queries:
        panel.with_target(made)
    return panel


def stacked(panel: Graph) -> Graph:
    """The same with its lines on top of each other."""
    return panel.fill_opacity(25).stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))


def number(title: str, meaning: str, made: prometheus.Dataquery, unit: str = "short") -> stat.Panel:
    """One number."""
    return (
        stat.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .with_target(made)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.BACKGROUND)
    )
