"""Killed at one exact step of a transaction, of a takeover or of a restore: the next process makes good."""

from __future__ import annotations

import threading

import pytest

from tests.faults.feed import send, troubled_shop
from tests.faults.kafka_proxy import Api, Fate, KafkaProxy
from tests.faults.verifier import verify
from tests.processes import PATIENCE_SECONDS
from tests.topic_reader import create_topic

pytestmark = pytest.mark.broker

BEFORE, AFTER = Fate.LOSE_REQUEST, Fate.SWALLOW_ANSWER
"""The broker never hears of the step, or takes it while nobody is there any more to hear the answer."""

POINTS = [
    (Api.END_TXN, 4, BEFORE),
    (Api.OFFSET_FETCH, 1, AFTER),
    (Api.END_TXN, 2, AFTER),
]
"""The second takes over while the first one's offsets are pending, within that transaction's time-out."""

MORE_POINTS = [
    (api, nth, fate)
    for api, numbers in (
        (Api.INIT_PRODUCER_ID, (1,)),
        (Api.JOIN_GROUP, (1, 2)),
        (Api.SYNC_GROUP, (1, 2)),
        (Api.OFFSET_FETCH, (1,)),
        (Api.LIST_OFFSETS, (1, 4)),
        (Api.FETCH, (1, 2, 9)),
        (Api.ADD_PARTITIONS_TO_TXN, (1, 2, 4)),
        (Api.PRODUCE, (1, 2, 4)),
        (Api.ADD_OFFSETS_TO_TXN, (1, 2, 4)),
        (Api.TXN_OFFSET_COMMIT, (1, 2, 4)),
        (Api.END_TXN, (1, 2, 4)),
    )
    for nth in numbers
    for fate in (BEFORE, AFTER)
]


def killed_at(site, api, nth, fate, instance):
    """Starts a process, which is killed at its nth request of that kind. The last thing it does is that request."""
    reached = threading.Event()
    started = threading.Event()
    process = None

    def judge(request):
        if request != (api, nth):
            return Fate.PASS
        started.wait()
        if fate is BEFORE:
            process.kill()
        reached.set()
        return fate

    with KafkaProxy(site.servers, judge) as proxy:
        process = site.start(instance=instance, servers=proxy.address)
        started.set()
        assert reached.wait(PATIENCE_SECONDS), f"no {api.name} number {nth}; it said {process.told()}"
        process.kill()


def kill_at_each(site, points, sessions_per_day):
    """One process after the other dies at its point, each amid events of its own; the last one lives."""
    create_topic(site.servers, site.input, 2)
    records = troubled_shop(7, sessions_per_day=sessions_per_day)
    size = len(records) // len(points) + 1
    for number, (api, nth, fate) in enumerate(points):
        send(site.servers, site.input, records[number * size : (number + 1) * size])
        # The same name twice, then another: what it left open is aborted by its heir, or by the broker's time-out.
        killed_at(site, api, nth, fate, instance=f"i{number // 2}")
    site.start()
    site.wait_until_caught_up(120)
    return verify(site)


def test_two_takeovers_within_one_transactions_time_out_and_a_lost_commit_answer_lose_nothing(site):
    kill_at_each(site, POINTS, sessions_per_day=80)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_killed_before_and_after_every_request_nothing_is_lost_or_doubled(site):
    kill_at_each(site, MORE_POINTS, sessions_per_day=500)
