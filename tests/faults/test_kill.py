"""`kill -9` at any moment, any number of times, and a broker that goes and comes back, change no number."""

from __future__ import annotations

import threading
from random import Random

import pytest

from tests.faults.feed import send, troubled_shop
from tests.faults.kafka_proxy import Api, Fate, KafkaProxy
from tests.faults.verifier import verify
from tests.processes import PATIENCE_SECONDS, RECOVERY_SECONDS
from tests.topic_reader import create_topic

pytestmark = pytest.mark.broker


class Chaos:
    """A herd of processes that one random generator kills and replaces while events keep coming."""

    def __init__(self, site, kafka, seed):
        self._site = site
        self._kafka = kafka
        self._rng = Random(seed)
        self._names = iter(range(1_000_000))
        self._herd = [(name, site.start(instance=name)) for name in ("a", "b")]

    def run(self, records, kills, broker_restarts):
        """Sends the records in slices, with one fault in the middle of each."""
        faults = [self.kill_one] * kills + [self.restart_broker] * broker_restarts
        self._rng.shuffle(faults)
        size = len(records) // len(faults) + 1
        for number, fault in enumerate(faults):
            before = self._site.events_done()
            send(self._site.servers, self._site.input, records[number * size : (number + 1) * size])
            sent = min(len(records), (number + 1) * size)
            self._site.wait_until_done(self._rng.randint(before, sent), RECOVERY_SECONDS)
            fault()

    def kill_one(self):
        """Kills one; another takes its place, under its name or a new one. It may be killed as soon as it stands."""
        name, victim = self._herd.pop(self._rng.randrange(len(self._herd)))
        victim.kill()
        if self._rng.random() < 0.3:
            name = f"n{next(self._names)}"
        heir = self._site.start(instance=name)
        if self._rng.random() < 0.3:
            heir.wait_to_say(self._rng.choice(("endpoints open", "connected, waiting for partitions")))
            heir.kill()
            heir = self._site.start(instance=name)
        self._herd.append((name, heir))

    def restart_broker(self):
        """Kills the broker, or ends it in order, and starts it again."""
        if self._rng.random() < 0.7:
            self._kafka.kill()
        self._kafka.restart()


def chaos(site, kafka, seed, kills, broker_restarts, sessions_per_day):
    create_topic(site.servers, site.input, 4)
    records = troubled_shop(seed, sessions_per_day=sessions_per_day)
    Chaos(site, kafka, seed).run(records, kills, broker_restarts)
    site.wait_until_caught_up(RECOVERY_SECONDS)
    verify(site)


@pytest.mark.timeout(600)
def test_five_kills_and_a_broker_restart_change_no_number(site, kafka):
    chaos(site, kafka, 5, kills=5, broker_restarts=1, sessions_per_day=100)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_twenty_kills_and_three_broker_restarts_change_no_number(site, kafka, seed):
    chaos(site, kafka, seed, kills=20, broker_restarts=3, sessions_per_day=600)


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_a_broker_that_dies_at_a_step_of_a_transaction_changes_no_number(site, kafka):
    create_topic(site.servers, site.input, 2)
    records = troubled_shop(17, sessions_per_day=200)
    steps = [
        Api.ADD_PARTITIONS_TO_TXN,
        Api.PRODUCE,
        Api.ADD_OFFSETS_TO_TXN,
        Api.TXN_OFFSET_COMMIT,
        Api.END_TXN,
    ]
    size = len(records) // len(steps) + 1
    asked = {}

    def judge(request):
        if request.api in asked:
            asked.pop(request.api).set()
        return Fate.PASS

    with KafkaProxy(site.servers, judge) as proxy:
        site.start(servers=proxy.address)
        for number, step in enumerate(steps):
            reached = asked[step] = threading.Event()
            send(site.servers, site.input, records[number * size : (number + 1) * size])
            assert reached.wait(PATIENCE_SECONDS), step
            kafka.kill()
            kafka.restart()
            site.wait_until_caught_up(120)
        verify(site)
