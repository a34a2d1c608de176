"""The shares that the judge watches: of every contract field the events, purchases or items that lack it, of events
those without identity, and of sessions those that came directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from consumer.core.contract import Role
from consumer.tasks.judge_contract import data_of, items_of
from detectors.alerts import Severity
from detectors.finding import Finding
from detectors.sentences import LOOK, NAMES, of_share, of_share_back
from detectors.share_shift import ShareShift, ShareState
from detectors.share_verdict import ShareVerdict

if TYPE_CHECKING:
    from consumer.core.contract import Contract
    from consumer.core.facts import MinuteFacts
    from consumer.tasks.judge_state import JudgeOptions
    from consumer.tasks.minds import Minds
    from detectors.alerts import Layer
    from detectors.share_verdict import ShareOptions

FIELD = "field_coverage"
IDENTITY = "identity_coverage"
DIRECT = "direct_share_shift"

_OF_ORDERS = frozenset({"purchases", "items"})
"""What most slots of a small site have none of."""

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
        """Takes a minute in. Self-declared robots' sessions are left out, which come directly, all of them, the events that
        they open them with, and those without identity: a crawler's nightly visit would be normal at its hour, and a night
        without it a change."""
        hits, events, robots, direct = self.hits, facts.events, facts.robots, facts.direct
        self.events += events
        declared = robots + facts.robots_nameless
        if declared < events:
            self.people += events - declared
        if sessions := facts.sessions - robots:  # most of the others are 0
            self.sessions += sessions
        if facts.purchases or facts.items:
            self.purchases += facts.purchases
            self.items += facts.items
        for path, count in facts.null.items():
            hits[path] = hits.get(path, 0) + count
        if facts.robots_lack:
            for path, count in facts.robots_lack.items():
                hits[path] = hits.get(path, 0) - count
        if facts.absent:
            for path, count in facts.absent.items():
                hits[path] = hits.get(path, 0) + count
        if facts.identity_missing:
            hits[IDENTITY] = hits.get(IDENTITY, 0) + facts.identity_missing - facts.robots_nameless
        if direct:
            people = direct - min(robots, max(direct, 0)) if robots else direct
            hits[DIRECT] = hits.get(DIRECT, 0) + people


class Waiting(msgspec.Struct, array_like=True, frozen=True, gc=False):
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
    of: Literal["people", "purchases", "items", "sessions"]
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
    has none: an event without it is a dead letter. Of what declares itself a robot no field is watched."""
    known = {Role.TIMESTAMP, Role.EVENT_NAME, Role.IDENTITY}
    shares = [Share(IDENTITY, "", "people", "sessions"), Share(DIRECT, "", "sessions", "direct_share")]
    shares += [Share(FIELD, field.name, "people") for field in contract.fields if field.role not in known]
    data, items = data_of(contract), items_of(contract)
    shares += [Share(FIELD, f"{data}.{field.name}", "purchases") for field in contract.purchase_fields]
    shares += [Share(FIELD, f"{items}.{field.name}", "items") for field in contract.item_fields]
    return shares


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """What a detector says of a slot, if anything, and the trials that wait now, if any."""

    verdict: ShareVerdict | None
    waits: Waiting | None


class ShareJudge:
    """Judges all shares of a slot of time.

    Shares of the same things that were told the same ever since (fields that are never missing) are alike: they have one
    detector, which is asked once for all of them, until one of them is told something else. Each has a memory of its
    own in the journal all the same.
    """

    def __init__(self, options: JudgeOptions, shares: list[Share], minds: Minds) -> None:
        self._options = options
        self._shares = {share.key: share for share in shares}
        self._of_visits = {key: share for key, share in self._shares.items() if share.of not in _OF_ORDERS}
        self._minds = minds
        self._shifts: dict[str, ShareShift] = {}
        self._alike: dict[ShareShift, list[str]] = {}
        """The shares of each detector, by key."""

    def look(self, slot: Slot, first_minute: int, end_minute: int, day: str) -> list[Finding]:
        """What a slot says, which is over at `end_minute`."""
        found, waits = [], self._minds.of("waits", Waits).of
        answers: dict[ShareShift, _Answer] = {}
        shifts, trials_of = self._shifts or self._known(waits), msgspec.structs.asdict(slot)
        shares = self._shares if slot.purchases > 0 or slot.items > 0 else self._of_visits
        for key, share in shares.items():
            trials = trials_of[share.of]
            if trials <= 0:
                continue
            shift = shifts[key]
            answer = answers.get(shift)
            if answer is None:
                hits, alike = slot.hits.get(key, 0), self._alike[shift]
                if len(alike) > 1:
                    for other in alike[1:]:
                        if slot.hits.get(other, 0) != hits:
                            self._part(other)
                answer = answers[shift] = _answer(shift, waits.get(key), end_minute - 1, hits, trials)
            if answer.waits is not None:
                waits[key] = answer.waits
            elif key in waits:
                del waits[key]
            if answer.verdict is not None and answer.verdict.reason != "within_band":
                finding = _finding(share, answer.verdict, first_minute, end_minute, day)
                if finding is not None:
                    found.append(finding)
        return found

    def _known(self, waits: dict[str, Waiting]) -> dict[str, ShareShift]:
        """The detectors, with what they remember."""
        first: dict[tuple[ShareOptions, str, bytes | None, Waiting | None], str] = {}
        for key, share in self._shares.items():
            options = self._of(share)
            memory = options, share.of, self._minds.packed(share.mind), waits.get(key)
            like = first.setdefault(memory, key)
            if like == key:
                shift = ShareShift(options, self._minds.of(share.mind, ShareState))
            else:
                shift = self._shifts[like]
                self._minds.join(share.mind, self._shares[like].mind)
            self._shifts[key] = shift
            self._alike.setdefault(shift, []).append(key)
        return self._shifts

    def _part(self, key: str) -> ShareShift:
        """A share's detector, which is no other's from now on."""
        shift, share = self._shifts[key], self._shares[key]
        alike = self._alike[shift]
        if len(alike) > 1:
            alike.remove(key)
            shift = ShareShift(self._of(share), self._minds.part(share.mind, ShareState))
            self._shifts[key], self._alike[shift] = shift, [key]
        return shift

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
        for key, share in self._shares.items():
            if (share.kind, share.path) == (kind, path):
                if not self._shifts:
                    self._known(self._minds.of("waits", Waits).of)
                return self._part(key).accept()
        return False


def _answer(shift: ShareShift, waiting: Waiting | None, minute: int, hits: int, trials: int) -> _Answer:
    """What a share's detector says of a slot; its trials may wait: without a hit, and too few to tell."""
    if not hits:
        together = trials if waiting is None else trials + waiting.trials
        if shift.may_wait(minute, together):
            return _Answer(None, Waiting(minute, together))
    if waiting is not None:
        shift.pass_over(waiting.minute, waiting.trials)
    return _Answer(shift.tell(minute, hits, trials), None)


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
