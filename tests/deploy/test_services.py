"""The examples for Kubernetes and systemd start what there is, look at what it answers, and let it end in order."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from consumer.cli.run import command
from consumer.runtime.app import ROLES
from consumer.settings import load_settings
from tests.deploy.queries import DEPLOY

MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "sluice.yaml").read_text("utf-8")))
DEPLOYMENTS = [it for it in MANIFESTS if it["kind"] == "Deployment"]
LONGEST_STOP_SECONDS = 25
"""What a stop takes at most: the loop's longest step, and the deliverer's last files."""


def pod(deployment):
    return deployment["spec"]["template"]["spec"]


def test_the_settings_of_the_example_are_settings(tmp_path):
    (settings,) = (it for it in MANIFESTS if it["kind"] == "ConfigMap")
    (tmp_path / "sluice.toml").write_text(settings["data"]["sluice.toml"])
    loaded = load_settings(tmp_path / "sluice.toml", {})
    mounted = {it["mountPath"] for d in DEPLOYMENTS for it in pod(d)["containers"][0]["volumeMounts"]}
    assert loaded.deliver.out in mounted
    ports = {it["containerPort"] for d in DEPLOYMENTS for it in pod(d)["containers"][0]["ports"]}
    assert ports == {loaded.metrics.port}
    assert loaded.metrics.host == "0.0.0.0"


def test_every_role_runs_in_exactly_one_deployment():
    roles = []
    for deployment in DEPLOYMENTS:
        words = pod(deployment)["containers"][0]["args"]
        assert words[0] == "run"
        roles += words[words.index("--roles") + 1].split(",")
    assert sorted(roles) == sorted(ROLES)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda it: it["metadata"]["name"])
def test_a_pod_is_looked_at_has_no_rights_and_may_end_in_order(deployment):
    spec, (container,) = pod(deployment), pod(deployment)["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert spec["terminationGracePeriodSeconds"] > LONGEST_STOP_SECONDS
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert f"--uid {spec['securityContext']['runAsUser']} " in (DEPLOY.parent / "Dockerfile").read_text()
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda it: it["metadata"]["name"])
def test_a_pod_is_known_to_its_group_by_its_name(deployment):
    (variable,) = pod(deployment)["containers"][0]["env"]
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    name = deployment["metadata"]["name"] + "-5d9c7b8f6d-x2x7k"
    assert load_settings(None, {variable["name"]: name}).instance == name


def test_a_drain_takes_one_process_at_a_time():
    (budget,) = (it for it in MANIFESTS if it["kind"] == "PodDisruptionBudget")
    wanted = budget["spec"]["selector"]["matchLabels"].items()
    kept = [it for it in DEPLOYMENTS if wanted <= it["spec"]["template"]["metadata"]["labels"].items()]
    assert [it["spec"]["replicas"] > budget["spec"]["maxUnavailable"] for it in kept] == [True]


def unit():
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(DEPLOY / "systemd" / "sluice.service", encoding="utf-8")
    return parser


def test_the_unit_runs_what_tells_systemd_of_itself_and_may_end_in_order():
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert int(service["TimeoutStopSec"].removesuffix("s")) > LONGEST_STOP_SECONDS
    assert int(service["WatchdogSec"].removesuffix("s")) >= 30
    _, name, *arguments = shlex.split(service["ExecStart"])
    assert name == command.name
    result = CliRunner().invoke(command, [*arguments, "--help"])
    assert result.exit_code == 0


def test_the_unit_writes_where_it_may():
    service = unit()["Service"]
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert not Path(load_settings(None, {}).deliver.out).is_absolute()
    assert service["DynamicUser"] == "yes"
