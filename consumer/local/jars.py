"""The embedded Kafka's jars: pinned by name and SHA-256 in `jars.sha256`, fetched once, checked, then used offline.

The cache is `$XDG_CACHE_HOME/sluice/kafka-4.3.1` (`~/.cache` without the variable). A jar enters it only by a
rename after its check, so a crash or a second process never leaves half a jar there.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from consumer.local.broker_error import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KAFKA_VERSION = "4.3.1"
ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
"""What the table was resolved from: the server, and the log binding for the SLF4J that this Kafka is built with."""

TABLE = Path(__file__).with_name("jars.sha256")

_STAMP = "checked"
_STAGING = ".fetch-"
_AT_ONCE = 6
_TIMEOUT_SECONDS = 15


class Jar(NamedTuple):
    """One pinned jar; as a Maven repository names it."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def file(self) -> str:
        """Its name in a repository and in the cache."""
        return f"{self.artifact}-{self.version}.jar"


class _OtherJarError(Exception):
    """The fetched bytes are not those in the table."""


def pinned(table: Path = TABLE) -> tuple[Jar, ...]:
    """Every jar of the class path, in its order, from lines of `sha256  group:artifact:version`."""
    rows = (
        line.split() for line in table.read_text("utf-8").splitlines() if line and not line.startswith("#")
    )
    return tuple(Jar(sha256, *coordinate.split(":")) for sha256, coordinate in rows)


def cache_folder() -> Path:
    """Where the jars are kept; shared by every Sluice of this user."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "sluice" / f"kafka-{KAFKA_VERSION}"


def class_path(notice: Callable[[str], None] = lambda _: None, table: Path = TABLE) -> list[Path]:
    """The checked jars, fetched first if need be (about 45 MB, told to `notice`); offline once they are there.

    Raises BrokerError when they cannot be had or do not match the table.
    """
    folder, jars = cache_folder(), pinned(table)
    try:
        if not _checked_before(folder, jars):
            folder.mkdir(parents=True, exist_ok=True)
            with alone(folder):
                _complete(folder, jars, notice)
    except OSError as error:
        raise BrokerError(f"The embedded Kafka's cache {folder} cannot be used: {error.strerror}.") from error
    return [folder / jar.file for jar in jars]


def _checked_before(folder: Path, jars: Sequence[Jar]) -> bool:
    """Whether every jar has been checked and is untouched since: by size and time of change, not by reading it."""
    try:
        return (folder / _STAMP).read_text("ascii") == _stamp(folder, jars)
    except FileNotFoundError:
        return False


def _stamp(folder: Path, jars: Sequence[Jar]) -> str:
    states = ((jar, (folder / jar.file).stat()) for jar in jars)
    return "".join(f"{jar.sha256} {state.st_size} {state.st_mtime_ns}\n" for jar, state in states)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold off other processes that would fill the same cache folder; the lock goes with the process, however it ends."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _complete(folder: Path, jars: Sequence[Jar], notice: Callable[[str], None]) -> None:
    """Fetch what is missing or damaged, then stamp the whole as checked."""
    missing = [jar for jar in jars if _sha256(folder / jar.file) != jar.sha256]
    for unfinished in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(unfinished)
    if missing:
        notice(
            f"Fetching Apache Kafka {KAFKA_VERSION} ({len(missing)} jars, once; later starts need no network) ..."
        )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda jar: _fetch(jar, folder), missing))
    stamp = folder / f".{_STAMP}"
    stamp.write_text(_stamp(folder, jars), "ascii")
    stamp.replace(folder / _STAMP)


def _sha256(file: Path) -> str | None:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _fetch(jar: Jar, folder: Path) -> None:
    """Fetch one jar; a second time if the first broke off or did not bring the pinned bytes."""
    for last in (False, True):
        try:
            return _fetch_once(jar, folder)
        except (OSError, _OtherJarError) as error:
            if last:
                raise BrokerError(_sentence(jar, error)) from error
    return None


def _sentence(jar: Jar, error: OSError | _OtherJarError) -> str:
    if isinstance(error, _OtherJarError):
        return f"{jar.file} as downloaded is not the pinned jar (its SHA-256 differs), so it is not used."
    reason = error.strerror or "no connection"  # the HTTP client's errors have no text of the system's
    return (
        "The embedded Kafka downloads its jars (45 MB) on its first start, which needs the network,"
        f" and {jar.file} could not be had: {reason}."
    )


def _fetch_once(jar: Jar, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=folder) as staging:
        fetched = _download(jar, Path(staging))
        if _sha256(fetched) != jar.sha256:
            raise _OtherJarError(jar.file)
        fetched.replace(folder / jar.file)


def _download(jar: Jar, staging: Path) -> Path:
    """Let jgo fetch the one file: from the repositories of its own configuration first, then from its default."""
    from jgo.config import GlobalSettings  # noqa: PLC0415 - only a first start pays for loading it
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    maven = MavenContext(repo_cache=staging, remote_repos=repositories, timeout=_TIMEOUT_SECONDS)
    artifact = maven.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        return Path(artifact.resolve())
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "not in the repository", jar.file) from error
