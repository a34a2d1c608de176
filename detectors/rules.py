"""The register: every kind of alert, its layer, its default severity, and what it means in a line."""

from __future__ import annotations

from typing import NamedTuple

from detectors import purchases
from detectors.alerts import Layer, Severity


class Rule(NamedTuple):
    """One kind of alert."""

    kind: str
    layer: Layer
    severity: Severity
    meaning: str


_P0, _P1, _P2 = Severity.P0_BLOCKER, Severity.P1_HIGH, Severity.P2_NOTE

RULES: tuple[Rule, ...] = (
    Rule(
        "schema_field_renamed",
        "gate",
        _P1,
        "a field goes and another name comes with values of the same kind",
    ),
    Rule("schema_field_missing", "gate", _P1, "events that used to carry a field lack its key"),
    Rule("schema_type_changed", "gate", _P1, "a field's values have another type"),
    Rule(
        "schema_unknown_event",
        "gate",
        _P1,
        "an event name that the contract does not know, three times a day; P0 if it replaces that of purchases",
    ),
    Rule("field_coverage", "gate", _P1, "the share of events, purchases or items without a field moved"),
    Rule("identity_coverage", "gate", _P1, "the share of events without identity moved; P0 over half"),
    Rule(
        purchases.INVALID,
        "gate",
        _P2,
        "a purchase has no id, no items, or revenue not above 0; P1 in numbers",
    ),
    Rule(purchases.COLLISION, "gate", _P0, "one transaction id came with different payloads"),
    Rule(purchases.REPLAY, "gate", _P2, "a purchase came again with the same payload; P1 in numbers"),
    Rule("duplicate_events", "gate", _P2, "events come again, or long after their time; P1 in numbers"),
    Rule("unparseable_events", "gate", _P2, "records that are no JSON object; P1 above 1 % and chance"),
    Rule(
        "timestamp_errors", "gate", _P2, "timestamps that are invalid or far ahead; P1 above 1 % and chance"
    ),
    Rule("input_not_keyed", "gate", _P1, "one client comes in several partitions"),
    Rule("volume_silence", "watch", _P0, "improbably long without any event for these hours"),
    Rule("purchase_silence", "watch", _P1, "improbably long without any purchase for these hours"),
    Rule("volume_drop", "watch", _P1, "fewer events so far, or of late, than prior days had; P0 if extreme"),
    Rule("volume_spike", "watch", _P1, "more events so far, or of late, than prior days had; P0 if extreme"),
    Rule("sessions_anomaly", "watch", _P1, "sessions are off, today so far or at its end; P0 if extreme"),
    Rule("purchases_anomaly", "watch", _P1, "purchases are off, today so far or at its end; P0 if extreme"),
    Rule("revenue_anomaly", "watch", _P1, "revenue is off, today so far or at its end; P0 if extreme"),
    Rule("conversion_shift", "watch", _P1, "the share of sessions that buy moved"),
    Rule("direct_share_shift", "watch", _P1, "the share of direct sessions moved"),
    Rule("purchase_value_shift", "watch", _P1, "the mean order value moved"),
    Rule("bot_traffic", "watch", _P2, "a flood of robots; P1 in numbers"),
)

KINDS: tuple[str, ...] = tuple(rule.kind for rule in RULES)


def rules_markdown() -> str:
    """Every kind as a row of a Markdown table."""
    rows = [f"| `{r.kind}` | {r.layer} | `{r.severity.value}` | {r.meaning} |" for r in RULES]
    return "\n".join(["| kind | layer | severity | fires when |", "| --- | --- | --- | --- |", *rows])
