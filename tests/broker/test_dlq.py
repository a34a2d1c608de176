"""`sluice dlq` on a real broker: what is put back counts once, whoever is killed on the way, and its days are amended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from click.testing import CliRunner

from consumer.cli import dlq_requeue
from consumer.cli.dlq import command
from consumer.cli.exits import ExitCode
from consumer.core.dead_letters import read_put_back
from consumer.core.record import Output, StoredRecord
from consumer.core.requeue import again
from consumer.runtime.client_log import silent
from consumer.runtime.kafka.requeue import RequeueError, Requeuer
from consumer.settings import load_settings
from consumer.tasks.gate import GateTask
from consumer.tasks.task import Moment
from tests.faults.feed import Sent, page_view, send, sender
from tests.faults.verifier import receipts
from tests.processes import Site
from tests.shop_contract import gate_options
from tests.tasks.test_mended_days import BROKEN, BROKEN_DAY, OF_PURCHASES, Shop, without_revenue
from tests.topic_reader import create_topic, log_ends, read_committed
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

DAY, NEXT = "2025-03-01", "2025-03-02"
WARM_UP = [Sent(page_view(f"w{n}", f"{DAY}T11:{n:02d}:00.000Z"), b"w%d" % n) for n in range(40)]
LATER = [Sent(page_view(f"l{n}", f"{NEXT}T03:{n // 10:02d}:00.000Z"), b"l%d" % n) for n in range(400)]


def purchase(number: int, **data: object) -> Sent:
    bought = {"transaction_id": f"t{number}", "revenue": 10, "items": [{"item_id": "i"}], **data}
    event = page_view(
        f"w{number}", f"{DAY}T11:50:00.000Z", event_name="checkout_completed", event_data=json.dumps(bought)
    )
    return Sent(event, b"w%d" % number)


def nameless(number: int) -> Sent:
    event = json.loads(page_view(f"w{number}", f"{DAY}T11:45:00.000Z"))
    event["eventName"] = event.pop("event_name")
    return Sent(json.dumps(event).encode(), b"w%d" % number)


BAD = [
    purchase(1, revenue="79.50"),
    purchase(1, revenue="79.50"),
    purchase(2, revenue="20"),
    purchase(3, items=[]),
    nameless(4),
    nameless(5),
    Sent(page_view("w6", "yesterday"), b"w6"),
    Sent(b"hello"),
]
REPAIRS = ("--cast", "event_data.revenue=number", "--rename", "eventName=event_name")


class Desk(Site):
    """A site whose dead letters somebody looks after."""

    def dlq(self, *arguments: str):
        result = CliRunner().invoke(command, [*arguments, "--config", str(self.settings())])
        assert result.exit_code == ExitCode.FINE, result.output
        return result.stdout

    def told(self, *arguments: str):
        return json.loads(self.dlq(*arguments, "--json"))

    def put_back(self):
        """How often each event was put back, by what lies in the input."""
        found = (again(message.headers()) for message in read_committed(self.servers, self.input))
        return Counter(it.origin for it in found if it is not None)

    def on_record(self):
        return [
            read_put_back(message.value()) for message in read_committed(self.servers, self.topic("requeued"))
        ]


@pytest.fixture
def desk(broker, topic_prefix, tmp_path):
    sections = {"topics": {"requeued": f"{topic_prefix}requeued", "valid": f"{topic_prefix}valid"}}
    with Desk(broker.bootstrap_servers, topic_prefix, tmp_path, sections=sections) as desk:
        yield desk


@pytest.mark.parametrize("keyed", [True, False])
def test_list_show_try_put_back_and_never_twice(desk, keyed):
    desk.sections["input"] = {"keyed": keyed}
    create_topic(desk.servers, desk.input, partitions=2)
    send(desk.servers, desk.input, [*WARM_UP, *BAD])
    process = desk.start()
    desk.wait_until_caught_up()
    send(desk.servers, desk.input, LATER)
    desk.wait_until_caught_up()
    day = receipts(desk)[DAY]
    assert (day.status, day.revision) == ("at_risk", 1)
    assert (day.counts.events, day.counts.rejected, day.metrics.sessions) == (44, 8, 43)

    told = desk.told("list")
    assert {(group["reason"], group["event"]): group["count"] for group in told["groups"]} == {
        ("purchase_revenue", "checkout_completed"): 3,
        ("purchase_items", "checkout_completed"): 1,
        ("event_name_missing", ""): 2,
        ("timestamp_invalid", "page_viewed"): 1,
        ("not_json", ""): 1,
    }
    example = next(group["example"] for group in told["groups"] if group["reason"] == "purchase_items")
    shown = desk.dlq("show", example)
    assert "^ the purchase has no items" in shown
    assert "outcome   open: nobody has put it back" in shown
    assert '"client_id": "‹word, 2 characters›"' in shown
    assert '"client_id": "w3"' in desk.dlq("show", example, "--unmask")
    stood = json.loads(desk.dlq("show", example, "--json"))["stood_at"]
    assert f"stood at  {stood}" in desk.dlq("show", stood)

    ends = log_ends(desk.servers, desk.input)
    dry = desk.told("requeue", "--all", *REPAIRS, "--dry-run")
    assert (dry["matched"], dry["would_pass"], dry["days"]) == (8, 5, {DAY: 5})
    assert dry["would_fail_again"] == {"purchase_items": 1, "timestamp_invalid": 1}
    assert dry["not_tried"] == {"unrecoverable": 1}
    assert log_ends(desk.servers, desk.input) == ends

    done = desk.told("requeue", "--all", *REPAIRS)
    assert (done["put_back"], done["recovered"], done["failed_again"], done["waiting"]) == (5, 5, {}, 0)
    desk.wait_until_caught_up()
    day = receipts(desk)[DAY]
    assert (day.status, day.revision > 1) == ("at_risk", True)
    assert (day.counts.events, day.counts.rejected, day.rejects) == (
        46,
        3,
        {"not_json": 1, "purchase_items": 1, "timestamp_invalid": 1},
    )
    assert (day.metrics.sessions, day.metrics.purchases, day.metrics.revenue) == (45, 2, "99.50")
    assert (day.counts.replays, day.counts.collisions) == (1, 0)

    repeated = desk.told("requeue", "--all", *REPAIRS)
    assert (repeated["put_back"], repeated["not_tried"]) == (0, {"recovered": 5, "unrecoverable": 1})

    forced = desk.told(
        "requeue", "--reason", "purchase_items", "--set", "event_data.revenue=5", "--force", "--by", "ann"
    )
    assert (forced["put_back"], forced["failed_again"]) == (1, {"purchase_items": 1})
    outcomes = desk.told("list", "--reason", "purchase_items")["outcomes"]
    assert (outcomes["open"], outcomes["failed_again"]) == (1, 1)
    assert "failed_again: it was put back, and is a dead letter again" in desk.dlq("show", example)
    assert "by ann, to" in desk.dlq("show", example)
    mended = desk.told("requeue", "--reason", "purchase_items", "--set", 'event_data.items=[{"item_id":"m"}]')
    assert (mended["put_back"], mended["recovered"]) == (1, 1)
    assert mended["not_tried"] == {"failed_again": 1}
    desk.wait_until_caught_up()
    day = receipts(desk)[DAY]
    assert (day.counts.events, day.metrics.purchases, day.metrics.revenue) == (46, 3, "104.50")
    assert (day.status, day.rejects) == ("pass", {"not_json": 1, "timestamp_invalid": 1})

    passed = [again(message.headers()) for message in read_committed(desk.servers, desk.topic("valid"))]
    assert Counter(it.attempts for it in passed if it is not None) == {1: 5, 2: 1}
    assert set(desk.put_back().values()) == {1, 2}
    assert process.metric("sluice_transactions_total", outcome="aborted") == 0


def test_a_day_without_its_revenues_name_is_measured_once_its_dead_letters_are_put_back(desk):
    create_topic(desk.servers, desk.input, partitions=2)
    shop = Shop()
    events = [
        event
        for day in range(BROKEN_DAY + 3)
        for _, event in shop.events_of(day, without_revenue if day == BROKEN_DAY else None)
    ]
    sent = [Sent(json.dumps(event).encode(), event["client_id"].encode()) for event in events]
    for start in range(0, len(sent), 200):
        send(desk.servers, desk.input, sent[start : start + 200])
    desk.start()
    desk.wait_until_caught_up()
    day = receipts(desk)[BROKEN]
    assert (set(day.not_measurable), day.status) == (OF_PURCHASES, "quarantined")
    assert day.metrics.revenue is None

    repair = ("--day", BROKEN, "--rename", "event_data.total=revenue")
    assert desk.told("list", "--day", BROKEN)["count"] == 40
    assert desk.told("requeue", *repair, "--dry-run")["days"] == {BROKEN: 40}
    assert desk.told("requeue", *repair)["recovered"] == 40
    desk.wait_until_caught_up()
    day = receipts(desk)[BROKEN]
    assert (day.not_measurable, day.status, day.metrics.revenue) == ({}, "pass", "960.00")
    written = f"{BROKEN},96,96,960.00,1.000000,1.000000,pass"
    wait_until(
        lambda: written in (desk.out / "daily_metrics.csv").read_text(), 60, f"the daily files say {written}"
    )


def bury(desk):
    """The dead letters of bad events, as a gate would write them; no process is needed."""
    for topic in (desk.input, desk.topic("dead_letters"), desk.topic("journal")):
        create_topic(desk.servers, topic)
    send(desk.servers, desk.input, [*WARM_UP, *BAD])
    records = [
        StoredRecord(m.value(), m.key(), topic=desk.input, offset=m.offset(), timestamp_ms=m.timestamp()[1])
        for m in read_committed(desk.servers, desk.input)
    ]
    producer = sender(desk.servers)
    for output in GateTask(0, gate_options()).decide(records, Moment(0, len(records))).outputs:
        if output.topic == "events.dlq":
            producer.produce(desk.topic("dead_letters"), output.value, output.key, headers=output.headers)
    assert producer.flush(30) == 0


KILLED = """
import os, signal
from consumer.cli import dlq_requeue
from consumer.cli.main import main
from consumer.runtime.kafka.requeue import Requeuer
dlq_requeue.AT_ONCE, before, transactions = 2, {before}, iter(range(9))
finish = Requeuer._finish
def dying(self, verb):
    last = next(transactions) == 1
    if not (last and before):
        finish(self, verb)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
