"""Every alarm says what it is and is tested; the README says what to do about it. `make monitoring` fires them for real."""

from __future__ import annotations

import re

import yaml

from tests.deploy import queries

TESTS = yaml.safe_load((queries.DEPLOY / "prometheus" / "sluice.rules.test.yml").read_text("utf-8"))["tests"]
SEVERITIES = {"critical", "warning", "none"}


def test_every_alarm_has_a_severity_and_says_what_it_is():
    for rule in queries.rules():
        assert re.fullmatch(r"Sluice[A-Z][A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"].get("description", ".").endswith(".")
        assert ("for" in rule) == (rule["labels"]["severity"] != "none")


def test_every_alarm_is_tested_where_it_fires_and_where_it_must_not():
    cases = [case for test in TESTS for case in test["alert_rule_test"]]
    fired = {case["alertname"] for case in cases if case["exp_alerts"]}
    quiet = {case["alertname"] for case in cases if not case["exp_alerts"]} | {"SluiceHeartbeat"}
    assert fired == quiet == {rule["alert"] for rule in queries.rules()}


def test_the_readme_says_what_to_do_about_every_alarm():
    readme = (queries.DEPLOY.parent / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(Sluice\w+)` \| (\w+) \|", readme, re.MULTILINE))
    assert rows == {rule["alert"]: rule["labels"]["severity"] for rule in queries.rules()}


def test_the_alertmanager_example_gives_every_severity_to_somebody():
    example = yaml.safe_load(
        (queries.DEPLOY / "alertmanager" / "alertmanager.example.yml").read_text("utf-8")
    )
    receivers = {receiver["name"] for receiver in example["receivers"]}
    routes = example["route"]["routes"]
    assert {example["route"]["receiver"], *(route["receiver"] for route in routes)} == receivers
    routed = " ".join(matcher for route in routes for matcher in route["matchers"])
    for needed in ("SluiceHeartbeat", "P0_BLOCKER", "P1_HIGH", "P2_NOTE", "critical"):
        assert needed in routed
    alarms = {rule["alert"] for rule in queries.rules()}
    for rule in example["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            for name in re.findall(r"Sluice\w+", matcher.replace("Sluice(", "")):
                assert name in alarms
        targets = re.search(r"Sluice\(([\w|]+)\)", " ".join(rule["target_matchers"]))
        assert {f"Sluice{name}" for name in targets[1].split("|")} <= alarms
        assert any(matcher.startswith("job") for matcher in rule["source_matchers"])
