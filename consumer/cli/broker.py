"""`sluice broker`: the embedded Apache Kafka alone, in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from consumer.cli.exits import NotPossibleError
from consumer.local.jars import KAFKA_VERSION
from consumer.local.kafka import BrokerError, EmbeddedKafka

_LOOK_SECONDS = 1.0


@click.command("broker")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=9092,
    show_default=True,
    help="Port on 127.0.0.1 that clients connect to.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps topics and records over stops; made if it is missing. Without it they are gone at the end.",
)
def command(port: int, data: Path | None) -> None:
    """Run Apache Kafka in the foreground; nothing needs to be installed.

    It is a single node for trying things out and for development: on this machine's loopback address only, and
    without passwords. The first start downloads its jars (45 MB); later ones need no network. Ctrl-C ends it.

    \b
    Example, in one terminal and in another:
      sluice broker --data kafka-data
      sluice produce events.csv --topic events
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _serve(port, data)
    except KeyboardInterrupt:
        click.echo("Apache Kafka is stopped.")
    except BrokerError as error:
        raise NotPossibleError(str(error)) from error


def _serve(port: int, data: Path | None) -> None:
    """Return never: a signal or the server's own end raises."""
    with EmbeddedKafka(data, port, notice=click.echo) as kafka:
        kept = f"data in {kafka.data_dir}" + ("" if data else ", gone at the end")
        click.echo(
            f"Apache Kafka {KAFKA_VERSION} answers on {kafka.bootstrap_servers} ({kept}); stop it with Ctrl-C."
        )
        while kafka.running(_LOOK_SECONDS):
            pass
        raise BrokerError(f"Apache Kafka is gone: {kafka.last_words()}")
