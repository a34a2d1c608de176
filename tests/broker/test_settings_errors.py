"""What is not as it must be is said in one sentence: waited for where waiting helps, else the end with exit code 3."""

from __future__ import annotations

import json
import resource
import socket
import time

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition

from consumer.cli.exits import ExitCode
from tests.faults.feed import Sent, send, troubled_shop
from tests.faults.verifier import rows, verify
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import admin, create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

CALL_SECONDS = 25.0
"""How long a call of the Kafka client to a broker that is away may hold up the end: its time limit is 15 s."""


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        yield site


@pytest.fixture(scope="module", autouse=True)
def lonely(broker, tmp_path_factory):
    """A process whose brokers are away for as long as these tests take."""
    with Site(broker.bootstrap_servers, "lonely-", tmp_path_factory.mktemp("lonely")) as site:
        yield site.start(servers=nobody())


def ends_with(process, *words):
    """Ends with exit code 3 and one sentence, which stands in the log and alone on standard error."""
    assert process.exit_code() == ExitCode.NOT_POSSIBLE, process.told()
    (line,) = process.said("stopped")
    assert list(process.words) == [f"Error: {line['reason']}"]
    for word in words:
        assert word in line["reason"]


def has_read(site, records):
    """A site that has read these records and stopped in order."""
    create_topic(site.servers, site.input)
    send(site.servers, site.input, records)
    process = site.start()
    site.wait_until_caught_up()
    assert process.stop() == ExitCode.FINE


def nobody():
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


# ── waited for ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_input_topic_that_is_missing_is_waited_for(site):
    process = site.start()
    trouble = process.wait_to_say("not connected, trying again")
    assert trouble["reason"] == f"the input topic {site.input} does not exist yet: waiting for it"
    create_topic(site.servers, site.input, 2)
    send(site.servers, site.input, troubled_shop(41, sessions_per_day=30))
    process.wait_until_ready()
    site.wait_until_caught_up()
    assert len(process.said("not connected, trying again")) == 1
    verify(site)


def test_a_metrics_port_in_use_moves_on_to_the_next_free_one(site):
    create_topic(site.servers, site.input)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = site.start(METRICS_PORT=str(port))
        opened = process.wait_to_say("endpoints open")
        assert opened["wanted_port"] == port
        assert port < int(opened["address"].rpartition(":")[2]) < port + 100
        assert process.get("/healthz")[0] == 200


