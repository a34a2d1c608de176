"""What a finding says to a person: what, since when, how much against what is normal, what it probably is, what to do.

Times in sentences are UTC. Numbers are rounded for reading; the exact ones stand in the alert's fields.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from detectors.watched import Kind

if TYPE_CHECKING:
    from detectors.answer import Answer
    from detectors.share_verdict import ShareVerdict
    from detectors.watched import Watched

MOST_NAME = 64

NAMES = {
    "events": "Events",
    "sessions": "Sessions",
    "purchases": "Purchases",
    "revenue": "Revenue",
    "conversion_rate": "The purchase conversion of sessions",
    "direct_share": "The share of direct sessions",
    "purchase_value": "The mean order value",
}

LOOK = {
    "events": "Look whether the site and its tracking are up, and whether traffic was sent elsewhere.",
    "sessions": "Look at campaigns and at the site's availability; a fall with steady events points at identities.",
    "purchases": "Try an order on the site, and look whether checkout_completed is still sent.",
    "revenue": "Compare with the shop's own orders: amounts may be in another unit, or orders be missing.",
    "conversion_rate": "Look for traffic that does not buy (robots, a campaign), then try the checkout.",
    "direct_share": "Look whether referrers and campaign parameters still arrive: a redirect may strip them.",
    "purchase_value": "Compare some orders with the shop's own: price, currency or unit may have changed.",
}
"""What to do about a metric that is below normal, or about one of which it does not matter."""

LOOK_ABOVE = {
    "events": "Look whether events are sent twice, and for robots; a campaign may be why as well.",
    "sessions": "Look for a campaign or for robots; a rise with steady events points at identities that change.",
    "purchases": "Compare with the shop's own orders: orders may be sent twice, or a sale be on.",
    "conversion_rate": "Compare with the shop's own orders, and look whether visits are still counted.",
}
"""The same of one that is above it."""


def when(minute: int) -> str:
    """A minute since the epoch as people read it.

    >>> when(29004480)
    '2025-02-23 00:00 UTC'
    """
    try:
        return f"{datetime.fromtimestamp(60 * minute, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"minute {minute}"


def span(minutes: float) -> str:
    """How long something lasted.

    >>> span(7), span(60), span(185)
    ('7 minutes', '1 hour', '3 hours 5 minutes')
    """
    hours, rest = divmod(round(minutes), 60)
    words = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in ((hours, "hour"), (rest, "minute")) if n]
    return " ".join(words) or "less than a minute"


def percent(share: float) -> str:
    """A share of 1.

    >>> percent(0.5), percent(0.031), percent(0.0004)
    ('50 %', '3.1 %', '0.04 %')
    """
    x = 100 * share
    digits = 0 if x >= 10 or x == int(x) else 1 if x >= 1 else 2  # noqa: PLR2004 - about two digits that count
    return f"{x:.{digits}f} %"


def number(kind: Kind, x: float | None) -> str:
    """A metric's value.

    >>> number(Kind.MONEY, 12345.6), number(Kind.VOLUME, 17.4), number(Kind.RATIO, 0.021)
    ('12,345.60', '17', '2.1 %')
    """
    if x is None:
        return "nothing"
    if kind is Kind.RATIO:
        return percent(x)
    return f"{x:,.2f}" if kind is Kind.MONEY else f"{x:,.0f}" if x >= 10 else f"{x:,.3g}"  # noqa: PLR2004


def of_metric(watched: Watched, answer: Answer, day: str, *, so_far: bool) -> str:
    """A watched metric that is not as it was."""
    value, normal = answer.value, answer.baseline_median
    above = (value or 0) > (normal or 0)
    look = (LOOK | LOOK_ABOVE if above else LOOK)[watched.metric]
    change = "" if answer.relative_change is None else f" ({100 * answer.relative_change:+,.0f} %)"
    span_words = _span_words(answer, day, so_far=so_far)
    return (
        f"{NAMES[watched.metric]} {_is(watched)} {'above' if above else 'below'} "
        f"normal {span_words}: {number(watched.kind, value)} where {number(watched.kind, normal)} is normal{change}. "
        f"{look}"
    )


def of_metric_back(watched: Watched, answer: Answer, words: str) -> str:
    """A watched metric that is as it was; `words` say when."""
    value, normal = answer.value, answer.baseline_median
    numbers = (
        ""
        if normal is None
        else f": {number(watched.kind, value)}, where {number(watched.kind, normal)} is normal"
    )
    return f"{NAMES[watched.metric]} {_is(watched)} back to normal {words}{numbers}."


def _is(watched: Watched) -> str:
    return "are" if watched.metric in ("events", "sessions", "purchases") else "is"


def _span_words(answer: Answer, day: str, *, so_far: bool) -> str:
    if not so_far:
        days = answer.evidence.get("days") if "of_days" in answer.evidence else None
        return f"for {days} of {answer.evidence['of_days']} days up to {day}" if days else f"on {day}"
    if answer.since_minute is None or answer.known_minute is None:
        return f"on {day} so far"
    return f"since {when(answer.since_minute)} (seen at {when(answer.known_minute)})"


def of_silence(what: str, since_minute: int, minutes: int, expected: float) -> str:
    """Nothing came for improbably long."""
    look = (
        "Look whether the site, its tracking and what sends the events are up."
        if what == "event"
        else "Try an order on the site: the checkout or its tracking may be down."
    )
    return f"No {what} came since {when(since_minute)}, for {span(minutes)}, where about {expected:.0f} were expected. {look}"


def of_silence_over(what: str, since_minute: int, until_minute: int, expected: float) -> str:
    """It came again."""
    return (
        f"No {what} came from {when(since_minute)} to {when(until_minute)}, for {span(until_minute - since_minute)}, where about "
        f"{expected:.0f} were expected. This is over: {'they come' if what == 'event' else 'people buy'} again."
    )


def of_share(what: str, verdict: ShareVerdict, look: str) -> str:
    """A share that moved to a new level."""
    value, normal = verdict.value or 0.0, verdict.baseline or 0.0
    return (
        f"{what} {'rose' if value > normal else 'fell'} to {percent(value)} since {when(verdict.since)}, where "
        f"{percent(normal)} is normal ({verdict.hits:,} of {verdict.trials:,}). {look}"
    )


def of_share_back(what: str, verdict: ShareVerdict) -> str:
    """A share that is where it was before it moved."""
    value, normal = verdict.value or 0.0, verdict.baseline or 0.0
    return (
        f"{what} is back to normal since {when(verdict.since)}: {percent(value)}, where {percent(normal)} is normal "
        f"({verdict.hits:,} of {verdict.trials:,})."
    )


def cut(name: str) -> str:
    r"""A name out of events, safe to stand in a sentence: printable, and not too long.

    >>> cut("a\x1bb" + "c" * 70)[:4], len(cut("c" * 70))
    ('a?bc', 64)
    """
    clean = "".join(c if c.isprintable() else "?" for c in name)
    return clean if len(clean) <= MOST_NAME else clean[: MOST_NAME - 1] + "…"
