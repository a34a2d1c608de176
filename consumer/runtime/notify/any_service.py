"""A message through Apprise, which knows some hundred services by their URLs.

It tells whether a message was taken, but not why not, nor how long to wait; so Slack, Teams, e-mail and webhooks have
channels of their own, and this is for everything else. It is imported when it is used: it takes half a second.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

from consumer.runtime.notify.outcome import TAKEN, Failure, Outcome
from reports.notify.notice import fitted, notice

if TYPE_CHECKING:
    from reports.notify.message import Message
    from reports.notify.notice import Tone

MOST_CHARACTERS = 1_800
"""Discord takes 2,000; of the services that people chat with, few take less."""

_LOOKS: dict[Tone, str] = {"bad": "failure", "warn": "warning", "good": "success", "info": "info"}


class UnknownServiceError(Exception):
    """Apprise does not know what the URL is for."""


def service(url: str) -> Any:
    """Apprise, ready to send there. Raises UnknownServiceError."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # one of its services asks for a module that is going
        import apprise  # noqa: PLC0415 - see above

        logging.getLogger("apprise").disabled = True  # it would print by itself, and with parts of the URL
        asset = apprise.AppriseAsset(async_mode=False, storage_mode="memory", app_id="Sluice")
        found = apprise.Apprise(asset=asset)
        if not found.add(url):
            raise UnknownServiceError
    return found


def send(found: Any, message: Message, timeout_seconds: float, *, plain: bool) -> Outcome:
    """One try."""
    told = fitted(notice(message), MOST_CHARACTERS)
    body = told.title if plain else "\n".join([*told.lines, "", told.footer])
    result = found.notify(
        title=told.title,
        body=body,
        notify_type=_LOOKS[told.tone],
        body_format="text",
        timeout=timeout_seconds,
    )
    if result:
        return TAKEN
    if result.status.name == "TIMEOUT":
        return Outcome(Failure.TIMEOUT, "no answer in time")
    return Outcome(Failure.UNKNOWN, "Apprise could not deliver it, and does not say why")
