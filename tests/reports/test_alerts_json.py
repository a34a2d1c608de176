"""`alerts.json`: the fields of the design in their order, the same bytes for the same state."""

import json
import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Alert
from reports.render.alerts_json import generated_at, render
from tests.reports.sample_state import HOSTILE, alert, good_week, quarantined, receipt

FIELDS = [
    "id",
    "severity",
    "kind",
    "layer",
    "metric",
    "subject",
    "day",
    "state",
    "first_seen",
    "opened_at",
    "resolved_at",
    "value",
    "baseline_median",
    "baseline_mad",
    "scale",
    "robust_z",
    "absolute_change",
    "relative_change",
    "count",
    "message",
    "evidence",
    "caused_by",
    "explains",
]


def test_the_file_is_as_others_read_it(golden):
    receipts, alerts = quarantined()
    golden.check("alerts.json", render(alerts, generated_at(receipts, alerts)))


def test_without_an_alert_the_list_is_empty(golden):
    golden.check("alerts_empty.json", render([], None))


def test_every_alert_has_exactly_the_promised_fields_in_their_order():
    file = json.loads(render([alert("a1")], None))
    assert list(file) == ["schema_version", "generated_at", "alerts"]
    assert list(file["alerts"][0]) == FIELDS


def test_any_order_of_alerts_gives_the_same_bytes():
    alerts = [alert(f"a{n}", opened_at=f"2025-02-2{n % 3}T00:00:00.000Z") for n in range(8)]
    expected = render(alerts, None)
    opened = [(a["opened_at"], a["id"]) for a in json.loads(expected)["alerts"]]
    assert opened == sorted(opened)
    for seed in range(5):
        random.Random(seed).shuffle(alerts)
        assert render(alerts, None) == expected


def test_the_order_of_evidence_changes_no_byte():
    one, other = alert("a", evidence={"b": 1, "a": 2}), alert("a", evidence={"a": 2, "b": 1})
    assert render([one], None) == render([other], None)


def test_generated_at_is_the_newest_time_that_the_data_knows():
    assert generated_at([], []) is None
    assert generated_at(good_week(), []) == "2025-02-24T23:59:59.000Z"
    silence = alert("s", opened_at="2025-02-25T00:40:00.000Z")
    assert generated_at(good_week(), [silence]) == "2025-02-25T00:40:00.000Z"


def test_a_time_that_is_none_does_not_count():
    assert generated_at([receipt("2025-02-24", watermark="soon", closed_at=None)], []) is None


@given(st.text(), st.text())
def test_any_text_comes_back_as_it_was(message, subject):
    data = render([alert("a", message=message, subject=subject, evidence={message: [subject]})], None)
    (back,) = json.loads(data)["alerts"]
    sent = [text.encode("utf-8", "replace").decode() for text in (message, subject)]
    assert [back["message"], back["subject"]] == sent
    assert back["evidence"] == {sent[0]: [sent[1]]}


def test_half_a_surrogate_pair_does_not_stop_the_file():
    assert (
        json.loads(render([alert("a", message="\ud800", evidence={"x": ["\udfff", 1]})], None))["alerts"][0][
            "message"
        ]
        == "?"
    )


@given(st.text())
def test_a_terminal_that_shows_the_file_shows_text_only(message):
    text = render([alert("a", message=message + HOSTILE)], None).decode()
    assert all(line.isprintable() for line in text.split("\n"))


def test_the_alerts_can_be_read_back_as_they_were():
    alerts = quarantined()[1]
    read = msgspec.convert(json.loads(render(alerts, None))["alerts"], list[Alert])
    assert sorted(read, key=lambda a: a.id) == alerts
