"""`sluice run` as a service of systemd: it says what it waits for, when it has its partitions, and that it stops."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import create_topic

pytestmark = pytest.mark.broker


def test_systemd_hears_of_a_life_from_its_start_to_its_end(broker, topic_prefix, tmp_path, monkeypatch):
    address = str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.bind(address)
        line.settimeout(PATIENCE_SECONDS)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
            process, told = site.start(), []
            while not any("does not exist yet" in words for words in told):
                told.append(line.recv(4096).decode())
            create_topic(site.servers, site.input)
            while "READY=1" not in told[-1]:
                told.append(line.recv(4096).decode())
            assert process.said("partition restored")
            assert process.stop() == 0, process.told()
            while "STOPPING=1" not in told[-1]:
                told.append(line.recv(4096).decode())
    assert sum("READY=1" in words for words in told) == 1
