"""Faults of traffic: floods of what is no visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.instant import rfc3339
from consumer.local.landings import SITE
from tests.scenarios.event import HOUR_MS, Event
from tests.scenarios.injection import Fault, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.scenarios.injection import Injection

START = 0.05
"""Of its full rate: a flood starts small."""

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
    "python-requests/2.31.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36",
)


def _home_flood(events: Sequence[Event], it: Injection) -> list[Event]:
    """Home pages without identity: from a few an hour, doubling every 20 to 60 minutes, to `size` times all traffic,
    for three to eight hours."""
    hours, doubling = it.rng.uniform(3, 8), it.rng.uniform(20, 60) / 60
    agent = it.rng.choice(AGENTS[2:])

    def rate(since_hours: float) -> float:
        return float(min(it.size, it.size * START * 2 ** (since_hours / doubling)))

    made = [
        Event(at_ms, _view(None, at_ms, f"{SITE}/", agent), None)
        for at_ms in _arrivals(events, it, hours, rate)
    ]
    return [*events, *made]


def _bot_flood(events: Sequence[Event], it: Injection) -> list[Event]:
    """Clients of one hit each on pages of all kinds, `size` times all traffic, for two to eight hours."""
    agent = it.rng.choice(AGENTS)
    pages = [e.fields["page_url"] or SITE for e in events[:200]]
    made = []
    for at_ms in _arrivals(events, it, it.rng.uniform(2, 8), lambda _: it.size):
        client = f"{at_ms // 1000}-{it.rng.getrandbits(48):012x}"
        page = it.rng.choice(pages).partition("?")[0]
        made.append(Event(at_ms, _view(client, at_ms, page, agent), client))
    return [*events, *made]


def _arrivals(
    events: Sequence[Event], it: Injection, hours: float, rate: Callable[[float], float]
) -> Iterator[int]:
    """A Poisson process, its rate in times the mean rate of all quiet events."""
    days = (events[-1].at_ms - events[0].at_ms) / (24 * HOUR_MS)
    per_hour = len(events) / days / 24
    at = 0.0
    while True:
        at += it.rng.expovariate(per_hour * max(rate(at), 0.001))
        at_ms = it.begin_ms + int(at * HOUR_MS)
        if at > hours or at_ms > events[-1].at_ms:
            return
        yield at_ms


def _view(client: str | None, at_ms: int, page_url: str, agent: str) -> dict[str, object]:
    return {
        "client_id": client,
        "page_url": page_url,
        "referrer": None,
        "timestamp": rfc3339(at_ms),
        "event_name": "page_viewed",
        "event_data": None,
        "user_agent": agent,
    }


_VOLUME = frozenset({"bot_traffic", "volume_spike", "sessions_anomaly"})

FAULTS = (
    Fault(
        "home_flood",
        _home_flood,
        _VOLUME | {"identity_coverage", "field_coverage"},
        Patience(30, faulty=40),
        ((0.3, 1), (1, 4)),
        "times traffic",
    ),
    Fault(
        "bot_flood",
        _bot_flood,
        _VOLUME | {"conversion_shift", "direct_share_shift", "field_coverage"},
        Patience(60, faulty=200),
        ((1, 2), (2, 6)),
        "times traffic",
    ),
)
