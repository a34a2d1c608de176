"""A small HTTP server for strangers. A request may be malformed, huge or endless: none holds a thread for longer than
`LONGEST_REQUEST_SECONDS`, uses more than some kilobytes, or keeps others from being served."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable

    from consumer.runtime.clock import Clock

LONGEST_REQUEST_SECONDS = 10.0
"""From accepting a connection to the last byte of the answer; Prometheus' own default for a scrape."""

MOST_CONNECTIONS = 32
"""Open at the same time; one more, and the oldest is cut off: a scrape lives for milliseconds, a slow client long."""

MOST_REQUEST_BYTES = 16 * 1024
"""Request line and headers together. nginx and Apache take 8 KiB in a line; a scrape has some hundred bytes."""

TEXT = "text/plain; charset=utf-8"

Header = tuple[str, str]


class BoundedServer(ThreadingHTTPServer):
    """A thread and a deadline for each connection. `failed` is told of errors that are not the client's."""

    daemon_threads = True
    request_queue_size = (
        128  # a burst waits for its threads; beyond it, a client would wait a second to try again
    )

    def __init__(
        self,
        host: str,
        port: int,
        handler: Callable[..., BoundedRequest],
        clock: Clock,
        failed: Callable[[BaseException | None], object],
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._clock = clock
        self._failed = failed
        self._connections: dict[socket.socket, float] = {}  # with the time of their coming, oldest first
        self._lock = threading.Lock()
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        """Binds without HTTPServer's look-up of the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment] # text, as host is

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts the thread of a new connection."""
        with self._lock:
            self._connections[request] = self._clock.monotonic()
        self._cut_off(keep=MOST_CONNECTIONS)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Ends a connection, from its own thread."""
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called at every poll; a socket's own timeout alone would start anew with every byte."""
        self._cut_off(keep=MOST_CONNECTIONS)

    def server_close(self) -> None:
        """Stops listening and cuts off whoever is still connected."""
        super().server_close()
        self._cut_off(keep=0)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - given by socketserver
        """A client that hung up is no news; anything else is our mistake."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self._failed(error)

    def _cut_off(self, keep: int) -> None:
        too_old = self._clock.monotonic() - LONGEST_REQUEST_SECONDS
        with self._lock:
            surplus = len(self._connections) - keep
            ages = enumerate(self._connections.items())
            doomed = [request for n, (request, since) in ages if n < surplus or since < too_old]
        for request in doomed:
            with suppress(OSError):  # already closed by its own thread
                request.shutdown(socket.SHUT_RDWR)


class BoundedRequest(BaseHTTPRequestHandler):
    """One GET or HEAD per connection (HTTP/1.0): nothing to keep open, nothing to confuse. Subclasses answer it."""

    timeout = LONGEST_REQUEST_SECONDS
    server_version = "Sluice"

    def page(self, path: str, query: str) -> None:
        """Answers the request for a page with one call of `answer` or `send_error`."""
        raise NotImplementedError

    def setup(self) -> None:
        """Bounds what will be read."""
        super().setup()
        self.rfile: Any = _AtMost(self.rfile, MOST_REQUEST_BYTES)

    def do_GET(self) -> None:
        """Called by http.server once the headers are read."""
        if self.rfile.spent:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            path, _, query = self.path.partition("?")
            self.page(path, query)

    def do_HEAD(self) -> None:
        """As GET; `answer` leaves the body out."""
        self.do_GET()

    def answer(
        self, status: HTTPStatus, body: bytes, headers: Iterable[Header] = (("Content-Type", TEXT),)
    ) -> None:
        """Sends the whole answer."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def header(self, name: str) -> str:
        """A header of the request; empty if it is missing or has line ends in it (an old way to fold long ones)."""
        value: str = self.headers.get(name, "")
        return value if value.isprintable() else ""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - http.server's texts quote the request, which is not ours to repeat
        """Answers with the code's own words only."""
        if code == HTTPStatus.NOT_IMPLEMENTED:  # http.server's answer to every method without a do_METHOD
            code = HTTPStatus.METHOD_NOT_ALLOWED
        allow = [("Allow", "GET, HEAD")] if code == HTTPStatus.METHOD_NOT_ALLOWED else []
        status = HTTPStatus(code)
        self.answer(status, f"{status.phrase}\n".encode(), [("Content-Type", TEXT), *allow])

    def version_string(self) -> str:
        """The product alone, without the versions of what it runs on."""
        return self.server_version

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nothing: a scrape every few seconds is not worth telling."""


class _AtMost:
    """The first bytes of a stream, then its end; with only the methods that http.server calls."""

    def __init__(self, stream: io.BufferedIOBase, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes

    @property
    def spent(self) -> bool:
        return self._left <= 0

    def readline(self, limit: int) -> bytes:
        line = self._stream.readline(min(limit, self._left))
        self._left -= len(line)
        return line

    def close(self) -> None:
        self._stream.close()
