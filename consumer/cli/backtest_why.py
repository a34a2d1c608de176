"""The numbers behind what was said of a day's metric, or why it was quiet, in words."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from consumer.cli.backtest_parts import NAMES, Part, amount, difference
from consumer.tasks.judge_metrics import EPOCH, day_number
from detectors.answer import Reason
from detectors.deviation import Life
from detectors.watched import WATCHED, Watched
from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.runtime.backtest import Trial
    from detectors.alerts import Alert
    from detectors.answer import Answer
    from detectors.replay import Explained
    from detectors.watched import WatchLimits

METRICS = {watched.metric: watched for watched in WATCHED}

_SCALE_FROM = {
    "mad": "1.4826 times the MAD",
    "mean_deviation": "1.2533 times the mean deviation, wider than the MAD makes it",
    "sampling": "what pure chance does at this volume, wider than the MAD makes it",
    "spread": "the least that days differ by, wider than the MAD makes it",
}

_WORDS = {
    Reason.FIRED: "an alert",
    Reason.WITHIN_BAND: "quiet: z does not reach what it must",
    Reason.BELOW_MIN_ABS: "quiet: z is enough, but the change is below {metric}_min_absolute",
    Reason.BELOW_MIN_REL: "quiet: z is enough, but the change is below {metric}_min_relative",
    Reason.INSUFFICIENT_HISTORY: "quiet: fewer than three trusted days before it",
    Reason.UNMEASURABLE: "quiet: not measurable on this day",
}

_LIVES = {
    Life.OPENED: "a shift begins",
    Life.STANDING: "the shift stands",
    Life.IMPROVING: "the shift stands, this day is back to normal",
    Life.RESOLVED: "the shift is over",
    Life.ADOPTED: "the new level has lasted and is normal from now on",
}


def explain(trials: Sequence[Trial], day: str, metric: str) -> Part:
    """A row for each number, a column for each trial. Raises KeyError for a day that was not judged."""
    watched, columns = METRICS[metric], []
    for trial in trials:
        told = trial.explained()[day_number(day)][metric]
        columns.append(_numbers(watched, told, trial.limits) | _around(trial, day, metric))
    rows = [(name, *(column.get(name, "") for column in columns)) for name in columns[0]]
    rows += [(name, "", column[name]) for column in columns[1:] for name in column if name not in columns[0]]
    return Part(f"Why, {day}, {metric}", ("number", *NAMES[: len(trials)]), rows)


def _numbers(watched: Watched, told: Explained, limits: WatchLimits) -> dict[str, str]:
    answer, life = told.judgement.answer, told.judgement.life
    found = {"verdict": _verdict(answer)}
    if life in _LIVES:
        since = told.judgement.since
        found["shift"] = _LIVES[life] + ("" if since is None else f", since {_day(since)}")
    if answer.value is not None:
        found["value"] = amount(watched, answer.value)
    found["trusted days before"] = _days(told.rests_on)
    if answer.robust_z is not None:
        found |= _beside(watched, answer, limits)
    found["trusted itself"] = "yes" if told.trusted else "no: it is no measure for later days"
    return found


def _verdict(answer: Answer) -> str:
    words = _WORDS.get(answer.reason, str(answer.reason)).format(metric=answer.metric)
    if "total_z" in answer.evidence:
        total, days = float(answer.evidence["total_z"]), answer.evidence["days"]
        words += f": {days} days of {answer.evidence['of_days']} together, total z {total:.2f}"
    if "without_largest_order" in answer.evidence:
        words += f"; without its largest order {float(answer.evidence['without_largest_order']):,.2f}"
    return f"{answer.reason} ({words})"


def _beside(watched: Watched, answer: Answer, all_limits: WatchLimits) -> dict[str, str]:
    limits = all_limits.of(watched.metric)
    median, mad, scale = answer.baseline_median or 0.0, answer.baseline_mad or 0.0, answer.scale or 0.0
    needed = answer.evidence.get("needed_z")
    fitted = f"watch.z = {all_limits.z:g}, fitted to the size of the change and to the days known"
    needs = "" if needed is None else f" (must reach {float(needed):.2f}: {fitted})"
    relative = answer.relative_change
    share = "nothing is normal" if relative is None else f"{100 * relative:+.1f} %"
    origin = _SCALE_FROM.get(str(answer.evidence.get("scale_from")), "")
    return {
        "median": amount(watched, median),
        "MAD": amount(watched, mad),
        "scale": amount(watched, scale) + (f" ({origin})" if origin else ""),
        "z": f"{answer.robust_z or 0.0:.2f}{needs}",
        "absolute change": f"{difference(watched, answer.absolute_change or 0.0)} "
        f"(must reach {difference(watched, limits.absolute)})",
        "relative change": f"{share} (must reach {100 * limits.relative:g} %)",
    }


def _around(trial: Trial, day: str, metric: str) -> dict[str, str]:
    """The day's verdict, and the alerts about the metric on this day, also those of the day as it went on."""
    receipt = next(one for one in trial.days if one.day == day)
    ordered = sorted(trial.seen.alerts, key=lambda alert: (alert.opened_at, alert.id))
    about = [_about(trial, alert) for alert in ordered if alert.metric == metric and alert.day == day]
    return {"day": receipt.status, "alerts about it": terminal("; ".join(about) or "none", 1000)}


def _about(trial: Trial, alert: Alert) -> str:
    words = f"{alert.severity} {alert.kind}, known {alert.opened_at[:16].replace('T', ' ')}"
    first = trial.heard.get(alert.id, alert)
    numbers = (first.value, first.baseline_median)
    if first.robust_z is not None and all(isinstance(number, int | float) for number in numbers):
        value, normal = (amount(METRICS[str(first.metric)], float(number or 0)) for number in numbers)
        words += f" ({value} beside {normal}, z {first.robust_z:.2f})"
    return words + ("" if alert.id in trial.heard else ", held back by its cause")


def _days(numbers: tuple[int, ...]) -> str:
    named = ", ".join(_day(number) for number in numbers[-7:])
    more = f" and {len(numbers) - 7} before them" if len(numbers) > 7 else ""  # noqa: PLR2004 - the days of a median
    return (named + more) or "none"


def _day(number: int) -> str:
    return (EPOCH + timedelta(days=number)).isoformat()


def is_day(text: str) -> bool:
    """Whether it is a calendar day as YYYY-MM-DD.

    >>> is_day("2025-02-24"), is_day("20250224"), is_day("2025-02-30")
    (True, False, False)
    """
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
