"""A day whose broken events were put back is judged as what it is then, and not as what it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.contract_file import load_contract
from consumer.core.daybook import Day
from consumer.core.days import Receipt
from consumer.core.instant import rfc3339
from consumer.core.record import Output
from consumer.core.repairs import Rename, SetTo
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.tasks.judge_contract import cause_fields
from consumer.tasks.keyer import KeyerOptions
from consumer.tasks.requeue import Keying
from tests.tasks.test_requeue import Shop as OwnShop
from tests.unkeyed_pipeline import UnkeyedPipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.core.dead_letters import Letter

START = 1_740_614_400_000
"""2025-02-27T00:00:00Z."""
QUARTER_MS = 15 * MINUTE_MS
BROKEN_DAY = 4
BROKEN = "2025-03-03"
OF_PURCHASES = {"purchases", "revenue", "conversion_rate"}

Break = Any
"""What breaks an event: takes it and its purchase, and changes them."""


class Shop(OwnShop):
    """A shop with the contract that Sluice comes with: a visit and a purchase in each quarter of an hour."""

    contract = load_contract(None)

    def live(
        self,
        day: int,
        damage: Break = None,
        quarters: range = range(40, 80),
        batch: int = 48,
        part: range = range(96),
    ) -> None:
        """A day, or a part of it, of which some quarters' purchases are damaged."""
        events = list(self.events_of(day, damage, quarters, part))
        for start in range(0, len(events), batch):
            some = events[start : start + batch]
            self.now_ms = some[-1][0]
            self.take([Output("events", json.dumps(event).encode(), b"key") for _, event in some])

    def events_of(
        self, day: int, damage: Break = None, quarters: range = range(40, 80), part: range = range(96)
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The events of a day, or of a part of it, each with its time."""
        for quarter in part:
            at_ms = START + day * DAY_MS + quarter * QUARTER_MS
            name = f"{day}-{quarter}"
            seen = self._event(at_ms, name)
            bought = self._event(at_ms + MINUTE_MS, name)
            bought["event_name"] = "checkout_completed"
            data = {"transaction_id": name, "revenue": 10, "items": [{"item_id": "m"}]}
            if damage is not None and quarter in quarters:
                damage(bought, data)
            bought["event_data"] = json.dumps(data)
            yield at_ms, seen
            yield at_ms + MINUTE_MS, bought

    @staticmethod
    def _event(at_ms: int, client: str) -> dict[str, Any]:
        return {
            "timestamp": rfc3339(at_ms), "event_name": "page_viewed", "client_id": client, "referrer": None,
            "page_url": "https://shop.example/", "user_agent": "Mozilla/5.0", "event_data": None,
        }  # fmt: skip

    @property
    def broken(self) -> Day:
        return self.day(BROKEN)

    @property
    def receipt(self) -> Receipt:
        """The last one of the broken day."""
        told = [o for o in self.outputs if o.topic == "sluice.days" and o.key == BROKEN.encode()]
        return msgspec.json.decode(told[-1].value or b"", type=Receipt)


class UnkeyedShop(Shop):
    kind = UnkeyedPipeline
    keying = Keying(KeyerOptions(Shop.contract), 1)


def without_revenue(_: dict[str, Any], data: dict[str, Any]) -> None:
    data["total"] = data.pop("revenue")


def without_id(_: dict[str, Any], data: dict[str, Any]) -> None:
    del data["transaction_id"]


def without_name(event: dict[str, Any], _: dict[str, Any]) -> None:
    event["event"] = event.pop("event_name")


def lived(kind: Callable[[], Shop] = Shop, days: int = 7, damage: Break = without_revenue) -> Shop:
    shop = kind()
    for day in range(days):
        shop.live(day, damage if day == BROKEN_DAY else None)
    return shop


def rename(letter: Letter) -> Rename | SetTo:
    match letter.reason:
        case "purchase_revenue":
            return Rename.read("event_data.total=revenue")
        case "event_name_missing":
            return Rename.read("event=event_name")
        case _:
            return SetTo.read(f'event_data.transaction_id="{letter.place.offset}"')


@pytest.mark.parametrize("batch", [1, 7, 200])
def test_a_day_is_closed_knowing_what_was_gone_however_its_events_were_batched(batch):
    shop = Shop()
    for day in range(BROKEN_DAY + 2):
        shop.live(day, without_revenue if day == BROKEN_DAY else None, batch=batch)
    assert set(shop.broken.unmeasurable) == OF_PURCHASES
    answers = {check.rule: check.reason for check in shop.broken.answers}
    for rule in ("purchases_anomaly", "revenue_anomaly", "conversion_shift"):
        assert answers[rule].startswith("unmeasurable: event_data.revenue came under another name")
    assert OF_PURCHASES.isdisjoint(shop.broken.normal)


@pytest.mark.parametrize("damage", [without_revenue, without_id])
@pytest.mark.parametrize("kind", [Shop, UnkeyedShop])
def test_a_closed_day_of_which_everything_was_put_back_is_what_a_whole_one_is(kind, damage):
    shop = lived(kind, damage=damage)
    assert (set(shop.broken.unmeasurable), shop.broken.status()) == (OF_PURCHASES, "quarantined")
    for letter in [*shop.letters]:
        assert shop.requeue(letter, rename(letter)) == []
    told, normal = shop.receipt, lived(kind, damage=None).receipt
    assert (told.not_measurable, told.status, told.rejects) == ({}, "pass", {})
    assert (told.metrics, told.coverage, told.normal) == (normal.metrics, normal.coverage, normal.normal)
    answers = {check.rule: check for check in told.checks if check.result != "note"}
    assert answers == {check.rule: check for check in normal.checks}
    assert told.history[-1].reason == "dead letters put back"


def test_events_that_had_no_name_count_and_their_day_is_measured_again():
    """Their visits are over: each opens one of its own, as late events do, and that is judged as well."""
    shop = lived(damage=without_name)
    assert set(shop.broken.unmeasurable) == {*OF_PURCHASES, "sessions", "direct_share"}
    assert shop.broken.status() == "quarantined"
    for letter in [*shop.letters]:
        assert shop.requeue(letter, rename(letter)) == []
    receipt = shop.receipt
    assert (receipt.not_measurable, receipt.rejects) == ({}, {})
    assert (receipt.counts.events, receipt.metrics.purchases, receipt.metrics.sessions) == (192, 96, 136)
    answers = {check.rule: check for check in receipt.checks}
    assert answers["purchases_anomaly"].reason.startswith("within_band: 96 beside 96")
    assert answers["sessions_anomaly"].reason.startswith("within_band: 136 beside 96")
    assert {check.rule for check in receipt.checks if check.result not in ("pass", "note")} == set()


def test_what_fired_stays_in_the_books_as_notes(shop_with_loss):
    alerts = {entry.alert.id: entry.alert for entry in shop_with_loss.pipeline.watch.state.alerts.values()}
    for letter in [*shop_with_loss.letters]:
        shop_with_loss.requeue(letter, rename(letter))
    after = {entry.alert.id: entry.alert for entry in shop_with_loss.pipeline.watch.state.alerts.values()}
    assert after == alerts
    notes = {check.rule for check in shop_with_loss.receipt.checks if check.result == "note"}
    assert notes >= {"schema_field_renamed", "purchase_invalid", "purchase_silence"}


@pytest.fixture
def shop_with_loss() -> Shop:
    return lived()


def test_what_is_still_missing_keeps_the_day_as_it_was(shop_with_loss):
    first, *rest = shop_with_loss.letters
    for letter in rest:
        shop_with_loss.requeue(letter, rename(letter))
    receipt = shop_with_loss.receipt
    assert (set(receipt.not_measurable), receipt.verdict) == (OF_PURCHASES, "quarantined")
    assert receipt.metrics.revenue is None
    shop_with_loss.requeue(first, rename(first))
    assert shop_with_loss.receipt.metrics.revenue == "960.00"


@pytest.mark.parametrize(("put_back", "mended"), [(99, set()), (100, {"event_data.revenue"})])
def test_one_of_a_hundred_may_stay_away(put_back, mended):
    day = Day(absent={"event_data.revenue": 1}, put_back={"event_data.revenue": put_back})
    assert day.mended(cause_fields(Shop.contract)) == mended


def test_a_purchase_with_another_fault_is_not_what_was_missing(shop_with_loss):
    """Its revenue is there, but 0: it is invalid as before, and speaks against the day by itself."""
    shop = shop_with_loss
    zero = {**Shop._event(START + BROKEN_DAY * DAY_MS, "late"), "event_name": "checkout_completed"}
    zero["event_data"] = json.dumps({"transaction_id": "z", "revenue": 0, "items": [{"item_id": "m"}]})
    shop.take([Output("events", json.dumps(zero).encode(), b"key")])
    *letters, other = shop.letters
    for letter in letters:
        shop.requeue(letter, rename(letter))
    assert other.counted.lacks == ()
    receipt = shop.receipt
    assert (receipt.not_measurable, receipt.verdict, receipt.metrics.revenue) == ({}, "at_risk", "960.00")


def test_a_day_that_is_open_still_is_judged_whole_when_it_closes():
    shop = Shop()
    for day in range(BROKEN_DAY):
        shop.live(day)
    shop.live(BROKEN_DAY, without_revenue)
    assert set(shop.broken.unmeasurable) == OF_PURCHASES
    for letter in [*shop.letters]:
        shop.requeue(letter, rename(letter))
    assert (shop.broken.unmeasurable, shop.broken.status()) == ({}, "open")
    shop.live(BROKEN_DAY + 1)
    assert shop.receipt.status == "pass"
    answers = {check.rule: check.reason for check in shop.broken.answers}
    assert answers["revenue_anomaly"].startswith("within_band")


def test_what_breaks_again_on_the_same_day_speaks_against_it_again():
    shop = Shop()
    for day in range(BROKEN_DAY):
        shop.live(day)
    shop.live(BROKEN_DAY, without_revenue, range(20, 40), part=range(56))
    for letter in [*shop.letters]:
        shop.requeue(letter, rename(letter))
    assert (shop.broken.unmeasurable, shop.receipt.verdict) == ({}, "pass")
    shop.live(BROKEN_DAY, without_revenue, range(60, 80), part=range(56, 96))
    shop.live(BROKEN_DAY + 1)
    assert (set(shop.receipt.not_measurable), shop.receipt.verdict) == (OF_PURCHASES, "quarantined")


def test_long_after_its_alerts_are_forgotten_a_day_keeps_what_they_said():
    shop = lived()
    shop.live(60)
    assert not [e for e in shop.pipeline.watch.state.alerts.values() if e.alert.day == BROKEN]
    for letter in [*shop.letters]:
        shop.requeue(letter, rename(letter))
    receipt = shop.receipt
    assert receipt.counts.purchase_invalid == 0
    assert (set(receipt.not_measurable), receipt.verdict) == (OF_PURCHASES, "quarantined")
