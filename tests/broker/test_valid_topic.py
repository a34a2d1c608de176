"""`events.valid` and `sluice.days` together: a loader that waits for receipts takes only days that may be used."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest

from consumer.core.days import USABLE, Receipt
from tests.faults.feed import send, troubled_shop
from tests.processes import Site
from tests.topic_reader import create_topic, read_committed

pytestmark = pytest.mark.broker


def load(site):
    """A loader: the passed events of days whose latest receipt says that they may be used, by day."""
    receipts = {}
    for message in read_committed(site.servers, site.topic("days")):
        receipts[message.key()] = msgspec.json.decode(message.value(), type=Receipt)
    loaded = defaultdict(list)
    for message in read_committed(site.servers, site.topic("valid")):
        day = dict(message.headers())["sluice-day"].decode()
        receipt = receipts.get(day.encode())
        if receipt is not None and receipt.status in USABLE:
            loaded[day].append(message.value())
    return {key.decode(): receipt for key, receipt in receipts.items()}, dict(loaded)


def test_a_loader_takes_each_passed_event_once_and_only_of_days_that_may_be_used(
    broker, topic_prefix, tmp_path
):
    sections = {"topics": {"valid": f"{topic_prefix}valid"}}
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path, sections=sections) as site:
        create_topic(site.servers, site.input, 2)
        records = troubled_shop(3)
        send(site.servers, site.input, records)
        site.start()
        site.wait_until_caught_up()
        receipts, loaded = load(site)
    sent = {record.value for record in records}
    assert {receipt.status for receipt in receipts.values()} & USABLE
    for day, receipt in receipts.items():
        if receipt.status in USABLE:
            passed = receipt.counts.events - receipt.counts.purchase_invalid
            assert len(loaded.get(day, [])) == passed, day
            assert set(loaded.get(day, [])) <= sent  # bytes unchanged
        else:
            assert day not in loaded
    assert {receipt.status for receipt in receipts.values()} - USABLE  # some day had to be left out
