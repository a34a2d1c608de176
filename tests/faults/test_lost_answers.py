"""Requests and answers that get lost between a living process and its broker change no number."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from tests.faults.feed import send, troubled_shop
from tests.faults.kafka_proxy import Api, Fate, KafkaProxy
from tests.faults.verifier import verify
from tests.topic_reader import create_topic

pytestmark = pytest.mark.broker

STEPS = (
    Api.FETCH,
    Api.JOIN_GROUP,
    Api.SYNC_GROUP,
    Api.OFFSET_FETCH,
    Api.LIST_OFFSETS,
    Api.INIT_PRODUCER_ID,
    Api.ADD_PARTITIONS_TO_TXN,
    Api.PRODUCE,
    Api.ADD_OFFSETS_TO_TXN,
    Api.TXN_OFFSET_COMMIT,
    Api.END_TXN,
)


class Losses:
    """Decides by a seed which requests of which kinds get lost, and how: about one in `every` of each."""

    def __init__(self, seed, every, fates):
        self._seed = seed
        self._every = every
        self._fates = fates
        self.lost = []

    def __call__(self, request):
        rng = Random(f"{self._seed} {request}")
        if request.api not in STEPS or rng.random() > 1 / self._every:
            return Fate.PASS
        fate = rng.choice(self._fates)
        self.lost.append((request.api, fate))
        return fate


def run_through(site, losses, sessions_per_day, slices=4):
    """One process behind a lossy line, one with a good one, and events that keep coming."""
    create_topic(site.servers, site.input, 4)
    records = troubled_shop(11, sessions_per_day=sessions_per_day)
    with KafkaProxy(site.servers, losses) as proxy:
        lossy = site.start(servers=proxy.address)
        lossy.wait_to_say("partition restored")  # or the other one may be done before it has begun
        site.start()
        bounds = [len(records) * number // slices for number in range(slices + 1)]
        for start, end in pairwise(bounds):
            send(site.servers, site.input, records[start:end])
            site.wait_until_done((start + end) // 2)
        site.wait_until_caught_up(120)
        return verify(site)


class EveryNth:
    """Loses every so manieth request of a kind, and its answer every other time."""

    def __init__(self, **every):
        self._every = {Api[name.upper()]: number for name, number in every.items()}
        self.lost = Counter()

    def __call__(self, request):
        if request.nth % self._every.get(request.api, request.nth + 1):
            return Fate.PASS
        self.lost[request.api] += 1
        return Fate.LOSE_ANSWER if self.lost[request.api] % 2 else Fate.LOSE_REQUEST


def test_steps_of_transactions_lost_with_their_connections_change_no_number(site):
    losses = EveryNth(end_txn=5, txn_offset_commit=3, add_partitions_to_txn=4)
    run_through(site, losses, sessions_per_day=100, slices=2)
    assert losses.lost.keys() == {Api.END_TXN, Api.TXN_OFFSET_COMMIT, Api.ADD_PARTITIONS_TO_TXN}


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(10))
def test_a_line_that_loses_a_lot_changes_no_number(site, seed):
    losses = Losses(seed, every=6, fates=(Fate.LOSE_REQUEST, Fate.LOSE_ANSWER))
    run_through(site, losses, sessions_per_day=400)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("api", [Api.END_TXN, Api.TXN_OFFSET_COMMIT, Api.PRODUCE])
def test_an_answer_that_never_comes_is_settled_by_connecting_anew(site, api):
    create_topic(site.servers, site.input, 2)
    lost = []

    def judge(request):
        if request == (api, 3):
            lost.append(request)
            return Fate.SWALLOW_ANSWER
        return Fate.PASS

    with KafkaProxy(site.servers, judge) as proxy:
        site.start(servers=proxy.address)
        send(site.servers, site.input, troubled_shop(12, sessions_per_day=100))
        site.wait_until_caught_up(200)
        verify(site)
    assert lost


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "api", [Api.CREATE_TOPICS, Api.DESCRIBE_CONFIGS, Api.LIST_OFFSETS, Api.INIT_PRODUCER_ID]
)
def test_a_first_question_that_is_never_answered_is_asked_again(site, api):
    create_topic(site.servers, site.input, 2)
    lost = []

    def judge(request):
        if request == (api, 1):
            lost.append(request)
            return Fate.SWALLOW_ANSWER
        return Fate.PASS

    with KafkaProxy(site.servers, judge) as proxy:
        site.start("--roles", "gate,watch", servers=proxy.address)
        site.start("--roles", "deliver")
        send(site.servers, site.input, troubled_shop(13, sessions_per_day=100))
        site.wait_until_caught_up(200)
        verify(site)
    assert lost
