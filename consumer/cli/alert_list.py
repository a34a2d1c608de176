"""The list of alerts: some lines each where a person looks, columns parted by tabs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console

from consumer.cli.stacked import entry
from reports.render.alert_record import last_word
from reports.render.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from detectors.alerts import Alert

COLUMNS = ("id", "severity", "state", "kind", "about", "since", "explains", "message")

SHORTEST_ID = 8

_LONGEST_MESSAGE = 2000
_TO_THE_MINUTE = 16
_SHORT = 2
"""Of a severity: P0, P1, P2."""


def show(alerts: Collection[Alert], known: Mapping[str, Alert]) -> None:
    """Writes the alerts to standard output, the loudest first, then the newest. `known` are all there are."""
    ordered = sorted(alerts, key=lambda alert: (alert.opened_at, alert.id), reverse=True)
    ordered.sort(key=lambda alert: alert.severity)
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        for row in (COLUMNS, *(_row(alert, alert.id) for alert in ordered)):
            click.echo("\t".join(row))
    elif ordered:
        _stack(console, ordered, known)
    else:
        click.echo("No alert is open.")


def _stack(console: Console, alerts: list[Alert], known: Mapping[str, Alert]) -> None:
    length = unique_length(known)
    for alert in alerts:
        name, severity, state, kind, about, since, explains, message = _row(alert, alert.id[:length])
        facts = (state, f"since {since} UTC", f"explains {explains} more" if explains else "")
        entry(console, (severity[:_SHORT], name, kind, about), facts, message)


def unique_length(ids: Collection[str]) -> int:
    """How much of an id tells it from every other one.

    >>> unique_length(["0000000012", "0000000034"]), unique_length(["ab", "cd"])
    (9, 8)
    """
    ordered = sorted(ids)
    for length in range(SHORTEST_ID, max(map(len, ordered), default=SHORTEST_ID)):
        if len({name[:length] for name in ordered}) == len(ordered):
            return length
    return max([SHORTEST_ID, *map(len, ordered)])


def _row(alert: Alert, name: str) -> tuple[str, ...]:
    """The columns of an alert, each one printable line."""
    about = alert.subject or alert.metric or ""
    return (
        terminal(name),
        str(alert.severity),
        alert.state,
        terminal(alert.kind),
        terminal(about, 60),
        terminal(alert.first_seen[:_TO_THE_MINUTE].replace("T", " ")),
        str(len(alert.explains)) if alert.explains else "",
        terminal(alert.message + _said(alert), _LONGEST_MESSAGE),
    )


def _said(alert: Alert) -> str:
    """Why it is not open, where it is put away or held back."""
    if alert.state == "inhibited":
        return f" (held back by {alert.caused_by})"
    said = last_word(alert)
    return f" ({said})" if said else ""