def test_files_that_cannot_be_written_hold_nothing_up_and_are_written_once_they_can_be(site):
    create_topic(site.servers, site.input)
    site.out.write_text("a file where the folder should be")
    records = troubled_shop(43, sessions_per_day=60)
    send(site.servers, site.input, records[: len(records) // 2])
    process = site.start()
    failed = process.wait_to_say("files not written, trying again")
    assert "is a file and not a folder" in failed["reason"]
    site.wait_until_caught_up()
    (warning,) = json.loads(process.get("/readyz")[1])["warnings"]
    assert warning.startswith("the files are not written: ")
    site.out.unlink()
    process.wait_to_say("files are written again")
    assert "warnings" not in json.loads(process.get("/readyz")[1])
    wait_until(lambda: rows(site), PATIENCE_SECONDS, "the files")
    resource.prlimit(
        process.pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY)
    )  # as good as a full disk
    before = rows(site)
    send(site.servers, site.input, records[len(records) // 2 :])
    process.wait_to_say("files not written, trying again", times=2)
    site.wait_until_caught_up()
    assert rows(site) == before
    assert [path.name for path in site.out.iterdir() if path.name.endswith("tmp")] == []
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    verify(site)


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["facts", "days", "alerts"])
def test_a_topic_with_two_partitions_where_one_is_needed_is_the_end(site, name):
    create_topic(site.servers, site.input)
    create_topic(site.servers, site.topic(name), 2)
    ends_with(site.start(), f"the topic {site.topic(name)} must have one partition and has 2")


def test_an_offset_that_was_moved_and_a_journal_that_is_not_ours_are_the_end(site):
    has_read(site, troubled_shop(44, sessions_per_day=60))
    stood = site.committed()[site.input, 0]
    move_offset(site, 3)
    ends_with(
        site.start(),
        f"the journal of {site.input}[0] stands at offset {stood}, the group at 3: somebody moved",
        f"set it to {stood}",
    )
    move_offset(site, stood)  # as the sentence says
    site.start().wait_until_ready()
    verify(site)
    send(site.servers, site.topic("journal"), [Sent(b"not ours")] * 20)  # no key: some land in each partition
    ends_with(site.start(), "the journal of ", "is damaged", "delete all sluice topics and the group")


@pytest.mark.campaign
def test_facts_that_are_not_ours_and_a_journal_that_is_gone_are_the_end(site):
    has_read(site, troubled_shop(45, sessions_per_day=10))
    facts, journal = site.topic("facts"), site.topic("journal")
    send(site.servers, facts, [Sent(b"not ours")])
    ends_with(site.start(), f"{facts}[0] cannot be read", "delete all sluice topics and the group")
    admin(site.servers).delete_topics([journal])[journal].result(30)
    ends_with(
        site.start(), "[0] was read up to offset", "its journal is empty", "bring the journal topic back"
    )


def move_offset(site, offset):
    """What `kafka-consumer-groups.sh --reset-offsets` does; possible once the group has no members."""
    moved = ConsumerGroupTopicPartitions(site.group, [TopicPartition(site.input, 0, offset)])

    def done():
        answer = admin(site.servers).alter_consumer_group_offsets([moved])[site.group].result(30)
        return all(where.error is None for where in answer.topic_partitions)

    wait_until(done, PATIENCE_SECONDS, "the offset moved")


@pytest.mark.campaign
def test_events_that_retention_took_before_they_were_read_are_the_end(site):
    has_read(site, troubled_shop(48, sessions_per_day=10))
    send(site.servers, site.input, [Sent(b"one"), Sent(b"two")])
    behind = TopicPartition(site.input, 0, site.committed()[site.input, 0] + 1)
    admin(site.servers).delete_records([behind])[behind].result(30)
    ends_with(site.start(), f"the next offset of {site.input}[0] is gone", "retention deleted")


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"bootstrap.server": "typo"}, "bootstrap.server"),  # no client takes it
        ({"linger.ms": "-5"}, "outside allowed range"),
        ({"max.poll.interval.ms": "5000"}, "`session.timeout.ms`"),  # refused by consumers alone
        ({"linger.ms": "60000"}, "`message.timeout.ms` must be greater"),  # by producers alone
    ],
)
def test_a_property_that_librdkafka_refuses_is_the_end(site, properties, word):
    create_topic(site.servers, site.input)
    ends_with(site.start("--roles", "gate", kafka=properties), "[kafka] has ", word)


def test_a_property_that_does_not_exist_is_the_end_of_a_deliverer_as_well(site):
    process = site.start("--roles", "deliver", kafka={"sesion.timeout.ms": "5"})
    ends_with(process, '[kafka] has "sesion.timeout.ms", which librdkafka does not know')


def test_a_group_that_another_program_uses_is_the_end(site):
    create_topic(site.servers, site.input)
    other = Consumer({"bootstrap.servers": site.servers, "group.id": site.group, "log_level": 0})
    other.subscribe([site.input])
    wait_until(lambda: other.poll(0.1) or other.assignment(), PATIENCE_SECONDS, "the other program at work")
    ends_with(
        site.start("--roles", "gate"), f"the group {site.group} cannot be joined", "another program uses it"
    )
    other.close()


def test_a_contract_that_is_not_there_is_the_end(site):
    process = site.start(CONTRACT_PATH="nowhere.yaml")
    assert process.exit_code() == ExitCode.NOT_POSSIBLE
    assert len(process.words) == 1
    assert "nowhere.yaml" in process.words[0]


# ── waited for, in the meantime ─────────────────────────────────────────────────────────────────────────────────


def test_brokers_that_are_away_are_waited_for_said_once_and_no_reason_to_stay_when_asked_to_end(lonely):
    trouble = lonely.wait_to_say("not connected, trying again", outcome="lost")
    assert "the brokers cannot be reached" in trouble["reason"]
    wait_until(
        lambda: lonely.metric("sluice_recoveries_total", error="lost") >= 2, PATIENCE_SECONDS, "a second try"
    )
    assert len(lonely.said("not connected, trying again")) == 1
    assert lonely.get("/healthz")[0] == 200
    status, body = lonely.get("/readyz")
    assert status == 503
    assert "the brokers cannot be reached" in body
    started = time.monotonic()
    assert lonely.stop() == ExitCode.FINE
    assert time.monotonic() - started < CALL_SECONDS
