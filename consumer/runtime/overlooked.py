"""Partitions that nobody works on, though all seem to be dealt out.

Who joins again under its name while the group is at rest is given what it had, and nothing is dealt out anew (KIP-345),
whatever became of the topics meanwhile. Partitions that were added while it was away, or a topic that its broker had not
heard of when the group was formed, have no owner then, and nobody says so: the client knows of them when it joins, so
that nothing changes for it afterwards. Every owner leaves a mark at least every few seconds. Where none moves, one
process leaves the group and joins it anew, which deals out everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from consumer.runtime.kafka.marks import Mark
    from consumer.runtime.transport import Partition

    Marks = Mapping[Partition, Mark | None]
    End = Callable[[Partition], int | None]

PATIENCE_SECONDS = 180.0
"""Longer than a restore takes, in which an owner leaves no marks."""

LONGEST_PAUSE_SECONDS = 3_600.0
"""Between two tries where leaving does not help: its owner is there, and fails."""


class Overlooked:
    """Decides whether this process has to leave its group. Told what another thread sees; asked by the loop's.

    `marked`: the topics whose owners leave marks even where nothing comes. Those of others (`growing`) leave none until
    something comes. Times are seconds of the monotonic clock.
    """

    def __init__(
        self, instance: str, marked: Collection[str], growing: Collection[str], patience_seconds: float
    ) -> None:
        self._instance = instance
        self._marked = frozenset(marked)
        self._growing = frozenset(growing)
        self._patience = self._pause = patience_seconds
        self._before: Marks = {}
        self._still_since: dict[Partition, float] = {}
        self._ends: dict[Partition, int] = {}
        self._unread_since: dict[Partition, float] = {}
        self._settled_at: float | None = None
        self._not_before = 0.0
        self._sentence = ""

    def look(self, marks: Marks, end: End, now: float) -> None:
        """Takes in the marks as they are now; `end` asks where a partition ends."""
        before, self._before = self._before, marks
        moved = {at for at, mark in marks.items() if at in before and before[at] != mark}
        for at in marks:
            if at in moved or at not in self._still_since:
                self._still_since[at] = now
                self._ends.pop(at, None)
                self._unread_since.pop(at, None)
        left = [at for at in sorted(marks) if at not in moved and self._is_left(at, end, now)]
        if not left and now >= self._not_before:
            self._pause = self._patience
        self._sentence = self._said(left) if left and self._is_ours_to_do(marks, moved) else ""

    def settled(self, now: float) -> None:
        """The group has just dealt out partitions to us."""
        self._settled_at = now

    def reason_to_leave(self, now: float) -> str:
        """Why to leave the group now and to join it anew, in a sentence; empty = no reason, or not yet. Whoever asks does
        it: the next reason comes after a pause, each twice as long while it does not help."""
        if not self._sentence or self._settled_at is None:
            return ""
        if now < max(self._not_before, self._settled_at + self._patience):
            return ""
        self._not_before, self._settled_at = now + self._pause, None
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        sentence, self._sentence = self._sentence, ""
        return sentence

    def _is_left(self, at: Partition, end: End, now: float) -> bool:
        """Whether nobody has worked on it for long, though there was something to do."""
        if at.topic in self._marked:
            return now - self._still_since[at] >= self._patience
        if at.topic in self._growing:
            self._note_growth(at, end, now)
        return now - self._unread_since.get(at, now) >= self._patience

    def _note_growth(self, at: Partition, end: End, now: float) -> None:
        """Since when it has had more than it had when its mark was first seen to stand still."""
        if at in self._unread_since:
            return
        ends = end(at)
        if ends is not None and ends > self._ends.setdefault(at, ends):
            self._unread_since[at] = now

    def _is_ours_to_do(self, marks: Marks, moved: set[Partition]) -> bool:
        """One process of all that see the same: whoever works on the first partition that somebody works on."""
        first = marks[min(moved)] if moved else None
        return first is None or first.instance == self._instance

    def _said(self, left: list[Partition]) -> str:
        names = ", ".join(f"{at.topic}[{at.number}]" for at in left)
        return f"nobody has worked on {names} for {self._patience:.0f} s: leaving the group to have it dealt out anew"
