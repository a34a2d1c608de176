"""The dead letter topic as it lies there, and what has become of what is in it: for the commands that look and put back.

Three things are asked, and the order is everything: how far the group has read, what is on record of being put back, and
last the dead letters to their ends. What was put back below the group's offset and has no dead letter then has passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.core.dead_letters import History, Letter, PutBack, read_letter, read_put_back
from consumer.core.requeue import Place
from consumer.runtime.kafka import topics
from consumer.runtime.kafka.client import RAISED, admin_config, consumer_config, error_of
from consumer.runtime.kafka.delivered_topics import TailError
from consumer.runtime.kafka.offsets import answered
from consumer.runtime.kafka.scan import Scan
from consumer.runtime.transport import Fenced

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from consumer.runtime.clock import Clock
    from consumer.settings import Settings

ANSWER_SECONDS = 5.0
_LOOK_SECONDS = 0.5
_LOOKS = 24
"""Longer than the five seconds after which a gate without work says where it is."""


class Lying(NamedTuple):
    """A dead letter, and where it lies: `partition/offset` in the dead letter topic."""

    name: str
    letter: Letter


class DeadLetters:
    """What lay in the topic when this was made. Raises TailError with a sentence, whatever is done with it."""

    def __init__(self, settings: Settings, clock: Clock, log: logging.Logger) -> None:
        self.topic = settings.topics.dead_letters
        self.read_to = read_to(settings, log)
        self._settings = settings
        self._log = log
        self.put_back = _put_back(settings, clock, log)
        self._scan = Scan(settings.kafka, [self.topic], clock, log)
        self.history = History(self.put_back, self.read_to)

    def learn(self, since_ms: int | None = None) -> None:
        """Finds what has become of all dead letters rejected since then."""
        for lying in self.all(since_ms):
            if self.history.concerns(lying.letter):
                self.history.see(lying.letter)

    def all(self, since_ms: int | None = None) -> Iterator[Lying]:
        """Every dead letter of ours rejected since then, each partition in its order."""
        starts = None if since_ms is None else self._scan.starts(since_ms)
        for message in self._scan.messages(starts):
            letter = read_letter(message)
            if letter is not None:
                yield Lying(f"{message.partition()}/{message.offset()}", letter)

    def one(self, name: str) -> Lying | None:
        """The dead letter that lies at `partition/offset`; None if there is none."""
        partition, offset = (int(number) for number in name.split("/"))
        where = (self.topic, partition)
        if not 0 <= offset < self._scan.ends.get(where, 0):
            return None
        for message in self._scan.messages({**self._scan.ends, where: offset}):
            letter = read_letter(message) if message.offset() == offset else None
            return None if letter is None else Lying(name, letter)
        return None

    def most_event_bytes(self) -> int:
        """What the input topic takes as one record."""
        try:
            admin = AdminClient(admin_config(self._settings.kafka, self._log))
            return topics.most_message_bytes(admin, self._settings.topics.input)
        except Fenced as lost:
            raise TailError(str(lost)) from lost

    @property
    def input_partitions(self) -> int:
        """How many partitions the input topic has; 0 if there is none."""
        return len(self.read_to)


def _put_back(settings: Settings, clock: Clock, log: logging.Logger) -> dict[Place, PutBack]:
    """The last record of each event that was put back; nothing if nobody ever did."""
    found: dict[Place, PutBack] = {}
    scan = Scan(settings.kafka, [settings.topics.requeued], clock, log, may_be_missing=True)
    for message in scan.messages():
        place = Place.read((message.key() or b"").decode("utf-8", "replace"))
        told = read_put_back(message.value())
        if place is not None and told is not None:
            found[place] = told
    return found


def read_to(settings: Settings, log: logging.Logger) -> dict[tuple[str, int], int]:
    """How far the group has judged the input: its offsets, without being a member; below 0 where it has none, or where
    what was keyed by then is not judged yet. Raises TailError."""
    name = settings.topics.input
    try:
        admin = AdminClient(admin_config(settings.kafka, log))
        partitions = [
            TopicPartition(name, number)
            for number in range(topics.existing(admin, ANSWER_SECONDS).get(name, 0))
        ]
        if not partitions:
            return {}
        config = consumer_config(settings.kafka, settings.group, log)
        asker = Consumer({**config, "isolation.level": "read_uncommitted"})
        try:
            told = asker.committed(partitions, timeout=ANSWER_SECONDS)
            judged = settings.input.keyed or _is_judged(settings.topics.keyed, admin, asker)
        finally:
            asker.close()
    except Fenced as lost:
        raise TailError(f"{lost}; they should answer at {settings.kafka['bootstrap.servers']}") from lost
    except RAISED as raised:
        raise TailError(
            f"how far {settings.group} has read cannot be asked: {error_of(raised).str()}"
        ) from raised
    return {(at.topic, at.partition): at.offset if judged and at.error is None else -1 for at in told}


def _is_judged(topic: str, admin: AdminClient, asker: Consumer) -> bool:
    """Whether the gates get, within some seconds, to where the keyed topic ends now."""
    partitions = [
        TopicPartition(topic, number)
        for number in range(topics.existing(admin, ANSWER_SECONDS).get(topic, 0))
    ]
    asked = admin.list_offsets(
        {where: OffsetSpec.latest() for where in partitions}, isolation_level=IsolationLevel.READ_COMMITTED
    )
    ends = {where.partition: answered(answer, ANSWER_SECONDS) for where, answer in asked.items()}
    for _ in range(_LOOKS):
        reached = asker.committed(partitions, timeout=ANSWER_SECONDS)
        # behind the last record stands its transaction's marker
        if all(at.error is None and at.offset >= ends[at.partition] - 1 for at in reached):
            return True
        asker.poll(_LOOK_SECONDS)  # it reads nothing: a pause
    return False
