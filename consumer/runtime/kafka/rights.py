"""Which rights on the brokers each role needs: the table that `sluice run` and `sluice check` go by.

A broker shows nobody a topic that he has no right on, so a missing right looks like a missing topic: it is asked for
first. Rights on groups and transactional ids are not asked for; without them the first use is refused, and said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation

from consumer.runtime.kafka.client import error_of, result_of
from consumer.runtime.transport import Fatal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from confluent_kafka.admin import AdminClient

    from consumer.runtime.kafka.topics import Names

TIMEOUT_SECONDS = 15.0

Operations = tuple[AclOperation, ...]

_READ, _WRITE, _DELETE, _DESCRIBE = (
    AclOperation.READ,
    AclOperation.WRITE,
    AclOperation.DELETE,
    AclOperation.DESCRIBE,
)

NEEDS: Mapping[str, Mapping[str, Operations]] = {
    "gate": {
        "input": (_READ,),
        "keyed": (_READ, _WRITE, _DELETE),
        "dead_letters": (_WRITE,),
        "valid": (_WRITE,),
        "facts": (_WRITE,),
        "journal": (_READ, _WRITE, _DELETE),
    },
    "watch": {
        "input": (_DESCRIBE,),
        "keyed": (_DESCRIBE,),
        "facts": (_READ, _DELETE),
        "journal": (_READ, _WRITE, _DELETE),
        "days": (_WRITE,),
        "alerts": (_WRITE,),
    },
    "deliver": {"days": (_READ,), "alerts": (_READ,)},
}
"""By role and topic (as [topics] calls it). DELETE is for `delete_records`: the journal, the facts
and the keyed topic are trimmed. Whoever leads the group deals out the partitions of all, so it must see them."""

_IMPLY_DESCRIBE = frozenset({_READ, _WRITE, _DELETE, AclOperation.ALTER})


def needed(names: Names, roles: Collection[str]) -> dict[str, Operations]:
    """What a process with these roles does with each topic, by the topic's name; topics without a name are left out."""
    found: dict[str, Operations] = {}
    for role in roles:
        for key, operations in NEEDS[role].items():
            if topic := getattr(names, key):
                found[topic] = tuple(dict.fromkeys((*found.get(topic, ()), *operations)))
    return found


def given(
    admin: AdminClient, topics: Collection[str], timeout_seconds: float = TIMEOUT_SECONDS
) -> dict[str, set[AclOperation]]:
    """What the user may do with each topic; nothing of those that do not exist, or where the brokers do not tell."""
    told: dict[str, set[AclOperation]] = {}
    if not topics:
        return told
    asked = admin.describe_topics(
        TopicCollection(list(topics)), include_authorized_operations=True, request_timeout=timeout_seconds
    )
    for name, future in asked.items():
        try:
            operations = result_of(future, timeout_seconds + 1).authorized_operations
        except KafkaException as raised:
            # no answer, no claim: whatever comes next says what is wrong
            if error_of(raised).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                told[name] = set()
        else:
            if operations:
                told[name] = set(operations)
    return told


def lacking(had: Collection[AclOperation], operations: Iterable[AclOperation]) -> list[AclOperation]:
    """Those of the operations that are not allowed."""
    if AclOperation.ALL in had:
        return []
    describes = bool(_IMPLY_DESCRIBE & set(had))
    return [
        operation
        for operation in operations
        if operation not in had and not (operation == _DESCRIBE and describes)
    ]


def demand(admin: AdminClient, names: Names, roles: Collection[str]) -> None:
    """Raises Fatal with a sentence that names every right on topics that these roles lack, as far as brokers tell."""
    wanted = needed(names, roles)
    had = given(admin, wanted)
    missing = {topic: lacking(had[topic], wanted[topic]) for topic in wanted if topic in had}
    grants = [
        f"{' and '.join(operation.name for operation in operations)} on the topic {topic}"
        for topic, operations in missing.items()
        if operations
    ]
    if grants:
        raise Fatal(f"this user lacks rights: grant {', '.join(grants)}")
