"""One e-mail to a server that speaks SMTP, with everything that can go wrong on the way."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Literal

from consumer.runtime.notify.outcome import TAKEN, Failure, Outcome

if TYPE_CHECKING:
    from reports.notify.mail import Mail

STEP_SECONDS = 15.0
"""For each answer of the server; the whole try has a deadline of its own (`deadline.py`)."""

_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class Mailbox:
    """How mail leaves: the server, how the connection is encrypted, who logs in (empty = nobody), from whom to whom."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str
    password: str
    sender: str
    to: tuple[str, ...]
    ca_file: str = ""


def compose(made: Mail, box: Mailbox, receiver: str, at_ms: int, *, plain: bool) -> EmailMessage:
    """The e-mail with its headers; the same message has the same `Message-ID` in every try."""
    domain = box.sender.rpartition("@")[2]
    message = EmailMessage()
    message["Subject"] = made.subject
    message["From"] = box.sender
    message["To"] = ", ".join(box.to)
    message["Date"] = format_datetime(datetime.fromtimestamp(at_ms // 1000, UTC))
    message["Message-ID"] = f"<{made.id}.{receiver}@{domain}>"
    message["References"] = f"<{made.thread}.{receiver}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
    message.set_content(made.text)
    if not plain:
        message.add_alternative(made.html, subtype="html")
    return message


def send(message: EmailMessage, box: Mailbox) -> Outcome:
    """One try. An e-mail that at least one address takes is taken. Never raises."""
    try:
        context = ssl.create_default_context(cafile=box.ca_file or None)
        with _connection(box, context) as server:
            if box.security == "starttls":
                server.starttls(context=context)
            if box.user:
                server.login(box.user, box.password)
            refused = server.send_message(message)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return _judged(error)
    return Outcome(None, f"{len(refused)} of {len(box.to)} addresses were refused") if refused else TAKEN


def _connection(box: Mailbox, context: ssl.SSLContext) -> smtplib.SMTP:
    if box.security == "tls":
        return smtplib.SMTP_SSL(box.host, box.port, timeout=STEP_SECONDS, context=context)
    return smtplib.SMTP(box.host, box.port, timeout=STEP_SECONDS)


def _judged(error: Exception) -> Outcome:
    """What kind of trouble it is. The server's own words are left out: they may repeat addresses."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return Outcome(Failure.UNAUTHORIZED, f"the login was refused ({error.smtp_code})")
        case smtplib.SMTPNotSupportedError():
            return Outcome(Failure.TLS, "the server does not offer what security or the login needs")
        case smtplib.SMTPRecipientsRefused():
            codes = [code for code, _ in error.recipients.values()]
            lasting = all(code >= _PERMANENT for code in codes)
            return Outcome(
                Failure.REFUSED if lasting else Failure.SERVER_ERROR,
                f"every address was refused ({min(codes)})",
            )
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, TimeoutError):
            return Outcome(Failure.TIMEOUT, "no answer in time")
        case smtplib.SMTPConnectError() | smtplib.SMTPServerDisconnected():
            return Outcome(Failure.PROTOCOL, "the connection was closed, or what came was no SMTP")
        case smtplib.SMTPResponseException():
            lasting = error.smtp_code >= _PERMANENT
            return Outcome(
                Failure.REFUSED if lasting else Failure.SERVER_ERROR,
                f"the mail was refused ({error.smtp_code})",
            )
        case ssl.SSLError():
            return Outcome(
                Failure.TLS, "no encrypted connection: the certificate or the protocol does not fit"
            )
        case TimeoutError():
            return Outcome(Failure.TIMEOUT, "no answer in time")
        case smtplib.SMTPException():
            return Outcome(Failure.PROTOCOL, "what came was no SMTP")
        case OSError():
            return Outcome(
                Failure.CONNECTION, "no connection: nothing listens there, or the name is not known"
            )
        case _:
            return Outcome(Failure.UNKNOWN, "the mail could not be made")
