"""What the daemon answers over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever restarts it or
sends it work. They only read; nothing can be changed from here."""

from __future__ import annotations

import errno
import json
import threading
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client import make_wsgi_app

from consumer.runtime.http_server import BoundedRequest, BoundedServer, Header

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from consumer.runtime.clock import Clock
    from consumer.runtime.health import Health
    from consumer.runtime.logs import Logger

PORTS_TO_TRY = 100
"""So many processes of one configuration fit on a host without a thought about ports."""

POLL_SECONDS = 0.1
"""How long `close` may take, and how exactly the deadline of a slow client is kept; costs nothing that can be measured."""

_INDEX = (
    b"Sluice\n\n/metrics  numbers for Prometheus\n/healthz  does the loop turn?\n/readyz   does it keep up?\n"
)


class Endpoints:
    """The HTTP server in a daemon thread of its own, from `open` to `close`."""

    def __init__(self, server: BoundedServer) -> None:
        self._server = server
        serve = partial(server.serve_forever, poll_interval=POLL_SECONDS)
        self._thread = threading.Thread(target=serve, name="endpoints", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls, host: str, port: int, registry: CollectorRegistry, health: Health, clock: Clock, log: Logger
    ) -> Endpoints:
        """Serves on `host:port`, or on the next free one of the 100 ports from there; port 0 = any free one.

        Raises OSError when the address is not ours to serve on, or when all those ports are taken.
        """

        def serve_on(candidate: int) -> BoundedServer:
            handler = partial(_Request, _Site(make_wsgi_app(registry), health, clock))
            return BoundedServer(host, candidate, handler, clock, partial(_tell, log))

        endpoints = cls(_first_free(host, port, serve_on))
        if port and endpoints.port != port:
            log.warning(
                "the endpoints' port is taken, another is used",
                effect="whoever scrapes the wanted port sees another process and takes it for this one",
                wanted_port=port,
                port=endpoints.port,
            )
        log.info("endpoints open", address=endpoints.address, wanted_port=port)
        return endpoints

    @property
    def port(self) -> int:
        """The port that was free."""
        return self._server.server_port

    @property
    def address(self) -> str:
        """`host:port`, as it stands in a URL."""
        host = self._server.server_name
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def close(self) -> None:
        """Stops serving, and cuts off whoever is still connected."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Site(NamedTuple):
    """What the pages are made from."""

    metrics: Any  # the WSGI application of prometheus_client
    health: Health
    clock: Clock


class _Request(BoundedRequest):
    def __init__(self, site: _Site, *arguments: Any) -> None:
        self._site = site
        super().__init__(*arguments)  # answers the request

    def page(self, path: str, query: str) -> None:
        health, now = self._site.health, self._site.clock.monotonic()
        match path:
            case "/metrics":
                self._metrics(query)
            case "/healthz":
                self._state("alive", health.not_alive(now))
            case "/readyz":
                self._state("ready", health.not_ready(now), health.warnings())
            case "/":
                self.answer(HTTPStatus.OK, _INDEX)
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _state(self, name: str, reasons: list[str], warnings: list[str] | None = None) -> None:
        """Warnings are said, and do not change the status: they are not for those who send or withhold work."""
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        state = {name: not reasons, "reasons": reasons} | ({"warnings": warnings} if warnings else {})
        body = json.dumps(state).encode() + b"\n"
        self.answer(status, body, [("Content-Type", "application/json")])

    def _metrics(self, query: str) -> None:
        """Format and compression as the request asks for; a request that is beyond it gets the plain text format."""
        try:
            headers, body = self._scrape(query, self.header("Accept"))
        except TypeError:  # raised by prometheus_client for a format version that is no number
            headers, body = self._scrape(query, "")
        self.answer(HTTPStatus.OK, body, headers)

    def _scrape(self, query: str, accept: str) -> tuple[list[Header], bytes]:
        headers: list[Header] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/metrics",
            "QUERY_STRING": query,
            "HTTP_ACCEPT": accept,
            "HTTP_ACCEPT_ENCODING": self.header("Accept-Encoding"),
        }
        body = self._site.metrics(environ, lambda _, given: headers.extend(given))
        return headers, b"".join(body)


def _first_free(host: str, port: int, serve_on: Callable[[int], BoundedServer]) -> BoundedServer:
    last = min(port + PORTS_TO_TRY - 1, 65_535) if port else 0
    for candidate in range(port, last + 1):
        try:
            return serve_on(candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no free port on {host} from {port} to {last}")


def _tell(log: Logger, error: BaseException | None) -> None:
    log.warning("request failed", exc_info=error)
