"""What a person can do about each kind of alert: one or two sentences, commands in `backticks`, no other markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
    "field_coverage": "Ask what changed at that time: the site's tracking, or where its visitors come from. If it is "
    'meant to stay: `sluice alerts accept ID --reason "…"`.',
    "identity_coverage": "Ask who changed the consent banner or the client id: these events count for no session.",
    "purchase_invalid": "Look at the rejected purchases in the dead-letter topic, and ask why the checkout reports them.",
    "transaction_collision": "Compare the purchases of this transaction id with the shop's own orders. None of "
    "them is counted: release the day if its revenue is right without them, else book them by hand.",
    "transaction_replay": "No number is wrong: replays are counted once. Ask why the site sends purchases again.",
    "duplicate_events": "Ask why events are sent twice: a tag fires twice, or a producer retries without "
    "idempotence. Only purchases are counted once.",
    "unparseable_events": "Look at the rejected events in the dead-letter topic, and at whatever writes them.",
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


def remedy(kind: str) -> str:
    """What to do about this kind of alert; a general sentence for a kind that is not known here."""
    return REMEDIES.get(kind, OTHERWISE)


def remedy_of(alert: Alert) -> str:
    """The same, with the alert's own id in the commands, as short as an operator may write it."""
    told = remedy(alert.kind)
    return told.replace(" ID ", f" {alert.id[:_SHORT]} ") if _ID.fullmatch(alert.id) else told
