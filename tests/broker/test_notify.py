"""Telling of alerts on a real broker: what was told survives kills, takeovers and a lost broker; files are written meanwhile."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager

import pytest
import structlog
from structlog.testing import LogCapture

from consumer.core.instant import rfc3339
from consumer.local.kafka import EmbeddedKafka
from consumer.runtime.clock import SystemClock
from consumer.runtime.deliver_role import DeliverOptions, DeliverRole
from consumer.runtime.kafka import notice_log
from consumer.runtime.kafka.delivered_topics import Topics
from consumer.runtime.kafka.notice_log import NoticeLog, NoticeLogError
from consumer.runtime.metric_definitions import Definitions
from consumer.runtime.notify.notifier import Notifier
from consumer.settings import settings_of
from reports.deliver import render_files
from reports.notify import hearing
from reports.notify.told import Marker, Told, key_of, take, value_of
from tests.broker.test_deliver import World
from tests.processes import Site
from tests.reports.notify.desk import P1
from tests.reports.sample_state import alert, good_week
from tests.runtime.notify.servers import OK, answer, http_server
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

SILENT = logging.getLogger("librdkafka")
SILENT.addHandler(logging.NullHandler())
DEADLINE_SECONDS = 60
TOLD = Told("open", P1, "c", 1, 1)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(hearing, "GATHER_MS", 50)


@pytest.fixture
def world(broker, topic_prefix):
    return World(
        broker.bootstrap_servers, Topics(f"{topic_prefix}days", f"{topic_prefix}alerts"), f"{topic_prefix}g"
    )


def fresh(name, **fields):
    now = rfc3339(SystemClock().now_ms())
    return alert(name, **{"severity": P1, "opened_at": now, "first_seen": now, **fields})


def log_of(world):
    kafka = {"bootstrap.servers": world.servers}
    return NoticeLog(kafka, world.group, f"{world.group}-notices", 1, SystemClock(), SILENT)


class Telling:
    """A notifier with receivers, and what it said."""

    def __init__(self, world, **receivers):
        self.said = LogCapture()
        self.definitions = Definitions()
        settings = settings_of(
            {
                "group": world.group,
                "kafka": {"bootstrap.servers": world.servers},
                "topics": {"notices": f"{world.group}-notices"},
                "receivers": {
                    name: {"type": "webhook", "timeout_seconds": 5, "url": one.url}
                    for name, one in receivers.items()
                },
            },
            {},
        )
        log = structlog.wrap_logger(None, processors=[self.said])
        self.notifier = Notifier.from_settings(
            settings, self.definitions, SystemClock(), log, SILENT, lambda: ""
        )

    @contextmanager
    def running(self):
        self.notifier.start()
        try:
            yield self
        finally:
            self.notifier.stop()

    def shows(self, *alerts):
        self.notifier.show({one.id: one for one in alerts}, good_week())

    def value(self, name, **labels):
        return self.definitions.registry.get_sample_value(name, labels)

    def events(self):
        return [entry["event"] for entry in self.said.entries]


def ids(receiver):
    return [request.headers["webhook-id"] for request in receiver.taken]


def test_the_record_is_read_whole_by_whoever_takes_it_over_and_its_predecessor_is_fenced(world):
    first, second = log_of(world), log_of(world)
    assert first.open() == {}
    records = {key_of("ops", f"a{n}"): value_of(TOLD) for n in range(300)}
    first.write({**records, key_of("ops"): value_of(Marker(7))})
    known = second.open()
    assert known["ops"].marker == Marker(7)
    assert set(known["ops"].told) == {f"a{n}" for n in range(300)}
    with pytest.raises(NoticeLogError):
        first.write({key_of("ops", "late"): value_of(TOLD)})
    second.write({key_of("ops", "b"): value_of(TOLD)})
    assert {"b"} == set(first.open()["ops"].told) - set(known["ops"].told)
    for log in (first, second):
        log.close()


def test_a_topic_that_cannot_be_the_record_is_refused_in_one_sentence(world):
    kafka = {"bootstrap.servers": world.servers}
    with pytest.raises(NoticeLogError, match="cannot be taken over"):
        NoticeLog(kafka, world.group, "not/a/topic", 1, SystemClock(), SILENT).open()


def test_foreign_records_are_left_out():
    known = {}
    for key, value in ((b"x", b"{}"), (b"/a", b"{}"), (b"ops/a", b"\xff"), (b"ops/a", b"{}"), (None, None)):
        assert not take(known, key, value)
    assert take(known, b"ops/gone", None)


def test_a_takeover_tells_nothing_twice_and_what_came_meanwhile_once(world):
    with http_server() as receiver:
        with Telling(world, ops=receiver).running() as first:
            first.shows(fresh("a"))
            wait_until(lambda: ids(receiver) == ["a-opened-0"], DEADLINE_SECONDS, "the first alert")
        with Telling(world, ops=receiver).running() as second:
            second.shows(fresh("a"), fresh("b"))
            wait_until(lambda: len(receiver.taken) > 1, DEADLINE_SECONDS, "the second alert")
            second.notifier.lost()
            second.shows(fresh("a"), fresh("b"), fresh("c"))
            wait_until(
                lambda: len(receiver.taken) > 2, DEADLINE_SECONDS, "the third one, after a new takeover"
            )
    assert ids(receiver) == ["a-opened-0", "b-opened-0", "c-opened-0"]


def test_files_are_written_and_others_are_told_while_receivers_hang_and_fail(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week(), [fresh("a")])
    with http_server("hang") as hangs, http_server(answer(500)) as fails, http_server() as good:
        telling = Telling(world, hangs=hangs, fails=fails, good=good)
        kafka = {"bootstrap.servers": world.servers}
        role = DeliverRole(
            DeliverOptions(kafka, world.group, "one", world.topics, tmp_path / "out", 0.1),
            structlog.wrap_logger(None, processors=[telling.said]),
            SILENT,
            lambda *_: None,
            SystemClock(),
            telling.notifier,
        )
        stop = threading.Event()
        thread = threading.Thread(target=role.run, args=(stop,))
        with telling.running():
            thread.start()
            try:
                wait_until(lambda: good.taken and hangs.requests, DEADLINE_SECONDS, "the good one to be told")
                later = [fresh("a"), fresh("b")]
                world.transaction(alerts=later)
                wait_until(lambda: len(good.taken) == 2, DEADLINE_SECONDS, "the good one to be told again")
                files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
                assert files == render_files(good_week(), later)
                assert telling.value("sluice_notification_failing", receiver="fails") == 1
                assert telling.value("sluice_notification_failing", receiver="good") == 0
                assert telling.value("sluice_notifications_total", receiver="good", about="opened") == 2
                failures = "sluice_notification_failures_total"
                assert telling.value(failures, receiver="fails", reason="server_error") >= 1
                assert telling.value("sluice_notifications_waiting", receiver="fails") >= 1
            finally:
                stop.set()
                thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_a_lost_broker_holds_up_no_message_and_the_record_is_made_good(tmp_path, monkeypatch):
    monkeypatch.setattr(notice_log, "COMMIT_SECONDS", 2.0)
    monkeypatch.setattr(notice_log, "ANSWER_SECONDS", 5.0)
    with EmbeddedKafka() as kafka, http_server() as receiver:
        world = World(kafka.bootstrap_servers, Topics("days", "alerts"), "g")
        with Telling(world, ops=receiver).running() as telling:
            telling.shows(fresh("a"))
            wait_until(lambda: receiver.taken, DEADLINE_SECONDS, "the first alert")
            kafka.kill()
            telling.shows(fresh("a"), fresh("b"))
            wait_until(lambda: len(receiver.taken) == 2, DEADLINE_SECONDS, "the second one, without a broker")
            word = "what receivers are told cannot be put on record, trying again"
            wait_until(lambda: word in telling.events(), DEADLINE_SECONDS, "word of it")
            kafka.restart()
            word = "what receivers are told is put on record again"
            wait_until(lambda: word in telling.events(), DEADLINE_SECONDS, "the record")
        successor = log_of(world)
        assert set(successor.open()["ops"].told) == {"a", "b"}
        successor.close()
    assert ids(receiver) == ["a-opened-0", "b-opened-0"]


def test_a_killed_process_loses_no_alert_and_repeats_at_most_the_one_message_in_flight(
    broker, topic_prefix, tmp_path
):
    with (
        http_server(answer(202)) as pages,
        http_server() as chat,
        Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site,
    ):
        world = World(site.servers, Topics(site.topic("days"), site.topic("alerts")), site.group)
        world.create(*world.topics)
        world.transaction(good_week(), [fresh("a")])
        variables = {
            "TOPICS_NOTICES": site.topic("notices"),
            "RECEIVERS_ON_CALL_TYPE": "pagerduty",
            "RECEIVERS_ON_CALL_ROUTING_KEY": "k" * 32,
            "RECEIVERS_ON_CALL_URL": pages.url,
            "RECEIVERS_CHAT_TYPE": "webhook",
            "RECEIVERS_CHAT_URL": chat.url,
        }
        soon = {"session.timeout.ms": 6_000}  # the least that a broker allows by default
        first = site.start("--roles", "deliver", kafka=soon, **variables)
        wait_until(lambda: chat.taken and pages.taken, DEADLINE_SECONDS, "the first alert")
        chat.behaviour = ["hang"]  # the next message is in flight when the process is killed
        pages.behaviour = ["cut"]  # taken, and the answer is on its way
        world.transaction(alerts=[fresh("b")])
        wait_until(
            lambda: len(chat.requests) > 1 and len(pages.requests) > 1, DEADLINE_SECONDS, "the next tries"
        )
        first.kill()
        chat.behaviour, pages.behaviour = [OK], [answer(202)]
        world.transaction(alerts=[fresh("a", state="resolved", resolved_at=rfc3339(SystemClock().now_ms()))])
        second = site.start("--roles", "deliver", kafka=soon, **variables)
        wait_until(lambda: "b-opened-0" in ids(chat), DEADLINE_SECONDS, "the alert that was in flight")
        wait_until(
            lambda: {"a-resolved-0", "a-resolved-1"} & set(ids(chat)),
            DEADLINE_SECONDS,
            "the end of the first",
        )
        wait_until(lambda: acts(pages)["a"][-1] == "resolve", DEADLINE_SECONDS, "the end of its incident")
        wait_until(lambda: acts(pages).get("b"), DEADLINE_SECONDS, "the other incident")
        assert second.stop() == 0
        assert set(acts(pages)["b"]) == {"trigger"}
        taken = ids(chat)
        assert {one for one in taken if taken.count(one) > 1} <= {"a-opened-0", "b-opened-0"}
        assert all(taken.count(one) <= 2 for one in taken)
        assert {one.partition("-")[0] for one in taken} == {"a", "b"}


def acts(pages):
    """What the pager was told of each incident."""
    found: dict[str, list[str]] = {}
    for request in pages.taken:
        event = json.loads(request.body)
        group, _, name = event["dedup_key"].rpartition("/")
        assert group
        found.setdefault(name, []).append(event["event_action"])
    return found
