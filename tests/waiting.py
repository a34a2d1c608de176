"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.05


def wait_until(condition: Callable[[], T], deadline_seconds: float, what: str | Callable[[], str]) -> T:
    """The condition's first true value; an AssertionError that names `what` (asked then, where it can be asked) when the
    deadline passes before."""
    deadline = time.monotonic() + deadline_seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            named = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {deadline_seconds} s: {named}")
        time.sleep(LOOK_SECONDS)
    return value
