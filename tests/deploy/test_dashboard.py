"""The dashboard is what its builder makes of it, and asks only for metrics that there are."""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations, pairwise

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from consumer.runtime.metrics import Metrics
from consumer.runtime.notify.notify_metrics import NotifyMetrics
from deploy.grafana.dashboard import FILE, WIDTH, rendered
from detectors.rules import KINDS
from tests.deploy import queries

OF_OTHERS = {
    "up": {"job", "instance"},
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
    "ALERTS": {"alertname", "alertstate"},
}
"""Metrics of Prometheus and of its client library."""

FROM_PROMETHEUS = {"job", "instance"}

OF_PANELS, OF_RULES = queries.of_panels(), queries.of_rules()


@cache
def series():
    """Our metrics' names, and the legal values of their labels."""
    found = {}
    metrics = Metrics({"version": "1", "librdkafka": "2"}, KINDS, ("files", "chat"))
    NotifyMetrics(metrics.definitions, ("chat",))
    for definition in metrics.definitions.all:
        labels = {name: set(values) for name, values in definition.labels.items()}
        found[definition.name] = labels
        if definition.type == "histogram":
            found[f"{definition.name}_sum"] = found[f"{definition.name}_count"] = labels
            found[f"{definition.name}_bucket"] = labels | {"le": set()}
        if definition.type == "info":
            found[definition.name] = {"version": set(), "librdkafka": set()}
    return found


def test_the_file_is_what_the_builder_makes(request):
    if request.config.getoption("--update-goldens"):
        FILE.write_text(rendered(), encoding="utf-8")
    assert FILE.read_text("utf-8") == rendered(), "run `make docs`"


def test_grafanas_own_types_read_it_and_give_it_back():
    text = FILE.read_text("utf-8")
    assert json.loads(json.dumps(Dashboard.from_json(json.loads(text)), cls=JSONEncoder)) == json.loads(text)


def test_panels_lie_beside_each_other_and_have_names_of_their_own():
    panels = json.loads(FILE.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert all(before["y"] <= after["y"] for before, after in pairwise(places))


def test_every_panel_says_what_it_shows_and_names_its_queries():
    for panel in queries.panels():
        assert panel["description"].endswith("."), panel["title"]
        names = [target["refId"] for target in panel["targets"]]
        assert all(names)
        assert len(set(names)) == len(names), panel["title"]


@pytest.mark.parametrize("query", OF_PANELS + OF_RULES, ids=lambda query: query.where)
def test_every_query_is_promql_about_series_that_there_are(query):
    known = series()
    asked = queries.selectors(query.expr)
    assert asked or query.expr == "vector(1)"
    for name, matchers in asked:
        assert name in known or name in OF_OTHERS
        for label, (operator, value) in matchers.items():
            if label in FROM_PROMETHEUS or name in OF_OTHERS:
                continue
            assert label in known[name], f"{name} has no label {label}"
            if operator in ("MatchOp.Equal", "MatchOp.NotEqual") and known[name][label]:
                assert value in known[name][label], f"{name}{{{label}}} is never {value}"


@pytest.mark.parametrize("query", OF_PANELS + OF_RULES, ids=lambda query: query.where)
def test_every_query_groups_by_labels_that_its_series_have(query):
    known = series()
    labels = set(FROM_PROMETHEUS).union(*(known.get(name, {}) for name, _ in queries.selectors(query.expr)))
    used = []

    def note(node):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            used.extend(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(query.expr), pre_visit=note)
    assert set(used) <= labels


def test_every_metric_of_ours_is_on_the_dashboard_or_in_a_rule():
    asked = {name for query in OF_PANELS + OF_RULES for name, _ in queries.selectors(query.expr)}
    asked |= {name.removesuffix(end) for name in asked for end in ("_bucket", "_sum", "_count")}
    ours = {name for name in series() if not name.endswith(("_bucket", "_sum", "_count"))}
    assert ours - asked == {
        "sluice_events_total",
        "sluice_dead_letters_truncated_total",
        "sluice_sessions_opened_total",
        "sluice_sessions_joined_total",
        "sluice_batches_total",
    }


def test_what_grafana_provisions_is_where_compose_mounts_it():
    compose = yaml.safe_load((queries.DEPLOY.parent / "docker-compose.yml").read_text("utf-8"))
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    provisioning = queries.DEPLOY / "grafana" / "provisioning"
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "sluice.yml").read_text("utf-8"))["providers"]
    assert mounts["./deploy/grafana/sluice.json"] == f"{provider['options']['path']}/{FILE.name}"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))
    (source,) = sources["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    scraped = yaml.safe_load((queries.DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
