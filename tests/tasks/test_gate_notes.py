"""What the gate notes beside the numbers: what purchases lack, robots, times lived through, and what values look like."""

import json
from dataclasses import replace

import pytest

from consumer.core.contract import Field
from consumer.core.facts import MOST_CLIENTS, MOST_KINDS, OF, REST, Facts, sample
from consumer.core.record import StoredRecord
from consumer.core.timestamps import MINUTE_MS
from consumer.core.wire import read_facts
from consumer.tasks.gate import GateTask
from consumer.tasks.task import Moment
from tests.shop_contract import CONTRACT, gate_options

NOON = 1_740_657_600_000
"""2025-02-27T12:00:00Z."""
MINUTE = NOON // MINUTE_MS
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1)"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/133.0 Safari/537.36"
TEXT = frozenset({"string"})
TOLD = replace(
    CONTRACT,
    purchase_fields=(
        Field("transaction_id", TEXT, ("orderId",)),
        Field("revenue", frozenset({"number"})),
        Field("items", frozenset({"array"})),
        Field("user_email", TEXT),
    ),
    item_fields=(Field("item_id", TEXT), Field("item_name", TEXT)),
)
ITEM = {"item_id": "m", "item_name": "mat"}
BOUGHT = {
    "transaction_id": "t1",
    "revenue": 10,
    "items": [ITEM],
    "user_email": "d41d8cd98f00b204e9800998ecf8427e",
}


def event(at="12:00:00", **fields):
    told = {"timestamp": f"2025-02-27T{at}Z", "event_name": "page_viewed", "client_id": "ann", **fields}
    return json.dumps({key: value for key, value in told.items() if value is not ...}).encode()


def checkout(data, **fields):
    return event(event_name="checkout_completed", event_data=data, **fields)


class Gated:
    """A gate that reads batches; `facts` are those of all of them."""

    def __init__(self):
        self.task = GateTask(0, replace(gate_options(), contract=TOLD))
        self.facts = Facts()

    def read(self, *values):
        reached = (self.task.next_offset or 0) + len(values)
        decision = self.task.decide([StoredRecord(value) for value in values], Moment(0, reached))
        self.task.apply(decision)
        for output in decision.outputs:
            if output.topic == "sluice.facts":
                self.facts.add(read_facts(output.value).facts)
        return decision

    def __getitem__(self, minute):
        return self.facts.minute(MINUTE + minute)

    def sum(self, name):
        return sum(getattr(minute, name) for minute in self.facts.minutes.values())


@pytest.fixture
def gate():
    return Gated()


# -- inside purchases ----------------------------------------------------------------------------------------------


def test_purchases_and_their_items_are_counted_valid_or_not_if_they_can_be_read(gate):
    gate.read(
        checkout(BOUGHT),
        checkout(json.dumps({**BOUGHT, "items": [ITEM, ITEM, 5]})),
        checkout({**BOUGHT, "revenue": 0}),
        checkout({}),
        checkout("{"),
        checkout(None),
        event(event_data=BOUGHT),
    )
    assert (gate[0].purchases, gate[0].items) == (4, 4)


def test_what_purchases_lack_is_counted_a_purchase_and_what_items_lack_an_item(gate):
    items = [ITEM, {"item_id": "", "item_name": "x"}, {"item_id": 5}, {**ITEM, "item_colour": "red"}]
    gate.read(
        checkout({**BOUGHT, "user_email": " ", "revenue": "10", "items": items}),
        checkout({"orderId": "t2", "revenue": 10, "items": [ITEM], "total": 10}),
    )
    minute = gate[0]
    assert minute.null["event_data.user_email"] == minute.null["event_data.items[].item_id"] == 1
    assert minute.retyped == {"event_data.revenue": 1, "event_data.items[].item_id": 1}
    assert minute.absent["event_data.user_email"] == minute.absent["event_data.items[].item_name"] == 1
    assert minute.aliased == {"event_data.orderId": 1}
    assert minute.unknown == {"event_data.total": 1, "event_data.items[].item_colour": 1}


