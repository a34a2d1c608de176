import io
import json
import logging
import os
import threading

import pytest
from confluent_kafka import Consumer
from hypothesis import given
from hypothesis import strategies as st

from consumer.runtime.client_log import Repeats, librdkafka_logger
from consumer.runtime.logs import LONGEST_VALUE, configure, in_short, visible


class SetClock:
    """A clock that stands where the test put it."""

    def __init__(self):
        self.seconds = 1_700_000_000.0

    def now_ms(self):
        return int(self.seconds * 1000)

    def monotonic(self):
        return self.seconds


def logged(tell, **options):
    stream = io.StringIO()
    tell(configure(clock=SetClock(), stream=stream, **{"format": "json"} | options))
    return stream.getvalue()


def fields(tell, **options):
    (line,) = logged(tell, **options).splitlines()
    return json.loads(line)


def test_a_line_is_json_that_begins_with_time_level_and_event():
    line = fields(lambda log: log.bind(task="gate").info("batch committed", records=3, partitions=[0, 1]))
    assert list(line.items()) == [
        ("timestamp", "2023-11-14T22:13:20.000Z"),
        ("level", "info"),
        ("event", "batch committed"),
        ("task", "gate"),
        ("records", 3),
        ("partitions", [0, 1]),
    ]


@pytest.mark.parametrize(
    ("options", "pretty"),
    [
        ({"format": "auto", "is_terminal": True}, True),
        ({"format": "auto", "is_terminal": False}, False),
        ({"format": "auto"}, False),
        ({"format": "json", "is_terminal": True}, False),
        ({"format": "pretty", "is_terminal": False}, True),
    ],
)
def test_auto_means_pretty_on_a_terminal_and_json_elsewhere(options, pretty):
    assert logged(lambda log: log.info("started"), **options).startswith("{") is not pretty


def test_a_pretty_line_has_the_same_content_and_colours_only_on_a_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)

    def tell(log):
        log.warning("partition taken over", partition=3, reason="two words")

    plain = logged(tell, format="pretty", is_terminal=False)
    expected = (
        '2023-11-14T22:13:20.000Z [warning  ] partition taken over           partition=3 reason="two words"\n'
    )
    assert plain == expected
    assert "\x1b[" in logged(tell, format="pretty", is_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert logged(tell, format="pretty", is_terminal=True) == plain


def test_levels_below_the_chosen_one_are_not_told():
    assert logged(lambda log: log.info("started"), level="warning") == ""
    assert fields(lambda log: log.error("stopped"), level="warning")["level"] == "error"


@pytest.mark.parametrize("output", ["json", "pretty"])
@given(text=st.text(), key=st.text())
def test_no_value_can_move_the_cursor_break_the_line_or_hide_text(output, text, key):
    def tell(log):
        log.info(text, value=text, listed=[text], named={key: text}, raw=text.encode("utf-8", "replace"))

    line = logged(tell, format=output, is_terminal=False)
    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_no_value_can_look_like_a_further_field():
    line = logged(
        lambda log: log.info("seen", name="x outcome=committed"), format="pretty", is_terminal=False
    )
    assert line.rstrip().endswith('name="x outcome=committed"')


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J", "\x9b31m", "\r\n", "\u202e", "\u2028", "\ud800", "\x7f", "\x00"]
)
def test_what_does_not_print_is_shown_as_its_escape(hostile):
    shown = visible(f"a{hostile}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("b")


def test_long_values_are_cut_at_500_characters_and_show_it():
    line = fields(lambda log: log.info("e" * 501, fits="x" * 500, longer="x" * 501, escaped="\x1b" * 10**6))
    assert line["fits"] == "x" * 500
    assert line["longer"] == "x" * 499 + "…"
    assert {len(line["event"]), len(line["escaped"]), LONGEST_VALUE} == {500}


def test_long_lists_are_cut_and_say_how_much_is_missing():
    line = fields(lambda log: log.info("seen", many=list(range(1000)), named={str(n): n for n in range(31)}))
    assert len(line["many"]) == 31
    assert line["many"][-1] == "… 970 more"
    assert line["named"]["…"] == "… 1 more"


class Unshowable:
    def __str__(self):
        raise OSError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**53 - 1, 2**53 - 1),
        (2**53, "0x20000000000000"),
        (b"ab\xff", "ab\\xff"),
        ([[["deep"]]], [["['deep']"]]),
        (Unshowable(), "<Unshowable>"),
    ],
)
def test_every_value_is_written_as_something_that_json_can_hold(value, shown):
    assert fields(lambda log: log.info("seen", value=value))["value"] == shown


def test_an_integer_with_more_digits_than_python_would_print_is_cut():
    assert len(fields(lambda log: log.info("seen", value=10**10_000))["value"]) == LONGEST_VALUE


