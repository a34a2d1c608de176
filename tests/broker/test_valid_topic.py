"""`events.valid` and `sluice.days` together: a loader that waits for receipts takes only days that may be used."""

from __future__ import annotations

import json
import secrets
from collections import Counter, defaultdict

import msgspec
import pytest
from click.testing import CliRunner

from consumer.cli import gate
from consumer.cli.exits import ExitCode
from consumer.core.days import USABLE, Receipt
from tests.faults.feed import Sent, page_view, send, sender, troubled_shop
from tests.processes import Site
from tests.topic_reader import create_topic, read_committed

pytestmark = pytest.mark.broker


QUARANTINED = "2025-03-02"
"""A day of the troubled shop that holds a purchase whose id came twice with different contents."""


class Loader:
    """Loads passed events of days whose latest receipt says that they may be used; a day once it may, and only once."""

    def __init__(self, site):
        self._site = site
        self.loaded = {}

    def run(self):
        receipts = {}
        for message in read_committed(self._site.servers, self._site.topic("days")):
            receipts[message.key().decode()] = msgspec.json.decode(message.value(), type=Receipt)
        by_day = defaultdict(list)
        for message in read_committed(self._site.servers, self._site.topic("valid")):
            by_day[dict(message.headers())["sluice-day"].decode()].append((message.key(), message.value()))
        for day, receipt in receipts.items():
            if receipt.status in USABLE:
                self.loaded.setdefault(day, by_day[day])
        return receipts


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    sections = {"topics": {"valid": f"{topic_prefix}valid"}}
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path, sections=sections) as site:
        yield site


def day_of(value):
    return json.loads(value)["timestamp"][:10]


def test_a_loader_takes_each_passed_event_once_and_only_of_days_that_may_be_used(site):
    create_topic(site.servers, site.input, 2)
    records = troubled_shop(3)
    foreign = [("trace", b"1")]
    producer = sender(site.servers)
    for record in records:
        producer.produce(site.input, record.value, record.key, headers=foreign)
    producer.flush(30)
    site.start()
    site.wait_until_caught_up()
    dead = Counter(letter.value() for letter in read_committed(site.servers, site.topic("dead_letters")))
    passed = Counter((record.key, record.value) for record in records if record.value not in dead)
    valid = read_committed(site.servers, site.topic("valid"))
    assert Counter((message.key(), message.value()) for message in valid) == passed
    for message in valid:
        assert message.headers() == [*foreign, ("sluice-day", day_of(message.value()).encode())]

    loader = Loader(site)
    receipts = loader.run()
    assert receipts[QUARANTINED].status == "quarantined"
    usable = {day for day, receipt in receipts.items() if receipt.status in USABLE}
    assert usable
    assert loader.loaded.keys() == usable
    assert_whole(loader, passed)

    config = str(site.settings())
    arguments = [QUARANTINED, "--reason", "looked into", "--by", "me", "--config", config]
    result = CliRunner().invoke(gate.release, arguments)
    assert result.exit_code == ExitCode.FINE, result.output
    receipts = loader.run()
    assert receipts[QUARANTINED].status == "released"
    assert loader.loaded.keys() == {*usable, QUARANTINED}
    assert_whole(loader, passed)


def assert_whole(loader, passed):
    """What was loaded of a day is all that passed of it, each event as often as it came."""
    for day, events in loader.loaded.items():
        assert Counter(events) == Counter(
            {event: times for event, times in passed.items() if day_of(event[1]) == day}
        )


def test_a_topic_that_takes_no_event_of_that_size_is_the_end_and_says_which(site):
    create_topic(site.servers, site.input)
    create_topic(site.servers, site.topic("valid"), max_message_bytes="2000")
    send(
        site.servers,
        site.input,
        [Sent(page_view("a", "2025-03-01T12:00:00Z", user_agent=secrets.token_hex(3_000)))],
    )
    process = site.start()
    assert process.exit_code() == ExitCode.NOT_POSSIBLE
    (line,) = process.said("stopped")
    assert "MSG_SIZE_TOO_LARGE" in line["reason"]
    assert site.topic("valid") in line["reason"]
