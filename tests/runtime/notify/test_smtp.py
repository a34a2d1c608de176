"""E-mail to servers that fail, and to one that does not."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace

import pytest
from aiosmtpd.smtp import AuthResult

from consumer.runtime.notify import smtp
from consumer.runtime.notify.outcome import TAKEN, Failure
from consumer.runtime.notify.smtp import Mailbox as Box
from consumer.runtime.notify.smtp import compose, send
from reports.notify.hearing import Change
from reports.notify.mail import mail
from reports.notify.message import Message
from tests.reports.notify.desk import START_MS
from tests.reports.sample_state import HOSTILE, alert
from tests.runtime.notify.servers import Authority, Mailbox, mail_server, nobody, raw_server

MESSAGE = Message(
    "a1-opened-0", "one", "shop", START_MS, (Change(alert("a1", message=HOSTILE, subject=HOSTILE), "opened"),)
)


def box(port, **fields):
    return replace(
        Box("127.0.0.1", port, "none", "", "", "sluice@shop.example", ("a@x.example", "b@x.example")),
        **fields,
    )


def sent(mailbox_settings, message=MESSAGE, *, plain=False):
    return send(compose(mail(message), mailbox_settings, "ops", message.at_ms, plain=plain), mailbox_settings)


def test_a_mail_arrives_whole_with_the_same_id_in_every_try():
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        assert sent(box(port)) == TAKEN
        assert sent(box(port), plain=True) == TAKEN
    (to, content), (_, again) = mailbox.mails
    assert to == ["a@x.example", "b@x.example"]
    rich, plain = (email.message_from_bytes(raw, policy=email.policy.default) for raw in (content, again))
    assert rich["Message-ID"] == plain["Message-ID"]
    assert rich["Subject"].startswith("[shop] [P0] opened: transaction_collision")
    assert [part.get_content_type() for part in rich.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert "<script" not in rich.get_body("html").get_content()
    assert plain.get_content_type() == "text/plain"
    assert rich["Auto-Submitted"] == "auto-generated"
    assert rich["Date"] == "Wed, 26 Feb 2025 10:00:00 +0000"


def test_messages_about_one_alert_are_one_conversation():
    opened = compose(mail(MESSAGE), box(1), "ops", START_MS, plain=True)
    over = replace(MESSAGE, id="a1-resolved-1", changes=(Change(alert("a1"), "resolved"),))
    ended = compose(mail(over), box(1), "ops", START_MS, plain=True)
    assert opened["References"] == ended["References"]
    assert opened["Message-ID"] != ended["Message-ID"]


@pytest.mark.parametrize(
    ("says", "failure"),
    [
        ({"rcpt": "550 no such user a@x.example"}, Failure.REFUSED),
        ({"rcpt": "450 greylisted, come back"}, Failure.SERVER_ERROR),
        ({"data": "554 looks like spam"}, Failure.REFUSED),
        ({"data": "451 try again"}, Failure.SERVER_ERROR),
        ({"data": "421 going down"}, Failure.SERVER_ERROR),
    ],
)
def test_what_the_server_refuses_has_its_name_and_repeats_no_address(says, failure):
    with mail_server(Mailbox(**says)) as port:
        outcome = sent(box(port))
    assert outcome.failure is failure
    assert "x.example" not in outcome.said


def test_a_mail_that_some_addresses_take_is_taken_and_says_how_many_do_not():
    mailbox = Mailbox(**{"b@x.example": "550 gone"})
    with mail_server(mailbox) as port:
        outcome = sent(box(port))
    assert (outcome.failure, outcome.said) == (None, "1 of 2 addresses were refused")
    assert mailbox.mails[0][0] == ["a@x.example"]


def test_starttls_and_the_login(tmp_path):
    authority, mailbox = Authority(tmp_path), Mailbox()

    def login(server, session, envelope, mechanism, data):
        return AuthResult(success=data.password == b"hunter2", handled=False)

    options = {
        "tls_context": authority.context(),
        "require_starttls": True,
        "authenticator": login,
        "auth_required": True,
    }
    with mail_server(mailbox, **options) as port:
        good = box(port, security="starttls", user="me", password="hunter2", ca_file=str(authority.file))  # noqa: S106
        assert sent(good) == TAKEN
        assert sent(replace(good, password="wrong")).failure is Failure.UNAUTHORIZED  # noqa: S106
        assert sent(replace(good, ca_file="")).failure is Failure.TLS
    assert len(mailbox.mails) == 1


def test_tls_from_the_start(tmp_path):
    authority, mailbox = Authority(tmp_path), Mailbox()
    with mail_server(mailbox, ssl_context=authority.context(), server_hostname="127.0.0.1") as port:
        assert sent(box(port, security="tls", ca_file=str(authority.file))) == TAKEN
        assert sent(box(port, security="tls")).failure is Failure.TLS


def test_a_server_without_encryption_gets_no_mail_unless_that_is_meant():
    with mail_server(Mailbox()) as port:
        assert sent(box(port, security="starttls")).failure is Failure.TLS
        assert sent(box(port, security="tls")).failure is Failure.TLS


@pytest.mark.parametrize(
    ("talk", "failure"),
    [
        (lambda _, __: None, Failure.PROTOCOL),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Failure.PROTOCOL),
        (lambda connection, _: connection.sendall(b"554 go away\r\n"), Failure.PROTOCOL),
        (lambda connection, _: connection.sendall(b"220 hello\r\n"), Failure.PROTOCOL),
        (lambda _, over: over.wait(20), Failure.TIMEOUT),
    ],
)
def test_a_server_that_is_none_or_says_nothing_is_an_outcome(talk, failure, monkeypatch):
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.3)
    with raw_server(talk) as port:
        assert sent(box(port)).failure is failure


def test_nobody_at_home_is_no_connection():
    assert sent(box(nobody())).failure is Failure.CONNECTION
    assert sent(box(25, host="no-such-host.invalid")).failure is Failure.CONNECTION
