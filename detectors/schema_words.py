"""What the rules about fields and records say to a person. Names out of events are cut and made printable."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from detectors.sentences import cut, percent, when

if TYPE_CHECKING:
    from detectors.schema_jump import Jump

_SCOPES = {"event": "events", "purchase": "purchases", "item": "purchase items"}


def amount(jump: Jump, what: str) -> str:
    """How much, since when, against what is normal.

    >>> from detectors.schema_jump import Jump
    >>> amount(Jump(29004480, 12, 12, 0.0001), "events")
    '12 of 12 events (100 %) since 2025-02-23 00:00 UTC, where almost none is normal'
    """
    usual = "almost none" if jump.normal < 0.001 else f"at most {percent(jump.normal)}"  # noqa: PLR2004 - 1 in 1,000
    return f"{jump.hits:,} of {jump.trials:,} {what} ({percent(jump.share)}) since {when(jump.since)}, where {usual} is normal"


def of_missing(path: str, scope: str, role: str | None, jump: Jump) -> str:
    """A field that no longer comes."""
    letters = ""
    if role in ("timestamp", "event_name"):
        letters = " Such events are dead letters: look into them, the field may have another name there."
    return (
        f"The field {cut(path)} is gone from {amount(jump, _SCOPES[scope])}. The site's tracking was probably changed and "
        f"no longer sends it.{letters} Look what was released then, and have the field sent again."
    )


def of_never(path: str, scope: str, jump: Jump) -> str:
    """A required field that never came."""
    return (
        f"The required field {cut(path)} came in none of the first {jump.trials:,} {_SCOPES[scope]}, since "
        f"{when(jump.since)}. It is probably sent under another name, or not at all: add that name to the field's aliases "
        "in the contract file, or have the field sent."
    )


def of_renamed(path: str, key: str, scope: str, jump: Jump) -> str:
    """A field that comes under a name that the contract does not know."""
    return (
        f"The field {cut(path)} was renamed to {cut(key)}: it is gone from {amount(jump, _SCOPES[scope])}, and {cut(key)} "
        f"came in its place with the same kind of values. To accept it, add this to the field {cut(path)} in the contract "
        f"file: {fix(key)}"
    )


_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z_][\w-]*", re.IGNORECASE | re.ASCII)
"""What YAML reads as a text without quotes."""


def fix(key: str) -> str:
    """The line for the contract file.

    >>> fix("event_data.orderId")
    'aliases: [orderId]'
    >>> fix("order: id, old")
    'aliases: ["order: id, old"]'
    """
    name = cut(key.rpartition(".")[2])
    return f"aliases: [{name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)}]"


def of_alias(path: str, alias: str, scope: str, jump: Jump) -> str:
    """A field that comes under an alias instead of its name."""
    return (
        f"The field {cut(path)} was renamed to {cut(alias)} in {amount(jump, _SCOPES[scope])}. The contract accepts that "
        "name as an alias, so the numbers stay right. Make sure that the change was meant, also for others who read these "
        "events."
    )


def of_retyped(path: str, scope: str, jump: Jump) -> str:
    """A field whose values have another type."""
    return (
        f"The field {cut(path)} has values of another type in {amount(jump, _SCOPES[scope])}. Such values cannot be used "
        "and count as missing. The site's tracking was probably changed (a number sent as text, for example): have it send "
        "the type of the contract."
    )


def of_field_back(path: str, minute: int, jump: Jump) -> str:
    """What was wrong with a field is over."""
    return f"The field {cut(path)} is as it was again, seen at {when(minute)}; {jump.hits:,} were affected since {when(jump.since)}."


def of_unknown_event(name: str, count: int, since: int) -> str:
    """An event name that the contract does not have."""
    return (
        f"The event {cut(name)} is not in the contract and came {count:,} times since {when(since)}; none is normal. It is "
        "new, or misspelt: add it to the contract's event names, or have the site send the old name."
    )


def of_unknown_events(names: int, since: int) -> str:
    """So many unknown names that they are told as one."""
    return (
        f"{names:,} further event names that are not in the contract came since {when(since)}, beside those told one by one. "
        "Names that differ from event to event are probably values that were put in the wrong place: look at event_name."
    )


def of_renamed_event(
    old: str, new: str, count: int, since: int, expected: float, came: int, *, purchase: bool
) -> str:
    """An event that comes under another name."""
    seen = f"{came:,} times" if came > 1 else "once" if came else "not once"
    lost = " No purchase is counted until this is mended." if purchase else ""
    return (
        f"The event {cut(old)} was renamed to {cut(new)}: {cut(new)}, which is not in the contract, came {count:,} times "
        f"since {when(since)}, and {cut(old)} {seen}, where about {expected:.0f} were expected.{lost} Have the site send "
        f"{cut(old)} again, or change the name in the contract file."
    )


def of_event_gone(name: str, minute: int) -> str:
    """An unknown name that no longer comes, or a known one that is back."""
    return f"The event {cut(name)}: what was reported is over, seen at {when(minute)}."
