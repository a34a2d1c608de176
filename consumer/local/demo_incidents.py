"""What went wrong in the demo's shop, and what Sluice said of it: who found what, and how much later. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from consumer.core import timestamps
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from detectors.alerts import LIVE
from reports.render import escape, titles
from reports.render.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.local.shop_event import Injected
    from detectors.alerts import Alert


MOST_SAID = 220
"""Characters of an alert's message that are shown while it all goes on."""


class Story(NamedTuple):
    """A fault in words, and the kinds of alerts that may find it."""

    words: str
    kinds: frozenset[str]


STORIES = {
    "checkout_broken": Story(
        "nobody could buy",
        frozenset({"purchase_silence", "purchases_anomaly", "conversion_shift", "revenue_anomaly"}),
    ),
    "tracking_down": Story("no event arrived at all", frozenset({"volume_silence", "volume_drop"})),
    "campaigns_lost": Story(
        "links lost their campaigns", frozenset({"direct_share_shift", "field_coverage"})
    ),
    "referrer_renamed": Story("a release renamed a field", frozenset({"schema_field_renamed"})),
    "collision": Story("two orders had one id", frozenset({"transaction_collision"})),
    "replay": Story("orders were sent twice", frozenset({"transaction_replay", "duplicate_events"})),
    "invalid_purchase": Story("an order was worth nothing", frozenset({"purchase_invalid"})),
    "garbage": Story("lines were no events", frozenset({"unparseable_events", "timestamp_errors"})),
}
"""By the name of the fault. What is not here (events out of order) is nothing that should be found."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault of the shop and the alert that told of it first, as it was when it opened; None where none did."""

    fault: Injected
    since_ms: int
    alert: Alert | None = None

    @property
    def words(self) -> str:
        """What went wrong."""
        return STORIES[self.fault.fault].words

    @property
    def minutes(self) -> int | None:
        """Minutes of event time from the fault's beginning until the alert was known; one that has begun counts."""
        if self.alert is None:
            return None
        return -(-(_opened_ms(self.alert) - self.since_ms) // MINUTE_MS)


def incidents(faults: Iterable[Injected], alerts: Iterable[Alert]) -> list[Incident]:
    """Every fault that did something, oldest first, with its alert: the first one of its kinds within a day of it.

    `alerts` are as they were when they were told first; what a known cause explained then found nothing. An alert is
    taken by one fault only.
    """
    opened = sorted((it for it in alerts if it.caused_by is None), key=lambda it: (it.opened_at, it.id))
    known = [(it.since_ms, it) for it in faults if it.fault in STORIES and it.since_ms is not None]
    found = []
    for since_ms, fault in sorted(known, key=lambda pair: pair[0]):
        alert = next((it for it in opened if _tells_of(it, fault, since_ms)), None)
        if alert is not None:
            opened.remove(alert)
        found.append(Incident(fault, since_ms, alert))
    return found


class Sighting(NamedTuple):
    """An alert that has just opened, and the fault that it found if it was the first to do so."""

    alert: Alert
    incident: Incident | None

    @property
    def headline(self) -> str:
        """Severity, kind, and how soon."""
        name = f"{self.alert.severity[:2]} {self.alert.kind}"
        if self.incident is None:
            return name
        return f"{name}, caught after {self.incident.minutes} min: {self.incident.words}"

    @property
    def sentence(self) -> str:
        """What the alert says, without what to do about it; one printable line. Of one that is over by now, whose message
        tells of its end, what it was about."""
        if self.alert.state in LIVE:
            said = escape.terminal(self.alert.message, MOST_SAID).partition(". ")[0]
            return said if said.endswith((".", escape.CUT)) else f"{said}."
        about = titles.plain(replace(self.alert, absolute_change=None))  # the last change is that of its end
        times = f"{moment(self.alert.first_seen)} to {moment(self.alert.resolved_at)}"
        return f"{escape.terminal(about, MOST_SAID)}, from {times}."


class Sightings:
    """Tells each alert once. `known` are all incidents as of the last look."""

    def __init__(self) -> None:
        self.known: list[Incident] = []
        self._told: set[str] = set()

    def news(self, faults: Iterable[Injected], opened: Mapping[str, Alert]) -> list[Sighting]:
        """What has opened since the last time, by itself: what a known cause explains is not news."""
        if len(opened) == len(self._told):
            return []
        self.known = incidents(faults, opened.values())
        finders = {it.alert.id: it for it in self.known if it.alert is not None}
        fresh = [alert for alert in opened.values() if alert.id not in self._told]
        self._told.update(opened)
        return [Sighting(it, finders.get(it.id)) for it in fresh if it.caused_by is None]


def _tells_of(alert: Alert, fault: Injected, since_ms: int) -> bool:
    if alert.kind not in STORIES[fault.fault].kinds:
        return False
    if fault.fault == "collision":
        return alert.subject in fault.transaction_ids
    return since_ms <= _opened_ms(alert) < since_ms + DAY_MS


def _opened_ms(alert: Alert) -> int:
    return timestamps.parse(alert.opened_at) or 0
