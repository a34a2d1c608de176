"""An alert as a value: an id that stays, the fields that others read, the states in which an incident is not over."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import LIVE, Alert, Severity, State, identity

OURS = st.text(st.characters(exclude_characters="\x1f"), max_size=9)


def test_an_id_never_changes_since_it_is_the_key_of_a_topic_that_outlives_us():
    assert identity("transaction_collision", "ORD-1", "") == "b544dadb79eec011c402"
    assert identity("purchase_invalid", "", "2025-02-23") == "0b4ea340766643d6eadf"


@given(st.lists(st.tuples(OURS, st.text(), OURS), min_size=2, max_size=2, unique=True))
def test_another_kind_subject_or_beginning_is_another_incident(two):
    one, other = two
    assert identity(*one) != identity(*other)


@pytest.mark.parametrize("subject", ["", "\ud800", "\0", "é" * 100_000])
def test_any_text_as_subject_has_an_id_of_twenty_characters(subject):
    assert len(identity("kind", subject, "")) == 20


def test_an_incident_is_over_only_when_it_is_resolved_or_expired():
    assert set(State.__args__) - LIVE == {"resolved", "expired"}
    assert set(State.__args__) > LIVE


def test_severities_are_those_of_the_files():
    assert list(Severity) == ["P0_BLOCKER", "P1_HIGH", "P2_NOTE"]


def test_the_fields_are_those_of_the_file_in_its_order():
    assert Alert.__struct_fields__ == (
        "id", "severity", "kind", "layer", "metric", "subject", "day", "state", "first_seen", "opened_at", "resolved_at",
        "value", "baseline_median", "baseline_mad", "scale", "robust_z", "absolute_change", "relative_change", "count",
        "message", "evidence", "caused_by", "explains",
    )  # fmt: skip


def test_an_alert_comes_back_as_it_was_written_and_what_it_does_not_have_is_null():
    alert = Alert(
        "id", Severity.P1_HIGH, "kind", "gate", None, "é\0", None, "open", "a", "b", evidence={"n": [1, None]}
    )
    written = msgspec.json.encode(alert)
    assert msgspec.json.decode(written, type=Alert) == alert
    told = msgspec.json.decode(written)
    assert tuple(told) == Alert.__struct_fields__
    assert [name for name, value in told.items() if value is None] == [
        "metric", "day", "resolved_at", "value", "baseline_median", "baseline_mad", "scale", "robust_z",
        "absolute_change", "relative_change", "count", "caused_by", "explains",
    ]  # fmt: skip
