"""The deliverer: the latest of everything, whatever else lies in the topics."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.days import Counts, HistoryEntry, Hours, Metrics, Receipt
from consumer.core.wire import to_json
from detectors.alerts import Alert
from detectors.verdict import Check, Normal
from reports.deliver import Deliverer, render_files
from tests.reports.sample_state import alert, good_week, quarantined, receipt


def seen(receipts=(), alerts=()):
    deliverer = Deliverer()
    for one in receipts:
        deliverer.see_day(one.day.encode(), to_json(one))
    for one in alerts:
        deliverer.see_alert(one.id.encode(), to_json(one))
    return deliverer


def test_the_files_are_the_four_of_the_design():
    assert list(Deliverer().files()) == ["daily_metrics.csv", "alerts.json", "report.md", "report.html"]


def test_records_give_the_same_files_as_the_values_they_were_made_of():
    receipts, alerts = quarantined()
    assert seen(receipts, alerts).files() == render_files(receipts, alerts)


def test_the_latest_record_of_a_key_counts():
    first, second = receipt("2025-02-24"), receipt("2025-02-24", revision=2, status="quarantined")
    assert seen([first, second]).files() == seen([second]).files()


def test_a_tombstone_removes_the_day_or_the_alert():
    deliverer = seen(good_week(), [alert("a1")])
    deliverer.see_day(b"2025-02-24", None)
    deliverer.see_alert(b"a1", None)
    assert deliverer.files() == seen(good_week()[:-1]).files()


def test_the_same_record_again_is_no_change():
    deliverer = seen(good_week(), [alert("a1")])
    assert deliverer.changed
    deliverer.delivered()
    deliverer.see_day(b"2025-02-24", to_json(good_week()[-1]))
    deliverer.see_day(b"2030-01-01", None)
    assert not deliverer.changed
    deliverer.see_alert(b"a1", to_json(alert("a1", state="acknowledged")))
    assert deliverer.changed


def test_a_new_beginning_forgets_everything_and_is_a_change():
    deliverer = seen(good_week(), [alert("a1")])
    deliverer.delivered()
    deliverer.clear()
    assert deliverer.changed
    assert deliverer.files() == Deliverer().files()


def changed_json(value, **fields):
    return json.dumps({**json.loads(to_json(value)), **fields}).encode()


BAD_DAYS = {
    "not JSON": (b"2025-02-24", b"{"),
    "not UTF-8": (b"2025-02-24", b'{"day": "\xff"}'),
    "nothing": (b"2025-02-24", b""),
    "another key": (b"2025-02-25", to_json(receipt("2025-02-24"))),
    "no key": (None, to_json(receipt("2025-02-24"))),
    "no day": (b"=cmd", changed_json(receipt("2025-02-24"), day="=cmd")),
    "a day that does not exist": (b"2025-02-30", changed_json(receipt("2025-02-24"), day="2025-02-30")),
    "no number": (b"2025-02-24", to_json(receipt("2025-02-24", revenue="much"))),
    "a coverage that is none": (b"2025-02-24", to_json(receipt("2025-02-24", coverage={"a": "all"}))),
    "money that is none": (b"2025-02-24", to_json(receipt("2025-02-24", claimed={"a": "1e9"}))),
    "too few hours": (b"2025-02-24", to_json(receipt("2025-02-24", hours=Hours([1], [1], [1])))),
    "a count too large": (
        b"2025-02-24",
        to_json(receipt("2025-02-24", hours=Hours([10**18] * 24, [0] * 24, [0] * 24))),
    ),
    "a normal too large": (
        b"2025-02-24",
        to_json(receipt("2025-02-24", normal={"a": Normal(1e300, 1.0, 0.0, 3)})),
    ),
    "infinite": (b"2025-02-24", to_json(receipt("2025-02-24", revenue="Infinity"))),
    "endless number": (b"2025-02-24", to_json(receipt("2025-02-24", revenue="9" * 500))),
    "endless whole number": (b"2025-02-24", to_json(receipt("2025-02-24", sessions=10**100))),
    "no rate": (b"2025-02-24", to_json(receipt("2025-02-24", direct_share="<b>"))),
    "no score": (b"2025-02-24", to_json(receipt("2025-02-24", score="=1"))),
    "unknown status": (b"2025-02-24", changed_json(receipt("2025-02-24"), status="fine")),
}


@pytest.mark.parametrize("case", BAD_DAYS)
def test_a_record_that_is_no_receipt_is_counted_and_changes_nothing(case):
    deliverer = seen(good_week())
    before = deliverer.files()
    deliverer.see_day(*BAD_DAYS[case])
    assert deliverer.unusable == 1
    assert deliverer.files() == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"a1", b"[]"),
        (b"a2", to_json(alert("a1"))),
        (b"a1", to_json(alert("a1", day="today"))),
        (b"a1", b"[" * 100_000),
        (b"a1", changed_json(alert("a1"), evidence=json.loads('{"a":' * 50 + "1" + "}" * 50))),
        (b"a1", changed_json(alert("a1"), state="closed")),
    ],
)
def test_a_record_that_is_no_alert_is_counted_and_changes_nothing(key, value):
    deliverer = seen(good_week())
    before = deliverer.files()
    deliverer.see_alert(key, value)
    assert deliverer.unusable == 1
    assert deliverer.files() == before


def test_a_field_of_tomorrow_does_not_make_a_receipt_unreadable():
    deliverer = Deliverer()
    deliverer.see_day(b"2025-02-24", changed_json(receipt("2025-02-24"), new_field={"a": [1]}))
    assert deliverer.unusable == 0
    assert len(deliverer.receipts) == 1


@given(st.binary(max_size=40), st.binary(max_size=80))
def test_no_bytes_stop_it(key, value):
    deliverer = Deliverer()
    deliverer.see_day(key, value)
    deliverer.see_alert(key, value)
    assert deliverer.files()["daily_metrics.csv"].count(b"\n") == 1


ANY = {
    Counts: st.builds(Counts, *[st.integers(-(10**30), 10**30)] * 8),
    Check: st.builds(
        Check, st.text(), st.sampled_from(["pass", "at_risk", "quarantined", "note"]), st.text()
    ),
}
NUMBERS = st.one_of(
    st.none(), st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: f"{d:f}"), st.text()
)
WHOLE = st.one_of(st.none(), st.integers(-(10**40), 10**40))
STATUSES = st.sampled_from(["open", "pass", "at_risk", "quarantined", "released"])
ANY_RECEIPT = st.builds(
    Receipt,
    day=st.dates().map(str),
    status=STATUSES,
    metrics=st.builds(Metrics, WHOLE, WHOLE, NUMBERS, NUMBERS, NUMBERS),
    counts=ANY[Counts],
    score=st.one_of(st.just("99.00"), st.text()),
    identity_missing_rate=NUMBERS,
    checks=st.lists(ANY[Check], max_size=3),
    rejects=st.dictionaries(st.text(), st.integers(), max_size=3),
    not_measurable=st.dictionaries(st.text(), st.text(), max_size=2),
    history=st.lists(
        st.builds(HistoryEntry, st.integers(), STATUSES, st.text(), st.text(), st.text()), max_size=3
    ),
    watermark=st.one_of(st.none(), st.text(), st.just("9999-12-31T23:59:59.999Z")),
    closed_at=st.none(),
)
ANY_ALERT = st.builds(Alert, day=st.one_of(st.none(), st.dates().map(str)), evidence=st.none())


@given(st.lists(ANY_RECEIPT, max_size=6), st.lists(ANY_ALERT, max_size=4))
def test_whatever_could_be_read_can_be_rendered(receipts, alerts):
    deliverer = Deliverer()
    for one in receipts:
        deliverer.see_day(one.day.encode(), msgspec.json.encode(one))
    for one in alerts:
        deliverer.see_alert(one.id.encode(), msgspec.json.encode(one))
    assert all(deliverer.files().values())
    for one in deliverer.receipts:
        assert deliverer.files(one.day)["report.md"].startswith(f"# {one.day}: ".encode())


def test_as_of_a_day_there_is_nothing_of_later_days():
    later = receipt("2025-02-25", status="quarantined", watermark="2025-02-26T02:00:00.000Z")
    alerts = [
        alert("old", day="2025-02-20"),
        alert("none", day=None, first_seen="2025-02-24T23:00:00.000Z"),
        alert("later", day=None),
        alert("new", day="2025-02-25"),
    ]
    files = seen([*good_week(), later], alerts).files("2025-02-24")
    assert files["daily_metrics.csv"].splitlines()[-1].startswith(b"2025-02-24,")
    assert {a["id"] for a in json.loads(files["alerts.json"])["alerts"]} == {"old", "none"}
    assert files["report.md"].startswith(b"# 2025-02-24: pass")
    assert b"2025-02-25" not in files["report.md"]
