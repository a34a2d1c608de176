"""Dead letters put back: counted once however often they are tried, judged by the gate's own code, with their origin."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.dead_letters import Letter, digest, read_letter, read_put_back
from consumer.core.record import Output, StoredRecord
from consumer.core.repairs import Cast, Drop, Rename, Repair, SetTo
from consumer.core.requeue import MARK, Again, again
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.tasks.gate import GateTask
from consumer.tasks.judge_state import JudgeOptions
from consumer.tasks.keyer import KeyerOptions
from consumer.tasks.pipeline import Pipeline
from consumer.tasks.requeue import Candidate, Keying, Refused, judge, on_record, prepare
from consumer.tasks.task import Moment
from consumer.tasks.watch_state import WatchOptions
from tests.day_numbers import told
from tests.shop_contract import CONTRACT, gate_options
from tests.unkeyed_pipeline import UnkeyedPipeline

if TYPE_CHECKING:
    from detectors.alerts import Alert

NOON = 1_740_657_600_000
"""2025-02-27T12:00:00Z."""
DAY, DAY_BEFORE = "2025-02-27", "2025-02-26"
BOUGHT = {"transaction_id": "t1", "revenue": 10, "items": [{"item_id": "m"}]}


def event(at: str = "12:00:00", client: str = "ann", **fields: Any) -> bytes:
    told = {"timestamp": f"2025-02-27T{at}Z", "event_name": "page_viewed", "client_id": client, **fields}
    return json.dumps({name: value for name, value in told.items() if value is not ...}).encode()


def checkout(at: str = "12:01:00", client: str = "ann", **data: Any) -> bytes:
    bought = {name: value for name, value in {**BOUGHT, **data}.items() if value is not ...}
    return event(at, client, event_name="checkout_completed", event_data=json.dumps(bought))


class Shop:
    """A gate and a watch, the input of one partition, and the dead letters."""

    kind: type[Pipeline] = Pipeline
    keying: Keying | None = None
    contract = CONTRACT

    def __init__(self, valid_topic: str = "") -> None:
        gate = replace(gate_options(valid_topic=valid_topic), contract=self.contract)
        self.pipeline = self.kind(gate, WatchOptions(gate.zone, JudgeOptions(gate.zone, self.contract)))
        self.offset = 0
        self.now_ms = NOON + 5 * MINUTE_MS
        self.letters: list[Letter] = []
        self.outputs: list[Output] = []

    def read(self, *values: bytes, ms_later: int = 0) -> list[Letter]:
        """Feeds events; their dead letters."""
        return self.take([Output("events", value, b"key") for value in values], ms_later)

    def take(self, records: list[Output], ms_later: int = 0) -> list[Letter]:
        self.now_ms += ms_later
        fed = [
            StoredRecord(
                o.value,
                o.key,
                topic="events",
                offset=self.offset + n,
                timestamp_ms=self.now_ms,
                headers=o.headers,
            )
            for n, o in enumerate(records)
        ]
        self.offset += len(records)
        outputs = self.pipeline.feed(fed, wall_ms=self.now_ms)
        self.outputs += outputs
        letters = []
        for output in outputs:
            if output.topic == "events.dlq":
                letter = read_letter(StoredRecord(output.value, output.key, headers=output.headers))
                assert letter is not None
                letters.append(letter)
        self.letters += letters
        return letters

    def requeue(self, letter: Letter, *repairs: Repair, ms_later: int = 0) -> list[Letter]:
        """Puts a dead letter back; the dead letters that it leads to. What was foretold comes true."""
        candidate = prepare(letter, repairs, self.contract, "events")
        assert isinstance(candidate, Candidate), candidate
        gates, now_ms = {0: self.pipeline.gates[0]}, self.now_ms + ms_later
        (foretold,) = judge(gates, [candidate], now_ms, "events.dlq", keying=self.keying)
        again_dead = self.take([candidate.output], ms_later)
        assert [it.reason for it in again_dead] == ([foretold.reason] if foretold.reason else [])
        return again_dead

    @property
    def days(self):
        return told(self.pipeline.watch.state.days)

    def day(self, day: str = DAY):
        return self.pipeline.watch.state.days[day]

    def alerts(self, kind: str) -> list[Alert]:
        return [
            entry.alert for entry in self.pipeline.watch.state.alerts.values() if entry.alert.kind == kind
        ]


class UnkeyedShop(Shop):
    """The same with an input that is not keyed."""

    kind = UnkeyedPipeline
    keying = Keying(KeyerOptions(CONTRACT), 1)


@pytest.fixture(params=[Shop, UnkeyedShop])
def shop(request: pytest.FixtureRequest) -> Shop:
    shop: Shop = request.param()
    shop.read(*(event("11:59:00", f"client {n}") for n in range(9)))
    return shop


# -- no event before: counted as one ------------------------------------------------------------------------------


def test_an_event_that_was_none_counts_once_it_passes_and_is_no_rejected_one_any_more(shop):
    (letter,) = shop.read(event(timestamp="yesterday"))
    assert (shop.day().events, shop.day().rejected) == (9, {"timestamp_invalid": 1})
    assert shop.requeue(letter, SetTo.read("timestamp=2025-02-27T12:00:30Z")) == []
    assert (shop.day().events, shop.day().sessions, shop.day().rejected) == (10, 10, {})


def test_one_that_fails_again_is_no_second_rejected_one_and_keeps_its_first_place(shop):
    (first,) = shop.read(event(timestamp="yesterday"))
    (second,) = shop.requeue(first)
    (third,) = shop.requeue(second, Drop.read("timestamp"))
    assert [it.attempts for it in (first, second, third)] == [0, 1, 2]
    assert {it.first for it in (first, second, third)} == {first.place}
    assert len({it.place for it in (first, second, third)}) == 3
    assert (third.reason, shop.day().rejected) == ("timestamp_missing", {"timestamp_invalid": 1})
    assert shop.requeue(third, SetTo.read("timestamp=2025-02-27T12:00:30Z")) == []
    assert (shop.day().events, shop.day().rejected) == (10, {})


def test_one_that_was_rejected_before_its_stream_had_a_time_can_be_put_back_as_well():
    shop = Shop()
    (letter,) = shop.read(event(timestamp=...))
    assert letter.counted.minute is None
    shop.read(*(event("11:59:00", f"client {n}") for n in range(9)))
    assert shop.requeue(letter, SetTo.read("timestamp=2025-02-27T12:00:30Z")) == []
    assert (shop.day().events, shop.day().rejected) == (10, {"timestamp_missing": 1})


def test_an_event_without_a_name_finds_its_session_and_nothing_is_said_of_repeated_or_stale_ones(shop):
    shop.read(event("12:00:00"), event("12:20:00"), event("12:40:00"))
    (letter,) = shop.read(event("12:10:00", event_name=...))
    assert shop.requeue(letter, SetTo.read("event_name=page_viewed"), ms_later=5 * MINUTE_MS) == []
    day = shop.day()
    assert (day.events, day.sessions, day.repeated, day.stale, day.rejected) == (13, 10, 0, 0, {})


def test_an_event_that_turns_out_to_be_an_invalid_purchase_puts_its_day_at_risk_as_any_does(shop):
    (first,) = shop.read(checkout(revenue=0, at="noon"))
    (second,) = shop.requeue(first, SetTo.read("timestamp=2025-02-27T12:00:30Z"))
    assert (second.reason, second.counted.visit) == ("purchase_revenue", True)
    assert (shop.day().events, shop.day().rejected) == (10, {"purchase_revenue": 1})
    assert shop.requeue(second, SetTo.read("event_data.revenue=10")) == []
    assert (shop.day().events, shop.day().purchases, shop.day().rejected) == (10, 1, {})


def test_a_broken_event_name_or_number_beyond_json_can_be_taken_out(shop):
    (letter,) = shop.read(event()[:-1] + b', "score": NaN}')
    assert shop.requeue(letter, Drop.read("score")) == []
    assert (shop.day().events, shop.day().rejected) == (10, {})


# -- an event already: only its purchase is told anew --------------------------------------------------------------


def test_a_purchase_without_revenue_counts_with_it_and_its_visit_is_counted_once(shop):
    shop.read(event("12:00:00"))
    (letter,) = shop.read(checkout(revenue=0))
    before = shop.days[DAY]
    assert (before.events, before.sessions, before.purchases, before.purchase_invalid) == (11, 10, 0, 1)
    assert shop.requeue(letter, SetTo.read("event_data.revenue=79.50"), ms_later=DAY_MS) == []
    after = shop.days[DAY]
    assert (after.events, after.sessions, after.purchases, after.revenue) == (11, 10, 1, Decimal("79.50"))
    assert (after.purchase_invalid, after.collisions, after.replays) == (0, 0, 0)
    assert shop.alerts("transaction_collision") == []


def test_a_closed_day_is_amended_and_its_verdict_follows(shop):
    (letter,) = shop.read(checkout(revenue=0))
    shop.read(
        *(event(timestamp="2025-02-28T04:00:00Z", client=f"next {n}") for n in range(40)), ms_later=DAY_MS
    )
    closed = shop.day()
    assert (closed.status(), closed.revision) == ("at_risk", 1)
    shop.requeue(letter, SetTo.read("event_data.revenue=10"))
    assert (shop.day().status(), shop.day().revision) == ("pass", 2)
    assert shop.day().history[-1].reason == "dead letters put back"
    assert shop.day().late == 0


def test_a_purchase_that_fails_again_and_again_is_one_invalid_purchase(shop):
    (first,) = shop.read(checkout(revenue=0, items=[]))
    (second,) = shop.requeue(first, SetTo.read("event_data.revenue=10"))
    (third,) = shop.requeue(second, SetTo.read("event_data.revenue=-1"))
    assert [it.reason for it in (first, second, third)] == [
        "purchase_revenue",
        "purchase_items",
        "purchase_revenue",
    ]
    day = shop.days[DAY]
    assert (day.events, day.purchase_invalid, day.purchases, day.collisions) == (10, 1, 0, 0)
    items = SetTo.read('event_data.items=[{"item_id":"m"}]')
    assert shop.requeue(third, SetTo.read("event_data.revenue=10"), items) == []
    day = shop.days[DAY]
    assert (day.events, day.purchase_invalid, day.purchases, day.collisions) == (10, 0, 1, 0)


def test_money_in_question_is_in_question_no_more(shop):
    (letter,) = shop.read(checkout(items=[]))
    assert shop.day().claimed == {"purchase_items": Decimal(10)}
    shop.requeue(letter, SetTo.read('event_data.items=[{"item_id":"m"}]'))
    assert shop.day().claimed == {}


@pytest.mark.parametrize("data", [{"transaction_id": ...}, {"transaction_id": " "}])
def test_a_purchase_without_an_id_counts_once_it_has_one(shop, data):
    (letter,) = shop.read(checkout(**data))
    assert shop.requeue(letter, SetTo.read('event_data.transaction_id="7"')) == []
    assert (shop.day().purchases, shop.day().rejected) == (1, {})


def test_a_purchase_whose_data_is_no_json_counts_once_it_has_some(shop):
    (letter,) = shop.read(event(event_name="checkout_completed", event_data="{broken"))
    assert shop.requeue(letter, SetTo.read(f"event_data={json.dumps(BOUGHT)}")) == []
    assert (shop.day().events, shop.day().purchases, shop.day().rejected) == (10, 1, {})


def test_copies_of_a_broken_purchase_that_are_repaired_alike_count_as_one(shop):
    letters = shop.read(checkout(revenue=0), checkout(revenue=0), checkout(revenue=0))
    for letter in letters:
        assert shop.requeue(letter, SetTo.read("event_data.revenue=10")) == []
    day = shop.days[DAY]
    assert (day.purchases, day.revenue, day.replays, day.collisions, day.purchase_invalid) == (1, 10, 2, 0, 0)


def test_the_broken_purchase_sent_by_the_site_once_more_is_a_replay_of_the_repaired_one(shop):
    (letter,) = shop.read(checkout(revenue=0))
    shop.requeue(letter, SetTo.read("event_data.revenue=10"))
    shop.read(checkout(revenue=0))
    day = shop.days[DAY]
    assert (day.purchases, day.replays, day.collisions, day.purchase_invalid) == (1, 1, 0, 1)


def test_the_repaired_purchase_sent_by_the_site_too_is_a_replay(shop):
    (letter,) = shop.read(checkout(revenue=0))
    shop.requeue(letter, SetTo.read("event_data.revenue=10"))
    shop.read(checkout(revenue=10))
    day = shop.days[DAY]
    assert (day.purchases, day.replays, day.collisions) == (1, 1, 0)


def test_copies_that_are_repaired_in_two_ways_collide(shop):
    one, other = shop.read(checkout(revenue=0), checkout(revenue=0))
    shop.requeue(one, SetTo.read("event_data.revenue=10"))
    shop.requeue(other, SetTo.read("event_data.revenue=11"))
    day = shop.days[DAY]
    assert (day.purchases, day.revenue) == (0, 0)
    assert day.collisions > 0
    assert len(shop.alerts("transaction_collision")) == 1


def test_an_id_that_has_collided_stays_so(shop):
    (letter,) = shop.read(checkout(revenue=0))
    shop.read(checkout(revenue=10))
    shop.requeue(letter, SetTo.read("event_data.revenue=10"))
    day = shop.days[DAY]
    assert (day.purchases, day.collisions, day.purchase_invalid) == (0, 2, 0)


def test_a_purchase_older_than_what_is_remembered_counts_when_it_is_repaired(shop):
    (letter,) = shop.read(checkout(revenue=0))
    later = "2025-05-27T12:00:00Z"
    shop.read(*(event(timestamp=later, client=f"next {n}") for n in range(40)), ms_later=90 * DAY_MS)
    shop.requeue(letter, SetTo.read("event_data.revenue=10"))
    day = shop.days[DAY]
    assert (day.events, day.purchases, day.purchase_invalid, day.collisions) == (10, 1, 0, 0)


def test_the_time_and_name_of_an_event_that_counts_already_must_stay(shop):
    (letter,) = shop.read(checkout(revenue=0))
    for repair in (
        SetTo.read("timestamp=2025-02-26T12:00:00Z"),
        SetTo.read("event_name=page_viewed"),
        Drop.read("timestamp"),
    ):
        refused = prepare(letter, [repair], CONTRACT, "events")
        assert refused == Refused(letter, "its visit is counted already: its time and its name must stay")
    assert isinstance(prepare(letter, [Rename.read("client_id=clientId")], CONTRACT, "events"), Candidate)


# -- on its way ---------------------------------------------------------------------------------------------------


def test_it_goes_back_to_its_partition_with_its_key_its_headers_and_its_origin():
    record = StoredRecord(
        event(timestamp="x"),
        b"ann",
        topic="events",
        partition=2,
        offset=9,
        headers=[("trace", b"7"), ("sluice.reason", b"forged")],
    )
    gate = GateTask(2, gate_options())
    gate.begin(9)
    (output, *_) = gate.decide([record], Moment(NOON, 10)).outputs
    letter = read_letter(StoredRecord(output.value, output.key, topic="events.dlq", headers=output.headers))
    assert letter is not None
    candidate = prepare(letter, [], CONTRACT, "events")
    assert isinstance(candidate, Candidate)
    back = candidate.output
    assert (back.topic, back.partition, back.key, back.value) == ("events", 2, b"ann", record.value() + MARK)
    assert (back.headers or [])[0] == ("trace", b"7")
    assert len(back.headers or []) == 4
    assert again(back.headers) == Again(letter.place, 1, letter.counted)


def test_without_a_repair_the_value_has_one_line_feed_more_however_often_it_goes_back(shop):
    (first,) = shop.read(event(timestamp="x"))
    (second,) = shop.requeue(first)
    (third,) = shop.requeue(second)
    assert third.record.value() == first.record.value() + MARK


def test_what_does_not_fit_or_is_no_json_or_of_another_topic_is_refused_with_a_sentence(shop):
    one, other = shop.read(event(timestamp="x"), b"hello")
    why = prepare(one, [Cast.read("timestamp=number")], CONTRACT, "events")
    assert why == Refused(one, "cast timestamp to number: what is there is no number")
    assert isinstance(prepare(other, [], CONTRACT, "events"), Refused)
    assert prepare(one, [], CONTRACT, "clicks") == Refused(one, "it is of another topic than clicks")


def test_a_partition_that_is_gone_is_foretold(shop):
    (letter,) = shop.read(event(timestamp="x"))
    candidate = prepare(letter, [], CONTRACT, "events")
    assert [it.reason for it in judge({}, [candidate], NOON, "events.dlq")] == ["no_partition"]


def test_judging_changes_nothing(shop):
    letters = shop.read(event(timestamp="x"), checkout(revenue=0))
    candidates = [prepare(letter, [], CONTRACT, "events") for letter in letters]
    gate = shop.pipeline.gates[0]
    before = (dict(gate.sessions), gate.state, gate.next_offset)
    verdicts = judge({0: gate}, candidates, NOON, "events.dlq", keying=shop.keying)
    assert [it.reason for it in verdicts] == ["timestamp_invalid", "purchase_revenue"]
    assert (dict(gate.sessions), gate.state, gate.next_offset) == before


def test_what_is_put_back_goes_on_record_without_any_value(shop):
    (letter,) = shop.read(event(timestamp="x"))
    repairs = [SetTo.read("user_email=ann@shop.example"), Rename.read("a=b")]
    candidate = prepare(letter, repairs, CONTRACT, "events")
    output = on_record("events.requeued", candidate, 77, None, "ann", "2025-02-27T12:00:00.000Z", repairs)
    assert (output.topic, output.key, output.partition) == ("events.requeued", b"events/0/9", 0)
    told = read_put_back(output.value)
    assert told is not None
    assert (told.attempts, told.place, told.by) == (1, "events/0/77", "ann")
    assert told.first == told.sent == digest(letter.record)
    assert told.repairs == ["set user_email", "rename a to b"]
    assert b"shop.example" not in (output.value or b"")


def test_a_passed_event_goes_on_with_its_origin():
    shop = Shop(valid_topic="events.valid")
    shop.read(*(event("11:59:00", f"client {n}") for n in range(9)))
    for letter in shop.read(event(timestamp="x"), checkout(revenue=0)):
        shop.outputs.clear()
        repair = SetTo.read(
            "event_data.revenue=5" if letter.counted.visit else "timestamp=2025-02-27T12:00:30Z"
        )
        shop.requeue(letter, repair)
        (passed,) = [output for output in shop.outputs if output.topic == "events.valid"]
        assert dict(passed.headers or [])["sluice.origin"] == str(letter.place).encode()
        assert dict(passed.headers or [])["sluice-day"] == DAY.encode()


# -- laws ---------------------------------------------------------------------------------------------------------

BREAKS: list[tuple[dict[str, Any], dict[str, Any], list[Repair]]] = [
    ({"event_name": ...}, {}, [SetTo.read("event_name=checkout_completed")]),
    ({}, {"revenue": "10"}, [Cast.read("event_data.revenue=number")]),
    ({}, {"revenue": ..., "total": 10}, [Rename.read("event_data.total=revenue")]),
    ({}, {"items": []}, [SetTo.read('event_data.items=[{"item_id":"m"}]')]),
    ({}, {"transaction_id": ..., "order": "t1"}, [Rename.read("event_data.order=event_data.transaction_id")]),
]


def purchase(minute: int, client: str, number: int, fields: dict[str, Any], data: dict[str, Any]) -> bytes:
    bought = {**BOUGHT, "transaction_id": f"t{number}", **data}
    bought = {
        name: f"t{number}" if value == "t1" else value for name, value in bought.items() if value is not ...
    }
    told = {"event_name": "checkout_completed", "event_data": json.dumps(bought), **fields}
    return event(f"12:{minute:02d}:00", client, **told)


PURCHASES = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from(["ann", "bob", "cyd"]), st.integers(1, 4)), max_size=12
)
KINDS = st.lists(st.none() | st.integers(0, len(BREAKS) - 1), min_size=5, max_size=5)
"""What is broken in the copies of each purchase: in all of them alike, since what has collided stays so."""


@given(PURCHASES, KINDS, st.data())
def test_broken_purchases_that_are_repaired_come_to_what_whole_ones_would_have(purchases, kinds, data):
    whole, broken = Shop(), Shop()
    for shop in (whole, broken):
        shop.read(*(event("11:59:00", f"client {n}") for n in range(9)))
    first, values, repairs = broken.offset, [], []
    for minute, client, number in purchases:
        kind = kinds[number]
        fields, damage, mend = ({}, {}, []) if kind is None else BREAKS[kind]
        values.append(purchase(minute, client, number, fields, damage))
        repairs.append(mend)
    whole.read(*(purchase(minute, client, number, {}, {}) for minute, client, number in purchases))
    broken.read(*values)
    for letter in data.draw(st.permutations(broken.letters)):
        for _ in range(data.draw(st.integers(0, 2))):  # in vain
            (letter,) = broken.requeue(letter)  # noqa: PLW2901 - the next attempt begins with what came back
        assert broken.requeue(letter, *repairs[letter.first.offset - first]) == []
    assert broken.days == whole.days
