"""The settings of receivers as people read them: the README's table, and the examples of `sluice.example.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.settings.receivers import NEEDED, TYPES
from consumer.settings.words import kind, written

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = """
# Who is told of alerts: a section for each receiver, [receivers.NAME], as many as you like. The README has all their
# settings. A variable sets them, too: SLUICE_RECEIVERS_NAME_KEY; and url_file, password_file and so on name files that
# hold secrets. `sluice notify test` sends each a test message.

# [receivers.team-chat]
# type = "slack"
# url_file = "/run/secrets/slack_webhook"
# quiet_hours = "22:00-07:00"

# [receivers.on-call]
# type = "pagerduty"
# severities = ["P0"]
# routing_key_file = "/run/secrets/pagerduty_key"

# [receivers.finance]
# type = "email"
# metrics = ["revenue", "purchases", "purchase_value"]
# server = "smtp.example.com:587"
# user = "sluice"
# password_file = "/run/secrets/smtp_password"
# sender = "sluice@example.com"
# to = ["finance@example.com"]

# [receivers.prometheus]
# type = "alertmanager"
# url = "http://alertmanager:9093"
"""


def markdown() -> str:
    """A Markdown table of every setting that receivers have: in which types, with which default, what for."""
    lines = ["| setting | in | type | default | what it is |", "| --- | --- | --- | --- | --- |"]
    kinds: dict[tuple[str, str, str, str], list[str]] = {}
    for key, name, of_type, default, text in _rows():
        kinds.setdefault((key, of_type, default, text), []).append(name)
    order = _keys()
    for (key, of_type, default, text), names in sorted(kinds.items(), key=lambda row: order.index(row[0][0])):
        where = "all" if len(names) == len(TYPES) else ", ".join(names)
        lines.append(f"| `{key}` | {where} | {of_type} | {default} | {text} |")
    return "\n".join(lines) + "\n"


def _keys() -> list[str]:
    """The keys in the order in which they are read: what a receiver is, how it is reached, what it gets."""
    own: dict[str, None] = {"type": None}
    shared: dict[str, None] = {}
    for model in TYPES.values():
        for key in model.model_fields:
            (own if key in model.__annotations__ else shared)[key] = None
    return [*own, *(key for key in shared if key not in own)]


def _rows() -> Iterator[tuple[str, str, str, str, str]]:
    for name, model in TYPES.items():
        for key, field in model.model_fields.items():
            if key == "type":
                kinds = ", ".join(written(one) for one in TYPES)
                yield key, name, kinds, "needed", field.description or ""
                continue
            default = "needed" if key in NEEDED[name] else f"`{written(field.default)}`"
            yield key, name, kind(field), default, field.description or ""
