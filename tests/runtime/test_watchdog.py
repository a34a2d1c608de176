import io
import json
import threading

from consumer.runtime.clock import SystemClock
from consumer.runtime.logs import configure
from consumer.runtime.watchdog import EXIT_CODE, LOOKS, Watchdog

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
    import subprocess
    import sys

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
