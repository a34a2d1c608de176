"""Every alarm says what it is and is tested; the README says what to do about it. `make monitoring` fires them for real."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
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


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "words",
    [("test", "rules", "sluice.rules.test.yml"), ("check", "config", "prometheus.yml")],
    ids=lambda words: words[-1],
)
def test_promtool_agrees(words):
    folder = queries.DEPLOY / "prometheus"
    done = subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def jobs():
    """The jobs under which the examples have Sluice scraped, and the patterns by which alarms look for their job."""
    prometheus = queries.DEPLOY / "prometheus"
    for name in ("prometheus.yml", "kubernetes.yml"):
        yield from (
            it["job_name"] for it in yaml.safe_load((prometheus / name).read_text())["scrape_configs"]
        )
    monitor = yaml.safe_load((queries.DEPLOY / "kubernetes" / "podmonitor.yaml").read_text("utf-8"))["spec"]
    yield monitor["selector"]["matchLabels"][monitor["jobLabel"]]


def test_alarms_look_for_the_job_of_every_example():
    labels = [labels for query in queries.of_rules() for _, labels in queries.selectors(query.expr)]
    matchers = [it["job"] for it in labels if "job" in it]
    patterns = {value for operator, value in matchers if operator == "MatchOp.Re"}
    assert patterns
    assert [job for job in jobs() for pattern in patterns if not re.fullmatch(pattern, job)] == []


def test_every_pod_of_the_example_is_scraped_by_its_label_and_port_and_by_no_annotation():
    manifests = yaml.safe_load_all((queries.DEPLOY / "kubernetes" / "sluice.yaml").read_text("utf-8"))
    pods = [it["spec"]["template"] for it in manifests if it["kind"] == "Deployment"]
    monitor = yaml.safe_load((queries.DEPLOY / "kubernetes" / "podmonitor.yaml").read_text("utf-8"))["spec"]
    (job,) = yaml.safe_load((queries.DEPLOY / "prometheus" / "kubernetes.yml").read_text())["scrape_configs"]
    (keep,) = [it for it in job["relabel_configs"] if it.get("action") == "keep"]
    for pod in pods:
        labels = pod["metadata"]["labels"]
        ports = [port["name"] for port in pod["spec"]["containers"][0]["ports"]]
        assert monitor["selector"]["matchLabels"].items() <= labels.items()
        assert [it["port"] for it in monitor["podMetricsEndpoints"]] == ports
        assert keep["regex"] == f"{labels['app.kubernetes.io/name']};{ports[0]}"
        assert not any("prometheus" in name for name in pod["metadata"].get("annotations", {}))


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
