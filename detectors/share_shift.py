"""A share that moves to a new level: fields that turn null, events without identity, dead letters, direct visits.

By the minute it sees how many of the trials were hits, and answers whether the share has left the level that is normal
for this hour of this site: in minutes if it moves far, and never for noise. See `share_profile` for what is normal,
`share_window` and `share_evidence` for the test, `share_traffic` for what is held back, `share_incident` for what
follows after it fired.

The threshold is the logarithm of how many looks there are in `quiet_years`: a likelihood ratio against the truth
exceeds e^h with a probability of at most e^-h (Ville 1939), so that false alarms are further apart than that (Lorden
1971, who also shows that no test is faster than threshold × dispersion / Kullback-Leibler distance, in trials). What is
estimated and not known costs a little of it; `tests/detectors/test_share_shift.py` measures what is left.

Limits: a share that moves less than the floors is never reported; one that creeps for weeks is learned, not reported;
a small change of a small share takes long at a small site (from 5 to 10 % of 150 events an hour about two days, if
visits share the attribute); a change that additional events explain as well is waited for (`ShareOptions`).
"""

from __future__ import annotations

from math import log

import msgspec

from detectors.share_evidence import Walk, variance_of
from detectors.share_history import Counts, History, add_to
from detectors.share_incident import Incident, Row, Rules, follow
from detectors.share_profile import Profile, logit_of, slot_of
from detectors.share_traffic import Traffic
from detectors.share_verdict import Reason, ShareOptions, ShareVerdict, of_minute, of_window
from detectors.share_window import Window, loudest

_LEAST_LAG = 6
"""Hours between what is tested and what it is compared with: the span, but a third of a short history."""

_REFRESH_HOURS = 24
_YOUNG_REFRESH_HOURS = 3
_YOUNG_HOURS = 168
_WITHOUT_HITS_REFRESH_HOURS = 168
"""The profile is computed anew once a day, in the first week every three hours; of a share without a single hit, once a
week: it only becomes surer."""


_NO_HIT_EXPECTED = 0.5

_GROWING_MINUTES = 12 * 60
"""A flood or a fault that grows is one incident; what moves the share further after that may be another."""


class ShareState(msgspec.Struct):
    """All that `ShareShift` remembers; encodes and decodes with msgspec."""

    history: History = msgspec.field(default_factory=History)
    walk: Walk = msgspec.field(default_factory=Walk)
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    profile: Profile | None = None
    threshold: float = 0.0
    minute: int = -1
    hour: int = -1
    tested_since: int = -1
    unlearned_until: int = -1
    incident: Incident | None = None
    aside: Counts = {}


