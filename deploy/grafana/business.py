"""What the numbers of the shop are, whether a day may be used, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import bargauge, prometheus, stat, statetimeline, table
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.panels import (
    METRICS,
    OURS,
    SOURCE,
    column,
    graph,
    now,
    number,
    query,
    stacked,
    status_of,
    status_words,
    steps,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as Graph


def latest_days() -> table.Panel:
    """The newest days, a row each."""
    own = [
        column(f"max by (days_ago) (sluice_day_start_timestamp_seconds{{{OURS}}}) * 1000", "day"),
        column(status_of(""), "status"),
    ]
    own += [
        column(f'max by (days_ago) (sluice_day_metric{{{OURS}, metric="{metric}"}})', metric)
        for metric in METRICS
    ]
    panel = (
        table.Panel()
        .title("The last days")
        .description(
            "A row a day, the newest first; it is still open. A metric that could not be measured is empty. `sluice gate "
            "status` has the reasons."
        )
        .datasource(SOURCE)
        .mappings([])
        .with_transformation(model.DataTransformerConfig("merge", options={}))
        .with_transformation(
            model.DataTransformerConfig("sortBy", options={"sort": [{"field": "days_ago", "desc": False}]})
        )
        .with_transformation(
            model.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True, "days_ago": True},
                    "renameByName": {f"Value #{ref}": name for ref, name in _columns().items()},
                },
            )
        )
        .override_by_name("Day", [_property("unit", "dateTimeAsIso"), _property("custom.width", 170)])
        .override_by_name(
            "Status",
            [
                _property("mappings", [words.to_json() for words in status_words()]),
                _property("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
            ],
        )
    )
    for made in own:
        panel.with_target(made)
    for name, unit, decimals in METRICS.values():
        panel.override_by_name(name, [_property("unit", unit), _property("decimals", decimals)])
    return panel


def _columns() -> dict[str, str]:
    return {"day": "Day", "status": "Status"} | {metric: name for metric, (name, _, _) in METRICS.items()}


def _property(name: str, value: object) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)


def in_range() -> bargauge.Panel:
    """Yesterday's metrics in their ranges, all on one scale."""

    def bound(name: str) -> str:
        return f'max by (metric) (sluice_day_metric_range{{{OURS}, days_ago="1", bound="{name}"}})'

    value = f'max by (metric) (sluice_day_metric{{{OURS}, days_ago="1"}})'
    return (
        bargauge.Panel()
        .title("The last whole day, in its range")
        .description(
            "0 % = the lowest value that raises no alert, 100 % = the highest. Red: outside. Empty until the day is closed, "
            "an hour after its end, and while fewer than three days are known."
        )
        .datasource(SOURCE)
        .with_target(now(f"({value} - {bound('low')}) / ({bound('high')} - {bound('low')})", "{{metric}}"))
        .unit("percentunit")
        .decimals(0)
        .min(0)
        .max(1)
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .thresholds(steps((None, "red"), (0, "green"), (1, "red")))
    )


def against_band(metric: str) -> Graph:
    """One metric over weeks: the last whole day inside of its band, and the day so far."""
    name, unit, decimals = METRICS[metric]

    def bound(which: str) -> prometheus.Dataquery:
        selector = f'{OURS}, metric="{metric}", days_ago="1", bound="{which}"'
        return query(f"max(sluice_day_metric_range{{{selector}}})", which, which)

    def day(days_ago: int, legend: str) -> prometheus.Dataquery:
        selector = f'{OURS}, metric="{metric}", days_ago="{days_ago}"'
        return query(f"max(sluice_day_metric{{{selector}}})", legend, f"day{days_ago}")

    quiet = [_property("color", {"mode": "fixed", "fixedColor": "green"}), _property("custom.lineWidth", 0)]
    return (
        graph(
            name,
            "The last whole day (line) between the lowest and the highest value that raise no alert (band), and the day so "
            "far (dashed), which is smaller by its nature.",
            bound("low"),
            bound("high"),
            bound("median"),
            day(1, "last whole day"),
            day(0, "day so far"),
            unit=unit,
        )
        .decimals(decimals)
        .fill_opacity(0)
        .override_by_name("low", [*quiet, _property("custom.fillOpacity", 0)])
        .override_by_name(
            "high", [*quiet, _property("custom.fillBelowTo", "low"), _property("custom.fillOpacity", 12)]
        )
        .override_by_name(
            "median", [quiet[0], _property("custom.lineStyle", {"fill": "dash", "dash": [2, 6]})]
        )
        .override_by_name(
            "last whole day",
            [_property("color", {"mode": "fixed", "fixedColor": "text"}), _property("custom.lineWidth", 2)],
        )
        .override_by_name(
            "day so far",
            [
                _property("color", {"mode": "fixed", "fixedColor": "blue"}),
                _property("custom.lineStyle", {"fill": "dash", "dash": [6, 4]}),
            ],
        )
    )


def verdicts() -> statetimeline.Panel:
    """The last whole day's status over time."""
    return (
        statetimeline.Panel()
        .title("Verdict of the last whole day")
        .description("A release or a late collision changes it in the middle of a day.")
        .datasource(SOURCE)
        .with_target(query(status_of('days_ago="1", '), "status"))
        .mappings(status_words())
        .show_value(shapes.VisibilityMode.AUTO)
    )


def open_alerts() -> table.Panel:
    """Which alerts are open."""
    return (
        table.Panel()
        .title("Open alerts")
        .description(
            "Neither acknowledged, silenced nor explained by another. `sluice alerts list` has the sentences."
        )
        .datasource(SOURCE)
        .with_target(column(f"max by (kind, severity) (sluice_open_alerts{{{OURS}}}) > 0", "alerts"))
        .with_transformation(
            model.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True},
                    "renameByName": {
                        "kind": "Kind",
                        "severity": "Severity",
                        "Value": "Open",
                        "Value #alerts": "Open",
                    },
                    "indexByName": {"severity": 0, "kind": 1, "Value": 2, "Value #alerts": 2},
                },
            )
        )
        .no_value("none")
    )


def alerts_over_time() -> Graph:
    """How many alerts are open."""
    return stacked(
        graph(
            "Open alerts by severity",
            "P0 pages, P1 alerts, P2 only stands in the files.",
            query(
                f"sum by (severity) (max by (kind, severity) (sluice_open_alerts{{{OURS}}}))", "{{severity}}"
            ),
        )
    )


def open_p0() -> stat.Panel:
    """Whether anything blocks."""
    expr = f'sum(max by (kind) (sluice_open_alerts{{{OURS}, severity="P0_BLOCKER"}}))'
    return number("Open P0", "Blockers that are open now.", now(expr)).thresholds(
        steps((None, "green"), (1, "red"))
    )


def quarantined() -> stat.Panel:
    """How many days wait for a decision."""
    expr = f'max(sluice_receipts{{{OURS}, status="quarantined"}})'
    return number(
        "Quarantined days", "Of the days in memory; `sluice gate release` lets one through.", now(expr)
    ).thresholds(steps((None, "green"), (1, "red")))
