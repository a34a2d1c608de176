"""The topics that Sluice needs: which, with which settings; creates what is missing, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AclOperation, ConfigResource, NewPartitions, NewTopic, ResourceType

from consumer.runtime.kafka.client import error_of, result_of
from consumer.runtime.kafka.rights import needed
from consumer.runtime.transport import Fatal, Fenced

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient

    from consumer.settings import Settings

TIMEOUT_SECONDS = 15.0

ANSWER_SECONDS = 1.0
"""How long an answer may take to count as one, where a connection was lost."""

DEFAULT_MOST_BYTES = 1_048_588
"""Kafka's default `max.message.bytes`."""

_ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}
"""Brokers before 3.6 do not know it, and refuse no time."""

ROOM_FOR_HEADERS = 65_536
"""How much larger than the input's a dead letter or a passed event may be."""


_TO_SEE = (AclOperation.DESCRIBE,)


class Names(NamedTuple):
    """The topics' names; `valid` empty = passed events are not written, `keyed` empty = the input itself is keyed."""

    input: str
    dead_letters: str
    valid: str
    facts: str
    journal: str
    days: str
    alerts: str
    keyed: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Names:
        """As the settings have them."""
        named = {name: getattr(settings.topics, name) for name in cls._fields}
        return cls(**{**named, "keyed": ""}) if settings.input.keyed else cls(**named)


class Created(NamedTuple):
    """A topic that was missing."""

    topic: str
    partitions: int


