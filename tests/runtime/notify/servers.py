"""Receivers' servers on this machine, which fail in all the ways such servers fail."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import parse_headers

import trustme
from aiosmtpd.controller import Controller

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(status, body=b"", **headers):
    """A whole answer; underscores in names of headers are hyphens."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Request:
    """What came."""

    line: str
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """An HTTP server. `behaviour` answers each request: bytes to send, or a word for a way to fail:

    hang    takes the request and says nothing more
    drip    sends a byte of headers every 50 ms, for ever
    close   closes the connection without an answer
    reset   resets it
    cut     says how long its answer is, and closes in the middle
    """

    port: int
    behaviour: list = field(default_factory=lambda: [OK])
    requests: list = field(default_factory=list)
    taken: list = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def next(self):
        """The next behaviour; the last one stays."""
        return self.behaviour.pop(0) if len(self.behaviour) > 1 else self.behaviour[0]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        receiver = self.server.receiver
        line = self.rfile.readline().decode("latin-1").strip()
        if not line:
            return
        headers = dict(parse_headers(self.rfile).items())
        body = self.rfile.read(int(headers.get("Content-Length", 0)))
        request = Request(line, headers, body)
        receiver.requests.append(request)
        behaviour = receiver.next()
        if isinstance(behaviour, bytes):
            if behaviour.startswith(b"HTTP/1.1 2"):
                receiver.taken.append(request)
            self.wfile.write(behaviour)
        else:
            getattr(self, f"_{behaviour}")()

    def _hang(self):
        self.server.over.wait(60)

    def _drip(self):
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")

    def _close(self):
        pass

    def _reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    def _cut(self):
        self.receiver_takes_it_all_the_same()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")

    def receiver_takes_it_all_the_same(self):
        receiver = self.server.receiver
        receiver.taken.append(receiver.requests[-1])


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.over = threading.Event()
        self.context = context
        self.receiver = Receiver(self.server_address[1])

    def get_request(self):
        connection, address = super().get_request()
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True)
        return connection, address

    def handle_error(self, request, client_address):
        """A client that hangs up, or likes no certificate, is what is tested."""


@contextmanager
def http_server(*behaviour, context=None):
    """A running server."""
    server = _Server(context)
    if behaviour:
        server.receiver.behaviour = list(behaviour)
    if context is not None:
        server.receiver.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


def nobody():
    """A port at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Authority:
    """Certificates for 127.0.0.1 and for elsewhere, and the file to check them with."""

    def __init__(self, folder):
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def context(self, name="127.0.0.1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(name).configure_cert(context)
        return context


class Mailbox:
    """What a mail server that works was given; `says` are answers to RCPT, DATA by name."""

    def __init__(self, **says):
        self.mails = []
        self.says = says

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        said = self.says.get(address) or self.says.get("rcpt")
        if said:
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        if said := self.says.get("data"):
            return said
        self.mails.append((list(envelope.rcpt_tos), envelope.content))
        return "250 taken"


@contextmanager
def mail_server(mailbox, **options):
    """A running server; yields its port."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=nobody(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop(no_assert=True)


@contextmanager
def raw_server(talk):
    """A server that lets `talk(connection, over)` do with each connection what it likes; yields its port."""
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with suppress(OSError):
                talk(self.request, over)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        over.set()
        server.shutdown()
        server.server_close()
