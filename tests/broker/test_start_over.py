"""The way out when a journal is damaged: what Sluice made is deleted, the input is read anew, the days are the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from tests.faults.feed import send, troubled_shop
from tests.faults.verifier import receipts, verify
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import create_topic, partitions
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

RECIPES = Path(__file__).parents[2] / "docs" / "operations.md"
MADE = ("dead_letters", "facts", "journal", "days", "alerts")


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        yield site


def start_over(site):
    """As docs/operations.md has it, with the site's names."""
    (program,) = re.findall(r"```python\n(.*?)```", RECIPES.read_text("utf-8"), re.DOTALL)
    names = {"127.0.0.1:9092": site.servers, "sluice": site.group, "events.dlq": site.topic("dead_letters")}
    names |= {f"sluice.{name}": site.topic(name) for name in ("keyed", *MADE[1:])}
    for name, ours in names.items():
        assert f'"{name}"' in program
        program = program.replace(f'"{name}"', f'"{ours}"')
    exec(compile(program, RECIPES.name, "exec"), {})  # noqa: S102 - what it says is what is tried
    made = [site.topic(name) for name in MADE]
    wait_until(
        lambda: not any(partitions(site.servers, topic) for topic in made), PATIENCE_SECONDS, "they are gone"
    )


def test_nothing_is_deleted_while_a_process_of_the_group_runs(site):
    create_topic(site.servers, site.input, 1)
    site.start().wait_until_ready()
    with pytest.raises(KafkaException, match="NON_EMPTY_GROUP"):
        start_over(site)
    assert all(partitions(site.servers, site.topic(name)) for name in MADE)


def test_without_journal_and_group_the_same_input_gives_the_same_days(site):
    create_topic(site.servers, site.input, 2)
    send(site.servers, site.input, troubled_shop(6))
    days = []
    for _ in range(2):
        site.start()
        site.wait_until_caught_up()
        verify(site)
        days.append({day: (receipt.metrics, receipt.status) for day, receipt in receipts(site).items()})
        site.stop()
        start_over(site)
    assert days[0] == days[1]
