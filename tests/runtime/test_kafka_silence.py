"""A broker that answers some questions and then none (it stands still, its disk does) is named in a sentence."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from consumer.runtime.kafka import notice_log, requeue, rights, sender, topics
from consumer.runtime.kafka.notice_log import NoticeLog, NoticeLogError
from consumer.runtime.kafka.requeue import RequeueError, Requeuer
from consumer.runtime.kafka.sender import Sender, SendError
from consumer.runtime.transport import Fenced
from consumer.settings import load_settings


class Silent:
    """Knows of no topic, and answers nothing else."""

    def __init__(self, _: object = None) -> None: ...

    def list_topics(self, *_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(topics={})

    def create_topics(self, new: list, **_: object) -> dict[str, Future]:
        return {one.topic: Future() for one in new}

    def create_partitions(self, more: list, **_: object) -> dict[str, Future]:
        return {one.topic: Future() for one in more}

    def describe_configs(self, asked: list, **_: object) -> dict[object, Future]:
        return {one: Future() for one in asked}

    def describe_topics(self, *_: object, **__: object) -> dict[str, Future]:
        return {"events": Future()}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for module, names in (
        (topics, ["TIMEOUT_SECONDS"]),
        (sender, ["TIMEOUT_SECONDS"]),
        (notice_log, ["ANSWER_SECONDS"]),
    ):
        for name in names:
            monkeypatch.setattr(module, name, -5.0)  # what waits a little longer does not wait either
    for module in (requeue, sender, notice_log):
        monkeypatch.setattr(module, "AdminClient", Silent)


def test_what_a_topic_takes_is_asked_again():
    with pytest.raises(
        Fenced, match="settings of the topic events cannot be asked: no broker answered in time"
    ):
        topics.most_message_bytes(Silent(), "events")


def test_a_topic_that_was_not_created_in_time_is_tried_again():
    with pytest.raises(
        Fenced, match="could not create the topic events: no broker answered in time"
    ) as raised:
        topics._create(Silent(), "events", 1, 1, {})
    assert raised.value.outcome == "lost"


def test_events_are_not_put_back():
    with pytest.raises(RequeueError, match=r"create the topic events\.requeued: no broker answered in time"):
        Requeuer(load_settings(None, {}), logging.getLogger("silent"))


def test_files_are_not_sent():
    with pytest.raises(SendError, match="could not create the topic events: no broker answered in time"):
        Sender({"bootstrap.servers": "127.0.0.1:9"}, "events", 1, 1)


def test_what_was_told_is_not_taken_over():
    log = NoticeLog({}, "sluice", "sluice.notices", 1, SimpleNamespace(), logging.getLogger("silent"))
    with pytest.raises(NoticeLogError, match="cannot be taken over: no broker answered in time"):
        log.open()


def test_of_rights_nothing_is_claimed():
    assert rights.given(Silent(), ["events"], timeout_seconds=-1) == {}
