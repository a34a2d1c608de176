"""`sluice gate status` without a broker: what it says of a day."""

from consumer.cli.gate import _why
from detectors.verdict import Check
from tests.reports.sample_state import receipt


def test_every_reason_names_its_kind():
    checks = [
        Check("transaction_replay", "pass", "none"),
        Check("identity_coverage", "at_risk", "an alert: client_id"),
        Check(
            "transaction_collision",
            "quarantined",
            "2 purchases share a transaction id with another, none counted",
        ),
    ]
    assert _why(receipt("2025-02-26", checks=checks)) == (
        "identity_coverage (an alert: client_id); transaction_collision (2 purchases share a transaction id with "
        "another, none counted)"
    )