def test_only_purchases_are_looked_into(gate):
    gate.read(event(event_data={"nothing": "known"}), event(event_data="{}"))
    assert gate[0].unknown == {}
    assert not any("." in name for name in gate[0].absent)


# -- robots and clients --------------------------------------------------------------------------------------------


def test_a_session_that_a_robot_opened_is_counted_once(gate):
    gate.read(
        event(user_agent=GOOGLE),
        event("12:01:00", user_agent=GOOGLE),
        event(client_id="bob", user_agent=CHROME),
    )
    gate.read(event("13:00:00", user_agent=GOOGLE), event(client_id="cid", user_agent=None))
    assert (gate[0].robots, gate[60].robots, gate.sum("sessions")) == (1, 1, 4)


def test_what_a_robots_opening_event_lacks_is_counted_by_field(gate):
    gate.read(
        event(user_agent=GOOGLE, referrer=None),
        event("12:00:01", user_agent=GOOGLE, client_id="bob", referrer=...),
        event("12:00:02", user_agent=GOOGLE, client_id="cid", referrer="https://a.example/"),
        event("12:00:03", user_agent=CHROME, client_id="dan", referrer=None),
    )
    assert gate[0].robots_lack["referrer"] == 2
    assert gate.sum("robots") == 3


def test_events_of_robots_without_identity_are_counted_with_what_they_lack(gate):
    gate.read(
        event(user_agent=GOOGLE, client_id=None, referrer=None),
        event("12:00:01", user_agent=GOOGLE, client_id=None, referrer="https://a.example/"),
        event("12:00:02", user_agent=CHROME, client_id=None, referrer=None),
        event("12:00:03", user_agent=None, client_id=None, referrer=None),
    )
    assert (gate[0].robots_nameless, gate[0].identity_missing, gate[0].robots) == (2, 4, 0)
    assert gate[0].robots_lack["referrer"] == 1


def test_robots_are_looked_for_in_the_opening_event_alone(gate):
    gate.read(event(user_agent=CHROME), event("12:01:00", user_agent=GOOGLE))
    assert gate.sum("robots") == 0


def test_clients_that_open_sessions_are_sampled_by_number_once_a_batch(gate):
    clients = [f"client {n}" for n in range(200)]
    numbers = sample(clients)
    assert len(numbers) > 5
    gate.read(*(event(client_id=client) for client in clients * 2))
    assert gate.facts.clients == numbers
    gate.read(*(event("12:01:00", client_id=client) for client in clients))
    assert gate.facts.clients == numbers
    gate.read(*(event("13:00:00", client_id=client) for client in clients))
    assert gate.facts.clients == numbers * 2


def test_the_sample_of_a_batch_is_small(gate):
    gate.read(*(event(client_id=f"client {n}") for n in range(2000)))
    assert len(gate.facts.clients) == MOST_CLIENTS


# -- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("again", "repeated"),
    [
        ("12:20:00", 1),  # the last event's instant
        ("12:18:01", 0),  # overtaken on its way
        ("12:18:00", 0),
        ("12:17:59", 1),
        ("12:00:00", 1),
        ("11:59:59", 0),  # before the session
        ("12:20:01", 0),
        ("14:00:00", 0),
    ],
)
def test_an_event_at_a_time_that_its_client_has_lived_through_is_repeated(gate, again, repeated):
    gate.read(event("12:00:00"), event("12:10:00"), event("12:20:00"), event(again))
    assert gate.sum("repeated") == repeated
    assert gate.sum("events") == 4


def test_another_client_repeats_nothing(gate):
    gate.read(event("12:20:00"), event("12:00:00", client_id="bob"), event("12:20:00", client_id=None))
    assert gate.sum("repeated") == 0


def test_what_is_more_than_ten_minutes_behind_its_stream_is_stale_at_the_streams_minute(gate):
    gate.read(*(event("12:30:00", client_id=f"c{n}") for n in range(8)))
    gate.read(event("12:20:00"), event("12:19:59.999"), event("09:00:00", client_id=None))
    assert {minute: it.stale for minute, it in gate.facts.minutes.items() if it.stale} == {MINUTE + 30: 2}


