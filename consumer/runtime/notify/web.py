"""One HTTP request to a server that may do anything: refuse, hang, stop in the middle, redirect, answer nonsense."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus, urlsplit

import requests
from requests import exceptions
from requests.utils import requote_uri
from urllib3.exceptions import ProtocolError

from consumer.runtime.notify.outcome import TAKEN, Failure, Outcome
from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from requests import PreparedRequest, Response

CONNECT_SECONDS = 5.0

MOST_ANSWER_BYTES = 2_000
_MOST_SAID = 160
_LEAST_SECRET = 3
"""Characters of a part of a path or query that is blanked out by itself; a shorter one would be blanked out of words."""

_FORBIDDEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go. `ca_file` empty = the usual authorities; `token` is sent as a bearer's. A name and password in
    the URL are sent as basic authentication. `secrets`, and whatever of the URL may be one, never stand in what is said.
    `path` goes behind the URL, and is no secret. `timeout_seconds` may pass between two bytes of an answer; the whole
    try has a deadline of its own (`deadline.py`)."""

    url: str
    ca_file: str = ""
    timeout_seconds: float = 15.0
    token: str = ""
    secrets: tuple[str, ...] = ()
    path: str = ""

    @property
    def target(self) -> str:
        """Where requests go, in full."""
        return self.url.rstrip("/") + self.path if self.path else self.url


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
                address.target,
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
    return terminal(without(text, (*secrets_in(address.url), address.token, *address.secrets)), _MOST_SAID)


def secrets_in(url: str) -> set[str]:
    """All of a URL that may be a secret, but for its host: who may post is told by the path (Slack), by the query
    (Teams) or by a name. As it stands there, as it is sent and as a server reads it.

    >>> sorted(secrets_in("https://host/v1/hook-a%20b?sig=s%2Ft&n=1"))  # doctest: +NORMALIZE_WHITESPACE
    ['/v1/hook-a b', '/v1/hook-a b?sig=s/t&n=1', '/v1/hook-a%20b', '/v1/hook-a%20b?sig=s%2Ft&n=1', 'hook-a b',
     'hook-a%20b', 'https://host/v1/hook-a b?sig=s/t&n=1', 'https://host/v1/hook-a%20b?sig=s%2Ft&n=1', 's%2Ft', 's/t',
     'sig=s%2Ft&n=1', 'sig=s/t&n=1']
    """
    found: set[str] = set()
    for written in (url, requote_uri(url)):
        parts = urlsplit(written)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        whole = [written, target, parts.path, parts.query, parts.fragment, parts.username, parts.password]
        words = [*parts.path.split("/"), *(word.rpartition("=")[2] for word in parts.query.split("&"))]
        found.update(part for part in whole if part and part != "/")
        found.update(word for word in words if len(word) >= _LEAST_SECRET)
    found |= {unquote(part) for part in found} | {unquote_plus(part) for part in found}
    parts = urlsplit(url)
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        found.add(b64encode(login.encode()).decode())
    return found


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret blanked out."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "…")
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
