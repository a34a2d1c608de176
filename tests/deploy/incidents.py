"""A real run with all that goes wrong in it: a shop's days, live visits, and what operators break."""

from __future__ import annotations

import shutil
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from consumer.local.traffic import Traffic, TrafficOptions
from consumer.runtime.clock import SystemClock
from tests.faults.feed import Sent, page_view, send_in_transactions
from tests.faults.kafka_proxy import Api, Fate
from tests.topic_reader import create_topic
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.deploy.prometheus_server import Prometheus
    from tests.faults.kafka_proxy import KafkaProxy, Request
    from tests.processes import Process, Site

VISITS_PER_SECOND = 20
PARTITIONS = 2
TWIN = "twin"
SLOW_SECONDS = 1.0
"""What a write takes longer where the broker is slow."""
SHOP = TrafficOptions(days=9, sessions_per_day=1200, purchases_per_day=40)


class Visits:
    """Visits as they happen, from a thread of their own; a share of them is garbage."""

    def __init__(self, servers: str, topic: str) -> None:
        self.garbage_share = 0.0
        self._producer = Producer(
            {"bootstrap.servers": servers, "linger.ms": 20, "partitioner": "murmur2_random"}
        )
        self._topic = topic
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._over.wait(1 / VISITS_PER_SECOND):
            number += 1
            at = datetime.now(UTC).isoformat(timespec="milliseconds")  # noqa: TID251 - it happens now
            client = f"visitor-{number // 3}"
            garbage = number % 100 < 100 * self.garbage_share
            self._producer.produce(self._topic, b"{" if garbage else page_view(client, at), client.encode())
            self._producer.poll(0)

    def close(self) -> None:
        """No more of them."""
        self._over.set()
        self._thread.join()
        self._producer.flush(10)


def slow_writes(request: Request) -> Fate:
    """Each request to write takes longer than its events took to come."""
    if request.api is Api.PRODUCE:
        time.sleep(SLOW_SECONDS)
    return Fate.PASS


