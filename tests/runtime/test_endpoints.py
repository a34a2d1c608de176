import contextlib
import gzip
import http.client
import io
import json
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.runtime.clock import SystemClock
from consumer.runtime.endpoints import PORTS_TO_TRY, Endpoints
from consumer.runtime.health import Health
from consumer.runtime.http_server import LONGEST_REQUEST_SECONDS, MOST_CONNECTIONS, MOST_REQUEST_BYTES
from consumer.runtime.logs import configure
from consumer.runtime.metrics import Metrics

DEADLINE_SECONDS = 30


class SetClock:
    """A clock that stands where the test put it."""

    def __init__(self):
        self.seconds = 1000.0

    def now_ms(self):
        return int(self.seconds * 1000)

    def monotonic(self):
        return self.seconds


class Site:
    """A daemon's endpoints with everything behind them."""

    def __init__(self, port=0, host="127.0.0.1"):
        self.clock = SetClock()
        self.health = Health(60, self.clock.monotonic())
        self.metrics = Metrics({"version": "1.2.3"}, ("purchase_invalid",), ("directory",))
        self.logged = io.StringIO()
        log = configure(clock=SystemClock(), stream=self.logged, format="json")
        self.endpoints = Endpoints.open(host, port, self.metrics.registry, self.health, self.clock, log)

    def ask(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.endpoints.port, timeout=DEADLINE_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response, response.read()

    def send(self, data):
        """The answer to raw bytes, b"" when the connection was cut."""
        with self.connect() as client, contextlib.suppress(ConnectionError):
            client.sendall(data)
            return received(client)
        return b""

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.endpoints.port), timeout=DEADLINE_SECONDS)


def received(client):
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture
def site():
    site = Site()
    yield site
    site.endpoints.close()


def test_a_scrape_is_what_prometheus_reads(site):
    site.metrics.open_sessions(7)
    response, body = site.ask("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert int(response.headers["Content-Length"]) == len(body)
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert families["sluice_open_sessions"].samples[0].value == 7
    assert "process_cpu_seconds" in families


def test_a_scrape_can_be_compressed_in_another_format_and_narrowed(site):
    accept = "application/openmetrics-text;version=1.0.0"
    response, body = site.ask(
        "/metrics?name[]=sluice_events_total", Accept=accept, **{"Accept-Encoding": "gzip"}
    )
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    text = gzip.decompress(body).decode()
    assert text.endswith("# EOF\n")
    assert {line.split()[0] for line in text.splitlines() if line[0] != "#"} == {"sluice_events_total"}


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=x", "text/plain;version=1.y", ";;=,", "\x7f"]
)
def test_an_accept_header_that_makes_no_sense_gets_the_plain_format(site, accept):
    response, body = site.ask("/metrics", Accept=accept)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"sluice_events_total 0.0" in body


def test_alive_while_the_loop_turns_and_not_when_it_stopped(site):
    response, body = site.ask("/healthz")
    assert (response.status, json.loads(body)) == (200, {"alive": True, "reasons": []})
    site.clock.seconds += 61
    response, body = site.ask("/healthz")
    assert response.status == 503
    assert json.loads(body) == {"alive": False, "reasons": ["the loop has not turned for 61 s"]}
    site.health.turned(site.clock.monotonic())
    assert site.ask("/healthz")[0].status == 200


def test_ready_only_when_assigned_restored_and_caught_up_and_the_reasons_are_said(site):
    def ready():
        response, body = site.ask("/readyz")
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(body)

    assert ready() == (503, {"ready": False, "reasons": ["not connected to Kafka yet"]})
    site.health.set("assigned", ready=True)
    site.health.set("partition 3", ready=False, reason="restoring partition 3")
    site.health.set("lag", ready=False, reason="90000 records behind")
    assert ready() == (503, {"ready": False, "reasons": ["restoring partition 3", "90000 records behind"]})
    site.health.drop("partition 3")
    site.health.set("lag", ready=True)
    assert ready() == (200, {"ready": True, "reasons": []})
    site.clock.seconds += 100
    assert ready() == (503, {"ready": False, "reasons": ["the loop has not turned for 100 s"]})


def test_a_warning_is_said_and_withholds_no_work(site):
    site.health.set("assigned", ready=True)
    site.health.warn("settings", "the numbers do not fit together")
    response, body = site.ask("/readyz")
    assert response.status == 200
    assert json.loads(body) == {
        "ready": True,
        "reasons": [],
        "warnings": ["the numbers do not fit together"],
    }
    site.health.warn("settings", "")
    assert json.loads(site.ask("/readyz")[1]) == {"ready": True, "reasons": []}


