"""What becomes of a share that has left its level: it moves on, or it is back.

Both questions are put to the incident's own counts: a suffix of them is compared with those before it (a second,
further change) and with what was normal *before* the incident, which stays as it was (recovery). A suffix is back when
it lasted long enough, fits the old level, and is much likelier under it than halfway to the incident's (a sequential
probability ratio test, Wald 1945).
"""

from __future__ import annotations

from math import fsum, log, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from detectors.share_evidence import against, evidence

if TYPE_CHECKING:
    from detectors.share_verdict import ShareOptions
    from detectors.share_window import Window

_FINE_MINUTES = 120
_COARSE_MINUTES = 10
_KEPT_MINUTES = 2880
"""The last two hours of an incident are kept by the minute, two days by ten minutes, the rest as a sum."""

_LOOK_MINUTES = 5

_SURELY_BACK_MINUTES = 1440
"""A day that lies no further from the old level than what is never reported ends an incident, come what may."""

_BACK = 6.0
"""log of how much likelier the old level must be than one halfway to the incident's (in odds)."""

_FITS = 3.0
"""Evidence against the old level below which the counts fit it: about one sample in 70 that belongs there does not."""


class Row(NamedTuple):
    """The counts of a minute of an incident, or of some, and the hits that were to be expected before it."""

    minute: int
    hits: int
    trials: int
    expected: float


class Incident(msgspec.Struct):
    """An open incident: `since` when, and `opened`, known, when. `hits`, `trials`, `expected` are the sums since the
    level last moved, `rows` the latest of its minutes; `steps` counts the further moves."""

    since: int
    opened: int
    hits: int = 0
    trials: int = 0
    expected: float = 0.0
    rows: list[Row] = []
    steps: int = 0

    def add(self, row: Row) -> None:
        """Takes a minute in."""
        self.hits += row.hits
        self.trials += row.trials
        self.expected += row.expected
        if self.rows and row.minute // _COARSE_MINUTES != self.rows[-1].minute // _COARSE_MINUTES:
            self.rows = _thinned(self.rows, row.minute)
        self.rows.append(row)

    def leave_out(self, since: int) -> None:
        """Forgets the minutes from here on, as if they had not been."""
        for row in self.rows:
            if row.minute >= since:
                self.hits -= row.hits
                self.trials -= row.trials
                self.expected -= row.expected
        self.rows = [row for row in self.rows if row.minute < since]

    def rebase(self, since: int) -> None:
        """The level moved: only the minutes from here on tell of it."""
        self.rows = [row for row in self.rows if row.minute >= since]
        self.hits = sum(row.hits for row in self.rows)
        self.trials = sum(row.trials for row in self.rows)
        self.expected = fsum(row.expected for row in self.rows)


def _thinned(rows: list[Row], minute: int) -> list[Row]:
    """The rows as they are kept at this minute."""
    kept: list[Row] = []
    for row in rows:
        if row.minute <= minute - _KEPT_MINUTES:
            continue
        last = kept[-1] if kept else row
        same = kept and last.minute // _COARSE_MINUTES == row.minute // _COARSE_MINUTES
        if same and row.minute <= minute - _FINE_MINUTES:
            counts = last.hits + row.hits, last.trials + row.trials, last.expected + row.expected
            kept[-1] = Row(last.minute, *counts)
        else:
            kept.append(row)
    return kept


class Rules(NamedTuple):
    """What applies: `unsure` is the variance of the old level on the logit scale."""

    dispersion: float
    unsure: float
    threshold: float
    options: ShareOptions

    def against_normal(self, window: Window) -> float:
        """The evidence that counts are not of the old level."""
        rise, share = window.hits > window.expected, window.expected / max(window.trials, 1)
        counts = window.hits, window.trials
        return against(*counts, share, dispersion=self.dispersion, unsure=self.unsure, rise=rise)


class Turn(NamedTuple):
    """What became of an incident: its last counts since `since`, the share `before`, and how clearly they differ."""

    word: Literal["open", "moved", "recovered"]
    since: int
    hits: int
    trials: int
    expected: float
    before: float
    evidence: float


def follow(incident: Incident, row: Row, rules: Rules) -> Turn:
    """How the incident stands with this minute; changes nothing.

    Every five minutes, suffixes of 1, 2, 3, … rows are tried, each about a quarter longer than the last.
    """
    whole = Row(
        incident.since,
        incident.hits + row.hits,
        incident.trials + row.trials,
        incident.expected + row.expected,
    )
    best = Turn("open", *whole, 0.0, 0.0)
    if incident.rows and incident.rows[-1].minute // _LOOK_MINUTES == row.minute // _LOOK_MINUTES:
        return best
    _, hits, trials, expected = row
    looked, step = 0, 1
    for minute, more_hits, more_trials, more_expected in reversed(incident.rows):
        hits, trials, expected = hits + more_hits, trials + more_trials, expected + more_expected
        looked += 1
        if looked < step or not trials or trials == whole.trials:
            continue
        step = looked + 1 + looked // 4
        turn = _turn(whole, Row(minute, hits, trials, expected), row.minute, rules)
        if turn.word == "recovered":
            return turn
        if turn.word == "moved" and turn.evidence > best.evidence:
            best = turn
    return best


def _turn(whole: Row, part: Row, minute: int, rules: Rules) -> Turn:
    """What the last part of an incident says, beside what came before it."""
    _, hits, trials, expected = part
    rest = whole.hits - hits, whole.trials - trials
    before = rest[0] / rest[1]
    if _is_back(part, minute - part.minute, rest, rules):
        return Turn("recovered", *part, before, 0.0)
    apart = evidence(hits, trials, *rest) / rules.dispersion
    moved = apart >= rules.threshold and rules.options.counts(hits / trials, expected / trials)
    return Turn("moved" if moved else "open", *part, before, apart)


def _is_back(part: Row, minutes: int, rest: tuple[int, int], rules: Rules) -> bool:
    _, hits, trials, expected = part
    if minutes < rules.options.recovery_minutes:
        return False
    near = not rules.options.counts(hits / trials, expected / trials)
    if near and minutes >= _SURELY_BACK_MINUTES:
        return True
    old, new = (expected + 0.5) / (trials + 1), (rest[0] + 0.5) / (rest[1] + 1)
    halfway = sqrt(old / (1 - old) * new / (1 - new))
    halfway /= 1 + halfway
    likelier = hits * log(old / halfway) + (trials - hits) * log((1 - old) / (1 - halfway))
    if likelier < _BACK * rules.dispersion:
        return False
    doubt = against(
        hits,
        trials,
        expected / trials,
        dispersion=rules.dispersion,
        unsure=rules.unsure,
        rise=hits > expected,
    )
    return near or doubt < _FITS
