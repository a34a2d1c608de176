"""Opens a page for the person at this machine, if there is one with a browser; never in the terminal itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ELSEWHERE = ("CI", "SSH_CONNECTION", "SSH_TTY")
"""Variables that say that nobody sits in front of this machine."""


def opener(environment: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """The program that opens files with what the desktop has for them; None where there is no desktop."""
    if any(environment.get(name) for name in _ELSEWHERE):
        return None
    if platform == "darwin":
        return shutil.which("open", path=environment.get("PATH"))
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open", path=environment.get("PATH"))
    return None


def open_page(path: Path, environment: Mapping[str, str]) -> bool:
    """Opens it, and says whether it did; the browser goes on by itself, and says nothing here."""
    program = opener(environment)
    if program is None:
        return False
    try:
        process = subprocess.Popen(
            [program, str(path.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    Thread(target=process.wait, daemon=True).start()  # it may last as long as the browser
    return True