class Story:
    """Breaks a site in one way after the other, until each alarm that is meant for it fires, and mends it again."""

    def __init__(
        self, site: Site, proxy: KafkaProxy, prometheus: Prometheus, say: Callable[[str], object]
    ) -> None:
        self._site = site
        self._proxy = proxy
        self._prometheus = prometheus
        self._say = say
        self._seen: dict[str, str] = {}

    def tell(self) -> None:
        """The whole of it."""
        site = self._site
        create_topic(site.servers, site.input, PARTITIONS)
        history = [Sent(event.value(), event.key()) for event in Traffic(SHOP, SystemClock()).past()]
        send_in_transactions(site.servers, site.input, history, size=len(history))
        first = self._start("a", servers=self._proxy.address)
        site.wait_until_caught_up(300)
        self._say(f"{len(history):,} events of the days before now are read")
        visits = Visits(site.servers, site.input)
        try:
            self._all_is_well(first)
            self._garbage(visits)
            self._a_file_where_the_folder_was()
            self._two_that_do_not_agree()
            self._expect("SluiceNotificationFailing")
            self._writes_that_get_lost()
            self._a_broker_that_is_away(first)
            slow = self._more_than_can_be_done(first)
            well = self._state_that_does_not_come(slow)
            self._twins(well)
            self._no_gate()
            self._nobody()
        finally:
            visits.close()

    def _start(self, name: str, *arguments: str, servers: str = "", **variables: str) -> Process:
        process = self._site.start(*arguments, servers=servers, **variables)
        self._seen[name] = process.wait_to_say("endpoints open")["address"]
        self._prometheus.scrape(self._seen)
        return process

    def _expect(self, *alarms: str) -> None:
        try:
            self._prometheus.wait_for(*alarms)
        except AssertionError as error:
            told = "\n".join(process.told() for process in self._site.processes)
            raise AssertionError(f"{error}\n{told}") from error
        for alarm in alarms:
            self._say(f"{alarm} fires")

    def _all_is_well(self, process: Process) -> None:
        process.wait_until_ready()
        time.sleep(20)  # long enough for every rate to have its numbers
        quiet = self._prometheus.firing()
        assert quiet == {"SluiceHeartbeat"}, f"all is well, and these fire: {quiet}"
        self._say("all is well, and nothing fires but the heartbeat")

    def _garbage(self, visits: Visits) -> None:
        visits.garbage_share = 0.3
        self._expect("SluiceDeadLetterShare")
        visits.garbage_share = 0.0

    def _a_file_where_the_folder_was(self) -> None:
        shutil.rmtree(self._site.out)
        self._site.out.write_text("in the way")
        self._expect("SluiceDeliveryFailing")
        self._site.out.unlink()

    def _two_that_do_not_agree(self) -> None:
        other = self._start("b", WATCH_Z="9")
        self._expect("SluiceSettingsConflict")
        other.kill()
        self._expect("SluiceProcessDown")
        del self._seen["b"]
        self._prometheus.scrape(self._seen)

    def _writes_that_get_lost(self) -> None:
        """Reading goes on, but no transaction commits."""
        self._proxy.judge = lambda request: Fate.LOSE_REQUEST if request.api is Api.PRODUCE else Fate.PASS
        self._expect("SluiceTransactionsAborted")

    def _a_broker_that_is_away(self, process: Process) -> None:
        self._proxy.judge = lambda _: Fate.LOSE_REQUEST
        self._proxy.cut()
        self._expect("SluiceNoCommits")
        self._say_why_not_ready(process)

    def _more_than_can_be_done(self, process: Process) -> Process:
        """The broker is back but slow, and the batches are small: what waits becomes more."""
        process.kill()
        self._proxy.judge = slow_writes
        slow = self._start("a", servers=self._proxy.address, BATCH_MAX_EVENTS="4")
        self._expect("SluiceLagGrowing")
        self._say_why_not_ready(slow)
        return slow

    def _state_that_does_not_come(self, process: Process) -> Process:
        """A process of another name takes over, and gets nothing of the journal for a while."""
        process.kill()
        del self._seen["a"]
        self._proxy.judge = lambda request: Fate.HOLD_ANSWER if request.api is Api.FETCH else Fate.PASS
        late = self._start("c", servers=self._proxy.address, INSTANCE=TWIN)
        self._expect("SluiceRestoring")
        self._say_why_not_ready(late)
        self._proxy.judge = lambda _: Fate.PASS
        self._proxy.release()
        self._site.wait_until_caught_up(120)
        late.wait_until_ready()
        self._say("mended, and caught up")
        return late

    def _twins(self, process: Process) -> None:
        """Two that have one name put each other out until one ends, with a sentence; its supervisor starts it again."""
        twins = {"c": process, "d": self._start("d", INSTANCE=TWIN)}
        wait_until(lambda: not all(twin.running() for twin in twins.values()), 120, "a twin ends")
        (name,) = [name for name, twin in twins.items() if not twin.running()]
        self._say(f"one of two with one name has ended: {twins[name].said('stopped')[0]['reason']}")
        twins[name] = self._start(name, INSTANCE=TWIN)
        self._expect("SluiceReconnecting")
        for twin in twins.values():
            twin.kill()
        del self._seen["d"]

    def _no_gate(self) -> None:
        self._start("c", "--roles", "watch,deliver")
        self._expect("SluiceWatermarkStalled")

    def _say_why_not_ready(self, process: Process) -> None:
        status, words = process.get("/readyz")
        assert status == HTTPStatus.SERVICE_UNAVAILABLE
        self._say(f"meanwhile /readyz says {words.strip()}")

    def _nobody(self) -> None:
        for process in self._site.processes:
            process.kill()
        self._expect("SluiceDown", "SluiceHeartbeat")
