"""What single settings may be, beyond their type: each function gives its value back, or says what is wrong.

The words of an error follow the setting's name.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING

from consumer.settings.words import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)
"""Kafka's rule (org.apache.kafka.common.internals.Topic)."""

_GROUP = re.compile(r"[a-zA-Z0-9._-]{1,100}", re.ASCII)
"""Narrower than Kafka's rule, since the name also stands in transactional ids, logs and metrics."""

_EPOCH = "1970-01-01"
_HOST = re.compile(r"[a-zA-Z0-9.:_-]{1,253}", re.ASCII)
_MOST_REPLICAS = 100
_ALIKE = 0.8
"""How similar a time zone's name must be to be proposed, 0 to 1: a slip of the finger is, another city is not."""


class ContradictionError(ValueError):
    """Settings of a section cannot stand as they are. The words follow the name of one of the `keys`; `{other}` in
    them stands for the other one."""

    def __init__(self, words: str, *keys: str) -> None:
        super().__init__(words)
        self.keys = keys

    def words(self, key: str) -> str:
        """What is wrong, told from one of the keys."""
        return str(self).replace("{other}", next((other for other in self.keys if other != key), ""))


def topic(name: str) -> str:
    """A topic's name by Kafka's own rule, and none of Kafka's own topics."""
    if not _TOPIC.fullmatch(name) or name in {".", ".."}:
        raise ValueError(f"must be 1 to 249 letters, digits, dots, hyphens or underscores, not {shown(name)}")
    if name.startswith("__"):
        raise ValueError(
            f"must not be one of Kafka's own topics, which begin with two underscores, like {shown(name)}"
        )
    return name


def optional_topic(name: str) -> str:
    """A topic's name, or empty for none."""
    return topic(name) if name else name


def distinct_topics(topics: Mapping[str, str]) -> None:
    """Every topic has a name of its own; to Kafka a dot and an underscore are the same in names of metrics, so it
    refuses to create two topics that differ in nothing else."""
    seen: dict[str, str] = {}
    for key, name in topics.items():
        other = seen.setdefault(name.replace(".", "_"), key)
        if other != key and topics[other] == name:
            raise ContradictionError(
                f"and {{other}} are both {shown(name)}; give each a topic of its own", key, other
            )
        if other != key:
            both = "differ only by dots and underscores, which Kafka cannot always tell apart"
            raise ContradictionError(f"and {{other}} {both}; rename one", key, other)


def replicas(number: int) -> int:
    """How many copies of a topic: the broker's default, or one for each of some brokers."""
    if number == -1 or 1 <= number <= _MOST_REPLICAS:
        return number
    raise ValueError(f"must be -1 (the broker's default) or 1 to {_MOST_REPLICAS}, not {shown(number)}")


def group_name(name: str) -> str:
    """A consumer group's name."""
    if _GROUP.fullmatch(name):
        return name
    raise ValueError(f"must be 1 to 100 letters, digits, dots, hyphens or underscores, not {shown(name)}")


def instance_name(name: str) -> str:
    """A process's name within its group, or empty for a random one."""
    return group_name(name) if name else name


def zone_name(name: str) -> str:
    """A time zone that the system or the package `tzdata` knows."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zones = sorted(zoneinfo.available_timezones())
        same_city = [zone for zone in zones if zone.lower().endswith("/" + name.lower().replace(" ", "_"))]
        near = same_city or get_close_matches(name, zones, n=1, cutoff=_ALIKE)
        hint = f"perhaps {near[0]} is meant" if near else "write one such as UTC or Europe/Berlin"
        raise ValueError(f"is {shown(name)}, which is no time zone; {hint}") from None
    return name


def first_date(text: str) -> str:
    """A date that a stream's time can begin with: after 1970-01-01, from which minutes are counted in every zone."""
    try:
        if date.fromisoformat(text).isoformat() == text and text > _EPOCH:
            return text
    except ValueError:
        pass
    raise ValueError(f"must be a date after {_EPOCH}, written YYYY-MM-DD, not {shown(text)}")


def file_path(path: str) -> str:
    """A path that a file system can have."""
    if path.isprintable():
        return path
    raise ValueError(f"must be a path without control characters, not {shown(path)}")


def folder_path(path: str) -> str:
    """A path that names a folder."""
    if path:
        return file_path(path)
    raise ValueError("is empty; name a folder")


def host_name(name: str) -> str:
    """An address or host name to listen on."""
    if _HOST.fullmatch(name):
        return name
    raise ValueError(f"must be an address such as 127.0.0.1 or a host's name, not {shown(name)}")
