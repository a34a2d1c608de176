"""Receipts and alerts to render: made here, so that a test says only what matters to it."""

from __future__ import annotations

from typing import Any

import msgspec

from consumer.core.days import Counts, HistoryEntry, Hours, Metrics, Receipt
from detectors.alerts import Alert, Severity
from detectors.verdict import Check, Normal

COUNTS = Counts(
    events=4070,
    rejected=0,
    purchase_invalid=0,
    replays=0,
    collisions=0,
    late=0,
    identity_missing=12,
    direct_sessions=400,
)

HOSTILE = (
    "<script>alert(1)</script> | a `b` **c** [x](http://evil.example/) ![i](https://evil.example/i.png)\n"
    "# heading\r\n| --- |\t@channel <!channel> \x1b[31m \u202eabc\u200b \x00 www.evil.example #12 $x$ =cmd()"
)


EVENTS_BY_HOUR = [*range(60, 180, 10), 160, *range(280, 170, -10)]
HOURS = Hours(EVENTS_BY_HOUR, [n // 4 for n in EVENTS_BY_HOUR], [1] * 21 + [0] * 3)
NAMES = {"page_viewed": 3800, "product_added_to_cart": 190, "checkout_started": 58, "checkout_completed": 22}
COVERAGE = {
    "client_id": "0.997052",
    "page_url": "1.000000",
    "referrer": "0.262000",
    "timestamp": "1.000000",
    "event_data.revenue": "1.000000",
}
NORMAL = {
    "sessions": Normal(1010.0, 60.0, -0.17, 7),
    "purchases": Normal(22.0, 5.0, -0.2, 7),
    "revenue": Normal(19500.5, 4000.0, 0.23, 7),
    "conversion_rate": Normal(0.0203, 0.004, 0.18, 7),
    "direct_share": Normal(0.43, 0.02, -1.5, 7),
    "purchase_value": Normal(890.0, 120.0, 0.1, 7),
}
"""What was normal, on days that have enough before them."""


def receipt(day: str, **fields: Any) -> Receipt:
    """A closed, good day; `fields` replace those of the receipt, of its metrics or of its counts."""
    metrics = Metrics(1000, 21, "20408", "0.021000", "0.400000")
    good = Receipt(
        day=day,
        revision=1,
        status="pass",
        verdict="pass",
        metrics=_replaced(metrics, fields),
        counts=_replaced(COUNTS, fields),
        score="100.00",
        identity_missing_rate="0.002948",
        rejects={},
        checks=[Check("transaction_collision", "pass", "no transaction id came with two payloads")],
        contract="shop 1.2.0",
        time_zone="UTC",
        watermark=f"{day}T23:59:59.000Z",
        closed_at=f"{day}T23:59:59.000Z",
        history=[HistoryEntry(1, "pass", f"{day}T23:59:59.000Z")],
        begins=f"{day}T00:00:00.000Z",
        hours=HOURS,
        names=NAMES,
        coverage=COVERAGE,
    )
    return _replaced(good, fields)


def alert(name: str, **fields: Any) -> Alert:
    """An open collision of 26 February; `fields` replace its own."""
    known = Alert(
        id=name,
        severity=Severity.P0_BLOCKER,
        kind="transaction_collision",
        layer="gate",
        metric="purchases",
        subject="ORD-1042",
        day="2025-02-26",
        state="open",
        first_seen="2025-02-26T09:13:20.123Z",
        opened_at="2025-02-26T10:41:07.000Z",
        count=2,
        message="Transaction id ORD-1042 came 2 times with different contents (2025-02-26).",
        evidence={"reason": "two payloads"},
    )
    return msgspec.structs.replace(known, **fields)


def good_week() -> list[Receipt]:
    """Seven closed days from 18 to 24 February 2025, each a little different."""
    return [
        receipt(
            f"2025-02-{18 + n}",
            sessions=950 + 20 * n,
            purchases=19 + n,
            revenue=f"{18000 + 500 * n}.5",
            conversion_rate=f"0.0{200 + n}00",
            direct_share=f"0.4{n}0000",
            normal=NORMAL if n >= 3 else {},
        )
        for n in range(7)
    ]


def quarantined() -> tuple[list[Receipt], list[Alert]]:
    """A collision and a renamed field on 26 February after a good week and a day without events."""
    bad = receipt(
        "2025-02-26",
        sessions=310,
        purchases=13,
        revenue="13906",
        conversion_rate="0.041935",
        direct_share=None,
        status="quarantined",
        verdict="quarantined",
        score="99.58",
        events=4070,
        rejected=17,
        purchase_invalid=1,
        collisions=2,
        rejects={"timestamp_invalid": 9, "not_json": 7, "purchase_revenue": 1},
        checks=[
            Check(
                "transaction_collision",
                "quarantined",
                "2 purchases share a transaction id with another, none counted",
                2,
            ),
            Check("schema_field_renamed", "at_risk", "client_id was renamed to clientId"),
            Check("transaction_replay", "note", "3 repeated with the same payload, counted once", 3),
        ],
        not_measurable={"direct_share": "the field referrer is missing since 08:00"},
        normal={metric: normal for metric, normal in NORMAL.items() if metric != "direct_share"},
        claimed={"purchase_revenue": "0.01", "transaction_collision": "2310.5"},
        coverage={**COVERAGE, "referrer": "0.081000"},
        revision=3,
        history=[
            HistoryEntry(1, "at_risk", "2025-02-27T01:00:00.000Z"),
            HistoryEntry(3, "quarantined", "2025-02-27T09:30:00.000Z", "late events"),
        ],
    )
    alerts = [
        alert("a1"),
        alert(
            "b2",
            severity=Severity.P1_HIGH,
            kind="schema_field_missing",
            metric=None,
            subject="referrer",
            message="The field referrer is absent since 08:00; 1,204 events came without it.",
            first_seen="2025-02-26T08:00:12.000Z",
            opened_at="2025-02-26T08:04:00.000Z",
            explains=["c3"],
        ),
        alert(
            "c3",
            severity=Severity.P1_HIGH,
            kind="direct_share_shift",
            layer="watch",
            metric="direct_share",
            subject=None,
            state="inhibited",
            caused_by="b2",
            opened_at="2025-02-26T09:00:00.000Z",
        ),
        alert(
            "d4", severity=Severity.P2_NOTE, kind="transaction_replay", opened_at="2025-02-26T11:00:00.000Z"
        ),
        alert(
            "e5",
            severity=Severity.P1_HIGH,
            kind="purchase_silence",
            layer="watch",
            state="resolved",
            resolved_at="2025-02-26T15:00:00.000Z",
            opened_at="2025-02-26T14:00:00.000Z",
        ),
    ]
    return [*good_week(), bad], alerts


def hostile() -> tuple[list[Receipt], list[Alert]]:
    """A day on which every text that can come from outside is an attack."""
    long = "A" * 100_000
    day = receipt(
        "2025-02-26",
        status="at_risk",
        verdict="at_risk",
        events=100,
        rejected=3,
        score="97.00",
        direct_share=None,
        rejects={HOSTILE: 2, long: 1},
        checks=[Check(HOSTILE, "at_risk", HOSTILE, 2), Check("field_coverage", "at_risk", long)],
        not_measurable={"direct_share": HOSTILE, HOSTILE: HOSTILE},
        names={HOSTILE: 50, long: 40, "page_viewed": 10},
        coverage={HOSTILE: HOSTILE, long: "0.5", "referrer": "NaN"},
        claimed={HOSTILE: HOSTILE, long: "12.5"},
        begins=HOSTILE,
        ends=long,
        contract=HOSTILE,
        time_zone=HOSTILE,
        history=[
            HistoryEntry(1, "quarantined", HOSTILE, HOSTILE, HOSTILE),
            HistoryEntry(2, "released", "2025-02-27T01:00:00.000Z", HOSTILE, HOSTILE),
        ],
    )
    alerts = [
        alert(
            "a1",
            kind=HOSTILE,
            subject=HOSTILE,
            message=HOSTILE,
            first_seen=HOSTILE,
            evidence={
                HOSTILE: [HOSTILE],
                "days": ["2025-02-26"],
                "renamed_to": HOSTILE,
                "history": [HOSTILE],
            },
        ),
        alert("b2", subject=long, message=long, caused_by="a1"),
    ]
    return [day], alerts


def _replaced(struct: Any, fields: dict[str, Any]) -> Any:
    own = {name: fields[name] for name in struct.__struct_fields__ if name in fields}
    return msgspec.structs.replace(struct, **own)
