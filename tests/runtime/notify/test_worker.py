"""A receiver's thread against real servers: what is taken is told once, what fails is tried again, nobody waits for anybody."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
import structlog
from structlog.testing import LogCapture

from consumer.core.instant import rfc3339
from consumer.runtime.clock import SystemClock
from consumer.runtime.notify.board import Board
from consumer.runtime.notify.channels import ChannelError, channel_of, channels_of
from consumer.runtime.notify.worker import Worker
from consumer.settings import settings_of
from reports.notify import hearing
from reports.notify.told import Knowledge, take
from tests.reports.notify.desk import P1
from tests.reports.sample_state import alert
from tests.runtime.notify.servers import OK, Mailbox, answer, http_server, mail_server, nobody
from tests.waiting import wait_until

DEADLINE_SECONDS = 30


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(hearing, "GATHER_MS", 20)


class Meter:
    def __init__(self):
        self.taken = []
        self.failures = []
        self.due = 0

    def sent(self, _receiver, message, _at_ms):
        self.taken.append(message.id)

    def failed(self, _receiver, outcome):
        self.failures.append(outcome)

    def waiting(self, _receiver, due):
        self.due = due


def fresh(*names, **fields):
    """Alerts that open now, by id."""
    now = rfc3339(SystemClock().now_ms())
    fields = {"severity": P1, "opened_at": now, "first_seen": now, **fields}
    return {name: alert(name, **fields) for name in names}


def channel(kind, **fields):
    settings = settings_of({"receivers": {"ops": {"type": kind, "digest_at": "", **fields}}}, {})
    return channel_of("ops", settings.receivers["ops"], settings, SystemClock())


def hook(receiver, **fields):
    return channel("webhook", url=receiver.url, **fields)


class Running:
    """A worker at its board."""

    def __init__(self, used, *, known=None, chance=0.0):
        self.board = Board()
        self.meter = Meter()
        self.said = LogCapture()
        self.records = {}
        log = structlog.wrap_logger(None, processors=[self.said])
        self.worker = Worker(used, self.board, self.keeps, self.meter, SystemClock(), log, lambda: chance)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.worker.run, args=(self.stop,), daemon=True)
        self.thread.start()
        if known is not None:
            self.takes_over(known)

    def keeps(self, records, *, wait_seconds=0):
        assert wait_seconds >= 0
        self.records.update(records)

    def takes_over(self, known):
        self.board.show({}, [])
        assert self.board.know({"ops": known}, self.board.tenure)

    def shows(self, alerts):
        self.board.show(dict(alerts), [])

    def ends(self):
        self.stop.set()
        self.board.end()
        self.thread.join(DEADLINE_SECONDS)
        assert not self.thread.is_alive()

    def on_record(self):
        known = {}
        for key, value in list(self.records.items()):
            assert take(known, key, value)
        return known.get("ops", Knowledge())


@contextmanager
def working(used, **fields):
    running = Running(used, known=Knowledge(), **fields)
    try:
        yield running
    finally:
        running.ends()


def ids(receiver):
    return [request.headers["webhook-id"] for request in receiver.taken]


def test_an_alert_reaches_the_receiver_and_goes_on_record():
    with http_server() as receiver, working(hook(receiver)) as running:
        running.shows(fresh("a"))
        wait_until(lambda: ids(receiver) == ["a-opened-0"], DEADLINE_SECONDS, "the message")
        wait_until(lambda: "a" in running.on_record().told, DEADLINE_SECONDS, "the record")
    assert running.on_record().marker is not None


def test_what_fails_is_tried_again_under_the_same_id_and_told_once():
    ways = ["close", answer(429), answer(502), OK]
    with http_server(*ways) as receiver, working(hook(receiver, timeout_seconds=1)) as running:
        running.shows(fresh("a"))
        wait_until(lambda: receiver.taken, 60, "the message after three failures")
    assert {request.headers["webhook-id"] for request in receiver.requests} == {"a-opened-0"}
    assert len(receiver.requests) == 4
    assert len(running.meter.failures) == 3
    said = [entry["event"] for entry in running.said.entries]
    assert said[-1] == "alerts reach the receiver again"
    assert all("127.0.0.1" not in str(entry) for entry in running.said.entries)


def test_a_receiver_that_hangs_holds_up_no_other():
    with http_server("hang") as slow, http_server() as good, http_server("drip") as endless:
        stuck = [Running(hook(one, timeout_seconds=30), known=Knowledge()) for one in (slow, endless)]
        with working(hook(good)) as running:
            for one in (*stuck, running):
                one.shows(fresh("a"))
            wait_until(lambda: ids(good) == ["a-opened-0"], DEADLINE_SECONDS, "the good one")
            assert slow.taken == endless.taken == []
        for one in stuck:
            one.stop.set()


def test_a_server_that_asks_for_patience_gets_it():
    with http_server(answer(429, Retry_After="1000")) as receiver, working(hook(receiver)) as running:
        running.shows(fresh("a"))
        wait_until(lambda: running.meter.failures, DEADLINE_SECONDS, "the first try")
        wait_until(lambda: running.worker._retry_at, DEADLINE_SECONDS, "the plan for the next")
        assert running.worker._retry_at - SystemClock().monotonic() > 900
        assert len(receiver.requests) == 1


def test_what_a_server_refuses_is_tried_in_its_simplest_form():
    with (
        http_server(answer(400, b"invalid_blocks"), OK) as receiver,
        working(channel("slack", url=receiver.url)) as running,
    ):
        running.shows(fresh("a"))
        wait_until(lambda: receiver.taken, DEADLINE_SECONDS, "the simple message")
    rich, simple = (request.json() for request in receiver.requests)
    assert "attachments" in rich
    assert "attachments" not in simple
    assert simple["text"].startswith("[P1] opened: transaction_collision")


def test_what_was_told_by_a_predecessor_is_not_told_again():
    with http_server() as receiver:
        with working(hook(receiver)) as running:
            running.shows(fresh("a"))
            wait_until(lambda: "a" in running.on_record().told, DEADLINE_SECONDS, "the record")
        alerts = fresh("a", "b")
        successor = Running(hook(receiver), known=running.on_record())
        successor.shows(alerts)
        wait_until(lambda: len(receiver.taken) == 2, DEADLINE_SECONDS, "the other alert")
        successor.ends()
    assert ids(receiver) == ["a-opened-0", "b-opened-0"]


def test_nothing_is_sent_while_another_process_delivers_or_the_record_is_not_read():
    with http_server() as receiver:
        running = Running(hook(receiver))
        running.shows(fresh("a"))
        assert not running.board.know({}, running.board.tenure + 1)  # lost meanwhile
        assert not running.board.ready
        running.board.clear()
        assert not running.board.owned
        running.takes_over(Knowledge())
        running.board.clear()
        running.ends()
    assert receiver.requests == []


def test_what_is_due_at_the_end_is_still_sent(monkeypatch):
    monkeypatch.setattr(hearing, "GATHER_MS", 0)
    with http_server() as receiver:
        running = Running(hook(receiver), known=Knowledge())
        running.stop.set()
        running.shows(fresh("a", "b", "c"))
        running.ends()
    assert sorted(ids(receiver)) == ["a-opened-0", "b-opened-0", "c-opened-0"]


def test_a_mistake_in_the_planning_is_said_and_does_not_end_the_thread():
    with http_server() as receiver, working(hook(receiver)) as running:
        plan = running.worker._channel.plan
        object.__setattr__(running.worker._channel, "plan", lambda *_: 1 / 0)
        running.shows(fresh("a"))
        wait_until(lambda: running.said.entries, DEADLINE_SECONDS, "word of it")
        object.__setattr__(running.worker._channel, "plan", plan)
        running.shows(fresh("a", message="more"))
        wait_until(lambda: receiver.taken, DEADLINE_SECONDS, "the message all the same")
    assert running.said.entries[0]["event"] == "planning failed, trying again"


def test_hundreds_of_alerts_while_a_receiver_was_away_are_one_message():
    with http_server(answer(503), OK) as receiver, working(hook(receiver)) as running:
        running.shows(fresh("a"))
        wait_until(lambda: running.meter.failures, DEADLINE_SECONDS, "the first try")
        running.shows(fresh(*(f"a{n}" for n in range(300))))
        wait_until(lambda: receiver.taken, DEADLINE_SECONDS, "the summary")
    (only,) = receiver.taken
    assert len(only.json()["changes"]) + only.json()["more"] == 300


def test_pagerduty_gets_trigger_and_resolve_under_one_key():
    with (
        http_server(answer(202, b"{}")) as receiver,
        working(channel_without_digest("pagerduty", routing_key="k" * 32, url=receiver.url)) as running,
    ):
        running.shows(fresh("a"))
        wait_until(lambda: len(receiver.taken) == 1, DEADLINE_SECONDS, "the trigger")
        running.shows(fresh("a", state="resolved"))
        wait_until(lambda: len(receiver.taken) == 2, DEADLINE_SECONDS, "the resolve")
    events = [request.json() for request in receiver.taken]
    assert [(event["event_action"], event["dedup_key"]) for event in events] == [
        ("trigger", "sluice/a"),
        ("resolve", "sluice/a"),
    ]


def test_alertmanager_is_posted_to_by_its_api():
    with http_server() as receiver:
        used = channel_without_digest("alertmanager", url=f"{receiver.url}/am/", token="abc")  # noqa: S106
        with working(used) as running:
            running.shows(fresh("a", "b"))
            wait_until(lambda: receiver.taken, DEADLINE_SECONDS, "the alerts")
    (posted,) = receiver.taken
    assert posted.line == "POST /am/api/v2/alerts HTTP/1.1"
    assert posted.headers["Authorization"] == "Bearer abc"
    assert {entry["labels"]["alert_id"] for entry in posted.json()} == {"a", "b"}


def test_mail_and_apprise_work_from_the_settings():
    mailbox = Mailbox()
    with mail_server(mailbox) as port, http_server() as receiver:
        box = {
            "server": f"127.0.0.1:{port}",
            "security": "none",
            "sender": "s@x.example",
            "to": ["a@x.example"],
        }
        used = [channel("email", **box), channel("apprise", url=f"json://127.0.0.1:{receiver.port}/")]
        both = [Running(one, known=Knowledge()) for one in used]
        for one in both:
            one.shows(fresh("a"))
        wait_until(lambda: mailbox.mails and receiver.taken, DEADLINE_SECONDS, "both")
        for one in both:
            one.ends()
    assert receiver.taken[0].json()["title"] == "[P1] opened: transaction_collision ORD-1042"


def test_a_service_that_apprise_does_not_know_is_one_sentence_without_the_url():
    with pytest.raises(ChannelError) as raised:
        channel("apprise", url="nosuch://hunter2")
    assert (
        str(raised.value)
        == "[receivers.ops] url is none that Apprise knows; see https://appriseit.com/services/"
    )


def test_apprise_that_fails_or_hangs_is_an_outcome_and_prints_nothing(capfd):
    with http_server("hang") as slow, http_server(answer(500)) as broken:
        for url in (
            f"json://127.0.0.1:{nobody()}",
            f"json://127.0.0.1:{slow.port}",
            f"json://127.0.0.1:{broken.port}",
        ):
            used = channel("apprise", url=url, timeout_seconds=1)
            with working(used) as running:
                running.shows(fresh("a"))
                wait_until(lambda seen=running: seen.meter.failures, DEADLINE_SECONDS, "a failure")
    assert capfd.readouterr() == ("", "")


def test_a_missing_ca_file_is_said_at_the_start():
    settings = settings_of(
        {"receivers": {"ops": {"type": "slack", "url": "https://x.example/", "ca_file": "there-is-none"}}}, {}
    )
    with pytest.raises(ChannelError, match=r"\[receivers.ops\] ca_file names a file that is not there"):
        channels_of(settings, SystemClock())


def channel_without_digest(kind, **fields):
    settings = settings_of({"receivers": {"ops": {"type": kind, **fields}}}, {})
    return channel_of("ops", settings.receivers["ops"], settings, SystemClock())
