"""What systemd is told, on a real datagram socket."""

import os
import socket
import threading

import pytest

from consumer.runtime.clock import SystemClock
from consumer.runtime.health import Health
from consumer.runtime.service_manager import ServiceManager

PATIENCE_SECONDS = 30
LIMIT_SECONDS = 1000


class Manager:
    """A socket as systemd opens it, and a service that tells it things; ends with the block."""

    def __init__(self, address, **variables):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.clock = SystemClock()
        self.health = Health(LIMIT_SECONDS, self.clock.monotonic())
        self.stop = threading.Event()
        self.service = ServiceManager({"NOTIFY_SOCKET": address, **variables}, self.health, self.clock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.socket.close()

    def has_partitions(self):
        self.health.set("assigned", ready=True)

    def hear(self):
        return self.socket.recv(4096).decode().split("\n")

    def hear_until(self, word):
        heard = []
        while word not in heard:
            heard += self.hear()
        return heard


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    address = str(tmp_path / "notify") if request.param == "path" else f"@sluice-{os.getpid()}-notify"
    with Manager(address) as manager:
        yield manager


def test_it_is_ready_once_it_has_its_partitions_and_tells_what_it_waits_for_until_then(manager):
    manager.service.start(manager.stop)
    assert manager.hear() == ["STATUS=not connected to Kafka yet"]
    manager.has_partitions()
    manager.health.behind("gate", "the gate is behind")
    assert manager.hear_until("READY=1")[-2:] == ["READY=1", "STATUS=the gate is behind"]
    manager.health.behind("gate", "")
    assert manager.hear() == ["STATUS=keeps up"]


def test_it_says_that_it_stops(manager):
    manager.has_partitions()
    manager.service.start(manager.stop)
    assert manager.hear() == ["READY=1", "STATUS=keeps up"]
    manager.stop.set()
    assert manager.hear_until("STOPPING=1")[-2:] == ["STOPPING=1", "STATUS=ends in order"]


def test_the_watchdog_hears_of_it_while_the_loop_turns_and_not_when_it_hangs(tmp_path):
    with Manager(str(tmp_path / "notify"), WATCHDOG_USEC="30000", WATCHDOG_PID=str(os.getpid())) as manager:
        manager.has_partitions()
        manager.service.start(manager.stop)
        assert manager.hear_until("WATCHDOG=1")[0] == "READY=1"
        manager.hear_until("WATCHDOG=1")
        manager.health.turned(manager.clock.monotonic() - 2 * LIMIT_SECONDS)
        manager.hear_until("STATUS=the loop has not turned for 2000 s")
        assert manager.hear() == ["STATUS=the loop has not turned for 2001 s"]


def test_a_watchdog_of_another_process_is_not_ours(tmp_path):
    with Manager(str(tmp_path / "notify"), WATCHDOG_USEC="30000", WATCHDOG_PID="1") as manager:
        manager.has_partitions()
        manager.service.start(manager.stop)
        assert manager.hear() == ["READY=1", "STATUS=keeps up"]
        manager.stop.set()
        assert manager.hear() == ["STOPPING=1", "STATUS=ends in order"]


def test_no_socket_or_one_that_nobody_listens_to_disturbs_nothing(tmp_path):
    health, stop = Health(LIMIT_SECONDS, 0.0), threading.Event()
    before = threading.active_count()
    ServiceManager({}, health, SystemClock()).start(stop)
    assert threading.active_count() == before
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}, health, SystemClock())._tell("READY=1")
