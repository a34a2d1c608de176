"""The rolling median: of the last few values, on river's sorted window."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from river.utils import SortedWindow

if TYPE_CHECKING:
    from collections.abc import Iterable


def rolling_median(values: Iterable[float], size: int) -> float:
    """The median of the last `size` values; ValueError if there is none. Of an even number of them it is the mean of the
    two in the middle.

    >>> rolling_median([9, 9, 1, 3, 2], 3), rolling_median([1, 2], 7)
    (2.0, 1.5)
    """
    window: SortedWindow[float] = SortedWindow(size)
    for value in deque(values, maxlen=size):
        window.append(value)
    return float(median(window))
