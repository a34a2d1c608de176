"""What of the machine can be made to fail: a small disk that fills up, and a process's wall clock that jumps."""

from __future__ import annotations

import resource
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

FILLER = "filler"


class Disk(Protocol):
    """Something that can be full."""

    def fill(self) -> None:
        """Nothing can be written to it any more."""
        ...

    def free(self) -> None:
        """There is room again."""
        ...

    def close(self) -> None:
        """Leaves nothing behind."""
        ...


class SmallDisk:
    """A file system of its own in memory under a folder. Raises PermissionError where that is not allowed."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "sluice-torture", str(folder)]
        try:
            done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except OSError:
            done = False
        if not done:
            raise PermissionError(f"no file system can be mounted at {folder}")

    def fill(self) -> None:
        """Fills it to the last byte."""
        with (self._folder / FILLER).open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(1_048_576)):
                pass

    def free(self) -> None:
        """Takes what fills it away."""
        (self._folder / FILLER).unlink(missing_ok=True)

    def copy_to(self, folder: Path) -> None:
        """What is on it, into a folder that stays."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            if path.is_file() and path.name != FILLER:
                (folder / path.name).write_bytes(path.read_bytes())

    def close(self) -> None:
        """Unmounts it; what was on it is gone."""
        subprocess.run(["umount", "-l", str(self._folder)], check=False)


class NoMoreFiles:
    """Without the right to mount: processes that may not write files any more, which is the same error to them in
    another word (EFBIG for ENOSPC)."""

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        self._processes = processes

    def fill(self) -> None:
        """No file may grow beyond nothing."""
        self._limit(0)

    def free(self) -> None:
        """Files may be of any size."""
        self._limit(resource.RLIM_INFINITY)

    def close(self) -> None:
        """See `Disk`."""

    def _limit(self, size: int) -> None:
        for pid in self._processes():
            with suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


class WallClock:
    """A process's wall clock, which can be set while it runs. The monotonic clock goes on unharmed, as a host's does.

    (Preloading libfaketime is no way: glibc's `cnd_timedwait`, in which librdkafka waits, goes by the true time while the
    time that it is told is a false one, so that its threads stand still or never do.)
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """It is that far from the true time from now on."""
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{seconds:d}")
        beside.replace(self.file)
