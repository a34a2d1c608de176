"""What of the machine can be made to fail: a small disk that fills up, and a process's wall clock that jumps."""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    """A process's wall clock, which can be set while it runs (by libfaketime; the monotonic clock goes on unharmed)."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """It is that far from the true time from now on (noticed within a second)."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{seconds:+d}\n")
        beside.replace(self._file)

    def environment(self) -> dict[str, str]:
        """Variables for a process that goes by it."""
        library = faketime()
        assert library is not None
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }


def faketime() -> Path | None:
    """The library of the package `libfaketime`, which has one for Linux on x86-64 only."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None or os.uname().machine != "x86_64":
        return None
    library = Path(found.origin).with_name("vendor") / "libfaketime" / "src" / "libfaketime.so.1"
    return library if library.exists() else None
