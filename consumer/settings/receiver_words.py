"""What single settings of a receiver may be: each function gives its value back, or says what is wrong.

The words of an error follow the setting's name. No secret stands in them.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from consumer.settings.names import nearest
from consumer.settings.words import shown
from detectors.alerts import Severity
from detectors.rules import KINDS
from detectors.sentences import NAMES

SEVERITIES = {severity.value: severity for severity in Severity}

METRICS = tuple(NAMES)
"""The metrics that alerts can be about."""

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_KEY = re.compile(r"[0-9A-Za-z]{32}", re.ASCII)
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[a-zA-Z0-9._-]{1,253}):(\d{1,5})", re.ASCII)
_ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,255}")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+", re.ASCII)
_MOST_PORT = 65_535


def some_severities(given: list[str]) -> list[str]:
    """Severities by name or number."""
    names = {**{name: name for name in SEVERITIES}, **{name[:2]: name for name in SEVERITIES}}
    for one in given:
        if one not in names:
            raise ValueError(f"has {shown(one)}, which is none of {', '.join(SEVERITIES)}")
    if not given:
        raise ValueError(f"is empty, so nothing would ever be sent; name some of {', '.join(SEVERITIES)}")
    return list(dict.fromkeys(names[one] for one in given))


def kind_patterns(given: list[str]) -> list[str]:
    """Kinds of alerts, or patterns that fit at least one."""
    for one in given:
        if not any(fnmatchcase(kind, one) for kind in KINDS):
            hint = nearest(one, list(KINDS)) or "the README has them all"
            raise ValueError(f"has {shown(one)}, which fits no kind of alert; {hint}")
    return given


def metric_names(given: list[str]) -> list[str]:
    """Metrics that alerts can be about."""
    for one in given:
        if one not in METRICS:
            raise ValueError(f"has {shown(one)}, which is none of {', '.join(METRICS)}")
    return given


def hours(text: str) -> str:
    """Hours of a day, or none."""
    match = _HOURS.fullmatch(text)
    if text and (match is None or match.groups()[:2] == match.groups()[2:]):
        raise ValueError(f"must be hours such as 22:00-07:00, or empty, not {shown(text)}")
    return text


def clock_time(text: str) -> str:
    """A time of the day, or none."""
    if text and not _TIME.fullmatch(text):
        raise ValueError(f"must be a time such as 08:00, or empty, not {shown(text)}")
    return text


def minutes_of(text: str) -> int:
    """A time of the day that `clock_time` has let through, in minutes after midnight.

    >>> minutes_of("08:30")
    510
    """
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def web_address(url: str) -> str:
    """An address to post to; it may hold a secret, so it is not repeated."""
    if not url:
        return url
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise ValueError("must be an address that begins with https:// or http://, without spaces")
    return url


def url_of_any_service(url: str) -> str:
    """An address with any scheme; whether Apprise knows the service is seen when it is used, and by `sluice check`."""
    if url and not _SCHEME.fullmatch(url):
        raise ValueError("must be an address as Apprise writes it, such as discord://WebhookID/WebhookToken")
    return url


def mail_server(text: str) -> str:
    """A mail server and its port."""
    match = _SERVER.fullmatch(text)
    if text and (match is None or not 1 <= int(match[2]) <= _MOST_PORT):
        raise ValueError(f"must be host:port, such as smtp.example.com:587, not {shown(text)}")
    return text


def address(text: str) -> str:
    """A mail address, without a name."""
    if text and not (_ADDRESS.fullmatch(text) and text.isprintable()):
        raise ValueError(f"must be an address such as sluice@example.com, not {shown(text)}")
    return text


def some_addresses(given: list[str]) -> list[str]:
    """Mail addresses."""
    for one in given:
        if not one:
            raise ValueError("has an empty address; remove it")
        address(one)
    return given


def integration_key(text: str) -> str:
    """The key of an integration of PagerDuty's; a wrong one would be found out at the first incident."""
    if text and not _KEY.fullmatch(text):
        raise ValueError("must be the 32 letters and digits of an integration of type Events API v2")
    return text
