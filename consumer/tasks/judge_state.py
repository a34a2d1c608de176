"""What the judge is told and remembers. Everything that it remembers lies in two tables of the watch's journal: the
minutes that are not judged yet, and the minds (each detector's memory, packed, by name)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from consumer.core.facts import MinuteFacts
from consumer.tasks.judge_contract import cause_fields, expectations
from consumer.tasks.judge_shares import Share, shares_of
from detectors.alerts import Layer, Severity
from detectors.pace import PaceRules
from detectors.share_verdict import ShareOptions
from detectors.silence import EVENT_SILENCE, PURCHASE_SILENCE, SilenceRules
from detectors.totals import Course
from detectors.watched import WatchLimits

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.core.zone import DayZone
    from detectors.causes import Fields
    from detectors.fields import Expectations


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What the rules may be told. `hold_minutes`: how long after a minute's end events of it are waited for (the
    disorder within a partition that changes no alert). `slot_minutes`: shares are looked at this often,
    or as soon as `slot_trials` events came. `share`: a field's share of events that moves by less than ten points, and by
    less than half, tells of a day's mix of visitors; it is not worth a page."""

    zone: DayZone
    contract: Contract
    lateness_minutes: int = 60
    hold_minutes: int = 2
    slot_minutes: int = 10
    slot_trials: int = 50
    limits: WatchLimits = field(default_factory=WatchLimits)
    pace: PaceRules = field(default_factory=PaceRules)
    event_silence: SilenceRules = EVENT_SILENCE
    purchase_silence: SilenceRules = PURCHASE_SILENCE
    share: ShareOptions = field(default_factory=lambda: ShareOptions(quiet_years=2.0, min_points=0.1))
    identity: ShareOptions = field(
        default_factory=lambda: ShareOptions(quiet_years=2.0, extra_traffic_minutes=0)
    )
    purchase: ShareOptions = field(default_factory=lambda: ShareOptions(quiet_years=2.0, cluster=1.0))
    item: ShareOptions = field(default_factory=lambda: ShareOptions(quiet_years=2.0, cluster=1.5))
    direct: ShareOptions = field(init=False)

    shares: list[Share] = field(init=False)
    expectations: Expectations = field(init=False)
    cause_fields: Fields = field(init=False)

    def __post_init__(self) -> None:
        """What the rules need of the contract, worked out once."""
        least = self.limits.direct_share.absolute
        direct = ShareOptions(quiet_years=2.0, cluster=1.5, min_points=least, min_small=least)
        object.__setattr__(self, "direct", direct)
        object.__setattr__(self, "shares", shares_of(self.contract))
        object.__setattr__(self, "expectations", expectations(self.contract))
        object.__setattr__(self, "cause_fields", cause_fields(self.contract))


class HeldMinute(msgspec.Struct, omit_defaults=True):
    """An event-minute that is not judged yet: its facts, and the purchases that were counted in it (amounts in whole
    cents: rules look at sizes, the exact amounts are the day's)."""

    facts: MinuteFacts = msgspec.field(default_factory=MinuteFacts)
    purchases: int = 0
    cents: int = 0
    cents_squared: float = 0.0
    replays: int = 0

    def copy(self) -> HeldMinute:
        """The same counts, to add to."""
        return HeldMinute(self.facts.copy(), self.purchases, self.cents, self.cents_squared, self.replays)

    def before(self, facts: MinuteFacts) -> HeldMinute:
        """With later facts, which are used up; this one stays as it is."""
        facts.add_earlier(self.facts)
        return HeldMinute(facts, self.purchases, self.cents, self.cents_squared, self.replays)

    def add(self, other: HeldMinute) -> None:
        """Takes the other's counts in."""
        self.facts.add(other.facts)
        self.purchases += other.purchases
        self.cents += other.cents
        self.cents_squared += other.cents_squared
        self.replays += other.replays


class OpenDay(msgspec.Struct, omit_defaults=True):
    """A day that is not closed yet, as the judge saw it: its course, its quiet spells (minutes of the day), and
    the metrics that an incident touched."""

    course: Course = msgspec.field(default_factory=Course)
    event_gaps: list[tuple[int, int]] = []
    purchase_gaps: list[tuple[int, int]] = []
    touched: list[str] = []


class Standing(msgspec.Struct, frozen=True):
    """An incident that stands: it touches every day until it is resolved."""

    kind: str
    subject: str
    layer: Layer
    severity: Severity
    metrics: tuple[str, ...]


class JudgeClock(msgspec.Struct, omit_defaults=True):
    """How far the judge has come, in minutes since the epoch: `judged`, the last minute judged; `days`, those not closed
    yet, oldest first; `event`, `purchase`, the last minute with one; `stepped`, the end of the step of ten minutes under
    way; `looked`, when the day so far was looked at last; `slot`, the first minute of the slot under way;
    `purchase_look`, before which the silence of purchases under way is none, since events were few too, and
    `purchase_events`, those that came during it on days that have closed. `silent`: the silences that stand, by rule. `off`: metrics that went off as the day went on, with rule, severity and the minute since which.
    `standing`: the incidents louder than a note, by kind and subject."""

    judged: int = -1
    days: list[str] = []
    event: int = -1
    purchase: int = -1
    stepped: int = -1
    looked: int = -1
    slot: int = -1
    purchase_look: int = -1
    purchase_events: int = 0
    silent: dict[str, int] = {}
    off: dict[str, tuple[str, Severity, int]] = {}
    standing: dict[str, Standing] = {}
