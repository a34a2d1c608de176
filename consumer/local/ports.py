"""Ports of the loopback address for servers that this process starts."""

from __future__ import annotations

import errno
import secrets
import socket

from consumer.local.broker_error import BrokerError

LOOPBACK = "127.0.0.1"

FIRST, LAST = 20_000, 32_000
"""Where ports are picked: below those that Linux (32768 on) and macOS (49152 on) give to outgoing connections,
so that a port stays ours while its server is down between a crash and a restart."""

_TRIES = 100


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now. A port that needs more rights counts as free: the server's own
    sentence then says what is missing."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def pick() -> int:
    """A free port, at random; whoever starts a server on it must still be ready to lose it to another process."""
    for _ in range(_TRIES):
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if is_free(port):
            return port
    raise BrokerError(f"No port from {FIRST} to {LAST} is free on {LOOPBACK}.")
