"""The watched metrics: the day so far every ten minutes, the whole day once it closes, and silences in between."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from consumer.core.timestamps import MINUTE_MS
from detectors.alerts import Severity
from detectors.answer import Answer, Reason
from detectors.baseline import PastDay
from detectors.deviation import Deviation, DeviationState, Life
from detectors.finding import Finding, Word
from detectors.line import Seen
from detectors.pace import Pace, PaceState, PastCourse
from detectors.sentences import of_metric, of_metric_back, of_silence, of_silence_over, when
from detectors.silence import Silence, SilenceRules, SilenceState
from detectors.totals import STEP_MINUTES, STEPS, Totals
from detectors.verdict import Check, Normal
from detectors.watched import PACED, WATCHED, Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from consumer.core.daybook import Day
    from consumer.tasks.judge_state import JudgeClock, JudgeOptions, OpenDay
    from consumer.tasks.minds import Minds
    from detectors.causes import Fields
    from detectors.pace import Today
    from detectors.totals import Course

EPOCH = date(1970, 1, 1)

ALL = tuple(watched.metric for watched in PACED)
_OF_PURCHASES = ("purchases", "revenue", "conversion_rate", "purchase_value")
_OF_SESSIONS = ("sessions", "conversion_rate", "direct_share")

BY_SHARE = frozenset({"direct_share"})
"""Metrics whose day so far is judged as a share, slot by slot, with everything that two days hold."""

SO_FAR = tuple(watched for watched in PACED if watched.metric not in BY_SHARE)

NEVER = 1 << 62
"""A minute that does not come."""

TOUCHES: dict[str, tuple[str, ...]] = {
    "volume_silence": ALL,
    "volume_drop": ALL,
    "volume_spike": ALL,
    "bot_traffic": ALL,
    "duplicate_events": ("events",),
    "unparseable_events": ALL,
    "timestamp_errors": ALL,
    "identity_coverage": ("events", *_OF_SESSIONS),
    "purchase_silence": _OF_PURCHASES,
    "purchase_invalid": _OF_PURCHASES,
}
"""Which metrics an incident touches beside its own: its days tell nothing of what is normal for them."""


def touched_by(finding: Finding, fields: Fields) -> tuple[str, ...]:
    """The metrics about which the days of an incident tell nothing normal: by its kind, or by the field it is about. A
    field that comes under a name that the contract knows costs no number anything."""
    kind, subject = finding.kind, finding.subject
    if kind in TOUCHES or not subject:
        return TOUCHES.get(kind, ())
    if finding.evidence.get("renamed_to") in fields.aliases:
        return ()
    if subject in (fields.timestamp, fields.event_name):
        return ALL
    if subject == fields.identity:
        return _OF_SESSIONS
    if subject in (fields.referrer, fields.page_url):
        return ("direct_share",)
    if fields.event_data is not None and (subject == fields.event_data or subject in fields.needed):
        return _OF_PURCHASES
    return ()


@lru_cache(maxsize=1024)
def day_number(day: str) -> int:
    """Days since 1970-01-01."""
    return (date.fromisoformat(day) - EPOCH).days


class _Tick(NamedTuple):
    """When the silence since `last` is told; a later one not before `bound`."""

    key: tuple[bytes | None, int]
    last: int
    due: int
    bound: int


class Again(msgspec.Struct):
    """What an amended day says: its checks and what was normal anew, which rules take back what they had said of it, and
    the numbers of its alerts."""

    findings: list[Finding] = []
    checks: list[Check] = []
    normal: dict[str, Normal] = {}
    withdrawn: set[str] = set()


class MetricJudge:
    """Judges metrics and silences; what it remembers are the clock's notes and minds."""

    def __init__(self, options: JudgeOptions, minds: Minds, clock: JudgeClock, memo: dict[str, Any]) -> None:
        self._options = options
        self._minds = minds
        self._clock = clock
        self._memo = memo
        self._memories: dict[str, bytes | None] = {}
        self._silences: dict[str, Silence] = {}

    # -- the day so far ------------------------------------------------------------------------------------------

    def step(self, day: str, open_day: OpenDay, end_minute: int, *, if_odd: bool) -> list[Finding] | None:
        """What the day says up to this minute; None if it was only to be looked at were its last hour odd, and was not."""
        start = self._start(day)
        step = min(STEPS, (end_minute - start) // STEP_MINUTES)
        today = self._today(day, start)
        if if_odd and not today.is_odd(open_day.course, step):
            return None
        standing, found = self._standing(), []
        seen = self._seen(today, open_day.course, step)
        for watched in SO_FAR:
            if watched.metric in standing:
                continue
            off = self._clock.off.get(watched.metric)
            if off is None and watched.metric in open_day.touched:
                continue  # a known incident distorts the day: what it does to the metric is no second one
            if off is None:
                alert = today.alert(watched, seen, step)
                if alert is not None and alert.severity is not None:
                    found.append(self._goes_off(watched, alert, day, end_minute))
            else:
                since = max(0, (off[2] - start) // STEP_MINUTES)
                answer = today.recovery(watched, seen, step, since)
                if answer.reason is Reason.WITHIN_BAND:
                    since_back = answer.since_minute if answer.since_minute is not None else end_minute
                    words = of_metric_back(watched, answer, f"since {when(since_back)}")
                    found.append(self._back(watched, day, end_minute, words))
        return found

    def _goes_off(self, watched: Watched, answer: Answer, day: str, end: int) -> Finding:
        since = min(answer.since_minute if answer.since_minute is not None else end, end - 1)
        severity = answer.severity or Severity.P1_HIGH
        self._clock.off[watched.metric] = (answer.rule, severity, since)
        return _finding(
            watched, answer, "opened", since, end, day, of_metric(watched, answer, day, so_far=True)
        )

    def _back(self, watched: Watched, day: str, end: int, words: str) -> Finding:
        rule, severity, since = self._clock.off.pop(watched.metric)
        return Finding(
            rule, "resolved", severity, "watch", since, end, "", watched.metric, day, message=words
        )

    def hear_share(self, finding: Finding) -> bool:
        """Notes that a share that is a metric is off, or back; whether that is to be told: not while its whole days
        stand as off already."""
        metric = finding.metric
        if metric not in BY_SHARE:
            return True
        if finding.word == "resolved":
            self._clock.off.pop(metric, None)
        elif finding.word == "opened":
            self._clock.off[metric] = (finding.kind, finding.severity, finding.since_minute)
        return metric not in self._standing()

    def _today(self, day: str, start: int) -> Today:
        key = (day, self._memory_of("pace"), self._memory_of("deviation"))
        known = self._memo.get("today")
        if known is None or known[0] != key:
            pace = Pace(self._options.pace, self._options.limits, self._minds.of("pace", PaceState))
            known = key, pace.begin(day_number(day), start, self._deviation().baseline, SO_FAR)
            self._memo["today"] = known
        today: Today = known[1]
        return today

    def _seen(self, today: Today, course: Course, step: int) -> Seen:
        """The day so far; what was made of it for its last look is used again."""
        known: tuple[Today, Seen] | None = self._memo.get("seen")
        if known is None or known[0] is not today:
            known = today, Seen(course, step)
        else:
            known = today, known[1].later(course, step)
        self._memo["seen"] = known
        return known[1]

    def _standing(self) -> Collection[str]:
        return self._minds.of("deviation", DeviationState).shifts

    def _deviation(self) -> Deviation:
        return Deviation(limits=self._options.limits, state=self._minds.of("deviation", DeviationState))

    # -- the whole day -------------------------------------------------------------------------------------------

    def close(
        self, day: str, sums: Day, open_day: OpenDay, closes_minute: int, unmeasurable: Mapping[str, str]
    ) -> tuple[list[Finding], list[Check], dict[str, Normal]]:
        """What a whole day says of the metrics, why it is quiet where it is, and what was normal; then the day is
        learned."""
        squares = fsum(open_day.course.cents_squared) / 10_000
        totals = msgspec.structs.replace(_totals(sums), revenue_squares=squares)
        quarantined = sums.verdict() == "quarantined"
        touched = ALL if quarantined else tuple(open_day.touched)
        judged = self._deviation().learn_one(
            PastDay(day_number(day), totals, distrusted=touched), unmeasurable
        )
        found, checks = [], []
        for watched, judgement in zip(WATCHED, judged, strict=True):
            answer, life = judgement.answer, judgement.life
            finding = self._end_of_day(watched, answer, life, day, closes_minute, judgement.since)
            if finding is not None:
                found.append(finding)
            checks.append(_check(watched, answer, unmeasurable.get(watched.metric, "")))
        self._learn(day, sums, open_day, touched)
        answers = [judgement.answer for judgement in judged]
        return found, checks, {a.metric: normal for a in answers if (normal := _normal(a)) is not None}

    def amend(self, days: Callable[[str], Day | None]) -> None:
        """What late events made of the days that are known: what is normal rests on that."""
        baseline = self._deviation().baseline
        known = {past.day: days(_name_of(past.day)) for past in baseline.state.days}
        baseline.amend({number: _totals(sums) for number, sums in known.items() if sums is not None})

    def again(self, day: str, sums: Day, metrics: Collection[str]) -> Again:
        """What a closed day that was amended says of some metrics now; it is trusted no more for that."""
        number, deviation, now = day_number(day), self._deviation(), Again()
        known = {check.rule: check.result for check in sums.answers}
        days = deviation.baseline.state.days
        is_last = bool(days) and days[-1].day == number
        past = PastDay(number, _totals(sums))
        for watched in WATCHED:
            if watched.metric not in metrics:
                continue
            was_off = known.get(watched.rule) == "at_risk"
            answer = deviation.score_again(watched, past, was_off=was_off)
            normal = _normal(answer)
            if normal is None:
                continue
            now.checks.append(_check(watched, answer, ""))
            now.normal[watched.metric] = normal
            if was_off and not answer.fired:
                now.withdrawn.add(watched.rule)
            if was_off and is_last:
                now.findings.append(self._amendment(watched, answer, day))
        return now

    def _amendment(self, watched: Watched, answer: Answer, day: str) -> Finding:
        """The newest numbers of the day about which an alert was told."""
        words = (
            of_metric(watched, answer, day, so_far=False)
            if answer.fired
            else of_metric_back(watched, answer, f"on {day} with what came late")
        )
        start = self._start(day)
        return _finding(watched, answer, "standing", start, start, day, words)

    def _end_of_day(
        self, watched: Watched, answer: Answer, life: Life, day: str, closes: int, since_day: int | None
    ) -> Finding | None:
        off = self._clock.off.get(watched.metric)
        since = self._start(day) if since_day is None else self._start_of(since_day)
        sentence = of_metric(watched, answer, day, so_far=False) if answer.value is not None else ""
        over = of_metric_back(watched, answer, f"on {day}") if answer.value is not None else ""
        match life:
            case Life.OPENED:
                if off is not None:
                    del self._clock.off[watched.metric]
                    return _finding(watched, answer, "standing", off[2], closes, day, sentence)
                return _finding(watched, answer, "opened", since, closes, day, sentence)
            case Life.STANDING | Life.IMPROVING:
                return _finding(watched, answer, "standing", since, closes, day, sentence)
            case Life.RESOLVED:
                return _finding(watched, answer, "resolved", since, closes, day, over)
            case Life.ADOPTED:
                note = f"The new level has lasted 14 days and is taken as normal from now on. {sentence}"
                return _finding(watched, answer, "resolved", since, closes, day, note)
            case _:
                ends = off is not None and off[2] < self._start(day) + STEPS * STEP_MINUTES
                if ends and watched.metric not in BY_SHARE:
                    return self._back(watched, day, closes, over)
                return None

    def _learn(self, day: str, sums: Day, open_day: OpenDay, touched: Collection[str]) -> None:
        """A closed day teaches what is normal as the day goes on, and how long it is usually quiet."""
        options, number = self._options, day_number(day)
        Pace(options.pace, options.limits, self._minds.of("pace", PaceState)).learn_one(
            PastCourse(number, open_day.course)
        )
        if "events" not in touched:
            silence = self._silence(options.event_silence)
            silence.learn_one(number, open_day.course.hours("events"), sums.sessions, open_day.event_gaps)
        if "purchases" not in touched:
            silence = self._silence(options.purchase_silence)
            silence.learn_one(number, open_day.course.hours("purchases"), None, open_day.purchase_gaps)
        self._memo.pop("ticks", None)
        self._forget_memories()

    def accept(self, metric: str, day: str) -> None:
        """A person takes the level since a day as normal."""
        self._clock.off.pop(metric, None)
        if metric in {watched.metric for watched in WATCHED}:
            self._deviation().accept(metric, day_number(day))
            self._forget_memories()

    # -- silence -------------------------------------------------------------------------------------------------

    def silence_due(self, rules: SilenceRules, last: int, until: int) -> int:
        """The minute at which the silence since `last` is told if nothing comes. If that is after `until`, any minute
        between the two will do: a silence that began later is told later."""
        if last < 0 or rules.rule in self._clock.silent:
            return NEVER
        silence = self._known_silence(rules)
        soonest = last + silence.soonest()
        if soonest > until:
            return soonest
        offset = self._offset(last)
        key = (self._memory_of(rules.rule), offset)
        ticks: dict[str, _Tick] = self._memo.setdefault("ticks", {})
        known = ticks.get(rules.rule)
        if (
            known is None
            or known.key != key
            or known.last > last
            or (known.last != last and known.bound <= until)
        ):
            due = silence.fires_at(last, offset)
            bound = last + rules.longest_days * 24 * 60 if due is None else due
            known = ticks[rules.rule] = _Tick(key, last, NEVER if due is None else due, bound)
        return known.due if known.last == last else known.bound

    def soonest(self, rules: SilenceRules) -> int:
        """How many minutes after the last one a silence is told at the earliest."""
        return self._known_silence(rules).soonest()

    def purchases_to_come(self, last: int, minute: int, events: int, since: int) -> tuple[float, int | None]:
        """The level of purchases to expect since `last`, where so many events came since a minute, and when to look again
        whether their silence is told; None if it is now."""
        purchases, of_events = (
            self._known_silence(rules)
            for rules in (self._options.purchase_silence, self._options.event_silence)
        )
        rate, offset = of_events.rate(), self._offset(last)
        usual = 0.0 if rate is None else rate.clump * (rate.by(minute + offset) - rate.by(since + offset))
        level = purchases.level(events / usual) if usual > 0 else 1.0
        if purchases.score_one(last, minute, offset, level).fired:
            return level, None
        return level, purchases.looks_again_at(last, minute, offset, level)

    def falls_silent(
        self, rules: SilenceRules, last: int, minute: int, day: str, level: float = 1.0
    ) -> Finding:
        """The silence since `last` is told."""
        self._clock.silent[rules.rule] = last
        answer = self._known_silence(rules).score_one(last, minute, self._offset(last), level)
        expected = float(answer.evidence.get("expected", 0.0))
        return Finding(
            rules.rule, "opened", rules.severity, "watch", last, minute, "", rules.metric, day,
            value=0, count=0, baseline_median=round(expected, 2),
            message=of_silence(_what(rules), last, minute - last, expected),
            evidence={k: _short(v) for k, v in answer.evidence.items()},
        )  # fmt: skip

    def ends_silence(self, rules: SilenceRules, minute: int, day: str) -> Finding | None:
        """Something came: the silence, if one stands, is over."""
        since = self._clock.silent.pop(rules.rule, None)
        if since is None:
            return None
        answer = self._known_silence(rules).score_one(since, minute, self._offset(since))
        words = of_silence_over(_what(rules), since, minute, float(answer.evidence.get("expected", 0.0)))
        return Finding(
            rules.rule,
            "resolved",
            rules.severity,
            "watch",
            since,
            minute,
            "",
            rules.metric,
            day,
            message=words,
        )

    def _known_silence(self, rules: SilenceRules) -> Silence:
        """To ask, not to teach: kept with the rate that it worked out for as long as its memory is the same."""
        silence = self._silences.get(rules.rule)
        if silence is None:
            packed, kept = self._memory_of(rules.rule), self._memo.setdefault("silences", {})
            known = kept.get(rules.rule)
            if known is None or known[0] != packed:
                state = (
                    SilenceState() if packed is None else msgspec.msgpack.decode(packed, type=SilenceState)
                )
                known = kept[rules.rule] = packed, Silence(rules, state)
            silence = self._silences[rules.rule] = known[1]
        return silence

    def _memory_of(self, name: str) -> bytes | None:
        """A memory as it lies in the table, looked up once a batch and each time it was taught."""
        if name not in self._memories:
            self._memories[name] = self._minds.packed(name)
        return self._memories[name]

    def _forget_memories(self) -> None:
        self._memories.clear()
        self._silences.clear()

    def _silence(self, rules: SilenceRules) -> Silence:
        return Silence(rules, self._minds.of(rules.rule, SilenceState))

    # -- days ----------------------------------------------------------------------------------------------------

    def _start(self, day: str) -> int:
        return self._options.zone.start_ms(day) // MINUTE_MS

    def _start_of(self, number: int) -> int:
        return self._start(_name_of(number))

    def _offset(self, minute: int) -> int:
        """What local time is ahead of UTC, in minutes."""
        day = self._options.zone.day_of(minute)
        return day_number(day) * 24 * 60 - self._start(day)


def _name_of(number: int) -> str:
    return date.fromordinal(EPOCH.toordinal() + number).isoformat()


def _totals(sums: Day) -> Totals:
    return Totals(sums.events, sums.sessions, sums.direct, sums.purchases, float(sums.revenue))


def _finding(
    watched: Watched, answer: Answer, word: Word, since: int, known: int, day: str, message: str
) -> Finding:
    return Finding(
        answer.rule, word, answer.severity or Severity.P1_HIGH, "watch", since, known, "", watched.metric, day,
        value=answer.value, baseline_median=answer.baseline_median, baseline_mad=answer.baseline_mad,
        scale=answer.scale, robust_z=answer.robust_z, absolute_change=answer.absolute_change,
        relative_change=answer.relative_change, count=answer.count, message=message,
        evidence={k: _short(v) for k, v in answer.evidence.items()},
    )  # fmt: skip


def _what(rules: SilenceRules) -> str:
    return "event" if rules.metric == "events" else "purchase"


def _check(watched: Watched, answer: Answer, gone: str) -> Check:
    """Why a whole day was quiet about a metric, or not, with the numbers. `gone`: why it could not be measured."""
    words = (
        f"{answer.reason}: {gone}" if gone and answer.reason is Reason.UNMEASURABLE else str(answer.reason)
    )
    if answer.robust_z is not None:
        words += f": {answer.value:.6g} beside {answer.baseline_median:.6g}, z {answer.robust_z:.2f}"
    return Check(watched.rule, "at_risk" if answer.fired else "pass", words)


def _normal(answer: Answer) -> Normal | None:
    """What the answer was measured against; None if it was not."""
    median, scale, z = answer.baseline_median, answer.scale, answer.robust_z
    if median is None or scale is None or z is None:
        return None
    days = int(answer.evidence.get("days", 0))
    return Normal(float(f"{median:.6g}"), float(f"{scale:.6g}"), float(f"{z:.6g}"), days)


def _short(x: object) -> object:
    return float(f"{x:.6g}") if isinstance(x, float) else x
