"""`make monitoring`: a real Prometheus scrapes a real run that is broken in every way; every panel of the dashboard must
show something, and every alarm must fire."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from consumer.local.kafka import EmbeddedKafka
from tests.deploy import queries
from tests.deploy.incidents import Story
from tests.deploy.prometheus_server import RATE_INTERVAL, NoPrometheusError, Prometheus, shorter
from tests.deploy.receiver import Receiver
from tests.faults.kafka_proxy import KafkaProxy
from tests.processes import Site

NOBODY = "http://127.0.0.1:9/"
"""The port of the discard service, which no machine has."""


def main() -> int:
    """Everything, in about ten minutes; 0 if every panel and every alarm did what it is for."""
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:6.0f} s  {text}")

    with tempfile.TemporaryDirectory() as name, EmbeddedKafka() as kafka:
        folder = Path(name)
        try:
            prometheus = Prometheus(folder)
        except NoPrometheusError as error:
            click.echo(error, err=True)
            return 3
        servers = kafka.bootstrap_servers
        with (
            prometheus,
            Receiver() as receiver,
            KafkaProxy(servers) as proxy,
            Site(servers, "m-", folder, sections=receivers(receiver.url)) as site,
        ):
            say(f"Prometheus answers on {prometheus.address}")
            Story(site, proxy, prometheus, say).tell()
            problems = lint(site) + judge(prometheus)
    for problem in problems:
        click.echo(problem)
    click.echo("not as it should be" if problems else "every panel shows something, every alarm fires")
    return 1 if problems else 0


def receivers(takes: str) -> dict[str, dict[str, object]]:
    """Settings: one receiver that takes everything, one that nobody is behind, and a dead man's switch."""
    return {
        "receivers.works": {"type": "webhook", "url": takes},
        "receivers.fails": {"type": "webhook", "url": NOBODY},
        "heartbeat": {"url": takes, "interval_seconds": 5},
    }


def lint(site: Site) -> list[str]:
    """What promtool says of the metrics, of the alarms and of their tests."""
    process = site.start()
    metrics = process.get("/metrics")[1]
    process.kill()
    rules = queries.DEPLOY / "prometheus"
    commands = (
        (["promtool", "check", "metrics"], metrics),
        (["promtool", "check", "config", str(rules / "prometheus.yml")], ""),
        (["promtool", "test", "rules", str(rules / "sluice.rules.test.yml")], ""),
    )
    problems = []
    for command, given in commands:
        ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if ended.returncode:
            problems.append(f"{' '.join(command)}: {ended.stdout}{ended.stderr}")
    return problems


def judge(prometheus: Prometheus) -> list[str]:
    """What is wrong with panels and alarms after the run; prints what each gave."""
    problems = [f"{name} cannot be evaluated" for name in prometheus.broken_rules()]
    click.echo(f"\n{'panel':<70} {'series':>7} {'numbers':>8}")
    for query in queries.of_panels(RATE_INTERVAL):
        series, numbers = prometheus.series(shorter(query.expr))
        click.echo(f"{query.where:<70} {series:>7} {numbers:>8}")
        if not numbers:
            problems.append(f"{query.where} shows nothing: {query.expr}")
    click.echo(f"\n{'alarm':<30} {'fired after':>12} {'series that it looks at':>25}")
    times = prometheus.fired()
    for rule in queries.rules():
        name = rule["alert"]
        asked = {name for name, _ in queries.selectors(rule["expr"])}
        series = sum(prometheus.series(metric)[0] for metric in asked)
        fired = times.get(name)
        when = "never" if fired is None else f"{fired:.0f} s"
        click.echo(f"{name:<30} {when:>12} {series:>25}")
        if fired is None:
            problems.append(f"{name} did not fire")
        if asked and not series:
            problems.append(f"{name} looks at nothing")
    return problems


if __name__ == "__main__":
    sys.exit(main())
