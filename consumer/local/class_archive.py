"""Kafka's classes as Java has them once they are loaded, in a file beside the jars (Java's AOT cache, JEP 483): with it a
server starts in a third of the time.

Making it takes as long as some starts, so that only who starts many servers makes it (the tests do). It is used
wherever it is there; Java does without one that does not fit.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from consumer.local import java
from consumer.local.broker_error import BrokerError
from consumer.local.jars import alone, cache_folder, class_path
from consumer.local.kafka import HEAP_MEGABYTES, EmbeddedKafka

MAKING_SECONDS = 300


def make() -> Path:
    """The archive, made first if it is not there yet. Raises BrokerError."""
    jars = class_path()
    archive = java.archive(jars)
    with alone(cache_folder()):
        if archive.exists() and archive.stat().st_mtime < max(jar.stat().st_mtime for jar in jars):
            archive.unlink()  # Java refuses one that is older than its jars
        if not archive.exists():
            with tempfile.TemporaryDirectory(prefix="archive-", dir=archive.parent) as scratch:
                _make(jars, Path(scratch)).replace(archive)
    return archive


def _make(jars: list[Path], scratch: Path) -> Path:
    recorded, made = scratch / "recorded", scratch / "made"
    with EmbeddedKafka(java_options=("-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}")):
        pass
    options = ("-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={made}")
    command = java.command(jars, HEAP_MEGABYTES, scratch, *options)
    try:
        done = subprocess.run(
            command, env=java.environment(), capture_output=True, timeout=MAKING_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerError(f"Java made no archive of Kafka's classes: {error}.") from error
    if done.returncode or not made.exists():
        last = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
        raise BrokerError(f"Java made no archive of Kafka's classes: {last}.")
    return made