Requeuer._finish = dying
main()
"""


@pytest.mark.parametrize("before", [True, False])
def test_one_that_is_killed_leaves_whole_transactions_and_the_next_does_the_rest(desk, before, monkeypatch):
    bury(desk)
    arguments = ["dlq", "requeue", "--all", *REPAIRS, "--config", str(desk.settings())]
    died = subprocess.run(
        [sys.executable, "-c", KILLED.format(before=before), *arguments],
        env=os.environ,
        cwd=desk.folder,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    monkeypatch.setattr(dlq_requeue, "WAIT_SECONDS", 0.0)
    done = desk.told("requeue", "--all", *REPAIRS)
    assert (done["put_back"], done["not_tried"]) == (
        (3, {"waiting": 2, "unrecoverable": 1}) if before else (2, {"waiting": 3, "unrecoverable": 1})
    )
    assert set(desk.put_back().values()) == {1}
    assert len(desk.put_back()) == len(desk.on_record()) == 5


def test_of_two_at_once_the_later_one_ends_the_other(desk):
    bury(desk)
    settings = load_settings(desk.settings(), {})
    first = Requeuer(settings, silent())
    second = Requeuer(settings, silent())
    try:
        event = Output(desk.input, b"{}", b"k", partition=0)
        with pytest.raises(RequeueError, match="another `sluice dlq requeue` has begun"):
            first.put_back([event], lambda _: [])
        (end,) = second.put_back([event], lambda _: []).values()
        assert read_committed(desk.servers, desk.input)[-1].offset() == end - 1
    finally:
        first.close()
        second.close()
