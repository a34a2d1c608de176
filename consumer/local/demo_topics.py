"""What the demo knows of the numbers: only what everybody can read, in the topics of days, alerts and dead letters."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from consumer.local.demo_error import DemoError
from consumer.runtime.kafka.client import RAISED, error_of
from reports.deliver import Deliverer, read_alert

if TYPE_CHECKING:
    from consumer.settings import Settings
    from detectors.alerts import Alert

MOST_PER_TURN = 5_000
ANSWER_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.2

_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - the client's own name
_ORIGIN = ("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset")

Place = tuple[str, int]


class TopicReader:
    """Reads committed records only, outside of any group. Raises DemoError.

    `deliverer` holds days and alerts, `opened` each alert as it was told first, by id; `letters` counts dead letters by
    reason, `repeated` those that stood for the same place of the input before.
    """

    def __init__(self, settings: Settings) -> None:
        self._topics = settings.topics
        self.deliverer = Deliverer()
        self.opened: dict[str, Alert] = {}
        self.letters: Counter[str] = Counter()
        self.repeated = 0
        self._origins: set[tuple[bytes | None, ...]] = set()
        self._next: dict[Place, int] = {}
        silent = logging.Logger("librdkafka")  # noqa: LOG001 - outside of the tree of loggers, so that it says nothing
        silent.addHandler(logging.NullHandler())
        self._consumer = Consumer(
            {
                **settings.kafka,
                "logger": silent,
                "group.id": f"{settings.group}-demo",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
            }
        )

    def turn(self, wait_seconds: float) -> None:
        """Takes in what has come, after waiting for it for at most about so long."""
        try:
            if not self._next and not self._find_topics():
                self._consumer.poll(LOOK_AGAIN_SECONDS)
                return
            for message in self._consumer.consume(MOST_PER_TURN, wait_seconds):
                self._see(message)
        except RAISED as raised:
            raise DemoError(f"the topics cannot be read: {error_of(raised).str()}") from raised

    def is_at_end(self) -> bool:
        """Whether everything that is committed by now has been taken in."""
        try:
            return bool(self._next) and all(
                offset >= self._consumer.get_watermark_offsets(TopicPartition(*place), ANSWER_SECONDS)[1]
                for place, offset in self._next.items()
            )
        except RAISED as raised:
            raise DemoError(f"the topics cannot be read: {error_of(raised).str()}") from raised

    def close(self) -> None:
        """Lets the broker go."""
        self._consumer.close()

    def _find_topics(self) -> bool:
        """Begins with the first record of each topic, once the daemon has created them."""
        wanted = {self._topics.days, self._topics.alerts, self._topics.dead_letters}
        known = self._consumer.list_topics(timeout=ANSWER_SECONDS).topics
        if not wanted <= known.keys():
            return False
        self._next = {(topic, number): 0 for topic in wanted for number in known[topic].partitions}
        self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._next])
        return True

    def _see(self, message: Any) -> None:
        place, error = (message.topic(), message.partition()), message.error()
        if error is not None:
            if error.code() == _EOF:
                self._next[place] = message.offset()
            return
        self._next[place] = message.offset() + 1
        if message.topic() == self._topics.days:
            self.deliverer.see_day(message.key(), message.value())
        elif message.topic() == self._topics.alerts:
            self._see_alert(message.key(), message.value())
        else:
            self._see_letter(dict(message.headers() or ()))

    def _see_alert(self, key: bytes | None, value: bytes | None) -> None:
        self.deliverer.see_alert(key, value)
        alert = read_alert((key or b"").decode("utf-8", "replace"), value or b"")
        if alert is not None:
            self.opened.setdefault(alert.id, alert)

    def _see_letter(self, headers: dict[str, bytes | None]) -> None:
        origin = tuple(headers.get(name) for name in _ORIGIN)
        self.repeated += origin in self._origins
        self._origins.add(origin)
        self.letters[(headers.get("sluice.reason") or b"no reason").decode("utf-8", "replace")] += 1
