"""A folder of files that others read: each file is whole at every moment, also through a crash or a full disk."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    Stamps = Mapping[str, tuple[int, ...] | None]
    """How files looked from outside, by name; None = it is not there, or cannot be looked at."""

MODE = 0o644
"""Everyone may read: the files are for programs of other users, and hold no personal data."""

_SUFFIX = ".sluice-tmp"

_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this process may write",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "it, or a part of its path, is a file and not a folder",
    errno.EEXIST: "it is a file and not a folder",
}


class SinkError(Exception):
    """The files could not be written, said in one sentence. Files that were there are still there, whole."""


def write(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Makes the folder hold these files, and says which ones had to be written. Other files stay as they are.

    Each file appears at once or not at all: written beside its place, flushed to the disk, renamed. One whose bytes
    are the same is not touched. The folder is created if it is missing. What a crash left behind is cleaned away.
    Two processes never write at the same time. Raises SinkError; files before the failing one may be new by then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder) as descriptor:
            _clean(folder)
            changed = [name for name, data in files.items() if not _holds(folder / name, data)]
            for name in changed:
                _replace(folder / name, files[name])
            if changed:
                os.fsync(descriptor)
    except OSError as error:
        raise SinkError(f"cannot write to the folder {folder}: {_cause(error)}") from error
    return changed


def stamps(folder: Path, names: Iterable[str]) -> Stamps:
    """How the files look without being read: a file that was deleted, replaced or written to since looks otherwise."""
    return {name: _stamp(folder / name) for name in names}


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        seen = path.lstat()
    except OSError as ignored:
        # whatever is wrong, it is not the file that was written: writing it anew makes it good, or says what is wrong
        del ignored
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """The folder's descriptor, locked until the end; the lock of a killed process is gone with it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(folder, descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(folder: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SinkError(f"cannot write to the folder {folder}: another process is writing there") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF):
            raise
        # A file system without locks (some network ones): renames are atomic there all the same.


def _clean(folder: Path) -> None:
    for leftover in folder.glob(f".*{_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False  # unreadable, so not known to be the same: the write says what is wrong


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}{_SUFFIX}")
    try:
        _write_through(beside, data)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def _write_through(path: Path, data: bytes) -> None:
    """A new file, on the disk when this returns. Never through a link that somebody laid."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, MODE)  # whatever the umask
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _cause(error: OSError) -> str:
    return _CAUSES.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()
