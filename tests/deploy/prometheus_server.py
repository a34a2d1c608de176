"""A real Prometheus with our alarms in it, whose time is quicker: every duration of a rule is a fraction of its own."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import threading
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

RATE_INTERVAL = "15s"


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
    """Runs for as long as the block, scrapes every second, and remembers which alarms have fired when."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("prometheus") is None or shutil.which("promtool") is None:
            raise NoPrometheusError(
                "prometheus and promtool are not to be found: install them (Debian's package prometheus has both)"
            )
        self.fired: dict[str, float] = {}
        self.began = time.time()  # noqa: TID251 - Prometheus's own clock
        self._folder = folder
        self._port = ports.pick()
        self._over = threading.Event()
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
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watcher.join()
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

    def _watch(self) -> None:
        while not self._over.wait(1):
            for alert in self._ask("alerts")["alerts"]:
                if alert["state"] == "firing":
                    self.fired.setdefault(alert["labels"]["alertname"], time.time() - self.began)  # noqa: TID251

    def _ask(self, what: str, **parameters: object) -> Any:
        answer = requests.get(f"http://{self.address}/api/v1/{what}", params=parameters, timeout=60).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def wait_for(self, *alarms: str, seconds: float = 240) -> None:
        """Waits until all of them have fired."""
        missing = lambda: set(alarms) - set(self.fired)  # noqa: E731 - asked again and again
        wait_until(lambda: not missing(), seconds, f"{', '.join(sorted(missing()))} fires")

    def firing(self, alarm: str) -> bool:
        """Whether it fires now."""
        return any(
            alert["labels"]["alertname"] == alarm and alert["state"] == "firing"
            for alert in self._ask("alerts")["alerts"]
        )

    def series(self, expr: str) -> tuple[int, int]:
        """How many series a query gives over the whole run, and how many numbers are in them."""
        now = time.time()  # noqa: TID251
        result = self._ask("query_range", query=expr, start=self.began, end=now, step=1)["result"]
        numbers = [sum(math.isfinite(float(value)) for _, value in one["values"]) for one in result]
        return sum(count > 0 for count in numbers), sum(numbers)

    def broken_rules(self) -> list[str]:
        """Rules that could not be evaluated."""
        rules = [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]
        return [rule["name"] for rule in rules if rule["health"] != "ok"]
