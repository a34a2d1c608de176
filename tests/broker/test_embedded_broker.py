"""The embedded Apache Kafka does what the rest builds on, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.cli.exits import ExitCode
from consumer.local import class_archive, java, kafka_server
from consumer.local.kafka import BrokerError, EmbeddedKafka
from consumer.local.kafka_server import START_SECONDS, KafkaServer
from tests.topic_reader import read_committed
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

BROKER = "from consumer.cli.broker import command; command(prog_name='sluice broker')"
OWNER = """
from consumer.local.kafka import EmbeddedKafka
kafka = EmbeddedKafka()
kafka.start()
print(kafka.pid, kafka.data_dir, flush=True)
input()
"""


def make_topic(address: str, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": address})
    client.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)


def transactions(address: str, name: str) -> Producer:
    producer = Producer({"bootstrap.servers": address, "transactional.id": name, "log_level": 0})
    producer.init_transactions(20)
    return producer


def write(producer: Producer, topic: str, *values: str) -> None:
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)


def committed(address: str, topic: str, count: int) -> list[str]:
    """The first `count` values that a `read_committed` reader sees."""
    reader = Consumer({"bootstrap.servers": address, "group.id": "none", "isolation.level": "read_committed"})
    reader.assign([TopicPartition(topic, 0, 0)])
    seen: list[str] = []

    def enough() -> bool:
        seen.extend(message.value().decode() for message in reader.consume(count, 0.1) if not message.error())
        return len(seen) >= count

    try:
        wait_until(enough, 20, f"{count} values in {topic}")
    finally:
        reader.close()
    return seen


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def python(*program: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with a pipe for every stream and its own temporary folder, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_a_read_committed_reader_sees_committed_records_and_no_aborted_ones(broker, topic_prefix):
    address, topic = broker.bootstrap_servers, f"{topic_prefix}committed"
    make_topic(address, topic)
    producer = transactions(address, topic)
    write(producer, topic, "one")
    producer.commit_transaction(20)
    write(producer, topic, "never")
    producer.abort_transaction(20)
    write(producer, topic, "two")
    producer.commit_transaction(20)
    assert committed(address, topic, 2) == ["one", "two"]


def test_a_misspelled_topic_is_an_error_and_no_new_topic(broker, topic_prefix):
    client = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    client.list_topics(f"{topic_prefix}mispelled", timeout=20)
    assert f"{topic_prefix}mispelled" not in client.list_topics(timeout=20).topics


def test_records_outlive_a_kill_and_a_stop_and_the_address_stays(tmp_path):
    folder = tmp_path / "Käse, 100 % = new\\old"
    with EmbeddedKafka(folder) as kafka:
        address = kafka.bootstrap_servers
        make_topic(address, "kept")
        producer = transactions(address, "t")
        write(producer, "kept", "before the kill")
        producer.commit_transaction(20)
        kafka.kill()
        assert not kafka.running()
        kafka.restart()
        assert kafka.bootstrap_servers == address
        write(producer, "kept", "after it")
        producer.commit_transaction(20)
    with EmbeddedKafka(folder) as kafka:
        assert committed(kafka.bootstrap_servers, "kept", 2) == ["before the kill", "after it"]


class Writing:
    """Transactions one after the other, each with a record in every partition, in a thread that outlives the broker."""

    def __init__(self, address: str, topic: str, partitions: int) -> None:
        self._address = address
        self._topic = topic
        self._partitions = partitions
        self._over = threading.Event()
        self.done = 0
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        while not self._over.is_set():
            try:
                producer = transactions(self._address, "writing")
                while not self._over.is_set():
                    producer.begin_transaction()
                    for number in range(self._partitions):
                        producer.produce(self._topic, str(self.done), partition=number)
                    producer.commit_transaction(20)
                    self.done += 1
            except KafkaException as ignored:
                # the broker is away: a new one settles what was open
                del ignored

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)


def test_a_killed_node_counts_as_dead_before_its_broker_comes_back(tmp_path):
    with EmbeddedKafka(tmp_path / "data") as kafka:
        kafka.kill()
        kafka.start()
        *before, since = (kafka.data_dir / "broker.log").read_text().split("from SHUTDOWN to STARTING")
        assert any("Fencing broker 1 " in text for text in before)
        assert "Fencing broker 1 " not in since


SLOW = ("sh", "-c", 'sleep 4; exec "$@"', "sh")
"""Before a command: a machine on which Java takes its time."""


def test_a_controller_that_takes_long_to_start_declares_the_node_dead_all_the_same(tmp_path, monkeypatch):
    command = java.command
    with EmbeddedKafka(tmp_path / "data") as kafka:
        kafka.kill()
        monkeypatch.setattr(java, "command", lambda *given: [*SLOW, *command(*given)])
        monkeypatch.setattr(kafka_server, "DECLARE_SECONDS", 3)
        kafka.start()
        assert "DUPLICATE_BROKER_REGISTRATION" not in (kafka.data_dir / "broker.log").read_text()


def test_a_death_that_did_not_get_on_record_is_declared_again_before_the_broker_takes_up_transactions(
    tmp_path, monkeypatch
):
    declare, calls = KafkaServer._declare_dead, []

    def too_early(server, settings):
        calls.append(settings)
        if len(calls) > 1:
            declare(server, settings)

    monkeypatch.setattr(KafkaServer, "_declare_dead", too_early)
    with EmbeddedKafka(tmp_path / "data") as kafka:
        address = kafka.bootstrap_servers
        make_topic(address, "kept")
        kafka.kill()
        kafka.start()
        log = (kafka.data_dir / "broker.log").read_text()
        _, _, refused, since = log.split("[BrokerServer id=1] Starting broker")
        assert "DUPLICATE_BROKER_REGISTRATION" in refused
        assert "Elected as the txn coordinator" not in refused
        assert "DUPLICATE_BROKER_REGISTRATION" not in since
        assert "Fencing broker 1 " not in since
        producer = transactions(address, "t")
        write(producer, "kept", "after it")
        producer.commit_transaction(20)
    assert len(calls) == 2


@pytest.mark.campaign
@pytest.mark.timeout(300)
def test_a_kill_forgets_no_end_of_a_transaction(tmp_path):
    with EmbeddedKafka(tmp_path / "data") as kafka:
        client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        client.create_topics([NewTopic("t", 20, 1)])["t"].result(20)
        writing = Writing(kafka.bootstrap_servers, "t", 20)
        for _ in range(3):
            before = writing.done
            wait_until(lambda before=before: writing.done > before + 20, 60, "transactions")
            kafka.kill()
            kafka.start()
        writing.stop()
        values = {str(message.value()) for message in read_committed(kafka.bootstrap_servers, "t")}
        counts = Counter(message.value() for message in read_committed(kafka.bootstrap_servers, "t"))
        assert len(values) >= writing.done
        assert {times % 20 for times in counts.values()} == {0}


def test_a_server_starts_with_the_archive_of_its_classes_and_java_has_nothing_against_it(tmp_path):
    archive = class_archive.make()
    with EmbeddedKafka(tmp_path / "data") as kafka:
        assert f"-XX:AOTCache={archive}" in psutil.Process(kafka.pid).cmdline()
        assert "[aot]" not in (kafka.data_dir / "broker.log").read_text()


def test_a_damaged_archive_of_its_classes_keeps_no_server_from_starting(tmp_path, monkeypatch):
    damaged = tmp_path / "classes.aot"
    damaged.write_bytes(class_archive.make().read_bytes()[: 10**6])
    monkeypatch.setattr(java, "archive", lambda _: damaged)
    with EmbeddedKafka(tmp_path / "data") as kafka:
        make_topic(kafka.bootstrap_servers, "events")
        assert "[aot]" in (kafka.data_dir / "broker.log").read_text()


def test_two_live_side_by_side_but_not_in_one_folder(broker, tmp_path):
    with EmbeddedKafka(tmp_path) as kafka:
        assert kafka.bootstrap_servers != broker.bootstrap_servers
        with pytest.raises(
            BrokerError, match=rf"^The data folder {tmp_path} is in use by another embedded Kafka\.$"
        ):
            EmbeddedKafka(tmp_path).start()
        assert kafka.running()


def test_a_stop_leaves_no_process_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with EmbeddedKafka() as kafka:
        pid = kafka.pid
        assert kafka.data_dir.parent == tmp_path
    assert not alive(pid)
    assert list(tmp_path.iterdir()) == []
    kafka.stop()


def test_kill_9_leaves_no_process_and_no_folder_and_needs_no_java_on_the_machine(tmp_path):
    with python("-c", OWNER, TMPDIR=str(tmp_path), PATH="/nowhere", JAVA_HOME="/nowhere") as owner:
        pid, folder = owner.stdout.readline().split()
        assert Path(folder).parent == tmp_path
        assert alive(int(pid))
        owner.kill()
    wait_until(lambda: not alive(int(pid)), 20, "the server is gone")
    wait_until(lambda: list(tmp_path.iterdir()) == [], 20, "the temporary folder is gone")


def test_a_server_whose_keeper_is_killed_is_gone_and_said_to_be(tmp_path):
    kafka = EmbeddedKafka()
    kafka.start()
    keeper = int(re.search(r"^PPid:\t(\d+)$", Path(f"/proc/{kafka.pid}/status").read_text(), re.MULTILINE)[1])
    pid, folder = kafka.pid, kafka.data_dir
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not alive(pid), 20, "the server is gone")
    with pytest.raises(BrokerError, match="keeper"):
        kafka.running()
    kafka.stop()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("by", "words"), [(signal.SIGKILL, "killed by SIGKILL"), (signal.SIGTERM, "ended by SIGTERM")]
)
def test_a_server_that_a_signal_ended_is_said_to_be(by, words):
    with EmbeddedKafka() as kafka:
        os.kill(kafka.pid, by)
        wait_until(lambda: not kafka.running(), 20, "the server is gone")
        assert kafka.last_words().startswith(words)


def test_an_occupied_port_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"^Port {port} on 127\.0\.0\.1 is in use by another program"):
            EmbeddedKafka(port=port).start()


def test_a_start_that_fails_says_why_in_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(BrokerError) as caught:
        EmbeddedKafka(properties={"num.io.threads": "many"}).start()
    assert re.fullmatch(
        r"The embedded Kafka.*Invalid value many for configuration num\.io\.threads.*", str(caught.value)
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_sluice_broker_says_where_it_is_and_ends_cleanly(tmp_path, end):
    with python("-c", BROKER, "--port", "0", TMPDIR=str(tmp_path)) as refused:
        assert refused.wait(START_SECONDS) == 2
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        occupied = str(occupant.getsockname()[1])
        with python("-c", BROKER, "--port", occupied, TMPDIR=str(tmp_path)) as refused:
            assert refused.wait(START_SECONDS) == ExitCode.NOT_POSSIBLE
    port = str(free_port())
    with python("-c", BROKER, "--port", port, TMPDIR=str(tmp_path)) as command:
        line = command.stdout.readline()
        command.send_signal(end)
        output, errors = command.communicate(timeout=START_SECONDS)
    where = re.fullmatch(
        rf"Apache Kafka 4\.3\.1 answers on 127\.0\.0\.1:{port} \(data in (\S+), gone .*Ctrl-C\.\n", line
    )
    assert where, line
    assert Path(where[1]).parent == tmp_path
    assert (command.returncode, output, errors) == (0, "Apache Kafka is stopped.\n", "")
    assert list(tmp_path.iterdir()) == []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
