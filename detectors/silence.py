"""An improbably long time without any event, or without any purchase, for these hours of the day.

With arrivals at rate lambda(t), nothing comes in a gap with probability exp(-E), E the integral of lambda over it (the
Poisson process). The rate itself is only known about: if it is gamma-distributed about its mean with coefficient of
variation 1 / sqrt(alpha), the probability is (beta / (beta + E))^alpha with beta = alpha, the gamma-Poisson predictive
(negative binomial; Gelman et al., Bayesian Data Analysis, 2.6). For alpha without end it is exp(-E) again.

How improbable is improbable? Every arrival begins a gap, so of n arrivals a year n P(gap) gaps are this long by chance.
`false_per_year` sets that, so a busier site needs a longer silence, counted in arrivals, and a shorter one in minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from detectors.alerts import Severity
from detectors.answer import Answer, Number, Reason
from detectors.arrivals import (
    DAY_MINUTES,
    HOUR_MINUTES,
    PastHours,
    Rate,
    expected_for,
    past_hours,
    probability,
    rate_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAYS_A_YEAR = 365.25
_USUAL_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class SilenceRules:
    """`false_per_year`: how many silences a year may be chance. `least_minutes`: shorter ones are never told, that is
    how long a restart takes. `rate_cv`: how much an hour's rate varies from day to day, believed until the days known
    tell better, and never less than half of it. `fewest_days`: with fewer trusted days nothing is said. `memory_days`:
    how many are kept. `longest_times`: how many times the longest quiet spell of a trusted day a silence must be;
    `longest_days`: nothing is foreseen further ahead."""

    rule: str = "volume_silence"
    metric: str = "events"
    severity: Severity = Severity.P0_BLOCKER
    false_per_year: float = 0.2
    least_minutes: int = 5
    rate_cv: float = 0.2
    fewest_days: int = 3
    memory_days: int = 28
    longest_times: float = 1.3
    longest_days: int = 28


EVENT_SILENCE = SilenceRules()
PURCHASE_SILENCE = SilenceRules(
    "purchase_silence", "purchases", Severity.P1_HIGH, false_per_year=0.5, least_minutes=15, rate_cv=0.15
)
"""Purchases are few, so what is believed of their rate beforehand counts for long: drawn shops vary by 0.1 to 0.18."""


class SilenceState(msgspec.Struct):
    """The trusted days known, oldest first."""

    days: list[PastHours] = []


class Silence:
    """Learns trusted days' counts by hour, and says how improbable a silence is and when a tick would have told it."""

    def __init__(self, rules: SilenceRules = EVENT_SILENCE, state: SilenceState | None = None) -> None:
        self._rules = rules
        self.state = state or SilenceState()
        self._rate: Rate | None = None
        self._soonest: int | None = None

    def learn_one(
        self,
        day: int,
        counts: Sequence[float],
        independent: float | None = None,
        gaps: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Takes in a trusted day's counts by hour, or their amendment; all of them are independent unless told.

        `gaps` are its longer quiet spells (`quiet_spells`), in minutes of the day: what a trusted day has is normal,
        however improbable.
        """
        kept = [past for past in self.state.days if past.day != day]
        kept.append(past_hours(day, counts, independent, gaps))
        self.state.days = sorted(kept, key=lambda past: past.day)[-self._rules.memory_days :]
        self._rate = self._soonest = None

    def forget(self, day: int) -> None:
        """A day no longer deserves trust."""
        self.state.days = [past for past in self.state.days if past.day != day]
        self._rate = self._soonest = None

    def rate(self) -> Rate | None:
        """What the days known say of the rate; None with too few of them, or without any arrival."""
        if self._rate is None and len(self.state.days) >= self._rules.fewest_days:
            self._rate = rate_of(self.state.days, self._rules.rate_cv)
        return self._rate

    def score_one(
        self, last_minute: int, now_minute: int, offset_minutes: int = 0, level: float = 1.0
    ) -> Answer:
        """How improbable it is that nothing came after `last_minute`; minutes since the epoch.

        `offset_minutes` is what local time is ahead of UTC, `level` by what factor more than usual is expected.
        """
        rules, rate = self._rules, self.rate()
        if rate is None:
            return self._answer(Reason.INSUFFICIENT_HISTORY, last_minute, now_minute, {})
        expected = _expected(rate, last_minute + offset_minutes, now_minute + offset_minutes, level)
        reason = Reason.FIRED
        if expected < self._needed(rate):
            reason = Reason.WITHIN_BAND
        elif now_minute - last_minute < rules.least_minutes:
            reason = Reason.BELOW_MIN_ABS
        evidence: dict[str, Number] = {
            "expected": expected * rate.clump,
            "probability": probability(expected, rate.alpha),
            "needed": self._needed(rate) * rate.clump,
        }
        return self._answer(reason, last_minute, now_minute, evidence)

    def fires_at(self, last_minute: int, offset_minutes: int = 0, level: float = 1.0) -> int | None:
        """The first minute at which `score_one` fires if nothing comes after `last_minute`, so that the ticks through a
        gap need not be made one by one; None if it does not for weeks."""
        rate = self.rate()
        if rate is None or level <= 0:
            return None
        start, needed = last_minute + offset_minutes, self._needed(rate)
        first = start + self._rules.least_minutes
        minute = max(rate.minute_at(rate.by(start) + needed / level), first)
        if minute - start > self._rules.longest_days * DAY_MINUTES:
            return None
        while minute > first and _expected(rate, start, minute - 1, level) >= needed:  # rounding may add one
            minute -= 1
        while _expected(rate, start, minute, level) < needed:
            minute += 1
        return minute - offset_minutes

    def looks_again_at(self, last_minute: int, now_minute: int, offset_minutes: int, level: float) -> int:
        """When `score_one` fires if what comes at all is as usual from now on, where so far it was at this level: before
        that there is no need to ask again."""
        rate = self.rate()
        if rate is None:
            return now_minute + self._rules.longest_days * DAY_MINUTES
        start, now = last_minute + offset_minutes, now_minute + offset_minutes
        missing = self._needed(rate) - _expected(rate, start, now, level)
        return max(rate.minute_at(rate.by(now) + missing) - offset_minutes, now_minute + 1)

    def level(self, share: float) -> float:
        """What to expect where of everything else this share of what is usual came: an hour that is quiet altogether is
        no silence of one thing. By how much hours differ anyway, to two deviations, the rate allows for already.

        >>> purchases = Silence(PURCHASE_SILENCE)
        >>> for day in range(7):
        ...     purchases.learn_one(day, [80.0] * 24)
        >>> [round(purchases.level(share), 2) for share in (2.0, 0.8, 0.5, 0.0)]
        [1.0, 0.96, 0.6, 0.0]
        """
        rate = self.rate()
        return 1.0 if rate is None else min(share * (1 + _USUAL_DEVIATIONS / math.sqrt(rate.alpha)), 1.0)

    def soonest(self) -> int:
        """After how many minutes at least a silence is told, whenever it begins (level 1): as many as the busiest hour
        needs. So the minute of each need not be worked out while things come."""
        if self._soonest is None:
            rate = self.rate()
            if rate is None:
                self._soonest = self._rules.longest_days * DAY_MINUTES
            else:
                busiest = max(end - start for start, end in pairwise(rate.sums)) / HOUR_MINUTES
                self._soonest = max(math.floor(self._needed(rate) / busiest), self._rules.least_minutes)
        return self._soonest

    def _needed(self, rate: Rate) -> float:
        """How many arrivals must have been expected for their absence to be told."""
        chance = self._rules.false_per_year / (rate.sums[-1] * _DAYS_A_YEAR)
        return max(expected_for(min(chance, 0.01), rate.alpha), self._rules.longest_times * rate.longest)

    def _answer(self, reason: Reason, last: int, now: int, evidence: dict[str, Number]) -> Answer:
        rules = self._rules
        return Answer(
            rules.rule,
            rules.metric,
            reason,
            rules.severity if reason is Reason.FIRED else None,
            value=float(now - last),
            since_minute=last,
            known_minute=now,
            count=0,
            evidence=evidence,
        )


def _expected(rate: Rate, start: int, end: int, level: float) -> float:
    """How many arrivals were expected between two local minutes."""
    return level * max(rate.by(end) - rate.by(start), 0.0)
