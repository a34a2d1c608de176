"""Partitions that nobody works on, though all seem to be dealt out.

Who joins again under its name while the group is at rest is given what it had, and nothing is dealt out anew (KIP-345),
whatever became of the topics meanwhile. Partitions that were added while it was away, or a topic that its broker had not
heard of when the group was formed, have no owner then, and nobody says so: the client knows of them when it joins, so
that nothing changes for it afterwards. Every owner leaves a mark at least every few seconds. Where none moves for long,
that is said; a process that is alone leaves the group and joins anew, which deals out everything. Where there are others
none of them can know whether the owner is merely slow, and leaving would cost all of them time.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from consumer.runtime.kafka.marks import Mark
    from consumer.runtime.transport import Partition

    Marks = Mapping[Partition, Mark | None]
    End = Callable[[Partition], int | None]

FRESH_SECONDS = 30.0
"""What was seen longer ago says nothing of now: this process, or the broker, stood still."""


class Overlooked:
    """Knows which partitions nobody works on, and whether this process should leave its group for it. One thread looks,
    another one asks.

    `marked`: the topics whose owners leave marks even where nothing comes. Those of `growing` leave none until something
    comes. `patience_seconds`: beyond the time in which the group takes a dead member's partitions away from it, and their
    new owner, which leaves no marks meanwhile, restores them. Times are seconds of the monotonic clock.
    """

    def __init__(
        self, instance: str, marked: Collection[str], growing: Collection[str], patience_seconds: float
    ) -> None:
        self._instance = instance
        self._marked = frozenset(marked)
        self._growing = frozenset(growing)
        self._patience = self._pause = patience_seconds
        self._lock = Lock()
        self._looked_at = self._others_at = self._not_before = 0.0
        self._settled_at: float | None = None
        self._own: frozenset[Partition] = frozenset()
        self._before: Marks = {}
        self._moved: set[Partition] = set()
        self._still_since: dict[Partition, float] = {}
        self._ends: dict[Partition, int] = {}
        self._unread_since: dict[Partition, float] = {}
        self._left: set[Partition] = set()

    # ── who looks ───────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, marks: Marks, end: End, now: float) -> None:
        """Takes in the marks as they are now; `end` asks where a partition ends."""
        with self._lock:
            if now - self._looked_at > FRESH_SECONDS:
                self._before, self._still_since, self._left = {}, {}, set()
                self._others_at = now
            self._looked_at = now
            before, self._before = self._before, marks
            self._moved = {at for at, mark in marks.items() if at in before and before[at] != mark}
            for at in marks:
                if at in self._moved or at not in self._still_since:
                    self._still_since[at] = now
                    self._ends.pop(at, None)
                    self._unread_since.pop(at, None)
            owners = {mark.instance for at in self._moved if (mark := marks[at]) is not None}
            if owners - {self._instance}:
                self._others_at = now
        left = {at for at in marks if at not in self._moved and self._is_left(at, end, now)}
        with self._lock:
            self._left = left
            if not left and now >= self._not_before:
                self._pause = self._patience

    def _is_left(self, at: Partition, end: End, now: float) -> bool:
        """Whether nobody has worked on it for long, though there was something to do. Without an answer where it ends
        nobody could."""
        if at.topic in self._marked:
            return now - self._still_since[at] >= self._patience and end(at) is not None
        if at.topic in self._growing and any(other.topic not in self._growing for other in self._moved):
            self._note_growth(at, end, now)
            return now - self._unread_since.get(at, now) >= self._patience
        return False

    def _note_growth(self, at: Partition, end: End, now: float) -> None:
        """Since when it has had more than it had when its mark was first seen to stand still."""
        if at in self._unread_since:
            return
        ends = end(at)
        if ends is not None and ends > self._ends.setdefault(at, ends):
            self._unread_since[at] = now

    def sentence(self) -> str:
        """What nobody works on and what helps; empty = there is no such thing."""
        with self._lock:
            left = self._left - self._own
        if not left:
            return ""
        return (
            f"{_names(left)}: not worked on for {self._patience:.0f} s; its process may restore or hang, or it was dealt "
            "out to nobody: if that stays, end one process of the group in order and start it again"
        )

    # ── who works ───────────────────────────────────────────────────────────────────────────────────────────────

    def connects(self) -> None:
        """A new connection, to which nothing is dealt out yet."""
        with self._lock:
            self._settled_at = None

    def settled(self, now: float) -> None:
        """The group has just dealt out partitions to us, or said that there are none."""
        with self._lock:
            self._settled_at = now

    def reason_to_leave(self, now: float, own: Collection[Partition]) -> str:
        """Why to leave the group now and to join it anew, in a sentence; empty = no reason, or not yet. Whoever asks does
        it: the next reason comes after a pause, each twice as long while it does not help. `own` are the partitions that
        we have."""
        with self._lock:
            self._own = frozenset(own)
            left = self._left - self._own
            if not left or self._settled_at is None or now - self._looked_at > FRESH_SECONDS:
                return ""
            if now - self._others_at < self._patience or (self._own and not self._own & self._moved):
                return ""  # others work, or what is the matter is the matter with us as well
            if now < max(self._not_before, self._settled_at + self._patience):
                return ""
            self._not_before, self._pause = now + self._pause, 2 * self._pause
            self._settled_at, self._left = None, set()
        return f"nobody has worked on {_names(left)} for {self._patience:.0f} s: leaving the group to have it dealt out anew"


def _names(partitions: Collection[Partition]) -> str:
    return ", ".join(map(str, sorted(partitions)))