def failing(secret):
    raise ValueError(f"bad\n{len(secret)}")


def fail():
    try:
        failing("4111111111111111")
    except ValueError as error:
        raise KeyError("x") from error


def test_an_exception_is_one_field_with_calls_and_cause_and_without_values_of_variables():
    def tell(log):
        try:
            fail()
        except KeyError:
            log.exception("batch failed")

    line = fields(tell)
    assert line["level"] == "error"
    assert line["error"].startswith("KeyError: 'x' (test_logs.py:")
    assert " fail < test_logs.py:" in line["error"]
    assert line["error"].endswith("because of ValueError: bad\\n16")
    assert "4111" not in str(line)
    assert os.sep not in line["error"]
    assert "exc_info" not in line


def test_an_exception_can_be_given_as_a_value_or_as_exc_info():
    error = OSError("disk full")
    line = fields(lambda log: log.warning("not written", why=error, exc_info=error))
    assert line["why"] == line["error"] == in_short(error) == "OSError: disk full"


def test_a_stream_that_is_gone_does_not_stop_the_one_who_logs():
    stream = io.StringIO()
    log = configure(clock=SetClock(), stream=stream)
    stream.close()
    log.error("nobody hears this")


def test_lines_of_several_threads_do_not_mix():
    stream = io.StringIO()
    log = configure(clock=SetClock(), stream=stream, format="json")
    threads = [threading.Thread(target=lambda: [log.info("x" * 400) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 400
    assert {json.loads(line)["event"] for line in lines} == {"x" * 400}


def test_librdkafka_lines_arrive_at_their_level_and_repeat_once_a_window():
    stream, clock = io.StringIO(), SetClock()
    log = configure(clock=clock, stream=stream, format="json")
    logger = librdkafka_logger(log, clock, every_seconds=60)
    for after_ms in range(5):
        logger.log(logging.ERROR, "%s [%s] %s", "FAIL", "rdkafka#consumer-1", f"refused (after {after_ms}ms)")
    logger.log(logging.WARNING, "%s [%s] %s", "FAIL", "rdkafka#consumer-1", "something else \x1b[2J")
    clock.seconds += 61
    logger.log(logging.ERROR, "%s [%s] %s", "FAIL", "rdkafka#consumer-1", "refused (after 7ms)")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["message"], line.get("repeated")) for line in lines] == [
        ("error", "FAIL [rdkafka#consumer-1] refused (after 0ms)", None),
        ("warning", "FAIL [rdkafka#consumer-1] something else \\x1b[2J", None),
        ("error", "FAIL [rdkafka#consumer-1] refused (after 7ms)", 4),
    ]
    assert {line["event"] for line in lines} == {"librdkafka says"}


OUTAGE = """
FAIL [rdkafka#consumer-6] [thrd:GroupCoordinator]: GroupCoordinator: 127.0.0.1:27689: Disconnected: connection closed by peer: receive 0 after POLLIN (after 15750ms in state UP)
FAIL [rdkafka#consumer-1] [thrd:127.0.0.1:27689/1]: 127.0.0.1:27689/1: Disconnected: connection closed by peer: receive 0 after POLLIN (after 16168ms in state UP)
FAIL [rdkafka#consumer-1] [thrd:GroupCoordinator]: GroupCoordinator: 127.0.0.1:27689: Disconnected: connection closed by peer: receive 0 after POLLIN (after 16166ms in state APIVERSION_QUERY)
FAIL [rdkafka#consumer-1] [thrd:127.0.0.1:27689/1]: 127.0.0.1:27689/1: Connect to ipv4#127.0.0.1:27689 failed: Connection refused (after 0ms in state CONNECT)
FAIL [rdkafka#consumer-6] [thrd:GroupCoordinator]: GroupCoordinator: Connect to ipv4#127.0.0.1:27689 failed: Connection refused (after 1ms in state CONNECT)
FAIL [rdkafka#producer-5] [thrd:127.0.0.1:27689/bootstrap]: 127.0.0.1:27689/bootstrap: Connect to ipv4#127.0.0.1:27689 failed: Connection refused (after 0ms in state CONNECT)
FAIL [rdkafka#consumer-1] [thrd:127.0.0.1:27689/bootstrap]: 127.0.0.1:27689/bootstrap: Connect to ipv4#127.0.0.1:27689 failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)
SESSTMOUT [rdkafka#consumer-6] [thrd:main]: Consumer group session timed out (in join-state steady) after 10011 ms without a successful response from the group coordinator (broker -1, last error was Success): revoking assignment and rejoining group
SESSTMOUT [rdkafka#consumer-1] [thrd:main]: Consumer group session timed out (in join-state steady) after 10002 ms without a successful response from the group coordinator (broker 1, last error was Success): revoking assignment and rejoining group
REQTMOUT [rdkafka#consumer-1] [thrd:GroupCoordinator]: GroupCoordinator/1: Timed out 1 in-flight, 0 retry-queued, 0 out-queue, 0 partially-sent requests
REQTMOUT [rdkafka#consumer-6] [thrd:127.0.0.1:27689/1]: GroupCoordinator/1: Timed out 3 in-flight, 1 retry-queued, 0 out-queue, 0 partially-sent requests
""".strip().splitlines()
"""What librdkafka said as a broker went away."""


class Heard:
    """A process's log, and librdkafka's line into it."""

    def __init__(self):
        self.stream, self.clock = io.StringIO(), SetClock()
        log = configure(clock=self.clock, stream=self.stream, format="json")
        self.client = librdkafka_logger(log, self.clock)

    def says(self, text, level=logging.ERROR):
        facility, client, rest = text.split(" ", 2)
        self.client.log(level, "%s [%s] %s", facility, client.strip("[]"), rest)

    def lines(self):
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_lost_broker_is_said_once_a_minute_for_each_thing_to_say_however_many_clients_lose_it():
    heard = Heard()
    for _ in range(20):
        for text in OUTAGE:
            heard.says(text)
    told = [line["message"].split(" ", 1)[0] for line in heard.lines()]
    assert told == ["FAIL", "FAIL", "SESSTMOUT", "REQTMOUT"]
    heard.clock.seconds += 60
    heard.says(OUTAGE[0])
    assert heard.lines()[-1]["repeated"] == 59


def test_a_transaction_that_fails_at_an_ordinary_rebalance_is_no_error():
    heard = Heard()
    heard.says(
        "TXNERR [rdkafka#producer-5] [thrd:main]: Current transaction failed in state InTransaction: Failed to commit "
        "offsets to transaction on broker GroupCoordinator/1: Broker: Specified group generation id is not valid"
    )
    heard.says("PARTCNT [rdkafka#producer-5] [thrd:main]: the leader is gone")
    assert [line["level"] for line in heard.lines()] == ["info", "error"]


def test_the_end_of_one_client_is_not_critical_since_the_loop_goes_on_with_another_or_says_why_it_ends():
    heard = Heard()
    heard.says(
        "FATAL [rdkafka#producer-5] [thrd:main]: Fatal error: Local: This instance has been fenced by a newer instance",
        logging.CRITICAL,
    )
    assert [line["level"] for line in heard.lines()] == ["warning"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            (
                "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration "
                "(connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 3ms)"
            ),
            (
                "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration "
                "(connecting to a SSL listener?) (after 3ms)"
            ),
        ),
        (
            "Disconnected while requesting ApiVersion: might be caused by broker version < 0.10 (see api.version.request)",
            "Disconnected while requesting ApiVersion",
        ),
        (
            (
                "ApiVersionRequest failed: Local: Timed out: probably due to broker version < 0.10 (see api.version.request "
                "configuration)"
            ),
            "ApiVersionRequest failed: Local: Timed out",
        ),
    ],
)
def test_librdkafkas_guess_that_a_broker_is_very_old_is_left_out(said, told):
    heard = Heard()
    heard.says(f"FAIL [rdkafka#consumer-1] {said}")
    assert [line["message"] for line in heard.lines()] == [f"FAIL [rdkafka#consumer-1] {told}"]


