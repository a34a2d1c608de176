"""What speaks against a day: its checks, the loudest first, causes before what follows from them, each with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detectors.alerts import Severity
from reports.render.incidents import is_about
from reports.render.remedies import remedy, remedy_of
from reports.render.summary import FLAG, is_flag
from reports.render.titles import Title, title

if TYPE_CHECKING:
    from consumer.core.days import Receipt
    from detectors.alerts import Alert
    from detectors.verdict import Check
    from reports.render.summary import Summary

AGAINST = ("at_risk", "quarantined")
"""The results of checks that speak against a day."""


class Objection(NamedTuple):
    """One thing against a day: its rule, whether it alone quarantines the day, the reason (names out of events apart),
    what it follows from (empty: it stands by itself), and what to do; empty where the cause says that. `lost`: the alert
    that left it behind is no longer kept."""

    rule: str
    blocks: bool
    why: Title
    follows: Title
    do: str
    lost: bool = False


def objections(summary: Summary) -> list[Objection]:
    """Everything against the day that is reported."""
    receipt = summary.receipt
    if receipt is None:
        return []
    against = [check for check in receipt.checks if check.result in AGAINST]
    told = [_objection(check, _alert_of(check, receipt, summary), summary) for check in against]
    return sorted(told, key=lambda one: (not one.blocks, bool(one.follows)))


def _alert_of(check: Check, receipt: Receipt, summary: Summary) -> Alert | None:
    """The alert that left the check behind: the loudest about the day, and of what the check names."""
    if not is_flag(check):
        return None
    about = [
        alert
        for alert in summary.alerts.values()
        if alert.kind == check.rule
        and alert.severity != Severity.P2_NOTE
        and is_about(alert, receipt.day, receipt)
    ]
    subject = check.reason.removeprefix(FLAG).removeprefix(": ")
    named = [alert for alert in about if subject and alert.subject == subject]
    return next(iter(named or about), None)


def _objection(check: Check, alert: Alert | None, summary: Summary) -> Objection:
    blocks = check.result == "quarantined"
    if alert is None:
        why = check.reason
        lost = check.rule in summary.lost and is_flag(check)
        if lost:
            why = f"{FLAG} that is no longer kept{why.removeprefix(FLAG)}"
        return Objection(check.rule, blocks, (why,), (), remedy(check.rule, summary.source), lost)
    cause = summary.alerts.get(alert.caused_by or "")
    if cause is not None and cause.kind != alert.kind:
        return Objection(check.rule, blocks, title(alert), title(cause), "")
    return Objection(check.rule, blocks, title(alert), (), remedy_of(alert, summary.source))
