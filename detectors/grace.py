"""How long a cause that is over still explains: until its symptom would have ended with it, as surely as can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detectors.causes import is_by_purchase

if TYPE_CHECKING:
    from detectors.alerts import Alert
    from detectors.causes import Fields


class Grace(NamedTuple):
    """So many minutes after its cause ended a symptom that still stands stands by itself; `evidenced`: only if there is
    evidence of it from after that."""

    minutes: int
    evidenced: bool = False


SOON = Grace(30)

SHARE = Grace(180)
"""That a share of events is back at its level is sure after one to three hours."""

PURCHASE_SILENCE = Grace(240)
"""The next purchase ends it, and small shops have one an hour."""

DAY = Grace(26 * 60, evidenced=True)
"""A day's metric is touched by the cause until the day closes, and is not judged again before the next one; what is
counted by the purchase needs a day, too, where there are twenty of them."""

_SHARES = frozenset({"field_coverage", "identity_coverage", "schema_type_changed", "bot_traffic"})
_DAYS = frozenset(
    {
        "sessions_anomaly",
        "purchases_anomaly",
        "revenue_anomaly",
        "conversion_shift",
        "direct_share_shift",
        "purchase_value_shift",
        "volume_drop",
        "volume_spike",
    }
)


def grace(symptom: Alert, fields: Fields) -> Grace:
    """The grace of a symptom."""
    if symptom.kind in _DAYS or is_by_purchase(symptom, fields):
        return DAY
    if symptom.kind in _SHARES:
        return SHARE
    return PURCHASE_SILENCE if symptom.kind == "purchase_silence" else SOON
