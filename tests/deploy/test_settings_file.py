"""The settings file decides, wherever Sluice runs: image, Compose, Kubernetes and systemd set no variable that wins over
what somebody would write into it, and the daily files reach the place that is kept."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

import pytest
import yaml

from consumer.settings import load_settings
from tests.deploy.queries import DEPLOY
from tests.deploy.test_services import DEPLOYMENTS, pod, unit

ROOT = DEPLOY.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
MINE = '[deliver]\nout = "/mine"\n[metrics]\nhost = "::1"\n[log]\nformat = "pretty"\n'


def image():
    """The variables and the folder of the last stage of the image."""
    stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :].replace("\\\n", " ")
    words = [word for line in re.findall(r"^ENV (.+)$", stage, re.MULTILINE) for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words), re.findall(r"^WORKDIR (.+)$", stage, re.MULTILINE)[-1]


def of_compose():
    return image()[0] | COMPOSE["sluice"]["environment"]


def of_kubernetes():
    containers = [pod(deployment)["containers"][0] for deployment in DEPLOYMENTS]
    return image()[0] | {it["name"]: it.get("value", "a-pod") for c in containers for it in c.get("env", [])}


def of_systemd():
    return dict(word.split("=", 1) for word in shlex.split(unit()["Service"].get("Environment", "")))


@pytest.mark.parametrize("variables", [lambda: image()[0], of_compose, of_kubernetes, of_systemd])
def test_a_settings_file_wins_over_what_the_place_sets(tmp_path, variables):
    (tmp_path / "sluice.toml").write_text(MINE)
    loaded = load_settings(tmp_path / "sluice.toml", variables())
    assert (loaded.deliver.out, loaded.metrics.host, loaded.log.format) == ("/mine", "::1", "pretty")


def test_no_place_sets_a_variable_but_the_brokers_of_compose_and_a_pods_name_that_no_file_can_know():
    given = image()[0] | of_compose() | of_kubernetes() | of_systemd()
    assert {name for name in given if name.startswith("SLUICE_")} == {
        "SLUICE_KAFKA_BOOTSTRAP_SERVERS",
        "SLUICE_INSTANCE",
    }


def test_the_image_has_a_settings_file_where_it_is_looked_for_and_it_can_be_reached():
    assert (
        "\nCOPY deploy/docker/sluice.toml ./\n" in DOCKERFILE[DOCKERFILE.index("\nWORKDIR /home/sluice\n") :]
    )
    loaded = load_settings(DEPLOY / "docker" / "sluice.toml", of_compose())
    assert loaded.metrics.host == "0.0.0.0"
    ports = [port.rsplit(":", 1)[1] for port in COMPOSE["sluice"]["ports"]]
    assert ports == [str(loaded.metrics.port)] == re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)


def test_the_volume_of_compose_receives_the_daily_files():
    loaded = load_settings(DEPLOY / "docker" / "sluice.toml", of_compose())
    written = PurePosixPath(image()[1], loaded.deliver.out)
    assert f"{written}" in [volume.split(":")[1] for volume in COMPOSE["sluice"]["volumes"]]
    assert f"\nVOLUME {written}\n" in DOCKERFILE
