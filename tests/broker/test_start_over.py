"""The way out when a journal is damaged: what Sluice made is deleted, the input is read anew, the days are the same."""

from __future__ import annotations

import pytest

from tests.faults.feed import send, troubled_shop
from tests.faults.verifier import receipts, verify
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import admin, create_topic, partitions
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

MADE = ("dead_letters", "facts", "journal", "days", "alerts")


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        yield site


def start_over(site):
    """As README.md has it."""
    client = admin(site.servers)
    made = [site.topic(name) for name in MADE]
    for deleted in (
        *client.delete_topics(made).values(),
        *client.delete_consumer_groups([site.group]).values(),
    ):
        deleted.result(PATIENCE_SECONDS)
    wait_until(
        lambda: not any(partitions(site.servers, topic) for topic in made), PATIENCE_SECONDS, "they are gone"
    )


def test_without_journal_and_group_the_same_input_gives_the_same_days(site):
    create_topic(site.servers, site.input, 2)
    send(site.servers, site.input, troubled_shop(6))
    days = []
    for _ in range(2):
        site.start()
        site.wait_until_caught_up()
        verify(site)
        days.append({day: (receipt.metrics, receipt.status) for day, receipt in receipts(site).items()})
        start_over(site)
    assert days[0] == days[1]
