"""The watch on facts made by hand: days that close and are amended, purchases, verdicts, alerts, and event time."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest

from consumer.core.days import Receipt
from consumer.core.facts import Command, Facts, GateReport, MinuteFacts
from consumer.core.instant import rfc3339
from consumer.core.purchases import PurchaseFact
from consumer.core.record import StoredRecord
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.core.wire import WireError, read_entry, to_json
from consumer.tasks.task import Moment
from consumer.tasks.watch import WatchTask
from detectors.alerts import Alert
from tests.shop_contract import watch_options

HOUR_MS = 60 * MINUTE_MS
THURSDAY, FRIDAY = "2025-02-27", "2025-02-28"
MIDNIGHT = 1_740_614_400_000
"""The beginning of Thursday."""
CLOSING = MIDNIGHT + DAY_MS + HOUR_MS
"""When Thursday closes: an hour after its end."""
WALL_MS = 1_750_000_000_000
JUDGED_AFTER_MS = 4 * MINUTE_MS
"""What happened in a minute is judged at its end, once the watermark has left it by the hold."""


class Watched:
    """A watch that is fed reports of gates, and what came out of it."""

    def __init__(self, partitions: int = 1) -> None:
        self.task = WatchTask(watch_options())
        self.task.begin(0)
        self.journal: list[bytes] = []
        self.partitions = partitions
        self.receipts: dict[str, Receipt] = {}
        self.alerts: dict[str, Alert] = {}
        self.sequence = dict.fromkeys(range(partitions), 0)

    def tell(
        self,
        stream_ms: int | None,
        *purchases: PurchaseFact,
        at_ms: int | None = None,
        partition: int = 0,
        **facts: Any,
    ) -> None:
        """One report: a stream's time, purchases, and the facts of the minute `at_ms` (default: the stream's time)."""
        at = at_ms if at_ms is not None else stream_ms
        minutes = {at // MINUTE_MS: MinuteFacts(**facts)} if facts and at is not None else {}
        self.tell_minutes(stream_ms, minutes, *purchases, partition=partition)

    def tell_minutes(
        self,
        stream_ms: int | None,
        minutes: dict[int, MinuteFacts],
        *purchases: PurchaseFact,
        partition: int = 0,
    ) -> None:
        """One report of the facts of several minutes."""
        self.sequence[partition] += 1
        report = GateReport(
            partition, self.sequence[partition], self.partitions, "shop 1.0.0", WALL_MS, stream_ms,
            facts=Facts(minutes, list(purchases)),
        )  # fmt: skip
        self.read(to_json(report))

    def read(self, *values: bytes) -> None:
        records = [StoredRecord(value) for value in values]
        moment = Moment(WALL_MS, (self.task.next_offset or 0) + len(values))
        self._apply(self.task.decide(records, moment))

    def end(self) -> None:
        self._apply(self.task.close_all(Moment(WALL_MS, self.task.next_offset or 0)))

    def restart(self) -> None:
        """A new process: the state comes from the journal."""
        self.task = WatchTask(watch_options())
        for data in self.journal:
            self.task.replay(read_entry(data))
        self.task.restored()

    def _apply(self, decision):
        self.told = []
        for output in decision.outputs:
            if output.topic == "sluice.days":
                receipt = msgspec.json.decode(output.value, type=Receipt)
                self.receipts[receipt.day] = receipt
                self.told.append(receipt.day)
            else:
                alert = msgspec.json.decode(output.value, type=Alert)
                self.alerts[alert.id] = alert
        self.journal += decision.journal
        self.task.apply(decision)

    def alert(self, kind: str) -> Alert:
        """The one alert of this kind."""
        (alert,) = [alert for alert in self.alerts.values() if alert.kind == kind]
        return alert


def purchase(
    name: str = "t1", at_ms: int = MIDNIGHT + HOUR_MS, content: str = "a", amount: str | None = "10"
) -> PurchaseFact:
    return PurchaseFact(name, at_ms, content, None if amount is None else Decimal(amount))


@pytest.fixture
def watch() -> Watched:
    return Watched()


# -- days --------------------------------------------------------------------------------------------------------


def test_a_day_is_open_until_the_watermark_has_left_it_by_an_hour(watch):
    watch.tell(CLOSING - 1, at_ms=MIDNIGHT, events=3, sessions=2)
    assert (watch.receipts[THURSDAY].status, watch.receipts[THURSDAY].revision) == ("open", 0)
    watch.tell(CLOSING)
    receipt = watch.receipts[THURSDAY]
    assert (receipt.status, receipt.revision, receipt.closed_at) == ("pass", 1, "2025-02-28T01:00:00.000Z")
    assert receipt.metrics.sessions == 2


def test_a_late_event_amends_a_closed_day_and_is_counted_as_late(watch):
    watch.tell(CLOSING, at_ms=MIDNIGHT, events=3, sessions=2)
    watch.tell(CLOSING + 1, at_ms=MIDNIGHT + 5, events=1, sessions=1)
    receipt = watch.receipts[THURSDAY]
    assert (receipt.status, receipt.revision) == ("pass", 2)
    assert (receipt.counts.events, receipt.counts.late, receipt.metrics.sessions) == (4, 1, 3)


def test_history_has_an_entry_for_every_change_of_status_and_no_other(watch):
    watch.tell(CLOSING, purchase(), at_ms=MIDNIGHT, events=1)
    watch.tell(CLOSING + 1, at_ms=MIDNIGHT, events=1)
    watch.tell(CLOSING + 2, at_ms=MIDNIGHT, events=1, rejected={"purchase_id": 1})
    watch.tell(CLOSING + 3, purchase(content="b"), at_ms=MIDNIGHT, events=1)
    history = watch.receipts[THURSDAY].history
    assert [(it.revision, it.status) for it in history] == [(1, "pass"), (3, "at_risk"), (4, "quarantined")]


def test_a_day_that_no_stream_has_reached_is_kept_but_not_told(watch):
    watch.tell(MIDNIGHT + HOUR_MS, at_ms=MIDNIGHT + 3 * DAY_MS, events=2)
    watch.tell(MIDNIGHT + HOUR_MS, events=1)
    assert watch.receipts.keys() == {THURSDAY}
    watch.tell(MIDNIGHT + 3 * DAY_MS)
    assert watch.receipts["2025-03-02"].counts.events == 2
    assert watch.receipts.keys() == {THURSDAY, "2025-03-02"}


def test_a_day_is_real_as_soon_as_one_partition_has_reached_it():
    watch = Watched(partitions=2)
    watch.tell(MIDNIGHT + DAY_MS, events=1, partition=1)
    assert watch.receipts[FRIDAY].status == "open"


def test_no_day_closes_before_every_partition_has_told_its_time():
    watch = Watched(partitions=2)
    watch.tell(CLOSING + DAY_MS, at_ms=MIDNIGHT, events=1)
    assert watch.receipts[THURSDAY].status == "open"
    watch.tell(CLOSING - 1, partition=1)
    assert watch.receipts[THURSDAY].status == "open"
    watch.tell(CLOSING, partition=1)
    assert watch.receipts[THURSDAY].status == "pass"


def test_a_partition_that_is_added_does_not_take_the_watermark_back(watch):
    watch.tell(CLOSING, at_ms=MIDNIGHT, events=1)
    watch.partitions, watch.sequence[1] = 2, 0
    watch.tell(CLOSING + HOUR_MS)
    assert watch.task.clock.watermark_ms == CLOSING
    watch.tell(MIDNIGHT, partition=1, events=1)
    assert watch.task.clock.watermark_ms == CLOSING
    assert watch.receipts[THURSDAY].counts.late == 1


def test_a_day_without_sessions_has_no_rates_and_says_why(watch):
    watch.tell(MIDNIGHT, events=3)
    receipt = watch.receipts[THURSDAY]
    assert receipt.metrics.conversion_rate is None
    assert receipt.not_measurable.keys() == {"conversion_rate", "direct_share"}


def test_only_days_that_changed_are_told_again(watch):
    watch.tell(MIDNIGHT + DAY_MS, at_ms=MIDNIGHT, events=1)
    watch.tell(MIDNIGHT + DAY_MS, events=1)
    assert watch.told == [FRIDAY]


# -- the end of all input ----------------------------------------------------------------------------------------


def test_at_the_end_every_day_that_was_reached_closes_and_no_other_appears(watch):
    watch.tell(MIDNIGHT + DAY_MS, at_ms=MIDNIGHT, events=10)
    watch.tell(MIDNIGHT + DAY_MS, events=10)
    watch.end()
    assert {day: it.status for day, it in watch.receipts.items()} == {THURSDAY: "pass", FRIDAY: "pass"}


@pytest.mark.parametrize(
    ("days_later", "events", "real"),
    [(1, 10, True), (1, 9, False), (7, 10, True), (8, 100, False), (365, 100, False)],
)
def test_at_the_end_a_day_of_few_visitors_is_real_but_a_clock_that_runs_ahead_makes_none(
    watch, days_later, events, real
):
    watch.tell(MIDNIGHT, events=100)
    watch.tell(MIDNIGHT, at_ms=MIDNIGHT + days_later * DAY_MS, events=events)
    watch.end()
    assert len(watch.receipts) == 1 + real
    assert all(receipt.status == "pass" for receipt in watch.receipts.values())


def test_nothing_at_all_ends_with_nothing(watch):
    watch.end()
    assert watch.receipts == {}


# -- purchases ---------------------------------------------------------------------------------------------------


def test_a_replay_counts_once_on_the_day_of_the_earliest(watch):
    watch.tell(MIDNIGHT + 2 * DAY_MS, purchase(at_ms=MIDNIGHT + DAY_MS), events=1)
    assert watch.receipts[FRIDAY].metrics.revenue == "10.00"
    watch.tell(MIDNIGHT + 2 * DAY_MS, purchase(at_ms=MIDNIGHT), events=1)
    thursday, friday = watch.receipts[THURSDAY], watch.receipts[FRIDAY]
    assert (thursday.metrics.purchases, thursday.metrics.revenue, thursday.counts.replays) == (1, "10.00", 0)
    assert (friday.metrics.purchases, friday.metrics.revenue, friday.counts.replays) == (0, "0.00", 1)


def test_a_collision_takes_back_what_was_counted_even_from_a_closed_day(watch):
    watch.tell(CLOSING, purchase(amount="10.5"), at_ms=MIDNIGHT, events=1, sessions=1)
    assert watch.receipts[THURSDAY].metrics.revenue == "10.50"
    watch.tell(CLOSING, purchase(at_ms=CLOSING, content="b"), events=1)
    thursday = watch.receipts[THURSDAY]
    assert (thursday.status, thursday.revision) == ("quarantined", 2)
    assert (thursday.metrics.purchases, Decimal(thursday.metrics.revenue or 1)) == (0, 0)
    assert watch.receipts[FRIDAY].verdict == "quarantined"
    alert = watch.alert("transaction_collision")
    assert (alert.severity, alert.subject, alert.count, alert.state) == ("P0_BLOCKER", "t1", 2, "open")
    assert alert.first_seen == "2025-02-27T01:00:00.000Z"
    assert alert.opened_at == "2025-02-28T01:00:00.000Z"


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(("contents", "known_at"), [("aab", 2), ("aba", 1), ("abc", 1), ("baa", 1)])
def test_a_collision_was_known_with_its_second_content_in_whatever_order_they_arrive(
    watch, order, contents, known_at
):
    ats = [MIDNIGHT + number * HOUR_MS for number in range(3)]
    for number in order:
        watch.tell(ats[2], purchase(at_ms=ats[number], content=contents[number]), events=1)
    alert = watch.alert("transaction_collision")
    assert (alert.first_seen, alert.opened_at) == (rfc3339(ats[0]), rfc3339(ats[known_at]))


def test_a_third_copy_makes_no_second_alert(watch):
    for number, content in enumerate("abc"):
        watch.tell(MIDNIGHT, purchase(content=content, at_ms=MIDNIGHT + number), events=1)
    assert watch.alert("transaction_collision").count == 3


@pytest.mark.parametrize("at_once", [True, False])
def test_many_collisions_of_a_day_are_twenty_alerts_and_one_for_the_rest(watch, at_once):
    pairs = [
        [purchase(f"t{number}", content=content, at_ms=MIDNIGHT) for content in "ab"] for number in range(100)
    ]
    for tell in [[one for pair in pairs for one in pair]] if at_once else pairs:
        watch.tell(MIDNIGHT + HOUR_MS, *tell, events=len(tell))
    alerts = [alert for alert in watch.alerts.values() if alert.kind == "transaction_collision"]
    (rest,) = [alert for alert in alerts if not alert.subject]
    assert len(alerts) == 21
    assert (rest.severity, rest.day, rest.count) == ("P0_BLOCKER", THURSDAY, 200)
    assert rest.message.startswith("200 purchases on 2025-02-27 share a transaction id")


def test_a_collision_that_was_told_for_itself_goes_on_for_itself_when_its_day_has_too_many(watch):
    for number in range(30):
        pair = [purchase(f"t{number}", content=content, at_ms=MIDNIGHT) for content in "ab"]
        watch.tell(MIDNIGHT + HOUR_MS, *pair, events=2)
    watch.tell(MIDNIGHT + HOUR_MS, purchase("t3", content="c", at_ms=MIDNIGHT), events=1)
    (alert,) = [alert for alert in watch.alerts.values() if alert.subject == "t3"]
    assert alert.count == 3


def test_each_day_of_a_storm_of_collisions_has_an_alert_for_the_rest(watch):
    for start in (MIDNIGHT, MIDNIGHT + DAY_MS):
        copies = [
            purchase(f"{start}-{number}", content=content, at_ms=start)
            for number in range(25)
            for content in "ab"
        ]
        watch.tell(start + HOUR_MS, *copies, events=50)
    rest = [
        alert for alert in watch.alerts.values() if alert.kind.endswith("collision") and not alert.subject
    ]
    assert sorted((alert.day, alert.count) for alert in rest) == [(THURSDAY, 50), (FRIDAY, 50)]


def test_an_invalid_purchase_collides_with_a_valid_one_of_its_id(watch):
    watch.tell(MIDNIGHT, purchase(amount=None, content="free"), purchase(), events=2)
    assert watch.receipts[THURSDAY].counts.collisions == 2
    assert watch.receipts[THURSDAY].metrics.purchases == 0


def test_invalid_purchases_put_the_day_at_risk_under_one_note(watch):
    watch.tell(CLOSING, at_ms=MIDNIGHT, events=2, rejected={"purchase_revenue": 2})
    watch.tell(CLOSING, at_ms=MIDNIGHT + HOUR_MS, events=1, rejected={"purchase_id": 1, "not_json": 4})
    assert watch.receipts[THURSDAY].status == "at_risk"
    alert = watch.alert("purchase_invalid")
    assert (alert.severity, alert.count, alert.day) == ("P2_NOTE", 3, THURSDAY)
    assert alert.evidence["reasons"] == {"purchase_id": 1, "purchase_revenue": 2}


@pytest.mark.parametrize(("beyond_ms", "replays"), [(0, 1), (1, 0)])
def test_a_transaction_id_is_forgotten_35_days_after_its_last_event(watch, beyond_ms, replays):
    watch.tell(MIDNIGHT, purchase(at_ms=MIDNIGHT), events=1)
    later = MIDNIGHT + 35 * DAY_MS + beyond_ms
    watch.tell(later)
    watch.tell(later, purchase(at_ms=later, content="a"), events=1)
    day = watch.receipts["2025-04-03"]
    assert (day.counts.replays, day.metrics.purchases) == (replays, 1 - replays)


def test_forgotten_ids_and_expired_alerts_leave_the_state(watch, monkeypatch):
    monkeypatch.setattr("consumer.core.state.FEWEST_KEYS", 1)
    watch.tell(MIDNIGHT, purchase(), purchase(content="b"), purchase("t2"), events=3)
    for number in range(20):
        watch.tell(MIDNIGHT + 40 * DAY_MS + number)
    assert watch.task.state.ids == {}
    assert watch.task.state.alerts == {}
    watch.restart()
    assert watch.task.state.ids == {}


def test_a_lasting_collision_is_remembered_as_long_as_it_is_seen(watch):
    for number in range(4):
        at = MIDNIGHT + number * 30 * DAY_MS
        watch.tell(at, purchase(content=f"{number}", at_ms=at), events=1)
    assert watch.alert("transaction_collision").count == 4


# -- alerts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(("after_ms", "state"), [(DAY_MS - 1, "open"), (DAY_MS + JUDGED_AFTER_MS, "expired")])
def test_an_alert_expires_a_day_after_its_last_evidence_also_when_it_was_restored(
    watch, restarted, after_ms, state
):
    watch.tell(MIDNIGHT, at_ms=MIDNIGHT, events=1, rejected={"purchase_id": 1})
    watch.tell(MIDNIGHT, at_ms=MIDNIGHT + HOUR_MS, events=1, rejected={"purchase_id": 1})
    if restarted:
        watch.restart()
    watch.tell(MIDNIGHT + HOUR_MS + after_ms)
    alert = watch.alert("purchase_invalid")
    assert alert.state == state
    assert alert.resolved_at == ("2025-02-28T01:01:00.000Z" if state == "expired" else None)


def test_evidence_for_an_expired_alert_opens_the_same_one_again(watch):
    watch.tell(MIDNIGHT, events=1, rejected={"purchase_id": 1})
    watch.tell(MIDNIGHT + DAY_MS + JUDGED_AFTER_MS)
    watch.tell(
        MIDNIGHT + DAY_MS + JUDGED_AFTER_MS,
        at_ms=MIDNIGHT + 23 * HOUR_MS,
        events=1,
        rejected={"purchase_id": 1},
    )
    assert (watch.alert("purchase_invalid").state, watch.alert("purchase_invalid").resolved_at) == (
        "open",
        None,
    )
    watch.tell(MIDNIGHT + 47 * HOUR_MS + JUDGED_AFTER_MS)
    assert watch.alert("purchase_invalid").resolved_at == "2025-02-28T23:01:00.000Z"


# -- operators ---------------------------------------------------------------------------------------------------


def release(day: str, action: str = "release") -> bytes:
    return to_json(Command(action, day, "ann", "checked by hand", WALL_MS))


def quarantined(watch: Watched) -> None:
    watch.tell(CLOSING, purchase(), purchase(content="b"), at_ms=MIDNIGHT, events=2)
    assert watch.receipts[THURSDAY].status == "quarantined"


def test_a_quarantined_day_is_released_on_record(watch):
    quarantined(watch)
    watch.read(release(THURSDAY))
    receipt = watch.receipts[THURSDAY]
    assert (receipt.status, receipt.verdict, receipt.revision) == ("released", "quarantined", 2)
    entry = receipt.history[-1]
    assert (entry.status, entry.reason, entry.by) == ("released", "checked by hand", "ann")
    assert (entry.at, entry.decided_at) == (receipt.watermark, rfc3339(WALL_MS))
    assert receipt.history[0].decided_at is None


def test_a_clock_beyond_the_calendar_stops_no_release(watch):
    quarantined(watch)
    watch.read(to_json(Command("release", THURSDAY, "ann", "checked by hand", 10**18)))
    assert watch.receipts[THURSDAY].history[-1].decided_at == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    "value", [release("2025-01-01"), release("not a day"), release(THURSDAY, "frobnicate"), release(FRIDAY)]
)
def test_a_command_that_does_not_fit_changes_nothing(watch, value):
    quarantined(watch)
    watch.tell(CLOSING, events=1)
    before = deepcopy(watch.task.state)
    watch.read(value)
    assert watch.task.state == before


# -- the chain ---------------------------------------------------------------------------------------------------


def test_facts_with_a_hole_are_refused(watch):
    watch.tell(MIDNIGHT, events=1)
    watch.sequence[0] += 1
    with pytest.raises(WireError, match="number 3 came after number 1"):
        watch.tell(MIDNIGHT, events=1)
    assert watch.task.state.days[THURSDAY].events == 1


def test_facts_that_come_twice_are_refused(watch):
    watch.tell(MIDNIGHT, events=1)
    watch.sequence[0] -= 1
    with pytest.raises(WireError, match="number 1 came after number 1"):
        watch.tell(MIDNIGHT, events=1)


def test_only_the_last_part_of_a_report_moves_event_time(watch):
    def part(number: int, stream_ms: int | None) -> bytes:
        facts = Facts({MIDNIGHT // MINUTE_MS: MinuteFacts(events=1)})
        return to_json(GateReport(0, 1, 1, "c", WALL_MS, stream_ms, facts=facts, part=number, parts=3))

    watch.read(part(1, None))
    watch.read(part(2, None))
    assert watch.task.clock.watermark_ms is None
    watch.read(part(3, MIDNIGHT))
    assert watch.task.clock.watermark_ms == MIDNIGHT
    assert watch.receipts[THURSDAY].counts.events == 3


def test_deciding_changes_nothing_and_says_the_same_again(watch):
    quarantined(watch)
    report = GateReport(
        0, 2, 1, "c", WALL_MS, CLOSING + DAY_MS,
        facts=Facts({CLOSING // MINUTE_MS: MinuteFacts(events=1)}, [purchase("t9"), purchase(content="c")]),
    )  # fmt: skip
    records = [StoredRecord(to_json(report))]
    before = deepcopy(watch.task.state)
    first, second = (watch.task.decide(records, Moment(WALL_MS, 9)) for _ in range(2))
    assert (first.outputs, first.journal) == (second.outputs, second.journal)
    assert watch.task.state == before


def test_nothing_to_read_is_a_batch_as_well(watch):
    watch.tell(MIDNIGHT, events=1)
    before = deepcopy(watch.task.state)
    watch.read()
    assert watch.task.state == before
    watch.restart()
    assert watch.task.state == before


def test_a_collision_after_a_release_quarantines_the_day_again(watch):
    quarantined(watch)
    watch.read(release(THURSDAY))
    watch.tell(CLOSING, purchase("t9"), purchase("t9", content="b"))
    assert watch.receipts[THURSDAY].status == "quarantined"


def test_a_collision_that_comes_days_late_is_known_and_open_now(watch):
    watch.tell(MIDNIGHT, at_ms=MIDNIGHT, events=1)
    later = MIDNIGHT + 5 * DAY_MS
    watch.tell(later, at_ms=later, events=1)
    watch.tell(later, purchase(), purchase(content="b"))
    alert = watch.alert("transaction_collision")
    assert (alert.state, alert.first_seen) == ("open", "2025-02-27T01:00:00.000Z")
    assert alert.opened_at > "2025-03-03T23:00:00"
