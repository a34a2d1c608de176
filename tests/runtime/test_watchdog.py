import io
import json
import subprocess
import sys
import threading

from consumer.runtime.clock import SystemClock
from consumer.runtime.logs import configure
from consumer.runtime.notify.notifier import END_SECONDS
from consumer.runtime.notify.worker import LAST_SECONDS
from consumer.runtime.watchdog import (
    EXIT_CODE,
    LOOKS,
    SECONDS_TO_TELL,
    STOP_SECONDS,
    StopDeadline,
    Watchdog,
)

DEADLINE_SECONDS = 30


class Loop:
    """A loop that turns when the test says so, and the end that it gets."""

    def __init__(self, stream=None):
        self.count = 0
        self.stream = io.StringIO() if stream is None else stream
        self.ended = threading.Event()
        self.codes = []

    def turns(self):
        return self.count

    def end(self, code):
        self.codes.append(code)
        self.ended.set()

    def watchdog(self, limit_seconds):
        log = configure(clock=SystemClock(), stream=self.stream, format="json")
        return Watchdog(limit_seconds, self.turns, log, self.end)


def test_a_loop_that_hung_for_the_whole_limit_is_found():
    dog = Loop().watchdog(60)
    assert [dog.look() for _ in range(LOOKS)] == [False] * (LOOKS - 1) + [True]


def test_one_turn_at_the_last_moment_gives_the_whole_limit_again():
    loop = Loop()
    dog = loop.watchdog(60)
    for _ in range(5):
        assert not any(dog.look() for _ in range(LOOKS - 1))
        loop.count += 1
    assert [dog.look() for _ in range(LOOKS + 1)] == [False] * LOOKS + [True]


def test_a_hanging_loop_is_told_with_its_place_and_then_ended_with_70():
    loop, wake = Loop(), threading.Event()

    def hang_in_the_kafka_client():
        loop.watchdog(0.05).start()
        wake.wait(DEADLINE_SECONDS)

    hanging = threading.Thread(target=hang_in_the_kafka_client)
    hanging.start()
    assert loop.ended.wait(DEADLINE_SECONDS)
    wake.set()
    hanging.join(DEADLINE_SECONDS)
    assert loop.codes == [EXIT_CODE] == [70]
    line = json.loads(loop.stream.getvalue())
    assert (line["level"], line["event"]) == ("critical", "loop hangs, process ends")
    assert "hang_in_the_kafka_client < threading.py" in line["at"]


class StuckStream(io.StringIO):
    """A pipe whose reader has gone to sleep."""

    def __init__(self, awake):
        super().__init__()
        self.awake = awake

    def write(self, text):
        self.awake.wait(DEADLINE_SECONDS)
        return super().write(text)


def test_a_log_that_nobody_reads_does_not_keep_a_hanging_process_alive(monkeypatch):
    monkeypatch.setattr("consumer.runtime.watchdog.SECONDS_TO_TELL", 0.05)
    awake = threading.Event()
    loop = Loop(StuckStream(awake))
    loop.watchdog(0.05).start()
    assert loop.ended.wait(DEADLINE_SECONDS)
    assert loop.stream.getvalue() == ""
    awake.set()


def test_a_process_that_ends_in_order_is_left_alone():
    loop = Loop()
    dog = loop.watchdog(0.05)
    dog.start()
    dog.stop()
    dog._thread.join(DEADLINE_SECONDS)
    assert not dog._thread.is_alive()
    assert loop.codes == []


def test_the_real_end_ends_a_process_whose_main_thread_hangs(tmp_path):
    program = """
import threading
from consumer.runtime.clock import SystemClock
from consumer.runtime.logs import configure
from consumer.runtime.watchdog import Watchdog

Watchdog(0.1, lambda: 0, configure(clock=SystemClock())).start()
threading.Event().wait()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode == EXIT_CODE
    assert json.loads(done.stderr)["event"] == "loop hangs, process ends"


class Ending(Loop):
    """A process that was asked to end."""

    def __init__(self):
        super().__init__()
        self.stop = threading.Event()

    def deadline(self, seconds):
        log = configure(clock=SystemClock(), stream=self.stream, format="json")
        return StopDeadline(self.stop, log, seconds, self.end)


def test_a_stop_that_takes_too_long_is_told_with_its_place_and_then_ended_with_70():
    process, wake = Ending(), threading.Event()

    def hang_in_the_kafka_client():
        process.deadline(0.05).start()
        wake.wait(DEADLINE_SECONDS)

    hanging = threading.Thread(target=hang_in_the_kafka_client)
    hanging.start()
    assert not process.ended.is_set()
    process.stop.set()
    assert process.ended.wait(DEADLINE_SECONDS)
    wake.set()
    hanging.join(DEADLINE_SECONDS)
    assert process.codes == [70]
    (line,) = map(json.loads, process.stream.getvalue().splitlines())
    assert (line["level"], line["event"]) == ("critical", "stop takes too long, process ends")
    assert "hang_in_the_kafka_client < threading.py" in line["at"]


def test_a_stop_that_ends_in_order_is_left_alone_and_so_is_a_process_that_nobody_stops():
    process = Ending()
    deadline = process.deadline(DEADLINE_SECONDS)
    deadline.start()
    deadline.ended()
    assert deadline._thread.is_alive()
    process.stop.set()
    deadline._thread.join(DEADLINE_SECONDS / 2)
    assert not deadline._thread.is_alive()
    assert process.codes == []


def test_the_longest_stop_fits_into_what_supervisors_give():
    receivers = LAST_SECONDS + 1 + END_SECONDS
    assert receivers < STOP_SECONDS / 2
    assert STOP_SECONDS + SECONDS_TO_TELL < 30


def test_sigterm_is_heard_while_the_main_thread_hangs_in_a_call_that_never_returns():
    program = """
import ctypes, os, signal, threading
from consumer.cli.run import _stop_on_signals

stop = threading.Event()
_stop_on_signals(stop)

def end_when_told():
    stop.wait()
    os._exit(42)

threading.Thread(target=end_when_told, daemon=True).start()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
mutex = ctypes.create_string_buffer(64)
while True:
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode == 42, done.stderr
