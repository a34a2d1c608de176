"""One HTTP request to a server that may do anything: refuse, hang, stop in the middle, redirect, answer nonsense."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import requests
from requests import exceptions
from urllib3.exceptions import ProtocolError

from consumer.runtime.notify.outcome import TAKEN, Failure, Outcome
from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from requests import PreparedRequest, Response

CONNECT_SECONDS = 5.0

MOST_ANSWER_BYTES = 2_000
_MOST_SAID = 160

_FORBIDDEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go. `ca_file` empty = the usual authorities; `token` is sent as a bearer's. A name and password in
    the URL are sent as basic authentication. `secrets` never stand in what is said. `timeout_seconds` may pass between
    two bytes of an answer; the whole try has a deadline of its own (`deadline.py`)."""

    url: str
    ca_file: str = ""
    timeout_seconds: float = 15.0
    token: str = ""
    secrets: tuple[str, ...] = ()


def request(
    method: str,
    address: Address,
    now_ms: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Outcome:
    """One request, one answer; no redirect is followed. Never raises, never waits for more than the status asks for."""
    own = {"User-Agent": "Sluice", **({"Content-Type": "application/json"} if body is not None else {})}
    try:
        with (
            requests.Session() as session,
            session.request(
                method,
                address.url,
                data=body,
                headers={**own, **(headers or {})},
                auth=_authorised(address),
                timeout=(CONNECT_SECONDS, address.timeout_seconds),
                allow_redirects=False,
                verify=address.ca_file or True,
                stream=True,
            ) as answer,
        ):
            return _judged(answer, address, now_ms)
    except (exceptions.RequestException, OSError, ValueError) as error:
        return Outcome(*_reason(error))


def asked_seconds(header: str | None, now_ms: int) -> float | None:
    """What `Retry-After` asks for: seconds, or a date (RFC 9110, 10.2.3).

    >>> asked_seconds("120", 0), asked_seconds("Thu, 01 Jan 1970 00:00:30 GMT", 0), asked_seconds("soon", 0)
    (120.0, 30.0, None)
    """
    if header is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}\s*", header, re.ASCII):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now_ms / 1000)
    except (ValueError, OverflowError):
        return None


def _authorised(address: Address) -> tuple[str, str] | Callable[[PreparedRequest], PreparedRequest]:
    """As requests takes it. Always something, or requests would look into ~/.netrc."""
    parts = urlsplit(address.url)
    if parts.username is not None:
        return unquote(parts.username), unquote(parts.password or "")

    def bearer(request: PreparedRequest) -> PreparedRequest:
        if address.token:
            request.headers["Authorization"] = f"Bearer {address.token}"
        return request

    return bearer


def _judged(answer: Response, address: Address, now_ms: int) -> Outcome:
    status = answer.status_code
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return TAKEN
    said = f"HTTP {status}"
    words = _words(answer, address)
    said += f": {words}" if words else ""
    asked = asked_seconds(answer.headers.get("Retry-After"), now_ms)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Outcome(Failure.RATE_LIMITED, said, asked)
    if status in _FORBIDDEN:
        return Outcome(Failure.UNAUTHORIZED, said, asked)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome(Failure.SERVER_ERROR, said, asked)
    if status < HTTPStatus.BAD_REQUEST:
        return Outcome(
            Failure.PROTOCOL, f"{said} (a redirect is not followed; set the address that it leads to)"
        )
    return Outcome(Failure.REFUSED, said, asked)


def _words(answer: Response, address: Address) -> str:
    """The beginning of the answer, where there is one, without our secrets."""
    try:
        text = answer.raw.read(MOST_ANSWER_BYTES, decode_content=True).decode("utf-8", "replace")
    except Exception:  # noqa: BLE001 - whatever is wrong with the body, the status has said what matters
        return ""
    return terminal(without(text, (address.url, *address.secrets)), _MOST_SAID)


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret blanked out."""
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return text


def _reason(error: Exception) -> tuple[Failure, str]:
    """What kind of trouble an exception stands for. Its own words are left out: they repeat the address."""
    if isinstance(error, exceptions.SSLError):
        return Failure.TLS, "no encrypted connection: the certificate or the protocol does not fit"
    if isinstance(error, exceptions.Timeout):
        return Failure.TIMEOUT, "no answer in time"
    if isinstance(error, exceptions.ConnectionError):
        inside = error.args[0] if error.args else None
        if isinstance(inside, ProtocolError):
            return Failure.PROTOCOL, "the connection was closed, or what came was no HTTP"
        return Failure.CONNECTION, "no connection: nothing listens there, or the name is not known"
    if isinstance(error, OSError) and not isinstance(error, exceptions.RequestException):
        return Failure.TLS, "ca_file cannot be used"  # requests looks for it by itself
    return Failure.PROTOCOL, "the request could not be made, or what came was no HTTP"
