"""The daemon on a real Kafka, as its user runs it: the batch oracle's numbers, each dead letter once, an orderly life."""

from __future__ import annotations

import pytest

from tests.faults.feed import send, troubled_shop
from tests.faults.verifier import verify
from tests.processes import Site
from tests.topic_reader import create_topic

pytestmark = pytest.mark.broker


def test_two_processes_give_the_oracles_numbers_and_every_dead_letter_once(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        create_topic(site.servers, site.input, 4)
        first, second = site.start(), site.start()
        send(site.servers, site.input, troubled_shop(1))
        first.wait_until_ready()
        second.wait_until_ready()
        site.wait_until_caught_up()
        truth = verify(site)
        assert len(truth.reasons) >= 6
