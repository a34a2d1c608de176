"""The shares that the judge watches: of every contract field the events, purchases or items that lack it, of events
those without identity, and of sessions those that came directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from consumer.core.contract import Role
from consumer.core.decode import USER_AGENT
from consumer.tasks.judge_contract import data_of, items_of
from detectors.alerts import Severity
from detectors.finding import Finding
from detectors.sentences import LOOK, NAMES, of_share, of_share_back
from detectors.share_shift import ShareShift, ShareState

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.core.facts import MinuteFacts
    from consumer.tasks.judge_state import JudgeOptions
    from consumer.tasks.minds import Minds
    from detectors.alerts import Layer
    from detectors.share_verdict import ShareOptions, ShareVerdict

FIELD = "field_coverage"
IDENTITY = "identity_coverage"
DIRECT = "direct_share_shift"

_MOST_OF_THEM = 0.5
_TELL_AGAIN_MINUTES = 60


class Slot(msgspec.Struct, omit_defaults=True):
    """What the minutes of a slot of time count for shares: trials, and hits by the share's key. `people` are the events
    but for those with which a self-declared robot came."""

    events: int = 0
    people: int = 0
    purchases: int = 0
    items: int = 0
    sessions: int = 0
    hits: dict[str, int] = {}

    def add(self, facts: MinuteFacts) -> None:
        """Takes a minute in. Self-declared robots' sessions are left out; they come directly, all of them."""
        self.events += facts.events
        self.people += max(facts.events - facts.robots, 0)
        self.purchases += facts.purchases
        self.items += facts.items
        self.sessions += facts.sessions - facts.robots
        hits = self.hits
        for table in (facts.null, facts.absent):
            for path, count in table.items():
                hits[path] = hits.get(path, 0) + count
        if facts.identity_missing:
            hits[IDENTITY] = hits.get(IDENTITY, 0) + facts.identity_missing
        if facts.direct:
            people = facts.direct - min(facts.robots, max(facts.direct, 0))
            hits[DIRECT] = hits.get(DIRECT, 0) + people


class Waiting(msgspec.Struct, array_like=True):
    """Trials without a hit that a share was not told yet, up to the slot that ended with `minute`."""

    minute: int
    trials: int


class Waits(msgspec.Struct):
    """Those of all shares, by key."""

    of: dict[str, Waiting] = {}


class Share(NamedTuple):
    """One share: `path` names the field, `of` what the trials are."""

    kind: str
    path: str
    of: Literal["events", "people", "purchases", "items", "sessions"]
    metric: str | None = None

    @property
    def key(self) -> str:
        """Its name among the shares."""
        return self.path or self.kind

    @property
    def mind(self) -> str:
        """Where its memory lies."""
        return f"share/{self.key}"


def shares_of(contract: Contract) -> list[Share]:
    """Every share that a contract gives to watch. A field that the numbers cannot do without (timestamp, event name)
    has none: an event without it is a dead letter. What declares itself a robot has a user agent, so a crawler's visit
    would be fewer events without one."""
    known = {Role.TIMESTAMP, Role.EVENT_NAME, Role.IDENTITY}
    shares = [Share(IDENTITY, "", "events", "sessions"), Share(DIRECT, "", "sessions", "direct_share")]
    shares += [
        Share(FIELD, field.name, "people" if field.name == USER_AGENT else "events")
        for field in contract.fields
        if field.role not in known
    ]
    data, items = data_of(contract), items_of(contract)
    shares += [Share(FIELD, f"{data}.{field.name}", "purchases") for field in contract.purchase_fields]
    shares += [Share(FIELD, f"{items}.{field.name}", "items") for field in contract.item_fields]
    return shares


