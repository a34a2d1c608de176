"""A real Prometheus with our alarms in it, whose time is quicker: every duration of a rule is a fraction of its own."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import requests
import yaml

from consumer.local import ports
from tests.deploy.queries import RULES
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

SHORTER = 20
"""A duration of ten minutes in a rule is half a minute here; thresholds in seconds are as they are."""

RATE_INTERVAL = "5m"
"""As a rule would have it: a quarter of a minute here."""


class NoPrometheusError(Exception):
    """It is not installed."""


def shorter(expr: str) -> str:
    """The expression with its ranges and offsets shortened."""
    expr = re.sub(r"\[(\w+)\]", lambda found: f"[{_shorter(found[1])}]", expr)
    return re.sub(r"offset (\w+)", lambda found: f"offset {_shorter(found[1])}", expr)


def _shorter(duration: str) -> str:
    number, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return f"{max(1, int(number) * {'s': 1, 'm': 60, 'h': 3600}[unit] // SHORTER)}s"


class Prometheus:
    """Runs for as long as the block, and scrapes every second."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("prometheus") is None or shutil.which("promtool") is None:
            raise NoPrometheusError(
                "prometheus and promtool are not to be found: install them (Debian's package prometheus has both)"
            )
        self.began = time.time()  # noqa: TID251 - Prometheus's own clock
        self._folder = folder
        self._port = ports.pick()
        self._write_config()

    def _write_config(self) -> None:
        groups = yaml.safe_load(RULES.read_text("utf-8"))
        for group in groups["groups"]:
            for rule in group["rules"]:
                rule["expr"] = shorter(rule["expr"])
                if "for" in rule:
                    rule["for"] = _shorter(rule["for"])
        (self._folder / "rules.yml").write_text(yaml.safe_dump(groups))
        self.scrape({})
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {
                    "job_name": "sluice",
                    "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
                }
            ],
        }
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def scrape(self, addresses: dict[str, str]) -> None:
        """From now on these: addresses by the name that the instance is to have."""
        targets = [
            {"targets": [address], "labels": {"instance": name}} for name, address in addresses.items()
        ]
        (self._folder / "targets.new").write_text(json.dumps(targets))
        (self._folder / "targets.new").replace(self._folder / "targets.json")

    def __enter__(self) -> Self:
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={self.address}",
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._ready, 60, "Prometheus answers")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"127.0.0.1:{self._port}"

    def _ready(self) -> bool:
        try:
            return requests.get(f"http://{self.address}/-/ready", timeout=5).ok
        except requests.ConnectionError:
            return False

    def _ask(self, what: str, **parameters: object) -> Any:
        answer = requests.get(f"http://{self.address}/api/v1/{what}", params=parameters, timeout=60).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def firing(self) -> set[str]:
        """The alarms that fire now."""
        return {
            alert["labels"]["alertname"]
            for alert in self._ask("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def wait_for(self, *alarms: str, seconds: float = 240) -> None:
        """Waits until each of them has fired."""
        missing = set(alarms)

        def all_fired() -> bool:
            missing.difference_update(self.firing())
            return not missing

        wait_until(all_fired, seconds, f"{', '.join(alarms)} fire")

    def fired(self) -> dict[str, float]:
        """The alarms that have fired, and how many seconds after the start each did so first."""
        query = 'ALERTS{alertstate="firing"}'
        found: dict[str, float] = {}
        for one in self._range(query):
            name, first = one["metric"]["alertname"], float(one["values"][0][0]) - self.began
            found[name] = min(first, found.get(name, first))
        return found

    def series(self, expr: str) -> tuple[int, int]:
        """How many series a query gives over the whole run, and how many numbers are in them."""
        numbers = [
            sum(math.isfinite(float(value)) for _, value in one["values"]) for one in self._range(expr)
        ]
        return sum(count > 0 for count in numbers), sum(numbers)

    def _range(self, expr: str) -> list[dict[str, Any]]:
        now = time.time()  # noqa: TID251
        answer = self._ask("query_range", query=expr, start=self.began, end=now, step=1)
        found: list[dict[str, Any]] = answer["result"]
        return found

    def broken_rules(self) -> list[str]:
        """Rules that could not be evaluated."""
        rules = [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]
        return [rule["name"] for rule in rules if rule["health"] != "ok"]
