"""`sluice alerts` on a real broker: orders are one record each on the facts topic, and are waited for."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.cli import alerts
from consumer.cli.exits import ExitCode
from consumer.core.facts import Command
from consumer.core.wire import read_facts, to_json
from consumer.tasks.draft import Draft
from detectors.book import Book
from detectors.orders import Order
from tests.detectors.alert_shop import MINUTE_MS, NOON, P0, P2, found
from tests.topic_reader import create_topic, read_committed

pytestmark = pytest.mark.broker

NOW_MS = (NOON + 5) * MINUTE_MS
REASON = ("--reason", "looked into", "--by", "ann")


class Site:
    """Topics with the alerts of a book; `obeying` stands for the watch."""

    def __init__(self, servers, prefix, folder):
        self.servers = servers
        self.facts, self.days, self.alerts = (f"{prefix}{name}" for name in ("facts", "days", "alerts"))
        for topic in (self.facts, self.days, self.alerts):
            create_topic(servers, topic)
        self.config = folder / "sluice.toml"
        self.config.write_text(
            f'[kafka]\n"bootstrap.servers" = "{servers}"\n'
            f'[topics]\nfacts = "{self.facts}"\ndays = "{self.days}"\nalerts = "{self.alerts}"\n'
        )
        self._entries = Draft({})
        self.book = Book(self._entries)

    def take(self, *findings):
        self.book.take(NOON, findings)
        self._tell()

    def _tell(self):
        producer = Producer({"bootstrap.servers": self.servers, "log_level": 0})
        for name in sorted(self.book.told):
            producer.produce(self.alerts, to_json(self._entries.get(name).alert), name)
        producer.flush(20)
        self.book.told.clear()

    def obey_one(self):
        """Waits for one order and obeys it."""
        settings = {"bootstrap.servers": self.servers, "group.id": self.facts, "log_level": 0}
        consumer = Consumer(settings)
        consumer.assign([TopicPartition(self.facts, 0, 0)])
        message = consumer.poll(30)
        consumer.close()
        wish = read_facts(message.value())
        assert isinstance(wish, Command)
        self.book.obey(Order(wish.action, wish.target, wish.by, wish.reason, NOW_MS, wish.arguments))
        self._tell()

    def run(self, *arguments):
        return CliRunner().invoke(alerts.command, [*arguments, "--config", str(self.config)])

    def run_with_a_watch(self, *arguments):
        watch = threading.Thread(target=self.obey_one)
        watch.start()
        try:
            return self.run(*arguments)
        finally:
            watch.join(60)

    def orders(self):
        return [read_facts(message.value()) for message in read_committed(self.servers, self.facts)]


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    return Site(broker.bootstrap_servers, topic_prefix, tmp_path)


def test_what_is_open_is_listed_and_with_all_also_what_is_held_back(site):
    site.take(
        found("volume_silence", severity=P0), found("purchase_silence"), found("bot_traffic", severity=P2)
    )
    result = site.run("list")
    assert result.exit_code == ExitCode.FINE, result.output
    assert [line.split("\t")[3] for line in result.stdout.splitlines()[1:]] == [
        "volume_silence",
        "bot_traffic",
    ]
    told = json.loads(site.run("list", "--all", "--json").stdout)
    states = {alert["kind"]: alert["state"] for alert in told["alerts"]}
    assert states == {"volume_silence": "open", "purchase_silence": "inhibited", "bot_traffic": "open"}


def test_an_order_is_one_record_on_the_facts_topic_and_is_waited_for(site):
    site.take(found("direct_share_shift", metric="direct_share", layer="watch", day="2025-02-23"))
    name = site.book.live()[0].id
    result = site.run_with_a_watch("ack", name[:6], *REASON)
    assert result.exit_code == ExitCode.FINE, result.output
    assert result.stdout == f"{name} (direct_share_shift) is acknowledged.\n"
    (order,) = site.orders()
    assert order == Command("acknowledge", name, "ann", "looked into", order.wall_ms)
    assert "(acknowledged by ann: looked into)" in site.run("list").stdout


@pytest.mark.parametrize(
    ("order", "arguments", "word", "sent"),
    [
        ("silence", ("--for", "2h"), "silenced", {"for_ms": 7_200_000}),
        ("silence", ("--until", "2025-02-24T09:00:00Z"), "silenced", {"until_ms": 1_740_387_600_000}),
        ("accept", ("--from", "2025-02-22"), "resolved", {"from": "2025-02-22"}),
    ],
)
def test_silence_and_acceptance_carry_their_times(site, order, arguments, word, sent):
    site.take(found("direct_share_shift", layer="watch"))
    name = site.book.live()[0].id
    result = site.run_with_a_watch(order, name, *arguments, *REASON)
    assert (result.exit_code, result.stdout) == (ExitCode.FINE, f"{name} (direct_share_shift) is {word}.\n")
    (told,) = site.orders()
    assert told == Command(order, name, "ann", "looked into", told.wall_ms, sent)


def test_an_order_that_no_watch_reads_is_kept_and_that_is_said(site, monkeypatch):
    monkeypatch.setattr(alerts, "WAIT_SECONDS", 0.0)
    site.take(found("volume_drop"))
    result = site.run("ack", site.book.live()[0].id, *REASON)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert f"the command is in {site.facts}, but" in result.stderr
    assert len(site.orders()) == 1


def test_an_order_to_nobody_is_not_sent(site):
    result = site.run("ack", "nobody", *REASON)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stderr == (
        f"Error: there is no alert 'nobody' in {site.alerts}: see `sluice alerts list --all`\n"
    )
    assert site.orders() == []
