"""What the loop's doings come to on the metrics, on a simulated Kafka."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import LogCapture

from consumer.runtime.health import Health
from consumer.runtime.metrics import Metrics
from consumer.runtime.telemetry import COUNT_SECONDS, STANDBY_SECONDS, Telemetry
from consumer.runtime.transport import Fenced
from consumer.tasks.gate import GateTask
from tests.one_process import EVENTS, JOURNAL, OneProcess, Scripted, five_visits
from tests.simulated_transport import TOPICS, SimulatedTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.runtime.transport import Owner
    from tests.simulated_kafka import SimulatedKafka

LAG = "consumer_lag_records"


class Told(OneProcess):
    """A process that tells the telemetry, and what its metrics were at the end of every turn."""

    def __init__(self, kafka: SimulatedKafka, **faults: int) -> None:
        super().__init__(kafka, Scripted(kafka, **faults))
        self.seen: list[dict[str, float | None]] = []
        self.log = LogCapture()
        log = structlog.wrap_logger(None, processors=[self.log])
        self.metrics = Metrics({}, (), ())
        self.health = Health(1e9, 0)
        self.telemetry = Telemetry(TOPICS.facts, self.metrics, self.health, self, log)
        self.telemetry.turned = self._look
        self.after: dict[int, Callable[[], None]] = {}
        """What happens after so many turns."""
        self.loop._observer = self.telemetry

    def _look(self) -> None:
        value = self.metrics.registry.get_sample_value
        gates = [task for task in self.loop.tasks.values() if isinstance(task, GateTask)]
        self.seen.append(
            {
                "gate": value(f"sluice_{LAG}", {"role": "gate"}),
                "watch": value(f"sluice_{LAG}", {"role": "watch"}),
                "seconds": value("sluice_consumer_lag_seconds", {"role": "gate"}),
                "state": value("sluice_state_bytes", {"role": "gate"}),
                "days": value("sluice_day_metric", {"metric": "sessions", "days_ago": "0"}),
                "sessions": value("sluice_open_sessions"),
                "in memory": sum(len(gate.sessions) for gate in gates),
            }
        )
        self.after.pop(len(self.seen), lambda: None)()


@pytest.fixture
def kafka() -> SimulatedKafka:
    return five_visits()


def view(client: str, at: str) -> bytes:
    return json.dumps({"timestamp": at, "event_name": "page_viewed", "client_id": client}).encode()


def test_no_record_is_waiting_once_everything_is_read_markers_or_not(kafka):
    shop = kafka.begin("shop", kafka.init_transactions("shop"))
    kafka.write(shop, EVENTS, view("c6", "2025-02-27T12:06:00Z"), None, None)
    kafka.end(shop, "committed")
    process = Told(kafka)
    process.run(20)
    assert kafka.logs[EVENTS].end == kafka.offsets[EVENTS] == 7
    assert process.seen[-1]["gate"] == process.seen[-1]["watch"] == 0


def test_what_waits_is_not_known_while_there_is_no_connection_or_no_partition(kafka):
    process = Told(kafka)
    value = process.metrics.registry.get_sample_value
    names = ("sluice_consumer_lag_records", "sluice_consumer_lag_seconds")

    def lag():
        return {value(name, {"role": role}) for name in names for role in ("gate", "watch")}

    def known_and_then_lost() -> None:
        assert lag() == {0}
        process.telemetry.recovering(Fenced("no broker", outcome="lost"))
        found.append(lag())

    found = [lag()]
    process.after[10] = known_and_then_lost
    process.run(20)
    found.append(lag())  # it has given its partitions up, as the client does when it has lost the group
    process.telemetry.waiting({})
    found.append(lag())
    assert len(found) == 4
    assert all(math.isnan(number) for numbers in found for number in numbers)


def test_what_is_read_but_not_committed_still_waits(kafka):
    process = Told(kafka, commit_refused=3)
    process.run(20)
    assert [seen["gate"] for seen in process.seen].count(5) == 3
    assert process.seen[-1]["gate"] == 0


def test_open_sessions_are_those_that_can_still_be_joined_however_many_are_in_memory(kafka):
    process = Told(kafka)

    def three_hours_later() -> None:
        assert process.seen[-1]["sessions"] == 5
        kafka.advance(COUNT_SECONDS)
        for number in range(40):
            kafka.logs[EVENTS].append(view(f"d{number}", f"2025-02-27T15:00:{number:02d}Z"))

    process.after[10] = three_hours_later
    process.run(20)
    last = process.seen[-1]
    assert (last["gate"], last["watch"], last["sessions"], last["in memory"]) == (0, 0, 40, 45)


def put(process: Told, *events: bytes) -> None:
    for event in events:
        process.kafka.logs[EVENTS].append(event, timestamp_ms=process.now_ms())


def test_what_waits_is_as_old_as_the_oldest_record_that_is_not_committed(kafka):
    process = Told(kafka)

    def trouble() -> None:
        process.fate.faults["commit_refused"] = 4
        put(process, view("c8", "2025-02-27T12:08:00Z"))

    process.after[10] = trouble
    process.run(30)
    waited = [seen["seconds"] for seen in process.seen if seen["gate"] == 1]
    assert len(waited) == 4
    assert waited == sorted(set(waited))
    assert process.seen[-1]["seconds"] == 0


def test_a_process_that_falls_behind_is_not_ready_says_so_once_and_says_when_it_keeps_up_again(kafka):
    process, reasons = Told(kafka), []

    def trouble() -> None:
        process.fate.faults["commit_refused"] = 60
        put(process, view("c8", "2025-02-27T12:08:00Z"))

    process.after[10] = trouble
    process.after[65] = lambda: reasons.extend(process.health.not_ready(kafka.now))
    process.after[99] = lambda: reasons.extend(process.health.not_ready(kafka.now))
    process.run(100)
    assert len(reasons) == 1
    assert reasons[0].startswith("the gate is behind: 1 records wait, the oldest for ")
    assert roles_told(process)[2:] == [("behind", "gate"), ("caught up", "gate")]


def roles_told(process):
    return [(line["event"], line["role"]) for line in process.log.entries if "role" in line]


def test_who_has_read_everything_says_so_once_a_connection(kafka):
    process = Told(kafka)
    process.run(40)
    assert sorted(roles_told(process)) == [("caught up", "gate"), ("caught up", "watch")]
    process.fate.faults["connection_lost"] = 1
    process.run(40)
    assert sorted(roles_told(process)) == 2 * [("caught up", "gate")] + 2 * [("caught up", "watch")]


def test_what_was_written_a_moment_ago_is_not_read_yet(kafka):
    process = Told(kafka)
    process.fate.faults["commit_refused"] = 5
    process.run(5)
    assert ("caught up", "gate") not in roles_told(process)


def test_a_restore_is_seen_to_move_and_what_it_read_is_the_state(kafka):
    first = Told(kafka)
    first.loop._options = replace(first.loop._options, most_records=1)
    put(first, *(view(f"e{number}", f"2025-02-27T12:{number % 60:02d}:30Z") for number in range(150)))
    first.run(400)
    written = sum(
        len(entry.record.value()) for entry in kafka.logs[JOURNAL].entries if entry.record is not None
    )
    assert first.seen[-1]["state"] == written

    second, reasons = Told(kafka), []
    second.telemetry.turned = lambda: (
        reasons.extend(second.health.not_ready(kafka.now)),
        second._look(),
    )
    second.run(10)
    assert "restoring events[0]: 100 entries of its journal read" in reasons
    value = second.metrics.registry.get_sample_value
    assert value("sluice_restored_entries_total") > 155
    assert value("sluice_restoring_partitions") == 0
    assert max(seen["state"] for seen in second.seen) >= written


class Empty(Told):
    """A process that is given nothing; whether the group has taken it in is told turn by turn."""

    def __init__(self, kafka: SimulatedKafka, *joined: bool) -> None:
        super().__init__(kafka)
        kafka.group.claim = lambda _: []
        answers = iter(joined)
        connect = self.loop._connect

        def connect_as_told(owner: Owner) -> SimulatedTransport:
            transport = connect(owner)
            transport.joined = lambda: next(answers)
            return transport

        self.loop._connect = connect_as_told

    def reasons_after(self, turns: int) -> list[str]:
        self.run(turns + 1)  # the loop asks once more before it connects
        return self.health.not_ready(self.kafka.now)


def turns(seconds: float) -> int:
    return round(seconds / 0.25)  # the loop's wait for records


def test_who_was_never_taken_into_the_group_does_not_stand_by_however_long_it_waits(kafka):
    waits = turns(10 * STANDBY_SECONDS)
    process = Empty(kafka, *[False] * waits)
    assert process.reasons_after(waits) == ["waiting to be taken into the group"]


def test_who_has_joined_and_is_given_nothing_stands_by_from_the_time_it_joined(kafka):
    waits = turns(STANDBY_SECONDS)
    answers = [*[False] * 2 * waits, *[True] * 2 * waits]
    assert Empty(kafka, *answers).reasons_after(3 * waits) == ["waiting for partitions"]
    assert Empty(kafka, *answers).reasons_after(4 * waits) == []


def test_who_fell_out_of_the_group_no_longer_stands_by(kafka):
    waits = 2 * turns(STANDBY_SECONDS)
    process = Empty(kafka, *[True] * waits, *[False])
    assert process.reasons_after(waits + 1) == ["waiting to be taken into the group"]


def test_who_waits_for_a_group_whose_brokers_are_gone_says_that_of_the_brokers(kafka, monkeypatch):
    monkeypatch.setattr(SimulatedTransport, "reached", lambda _: False)
    assert Empty(kafka, *[False] * 4).reasons_after(4) == ["no Kafka broker can be reached"]


def test_the_newest_days_are_shown_once_the_watch_has_them(kafka):
    process = Told(kafka)

    def later() -> None:
        kafka.advance(COUNT_SECONDS)
        put(process, view("f1", "2025-02-27T12:09:00Z"))

    process.after |= {10: later, 20: later}
    process.run(30)
    assert process.seen[0]["days"] is None
    assert process.seen[-1]["days"] == 6


def test_what_the_state_says_is_shown_as_soon_as_it_is_restored(kafka):
    Told(kafka).run(20)
    later, seen = Told(kafka), []
    later.telemetry.committed = lambda *_: None
    later.telemetry.turned = lambda: seen.append(
        later.metrics.registry.get_sample_value("sluice_watermark_timestamp_seconds", {"role": "watch"})
    )
    later.run(10)
    assert seen[-1] > 0


def test_alerts_and_days_are_lines_of_the_log_without_a_word_out_of_an_event(kafka):
    process = Told(kafka)
    order = '{"transaction_id":"ORD-%s","total_item_quantity":1,"revenue":%s,"items":[{"item_id":"x"}]}'
    for revenue in (10, 20):
        event = json.loads(view("g1", "2025-02-27T12:07:00Z")) | {"event_name": "checkout_completed"}
        kafka.logs[EVENTS].append(json.dumps(event | {"event_data": order % (7, revenue)}).encode())
    process.run(20)
    for number in range(40):
        kafka.logs[EVENTS].append(view(f"h{number}", f"2025-02-28T02:00:{number:02d}Z"))
    process.run(30)
    news = [line for line in process.log.entries if line["event"] in ("alert", "day judged")]
    opened, judged = news[0], news[-1]
    assert (opened["kind"], opened["state"], opened["log_level"]) == (
        "transaction_collision",
        "open",
        "warning",
    )
    assert (judged["day"], judged["status"], judged["log_level"]) == ("2025-02-27", "quarantined", "warning")
    assert "ORD-7" not in json.dumps(news)
    assert len(news) == 2
