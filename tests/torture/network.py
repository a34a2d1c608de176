"""A process's way to the broker, which can be cut, frozen, slowed down, or trapped at one kind of request."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from tests.faults.kafka_proxy import Api, Fate, KafkaProxy, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Way:
    """One process's connections, all through a proxy at `address`."""

    def __init__(self, broker: str) -> None:
        self._proxy = KafkaProxy(broker, self._judge)
        self._flows = threading.Event()
        self._flows.set()
        self._slow = threading.Event()
        self._delay_seconds = 0.0
        self._lock = threading.Lock()
        self._trap: tuple[Api, Callable[[], Fate]] | None = None

    def __enter__(self) -> Self:
        self._proxy.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()
        self._proxy.__exit__(kind, error, trace)

    @property
    def address(self) -> str:
        """Where the process finds its broker."""
        return self._proxy.address

    def cut(self, carried: Api | None = None) -> None:
        """Breaks all connections, or those that carried a request of that kind."""
        self._proxy.cut(carried)

    def freeze(self) -> None:
        """Nothing goes on from here; connections stay."""
        self._flows.clear()

    def thaw(self) -> None:
        """It goes on."""
        self._flows.set()

    def slow_down(self, seconds: float) -> None:
        """Each request takes that much longer."""
        self._delay_seconds = seconds

    def trap(self, api: Api, spring: Callable[[], Fate]) -> None:
        """The next request of that kind springs it, and has the fate that comes of it."""
        with self._lock:
            self._trap = api, spring

    def heal(self) -> None:
        """Nothing is in the way any more."""
        with self._lock:
            self._trap = None
        self._delay_seconds = 0.0
        self._flows.set()

    def _judge(self, request: Request) -> Fate:
        spring = None
        with self._lock:
            if self._trap is not None and self._trap[0] is request.api:
                spring, self._trap = self._trap[1], None
        fate = Fate.PASS if spring is None else spring()
        self._flows.wait()
        if self._delay_seconds:
            self._slow.wait(self._delay_seconds)
        return fate
