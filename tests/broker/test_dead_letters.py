"""Dead letters on a real Kafka: whole where they fit, cut by the rule where they do not, never lost, never stacked."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.feed import Sent, page_view, send, sender
from tests.faults.verifier import headers_of, origin, reason_of, truth_of, verify_headers, verify_letters
from tests.processes import Site
from tests.topic_reader import create_topic, read_committed

pytestmark = pytest.mark.broker

AT = "2025-03-01T12:00:00.000Z"


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        yield site


def letters(site):
    return {origin(letter): letter for letter in read_committed(site.servers, site.topic("dead_letters"))}


def test_what_does_not_fit_a_small_topic_keeps_its_origin_and_reason(site):
    create_topic(site.servers, site.input, max_message_bytes="5000000")
    create_topic(site.servers, site.topic("dead_letters"), max_message_bytes="3000")
    foreign = [("trace", b"t" * 500), ("sluice.reason", b"forged"), ("failureType", b"forged")]
    records = [
        Sent(b"no json", b"k"),
        Sent(b"x" * 2_500, b"long"),
        Sent(b"y" * 4_000_000, b"huge"),
        Sent(b"z" * 2_500, b"k" * 4_000),
        Sent(page_view("a", AT, user_agent="u" * 100_000), b"a"),
        Sent(b"last", b"k"),
    ]
    producer = sender(site.servers)
    for record in records:
        producer.produce(site.input, record.value, record.key, headers=foreign)
    producer.flush(30)
    process = site.start()
    site.wait_until_caught_up()
    found = letters(site)
    assert [offset for _, offset in sorted(found)] == [0, 1, 2, 3, 5]
    assert found[0, 0].value() == b"no json"
    assert headers_of(found[0, 0])["trace"] == "t" * 500
    for offset, kept_key, reason in ((1, True, "not_json"), (2, True, "too_big"), (3, False, "not_json")):
        letter = found[0, offset]
        assert letter.value() is None
        assert letter.key() == (records[offset].key if kept_key else None)
        headers = headers_of(letter)
        assert headers["sluice.truncated"] == str(len(records[offset].value))
        assert ("trace" in headers) is kept_key
        assert reason_of(letter) == reason
        verify_headers(letter, site.input)
    assert process.metric("sluice_dead_letters_truncated_total") == 3
    assert process.metric("sluice_transactions_total", outcome="aborted") == 0


def test_many_dead_letters_at_once_fit_a_topic_that_takes_no_large_batch(site):
    create_topic(site.servers, site.input)
    create_topic(site.servers, site.topic("dead_letters"), max_message_bytes="4000")
    send(
        site.servers,
        site.input,
        [Sent(b"no json %d %s" % (n, n.to_bytes(40, "big").hex().encode())) for n in range(100)],
    )
    process = site.start()
    site.wait_until_caught_up()
    verify_letters(site, list(letters(site).values()), truth_of(site))
    assert process.metric("sluice_transactions_total", outcome="aborted") == 0


def test_a_dead_letter_that_is_put_back_and_fails_again_has_each_header_once(site):
    create_topic(site.servers, site.input)
    send(site.servers, site.input, [Sent(b"no json", b"k"), Sent(page_view("a", "yesterday"), b"a")])
    site.start()
    site.wait_until_caught_up()
    producer = sender(site.servers)
    for letter in letters(site).values():
        producer.produce(site.input, letter.value(), letter.key(), headers=letter.headers())
    producer.flush(30)
    site.wait_until_caught_up()
    found = letters(site)
    assert sorted(found) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert len({letter.value() for letter in found.values()}) == 2
    assert Counter(map(reason_of, found.values())) == {"not_json": 2, "timestamp_invalid": 2}
    for letter in found.values():
        verify_headers(letter, site.input)
