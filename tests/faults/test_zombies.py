"""A process that stood still while others took its work over wakes, and harms nothing."""

from __future__ import annotations

import threading

import pytest

from consumer.cli.exits import ExitCode
from tests.faults.feed import send, troubled_shop
from tests.faults.kafka_proxy import Api, Fate, KafkaProxy
from tests.faults.verifier import verify
from tests.processes import PATIENCE_SECONDS
from tests.topic_reader import create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

STEPS = (Api.PRODUCE, Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT, Api.END_TXN, Api.FETCH)


@pytest.fixture
def records(site):
    create_topic(site.servers, site.input, 2)
    return troubled_shop(3, sessions_per_day=60)


def halves(records):
    return records[: len(records) // 2], records[len(records) // 2 :]


class Stopper:
    """Stops a process at its nth request of a kind, before the broker hears of it or while it answers."""

    def __init__(self, api, nth):
        self._at = (api, nth)
        self._has_process = threading.Event()
        self.reached = threading.Event()
        self.process = None

    def watch(self, process):
        self.process = process
        self._has_process.set()

    def __call__(self, request):
        if request == self._at:
            self._has_process.wait()
            self.process.pause()
            self.reached.set()
        return Fate.PASS


def stopped_then_woken(site, records, api, nth):
    """Stopped at that step for longer than its session; another one takes over and works; then it wakes."""
    first, second = halves(records)
    send(site.servers, site.input, first)
    stopper = Stopper(api, nth)
    with KafkaProxy(site.servers, stopper) as proxy:
        zombie = site.start(servers=proxy.address, instance="zombie")
        stopper.watch(zombie)
        assert stopper.reached.wait(PATIENCE_SECONDS), zombie.told()
        site.start(instance="heir")
        site.wait_until_caught_up()
        send(site.servers, site.input, second)
        zombie.resume()
        site.wait_until_caught_up()
        zombie.wait_until_ready()
        assert zombie.said("partitions given up") or not zombie.said("partition restored")
        verify(site)


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("api", STEPS)
@pytest.mark.parametrize("nth", [1, 6])
def test_a_zombie_stopped_at_any_step_is_harmless(site, records, api, nth):
    stopped_then_woken(site, records, api, nth)


def test_a_third_member_joins_while_a_stopped_ones_offsets_are_pending_and_the_woken_one_is_refused(
    site, records
):
    first, second = halves(records)
    site.start(instance="one")
    stopper = Stopper(Api.END_TXN, 4)
    with KafkaProxy(site.servers, stopper) as proxy:
        stopped = site.start(servers=proxy.address, instance="two")
        stopper.watch(stopped)
        send(site.servers, site.input, first)
        assert stopper.reached.wait(PATIENCE_SECONDS), stopped.told()
        site.start(instance="three")
        send(site.servers, site.input, second)
        site.wait_until_caught_up()
        stopped.resume()
        stopped.wait_to_say("partitions given up")
        stopped.wait_until_ready()
        verify(site)


@pytest.mark.campaign
def test_who_commits_past_the_longest_pause_between_polls_finds_its_work_taken_and_settled(site, records):
    first, second = halves(records)
    send(site.servers, site.input, first)
    asked = threading.Event()

    def judge(request):
        if request == (Api.END_TXN, 5):
            asked.set()
            return Fate.HOLD_ANSWER
        return Fate.PASS

    short = {"max.poll.interval.ms": "4000"}
    with KafkaProxy(site.servers, judge) as proxy:
        slow = site.start(servers=proxy.address, instance="slow", kafka=short)
        assert asked.wait(PATIENCE_SECONDS), slow.told()
        heir = site.start(instance="heir", kafka=short)
        heir.wait_to_say("partition restored", times=3)
        send(site.servers, site.input, second)
        site.wait_until_caught_up()
        proxy.release()
        slow.wait_to_say("partitions given up")
        slow.wait_until_ready()
        site.wait_until_caught_up()
        verify(site)


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("sessions_per_day", [100, 300])
def test_two_processes_with_one_name_fence_each_other_and_count_nothing_twice(site, sessions_per_day):
    create_topic(site.servers, site.input, 4)
    records = troubled_shop(5, sessions_per_day=sessions_per_day)
    twins = [site.start(instance="twin") for _ in range(2)]
    for start in range(0, len(records), 300):
        send(site.servers, site.input, records[start : start + 300])
        wait_until(
            lambda until=start: site.events_done() >= until or not any(twin.running() for twin in twins),
            2 * PATIENCE_SECONDS,
            "progress, or the end of both",
        )
    for twin in twins:
        if not twin.running():
            assert twin.exit_code() == ExitCode.NOT_POSSIBLE, twin.told()
            (line,) = twin.said("stopped")
            assert "another process uses the same instance name" in line["reason"]
    site.start()
    site.wait_until_caught_up(120)
    verify(site)
