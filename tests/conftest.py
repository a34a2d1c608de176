"""What every test may ask for: a real broker, a topic prefix of its own, golden files."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import hypothesis
import pytest

from consumer.local import class_archive
from consumer.local.kafka import EmbeddedKafka
from tests.goldens import Golden


@dataclass(frozen=True)
class Broker:
    """A running Apache Kafka's address."""

    bootstrap_servers: str


# A busy machine is slow without being wrong: no test asserts a time. A commit's tests draw the same examples every time,
# so that what fails fails again; the campaigns draw new ones (HYPOTHESIS_PROFILE=random).
_PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("sluice", _PATIENT, derandomize=True)
hypothesis.settings.register_profile("random", _PATIENT, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "sluice"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        choices=["embedded", "testcontainers"],
        default="embedded",
        help="which Apache Kafka the tests start; one named by KAFKA_BOOTSTRAP_SERVERS is used instead of both",
    )
    parser.addoption(
        "--update-goldens", action="store_true", help="write the golden files instead of comparing"
    )


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """One broker for the whole run. A test that cannot have it fails; it is never skipped."""
    if named := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield Broker(named)
    elif pytestconfig.getoption("--broker") == "testcontainers":
        from tests import kafka_container

        with kafka_container.running() as address:
            yield Broker(address)
    else:
        class_archive.make()  # the run starts some dozens of servers
        with EmbeddedKafka() as kafka:
            yield Broker(kafka.bootstrap_servers)


@pytest.fixture
def topic_prefix() -> str:
    """A short name that no other test and no other run on a shared broker has."""
    return f"t{secrets.token_hex(4)}-"


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> Golden:
    return Golden(update=pytestconfig.getoption("--update-goldens"))