def wanted(
    names: Names, input_partitions: int, most_input_bytes: int, keyed_partitions: int = 0
) -> dict[str, tuple[int, dict[str, str]]]:
    """Partitions and settings of every topic that Sluice writes; `keyed_partitions` where the keyed topic is there already.
    It never gets more with the input: clients would move, and their open sessions split.

    State and facts are kept for ever and trimmed by Sluice itself: the default retention of a week would delete state.
    The broker dates the records: it refuses those of a process whose clock is an hour ahead of its own, and would delete
    those of one whose clock is a week behind. In the keyed topic records keep the time that they had in the input, however
    old or far ahead, and stay until they are read; it takes every event that the gate reads, however well the input's was
    packed.
    """
    dated = {"message.timestamp.type": "LogAppendTime"}
    larger = str(most_input_bytes + ROOM_FOR_HEADERS)
    kept = {**dated, "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    latest = {**dated, "cleanup.policy": "compact"}
    passing = {**dated, "cleanup.policy": "delete", "max.message.bytes": larger}
    tasks = 2 * max(input_partitions, keyed_partitions) if names.keyed else input_partitions
    topics = {
        names.dead_letters: (input_partitions, passing),
        names.facts: (1, {**kept, "segment.bytes": "67108864"}),
        names.journal: (1 + tasks, {**kept, "segment.bytes": "67108864"}),
        names.days: (1, latest),
        names.alerts: (1, latest),
    }
    if names.keyed:
        largest = str(max(most_input_bytes, DEFAULT_MOST_BYTES) + ROOM_FOR_HEADERS)
        as_they_were = {"message.timestamp.type": "CreateTime", **_ANY_TIME, "max.message.bytes": largest}
        topics[names.keyed] = (input_partitions, {**kept, "segment.bytes": "67108864", **as_they_were})
    if names.valid:
        topics[names.valid] = (input_partitions, passing)
    return topics


def existing(admin: AdminClient, seconds: float = TIMEOUT_SECONDS) -> dict[str, int]:
    """Partitions by topic, as the cluster knows them now. Raises Fenced(lost) if it cannot be reached."""
    try:
        topics = admin.list_topics(timeout=seconds).topics
    except KafkaException as raised:
        raise Fenced(f"the brokers cannot be reached: {error_of(raised).str()}", outcome="lost") from raised
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def answers(admin: AdminClient, seconds: float = ANSWER_SECONDS) -> bool:
    """Whether a broker answers within that time."""
    try:
        return bool(admin.list_topics(timeout=seconds).brokers)
    except KafkaException:
        return False


def create_missing(
    admin: AdminClient,
    names: Names,
    known: Mapping[str, int],
    replication_factor: int,
    roles: Collection[str] = ("gate", "watch"),
) -> list[Created]:
    """Creates what these roles need and is missing (the input never), and adds journal partitions where the input has
    got more.

    Raises Fatal with a sentence when it may not, or when a topic that must have one partition has more.
    """
    own = needed(names, roles)
    most = most_message_bytes(admin, names.input)
    all_topics = wanted(names, known[names.input], most, known.get(names.keyed, 0))
    topics = {name: made for name, made in all_topics.items() if own.get(name, _TO_SEE) != _TO_SEE}
    created = []
    for name, (partitions, config) in topics.items():
        if name not in known:
            _create(admin, name, partitions, replication_factor, config)
            created.append(Created(name, partitions))
    for name in (names.facts, names.days, names.alerts):
        if known.get(name, 1) != 1:
            raise Fatal(
                f"the topic {name} must have one partition and has {known[name]}: name another in [topics]"
            )
    if known.get(names.journal, topics[names.journal][0]) < topics[names.journal][0]:
        partitions = topics[names.journal][0]
        more = NewPartitions(names.journal, partitions)
        _done(
            admin.create_partitions([more], request_timeout=TIMEOUT_SECONDS)[names.journal],
            f"add partitions to the topic {names.journal}",
            f"give it {partitions} partitions by hand or grant ALTER on the topic {names.journal}",
        )
        created.append(Created(names.journal, partitions))
    return created


def _create(
    admin: AdminClient, name: str, partitions: int, replication_factor: int, config: dict[str, str]
) -> None:
    new = NewTopic(name, partitions, replication_factor, config=config)
    made = admin.create_topics([new], operation_timeout=TIMEOUT_SECONDS, request_timeout=TIMEOUT_SECONDS)
    try:
        _done(
            made[name],
            f"create the topic {name}",
            f"create it by hand or grant CREATE on the topic {name}",
        )
    except Fatal as error:
        cause, without = error.__cause__, {key: it for key, it in config.items() if key not in _ANY_TIME}
        unknown = isinstance(cause, KafkaException) and error_of(cause).code() == KafkaError.INVALID_CONFIG
        if not unknown or without == config:
            raise
        _create(admin, name, partitions, replication_factor, without)


def most_message_bytes(admin: AdminClient, topic: str) -> int:
    """A topic's `max.message.bytes`; Kafka's default where it may not be asked. Raises Fenced(lost) without an answer."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    asked = admin.describe_configs([resource], request_timeout=TIMEOUT_SECONDS)
    try:
        config = result_of(asked[resource], TIMEOUT_SECONDS + 5)
        return int(config["max.message.bytes"].value)
    except KafkaException as raised:
        error = error_of(raised)
        if _is_lost(error):
            raise Fenced(
                f"the settings of the topic {topic} cannot be asked: {error.str()}", outcome="lost"
            ) from raised
    except (KeyError, ValueError, TypeError) as ignored:
        # an answer that leaves it out
        del ignored
    return DEFAULT_MOST_BYTES


def most_batch_bytes(admin: AdminClient, names: Names, roles: Collection[str]) -> int:
    """What every topic that these roles write takes at once: a limit for messages is one for batches, which the client
    does not take apart when they are refused."""
    written = [name for name, does in needed(names, roles).items() if AclOperation.WRITE in does]
    return min(most_message_bytes(admin, name) for name in written)


def _done(future: Future[None], what: str, remedy: str) -> None:
    try:
        result_of(future, TIMEOUT_SECONDS + 5)
    except KafkaException as raised:
        error = error_of(raised)
        if error.code() in (KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.INVALID_PARTITIONS):
            return  # another process was quicker
        if _is_lost(error):
            raise Fenced(f"could not {what}: {error.str()}", outcome="lost") from raised
        raise Fatal(f"could not {what}: {error.str()}; {remedy}") from raised


def _is_lost(error: KafkaError) -> bool:
    """Whether asking again may help."""
    return error.retriable() or error.code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT)  # noqa: SLF001