class ShareShift:
    """Watches one share.

    >>> share = ShareShift(ShareOptions(cluster=1.0, extra_traffic_minutes=0))
    >>> for minute in range(5 * 1440):
    ...     share.learn_one(minute, hits=minute % 20 == 0, trials=2)
    >>> [share.update(minute, hits=1, trials=2).reason for minute in range(7200, 7230)].index("shifted")
    9
    >>> share.score_one(7230, hits=1, trials=2).since
    7200
    """

    def __init__(self, options: ShareOptions | None = None, state: ShareState | None = None) -> None:
        self.options = options or ShareOptions()
        self.state = state or ShareState()
        if self.options.span_minutes < 60 * _LEAST_LAG:
            raise ValueError(f"span_minutes must be at least {60 * _LEAST_LAG}")

    def score_one(self, minute: int, hits: int, trials: int) -> ShareVerdict:
        """What is to be said of a minute; changes nothing. Minutes come in order (an earlier one counts as the last
        one again), and may be left out; hits beyond the trials are cut."""
        verdict = self._score(max(minute, self.state.minute), *_sane(hits, trials))
        return verdict or self._ordinary(minute, hits, trials)

    def _score(self, minute: int, hits: int, trials: int) -> ShareVerdict | None:
        """What is to be said of a minute; None if that is nothing, as of nearly all."""
        state = self.state
        profile = state.profile
        if profile is None:
            return None
        level = profile.levels[slot_of(self._hour(minute))]
        if state.incident is not None:
            return self._follow(state.incident, Row(minute, hits, trials, trials * level.share), profile)
        if not trials:
            return None
        least = 0.5 * state.threshold
        dispersion, falls = profile.noise.dispersion, self.options.falls
        window = loudest(state.walk, minute, (hits, trials), level, dispersion, least, falls=falls)
        return None if window is None else of_window(self._reason(window, minute, profile), window)

    def _ordinary(self, minute: int, hits: int, trials: int) -> ShareVerdict:
        """The answer about a minute of which there is nothing to say."""
        minute, (hits, trials) = max(minute, self.state.minute), _sane(hits, trials)
        profile = self.state.profile
        if profile is None:
            return of_minute("insufficient_history", minute, hits, trials, None)
        share = profile.levels[slot_of(self._hour(minute))].share
        return of_minute("within_band", minute, hits, trials, share)

    def learn_one(self, minute: int, hits: int, trials: int, *, trusted: bool = True) -> None:
        """Takes a minute in; one that is not `trusted` is judged, but teaches nothing about what is normal."""
        self.update(minute, hits, trials, trusted=trusted)

    def update(self, minute: int, hits: int, trials: int, *, trusted: bool = True) -> ShareVerdict:
        """Scores a minute, then learns it."""
        ordinary = self._ordinary(minute, hits, trials)
        return self.tell(minute, hits, trials, trusted=trusted) or ordinary

    def tell(self, minute: int, hits: int, trials: int, *, trusted: bool = True) -> ShareVerdict | None:
        """The same; None if there is nothing to say."""
        minute = max(minute, self.state.minute)
        if not 0 <= hits <= trials:
            hits, trials = _sane(hits, trials)
        verdict = self._score(minute, hits, trials)
        self._enter(minute)
        if trials:
            self._take(minute, hits, trials, trusted=trusted)
        if verdict is not None and verdict.reason != "within_band":
            self._follow_up(verdict, minute)
        return verdict

    def may_wait(self, minute: int, trials: int) -> bool:
        """Whether trials without a hit, those of this minute's hour so far, are too few to tell anything: less than half
        a hit was expected. They may be told later, as one (`pass_over`)."""
        state = self.state
        if state.incident is not None or self._hour(minute) != state.hour:
            return False
        profile = state.profile
        return profile is None or trials * profile.levels[slot_of(state.hour)].share < _NO_HIT_EXPECTED

    def pass_over(self, minute: int, trials: int) -> None:
        """Takes trials without a hit in that waited up to this minute."""
        minute = max(minute, self.state.minute)
        self._enter(minute)
        self._take(minute, 0, trials, trusted=True)

    def accept(self) -> bool:
        """Makes the open incident's level the normal one; False if none is open.

        Hours, weekends and noise stay known, if the incident is long enough to say where the level is now; else all is
        learned anew.
        """
        state, incident, profile = self.state, self.state.incident, self.state.profile
        if incident is None or profile is None:
            return False
        if incident.trials >= self.options.min_trials:
            after = (incident.hits + 0.5) / (incident.trials + 1)
            before = (min(incident.expected, incident.trials) + 0.5) / (incident.trials + 1)
            state.history.move(profile, logit_of(after) - logit_of(before))
            state.history.cells.update(state.aside)
        else:
            state.history.cells = state.aside
        self._close()
        return True

    def forget(self, first: int, last: int) -> None:
        """Takes the hours of these minutes out of what is normal (a day that turned out not to be trusted)."""
        for hour in range(self._hour(first), self._hour(last) + 1):
            self.state.history.cells.pop(hour, None)

    def _hour(self, minute: int) -> int:
        return (minute + self.options.day_offset_minutes) // 60

    def _reason(self, window: Window, minute: int, profile: Profile) -> Reason:
        options, traffic = self.options, self.state.traffic
        found = traffic.cause(window, minute, profile, options)
        if found == "traffic":
            return "extra_traffic"
        if window.evidence < self.state.threshold or abs(window.hits - window.expected) < options.min_excess:
            return "within_band"
        reason = options.floors(window.hits / window.trials, window.expected / window.trials)
        if reason != "shifted":
            return reason
        return traffic.confirm(window, minute, found, profile.noise.dispersion, options)

    def _follow(self, incident: Incident, row: Row, profile: Profile) -> ShareVerdict:
        """What there is to say while an incident is open."""
        state, options, dispersion = self.state, self.options, profile.noise.dispersion
        level = profile.levels[slot_of(self._hour(row.minute))]
        rules = Rules(dispersion, level.unsure + level.hour_unsure, state.threshold, options)
        turn = follow(incident, row, rules)
        window = Window(turn.since, turn.hits, turn.trials, turn.expected, turn.evidence)
        if turn.word == "open":
            return of_window("open", window._replace(evidence=rules.against_normal(window)))
        if turn.word == "recovered":
            return of_window("recovered", window)
        window = window._replace(expected=turn.before * turn.trials)
        found = state.traffic.cause(window, row.minute, profile, options)
        reason = state.traffic.confirm(window, row.minute, found, dispersion, options)
        if reason == "unconfirmed":
            return of_window("open", window._replace(since=incident.since))
        if reason != "shifted":
            return of_window(reason, window)
        value, normal = turn.hits / turn.trials, turn.expected / turn.trials
        further = abs(value - normal) > abs(turn.before - normal) and options.counts(value, turn.before)
        if further and row.minute - incident.opened < _GROWING_MINUTES:
            now = window._replace(expected=turn.expected)
            return of_window("open", now._replace(evidence=rules.against_normal(now)))
        return of_window("stepped_up" if further else "open", window)

    def _enter(self, minute: int) -> None:
        """Moves on to a minute; at the turn of an hour, looks back."""
        state, hour = self.state, self._hour(minute)
        state.minute = minute
        if hour != state.hour:
            before, state.hour = state.hour, hour
            if state.tested_since < 0:
                state.tested_since = hour
            if state.incident is None:
                self._end_hour(before)

    def _end_hour(self, before: int) -> None:
        state, dispersion = self.state, self.state.history.dispersion
        if state.profile is not None:
            dispersion.end_hour(state.profile.noise)
            if state.hour // 24 != before // 24:
                dispersion.end_day(state.profile.noise)
        if self._is_due(before):
            self._refresh()

    def _is_due(self, before: int) -> bool:
        """Whether the profile is to be computed anew, which was last asked at the hour `before`."""
        now, history = self.state.hour, self.state.history
        if now < history.oldest(now) + _YOUNG_HOURS:
            return now // _YOUNG_REFRESH_HOURS != before // _YOUNG_REFRESH_HOURS
        if now // _REFRESH_HOURS == before // _REFRESH_HOURS:
            return False
        week, last = now // _WITHOUT_HITS_REFRESH_HOURS, before // _WITHOUT_HITS_REFRESH_HOURS
        return week != last or history.has_hits()

    def _refresh(self) -> None:
        """Learns anew what is normal, from hours before any window that is tested."""
        state, options = self.state, self.options
        age, span = state.hour - state.history.oldest(state.hour), -(-options.span_minutes // 60)
        if age < options.min_hours:
            state.profile = None
            return
        lag = min(span, max(_LEAST_LAG, age // 3), state.hour - state.tested_since + 1)
        profile = state.history.profile(state.hour, lag, options.cluster)
        if profile.trials < options.min_trials:
            state.profile = None
            return
        if state.profile is None:
            state.walk.restart(state.minute)
        state.profile = profile
        state.walk.forget(60 * (state.hour - lag) - options.day_offset_minutes)
        looks = (1 + options.falls) * 365 * options.quiet_years * min(1440.0, profile.trials_a_day)
        state.threshold = log(max(looks, 2.0))

    def _take(self, minute: int, hits: int, trials: int, *, trusted: bool) -> None:
        state = self.state
        state.traffic.add(minute, hits, trials)
        expected: float | None = None
        variance = 0.0
        if state.profile is not None:
            share = state.profile.levels[slot_of(state.hour)].share
            expected, variance = trials * share, trials * variance_of(share)
            state.walk.step(minute, hits, trials, expected, variance)
        if state.incident is not None and expected is not None:
            state.incident.add(Row(minute, hits, trials, expected))
            add_to(state.aside, state.hour, hits, trials)
        elif trusted and state.hour > state.unlearned_until:
            add_to(state.history.cells, state.hour, hits, trials)
            if expected is not None:
                state.history.dispersion.see(hits - expected, variance)

    def _follow_up(self, verdict: ShareVerdict, minute: int) -> None:
        """Lets follow what follows from an answer."""
        state, incident = self.state, self.state.incident
        match verdict.reason:
            case "shifted":
                self._open(verdict, minute)
            case "extra_traffic":
                state.traffic.hold(verdict.since, minute)
                self._skip(verdict.since)
            case "passed":
                self._skip(verdict.since)
            case "recovered":
                self._close()
            case "open" | "stepped_up" if incident is not None and verdict.since > incident.since:
                incident.rebase(verdict.since)
                incident.steps += verdict.reason == "stepped_up"
            case _:
                pass

    def _open(self, verdict: ShareVerdict, minute: int) -> None:
        state = self.state
        first = self._hour(verdict.since)
        state.aside = state.history.cut_from(first)
        state.aside.pop(first, None)
        state.incident = Incident(verdict.since, minute)
        state.incident.add(Row(minute, verdict.hits, verdict.trials, verdict.expected))

    def _skip(self, since: int) -> None:
        """Neither learns what came since, nor tests it again."""
        state = self.state
        if state.incident is not None:
            state.incident.leave_out(since)
            return
        state.history.cut_from(self._hour(since))
        self._restart()

    def _close(self) -> None:
        state = self.state
        state.incident, state.aside = None, {}
        self._restart()
        self._refresh()

    def _restart(self) -> None:
        """Tests and learns only what comes from now on."""
        state = self.state
        state.walk.restart(state.minute)
        state.tested_since = state.unlearned_until = state.hour


def _sane(hits: int, trials: int) -> tuple[int, int]:
    trials = max(trials, 0)
    return min(max(hits, 0), trials), trials
