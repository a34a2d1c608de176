"""A share that is nearly constant jumps up: keys that go missing, values of another type, bad records.

Page's CUSUM (1954) of the log likelihood ratio, one for each of a few levels to which the share may jump, against the
level that is normal. `e^h` trials pass on average before noise reaches h (Lorden 1971), so h is the logarithm of the
trials in `quiet_years`. Trials come in clusters that share their fate (a visit's events come from one page version):
the sum is divided by their size, as if each cluster were one trial (quasi-likelihood, McCullagh and Nelder 1989, ch. 9).
Where few trials tell how rare hits are (`unsure`), a sum that gets there must convince once more with a normal share that
is only known as well as that (beta-binomial: Gelman et al., Bayesian Data Analysis, 2.4).
With a level of nearly 1 and a field that is always there it is the rule "a run of a dozen without it".

Normal is the share of the last days, counted cautiously, and never less than what the worst hour of half the days had;
what belongs to an incident is not learned, nor what may be the beginning of one. Limits: the share is taken as the same
all day but for that worst hour, so of a field that many events lack anyway only the whole loss is seen.
"""

from __future__ import annotations

from functools import lru_cache
from math import lgamma, log
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from detectors.fields import Passing

_MEMORY_DAYS = 14
_LAG_HOURS = 2
_DOUBT_HOURS = 24
"""Hours are learned so late; those of a sum that is on its way, which may be the beginning of an incident, not before it
is back at 0, or after a day."""

_HOUR_TRIALS = 50
"""Fewer trials do not say how bad an hour was."""

_WORST_TIMES = 1.3
_PARTIAL_BELOW = 0.2
_NEVER_ABOVE = 0.9
_WHOLE = 0.9
_STRONG = 0.6
"""A sum for a low level goes on for long after a single hit; one for a higher level, and nearly as high, knows the
beginning better."""

_BACK_MINUTES = 15


class JumpOptions(msgspec.Struct, frozen=True):
    """`cluster`: trials that share their fate. `levels`: to what the share may jump. A jump counts with at least
    `least_hits` in `least_minutes` different minutes (twice as many, if not nearly all are hits), and from `least_share`
    on. `quiet_years`: one false alarm in so long, of each of `looks` shares. `least_trials`: the history it takes.
    `floor`: normal is at least this. `hourly`: normal is at least what half the days' worst hours had. `back_cluster`:
    trials that share their fate where a return is looked for, if that is more; the likelihood ratio of a return must be
    e^`back`. `burst`: more hits in a minute prove no more (or than a tenth of its trials); 0: all count. `unsure`: whether
    what is normal is only believed as surely as it is known, which costs a hit or so; what hardly ever happens needs no
    such care."""

    cluster: float = 4.0
    levels: tuple[float, ...] = (0.06, 0.15, 0.4, 0.95)
    least_hits: int = 12
    least_minutes: int = 3
    least_share: float = 0.02
    quiet_years: float = 10.0
    looks: int = 20
    least_trials: int = 200
    floor: float = 0.0
    hourly: bool = True
    back_cluster: float = 1.0
    back: float = 12.0
    burst: int = 0
    unsure: bool = False


class Day(msgspec.Struct, array_like=True):
    """A day's counts, and the share of its worst hour."""

    number: int
    hits: int = 0
    trials: int = 0
    worst: float = 0.0