def test_different_brokers_are_different_texts():
    repeats = Repeats(60)
    assert repeats.held_back("127.0.0.1:9092: refused (after 1ms)", 0) == 0
    assert repeats.held_back("127.0.0.1:9093: refused (after 1ms)", 0) == 0
    assert repeats.held_back("127.0.0.1:9092: refused (after 2ms)", 0) is None


def test_ever_new_texts_are_bounded_in_lines_and_memory():
    repeats = Repeats(60)
    told = [repeats.held_back(f"text {n} of many", 0) for n in range(1000)]
    assert sum(count is not None for count in told) == Repeats.MOST_TEXTS
    assert repeats.held_back("a late text", 59) is None
    assert repeats.held_back("a late text", 60) == 0


def test_a_real_client_without_a_broker_is_heard_through_the_log():
    stream, clock = io.StringIO(), SetClock()
    log = configure(clock=clock, stream=stream, format="json")
    settings = {"bootstrap.servers": "127.0.0.1:1", "group.id": "nobody"}
    client = Consumer(settings, logger=librdkafka_logger(log, clock))
    try:
        client.subscribe(["nothing"])
        for _ in range(100):
            client.poll(0.1)
            if "refused" in stream.getvalue():
                break
    finally:
        client.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert any(line["level"] == "error" and "Connection refused" in line["message"] for line in lines)
    assert len(lines) < 10
