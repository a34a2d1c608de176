"""The broker that asks who comes, and a site on it whose topics exist already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.runtime.kafka.topics import Names, create_missing, existing
from tests.processes import Site
from tests.security import secure_kafka
from tests.topic_reader import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.security.secure_kafka import SecureKafka


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka.running(tmp_path_factory.mktemp("secure")) as kafka:
        yield kafka


def names_of(site: Site, *, keyed: bool = True) -> Names:
    keys = ("input", "dead_letters", "facts", "journal", "days", "alerts", *(() if keyed else ("keyed",)))
    return Names(valid="", **{key: site.topic(key) for key in keys})


@pytest.fixture
def site(kafka: SecureKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Site]:
    with Site(kafka.plain, topic_prefix, tmp_path) as site:
        create_topic(kafka.plain, site.input, 2)
        create_missing(kafka.admin, names_of(site, keyed=False), existing(kafka.admin), 1)
        yield site