class ShareJudge:
    """Judges all shares of a slot of time."""

    def __init__(self, options: JudgeOptions, shares: list[Share], minds: Minds) -> None:
        self._options = options
        self._shares = [(share.key, share) for share in shares]
        self._minds = minds
        self._shifts: dict[str, ShareShift] = {}

    def look(self, slot: Slot, first_minute: int, end_minute: int, day: str) -> list[Finding]:
        """What a slot says, which is over at `end_minute`."""
        found, waits = [], self._minds.of("waits", Waits).of
        for key, share in self._shares:
            trials = getattr(slot, share.of)
            if trials > 0:
                shift = self._shifts.get(key) or self._shift(share)
                verdict = _update(shift, key, waits, end_minute - 1, slot.hits.get(key, 0), trials)
                if verdict is None or verdict.reason == "within_band":
                    continue
                finding = _finding(share, verdict, first_minute, end_minute, day)
                if finding is not None:
                    found.append(finding)
        return found

    def _shift(self, share: Share) -> ShareShift:
        known = self._shifts.get(share.key)
        if known is None:
            known = ShareShift(self._of(share), self._minds.of(share.mind, ShareState))
            self._shifts[share.key] = known
        return known

    def _of(self, share: Share) -> ShareOptions:
        """A flood of events without identity is what is looked for; one without a field may be a crawler's visit."""
        options = self._options
        match share.kind, share.of:
            case ("identity_coverage", _):
                return options.identity
            case (_, "sessions"):
                return options.direct
            case (_, "purchases"):
                return options.purchase
            case (_, "items"):
                return options.item
            case _:
                return options.share

    def accept(self, kind: str, path: str) -> bool:
        """The level of a share as it is now is the normal one; whether there was an incident to end."""
        for _, share in self._shares:
            if (share.kind, share.path) == (kind, path):
                return self._shift(share).accept()
        return False


def _update(
    shift: ShareShift, key: str, waits: dict[str, Waiting], minute: int, hits: int, trials: int
) -> ShareVerdict | None:
    """What a share's detector says of a slot; None if its trials wait: without a hit, and too few to tell."""
    waiting = waits.get(key)
    if not hits:
        together = trials if waiting is None else trials + waiting.trials
        if shift.may_wait(minute, together):
            waits[key] = Waiting(minute, together)
            return None
    if waiting is not None:
        shift.pass_over(waiting.minute, waiting.trials)
        del waits[key]
    return shift.update(minute, hits, trials)


def _finding(share: Share, verdict: ShareVerdict, minute: int, end: int, day: str) -> Finding | None:
    match verdict.reason:
        case "shifted" | "stepped_up":
            word = "opened"
        case "open" if minute // _TELL_AGAIN_MINUTES != end // _TELL_AGAIN_MINUTES:
            word = "standing"
        case "recovered":
            word = "resolved"
        case _:
            return None
    value, normal = verdict.value, verdict.baseline
    change = None if value is None or normal is None else value - normal
    identity = share.kind == IDENTITY
    layer: Layer = "watch" if share.kind == DIRECT else "gate"
    half = identity and value is not None and value > _MOST_OF_THEM
    return Finding(
        share.kind,
        word,  # type: ignore[arg-type]  # mypy sees a str
        Severity.P0_BLOCKER if half else Severity.P1_HIGH,
        layer,
        verdict.since,
        end,
        share.path,
        share.metric,
        day,
        value=value,
        baseline_median=normal,
        robust_z=verdict.z,
        absolute_change=change,
        relative_change=change / normal if change is not None and normal else None,
        count=verdict.hits,
        message=_sentence(share, verdict),
        evidence={"trials": verdict.trials, **({"step": 1} if verdict.reason == "stepped_up" else {})},
    )


def _sentence(share: Share, verdict: ShareVerdict) -> str:
    what, look = _words(share)
    return of_share_back(what, verdict) if verdict.reason == "recovered" else of_share(what, verdict, look)


def _words(share: Share) -> tuple[str, str]:
    """What the share is, and where to look."""
    if share.kind == IDENTITY:
        look = "Sessions and what is made of them miss these events: look at consent, at the tag's version, and for robots."
        return "The share of events without identity", look
    if share.kind == DIRECT:
        return NAMES["direct_share"], LOOK["direct_share"]
    of = {"items": "items in purchases", "people": "events"}.get(share.of, share.of)
    look = "Look at what changed in the tag, the site or the traffic at that time."
    return f"The share of {of} without {share.path}", look
