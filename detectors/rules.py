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


RULES: tuple[Rule, ...] = (
    Rule(purchases.COLLISION, "gate", Severity.P0_BLOCKER, "one transaction id came with different payloads"),
    Rule(
        purchases.INVALID,
        "gate",
        Severity.P2_NOTE,
        "a purchase has no id, no items, or revenue that is not above 0",
    ),
)

KINDS: tuple[str, ...] = tuple(rule.kind for rule in RULES)
