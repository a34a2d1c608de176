"""A message as Slack's incoming webhooks take it. All words are plain text, so that no mention, link or emphasis can
come out of an event.

Limits: 3,000 characters a section, 50 blocks, https://docs.slack.dev/reference/block-kit/blocks/section-block and
https://docs.slack.dev/reference/block-kit/blocks; a message's text should not exceed 4,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.notify.notice import fitted, notice
from reports.render.escape import CUT, JOINER

if TYPE_CHECKING:
    from reports.notify.message import Message
    from reports.notify.notice import Notice, Tone

MOST_SECTION = 3_000
MOST_BLOCKS = 50
MOST_ALL = 12_000
"""Characters of a whole message. Nobody reads more in a chat."""

MOST_TITLE = 250

COLOURS: dict[Tone, str] = {"bad": "#c0392b", "warn": "#e67e22", "good": "#27ae60", "info": "#7f8c8d"}

_HARMLESS = str.maketrans({"<": "‹", ">": "›", "@": f"@{JOINER}"})
"""Slack's control sequences stand between < and >; servers that imitate it also take @all for a mention."""


def harmless(text: str) -> str:
    """The text without anything that a chat acts upon.

    >>> harmless("<!channel>")
    '‹!channel›'
    """
    return text.translate(_HARMLESS)


def payload(message: Message) -> dict[str, Any]:
    """The JSON document to post."""
    told = fitted(notice(message), MOST_ALL)
    blocks = [_block("section", text) for text in _chunks(told)]
    footer = {"type": "context", "elements": [_plain(harmless(told.footer))]}
    attachment = {
        "color": COLOURS[told.tone],
        "fallback": _cut(harmless(told.title), MOST_TITLE),
        "blocks": [*blocks[: MOST_BLOCKS - 1], footer],
    }
    return {**_head(told), "attachments": [attachment]}


def plain_payload(message: Message) -> dict[str, Any]:
    """The same for a server that refuses blocks: text alone."""
    told = fitted(notice(message), MOST_SECTION)
    return {**_head(told), "text": harmless(told.text())}


def _head(told: Notice) -> dict[str, Any]:
    return {
        "text": _cut(harmless(told.title), MOST_TITLE),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _chunks(told: Notice) -> list[str]:
    """The lines in as few texts as sections can hold; a heading begins a new one."""
    texts: list[str] = []
    for section in told.sections:
        text = harmless(section.heading)
        for line in map(harmless, section.lines):
            longer = f"{text}\n{line}" if text else line
            if len(longer) > MOST_SECTION:
                texts.append(text)
                longer = _cut(line, MOST_SECTION)
            text = longer
        texts += [text] if text else []
    return texts


def _block(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, "text": _plain(text)}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + CUT
