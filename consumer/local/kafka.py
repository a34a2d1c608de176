"""Apache Kafka itself, one node, started by this process and gone with it; nothing but Python packages is needed.

>>> with EmbeddedKafka() as kafka:  # doctest: +SKIP
...     print(kafka.bootstrap_servers)
127.0.0.1:24680
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from consumer.local import ports
from consumer.local.broker_error import BrokerError
from consumer.local.jars import class_path
from consumer.local.kafka_server import KafkaServer
from consumer.local.server_properties import controller_properties, server_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["BrokerError", "EmbeddedKafka"]

HEAP_MEGABYTES = 512

_PORT_TRIES = 5


class EmbeddedKafka:
    """A single Kafka node on the loopback address: broker and controller in one.

    `data_dir` keeps the records over stops (it is made and formatted on first use); without one they are in a
    temporary folder that goes with `stop`, or with this process. `port` is picked where None. `properties` are
    Kafka's own settings on top of those in `server_properties.py`, `listeners` are ports by listener on top of the node's
    own, such as SASL_SSL. `java_options` are on top of those in `java.py`. `notice` is told when the jars are downloaded.
    Every failure is a BrokerError. Not for several threads.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        *,
        properties: Mapping[str, str] | None = None,
        listeners: Mapping[str, int] | None = None,
        heap_megabytes: int = HEAP_MEGABYTES,
        java_options: Sequence[str] = (),
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._given_dir = data_dir
        self._port = port
        self._properties = dict(properties or {})
        self._listeners = dict(listeners or {})
        self._heap_megabytes = heap_megabytes
        self._java_options = tuple(java_options)
        self._notice = notice
        self._server: KafkaServer | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients, "127.0.0.1:PORT"; the same from the first start on."""
        if self._port is None:
            raise BrokerError("The embedded Kafka has no address before its first start.")
        return f"{ports.LOOPBACK}:{self._port}"

    @property
    def data_dir(self) -> Path:
        """The folder with the records (`log`), `server.properties` and the server's log (`broker.log`)."""
        if self._server is None:
            raise BrokerError("The embedded Kafka has no data folder before its start or after its stop.")
        return self._server.folder.path

    @property
    def pid(self) -> int | None:
        """Process id of the server that was started last, None after `stop`."""
        return None if self._server is None else self._server.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Return once the server answers; after a failure nothing of it is left. A running one is left alone."""
        if self.running():
            return
        try:
            if self._server is None:
                self._server = KafkaServer(
                    class_path(self._notice), self._heap_megabytes, self._given_dir, self._java_options
                )
            self._port = self._serve(self._server)
        except BaseException:
            self.stop()
            raise

    def running(self, wait_seconds: float = 0.0) -> bool:
        """Whether the server runs, still so after a wait that ends early when it does."""
        return self._server is not None and self._server.running(wait_seconds)

    def kill(self) -> None:
        """End the server by SIGKILL; its records stay for `start` or `restart`."""
        if self._server is not None:
            self._server.kill()

    def restart(self) -> None:
        """Stop the server if it runs and start it on the same port with the same records."""
        if self._server is not None:
            self._server.end()
        self.start()

    def stop(self) -> None:
        """End the server, by SIGKILL if it takes too long; a temporary data folder goes. Safe to call at any time."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def last_words(self) -> str:
        """Why the server ended: the signal that ended it, or one line of its log."""
        return self._server.last_words() if self._server else "it was not started"

    def _serve(self, server: KafkaServer) -> int:
        """Bring the server up and give its port; a picked one that another process takes meanwhile is given up."""
        for _ in range(_PORT_TRIES):
            port = self._port or ports.pick()
            if not ports.is_free(port):
                raise BrokerError(
                    f"Port {port} on {ports.LOOPBACK} is in use by another program; choose another port."
                )
            settings = server_properties(port, ports.pick(), self._properties, self._listeners)
            if server.comes_up(port, settings, controller_properties(ports.pick(), self._properties)):
                return port
        raise BrokerError(f"The embedded Kafka found no port of {ports.LOOPBACK} that stayed free.")
