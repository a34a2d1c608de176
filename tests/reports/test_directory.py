"""The folder sink: a reader never sees half a file, whatever happens to the writer or the disk."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reports.sinks.directory import SinkError, stamps, write
from tests.waiting import wait_until

FILES = {"daily_metrics.csv": b"day\n", "alerts.json": b"{}\n"}
ROOT = Path(__file__).parents[2]


def child(code, *arguments, before=()):
    """A Python process that has `write`, `SinkError` and `folder`."""
    prelude = (
        "import sys; from pathlib import Path; from reports.sinks.directory import SinkError, write\n"
        "folder = Path(sys.argv[1])\n"
    )
    return [*before, sys.executable, "-c", prelude + code, *map(str, arguments)]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_holds_the_files_and_nothing_else(tmp_path):
    folder = tmp_path / "reports" / "daily"
    assert write(folder, FILES) == list(FILES)
    assert names(folder) == sorted(FILES)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


def test_everyone_may_read_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write(tmp_path, FILES)
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES} == {0o644}


def test_a_file_whose_bytes_are_the_same_is_not_touched(tmp_path):
    write(tmp_path, FILES)
    before = {name: (tmp_path / name).stat() for name in FILES}
    assert write(tmp_path, FILES) == []
    assert write(tmp_path, FILES | {"alerts.json": b"[]\n"}) == ["alerts.json"]
    kept, changed = ((tmp_path / name).stat() for name in FILES)
    assert (kept.st_ino, kept.st_mtime_ns) == (
        before["daily_metrics.csv"].st_ino,
        before["daily_metrics.csv"].st_mtime_ns,
    )
    assert changed.st_ino != before["alerts.json"].st_ino


def test_a_stamp_tells_that_a_file_was_deleted_replaced_or_written_to(tmp_path):
    write(tmp_path, FILES)
    before = stamps(tmp_path, FILES)
    assert before == stamps(tmp_path, FILES)
    path = tmp_path / "alerts.json"
    times = path.stat()
    path.write_bytes(b"[]\n")  # as long as before, and dated back
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    written_to = stamps(tmp_path, FILES)
    path.unlink()
    gone = stamps(tmp_path, FILES)
    write(tmp_path, FILES)
    seen = [before, written_to, gone, stamps(tmp_path, FILES)]
    assert len({one["alerts.json"] for one in seen}) == len(seen)
    assert len({one["daily_metrics.csv"] for one in seen}) == 1
    assert stamps(tmp_path / "away", FILES) == dict.fromkeys(FILES)


def test_files_of_others_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".hidden").write_text("mine")
    write(tmp_path, FILES)
    assert names(tmp_path) == sorted([*FILES, "notes.txt", ".hidden"])


def test_what_a_crash_left_behind_is_cleaned_away(tmp_path):
    (tmp_path / ".alerts.json.sluice-tmp").write_bytes(b"hal")
    (tmp_path / ".report.md.sluice-tmp").write_bytes(b"")
    write(tmp_path, FILES)
    assert names(tmp_path) == sorted(FILES)


def test_a_link_laid_in_the_way_is_not_followed(tmp_path):
    folder, victim = tmp_path / "out", tmp_path / "victim"
    folder.mkdir()
    victim.write_bytes(b"precious")
    (folder / ".alerts.json.sluice-tmp").symlink_to(victim)
    (folder / "alerts.json").symlink_to(victim)
    write(folder, FILES)
    assert victim.read_bytes() == b"precious"
    assert (folder / "alerts.json").read_bytes() == FILES["alerts.json"]


def test_a_pipe_in_the_way_does_not_hang_it(tmp_path):
    os.mkfifo(tmp_path / "alerts.json")
    write(tmp_path, FILES)
    assert (tmp_path / "alerts.json").read_bytes() == FILES["alerts.json"]


def test_a_folder_that_is_a_file_is_said_in_one_sentence(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "below"):
        with pytest.raises(SinkError, match="is a file and not a folder"):
            write(folder, FILES)


def test_a_file_that_is_a_folder_is_said_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "alerts.json").mkdir()
    with pytest.raises(SinkError, match="cannot write to the folder"):
        write(tmp_path, FILES)
    assert names(tmp_path) == sorted(FILES)


def test_a_folder_without_permission_is_said():
    code = (
        "import os\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: write(folder, {'a': b'x'})\n"
        "except SinkError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders let no other user through
        Path(folder).chmod(0o555)
        done = subprocess.run(child(code, folder), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write to the folder {folder}: permission is denied\n"


FAILS_AT_THE_SECOND_WRITE = """
write(folder, {"report.md": b"old"})
{limit}
try:
    write(folder, {"small": b"s", "report.md": b"n" * 200_000})
except SinkError as error:
    print(error)
print(sorted(p.name for p in folder.iterdir()), (folder / "report.md").read_bytes())
"""


def test_a_file_that_may_not_grow_leaves_the_old_one_whole(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    code = FAILS_AT_THE_SECOND_WRITE.replace("{limit}", limit)
    done = subprocess.run(child(code, tmp_path), cwd=ROOT, capture_output=True, text=True, check=True)
    said, left = done.stdout.splitlines()
    assert (
        said == f"cannot write to the folder {tmp_path}: the file would be larger than this process may write"
    )
    assert left == "['report.md', 'small'] b'old'"


def test_a_full_disk_leaves_the_old_file_whole_and_is_over_when_there_is_room(tmp_path):
    disk = "import subprocess; subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], check=True)"
    again = "write(folder, {'report.md': b'n' * 20_000}); print(len((folder / 'report.md').read_bytes()))"
    code = disk + FAILS_AT_THE_SECOND_WRITE.replace("{limit}", "") + again
    probe = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False, capture_output=True
    )
    if probe.returncode:
        pytest.skip("no disk of our own to fill: user namespaces are not allowed here")
    command = child(code, tmp_path, before=("unshare", "-rm"))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"cannot write to the folder {tmp_path}: the disk is full",
        "['report.md', 'small'] b'old'",
        "20000",
    ]


def test_two_processes_never_write_at_the_same_time(tmp_path):
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(SinkError, match="another process is writing there"):
        write(tmp_path, FILES)
    os.close(held)
    assert write(tmp_path, FILES)


def test_a_reader_sees_whole_files_only_and_a_killed_writer_leaves_one(tmp_path):
    code = "while True:\n    for c in b'ab': write(folder, {'report.md': bytes([c]) * 300_000})"
    whole = {b"a" * 300_000, b"b" * 300_000}
    seen = set()

    def look():
        content = (tmp_path / "report.md").read_bytes()
        assert content in whole
        seen.add(content)
        return seen == whole

    for _ in range(3):
        with subprocess.Popen(child(code, tmp_path), cwd=ROOT) as writer:
            wait_until((tmp_path / "report.md").exists, 20, "the first file")
            seen.clear()
            wait_until(look, 20, "both contents")
            writer.send_signal(signal.SIGKILL)
        assert (tmp_path / "report.md").read_bytes() in whole
    write(tmp_path, FILES)
    assert names(tmp_path) == sorted([*FILES, "report.md"])
