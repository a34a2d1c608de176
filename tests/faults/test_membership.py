"""Who is killed, loses its broker, or waits: how long the others and its own partitions have to wait for it."""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient, NewPartitions

from consumer.runtime.transport import Fenced
from tests.faults.feed import send, single_visits, troubled_shop
from tests.faults.members import Owner, member, newcomer
from tests.faults.verifier import receipts, verify
from tests.topic_reader import admin, create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

PATIENT = {"session.timeout.ms": "170000"}
"""Whoever has to wait for a dead member's session waits longer than any test does."""


@pytest.fixture
def halves(site):
    create_topic(site.servers, site.input, 2)
    records = troubled_shop(19, sessions_per_day=120)
    return records[: len(records) // 2], records[len(records) // 2 :]


def start(site, name):
    """A process that does all but deliver."""
    return site.start("--roles", "gate,watch", instance=name, kafka=PATIENT)


def herd(site):
    """Two processes that share the work, and one that delivers."""
    site.start("--roles", "deliver")
    both = [start(site, name) for name in ("one", "two")]
    for process in both:
        process.wait_to_say("partition restored")
    return both


def test_who_is_killed_and_started_again_under_its_name_does_not_wait_for_its_session(site, halves):
    one, _ = herd(site)
    send(site.servers, site.input, halves[0])
    site.wait_until_caught_up()
    one.kill()
    start(site, "one")
    send(site.servers, site.input, halves[1])
    site.wait_until_caught_up()
    verify(site)


@pytest.mark.timeout(300)
def test_a_broker_and_a_process_killed_together_are_back_without_waiting_for_sessions(site, kafka, halves):
    _, two = herd(site)
    send(site.servers, site.input, halves[0])
    site.wait_until_caught_up()
    kafka.kill()
    two.kill()
    kafka.restart()
    start(site, "two")
    send(site.servers, site.input, halves[1])
    site.wait_until_caught_up()
    verify(site)


def test_who_ends_in_order_leaves_its_partitions_to_the_others_at_once(site, halves):
    one, _ = herd(site)
    assert one.stop() == 0
    for half in halves:
        send(site.servers, site.input, half)
    site.wait_until_caught_up()
    verify(site)


DELIVERS = "delivering the daily files"


def test_a_deliverer_that_is_killed_and_started_again_under_its_name_delivers_at_once(site, halves):
    send(site.servers, site.input, halves[0])
    start(site, "one")

    def deliverer():
        return site.start("--roles", "deliver", instance="courier", kafka=PATIENT)

    first = deliverer()
    first.wait_to_say(DELIVERS)
    first.kill()
    deliverer().wait_to_say(DELIVERS)  # long before the session of the killed one is over


def test_a_deliverer_that_ends_in_order_leaves_the_delivery_to_the_other_at_once(site, halves):
    send(site.servers, site.input, halves[0])
    start(site, "one")
    couriers = [site.start("--roles", "deliver", instance=name, kafka=PATIENT) for name in ("alice", "bob")]

    def said(courier):
        """The last that it said of delivery."""
        lines = [line for line in list(courier.log) if line["event"] in (DELIVERS, "delivery waits")]
        return lines[-1].get("reason", DELIVERS) if lines else ""

    both = {DELIVERS, "another process delivers, or the group is still forming"}
    wait_until(lambda: set(map(said, couriers)) == both, 60, "one of them delivers, the other stands by")
    ends, stays = sorted(couriers, key=lambda courier: said(courier) != DELIVERS)
    assert ends.stop() == 0
    wait_until(lambda: said(stays) == DELIVERS, 60, "the other one delivers")


_HASTE = """
from consumer.cli.main import main
from consumer.runtime import app
app.longest_without_owner_seconds, app.RESTORE_SECONDS = lambda _: 10.0, 5.0
main()
"""
HASTY = (sys.executable, "-c", _HASTE)
"""Takes a partition for overlooked after a quarter of a minute."""


def test_partitions_that_were_added_while_a_process_was_away_are_read_though_it_gets_its_place_back(site):
    create_topic(site.servers, site.input, 2)
    visits = single_visits(400)
    first = site.start("--roles", "gate,watch", instance="one", kafka=PATIENT)
    send(site.servers, site.input, visits[:200])
    site.wait_until_caught_up()
    first.kill()
    admin(site.servers).create_partitions([NewPartitions(site.input, 4)])[site.input].result(30)
    again = site.start("--roles", "gate,watch", instance="one", kafka=PATIENT, program=HASTY)
    again.wait_to_say("not connected, trying again", outcome="lost")
    for number in (0, 1, 2, 3):
        again.wait_to_say("partition restored", partition=f"{site.input}[{number}]")
    send(site.servers, site.input, visits[200:])
    site.wait_until_caught_up()
    site.stop()
    assert receipts(site)["2025-03-01"].metrics.sessions == 400


def test_a_deliverer_that_had_seen_one_of_its_topics_when_the_broker_died_delivers(site, kafka):
    create_topic(site.servers, site.topic("days"))
    courier = site.start("--roles", "deliver")
    courier.wait_to_say(
        "delivery waits", reason=f"waiting for {site.topic('alerts')}: the daemon creates what is missing"
    )
    create_topic(site.servers, site.topic("alerts"))
    kafka.kill()
    kafka.restart()
    courier.wait_to_say(DELIVERS)


def test_who_waits_until_another_member_lets_go_has_not_joined(kafka, here):
    first, owner = member(kafka.bootstrap_servers, here), Owner()
    second = newcomer(kafka.bootstrap_servers, here, owner, name="two")
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})

    def state():
        second.poll(1, 0.1)
        return admin.describe_consumer_groups([here.topic])[here.topic].result(20).state

    wait_until(
        lambda: state() == ConsumerGroupState.PREPARING_REBALANCING, 30, "the group waits for the first"
    )
    assert not second.joined()
    wait_until(lambda: first.poll(1, 0.1) and second.poll(1, 0.1) and second.joined(), 30, "both are in it")
    assert not owner.partitions
    first.close()
    second.close()


def test_a_member_knows_at_once_that_every_broker_is_gone_and_when_one_is_back(kafka, here):
    transport = member(kafka.bootstrap_servers, here)
    assert transport.reached()
    kafka.kill()

    def turns():
        with suppress(Fenced):
            transport.poll(1, 0.1)
        return transport.reached()

    try:
        wait_until(lambda: not turns(), 20, "the loss of the last connection")
    finally:
        kafka.restart()
    wait_until(turns, 60, "something from a broker that is back")
    transport.close()
