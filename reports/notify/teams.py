"""A message as a Microsoft Teams workflow ("When a Teams webhook request is received") takes it: an Adaptive Card.

Text stands in `TextRun`s, in which Markdown means nothing (https://adaptivecards.io/explorer/TextRun.html). A message
may have about 28 KB, https://learn.microsoft.com/en-us/connectors/teams/#known-issues-and-limitations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.notify.notice import fitted, notice

if TYPE_CHECKING:
    from reports.notify.message import Message
    from reports.notify.notice import Tone

MOST_CHARACTERS = 4_500
"""In JSON, a character may take six bytes and a line's markup 130."""

MOST_TITLE = 250

COLOURS: dict[Tone, str] = {"bad": "Attention", "warn": "Warning", "good": "Good", "info": "Default"}


def payload(message: Message) -> dict[str, Any]:
    """The JSON document to post."""
    told = fitted(notice(message), MOST_CHARACTERS)
    body = [_text(told.title[:MOST_TITLE], size="Medium", weight="Bolder", color=COLOURS[told.tone])]
    for section in told.sections:
        body += [_text(section.heading, weight="Bolder")] if section.heading else []
        body += [_text("\n".join(section.lines))] if section.lines else []
    body.append(_text(told.footer, size="Small", isSubtle=True))
    return _card(body)


def plain_payload(message: Message) -> dict[str, Any]:
    """The title alone, for a flow that refuses the rest."""
    return _card([_text(notice(message).title[:MOST_TITLE])])


def _card(body: list[dict[str, Any]]) -> dict[str, Any]:
    content = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": content,
    }
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, **look: object) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}
