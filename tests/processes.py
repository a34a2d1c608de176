"""`sluice run` as its user starts it: real processes with settings, logs and endpoints; killed, stopped and woken."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from tests.topic_reader import GroupOffsets, log_ends, stable_ends
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

PATIENCE_SECONDS = 60.0
"""For everything that is waited for: far above what it takes, since the machine may be busy."""

RECOVERY_SECONDS = 180.0
"""After a broker restart: Kafka may forget to time out members that died meanwhile, and then waits the whole rebalance
time (120 s) for them."""

PROGRAM = (sys.executable, "-W", "error", "-c", "from consumer.cli.main import main; main()")

SECTIONS = {"log": {"format": "json"}, "metrics": {"port": 0}, "deliver": {"interval_seconds": 0.1}}


class Process:
    """One running command. `log` has its JSON lines; what it says that is no JSON stands in `words`."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        folder: Path,
        program: tuple[str, ...] = PROGRAM,
    ) -> None:
        self.log: list[dict[str, Any]] = []
        self.words: deque[str] = deque(maxlen=200)
        self._child = subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=folder,
        )
        self.pid = self._child.pid
        self._ears = threading.Thread(target=self._listen, daemon=True)
        self._ears.start()

    def _listen(self) -> None:
        assert self._child.stderr is not None
        with self._child.stderr as said:
            for line in said:
                try:
                    entry = json.loads(line)
                except ValueError:
                    entry = None
                if isinstance(entry, dict):
                    self.log.append(entry)
                else:
                    self.words.append(line.decode("utf-8", "replace").rstrip("\n"))

    # ── what happens to it ──────────────────────────────────────────────────────────────────────────────────────

    def kill(self) -> None:
        """`kill -9`; back when it is gone."""
        self._signal(signal.SIGKILL)
        self.exit_code()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Asked to end; its exit code."""
        self._signal(by)
        return self.exit_code()

    def ask_to_end(self) -> None:
        """SIGTERM; back at once."""
        self._signal(signal.SIGTERM)

    def kill_now(self) -> None:
        """`kill -9`; back at once."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: it stands still and knows nothing of it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._child.send_signal(number)

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.poll() is None

    def exit_code(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Waits for its end; negative = ended by that signal. All that it said is in `log` and `words` then."""
        wait_until(
            lambda: not self.running(), seconds, lambda: f"the end of a process that said {self.told()}"
        )
        self._ears.join(PATIENCE_SECONDS)
        return self._child.wait()

    # ── what it says ────────────────────────────────────────────────────────────────────────────────────────────

    def said(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Its log lines of that event, with these fields."""
        return [line for line in list(self.log) if line["event"] == event and fields.items() <= line.items()]

    def wait_to_say(self, event: str, times: int = 1, **fields: object) -> dict[str, Any]:
        """The log line, once it has come so often."""

        def enough() -> list[dict[str, Any]]:
            assert self.running() or len(self.said(event, **fields)) >= times, f"it ended: {self.told()}"
            found = self.said(event, **fields)
            return found[times - 1 :]

        return wait_until(
            enough, PATIENCE_SECONDS, lambda: f"{event} {fields} from a process that said {self.told()}"
        )[0]

    def told(self) -> str:
        """The last of what it said, for a failing test's message."""
        lines = [json.dumps(line) for line in list(self.log)[-12:]]
        return "\n  ".join(["", *lines, *list(self.words)[-12:]])

    # ── what it answers ─────────────────────────────────────────────────────────────────────────────────────────

    def get(self, path: str) -> tuple[int, str]:
        """The endpoint's status and body."""
        host, _, port = self.wait_to_say("endpoints open")["address"].rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value now, summed over all label sets that have these labels."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        values = [
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert values, f"no metric {name} {labels}"
        return sum(values)

    def wait_until_ready(self) -> None:
        """Waits for `/readyz` to turn true."""
        wait_until(lambda: self.get("/readyz")[0] == 200, PATIENCE_SECONDS, lambda: f"ready: {self.told()}")


@dataclass
class Site:
    """A site with topics, a group and a folder of its own, and the processes that work for it. All end with the block.

    `kafka` and `sections` are settings on top of the names.
    """

    servers: str
    prefix: str
    folder: Path
    kafka: dict[str, object] = field(default_factory=dict)
    sections: dict[str, dict[str, object]] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._offsets = GroupOffsets(self.servers, self.group)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._offsets.close()
        for process in self.processes:
            process.kill()

    def topic(self, name: str) -> str:
        """A topic's name by its key in the settings."""
        return f"{self.prefix}{name}"

    @property
    def input(self) -> str:
        """The input topic's name."""
        return self.topic("input")

    @property
    def keyed(self) -> bool:
        """Whether the input is keyed."""
        return bool(self.sections.get("input", {}).get("keyed", True))

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.prefix}group"

    @property
    def out(self) -> Path:
        """Where the daily files go."""
        return self.folder / "reports"

    def settings(self, servers: str = "", **kafka: object) -> Path:
        """The settings as a file."""
        names = ("input", "keyed", "dead_letters", "facts", "journal", "days", "alerts")
        sections: dict[str, dict[str, object]] = {
            "kafka": {"bootstrap.servers": servers or self.servers, **self.kafka, **kafka},
            "topics": {name: self.topic(name) for name in names} | self.sections.get("topics", {}),
        }
        for name in {**SECTIONS, **self.sections}.keys() - sections.keys():
            sections[name] = {**SECTIONS.get(name, {}), **self.sections.get(name, {})}
        text = f"group = {json.dumps(self.group)}\n"
        for name, values in sections.items():
            text += f"[{name}]\n" + "".join(f"{json.dumps(k)} = {json.dumps(v)}\n" for k, v in values.items())
        path = self.folder / f"sluice-{len(self.processes)}.toml"
        path.write_text(text)
        return path

    def start(
        self,
        *arguments: str,
        instance: str = "",
        servers: str = "",
        kafka: dict[str, object] | None = None,
        program: tuple[str, ...] = PROGRAM,
        **variables: str,
    ) -> Process:
        """A new `sluice run` with these arguments, and `SLUICE_` variables; `program`: see `Process`."""
        config = str(self.settings(servers, **(kafka or {})))
        if instance:
            variables["INSTANCE"] = instance
        environment = {f"SLUICE_{name}": value for name, value in variables.items()}
        process = Process(["run", "--config", config, *arguments], environment, self.folder, program)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Ends every process in order; one that was only just started, and has said nothing yet, dies of the signal."""
        for process in self.processes:
            if process.running():
                code = process.stop()
                assert code == 0 or (code == -signal.SIGTERM and not process.told()), process.told()

    def told(self) -> str:
        """The last of what every process said, for a failing test's message."""
        return "\n".join(process.told() for process in self.processes)

    # ── how far the work is ─────────────────────────────────────────────────────────────────────────────────────

    def committed(self) -> dict[tuple[str, int], int]:
        """The group's offsets by topic and partition."""
        between = [] if self.keyed else [self.topic("keyed")]
        return self._offsets.committed(self.input, *between, self.topic("facts"))

    def events_done(self) -> int:
        """How far the gates (or keyers) are, summed over the input's partitions."""
        return sum(offset for (topic, _), offset in self.committed().items() if topic == self.input)

    def wait_until_done(self, events: int, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits until the gates have got so far."""
        self._wait(lambda: self.events_done() >= events, seconds, f"{events} events read")

    def wait_until_caught_up(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits until the gates have read all of the input as of now, and the watch all that they said of it."""
        ends = {(self.input, number): end for number, end in log_ends(self.servers, self.input).items()}
        self._wait(partial(self._has_reached, ends), seconds, f"the group reaches {ends}")
        for topic in [*([] if self.keyed else [self.topic("keyed")]), self.topic("facts")]:
            self._wait_for_all_of(topic, seconds)

    def _wait_for_all_of(self, topic: str, seconds: float) -> None:
        told = lambda: log_ends(self.servers, topic)  # noqa: E731 - asked again and again
        self._wait(lambda: stable_ends(self.servers, topic) == told(), seconds, "no transaction is open")
        # behind the last record stands its transaction's marker
        last = {(topic, number): end - 1 for number, end in told().items()}
        self._wait(partial(self._has_reached, last), seconds, f"the group reaches {last}")

    def _has_reached(self, ends: dict[tuple[str, int], int]) -> bool:
        committed = self.committed()
        return all(committed.get(where, -1) >= end for where, end in ends.items())

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        try:
            wait_until(condition, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is at {self.committed()}\n{self.told()}") from error
