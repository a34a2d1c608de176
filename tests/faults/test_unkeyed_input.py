"""An input that is not keyed gives the same days as the oracle's and as one that is, whoever is killed on the way."""

from __future__ import annotations

from random import Random
from zlib import crc32

import pytest

from consumer.cli.exits import ExitCode
from tests.faults.feed import sender, troubled_shop
from tests.faults.verifier import receipts, verify
from tests.processes import Site
from tests.topic_reader import create_topic, log_starts, read_committed

pytestmark = pytest.mark.broker

PARTITIONS = 4


def spread(site, records):
    """Sends the records with every event of a client anywhere, and keys that say nothing."""
    producer, random = sender(site.servers), Random(1)
    for record in records:
        key = random.choice([None, b"", b"any", b"%d" % random.randrange(10**9)])
        producer.produce(
            site.input,
            record.value,
            key,
            partition=crc32(record.value or b"") % PARTITIONS,
            headers=[("trace", key)],
        )
        producer.poll(0)
    assert producer.flush(60) == 0


@pytest.fixture
def unkeyed(site):
    site.sections = {**site.sections, "input": {"keyed": False}}
    create_topic(site.servers, site.input, PARTITIONS)
    return site


@pytest.mark.timeout(400)
def test_the_days_are_the_oracles_and_each_dead_letter_is_there_once_with_its_origin(unkeyed):
    records = troubled_shop(23, sessions_per_day=200)
    half = len(records) // 2
    first, _ = unkeyed.start(instance="a"), unkeyed.start(instance="b")
    spread(unkeyed, records[:half])
    unkeyed.wait_until_done(half // 2)
    first.kill()
    spread(unkeyed, records[half:])
    unkeyed.start(instance="c")
    unkeyed.wait_until_caught_up()
    truth = verify(unkeyed)
    assert sum(truth.reasons.values()) > 10
    for letter in read_committed(unkeyed.servers, unkeyed.topic("dead_letters")):
        assert ("trace", letter.key()) in (letter.headers() or [])
    kept = unkeyed.topic("keyed")
    assert sum(log_starts(unkeyed.servers, kept).values()) > 0, "what was read is not let go of"


@pytest.mark.timeout(400)
def test_the_days_are_those_of_the_same_events_keyed(unkeyed, tmp_path):
    records = troubled_shop(29)
    spread(unkeyed, records)
    unkeyed.start()
    folder = tmp_path / "keyed"
    folder.mkdir()
    with Site(unkeyed.servers, f"{unkeyed.prefix}k-", folder, unkeyed.kafka) as keyed:
        create_topic(keyed.servers, keyed.input, PARTITIONS)
        producer = sender(keyed.servers)
        for record in records:
            producer.produce(keyed.input, record.value, record.key)
        assert producer.flush(60) == 0
        keyed.start()
        keyed.wait_until_caught_up()
        unkeyed.wait_until_caught_up()
        days = {day: (it.metrics, it.counts.events) for day, it in receipts(unkeyed).items()}
        assert days == {day: (it.metrics, it.counts.events) for day, it in receipts(keyed).items()}
        keyed.stop()


@pytest.mark.parametrize("before", [True, False])
def test_a_group_whose_setting_is_changed_ends_with_a_sentence_before_it_counts_anything(unkeyed, before):
    unkeyed.sections["input"] = {"keyed": before}
    spread(unkeyed, troubled_shop(31, sessions_per_day=20))
    unkeyed.start()
    unkeyed.wait_until_caught_up()
    unkeyed.stop()
    committed = unkeyed.committed()
    unkeyed.sections["input"] = {"keyed": not before}
    process = unkeyed.start()
    assert process.exit_code() == ExitCode.NOT_POSSIBLE, process.told()
    assert "[input] keyed was changed" in process.said("stopped")[0]["reason"]
    unkeyed.sections["input"] = {"keyed": before}
    assert unkeyed.committed() == committed
