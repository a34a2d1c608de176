"""The folder that an embedded Kafka runs in: its records, its settings, its log, and the lock that keeps others out."""

from __future__ import annotations

import base64
import fcntl
import re
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.local.broker_error import BrokerError
from consumer.local.server_properties import LOG_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

PROPERTIES = "server.properties"
"""The settings' file name; the server is started in the folder, so this is its path as well."""


class DataFolder:
    """A given folder, made if missing; or a temporary one, which `remove` takes away."""

    def __init__(self, given: Path | None) -> None:
        self.temporary = given is None
        try:
            self.path = Path(tempfile.mkdtemp(prefix="sluice-kafka-")) if given is None else given.absolute()
            self.scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BrokerError(
                f"The data folder {error.filename} cannot be used: {error.strerror}."
            ) from error

    @property
    def scratch(self) -> Path:
        """Where the server's native libraries are unpacked."""
        return self.path / "tmp"

    @property
    def log(self) -> Path:
        """What the server says of itself."""
        return self.path / "broker.log"

    @contextmanager
    def locked(self) -> Iterator[int]:
        """The lock as an open file: held until the last process that has it open closes it."""
        with (self.path / "in-use").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BrokerError(
                    f"The data folder {self.path} is in use by another embedded Kafka."
                ) from None
            yield lock.fileno()

    def write_settings(self, properties: str) -> None:
        """Store the server's settings, which are plain ASCII."""
        (self.path / PROPERTIES).write_text(properties, "ascii")

    def cluster(self) -> str | None:
        """The id that the folder was formatted with, None for a new folder."""
        try:
            meta = (self.path / LOG_FOLDER / "meta.properties").read_text("ascii")
        except FileNotFoundError:
            return None
        found = re.search(r"^cluster\.id=(\S+)$", meta, re.MULTILINE)
        return found and found[1]

    def was_killed(self) -> bool:
        """Whether a server ran here that did not end in order."""
        log = self.path / LOG_FOLDER
        return (log / "meta.properties").exists() and not (log / ".kafka_cleanshutdown").exists()

    def remove(self) -> None:
        """Take a temporary folder away, whatever is left of it."""
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)


def new_cluster_id() -> str:
    """128 random bits in Kafka's spelling; its first character is fixed since a dash would look like an option."""
    return "S" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii")[1:22]
