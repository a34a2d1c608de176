"""Every query of the dashboard and of the alarms, and what each of them asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "sluice.json"
RULES = DEPLOY / "prometheus" / "sluice.rules.yml"


@dataclass(frozen=True)
class Query:
    """Where a query stands, and its PromQL with the dashboard's variables filled in."""

    where: str
    expr: str


def panels() -> Iterator[dict[str, Any]]:
    """The panels that show something."""
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        if panel["type"] != "row":
            yield panel


def of_panels(rate_interval: str = "5m") -> list[Query]:
    """The queries of all panels."""
    return [
        Query(f"{panel['title']} / {target['refId']}", filled(target["expr"], rate_interval))
        for panel in panels()
        for target in panel["targets"]
    ]


def filled(expr: str, rate_interval: str = "5m") -> str:
    """The expression as Grafana would send it."""
    return expr.replace("$__rate_interval", rate_interval).replace("$job", ".+")


def rules() -> list[dict[str, Any]]:
    """The alarms."""
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def of_rules() -> list[Query]:
    """The queries of all alarms."""
    return [Query(rule["alert"], rule["expr"]) for rule in rules()]


def selectors(expr: str) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """The series that an expression asks for: a metric's name, and by label how it is matched and with what."""
    found: list[tuple[str, dict[str, tuple[str, str]]]] = []

    def note(node: Any) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            matchers = {it.name: (str(it.op), it.value) for it in node.matchers.matchers}
            found.append((node.name, matchers))

    promql_parser.walk(promql_parser.parse(expr), pre_visit=note)
    return found
