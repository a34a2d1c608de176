"""A message as an e-mail: subject, plain text and HTML. Messages about one alert are one conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reports.notify.message import hashed
from reports.notify.notice import fitted, notice
from reports.render.escape import html, terminal

if TYPE_CHECKING:
    from reports.notify.message import Message
    from reports.notify.notice import Notice, Tone

MOST_CHARACTERS = 50_000
MOST_SUBJECT = 150
MOST_LINE = 1_000

COLOURS: dict[Tone, str] = {"bad": "#c0392b", "warn": "#d35400", "good": "#1e8449", "info": "#566573"}


class Mail(NamedTuple):
    """`id` and `thread` make the headers `Message-ID` and `References`: the same for every try, so that a mail server
    that got it twice can tell. They hold nothing but letters, digits and hyphens."""

    id: str
    thread: str
    subject: str
    text: str
    html: str


def mail(message: Message) -> Mail:
    """The parts of the e-mail."""
    told = fitted(notice(message), MOST_CHARACTERS)
    subject = terminal(f"[{message.site}] {told.title}", MOST_SUBJECT)
    thread = message.changes[0].alert.id if message.kind == "one" and message.changes else message.id
    return Mail(hashed([message.id]), hashed([thread]), subject, told.text() + "\n", _html(told))


def _html(told: Notice) -> str:
    parts = [f'<h2 style="color:{COLOURS[told.tone]};font-size:18px">{html(told.title, MOST_LINE)}</h2>']
    for section in told.sections:
        if section.heading:
            parts.append(f'<h3 style="font-size:15px">{html(section.heading, MOST_LINE)}</h3>')
        parts += [f'<p style="margin:4px 0">{html(line, MOST_LINE)}</p>' for line in section.lines]
    parts.append(f'<p style="color:#566573;font-size:12px">{html(told.footer, MOST_LINE)}</p>')
    head = '<!doctype html><html><head><meta charset="utf-8"></head>'
    body = '<body style="font-family:sans-serif;font-size:14px;color:#1b2631">'
    return f"{head}{body}{''.join(parts)}</body></html>\n"
