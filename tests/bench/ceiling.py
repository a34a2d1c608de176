"""The ceiling: a consumer that reads everything and does nothing, alone or with one transaction a batch.

A program of its own, so that it has a process to itself as Sluice has. Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click
import psutil
from confluent_kafka import Consumer, Producer

from consumer.runtime.clock import SystemClock

BATCH = 10_000


class Ceiling:
    """Reads `records` records of a topic from their start, in batches of 10,000."""

    def __init__(self, address: str, topic: str, group: str) -> None:
        self._clock = SystemClock()
        self.begun_ms, self.begun_cpu = 0, 0.0
        self.peak_bytes = 0
        self._consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.queue.backoff.ms": 5,  # the default of 1000 stalls a fast reader
                "queued.min.messages": 1_000_000,
            }
        )
        self._consumer.subscribe([topic], on_assign=self._on_assign)

    def _on_assign(self, *_: Any) -> None:
        self.begun_ms, self.begun_cpu = self._clock.now_ms(), _cpu_seconds()

    def run(self, records: int, producer: Producer | None, topic: str) -> dict[str, float]:
        """Reads them all; how long it took from the assignment on, and what it needed."""
        left = records
        while left:
            batch = self._consumer.consume(min(BATCH, left), 0.1)
            for message in batch:
                message.value()
            left -= len(batch)
            if batch and producer is not None:
                self._commit(producer, topic)
            self.peak_bytes = max(self.peak_bytes, psutil.Process().memory_info().rss)
        seconds = (self._clock.now_ms() - self.begun_ms) / 1000
        return {
            "seconds": seconds,
            "cpu_seconds": _cpu_seconds() - self.begun_cpu,
            "peak_bytes": self.peak_bytes,
        }

    def _commit(self, producer: Producer, topic: str) -> None:
        consumer = self._consumer
        producer.begin_transaction()
        producer.produce(topic, b'{"n":1}', b"k")
        places = consumer.position(consumer.assignment())
        producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata())
        producer.commit_transaction()


def _producer(address: str, name: str) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": address,
            "transactional.id": name,
            "linger.ms": 0,
            "retry.backoff.ms": 5,
            "compression.type": "lz4",
        }
    )
    producer.init_transactions()
    return producer


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def main(address: str, topic: str, group: str, records: str, out: str = "") -> None:
    """Reads so many records; with one transaction a batch if there is a topic to write to."""
    producer = _producer(address, group) if out else None
    click.echo(json.dumps(Ceiling(address, topic, group).run(int(records), producer, out)))


if __name__ == "__main__":
    main(*sys.argv[1:])
