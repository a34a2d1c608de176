"""What can break in a shop for some hours: its checkout, its tracking, its links and its fields.

Faults like those of `shop_faults`, and as truthful. Events that another fault has changed are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from consumer.local.landings import has_campaign, is_external, without_query
from consumer.local.shop_event import HOUR_MS, Injected, ShopEvent, Truth, midnight_ms
from consumer.local.shop_faults import OnOneDay

if TYPE_CHECKING:
    from datetime import date
    from random import Random

DAY_HOURS = 24
SESSION_GAP_MS = HOUR_MS // 2


@dataclass(frozen=True, slots=True)
class Outage(OnOneDay):
    """A fault that begins at an hour of `day` (0-24, UTC, with fractions) and lasts for some `hours` of it.

    `name` is what `Truth.injected` calls it. Raises ValueError where it would leave the day.
    """

    name: ClassVar[str]
    day: date
    begins: float
    hours: float

    def __post_init__(self) -> None:
        if not 0 <= self.begins < self.begins + self.hours <= DAY_HOURS:
            raise ValueError("an outage must begin and end on its day")

    @property
    def since_ms(self) -> int:
        """When it begins."""
        return midnight_ms(self.day) + int(self.begins * HOUR_MS)

    @property
    def until_ms(self) -> int:
        """When it is over."""
        return self.since_ms + int(self.hours * HOUR_MS)

    def change(self, day: list[ShopEvent], rng: Random, truth: Truth) -> list[ShopEvent]:  # noqa: ARG002 - nothing is drawn
        """The day with the outage in it."""
        after = self.broken(day)
        left = {id(event) for event in after}
        times = sum(id(event) not in left for event in day)
        truth.injected.append(Injected(self.name, self.day, times, since_ms=self.since_ms))
        return after

    def broken(self, day: list[ShopEvent]) -> list[ShopEvent]:
        """The day's events, each that the outage hits changed or left out."""
        return [it for event in day for it in (self.one(event) if self.hits(event) else (event,))]

    def hits(self, event: ShopEvent) -> bool:
        """Whether an event comes in those hours and no other fault has changed it."""
        return event.fault is None and self.since_ms <= event.at_ms < self.until_ms

    def one(self, event: ShopEvent) -> tuple[ShopEvent, ...]:
        """What becomes of one event: the same, another or none."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CheckoutBroken(Outage):
    """Nobody's purchase comes through. It is the last event of a visit, so no session changes."""

    name: ClassVar[str] = "checkout_broken"

    def one(self, event: ShopEvent) -> tuple[ShopEvent, ...]:
        """Nothing, if it is a purchase."""
        return (event,) if event.earns_cents is None else ()


@dataclass(frozen=True, slots=True)
class CampaignsLost(Outage):
    """Links lose their queries, and campaigns with them: who came by one without a foreign referrer is direct."""

    name: ClassVar[str] = "campaigns_lost"

    def one(self, event: ShopEvent) -> tuple[ShopEvent, ...]:
        """The event with the bare address of its page."""
        fields = event.fields or {}
        plain = without_query(fields["page_url"])
        if plain == fields["page_url"]:
            return (event,)
        opens = event.opens and ("referred" if is_external(fields["referrer"]) else "direct")
        return (event._replace(fields={**fields, "page_url": plain}, opens=opens, fault=self.name),)


@dataclass(frozen=True, slots=True)
class ReferrerRenamed(Outage):
    """The field `referrer` comes as `ref`, which no contract knows: the day's direct share cannot be measured."""

    name: ClassVar[str] = "referrer_renamed"

    def change(self, day: list[ShopEvent], rng: Random, truth: Truth) -> list[ShopEvent]:
        """The day, which the truth knows to be without a direct share if anything has changed."""
        after = Outage.change(self, day, rng, truth)
        if truth.injected[-1].times:
            truth.of(self.day).not_measurable.add("direct_share")
        return after

    def one(self, event: ShopEvent) -> tuple[ShopEvent, ...]:
        """The event with its field renamed: only a campaign tells then that somebody did not come directly."""
        fields = {
            "ref" if name == "referrer" else name: value for name, value in (event.fields or {}).items()
        }
        opens = event.opens and ("referred" if has_campaign(fields["page_url"]) else "direct")
        return (event._replace(fields=fields, opens=opens, fault=self.name),)


@dataclass(frozen=True, slots=True)
class TrackingDown(Outage):
    """No event comes at all. Of a visit that is hit the rest is lost as well, so that no session begins in its middle;
    visitors of whom another fault has changed an event are spared."""

    name: ClassVar[str] = "tracking_down"

    def broken(self, day: list[ShopEvent]) -> list[ShopEvent]:
        """The day without those hours."""
        spared = {event.client for event in day if event.fault is not None and event.fields}
        lost_at: dict[str | None, int] = {}
        kept = []
        for event in day:
            known = event.client in spared or event.fields is None
            goes_on = event.client is not None and event.at_ms < lost_at.get(event.client, 0) + SESSION_GAP_MS
            if known or not (goes_on or self.hits(event)):
                kept.append(event)
            else:
                lost_at[event.client] = event.at_ms
        return kept
