"""HTTP to servers that fail: every way to fail is an outcome in words, none an exception, none hangs, none tells a secret."""

from __future__ import annotations

import threading

import pytest

from consumer.runtime.notify.deadline import MOST_LEFT, Deadline
from consumer.runtime.notify.outcome import TAKEN, Failure, Outcome
from consumer.runtime.notify.web import Address, request
from tests.runtime.notify.servers import OK, Authority, answer, http_server, nobody, raw_server
from tests.waiting import wait_until

SECRET = "hunter2"  # noqa: S105 - of a test


def posted(url, **fields):
    address = Address(f"{url}/services/{SECRET}", timeout_seconds=0.5, secrets=(SECRET,), **fields)
    outcome = request("POST", address, 0, b"{}", {"x-own": "1"})
    assert SECRET not in outcome.said
    return outcome


def test_a_message_that_is_taken_needs_no_more_words():
    with http_server(OK) as receiver:
        assert posted(receiver.url) == TAKEN
    (came,) = receiver.requests
    assert came.line == f"POST /services/{SECRET} HTTP/1.1"
    assert (came.body, came.headers["Content-Type"], came.headers["x-own"]) == (
        b"{}",
        "application/json",
        "1",
    )


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        (answer(500, b"oh"), Failure.SERVER_ERROR),
        (answer(503, b"busy", Retry_After="7"), Failure.SERVER_ERROR),
        (answer(429, b"slowly", Retry_After="30"), Failure.RATE_LIMITED),
        (answer(400, b"invalid_blocks"), Failure.REFUSED),
        (answer(413), Failure.REFUSED),
        (answer(401), Failure.UNAUTHORIZED),
        (answer(403, b"invalid_token hunter2"), Failure.UNAUTHORIZED),
        (answer(404, b"no_team"), Failure.UNAUTHORIZED),
        (answer(302, Location="http://127.0.0.1:1/"), Failure.PROTOCOL),
        (b"SSH-2.0-OpenSSH\r\n", Failure.PROTOCOL),
        (b"HTTP/1.1 wonderful\r\n\r\n", Failure.PROTOCOL),
        (b"\x00\xff" * 50_000, Failure.PROTOCOL),
        ("close", Failure.PROTOCOL),
        ("reset", Failure.PROTOCOL),
        ("hang", Failure.TIMEOUT),
    ],
)
def test_every_way_to_fail_has_its_name(behaviour, failure):
    with http_server(behaviour) as receiver:
        outcome = posted(receiver.url)
    assert outcome.failure is failure
    assert outcome.said.isprintable()
    assert len(outcome.said) < 300


def test_an_answer_that_is_cut_off_counts_by_its_status():
    with http_server("cut") as receiver:
        assert posted(receiver.url) == TAKEN


def test_a_server_says_how_long_it_wants_to_be_left_alone():
    with http_server(
        answer(429, Retry_After="30"), answer(503, Retry_After="Thu, 01 Jan 1970 00:01:00 GMT")
    ) as receiver:
        assert posted(receiver.url).asked_seconds == 30
        assert posted(receiver.url).asked_seconds == 60


def test_nobody_at_home_and_no_such_name_are_no_connection():
    for url in (f"http://127.0.0.1:{nobody()}", "http://no-such-host.invalid"):
        assert posted(url).failure is Failure.CONNECTION


def test_a_certificate_is_checked(tmp_path):
    authority = Authority(tmp_path)
    with http_server(OK, context=authority.context()) as receiver:
        assert posted(receiver.url).failure is Failure.TLS
        assert posted(receiver.url, ca_file=str(authority.file)) == TAKEN
    with http_server(OK, context=authority.context("elsewhere.example")) as receiver:
        assert posted(receiver.url, ca_file=str(authority.file)).failure is Failure.TLS


def test_tls_to_a_server_without_it_and_the_other_way_round(tmp_path):
    with raw_server(lambda connection, _: connection.sendall(answer(400))) as port:
        assert posted(f"https://127.0.0.1:{port}").failure is Failure.TLS
    with http_server(OK, context=Authority(tmp_path).context()) as receiver:
        assert posted(receiver.url.replace("https:", "http:")).failure is Failure.PROTOCOL


