"""The register knows every kind of alert once, and none that the closed set does not have."""

from detectors.alerts import Severity
from detectors.purchases import COLLISION, INVALID
from detectors.rules import KINDS, RULES

GATE = {
    *("schema_field_renamed", "schema_field_missing", "schema_type_changed", "schema_unknown_event"),
    *(
        "field_coverage",
        "identity_coverage",
        "purchase_invalid",
        "transaction_collision",
        "transaction_replay",
    ),
    *("duplicate_events", "unparseable_events", "timestamp_errors", "input_not_keyed"),
}
WATCH = {
    *(
        "volume_silence",
        "purchase_silence",
        "volume_drop",
        "volume_spike",
        "sessions_anomaly",
        "purchases_anomaly",
    ),
    *("revenue_anomaly", "conversion_shift", "direct_share_shift", "purchase_value_shift", "bot_traffic"),
}


def test_every_kind_is_of_the_closed_set_and_of_its_layer():
    assert {rule.kind for rule in RULES if rule.layer == "gate"} == GATE
    assert {rule.kind for rule in RULES if rule.layer == "watch"} == WATCH
    assert {rule.layer for rule in RULES} <= {"gate", "watch"}


def test_no_kind_is_registered_twice():
    assert len(set(KINDS)) == len(KINDS) == len(RULES)


def test_every_kind_says_in_a_line_what_it_means():
    for rule in RULES:
        assert rule.meaning
        assert "\n" not in rule.meaning


def test_a_collision_pages_and_an_invalid_purchase_is_a_note():
    severities = {rule.kind: rule.severity for rule in RULES}
    assert severities[COLLISION] == Severity.P0_BLOCKER
    assert severities[INVALID] == Severity.P2_NOTE
