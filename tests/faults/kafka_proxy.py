"""A TCP proxy between one client process and its broker that knows Kafka's requests by name.

It can lose a request, lose or hold the answer to one, and tell of each request before it goes on, so that
a process can be killed at one exact step of a transaction or of a takeover. The broker names itself with its own
address; the answers that hold it are rewritten, so no client goes past the proxy.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LOOPBACK = "127.0.0.1"


class Api(IntEnum):
    """Kafka's requests by their keys (https://kafka.apache.org/protocol#protocol_api_keys); any other is `OTHER`."""

    OTHER = -1
    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    CREATE_TOPICS = 19
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_CONFIGS = 32

    @classmethod
    def _missing_(cls, _value: object) -> Api:
        return cls.OTHER


class Fate(Enum):
    """What becomes of a request."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    LOSE_REQUEST = "lose request"
    """The connection breaks before the broker hears of it."""
    LOSE_ANSWER = "lose answer"
    """The broker does it; the connection breaks before its answer comes."""
    SWALLOW_ANSWER = "swallow answer"
    """The broker does it; its answer never comes, and the connection stays."""
    HOLD_ANSWER = "hold answer"
    """The broker does it; nothing comes back on this connection until `release`."""


class Request(NamedTuple):
    """A request of the client: which, and the how manieth of its kind over all connections, from 1."""

    api: Api
    nth: int


class KafkaProxy:
    """Listens on `address` from the start of the block to its end. `judge` decides on each request, from any thread."""

    def __init__(self, broker: str, judge: Callable[[Request], Fate] = lambda _: Fate.PASS) -> None:
        self.judge = judge
        self._broker_port = int(broker.rpartition(":")[2])
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"{LOOPBACK}:{self.port}"
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._counts: dict[Api, int] = {}
        self._released = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self, carried: Api | None = None) -> None:
        """Breaks all connections, or those that carried a request of that kind."""
        with self._lock:
            found = [line for line in self._open if carried is None or carried in line.carried]
        for line in found:
            line.cut()

    def release(self) -> None:
        """Answers that were held come now."""
        self._released.set()

    # ── threads: one that accepts, two a connection ─────────────────────────────────────────────────────────────

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection((LOOPBACK, self._broker_port))
            except OSError:
                client.close()
                continue
            _Connection(self, client, broker).start()

    def number(self, api: Api) -> Request:
        """The request's number."""
        with self._lock:
            self._counts[api] = self._counts.get(api, 0) + 1
            return Request(api, self._counts[api])

    def rewritten(self, answer: bytes) -> bytes:
        """An answer with our address instead of the broker's."""
        host = LOOPBACK.encode()
        return answer.replace(
            host + struct.pack(">i", self._broker_port), host + struct.pack(">i", self.port)
        )

    def opened(self, line: _Connection) -> None:
        """A connection that `cut` should know."""
        with self._lock:
            self._open.add(line)

    def closed(self, line: _Connection) -> None:
        """It is gone."""
        with self._lock:
            self._open.discard(line)

    def wait_for_release(self) -> None:
        """Waits until held answers may come."""
        self._released.wait()


class _Connection:
    def __init__(self, proxy: KafkaProxy, client: socket.socket, broker: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._broker = broker
        self._asked: dict[int, tuple[Api, Fate]] = {}
        self.carried: set[Api] = set()
        for one in (client, broker):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        proxy.opened(self)

    def start(self) -> None:
        for work in (self._requests, self._answers):
            threading.Thread(target=self._until_broken, args=(work,), daemon=True).start()

    def _until_broken(self, work: Callable[[], None]) -> None:
        with suppress(OSError, EOFError):
            work()
        self._proxy.closed(self)
        self.cut()

    def cut(self) -> None:
        _break(self._client)
        _break(self._broker)

    def _requests(self) -> None:
        while True:
            frame = _frame(self._client)
            key, _, number = struct.unpack_from(">hhi", frame, 4)
            api = Api(key)
            self.carried.add(api)
            fate = self._proxy.judge(self._proxy.number(api))
            if fate is Fate.LOSE_REQUEST:
                return
            self._asked[number] = (api, fate)
            self._broker.sendall(frame)

    def _answers(self) -> None:
        while True:
            frame = _frame(self._broker)
            (number,) = struct.unpack_from(">i", frame, 4)
            api, fate = self._asked.pop(number)
            if fate is Fate.LOSE_ANSWER:
                return
            if fate is Fate.HOLD_ANSWER:
                self._proxy.wait_for_release()
            if fate is not Fate.SWALLOW_ANSWER:
                names_brokers = api in (Api.METADATA, Api.FIND_COORDINATOR)
                self._client.sendall(self._proxy.rewritten(frame) if names_brokers else frame)


def _frame(one: socket.socket) -> bytes:
    """The next whole message, its length in front."""
    head = _exactly(one, 4)
    return head + _exactly(one, struct.unpack(">i", head)[0])


def _exactly(one: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = one.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _break(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
