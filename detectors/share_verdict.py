"""What `ShareShift` is asked to call a change, and what it answers."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from detectors.share_window import Window

Reason = Literal[
    "insufficient_history",
    "within_band",
    "below_min_abs",
    "below_min_rel",
    "unconfirmed",
    "passed",
    "extra_traffic",
    "shifted",
    "open",
    "stepped_up",
    "recovered",
]
"""`shifted` opens an incident, `open` says that it stands, `stepped_up` that it moved further from normal, `recovered`
that it is over. The others are reasons to be quiet: `unconfirmed`, the change is too short yet, or might be additional
traffic; `passed`, it was over before it was sure; `extra_traffic`, events of one kind came on top (in an incident, too,
which then stays open)."""


_HALF = 0.5


class ShareOptions(msgspec.Struct, frozen=True):
    """What to call a change.

    `quiet_years`: one false alarm in so long. A change counts from `min_points` (of a share of 1), or from `min_ratio`
    times the share (of the rarer side) if that is at least `min_small`; and from `min_excess` hits more or fewer than
    expected; once it has lasted `min_minutes`. `min_trials`, `min_hours`: the history that it takes. `cluster`: trials
    that share their fate, as long as the history does not tell (1: each its own, as purchases do; events come in
    visits). `span_minutes`: how far back a change may begin. `extra_traffic_minutes`: how long additional events of
    one kind, a crawler's, are no change (0: they are one at once; right where a flood is what is looked for). `falls`:
    whether less is a change as well as more.
    """

    quiet_years: float = 5.0
    min_points: float = 0.05
    min_ratio: float = 1.5
    min_small: float = 0.01
    min_excess: float = 3.0
    min_minutes: int = 10
    min_trials: int = 100
    min_hours: int = 48
    cluster: float = 3.0
    span_minutes: int = 2880
    recovery_minutes: int = 60
    extra_traffic_minutes: int = 120
    day_offset_minutes: int = 0
    falls: bool = True

    def floors(self, value: float, before: float) -> Reason:
        """`shifted` if a change between these shares is worth a word, else why not.

        >>> options = ShareOptions()
        >>> options.floors(0.50, 0.44), options.floors(0.50, 0.46), options.floors(0.02, 0.0)
        ('shifted', 'below_min_rel', 'shifted')
        >>> options.floors(0.009, 0.0), options.floors(1.0, 0.98)
        ('below_min_abs', 'shifted')
        """
        change = abs(value - before)
        if change >= self.min_points:
            return "shifted"
        if change < self.min_small:
            return "below_min_abs"
        if before > _HALF:
            value, before = 1 - value, 1 - before
        return "shifted" if max(value, before) >= self.min_ratio * min(value, before) else "below_min_rel"

    def counts(self, value: float, before: float) -> bool:
        """Whether a change between these shares is worth a word."""
        return self.floors(value, before) == "shifted"


class ShareVerdict(msgspec.Struct, frozen=True):
    """The answer for a minute.

    `value` is the share since `since`, the minute in which the change began most likely, if there is a change to speak
    of, else the minute's own (None without trials); `baseline` what was normal (None without a history); both made of
    `hits`, `trials` and the `expected` hits. `z` is the evidence as standard deviations, with the change's sign. A
    `stepped_up` compares with the incident's level before.
    """

    reason: Reason
    value: float | None
    baseline: float | None
    z: float
    since: int
    hits: int
    trials: int
    expected: float

    @property
    def fired(self) -> bool:
        """Whether a new alert is due."""
        return self.reason in {"shifted", "stepped_up"}


def of_minute(reason: Reason, minute: int, hits: int, trials: int, share: float | None) -> ShareVerdict:
    """The answer when there is nothing to say but how the minute was."""
    value = hits / trials if trials else None
    return ShareVerdict(reason, value, share, 0.0, minute, hits, trials, trials * (share or 0.0))


def of_window(reason: Reason, window: Window) -> ShareVerdict:
    """The answer about a window."""
    since, hits, trials, expected, strength = window
    z = sqrt(2 * strength) * (1 if hits >= expected or not strength else -1)
    value, baseline = (hits / trials, expected / trials) if trials else (None, None)
    return ShareVerdict(reason, value, baseline, z, since, hits, trials, expected)
