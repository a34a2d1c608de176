"""Where a journal ends is asked again while its partition is between two leaders, and no other trouble is sat out."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.runtime.kafka import journal
from consumer.runtime.transport import Fenced


class Broker:
    """Answers with these errors first, and then with an offset."""

    def __init__(self, *errors):
        self._errors = list(errors)
        self.asked = 0

    def list_offsets(self, offsets, **_):
        self.asked += 1
        answer = Future()
        if self._errors:
            answer.set_exception(KafkaException(KafkaError(self._errors.pop(0))))
        else:
            answer.set_result(SimpleNamespace(offset=7))
        return dict.fromkeys(offsets, answer)

    def list_topics(self, *_, **__): ...


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(journal, "ELECTION_PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize(
    "code", [KafkaError.FENCED_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._NOENT]
)
def test_a_partition_between_two_leaders_is_asked_again(code):
    assert journal.log_bounds(Broker(code, code), "journal", 1) == (7, 7)


def test_a_partition_that_stays_without_a_leader_is_given_up(monkeypatch):
    monkeypatch.setattr(journal, "ELECTION_SECONDS", 0.0)
    with pytest.raises(Fenced, match="cannot be asked") as raised:
        journal.log_bounds(Broker(*[KafkaError.LEADER_NOT_AVAILABLE] * 100_000), "journal", 1)
    assert raised.value.outcome == "lost"


def test_any_other_trouble_is_no_election():
    broker = Broker(KafkaError._TRANSPORT)
    with pytest.raises(Fenced):
        journal.log_bounds(broker, "journal", 1)
    assert broker.asked == 1
