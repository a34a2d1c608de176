"""The contract that tests give to the gate: the same rules that `tests/oracle.py` has in its own words."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from consumer.core.contract import Contract, Field, JsonType, Role
from consumer.core.zone import DayZone
from consumer.tasks.gate_state import GateOptions
from consumer.tasks.judge_state import JudgeOptions
from consumer.tasks.watch_state import WatchOptions
from tests.oracle import CAMPAIGN_PARAMETERS, CAMPAIGN_PREFIX
from tests.strategies import OWN_DOMAINS


def _field(name: str, role: Role | None, *types: JsonType, aliases: tuple[str, ...] = ()) -> Field:
    return Field(name, frozenset(types or ("string",)), aliases, role=role)


CONTRACT = Contract(
    "shop",
    "1.0.0",
    (
        _field("client_id", Role.IDENTITY, aliases=("clientId",)),
        _field("timestamp", Role.TIMESTAMP),
        _field("event_name", Role.EVENT_NAME),
        _field("page_url", Role.PAGE_URL),
        _field("referrer", Role.REFERRER),
        _field("event_data", Role.EVENT_DATA, "string", "object"),
        _field("user_agent", None),
    ),
    frozenset({"page_viewed", "product_added_to_cart", "checkout_completed"}),
    "checkout_completed",
    own_domains=frozenset(OWN_DOMAINS),
    campaign_parameters=(*sorted(CAMPAIGN_PARAMETERS), f"{CAMPAIGN_PREFIX}*"),
)


def zone(name: str = "UTC") -> DayZone:
    """The days of a time zone."""
    return DayZone(ZoneInfo(name), name)


def gate_options(zone_name: str = "UTC", valid_topic: str = "") -> GateOptions:
    """A gate for this contract."""
    return GateOptions(CONTRACT, zone(zone_name), valid_topic=valid_topic)


def watch_options(zone_name: str = "UTC") -> WatchOptions:
    """A watch with its defaults."""
    return WatchOptions(zone(zone_name), JudgeOptions(zone(zone_name), CONTRACT))
