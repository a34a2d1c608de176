"""`sluice run`: the daemon."""

from __future__ import annotations

import signal
import socket
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from consumer.cli.collector import collect_rarely
from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.exits import NotPossibleError
from consumer.cli.roles_option import roles_option
from consumer.runtime.app import App, Parts
from consumer.runtime.clock import SystemClock
from consumer.runtime.logs import configure
from consumer.runtime.transport import Fatal

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

_ENDS = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
"""Signals that end it in order. Settings and contract are read at the start, so a hang-up, which others take for "read
them anew", is the first half of a restart."""


@click.command("run")
@roles_option
@config_option
def command(roles: tuple[str, ...], config: Path | None) -> None:
    """Run the daemon: gate events, watch the days, keep the daily files true.

    Start as many as the input topic has partitions to share; Kafka moves partitions between them, and any of them may
    be killed at any moment. Ctrl-C, SIGTERM or SIGHUP ends it in order. /metrics, /healthz and /readyz are served on
    127.0.0.1:9464 unless [metrics] says otherwise.

    \b
    Example:
      sluice run --config sluice.toml
      SLUICE_KAFKA_BOOTSTRAP_SERVERS=broker:9092 sluice run
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    settings = settings_of(config)
    contract = contract_of(settings)
    clock = SystemClock()
    log = configure(clock=clock, format=settings.log.format, level=settings.log.level)
    collect_rarely()
    stop = threading.Event()
    _stop_on_signals(stop)
    parts = Parts(settings, contract, roles, version("sluice"), clock, log)
    app = App(parts)
    log.info(
        "starting",
        version=parts.version,
        roles=parts.roles,
        group=settings.group,
        instance=app.instance,
        brokers=settings.kafka.get("bootstrap.servers"),
        contract=contract.label,
    )
    try:
        app.run(stop)
    except Fatal as error:
        log.critical("stopped", reason=str(error))
        raise NotPossibleError(str(error)) from None
    log.info("ended in order")


def _stop_on_signals(stop: threading.Event) -> None:
    """The first signal ends in order; a second one at once (nothing is lost by that).

    `stop` is set by a thread that the interpreter wakes: a handler runs in the main thread only, which may hang in the
    Kafka client, or hold the very lock that `stop` is set with.
    """
    signals = 0

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    ear, mouth = socket.socketpair()
    mouth.setblocking(False)  # noqa: FBT003 - the library's signature

    def hear() -> None:
        with ear, mouth:  # for as long as the process lives
            while True:
                if ear.recv(1)[0] in _ENDS:
                    stop.set()

    signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    for number in _ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` means it
            signal.signal(number, handle)
    threading.Thread(target=hear, name="signals", daemon=True).start()