class Climb(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A CUSUM on its way: its sum, and what came since it was last 0; `minutes` are those with hits."""

    sum: float = 0.0
    since: int = 0
    hits: int = 0
    trials: int = 0
    minutes: int = 0


_AT_REST = Climb()


class Open(msgspec.Struct):
    """An incident: counts since it began, what was normal, and how far the share's return is shown."""

    since: int
    normal: float
    hits: int
    trials: int
    told: int
    told_hits: int
    back: Climb = Climb()


class JumpState(msgspec.Struct, omit_defaults=True):
    """All that is remembered of one share: at most 14 days, a day's hours, and as many sums as there are levels. `seen`: how
    many of this hour's carriers are counted already (`catch_up`). `usual`: what is normal and the sum that it
    takes, as the days say; None as long as nobody asked since they changed."""

    first: int = -1
    seen: int = 0
    usual: tuple[float | None, float] | None = None
    days: list[Day] = []
    hours: list[tuple[int, int, int]] = []
    climbs: list[Climb] = []
    open: Open | None = None


class Jump(NamedTuple):
    """A share that is not normal: since when, how much of how many, and what was normal."""

    since: int
    hits: int
    trials: int
    normal: float

    @property
    def share(self) -> float:
        """The level it jumped to."""
        return self.hits / self.trials if self.trials else 0.0


def totals(state: JumpState) -> tuple[int, int]:
    """Hits and trials that say what is normal."""
    return sum(day.hits for day in state.days), sum(day.trials for day in state.days)


def counted(state: JumpState) -> tuple[int, int]:
    """Hits and trials, with those of the last hours, which do not say yet what is normal."""
    hits, trials = totals(state)
    return hits + sum(cell[1] for cell in state.hours), trials + sum(cell[2] for cell in state.hours)


def normal(state: JumpState, options: JumpOptions) -> float | None:
    """The share that chance may bring, cautiously; None without enough history.

    >>> state = JumpState(days=[Day(0, 0, 3500)])
    >>> round(normal(state, JumpOptions()), 5)
    0.00057
    """
    hits, trials = totals(state)
    if trials < options.least_trials:
        return None
    share = (hits + options.cluster / 2) / (trials + options.cluster)
    days = state.days[:-1] or state.days  # the last one may hold what is tested
    worst = _WORST_TIMES * median(day.worst for day in days) if options.hourly else 0.0
    return min(max(share, worst, options.floor), 1 - 1e-9)


def threshold(state: JumpState, options: JumpOptions) -> float:
    """What a sum must reach."""
    _, trials = totals(state)
    a_day = max(trials / max(len(state.days), 1), 1.0)
    return log(max(365 * options.quiet_years * options.looks * a_day / options.cluster, 2.0))


def step(state: JumpState, options: JumpOptions, minute: int, hits: int, trials: int) -> Jump | None:
    """Takes a minute in (in order; none twice); the jump, if there is one and no incident is open yet.

    The jump comes again every minute until `begin` says that it is an incident, or it is over.

    >>> state, options = JumpState(), JumpOptions()
    >>> for at in range(600):
    ...     assert step(state, options, at, 0, 3) is None
    >>> [step(state, options, at, 3, 3) is not None for at in range(600, 610)].index(True)
    3
    """
    if not 0 <= hits <= trials:
        hits, trials = sane(hits, trials)
    if state.first < 0:
        state.first = minute
    if state.hours and state.hours[0][0] <= minute // 60 - _LAG_HOURS:
        _fold(state, minute)
    if state.open is not None:
        state.open.hits += hits
        state.open.trials += trials
        return None
    _keep(state, minute // 60, hits, trials)
    if hits and options.burst:
        extra = hits - min(hits, max(options.burst, trials // 10))
        hits, trials = hits - extra, trials - extra
    return _climb(state, options, Climb(0, minute, hits, trials))


def is_busy(state: JumpState) -> bool:
    """Whether a minute without hits still tells something by itself: an incident is open, nothing is known yet, or sums
    that are on their way have a new threshold. Else it only brings these down, as many of them together as one by one."""
    return state.open is not None or state.first < 0 or is_unsettled(state)


def is_unsettled(state: JumpState) -> bool:
    """Whether sums are on their way, and were not compared with the threshold of now."""
    return state.usual is None and bool(state.climbs)


def catch_up(state: JumpState, options: JumpOptions, passing: Passing) -> None:
    """Counts the trials of minutes without hits that were passed over: nearly all minutes of nearly all shares are like
    that. Those of the minute at hand are left to `step`."""
    if passing.before > state.seen and state.open is None:
        _pass_over(state, options, passing.hour, passing.before - state.seen)
    state.seen = passing.after


def turn(state: JumpState, options: JumpOptions, hour: int, carriers: int, minute: int) -> None:
    """Ends an hour that had so many carriers; `minute` lies in the next one with any."""
    if carriers > state.seen and state.open is None:
        _pass_over(state, options, hour, carriers - state.seen)
    state.seen = 0
    if state.hours and state.hours[0][0] <= minute // 60 - _LAG_HOURS:
        _fold(state, minute)


def _pass_over(state: JumpState, options: JumpOptions, hour: int, trials: int) -> None:
    """Takes trials of an hour in that were no hits, whenever they came."""
    _keep(state, hour, 0, trials)
    if state.climbs:
        _climb(state, options, Climb(trials=trials))


def _climb(state: JumpState, options: JumpOptions, now: Climb) -> Jump | None:
    """Moves the sums on by what came; the jump, if one is high enough."""
    if not now.hits and not state.climbs:
        return None
    if state.usual is None:
        state.usual = normal(state, options), threshold(state, options)
    share, needed = state.usual
    if share is None or share > _NEVER_ABOVE:
        state.climbs = []
        return None
    levels = options.levels if share < _PARTIAL_BELOW else options.levels[-1:]
    climbs = _climbed(state.climbs, levels, share, options, now)
    most = max([climb.sum for climb in climbs])
    state.climbs = climbs if most else []
    return None if most < needed else _highest(state, levels, share, needed, options)


def _climbed(
    climbs: list[Climb], levels: tuple[float, ...], share: float, options: JumpOptions, now: Climb
) -> list[Climb]:
    """The sums after a minute."""
    before = climbs if len(climbs) == len(levels) else [_AT_REST] * len(levels)
    hits, misses, cluster, after = now.hits, now.trials - now.hits, options.cluster, []
    for climb, (of_hit, of_miss) in zip(before, _weights(levels, share), strict=True):
        if climb.sum or hits:  # nothing begins without a hit
            climb = advance(climb, (hits * of_hit + misses * of_miss) / cluster, now)  # noqa: PLW2901
        after.append(climb)
    return after


def _weigh(before: float, after: float) -> tuple[float, float]:
    """What a hit and a miss tell for one share against another: the logarithms of how much likelier they are."""
    return log(after / before), log((1 - after) / (1 - before))


@lru_cache(maxsize=256)
def _weights(levels: tuple[float, ...], share: float) -> tuple[tuple[float, float], ...]:
    """The weights of each level that is looked for; one that is too near to what is normal tells nothing."""
    targets = [_target(level, share) for level in levels]
    return tuple(
        _weigh(share, target) if target > 2 * share or target > _WHOLE else (0.0, 0.0) for target in targets
    )


def _target(level: float, share: float) -> float:
    """The share that is looked for: nearly all is nearer to all than to what is normal."""
    return level if level < _WHOLE else max(level, 1 - (1 - share) / 20)


def advance(climb: Climb, gain: float, now: Climb) -> Climb:
    """A sum after a minute, which stands in `now`."""
    if climb.sum + gain <= 0:
        return _AT_REST
    if not climb.sum:
        return Climb(gain, now.since, now.hits, now.trials, int(now.hits > 0))
    hits, trials = climb.hits + now.hits, climb.trials + now.trials
    return Climb(climb.sum + gain, climb.since, hits, trials, climb.minutes + (now.hits > 0))


def _unsure(climb: Climb, target: float, share: float, state: JumpState, options: JumpOptions) -> float:
    """A sum once more, with a normal share that is only known from the trials that it was counted in.

    >>> few, many = JumpState(days=[Day(0, 1, 20)]), JumpState(days=[Day(0, 25, 500)])
    >>> options = JumpOptions(cluster=1.0)
    >>> [round(_unsure(Climb(9.0, 0, 3, 3, 3), 0.97, 0.05, state, options), 1) for state in (few, many)]
    [7.3, 8.8]
    """
    cluster = options.cluster
    known = totals(state)[1] / cluster + 1
    hits, misses = climb.hits / cluster, (climb.trials - climb.hits) / cluster
    normal_, other = known * share, known * (1 - share)
    chance = _log_beta(normal_ + hits, other + misses) - _log_beta(normal_, other)
    return hits * log(target) + misses * log(1 - target) - chance


def _log_beta(one: float, other: float) -> float:
    return lgamma(one) + lgamma(other) - lgamma(one + other)


def _highest(
    state: JumpState, levels: tuple[float, ...], share: float, needed: float, options: JumpOptions
) -> Jump | None:
    found = [
        climb
        for climb, level in zip(state.climbs, levels, strict=False)
        if climb.sum >= needed
        and _counts(climb, options)
        and (not options.unsure or _unsure(climb, _target(level, share), share, state, options) >= needed)
    ]
    if not found:
        return None
    strong = _STRONG * max(climb.sum for climb in found)
    few = min(options.least_hits, max(3, options.least_hits // 2))
    likely = [climb for climb in state.climbs if climb.sum >= strong and climb.hits >= few]
    latest = max(likely, key=lambda climb: (climb.since, climb.sum))
    return Jump(latest.since, latest.hits, latest.trials, share)


def _counts(climb: Climb, options: JumpOptions) -> bool:
    whole = climb.hits >= _WHOLE * climb.trials
    minutes = options.least_minutes * (1 if whole else 2)
    enough = climb.hits >= options.least_hits and climb.minutes >= minutes
    return enough and climb.hits >= options.least_share * climb.trials


def begin(state: JumpState, jump: Jump, minute: int) -> None:
    """The jump is an incident: what came since it began teaches nothing."""
    state.open = Open(jump.since, jump.normal, jump.hits, jump.trials, minute, jump.hits)
    state.hours = [cell for cell in state.hours if cell[0] < jump.since // 60]
    state.climbs = []


def follow(state: JumpState, options: JumpOptions, minute: int, hits: int, trials: int) -> Jump | None:
    """Takes a minute of an open incident into the search for its end; the whole incident if it is over, else None."""
    incident = state.open
    if incident is None:
        return None
    if not 0 <= hits <= trials:
        hits, trials = sane(hits, trials)
    if hits == trials and not incident.back.sum:
        return None  # a return begins with a trial that is no hit
    level = _to_rule_out(incident, options)
    before = min(max(incident.normal, 1e-4), level / 2)
    of_hit, of_miss = _weigh(level, before)
    gain = (hits * of_hit + (trials - hits) * of_miss) / max(options.cluster, options.back_cluster)
    back = incident.back = advance(incident.back, gain, Climb(0, minute, hits, trials))
    needed = min(3 * options.least_hits, 36)
    if back.sum < options.back or back.trials < needed or minute + 1 - back.since < _BACK_MINUTES:
        return None
    state.open = None
    return Jump(incident.since, incident.hits, incident.trials, incident.normal)


def retell(state: JumpState, minute: int, every_minutes: int) -> Jump | None:
    """An open incident with its newer numbers, if there are some, and it was not told for so long."""
    incident = state.open
    if incident is None or minute - incident.told < every_minutes or incident.hits == incident.told_hits:
        return None
    incident.told, incident.told_hits = minute, incident.hits
    return Jump(incident.since, incident.hits, incident.trials, incident.normal)


def _to_rule_out(incident: Open, options: JumpOptions) -> float:
    """The share that a return must be told from: the incident's without the return, less what may be luck."""
    share = incident.hits / (incident.trials - incident.back.trials + 2 * options.cluster)
    return min(max(share * (0.8 if share >= _WHOLE else 0.5), 0.01), 0.8)


def sane(hits: int, trials: int) -> tuple[int, int]:
    """Counts that a share can be made of, whatever came."""
    trials = max(trials, 0)
    return min(max(hits, 0), trials), trials


def _keep(state: JumpState, hour: int, hits: int, trials: int) -> None:
    if not trials:
        return
    hours = state.hours
    if hours and hours[-1][0] == hour:
        _, old_hits, old_trials = hours[-1]
        hours[-1] = hour, hits + old_hits, trials + old_trials
    else:
        hours.append((hour, hits, trials))


def _fold(state: JumpState, minute: int) -> None:
    """Learns the hours that are long enough ago, and in no doubt."""
    hours, learned = state.hours, minute // 60 - _LAG_HOURS
    if state.climbs:
        first = min((climb.since for climb in state.climbs if climb.sum), default=minute) // 60
        learned = max(min(learned, first - 1), minute // 60 - _DOUBT_HOURS)
    while hours and hours[0][0] <= learned:
        hour, hits, trials = hours.pop(0)
        state.usual = None
        if not state.days or state.days[-1].number != hour // 24:
            state.days = [*state.days, Day(hour // 24)][-_MEMORY_DAYS:]
        day = state.days[-1]
        day.hits += hits
        day.trials += trials
        if trials >= _HOUR_TRIALS:
            day.worst = max(day.worst, hits / trials)
