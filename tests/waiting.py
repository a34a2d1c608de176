"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.05


def wait_until(condition: Callable[[], T], deadline_seconds: float, what: str) -> T:
    """The condition's first true value; an AssertionError that names `what` when the deadline passes before."""
    deadline = time.monotonic() + deadline_seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_seconds} s: {what}")
        time.sleep(LOOK_SECONDS)
    return value