def test_a_ca_file_that_holds_no_certificate_is_said(tmp_path):
    odd = tmp_path / "ca.pem"
    odd.write_text("nothing")
    with http_server(OK, context=Authority(tmp_path / "..").context()) as receiver:
        assert posted(receiver.url, ca_file=str(odd)).failure is Failure.TLS
        assert posted(receiver.url, ca_file=str(tmp_path / "missing")).failure is Failure.TLS


def test_a_token_and_a_name_in_the_address_are_sent_and_netrc_is_not_read(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with http_server(OK) as receiver:
        request("POST", Address(receiver.url), 0, b"")
        request("POST", Address(receiver.url, token="abc"), 0, b"")  # noqa: S106 - of a test
        request("POST", Address(receiver.url.replace("//", "//me:p%40ss@")), 0, b"")
    assert [came.headers.get("Authorization") for came in receiver.requests] == [
        None,
        "Bearer abc",
        "Basic bWU6cEBzcw==",
    ]


def test_a_server_that_drips_holds_nobody_for_longer_than_the_deadline():
    with http_server("drip") as receiver:
        deadline = Deadline("ops", 0.3)
        address = Address(receiver.url, timeout_seconds=5)
        outcome = deadline.run(lambda: request("POST", address, 0, b""))
    assert outcome == Outcome(Failure.TIMEOUT, "no answer within 0.3 s")


def test_a_server_that_never_greets_is_a_timeout():
    with raw_server(lambda _, over: over.wait(30)) as port:
        assert posted(f"http://127.0.0.1:{port}").failure is Failure.TIMEOUT


def test_calls_that_hang_are_left_behind_but_not_without_end():
    over = threading.Event()
    deadline = Deadline("ops", 0.01)
    begun = []

    def hang():
        begun.append(1)
        over.wait(30)
        return TAKEN

    outcomes = [deadline.run(hang) for _ in range(MOST_LEFT + 3)]
    assert {outcome.failure for outcome in outcomes} == {Failure.TIMEOUT}
    assert len(begun) == MOST_LEFT
    over.set()
    wait_until(lambda: deadline.run(lambda: TAKEN) == TAKEN, 10, "further calls")


def test_a_mistake_in_a_channel_is_an_outcome():
    def wrong():
        raise ZeroDivisionError(SECRET)

    outcome = Deadline("ops", 5).run(wrong)
    assert outcome == Outcome(Failure.UNKNOWN, "unexpected: ZeroDivisionError")


ECHOES = {
    "request line": "no such hook /hook/TOPSECRETPATH?token=TOPSECRETQ&sig=a%2FSECRETSIG Bearer TOPSECRETB",
    "json": '{"path": "\\/hook\\/TOPSECRETPATH", "query": {"sig": "a/SECRETSIG", "token": "TOPSECRETQ"}}',
    "path": "path=/hook/TOPSECRETPATH",
    "decoded": "no sig a/SECRETSIG",
    "user": "who is SECRETUSER with p@ssSECRET, key KEYSECRET?",
    "authorization": "Basic U0VDUkVUVVNFUjpwQHNzU0VDUkVU",
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_an_answer_that_repeats_the_request_is_quoted_without_any_secret(echo):
    with http_server(answer(403, echo.encode())) as receiver:
        named = receiver.url.replace("//", "//SECRETUSER:p%40ssSECRET@")
        said = request(
            "POST",
            Address(
                f"{named}/hook/TOPSECRETPATH?token=TOPSECRETQ&sig=a%2FSECRETSIG",
                token="TOPSECRETB",  # noqa: S106 - of a test
                secrets=("KEYSECRET",),
            ),
            0,
            b"{}",
        ).said
    assert said.startswith("HTTP 403: ")
    assert "SECRET" not in said
    assert "U0VDUkVU" not in said


def test_what_is_no_secret_of_an_answer_is_quoted():
    with http_server(answer(400, b"v2: alerts without labels")) as receiver:
        address = Address(receiver.url, path="/api/v2/alerts")
        assert request("POST", address, 0, b"{}").said == "HTTP 400: v2: alerts without labels"