def test_a_process_that_is_not_ready_is_alive_all_the_same(site):
    assert site.ask("/healthz")[0].status == 200
    assert site.ask("/readyz")[0].status == 503


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/nothing"])
def test_head_is_get_without_the_body(site, path):
    get, body = site.ask(path)
    head, nothing = site.ask(path, "HEAD")
    assert (head.status, nothing) == (get.status, b"")
    # The numbers in /metrics move between two requests, the memory of the process for one.
    assert path == "/metrics" or int(head.headers["Content-Length"]) == len(body)


def test_the_index_names_the_pages(site):
    _, body = site.ask("/")
    assert {word for word in body.decode().split() if word.startswith("/")} == {
        "/metrics",
        "/healthz",
        "/readyz",
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW", "get"])
def test_other_methods_are_refused_and_told_which_ones_work(site, method):
    response, body = site.ask("/metrics", method)
    assert (response.status, response.headers["Allow"], body) == (405, "GET, HEAD", b"Method Not Allowed\n")


@pytest.mark.parametrize(
    "path", ["/metrics/", "/../etc/passwd", "/%2e%2e/", "//[", "/favicon.ico", "http:/metrics", "*"]
)
def test_there_are_no_other_pages_and_an_answer_repeats_nothing_of_the_request(site, path):
    response, body = site.ask(path)
    assert (response.status, body) == (404, b"Not Found\n")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics FTP/1.0\r\n\r\n",
        b"<script>\x1b[2J /x HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"x" * 10**6 + b"\r\n\r\n",
        b"GET /" + b"x" * 10**6 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 10**5,
        b"GET /metrics HTTP/1.0\r\nAccept: text/plain;version=1.0.0\r\n ;escaping=x\r\nInjected: yes\r\n\r\n",
    ],
)
def test_malformed_and_huge_requests_are_refused_in_silence_and_hurt_nobody(site, data):
    before = site.logged.getvalue()
    answer = site.send(data)
    head = answer.partition(b"\r\n\r\n")[0]
    assert b"Injected" not in head
    assert b"<script" not in answer
    assert site.ask("/healthz")[0].status == 200
    assert site.logged.getvalue() == before


def test_headers_beyond_the_bound_are_refused_with_431(site):
    padding = b"x: " + b"x" * MOST_REQUEST_BYTES
    with site.connect() as client:
        client.sendall((b"GET / HTTP/1.1\r\n" + padding)[:MOST_REQUEST_BYTES])
        assert received(client).startswith(b"HTTP/1.0 431 ")


def test_many_slow_clients_do_not_keep_prometheus_out(site):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(site.connect()) for _ in range(3 * MOST_CONNECTIONS)]
        for client in slow:
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET /metrics HT")
        assert site.ask("/metrics")[0].status == 200
        for client in slow[:-MOST_CONNECTIONS]:
            with contextlib.suppress(ConnectionError):
                assert received(client) == b""


def test_a_client_that_sends_a_byte_now_and_then_is_cut_off_at_the_deadline(site):
    with site.connect() as client:
        client.sendall(b"GET /metrics HT")
        assert site.ask("/healthz")[0].status == 200
        site.clock.seconds += LONGEST_REQUEST_SECONDS + 1
        assert received(client) == b""


def test_a_taken_port_moves_on_to_the_next_free_one_with_a_warning_that_names_both(site):
    other = Site(port=site.endpoints.port)
    with contextlib.closing(other.endpoints):
        assert site.endpoints.port < other.endpoints.port < site.endpoints.port + PORTS_TO_TRY
        assert other.ask("/healthz")[0].status == 200
        warning, line = map(json.loads, other.logged.getvalue().splitlines())
    assert warning["level"] == "warning"
    assert (warning["wanted_port"], warning["port"]) == (site.endpoints.port, other.endpoints.port)
    assert line["event"] == "endpoints open"
    assert line["address"] == other.endpoints.address == f"127.0.0.1:{other.endpoints.port}"
    assert line["wanted_port"] == site.endpoints.port


def test_a_port_that_is_free_or_any_is_no_warning(site):
    free = site.endpoints.port
    site.endpoints.close()
    again = Site(port=free)
    again.endpoints.close()
    for one in (site, again):
        assert json.loads(one.logged.getvalue())["level"] == "info"


def test_no_free_port_is_said_in_words(site, monkeypatch):
    monkeypatch.setattr("consumer.runtime.endpoints.PORTS_TO_TRY", 1)
    with pytest.raises(OSError, match=rf"no free port on 127\.0\.0\.1 from {site.endpoints.port}"):
        Site(port=site.endpoints.port)


def test_an_address_that_is_not_ours_is_an_error_at_once():
    with pytest.raises(OSError, match=r"(?i)assign|address"):
        Site(port=9464, host="192.0.2.1")


def test_a_closed_port_can_be_had_again_at_once():
    first = Site()
    first.endpoints.close()
    again = Site(port=first.endpoints.port)
    with contextlib.closing(again.endpoints):
        assert again.endpoints.port == first.endpoints.port
