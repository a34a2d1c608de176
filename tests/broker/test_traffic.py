"""`sluice traffic` on a real broker: a past that comes as one, a shop that goes on, and an end in order."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

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
