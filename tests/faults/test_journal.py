"""A journal that cannot be read on: a broker that is away is waited for; a transaction that hangs is said."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from consumer.runtime.client_log import silent
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka import journal
from consumer.runtime.kafka.client import journal_config
from consumer.runtime.kafka.delivered_topics import TailError
from consumer.runtime.kafka.scan import Scan
from consumer.runtime.transport import Fatal, Fenced
from tests.faults.kafka_proxy import Api, Fate, KafkaProxy
from tests.topic_reader import create_topic

pytestmark = pytest.mark.broker


@pytest.fixture
def servers(kafka):
    return kafka.bootstrap_servers


@pytest.fixture
def topic(servers, topic_prefix, monkeypatch):
    monkeypatch.setattr(journal, "PATIENCE_SECONDS", 1.0)
    create_topic(servers, f"{topic_prefix}journal", 1)
    return f"{topic_prefix}journal"


@pytest.fixture
def open_transaction(servers, topic):
    """Committed records, and one more by somebody who has not decided yet."""
    producer = Producer({"bootstrap.servers": servers, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(30)
    for finish in (producer.commit_transaction, None):
        producer.begin_transaction()
        producer.produce(topic, b"entry", partition=0)
        producer.flush(30)
        if finish is not None:
            finish(30)
    yield
    producer.abort_transaction(30)


def read(address, topic):
    user = {"bootstrap.servers": address}
    config = journal_config(user, "group", silent())
    admin = AdminClient({**user, "logger": silent()})
    for _, data in journal.read(config, admin, topic, 0, "group"):
        yield data


@pytest.mark.usefixtures("open_transaction")
def test_a_hanging_transaction_is_said(servers, topic):
    found = read(servers, topic)
    assert next(found) == b"entry"
    with pytest.raises(Fatal, match="a transaction hangs on it"):
        next(found)


@pytest.mark.usefixtures("open_transaction")
def test_a_broker_that_goes_away_meanwhile_is_waited_for(servers, topic):
    away = []

    def judge(request):
        return Fate.LOSE_REQUEST if away and request.api != Api.OTHER else Fate.PASS

    with KafkaProxy(servers, judge) as proxy:
        found = read(proxy.address, topic)
        assert next(found) == b"entry"
        away.append(True)
        with pytest.raises(Fenced, match="cannot be asked") as raised:
            next(found)
        assert raised.value.outcome == "lost"


@pytest.mark.usefixtures("open_transaction")
@pytest.mark.parametrize("unanswered", [1, 2])
def test_a_broker_that_does_not_say_where_the_journal_ends_is_waited_for_not_taken_for_an_empty_journal(
    servers, topic, unanswered, monkeypatch
):
    monkeypatch.setattr(journal, "ANSWER_SECONDS", 1.0)

    def judge(request):
        silent_one = request == (Api.LIST_OFFSETS, unanswered)
        return Fate.SWALLOW_ANSWER if silent_one else Fate.PASS

    with KafkaProxy(servers, judge) as proxy:
        with pytest.raises(Fenced, match="cannot be asked: no broker answered") as raised:
            list(read(proxy.address, topic))
        assert raised.value.outcome == "lost"


def test_a_broker_that_does_not_say_where_topics_end_is_not_taken_for_empty_topics(servers, topic):
    def judge(request):
        return Fate.SWALLOW_ANSWER if request.api == Api.LIST_OFFSETS else Fate.PASS

    with KafkaProxy(servers, judge) as proxy, pytest.raises(TailError, match="no Kafka broker answers"):
        Scan({"bootstrap.servers": proxy.address}, [topic], SystemClock(), silent(), 1.0)
