"""`sluice traffic` on a real broker: a past that comes as one, a shop that goes on, and an end in order."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from consumer.runtime.kafka import sender
from consumer.runtime.kafka.sender import Sender, SendError
from tests.faults.kafka_proxy import Fate, KafkaProxy
from tests.topic_reader import log_ends, read_committed

pytestmark = pytest.mark.broker

PROGRAM = (sys.executable, "-W", "error", "-c", "from consumer.cli.main import main; main()")


def run(servers, topic, tmp_path):
    config = tmp_path / "sluice.toml"
    config.write_text(f'[kafka]\n"bootstrap.servers" = "{servers}"\n[topics]\ninput = "{topic}"\n')
    return subprocess.Popen(
        [*PROGRAM, "traffic", "--config", config, "--days", "1", "--sessions-per-day", "500"],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_topic_that_it_creates_gets_the_days_before_now_and_one_that_is_there_only_what_comes(
    broker, topic_prefix, tmp_path
):
    topic, servers = f"{topic_prefix}events", broker.bootstrap_servers
    ends = []
    for start in range(2):
        with run(servers, topic, tmp_path) as process:
            said = process.stdout.readline()
            if start == 0:
                assert said.startswith(f"Created the topic {topic} and sent ")
                said = process.stdout.readline()
            assert said == f"The shop goes on: its events go to the topic {topic}. Ctrl-C ends it.\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read() == "Ended.\n"
        assert process.returncode == 0
        ends.append(sum(log_ends(servers, topic).values()))
    assert ends[0] > 1000
    assert ends[1] < 1.2 * ends[0]
    assert len({message.value() for message in read_committed(servers, topic)}) > 1000


def test_a_lost_broker_is_waited_for_as_long_as_it_takes_and_said_when_it_begins_and_when_it_ends(
    broker, topic_prefix, monkeypatch
):
    monkeypatch.setattr(sender, "DELIVERY_TIMEOUT_MS", 2_000)
    topic, said, away = f"{topic_prefix}events", [], []
    with KafkaProxy(broker.bootstrap_servers, lambda _: Fate.LOSE_REQUEST if away else Fate.PASS) as proxy:
        kafka = {"bootstrap.servers": proxy.address}
        patient = Sender(kafka, topic, 1, waits=said.append)
        hasty = Sender(kafka, topic, 1)
        away.append(True)
        proxy.cut()
        for one in (patient, hasty):
            one.send(b"event", b"key")
        with pytest.raises(SendError, match="did not take a record"):
            hasty.finish()
        assert hasty.unconfirmed == 1  # it may have arrived
        patient.serve()
        with pytest.raises(SendError, match=r"no broker took the last records .*: 1 are left"):
            patient.finish(0)
        away.clear()
        patient.finish()
    assert patient.delivered.total() == 1
    assert said == ["No broker can be reached: waiting for one.", "The brokers take records again."]
