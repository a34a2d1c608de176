"""What a look at the brokers finds: whether they answer, which topics there are, what is allowed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AclOperation, AdminClient

from consumer.runtime.kafka.client import result_of, why
from consumer.runtime.kafka.rights import NEEDS, given, lacking, needed
from consumer.runtime.kafka.topics import DEFAULT_MOST_BYTES, Names, wanted
from consumer.settings.kafka import refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from consumer.runtime.kafka.rights import Operations
    from consumer.settings import Settings

_REFUSING = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED})  # noqa: SLF001 - confluent_kafka's own names of librdkafka's local errors


@dataclass(slots=True)
class Findings:
    """Sentences about what is as it should be (`facts`) and what is not (`problems`)."""

    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def look_at_broker(
    settings: Settings, timeout_seconds: float, roles: Collection[str] = tuple(NEEDS)
) -> Findings:
    """Asks the brokers once, changes nothing, and prints nothing. Each question takes at most `timeout_seconds`. `roles`:
    whose rights are looked at."""
    findings = Findings()
    errors: list[KafkaError] = []
    config: dict[str, Any] = {**settings.kafka, "logger": _silence(), "error_cb": errors.append}
    try:
        admin = AdminClient(config)
    except (KafkaException, TypeError, ValueError) as raised:
        findings.problems.append(refused(_text_of(raised), settings.kafka, settings.origins_in("kafka")))
        return findings
    try:
        cluster = admin.list_topics(timeout=timeout_seconds)
    except KafkaException as raised:
        admin.poll(0)  # hands over the errors that tell why
        findings.problems.append(_no_answer(settings, [*errors, raised.args[0]]))
        return findings
    _cluster(findings, cluster, settings.topics.replication_factor)
    names = Names.of(settings)
    partitions = {
        name: len(topic.partitions) for name, topic in cluster.topics.items() if topic.error is None
    }
    needs = needed(names, roles)
    had = given(admin, needs, timeout_seconds)
    _topics(findings, names, partitions, {topic: had.get(topic) != set() for topic in needs})
    _rights(findings, needs, had)
    _may_create(findings, admin, timeout_seconds)
    return findings


def _silence() -> logging.Logger:
    quiet = logging.Logger("librdkafka")  # noqa: LOG001 - outside of the tree of loggers, so that it says nothing
    quiet.addHandler(logging.NullHandler())
    return quiet


def _text_of(raised: BaseException) -> str:
    error = raised.args[0] if raised.args else raised
    return str(error.str() if isinstance(error, KafkaError) else error)


def _no_answer(settings: Settings, errors: list[KafkaError]) -> str:
    """Why there is no connection."""
    error, words = why(errors)
    where = settings.kafka["bootstrap.servers"]
    if error.code() in _REFUSING:
        return f"the Kafka broker at {where} refuses the connection ({words}); correct what [kafka] says of security."
    return (
        f"no Kafka broker answers at {where} ({words}); "
        'start one, such as with "sluice broker", or correct "bootstrap.servers" below [kafka].'
    )


def _cluster(findings: Findings, cluster: Any, copies: int) -> None:
    count = len(cluster.brokers)
    findings.facts.append(f"{_counted(count, 'broker')}, cluster {cluster.cluster_id}")
    if copies > count:
        findings.problems.append(
            f"[topics] replication_factor is {copies}, but the cluster has {_counted(count, 'broker')}; "
            "lower it, or set it to -1 for the broker's default."
        )


def _topics(
    findings: Findings, names: Names, partitions: Mapping[str, int], shown: Mapping[str, bool]
) -> None:
    """Whether the input is there, which topics would be created, and which cannot serve as they are. `shown`: of the
    topics that are needed, whether the user is told if they exist."""
    if names.input in partitions:
        findings.facts.append(f"input topic {names.input}: {_counted(partitions[names.input], 'partition')}")
    elif shown.get(names.input):
        findings.problems.append(
            f"the input topic {names.input} does not exist; create it, or correct input below [topics] "
            "(run waits for it until then)."
        )
    counts = {
        name: count
        for name, (count, _) in wanted(names, partitions.get(names.input, 1), DEFAULT_MOST_BYTES).items()
    }
    if missing := [name for name in counts if shown.get(name) and name not in partitions]:
        findings.facts.append(f"run will create {', '.join(missing)}")
    for name in (names.facts, names.days, names.alerts):
        if partitions.get(name, 1) != 1:
            findings.problems.append(
                f"the topic {name} must have 1 partition and has {partitions[name]}; name another one below [topics]."
            )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _rights(
    findings: Findings, needs: Mapping[str, Operations], had: Mapping[str, set[AclOperation]]
) -> None:
    """Says what the user lacks, as far as the brokers tell."""
    for topic, operations in needs.items():
        if topic in had and (missing := lacking(had[topic], operations)):
            findings.problems.append(
                f"this user may not {' and '.join(one.name.lower() for one in missing)} the topic {topic}; "
                f"grant {' and '.join(one.name for one in missing)} on it."
            )


def _may_create(findings: Findings, admin: AdminClient, timeout_seconds: float) -> None:
    """Whether topics may be created, and whether brokers tell of rights at all; without access control they answer that
    everything is allowed."""
    future = admin.describe_cluster(include_authorized_operations=True, request_timeout=timeout_seconds)
    try:
        operations = result_of(future, timeout_seconds + 1).authorized_operations
    except KafkaException:
        operations = None
    if operations is None:
        findings.facts.append("the broker does not tell what this user may do")
    elif lacking(set(operations), [AclOperation.CREATE]):
        findings.facts.append("this user may not create just any topic; each needs that right by its name")
