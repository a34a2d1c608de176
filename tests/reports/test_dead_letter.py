"""A dead letter as a person sees it: the place marked, nothing personal, nothing that a terminal would obey."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.contract_file import load_contract
from consumer.core.dead_letters import Outcome, PutBack, read_letter
from consumer.core.record import StoredRecord
from consumer.core.rejection import Origin, Reason, Rejection, cut_to_fit, dead_letter
from consumer.core.requeue import Again, Counted, Place, headers_of
from reports.render import personal
from reports.render.dead_letter import MOST_LINES, Shown, as_json, lines
from tests.reports.sample_state import HOSTILE

CONTRACT = load_contract(None)
AT_MS = 1_740_398_400_000
AT = "2025-02-24T12:00:00.000Z"
EMAIL, TOKEN = "ann.smith@shop.example", "Z2NwLXVzLXdlc3QxOjAx"
PURCHASE = {
    "client_id": "1740398400.77",
    "page_url": f"https://pay.shop.example/c/{TOKEN}/thank-you?mail={EMAIL}&step=2#top",
    "referrer": f"https://{EMAIL}:pw@mail.example/",
    "timestamp": "2025-02-24T11:59:00.000Z",
    "event_name": "checkout_completed",
    "event_data": json.dumps(
        {
            "transaction_id": "ORD-1",
            "revenue": "79.50",
            "items": [{"item_id": "m-1", "item_name": "Mattress", "quantity": 1, "item_price": 79.50}],
            "user_email": EMAIL,
            "gift": {"to": "Bob", "first_name": "Bob", "wrapped": True, "phone": 5_551_234},
        }
    ),
    "user_agent": f"Mozilla/5.0 (X11; {EMAIL}) Chrome/133.0.0.0",
    "fullName": "Ann Smith",
    "shoe_size": 42,
}


def shown(
    value,
    reason=Reason.PURCHASE_REVENUE,
    path="$.event_data.revenue",
    message="revenue is not a positive number",
    *,
    key=b"1740398400.77",
    headers=(("traceparent", b"00-7"),),
    outcome=Outcome.OPEN,
    told=None,
    most=1_000_000,
):
    record = StoredRecord(value, key, topic="events", partition=3, offset=42, headers=list(headers))
    counted = Counted(reason.value, 29_006_639, visit=True, contents=("c0",), claimed=Decimal("79.50"))
    output = dead_letter(
        "events.dlq", record, Rejection(reason, message, path, "type"), Origin("sluice", "1.0"), AT, counted
    )
    output = cut_to_fit(output, most)
    letter = read_letter(StoredRecord(output.value, output.key, headers=output.headers, timestamp_ms=AT_MS))
    return Shown("1/7", letter, outcome, told)


def text(it, *, unmask=False):
    return "".join(
        f"{'!' if line.marked else ' '} {line.text}\n" for line in lines(it, CONTRACT, unmask=unmask)
    )


SAMPLES = {
    "purchase": shown(json.dumps(PURCHASE).encode()),
    "put_back": shown(
        json.dumps(PURCHASE).encode(),
        headers=headers_of(Again(Place("events", 3, 7), 2, Counted("purchase_revenue", 1))),
        outcome=Outcome.RECOVERED,
        told=PutBack(3, "events/3/99", AT, "ann", "", "", ["cast event_data.revenue to number", "set user_email"]),
    ),
    "missing_field": shown(
        b'{"client_id":"c","eventName":"page_viewed","timestamp":"2025-02-24T11:59:00Z"}',
        Reason.EVENT_NAME_MISSING,
        "$.event_name",
        "event_name is missing or no text",
    ),
    "no_json": shown(
        b'{"client_id": "c", "name": "Ann Smith" "mail": "ann@shop.example", "note": "caf\xc3\xa9 7"}',
        Reason.NOT_JSON,
        "$",
        "JSON is malformed: expected ',' or '}' (byte 39)",
        key=None,
    ),
    "nearly_json": shown(
        b'{"client_id": "c", "score": NaN}', Reason.NOT_JSON, "$", "JSON is malformed: invalid character (byte 28)"
    ),
    "no_utf8": shown(b'{"a": "\xff\x1b[2J"}', Reason.NOT_UTF8, "$", "the value is not UTF-8: invalid start byte"),
    "tombstone": shown(None, Reason.TOMBSTONE, "$", "the record has no value (a tombstone)"),
    "cut": shown(b"x" * 9_000, Reason.NOT_JSON, "$", "JSON is malformed", most=5_000),
    "hostile": shown(
        json.dumps({HOSTILE: HOSTILE, "event_name": HOSTILE, "event_data": {"items": HOSTILE}}).encode(),
        Reason.PURCHASE_ITEMS,
        "$.event_data.items",
        HOSTILE,
        key=HOSTILE.encode(),
        headers=((HOSTILE, HOSTILE.encode()),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_person_sees(name, golden):
    golden.check(f"dead_letters/{name}.txt", text(SAMPLES[name]))


@pytest.mark.parametrize("name", ["purchase", "no_json", "hostile"])
def test_what_a_person_sees_who_asked_for_everything(name, golden):
    golden.check(f"dead_letters/{name}_unmasked.txt", text(SAMPLES[name], unmask=True))


@pytest.mark.parametrize("name", ["purchase", "no_json"])
def test_what_a_program_gets(name, golden):
    told = [as_json(SAMPLES[name], CONTRACT, unmask=unmask) for unmask in (False, True)]
    golden.check(
        f"dead_letters/{name}.json", json.dumps(told, indent=2, default=str, ensure_ascii=False) + "\n"
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_no_line_has_anything_that_a_terminal_obeys(name):
    for unmask in (False, True):
        assert all(line.text.isprintable() for line in lines(SAMPLES[name], CONTRACT, unmask=unmask))


def test_an_event_without_end_is_cut():
    found = lines(shown(json.dumps({"a": [1] * 5_000, "b": "x" * 100_000}).encode()), CONTRACT, unmask=True)
    assert len(found) < MOST_LINES + 30
    assert found[-1].text.endswith("lines more")


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("$.timestamp", ['  "timestamp": "t"', "^ why"]),
        ("$.d.items", ['    "items": [', "      1", "    ]", "^ why"]),
        ("$.d.x", ["^ why"]),
        ("$.nowhere.x", ["^ why"]),
        ("$.timestamp.x", ["^ why"]),
        ("$", []),
        ("no path", []),
    ],
)
def test_the_place_is_marked_or_the_nearest_that_is_there(path, marked):
    found = lines(
        shown(b'{"d":{"items":[1]},"timestamp":"t"}', path=path, message="why"), CONTRACT, unmask=True
    )
    told = [line.text for line in found if line.marked]
    assert sorted(line.strip() if "^" in line else line for line in told) == sorted(marked)


SECRET = "Jeanne7Dupont"  # noqa: S105 - what must not be seen
NAMES = st.sampled_from(
    [
        "email",
        "userEmail",
        "client_id",
        "clientId",
        "first_name",
        "phone",
        "unknown",
        "x",
        "user_email",
        "address",
    ]
)
HIDDEN = st.sampled_from(
    [SECRET, f"{SECRET}@shop.example", f"https://a.example/?q={SECRET}", f"text {SECRET}"]
)
TREES = st.recursive(
    HIDDEN,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(NAMES, TREES | TREES.map(json.dumps), max_size=4),
    st.dictionaries(NAMES | st.just("transaction_id"), TREES, max_size=3),
    st.booleans(),
)
def test_what_is_personal_or_unknown_is_seen_nowhere(fields, data, as_text):
    hidden = {name: value for name, value in data.items() if name != "transaction_id"}
    event = {
        **fields,
        "event_name": "checkout_completed",
        "event_data": json.dumps(hidden) if as_text else hidden,
    }
    event["page_url"] = f"https://shop.example/?mail={SECRET}#{SECRET}"
    it = shown(json.dumps(event).encode(), key=SECRET.encode(), headers=(("user", SECRET.encode()),))
    assert SECRET not in text(it)
    assert SECRET not in json.dumps(as_json(it, CONTRACT, unmask=False), default=str)
    broken = shown(json.dumps(event).encode()[:-1] + b"]", Reason.NOT_JSON, message="malformed (byte 30)")
    assert SECRET not in text(broken)


@given(st.text(max_size=300))
def test_any_text_may_be_looked_through(value):
    personal.text(value)
    personal.url(value)
    personal.is_personal_name(value)
    assert len(personal.skeleton(value)) == len(value)


def test_looking_through_a_long_text_takes_no_time():
    for piece in ("a", "a.", "a@", "1.", ":", "/", "%40"):
        personal.text(piece * 200_000)
        personal.url(piece * 200_000)