def test_events_of_a_clock_that_ran_ahead_count_at_the_streams_minute_once_it_is_found_out(gate):
    def visitors(first, last, at):
        return [event(at, client_id=f"c{n}") for n in range(first, last)]

    def far(n):
        return event(f"23:0{n}:00", client_id="far")

    gate.read(*visitors(0, 20, "12:00:00"), far(1), far(2), far(2), *visitors(20, 26, "12:05:00"))
    assert gate.sum("ahead") == gate.facts.voices_ahead == 0
    gate.read(*visitors(26, 80, "12:06:00"))
    assert {minute: it.ahead for minute, it in gate.facts.minutes.items() if it.ahead} == {MINUTE + 6: 3}
    assert gate.facts.voices_ahead == 1


def test_a_pause_of_the_whole_stream_is_no_clock_that_runs_ahead(gate):
    gate.read(*(event("12:00:00", client_id=f"a{n}") for n in range(40)))
    gate.read(*(event("20:00:00", client_id=f"b{n}") for n in range(80)))
    assert gate.sum("ahead") == gate.facts.voices_ahead == 0


# -- kinds ---------------------------------------------------------------------------------------------------------


def kinds(gate):
    return {tuple(name.rsplit(OF, 1)) for minute in gate.facts.minutes.values() for name in minute.kinds}


def test_a_batch_tells_what_the_contracts_fields_hold_once_a_shape(gate):
    values = [event(page_url="https://shop.example/", referrer=None, user_agent=CHROME)] * 3
    gate.read(*values)
    assert kinds(gate) == {
        ("client_id", "word"),
        ("timestamp", "timestamp"),
        ("event_name", "word"),
        ("page_url", "url"),
        ("referrer", "empty"),
        ("user_agent", "text"),
    }
    assert set(gate[0].kinds.values()) == {1}
    gate.read(*values)
    assert set(gate[0].kinds.values()) == {2}


def test_unknown_keys_tell_what_they_hold_at_least_once_a_minute_and_name(gate):
    gate.read(
        event(client_id=..., visitor="6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        event(client_id=..., visitor="6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        event("12:01:00", client_id=..., visitor="GA1.2"),
    )
    assert (gate[0].kinds[f"visitor{OF}uuid"], gate[1].kinds[f"visitor{OF}word"]) == (1, 1)
    assert gate.sum("events") == gate[0].unknown["visitor"] + gate[1].unknown["visitor"] == 3


def test_event_names_of_which_nothing_can_be_seen_are_counted_as_one_that_can(gate):
    gate.read(*(event(event_name=name) for name in ("", "  ", "\n\u2003", "page_viewed")))
    assert gate[0].names == {"(blank)": 3, "page_viewed": 1}


def test_an_alias_tells_of_the_field_that_it_stands_for(gate):
    gate.read(event(client_id=..., clientId="12"))
    assert ("client_id", "integer-text") in kinds(gate)
    assert not any(key == "clientId" for key, _ in kinds(gate))


def test_keys_inside_purchases_tell_what_they_hold(gate):
    gate.read(checkout({**BOUGHT, "total": 5, "items": [{**ITEM, "link": "https://a.b/"}]}))
    assert kinds(gate) >= {
        ("event_data.total", "number"),
        ("event_data.items[].link", "url"),
        ("event_data.user_email", "hex"),
        ("event_data.items[].item_id", "word"),
    }


def test_no_value_is_in_what_is_told_of_it(gate):
    gate.read(event(contact="ann@shop.example", user_agent="own words"))
    assert "ann@" not in str(gate.facts)
    assert "own words" not in str(gate.facts)


def test_kinds_of_keys_without_end_are_few(gate):
    gate.read(*(event(**{f"key {n} {k}": None for k in range(20)}) for n in range(50)))
    assert len(gate[0].kinds) == MOST_KINDS + 1
    assert gate[0].kinds[REST] > 900
