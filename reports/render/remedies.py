"""What a person can do about each kind of alert: one or two sentences, commands in `backticks`, no other markup. LETTERS
and ID stand for the command that shows the dead letters, and the alert's id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from detectors.alerts import LIVE
from reports.render.source import Source

if TYPE_CHECKING:
    from detectors.alerts import Alert

_ID = re.compile(r"[0-9a-f]{8,}", re.ASCII)
_SHORT = 8

_FIELD = "Have the site send the field again, or change the contract if it is gone for good."

REMEDIES: dict[str, str] = {
    "schema_field_renamed": "If the new name is meant to stay, make it an alias in the contract; if not, have the "
    "site send the old name.",
    "schema_field_missing": _FIELD,
    "schema_type_changed": "Have the site send the old type again, or allow the new one in the contract.",
    "schema_unknown_event": "Add the event name to the contract if it is meant, or correct it on the site.",
    "field_coverage": "Ask what changed at that time: the site's tracking, or where its visitors come from.",
    "identity_coverage": "Ask who changed the consent banner or the client id: these events count for no session.",
    "purchase_invalid": "Look at the rejected purchases (LETTERS), and ask why the checkout reports them.",
    "transaction_collision": "Find out in the shop's own orders which purchase is the true one. None of them is "
    "counted: add the true one by hand wherever you need it.",
    "transaction_replay": "No number is wrong: replays are counted once. Ask why the site sends purchases again.",
    "duplicate_events": "Ask why events are sent twice: a tag fires twice, or a producer retries without "
    "idempotence. Only purchases are counted once.",
    "unparseable_events": "Look at the rejected records (LETTERS), and at whatever writes them.",
    "timestamp_errors": "Look at the clock and the time format of whatever sends these events.",
    "input_not_keyed": "Let the producer use the client id as the record's key, or start anew with [input] keyed = false: sessions are miscounted until then.",
    "volume_silence": "See whether the site is up, its tag loads and the producers write to the input topic.",
    "purchase_silence": "Buy something on the site: see whether the checkout works and reports its purchase.",
    "volume_drop": "See whether a page, a country or a device type stopped sending events.",
    "volume_spike": "See where the traffic comes from: a campaign, robots, or a tag that fires too often.",
    "sessions_anomaly": "See which traffic source changed, and whether the tag was touched.",
    "purchases_anomaly": "See whether the checkout works on every device and in every country.",
    "revenue_anomaly": "Compare with the shop's own orders: prices, currency, one very large order.",
    "conversion_shift": "See whether the traffic changed (campaigns, robots) or the checkout did.",
    "direct_share_shift": "See whether campaign parameters or referrers got lost: redirects, consent, new links.",
    "purchase_value_shift": "Compare with the shop's own orders: prices, currency, discounts.",
    "bot_traffic": "Block the robots before the site, or live with more sessions and a lower conversion.",
}

OTHERWISE = "Find the cause in the evidence in `alerts.json`."

ORDERS: dict[str, str] = {
    "field_coverage": 'If it is meant to stay: `sluice alerts accept ID --reason "…"`.',
    "transaction_collision": "Then release each day that has one of them.",
}
"""What may be ordered besides, where somebody takes orders."""

_KNOWN_ALIAS = (
    "Nothing is lost: the contract knows the new name. Make sure that the change was meant, also for others who read "
    "these events."
)

_BACK = "It is as before again. Ask what was changed on the site at that time, so that it does not come back."

AFTERWARDS: dict[str, str] = {
    "schema_field_renamed": _BACK,
    "schema_field_missing": _BACK,
    "schema_type_changed": _BACK,
    "schema_unknown_event": _BACK,
    "field_coverage": _BACK,
    "identity_coverage": _BACK,
    "direct_share_shift": "It is as before again. Ask what happened to campaign parameters and referrers at that time.",
    "conversion_shift": "It is as before again. Ask what the traffic and the checkout were like at that time.",
    "volume_silence": "Find out what was down. What was not sent at that time is missing in the day's numbers.",
    "volume_drop": "Find out what was down. What was not sent at that time is missing in the day's numbers.",
    "purchase_silence": "Ask what was wrong with the checkout, and compare the day's purchases with the shop's own "
    "orders: some may be missing.",
}
"""What to do about an incident that is over, where that is something else."""


def remedy(kind: str, source: Source = Source.KAFKA) -> str:
    """What to do about this kind of alert; a general sentence for a kind that is not known here."""
    letters = f" ({source.dead_letters})" if source.dead_letters else ""
    told = REMEDIES.get(kind, OTHERWISE).replace(" (LETTERS)", letters)
    order = ORDERS.get(kind, "") if source.takes_orders and " ID " not in ORDERS.get(kind, "") else ""
    return f"{told} {order}".rstrip()


def costs_nothing(alert: Alert) -> bool:
    """Whether a field merely comes under another name that the contract knows."""
    evidence = alert.evidence or {}
    return (
        alert.kind == "schema_field_renamed" and bool(evidence.get("renamed_to")) and not evidence.get("fix")
    )


def remedy_of(alert: Alert, source: Source = Source.KAFKA) -> str:
    """The same about this alert: with its own id in the commands, as short as an operator may write it; and otherwise
    where it is over, or the contract knows already what came instead."""
    if alert.state == "resolved" and alert.kind in AFTERWARDS:
        return AFTERWARDS[alert.kind]
    if costs_nothing(alert):
        return _KNOWN_ALIAS
    order = ORDERS.get(alert.kind, "")
    if " ID " in order and source.takes_orders and alert.state in LIVE and _ID.fullmatch(alert.id):
        return f"{remedy(alert.kind, source)} {order.replace(' ID ', f' {alert.id[:_SHORT]} ')}"
    return remedy(alert.kind, source)
