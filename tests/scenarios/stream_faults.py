"""Faults of the stream: events lost, sent twice or anew, of other names, with other times, or no events at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.core.instant import rfc3339
from consumer.local.landings import SITE
from tests.scenarios.event import DAY_MS, HOUR_MS, MINUTE_MS, PURCHASE, Event, edited
from tests.scenarios.injection import Fault, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.scenarios.injection import Injection

_QUERY = re.compile(r"\?.*")
GARBAGE = (
    b"{",
    b"null",
    b"[]",
    b'{"client_id": "1-a", "timest',
    b"<html>502 Bad Gateway</html>",
    b"\xff\xfe\x00",
)


def _half_lost(events: Sequence[Event], it: Injection) -> list[Event]:
    lost = it.chosen(it.size)
    return [e for e in events if not lost(e)]


def _outage(events: Sequence[Event], it: Injection) -> list[Event]:
    end_ms = it.begin_ms + int(it.size * HOUR_MS)
    return [e for e in events if e.at_ms >= end_ms]


def _block_again(events: Sequence[Event], it: Injection) -> list[Event]:
    """The last hours that were sent are sent once more within some minutes, their times unchanged."""
    from_ms = it.begin_ms - int(it.size * HOUR_MS)
    block = [e for e in it.before if e.at_ms >= from_ms]
    span = it.rng.uniform(0.5, 10) * MINUTE_MS
    again = [e._replace(at_ms=it.begin_ms + int(span * place / len(block))) for place, e in enumerate(block)]
    return [*events, *again]


def _each_twice(events: Sequence[Event], it: Injection) -> list[Event]:
    hit = it.chosen(it.size)
    return [copy for e in events for copy in ((e, e._replace(at_ms=e.at_ms + 40)) if hit(e) else (e,))]


def _event_renamed(names: dict[str, tuple[str, ...]]) -> Callable[[Sequence[Event], Injection], list[Event]]:
    def change(events: Sequence[Event], it: Injection) -> list[Event]:
        old = it.rng.choice(list(names))
        new = it.rng.choice(names[old])
        return [edited(e, event_name=new) if e.fields["event_name"] == old else e for e in events]

    return change


def _unknown_event(events: Sequence[Event], it: Injection) -> list[Event]:
    """A new name comes beside the known ones, some seconds after what it belongs to."""
    name = it.rng.choice(("scroll_depth", "video_played", "form_submitted", "quiz_started"))
    hit = it.chosen(it.size)
    more = [_after(e, it.rng.randint(500, 20_000), name) for e in events if hit(e)]
    return [*events, *more]


def _after(event: Event, by_ms: int, name: str) -> Event:
    at_ms = event.at_ms + by_ms
    return edited(event, event_name=name, event_data=None, timestamp=rfc3339(at_ms))._replace(at_ms=at_ms)


def _garbage(events: Sequence[Event], it: Injection) -> list[Event]:
    hit = it.chosen(it.size)
    return [e._replace(raw=it.rng.choice(GARBAGE)) if hit(e) else e for e in events]


def _clocks_ahead(events: Sequence[Event], it: Injection) -> list[Event]:
    ahead_ms = int(it.rng.uniform(27, 33) * DAY_MS)
    hit = it.chosen(it.size)
    return [edited(e, timestamp=rfc3339(e.at_ms + ahead_ms)) if hit(e) else e for e in events]


def _campaigns_stripped(events: Sequence[Event], it: Injection) -> list[Event]:
    """Every page comes without its query."""
    return [
        edited(e, page_url=_QUERY.sub("", e.fields["page_url"])) if "?" in (e.fields["page_url"] or "") else e
        for e in events
    ]


def _direct_moved(events: Sequence[Event], it: Injection) -> list[Event]:
    """A share of visitors lose what they came by, or as many come by a campaign."""
    hit = it.of_clients(it.size)
    if it.rng.random() < 0.5:
        return [edited(e, referrer=None, page_url=_plain(e)) if hit(e) else e for e in events]
    return [
        edited(e, page_url=f"{_plain(e)}?utm_source=paid&utm_medium=cpc") if hit(e) else e for e in events
    ]


def _plain(event: Event) -> str:
    return _QUERY.sub("", event.fields["page_url"] or SITE)


SOON = Patience(30, events=60)
NAMES_KNOWN = frozenset({"schema_unknown_event", "schema_field_renamed"})

FAULTS = (
    Fault(
        "half_lost",
        _half_lost,
        frozenset({"volume_drop", "sessions_anomaly", "volume_silence"}),
        Patience(120, events=300),
        ((0.4, 0.5), (0.5, 0.8)),
        "of events",
    ),
    Fault(
        "outage",
        _outage,
        frozenset({"volume_silence", "volume_drop"}),
        Patience(60),
        ((1.5, 3), (3, 5)),
        "hours",
    ),
    Fault(
        "block_again",
        _block_again,
        frozenset({"duplicate_events", "transaction_replay"}),
        Patience(30),
        ((1, 1), (2, 4)),
        "hours",
    ),
    Fault(
        "each_twice",
        _each_twice,
        frozenset({"duplicate_events", "transaction_replay"}),
        Patience(30, faulty=25),
        ((0.2, 0.5), (1, 1)),
        "of events",
    ),
    Fault(
        "pages_renamed",
        _event_renamed({"page_viewed": ("page_view", "pageview", "PageViewed")}),
        NAMES_KNOWN,
        SOON,
    ),
    Fault(
        "checkouts_renamed",
        _event_renamed({PURCHASE: ("purchase", "order_completed", "checkoutCompleted")}),
        NAMES_KNOWN,
        Patience(30, purchases=6),
    ),
    Fault(
        "unknown_event",
        _unknown_event,
        frozenset({"schema_unknown_event"}),
        Patience(30, faulty=8),
        ((0.02, 0.05), (0.05, 0.3)),
        "of events",
    ),
    Fault(
        "garbage",
        _garbage,
        frozenset({"unparseable_events"}),
        Patience(30, faulty=8),
        ((0.015, 0.025), (0.04, 0.2)),
        "of events",
    ),
    Fault(
        "clocks_ahead",
        _clocks_ahead,
        frozenset({"timestamp_errors"}),
        Patience(30, faulty=12),
        ((0.08, 0.12), (0.2, 0.4)),
        "of events",
    ),
    Fault(
        "campaigns_stripped",
        _campaigns_stripped,
        frozenset({"direct_share_shift", "field_coverage"}),
        Patience(120, events=500),
    ),
    Fault(
        "direct_moved",
        _direct_moved,
        frozenset({"direct_share_shift", "field_coverage"}),
        Patience(240, events=900),
        ((0.3, 0.45), (0.45, 0.7)),
        "of visitors",
    ),
)
