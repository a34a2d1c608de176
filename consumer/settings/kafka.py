"""The section `[kafka]`: librdkafka's own properties, passed through, but for those that Sluice has to own."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from consumer.settings.legal import ContradictionError
from consumer.settings.words import MASK, is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULTS = {"bootstrap.servers": "127.0.0.1:9092"}
"""Where a broker on one's own machine listens."""

DESCRIPTIONS = {
    "bootstrap.servers": "Kafka's brokers, host:port, with commas between several.",
}

EXAMPLES = """
# Any other property of librdkafka goes here by its own name, for example for a broker that wants a password
# (better given by the variable SLUICE_KAFKA_SASL_PASSWORD):
# "security.protocol" = "SASL_SSL"
# "sasl.mechanism" = "SCRAM-SHA-512"
# "sasl.username" = "sluice"
"""

_EXACTLY_ONCE = "it is part of counting every event exactly once; remove it"

OWNED = {
    "enable.auto.commit": "Sluice commits offsets itself, in one transaction with what it made of the events; remove it",
    "enable.auto.offset.store": "Sluice commits offsets itself, in one transaction with what it made of the events; remove it",
    "auto.commit.interval.ms": "Sluice commits offsets itself, after each batch; use [batch] max_wait_seconds instead",
    "transactional.id": "it is made of group and instance; set those at the top of the file instead",
    "group.id": "it is the setting group; set that at the top of the file instead",
    "group.instance.id": "it is the setting instance; set that at the top of the file instead",
    "auto.offset.reset": "where a new partition begins is the setting start; set that below [input] instead",
    "isolation.level": _EXACTLY_ONCE,
    "enable.idempotence": _EXACTLY_ONCE,
    "acks": _EXACTLY_ONCE,
    "request.required.acks": _EXACTLY_ONCE,
    "retries": _EXACTLY_ONCE,
    "message.send.max.retries": _EXACTLY_ONCE,
    "transaction.timeout.ms": _EXACTLY_ONCE,
    "message.timeout.ms": _EXACTLY_ONCE,
    "delivery.timeout.ms": _EXACTLY_ONCE,
    "delivery.report.only.error": "Sluice has to hear of every delivery; remove it",
    "message.max.bytes": "it is worked out from the input topic's max.message.bytes; remove it",
    "enable.partition.eof": "Sluice needs it to know when it has caught up; remove it",
    "partition.assignment.strategy": "each role has the one that it needs; remove it",
    "allow.auto.create.topics": "Sluice creates its own topics and waits for the input topic; remove it",
    "metadata.recovery.strategy": "each client has the one that survives lost connections; remove it",
    "metadata.broker.list": 'it is another name of "bootstrap.servers"; use that one',
}
"""Properties that are refused, each with why and what to do instead, as it follows "cannot be set here: "."""

CONSUMERS_ONLY = frozenset(
    {
        "auto.commit.enable", "check.crcs", "consume.callback.max.messages", "coordinator.query.interval.ms",
        "fetch.error.backoff.ms", "fetch.max.bytes", "fetch.message.max.bytes", "fetch.min.bytes",
        "fetch.queue.backoff.ms", "fetch.wait.max.ms", "group.protocol", "group.protocol.type",
        "group.remote.assignor", "heartbeat.interval.ms", "max.partition.fetch.bytes", "max.poll.interval.ms",
        "offset.store.method", "offset.store.path", "offset.store.sync.interval.ms", "queued.max.messages.kbytes",
        "queued.min.messages", "session.timeout.ms",
    }
)  # fmt: skip
PRODUCERS_ONLY = frozenset(
    {
        "batch.num.messages", "batch.size", "compression.codec", "compression.level", "compression.type",
        "enable.gapless.guarantee", "linger.ms", "partitioner", "produce.offset.report",
        "queue.buffering.backpressure.threshold", "queue.buffering.max.kbytes", "queue.buffering.max.messages",
        "queue.buffering.max.ms", "queuing.strategy", "request.timeout.ms", "sticky.partitioning.linger.ms",
    }
)  # fmt: skip
"""Properties that one kind of client alone knows what to do with (librdkafka 2.16, CONFIGURATION.md, column C/P; those
that are refused are left out). The other kind warns of them at each start. A name that is in neither goes to both."""

_NAME = re.compile(r"[A-Za-z0-9._\-]{1,200}", re.ASCII)
_MOST_NUMBER = 2**63
"""A long is the largest that librdkafka reads."""
_CALLBACK = re.compile(r"(_cb|\.cb|on_commit|on_delivery|logger|(key|value)\.(de)?serializer)\Z")


def _property_name(name: str) -> str:
    if reason := OWNED.get(name):
        raise ValueError(f"cannot be set here: {reason}")
    if name in {"group", "instance"}:
        raise ValueError("belongs at the top of the file, above the first [section]; move it there")
    if not _NAME.fullmatch(name) or _CALLBACK.search(name):
        raise ValueError("is no property that can be set in a file; correct its name or remove it")
    return name


def _property_text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() if abs(value) < _MOST_NUMBER:  # false for "not a number", too
            return str(value)
        case str() if "\0" not in value and _is_unicode(value):
            return value
        case list():
            raise ValueError("must be one text in quotes, with commas between several values, not a list")
        case _:
            raise ValueError("must be text in quotes, a number, true or false")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with_defaults(properties: dict[str, str]) -> dict[str, str]:
    properties = {**DEFAULTS, **properties}
    if not properties["bootstrap.servers"].strip():
        raise ContradictionError("is empty; name at least one broker as host:port", "bootstrap.servers")
    return properties


PropertyName = Annotated[str, AfterValidator(_property_name)]
PropertyText = Annotated[str, BeforeValidator(_property_text)]
Properties = Annotated[dict[PropertyName, PropertyText], AfterValidator(_with_defaults)]
"""librdkafka's properties by name, all as text, which librdkafka takes for every type."""


def for_consumers(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties that a consumer makes use of."""
    return {name: value for name, value in properties.items() if name not in PRODUCERS_ONLY}


def for_producers(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties that a producer makes use of."""
    return {name: value for name, value in properties.items() if name not in CONSUMERS_ONLY}


def refused(
    message: str, properties: Mapping[str, str], origins: Mapping[str, str] = MappingProxyType({})
) -> str:
    """librdkafka's complaint about one of the properties, in our words and without their secrets. `origins`: where they
    were given.

    >>> refused('No such configuration property: "foo.bar"', {"foo.bar": "1"}, {"foo.bar": "sluice.toml, line 3"})
    'sluice.toml, line 3: [kafka] has "foo.bar", which librdkafka does not know; correct the name (its CONFIGURATION.md has all) or remove it.'
    """
    named = next((name for name in re.findall(r'["`]([^"`]*)["`]', message) if name in properties), "")
    origin = f"{origins[named]}: " if named in origins else ""
    return f"{origin}{_refused(message, properties)}"


def _refused(message: str, properties: Mapping[str, str]) -> str:
    if match := re.search(r'No such configuration property: "([^"]*)"', message):
        unknown = f'[kafka] has "{match[1]}", which librdkafka does not know'
        return f"{unknown}; correct the name (its CONFIGURATION.md has all) or remove it."
    for name, value in properties.items():
        message = message.replace(value, MASK) if is_secret(name) and value else message
    return f"[kafka] has a property that librdkafka refuses ({message.strip().rstrip('.')}); correct it."
