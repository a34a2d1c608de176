"""The deliver role on a real broker: files follow the topics, whole, through takeovers, full disks and lost brokers."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import threading
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import structlog
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from structlog.testing import LogCapture

from consumer.core.wire import to_json
from consumer.local.kafka import EmbeddedKafka
from consumer.runtime import deliver_role
from consumer.runtime.clock import SystemClock
from consumer.runtime.deliver_role import DeliverOptions, DeliverRole
from consumer.runtime.kafka.delivered_topics import Topics
from reports.deliver import Deliverer, render_files
from tests.reports.sample_state import alert, good_week, quarantined, receipt
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

SILENT = logging.getLogger("librdkafka")
SILENT.addHandler(logging.NullHandler())
DEADLINE_SECONDS = 30
COMPACTED = {"cleanup.policy": "compact"}


class World(NamedTuple):
    """A broker's address, and names of one's own on it."""

    servers: str
    topics: Topics
    group: str

    def create(self, *topics: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.servers, "logger": SILENT})
        for future in admin.create_topics(
            [NewTopic(topic, 1, 1, config=COMPACTED) for topic in topics]
        ).values():
            future.result()

    def transaction(self, receipts=(), alerts=(), *, commit=True, raw=()) -> None:
        """What the watch writes: receipts by day and alerts by id, in one transaction."""
        producer = Producer(
            {"bootstrap.servers": self.servers, "transactional.id": self.group, "logger": SILENT}
        )
        producer.init_transactions(20)
        producer.begin_transaction()
        for one in receipts:
            producer.produce(self.topics.days, to_json(one), one.day.encode())
        for one in alerts:
            producer.produce(self.topics.alerts, to_json(one), one.id.encode())
        for topic, key, value in raw:
            producer.produce(topic, value, key)
        producer.flush(20)
        (producer.commit_transaction if commit else producer.abort_transaction)(20)

    def committed(self) -> list[int]:
        """The offsets that the group has on record."""
        asker = Consumer(
            {"bootstrap.servers": self.servers, "group.id": f"{self.group}-deliver", "logger": SILENT}
        )
        places = asker.committed([TopicPartition(topic, 0) for topic in self.topics], timeout=20)
        asker.close()
        return [place.offset for place in places]


class Role:
    """A running role, what it said and how its deliveries ended."""

    def __init__(self, world: World, folder, interval_seconds: float = 0.1, **kafka: str) -> None:
        self.folder = folder
        self.said = LogCapture()
        self.outcomes: list[tuple[str, str]] = []
        options = DeliverOptions(
            {"bootstrap.servers": world.servers, **kafka},
            world.group,
            secrets.token_hex(4),
            world.topics,
            folder,
            interval_seconds,
        )
        log = structlog.wrap_logger(None, processors=[self.said])
        self._role = DeliverRole(options, log, SILENT, lambda *end: self.outcomes.append(end), SystemClock())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._role.run, args=(self._stop,))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()

    def files(self) -> dict[str, bytes]:
        return (
            {path.name: path.read_bytes() for path in self.folder.iterdir()} if self.folder.is_dir() else {}
        )

    def shows(self, receipts, alerts=()) -> bool:
        return self.files() == render_files(receipts, alerts)

    def times_said(self, event: str) -> int:
        return sum(entry["event"] == event for entry in self.said.entries)


@pytest.fixture
def world(broker, topic_prefix):
    return World(
        broker.bootstrap_servers, Topics(f"{topic_prefix}days", f"{topic_prefix}alerts"), f"{topic_prefix}g"
    )


@contextmanager
def running(*roles: Role):
    for role in roles:
        role.start()
    try:
        yield
    finally:
        for role in roles:
            role.stop()


def test_the_files_follow_the_topics_and_the_offsets_follow_the_files(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week(), [alert("a1")])
    role = Role(world, tmp_path / "out")
    with running(role):
        wait_until(lambda: role.shows(good_week(), [alert("a1")]), DEADLINE_SECONDS, "the first files")
        receipts, alerts = quarantined()
        world.transaction(receipts[-1:], alerts)
        wait_until(lambda: role.shows(receipts, alerts), DEADLINE_SECONDS, "the files of the next state")
        world.transaction(raw=[(world.topics.alerts, b"a1", None)])
        wait_until(lambda: role.shows(receipts, alerts[1:]), DEADLINE_SECONDS, "the alert to be gone")
        # each transaction's marker takes an offset, too: 7 + 1 receipts and 2 markers; 1 + 5 alerts, a tombstone and 3
        wait_until(lambda: world.committed() == [10, 10], DEADLINE_SECONDS, "the ends to be on record")
    assert set(role.outcomes) == {("files", "written")}


def test_no_file_is_written_before_both_topics_were_read_to_their_ends(world, tmp_path):
    world.create(world.topics.days)
    world.transaction(good_week())
    role = Role(world, tmp_path / "out")
    with running(role):
        wait_until(lambda: role.times_said("delivery waits"), DEADLINE_SECONDS, "word of the missing topic")
        waits = [entry["reason"] for entry in role.said.entries]
        assert f"waiting for {world.topics.alerts}: the daemon creates what is missing" in waits
        assert role.files() == {}
        world.create(world.topics.alerts)
        wait_until(lambda: role.shows(good_week()), DEADLINE_SECONDS, "files once the topic is there")
    assert role.times_said("delivering the daily files") == 1
    assert waits.count(f"waiting for {world.topics.alerts}: the daemon creates what is missing") == 1


def test_the_first_files_hold_everything_that_the_topics_hold(world, tmp_path):
    world.create(*world.topics)
    days = [
        receipt(f"{year}-{month:02}-01", sessions=year)
        for year in range(1000, 1200)
        for month in range(1, 13)
    ]
    world.transaction(days, [alert("a1")])
    role = Role(world, tmp_path / "out")
    with running(role):
        first = role.folder / "daily_metrics.csv"  # one that is still being written has another name
        wait_until(first.exists, DEADLINE_SECONDS, "the first file")
        assert len(first.read_bytes().splitlines()) == 1 + len(days)


def test_what_was_aborted_is_not_delivered(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week())
    world.transaction([receipt("2025-02-24", status="quarantined")], [alert("a1")], commit=False)
    role = Role(world, tmp_path / "out")
    with running(role):
        wait_until(lambda: role.shows(good_week()), DEADLINE_SECONDS, "the committed state")


def test_a_record_that_is_no_receipt_stops_nothing_and_is_said(world, tmp_path):
    world.create(*world.topics)
    raw = [(world.topics.days, b"2025-02-25", b"{"), (world.topics.alerts, b"a9", b"\xff")]
    world.transaction(good_week(), [alert("a1")], raw=raw)
    role = Role(world, tmp_path / "out")
    with running(role):
        wait_until(lambda: role.shows(good_week(), [alert("a1")]), DEADLINE_SECONDS, "the files")
    left_out = [entry["records"] for entry in role.said.entries if entry["log_level"] == "warning"]
    assert left_out == [2]


def test_a_second_process_stands_by_and_takes_over_from_the_start_of_both_topics(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week(), [alert("a1")])
    first, second = Role(world, tmp_path / "first"), Role(world, tmp_path / "second")
    with running(second):
        with running(first):
            wait_until(lambda: first.files() or second.files(), DEADLINE_SECONDS, "one of them to deliver")
            wait_until(
                lambda: (
                    {"delivery waits", "delivering the daily files"}
                    <= {entry["event"] for role in (first, second) for entry in role.said.entries}
                ),
                DEADLINE_SECONDS,
                "the other to stand by",
            )
        world.transaction([receipt("2025-02-25")])
        expected = [*good_week(), receipt("2025-02-25")]
        wait_until(lambda: second.shows(expected, [alert("a1")]), DEADLINE_SECONDS, "the other to take over")


def test_both_topics_always_lie_on_one_member(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week(), [alert("a1")])
    roles = [Role(world, tmp_path / str(number)) for number in range(3)]
    with running(*roles):
        wait_until(lambda: any(role.files() for role in roles), DEADLINE_SECONDS, "one of them to deliver")
        admin = AdminClient({"bootstrap.servers": world.servers, "logger": SILENT})

        def shares():
            group = admin.describe_consumer_groups([f"{world.group}-deliver"])
            (description,) = [future.result() for future in group.values()]
            held = [member.assignment.topic_partitions for member in description.members]
            return sorted(len(partitions) for partitions in held)

        wait_until(lambda: shares() == [0, 0, 2], DEADLINE_SECONDS, "three members, one of which has both")


def test_a_folder_that_cannot_be_written_is_said_once_and_made_good(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week())
    folder = tmp_path / "out"
    folder.write_text("in the way")
    role = Role(world, folder)
    with running(role):
        wait_until(lambda: len(role.outcomes) >= 2, DEADLINE_SECONDS, "two tries")
        assert set(role.outcomes) == {("files", "failed")}
        assert world.committed() == [-1001, -1001]
        folder.unlink()
        wait_until(lambda: role.shows(good_week()), DEADLINE_SECONDS, "the files once there is a folder")
    assert role.times_said("files not written, trying again") == 1
    assert role.times_said("files are written again") == 1
    assert world.committed() == [8, 0]


def test_a_change_just_before_the_end_is_still_written(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week())
    role = Role(world, tmp_path / "out", interval_seconds=3600)
    with running(role):
        wait_until(lambda: role.shows(good_week()), DEADLINE_SECONDS, "the first files")
        world.transaction([receipt("2025-02-25")])
        wait_until(
            lambda: len(role._role._deliverer.receipts) == 8,
            DEADLINE_SECONDS,
            "the next day to be known, an hour before it may be written",
        )
        assert role.shows(good_week())
    assert role.shows([*good_week(), receipt("2025-02-25")])


def test_files_that_somebody_deletes_or_changes_are_written_anew_without_any_news(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week(), [alert("a1")])
    role = Role(world, tmp_path / "out")

    def is_whole():
        return role.shows(good_week(), [alert("a1")])

    with running(role):
        wait_until(is_whole, DEADLINE_SECONDS, "the first files")
        (role.folder / "daily_metrics.csv").unlink()
        wait_until(is_whole, DEADLINE_SECONDS, "the deleted file")
        report = role.folder / "report.md"
        report.write_bytes(report.read_bytes()[::-1])  # as long as before
        wait_until(is_whole, DEADLINE_SECONDS, "the changed file")
        shutil.rmtree(role.folder)
        wait_until(is_whole, DEADLINE_SECONDS, "the deleted folder")
    said = [entry for entry in role.said.entries if entry["log_level"] == "warning"]
    assert [entry["files"] for entry in said] == [
        ["daily_metrics.csv"],
        ["report.md"],
        list(render_files([], [])),
    ]


def test_a_touched_file_whose_bytes_are_the_same_is_nothing_to_tell(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week())
    role = Role(world, tmp_path / "out")
    with running(role):
        wait_until(lambda: role.shows(good_week()), DEADLINE_SECONDS, "the first files")
        (role.folder / "report.md").touch()
        wait_until(lambda: ("files", "unchanged") in role.outcomes, DEADLINE_SECONDS, "a look at it")
    assert not [entry for entry in role.said.entries if entry["log_level"] == "warning"]


def test_wrong_settings_are_said_and_tried_again(world, tmp_path):
    role = Role(world, tmp_path / "out", **{"security.protocol": "whispering"})
    with running(role):
        wait_until(lambda: role.said.entries, DEADLINE_SECONDS, "word of it")
    (said,) = role.said.entries
    assert said["event"] == "delivery is held up, trying again"
    assert "whispering" in said["reason"]


def test_a_lost_broker_is_said_once_and_delivery_goes_on_when_it_is_back(tmp_path):
    with EmbeddedKafka() as kafka:
        world = World(kafka.bootstrap_servers, Topics("days", "alerts"), "g")
        world.create(*world.topics)
        world.transaction(good_week())
        role = Role(world, tmp_path / "out")
        with running(role):
            wait_until(lambda: role.shows(good_week()), DEADLINE_SECONDS, "the first files")
            kafka.kill()
            wait_until(
                lambda: role.times_said("delivery is held up, trying again"),
                DEADLINE_SECONDS,
                "word of the loss",
            )
            assert role.shows(good_week())
            kafka.restart()
            world.transaction([receipt("2025-02-25")])
            expected = [*good_week(), receipt("2025-02-25")]
            wait_until(lambda: role.shows(expected), 60, "the files to follow again")
        assert role.times_said("delivery is held up, trying again") == 1
        assert role.times_said("delivering the daily files") >= 2


def test_a_topic_made_anew_after_a_restart_is_read_anew(tmp_path, monkeypatch):
    # After a restart a topic's leader epoch is 1; made anew it is 0 again, which the client takes for old news.
    monkeypatch.setattr(deliver_role, "LOOK_SECONDS", 2.0)
    with EmbeddedKafka() as kafka:
        world = World(kafka.bootstrap_servers, Topics("days", "alerts"), "g")
        world.create(*world.topics)
        role = Role(world, tmp_path / "out")
        with running(role):
            wait_until(lambda: role.shows([]), DEADLINE_SECONDS, "the first files")
            kafka.restart()
            world.transaction(good_week())
            wait_until(lambda: role.shows(good_week()), 60, "the files after the restart")
            admin = AdminClient({"bootstrap.servers": world.servers, "logger": SILENT})
            for future in admin.delete_topics(["days"], operation_timeout=20).values():
                future.result()
            wait_until(
                lambda: "days" not in admin.list_topics(timeout=10).topics, DEADLINE_SECONDS, "the end of it"
            )
            world.create("days")
            world.transaction([receipt("2025-03-01")])
            wait_until(lambda: role.shows([receipt("2025-03-01")]), 60, "the new topic's files")


def test_a_topic_that_was_made_anew_is_read_anew(world, tmp_path):
    world.create(*world.topics)
    world.transaction(good_week(), [alert("a1")])
    role = Role(world, tmp_path / "out")
    with running(role):
        wait_until(lambda: role.shows(good_week(), [alert("a1")]), DEADLINE_SECONDS, "the first files")
        admin = AdminClient({"bootstrap.servers": world.servers, "logger": SILENT})
        for future in admin.delete_topics([world.topics.days], operation_timeout=20).values():
            future.result()
        wait_until(
            lambda: world.topics.days not in admin.list_topics(timeout=10).topics,
            DEADLINE_SECONDS,
            "the end of it",
        )
        world.create(world.topics.days)
        world.transaction([receipt("2025-03-01")])
        wait_until(lambda: role.shows([receipt("2025-03-01")], [alert("a1")]), 60, "the new topic's files")


def test_the_settings_lead_to_the_role(world, tmp_path, monkeypatch):
    from consumer.settings import settings_of

    monkeypatch.chdir(tmp_path)
    world.create(*world.topics)
    world.transaction(good_week())
    settings = settings_of(
        {
            "group": world.group,
            "kafka": {"bootstrap.servers": world.servers},
            "topics": world.topics._asdict(),
            "deliver": {"out": "daily", "interval_seconds": 0.1},
        },
        {},
    )
    log = structlog.wrap_logger(None, processors=[LogCapture()])
    stop = threading.Event()
    role = DeliverRole.from_settings(settings, "one", log, SILENT, lambda *_: stop.set())
    role.run(stop)
    assert json.loads((tmp_path / "daily" / "alerts.json").read_bytes()) == json.loads(
        Deliverer().files()["alerts.json"]
    ) | {"generated_at": "2025-02-24T23:59:59.000Z"}
