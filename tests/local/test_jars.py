"""The pinned jars, against a repository on the loopback address: nothing here leaves the machine."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from consumer.local import jars
from consumer.local.broker_error import BrokerError

CONTENT = {f"org.example:part{i}:1.0": f"jar {i}".encode() * 1000 for i in range(3)}
FILES = [f"part{i}-1.0.jar" for i in range(3)]


@dataclass
class Repository:
    """What it serves by file name, and which files it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class Answer(BaseHTTPRequestHandler):
    def __init__(self, repository: Repository, *request) -> None:
        self._repository = repository
        super().__init__(*request)

    def do_GET(self) -> None:
        name = Path(self.path).name
        self._repository.asked.append(name)
        content = self._repository.files.get(name)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *args) -> None:
        """Stay silent."""


@pytest.fixture(autouse=True)
def empty_cache_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is not on the loopback address is behind a proxy that does not listen."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository with the right jars, named in jgo's own configuration."""
    repository = Repository(dict(zip(FILES, CONTENT.values(), strict=True)))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Answer, repository)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        (tmp_path / "jgo.conf").write_text(f"[repositories]\nhere = http://127.0.0.1:{server.server_port}\n")
        yield repository
        server.shutdown()
        thread.join()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "jars.sha256"
    rows = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in CONTENT.items())
    file.write_text("# a comment\n" + "".join(rows))
    return file


def test_the_table_pins_every_jar_once_and_by_name():
    pinned = jars.pinned()
    names = [f"{jar.group}:{jar.artifact}:{jar.version}" for jar in pinned]
    assert names[: len(jars.ROOTS)] == list(jars.ROOTS)
    assert len({jar.file for jar in pinned}) == len(pinned) > 40
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in pinned)


def test_a_first_use_fetches_in_the_order_of_the_table_and_says_so(repository, table):
    told: list[str] = []
    found = jars.class_path(told.append, table)
    assert [file.name for file in found] == FILES
    assert [file.read_bytes() for file in found] == list(CONTENT.values())
    assert len(told) == 1
    assert "3 jars" in told[0]


def test_a_second_use_asks_nobody(repository, table):
    jars.class_path(table=table)
    repository.asked.clear()
    told: list[str] = []
    jars.class_path(told.append, table)
    assert (repository.asked, told) == ([], [])


def test_a_damaged_jar_is_fetched_again_and_only_that_one(repository, table):
    damaged = jars.class_path(table=table)[1]
    damaged.write_bytes(b"jar 1 with a worm in it")
    repository.asked.clear()
    assert jars.class_path(table=table)[1].read_bytes() == CONTENT["org.example:part1:1.0"]
    assert {name.removesuffix(".sha1") for name in repository.asked} == {FILES[1]}


def test_a_jar_that_is_not_the_pinned_one_is_tried_twice_and_refused(repository, table):
    repository.files[FILES[2]] = b"another jar"
    with pytest.raises(
        BrokerError, match=r"^part2-1\.0\.jar as downloaded is not the pinned jar .*not used\.$"
    ):
        jars.class_path(table=table)
    assert repository.asked.count(FILES[2]) == 2
    assert not (jars.cache_folder() / FILES[2]).exists()


def test_a_jar_refused_once_is_refused_until_the_right_one_is_there(repository, table):
    repository.files[FILES[2]] = b"another jar"
    for _ in range(2):
        with pytest.raises(BrokerError):
            jars.class_path(table=table)
    repository.files[FILES[2]] = CONTENT["org.example:part2:1.0"]
    assert len(jars.class_path(table=table)) == 3


def test_no_network_on_a_first_use_is_one_sentence(table):
    with pytest.raises(BrokerError) as caught:
        jars.class_path(table=table)
    sentence = str(caught.value)
    assert sentence.endswith("part0-1.0.jar could not be had: no connection.")
    assert "first start" in sentence
    assert "\n" not in sentence


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path, table):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(BrokerError, match=r"cannot be used: Not a directory\.$"):
        jars.class_path(table=table)


def test_several_that_come_at_once_fetch_each_jar_once(repository, table):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: jars.class_path(table=table), range(4)))
    assert all(paths == found[0] for paths in found)
    assert sorted(name for name in repository.asked if name.endswith(".jar")) == FILES


def test_what_a_crash_left_half_done_is_swept_away(repository, table):
    left = jars.cache_folder() / ".fetch-left"
    left.mkdir(parents=True)
    (left / "half.jar").write_bytes(b"half")
    jars.class_path(table=table)
    assert not left.exists()
