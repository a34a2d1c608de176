"""Whatever comes in through Kafka: nothing stops the daemon, nothing is lost, each bad record has its reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from consumer.core.instant import rfc3339
from tests.faults.bad_input import WARM_UP, bad_values
from tests.faults.feed import Sent, page_view, send
from tests.faults.verifier import origin, reason_of, receipts, verify_headers
from tests.processes import Site
from tests.topic_reader import create_topic, read_committed

pytestmark = pytest.mark.broker


def in_400_days():
    later = datetime.now(UTC) + timedelta(days=400)  # noqa: TID251 - the daemon's clock is the real one here
    return rfc3339(int(later.timestamp() * 1000))


def test_every_kind_of_bad_record_is_told_apart_and_every_record_is_accounted_for(
    broker, topic_prefix, tmp_path
):
    values = list(bad_values(in_400_days()))
    odd = [Sent(None, b"key"), Sent(b"", b"key"), Sent(None), Sent(b"")]
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        create_topic(site.servers, site.input)
        send(site.servers, site.input, WARM_UP)
        process = site.start()
        site.wait_until_caught_up()
        send(site.servers, site.input, [*(Sent(bad.value) for bad in values), *odd])
        send(site.servers, site.input, [Sent(page_view("last", "2025-03-01T12:30:00.000Z"))])
        site.wait_until_caught_up()
        letters = {
            origin(letter)[1]: letter for letter in read_committed(site.servers, site.topic("dead_letters"))
        }
        found = {offset: reason_of(letter) for offset, letter in letters.items()}
        first = len(WARM_UP)
        reasons = [bad.reason for bad in values] + ["tombstone", "empty"] * 2
        told = {
            bad.name: (bad.reason, found.get(first + number))
            for number, bad in enumerate(values)
            if found.get(first + number) != bad.reason
        }
        assert not told
        assert found == {first + n: reason for n, reason in enumerate(reasons) if reason is not None}
        inputs = {message.offset(): message for message in read_committed(site.servers, site.input)}
        for offset, letter in letters.items():
            assert (letter.key(), letter.value()) == (inputs[offset].key(), inputs[offset].value())
            verify_headers(letter, site.input)
        assert process.metric("sluice_transactions_total", outcome="aborted") == 0
        assert process.metric("sluice_records_total", role="gate") == len(inputs)
        assert accounted_for(receipts(site).values()) == len(inputs)


def accounted_for(days):
    """All records that the receipts know of: events and dead letters that are no events."""
    return sum(day.counts.events + day.counts.rejected - day.counts.purchase_invalid for day in days)
