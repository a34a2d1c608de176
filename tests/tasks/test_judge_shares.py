"""Shares that were told the same ever since have one detector: nobody can tell."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.state import Delta
from consumer.tasks.draft import Draft
from consumer.tasks.judge_shares import ShareJudge, Slot
from consumer.tasks.minds import Minds
from detectors.share_shift import ShareShift, ShareState
from tests.shop_contract import watch_options

OPTIONS = watch_options().judge
SHARES = OPTIONS.shares
START = 29_000_000


def slots(seed: st.DataObject, days: int) -> list[tuple[Slot, int]]:
    """Slots of ten minutes with their ends: most fields are never missing, some begin to be, one or several at once."""
    rare = [share.key for share in SHARES if share.of in ("purchases", "items")]
    fails = seed.draw(st.lists(st.sampled_from([share.key for share in SHARES]), max_size=4, unique=True))
    begins = seed.draw(st.integers(0, 144 * days))
    made = []
    for number in range(144 * days):
        bought = number % 5 == 0
        slot = Slot(events=30, people=30, sessions=10, purchases=2 * bought, items=4 * bought)
        slot.hits = {"direct_share_shift": 3 + number % 4, "referrer": 12 + number % 3}
        if number >= begins:
            slot.hits |= {key: 20 if key not in rare else bought for key in fails}
        elif number % 97 == 0:
            slot.hits |= dict.fromkeys(fails[:1], 1)
        made.append((slot, START + 10 * number + 10))
    return made


class Alone:
    """Each share with a detector of its own."""

    def __init__(self) -> None:
        self.states = {share.key: ShareState() for share in SHARES}
        self.waits: dict[str, tuple[int, int]] = {}
        judge = ShareJudge(OPTIONS, SHARES, Minds(Draft({})))
        self.shifts = {share.key: ShareShift(judge._of(share), self.states[share.key]) for share in SHARES}

    def look(self, slot: Slot, end: int) -> list[str]:
        told = []
        for share in SHARES:
            trials, hits = getattr(slot, share.of), slot.hits.get(share.key, 0)
            if trials <= 0:
                continue
            shift, (_, waiting) = self.shifts[share.key], self.waits.get(share.key, (0, 0))
            if not hits and shift.may_wait(end - 1, trials + waiting):
                self.waits[share.key] = end - 1, trials + waiting
                continue
            if waiting:
                shift.pass_over(*self.waits.pop(share.key))
            if shift.update(end - 1, hits, trials).reason in ("shifted", "stepped_up", "recovered"):
                told.append(share.path)
        return told


@given(st.data(), st.lists(st.integers(1, 400), max_size=6))
@settings(max_examples=12)
def test_shares_that_are_alike_say_and_remember_what_they_would_alone(
    data: st.DataObject, sizes: list[int]
) -> None:
    alone, table, kept = Alone(), dict[str, bytes](), {}
    left = slots(data, 5)
    while left:
        size = sizes.pop() if sizes else len(left)
        batch, left = left[:size], left[size:]
        draft = Draft(table)
        minds = Minds(draft, kept)
        judge = ShareJudge(OPTIONS, SHARES, minds)
        for slot, end in batch:
            found = judge.look(slot, end - 10, end, "2025-02-20")
            told = [finding.subject for finding in found if finding.word in ("opened", "resolved")]
            assert told == alone.look(slot, end)
        minds.store()
        Delta(draft.put, sorted(draft.gone)).apply(table)
        for share in SHARES:
            packed = table.get(share.mind)
            known = ShareState() if packed is None else msgspec.msgpack.decode(packed, type=ShareState)
            assert known == alone.states[share.key]


def test_a_fields_share_that_moves_by_less_than_ten_points_and_by_less_than_half_is_no_page() -> None:
    for hits, told in ((330, []), (360, ["referrer"])):
        judge, found = ShareJudge(OPTIONS, SHARES, Minds(Draft({}))), []
        for number in range(144 * 6):
            slot = Slot(events=1000, people=1000, sessions=300)
            slot.hits = {"referrer": 250 if number < 144 * 5 else hits, "direct_share_shift": 100}
            found += judge.look(slot, START + 10 * number, START + 10 * number + 10, "2025-02-20")
        assert [finding.subject for finding in found if finding.word == "opened"] == told
