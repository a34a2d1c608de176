"""The published schemas: what we write fits them, what they forbid is found, and no field is missing from them."""

import csv
import io
import json
from importlib.resources import files

import jsonschema
import pytest

from consumer.core.days import Counts, Metrics, Receipt
from consumer.core.wire import to_json
from detectors.alerts import Alert, Severity
from detectors.verdict import Normal
from reports.deliver import render_files
from reports.render import days_ndjson
from reports.render.daily_metrics_csv import HEADER
from tests.reports.sample_state import alert, good_week, quarantined, receipt

NAMES = ("alerts.v1", "daily_metrics.v1", "day.v1")


def schema(name):
    return json.loads(files("reports.schemas").joinpath(f"{name}.schema.json").read_text(encoding="utf-8"))


def validator(name):
    return jsonschema.Draft202012Validator(schema(name))


def written():
    """A state with everything in it: open, closed, bad and amended days, alerts in every state of their life."""
    receipts, alerts = quarantined()
    receipts.append(receipt("2025-02-27", status="open", revision=0, closed_at=None, history=[]))
    receipts.append(receipt("2025-02-28", sessions=None, revenue=None, identity_missing_rate=None))
    history = {
        "history": [
            {"at": "2025-02-26T11:00:00.000Z", "state": "acknowledged", "by": "ann", "reason": "known"}
        ]
    }
    alerts.append(alert("f6", state="acknowledged", evidence=history, value="12.50", robust_z=-4.5))
    return receipts, alerts


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"urn:sluice:schema:{name.replace('.v', ':')}"


@pytest.mark.parametrize("state", [([], []), (good_week(), []), written()])
def test_what_is_written_fits_its_schema(state):
    made = render_files(*state)
    validator("alerts.v1").validate(json.loads(made["alerts.json"]))
    for row in csv.DictReader(io.StringIO(made["daily_metrics.csv"].decode())):
        validator("daily_metrics.v1").validate(row)
    for line in days_ndjson.render(state[0]).splitlines():
        validator("day.v1").validate(json.loads(line))


def test_no_field_is_missing_from_its_schema():
    told = schema("alerts.v1")["$defs"]["alert"]
    assert list(told["properties"]) == told["required"] == list(Alert.__struct_fields__)
    assert (
        tuple(schema("daily_metrics.v1")["properties"])
        == HEADER
        == tuple(schema("daily_metrics.v1")["required"])
    )
    day = schema("day.v1")["properties"]
    assert set(day) == set(Receipt.__struct_fields__)
    assert set(day["metrics"]["properties"]) == set(Metrics.__struct_fields__)
    assert set(day["counts"]["required"]) == set(Counts.__struct_fields__)
    assert set(day["normal"]["additionalProperties"]["required"]) == set(Normal.__struct_fields__)
    assert told["properties"]["severity"]["enum"] == [severity.value for severity in Severity]


GOOD_ROW = dict(
    zip(
        HEADER,
        [
            "2025-02-24",
            "1070",
            "25",
            "21000.50",
            "0.020600",
            "0.460000",
            "pass",
            "100.00",
            "4070",
            "0",
            "0",
            "0",
            "0.002948",
            "1",
        ],
        strict=True,
    )
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"day": "24.2.2025"},
        {"sessions": "-1"},
        {"revenue": "21000.5"},
        {"revenue": "=1+1"},
        {"conversion_rate": "2.06 %"},
        {"status": "fine"},
        {"score": "100.01"},
        {"status": "open"},
        {"revision": "0"},
        {"events": ""},
    ],
)
def test_a_row_that_is_not_as_it_must_be_is_found(wrong):
    validator("daily_metrics.v1").validate(GOOD_ROW)
    assert not validator("daily_metrics.v1").is_valid(GOOD_ROW | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"severity": "P3"},
        {"state": "resolved"},
        {"state": "inhibited"},
        {"resolved_at": "2025-02-26T11:00:00.000Z"},
        {"first_seen": "2025-02-26 11:00"},
        {"day": "yesterday"},
        {"count": "two"},
        {"evidence": {"history": ["text"]}},
        {"explains": "b2"},
    ],
)
def test_an_alert_that_is_not_as_it_must_be_is_found(wrong):
    good = json.loads(to_json(alert("a1")))
    whole = {"schema_version": 1, "generated_at": None, "alerts": [good]}
    validator("alerts.v1").validate(whole)
    assert not validator("alerts.v1").is_valid(whole | {"alerts": [good | wrong]})


def test_a_field_that_a_later_version_adds_is_no_error():
    good = json.loads(to_json(alert("a1"))) | {"runbook": "https://wiki.example"}
    validator("alerts.v1").validate({"schema_version": 1, "generated_at": None, "alerts": [good], "new": 1})
    validator("daily_metrics.v1").validate(GOOD_ROW | {"new": ""})


def test_an_amended_day_is_seen_by_its_revision():
    before, after = (render_files([receipt("2025-02-24", revision=n, late=n - 1)], []) for n in (1, 2))
    rows = [next(csv.DictReader(io.StringIO(made["daily_metrics.csv"].decode()))) for made in (before, after)]
    assert [(row["revision"], row["late"]) for row in rows] == [("1", "0"), ("2", "1")]
