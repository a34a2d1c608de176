"""The judge on days made by hand: what a share of sessions says through the day, and that it is told once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from consumer.core import timestamps
from consumer.core.facts import MinuteFacts
from consumer.core.purchases import PurchaseFact
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from tests.tasks.test_watch import MIDNIGHT, Watched

STEP = 5


def sessions(watch: Watched, day: int, first: int, last: int, of_ten: int, null: int = 6) -> None:
    """Ten sessions every five minutes between two minutes of a day, so many of them direct, give or take one; so many of
    their 20 events without a referrer, likewise."""
    start = (MIDNIGHT + day * DAY_MS) // MINUTE_MS
    minutes = {
        start + minute: MinuteFacts(
            events=20,
            sessions=10,
            direct=of_ten + (minute // STEP + day) % 3 - 1,
            names={"page_viewed": 20},
            null={"referrer": null + (minute // STEP + day) % 3 - 1},
        )
        for minute in range(first, last, STEP)
    }
    watch.tell_minutes((start + last - STEP) * MINUTE_MS, minutes)


def test_direct_visits_that_grow_at_noon_are_one_alert_since_then_and_over_when_they_are_back() -> None:
    watch = Watched()
    for day in range(8):
        sessions(watch, day, 0, 1440, 3)
    assert not [alert for alert in watch.alerts.values() if alert.kind == "direct_share_shift"]
    sessions(watch, 8, 0, 720, 3)
    sessions(watch, 8, 720, 1440, 7)
    alert = watch.alert("direct_share_shift")
    assert (alert.state, alert.metric, alert.layer) == ("open", "direct_share", "watch")
    assert alert.first_seen == "2025-03-07T12:00:00.000Z"
    assert alert.opened_at < "2025-03-07T14:00:00.000Z"
    for day in range(9, 12):
        sessions(watch, day, 0, 1440, 3)
    assert watch.alert("direct_share_shift").state == "resolved"
    assert watch.receipts["2025-03-07"].status == "at_risk"


def test_a_share_that_moved_and_came_back_says_how_sure_it_was_and_that_it_is_back() -> None:
    watch = Watched()
    for day in range(8):
        sessions(watch, day, 0, 1440, 3)
    sessions(watch, 8, 0, 720, 3)
    sessions(watch, 8, 720, 1440, 3, null=12)
    alert = watch.alert("field_coverage")
    assert (alert.state, alert.subject, alert.first_seen) == ("open", "referrer", "2025-03-07T12:00:00.000Z")
    assert alert.robust_z is not None
    assert alert.robust_z > 10
    sessions(watch, 9, 0, 1440, 3)
    alert = watch.alert("field_coverage")
    assert alert.state == "resolved"
    assert alert.message.startswith("The share of events without referrer is back to normal since 2025-03-0")


def test_days_after_an_incident_that_ended_with_a_day_are_not_at_risk() -> None:
    watch = Watched()
    for day in range(8):
        sessions(watch, day, 0, 1440, 3)
    start = (MIDNIGHT + 8 * DAY_MS) // MINUTE_MS
    flood = {
        start + m: MinuteFacts(
            events=80, sessions=40, direct=12, names={"page_viewed": 80}, null={"referrer": 24}
        )
        for m in range(0, 1440, STEP)
    }
    watch.tell_minutes((start + 1440 - STEP) * MINUTE_MS, flood)
    for day in range(9, 15):
        sessions(watch, day, 0, 1440, 3)
    alert = watch.alert("sessions_anomaly")
    assert (alert.state, alert.day) == ("resolved", "2025-03-07")
    assert alert.resolved_at is not None
    statuses = {day: receipt.status for day, receipt in watch.receipts.items() if receipt.status != "open"}
    assert statuses["2025-03-07"] == "at_risk"
    later = [status for day, status in statuses.items() if day > alert.resolved_at[:10]]
    assert later == ["pass"] * len(later)
    assert later


def test_an_input_that_ends_in_the_middle_of_its_last_day_says_nothing_of_that_days_whole() -> None:
    watch = Watched()
    for day in range(8):
        sessions(watch, day, 0, 1440, 3)
    sessions(watch, 8, 0, 120, 3)
    watch.end()
    cut = watch.receipts["2025-03-07"]
    assert (cut.status, [alert.kind for alert in watch.alerts.values()]) == ("pass", [])
    assert "unmeasurable: the input ends before 02:00" in {
        check.reason for check in cut.checks if check.rule == "sessions_anomaly"
    }


def test_a_last_day_that_lasted_nearly_to_its_end_is_judged_like_any_other() -> None:
    watch = Watched()
    for day in range(8):
        sessions(watch, day, 0, 1440, 3)
    start = (MIDNIGHT + 8 * DAY_MS) // MINUTE_MS
    few = {
        start + m: MinuteFacts(events=4, sessions=2, names={"page_viewed": 4}) for m in range(0, 1200, STEP)
    }
    watch.tell_minutes((start + 1200 - STEP) * MINUTE_MS, few)
    watch.end()
    assert watch.receipts["2025-03-07"].status == "at_risk"


def test_a_silence_and_a_fall_that_are_over_say_from_when_to_when_and_that_all_is_as_before() -> None:
    watch = Watched()
    for day in range(8):
        sessions(watch, day, 0, 1440, 3)
    sessions(watch, 8, 0, 720, 3)
    sessions(watch, 8, 1020, 1440, 3)
    sessions(watch, 9, 0, 1440, 3)
    over = watch.alert("volume_silence")
    assert over.state == "resolved"
    assert over.message.startswith(
        "No event came from 2025-03-07 11:55 UTC to 2025-03-07 17:00 UTC, for 5 hours 5 minutes, where about "
    )
    assert over.message.endswith("This is over: they come again.")


def test_a_metric_that_is_as_before_says_so_and_no_longer_that_it_is_off() -> None:
    watch = Watched()
    for day in range(8):
        sessions(watch, day, 0, 1440, 3)
    start = (MIDNIGHT + 8 * DAY_MS) // MINUTE_MS
    few = {
        start + m: MinuteFacts(events=8, sessions=4, names={"page_viewed": 8}) for m in range(0, 1440, STEP)
    }
    watch.tell_minutes((start + 1440 - STEP) * MINUTE_MS, few)
    for day in range(9, 14):
        sessions(watch, day, 0, 1440, 3)
    for kind, words in (("volume_drop", "Events are"), ("sessions_anomaly", "Sessions are")):
        alert = watch.alert(kind)
        assert (alert.state, alert.message.partition(" back to normal ")[0]) == ("resolved", words)


def visits(watch: Watched, day: int, first: int, last: int, *, nameless: int, robots: int) -> None:
    """Twenty events of people every five minutes, so many of them without a user agent, and so many of robots."""
    start = (MIDNIGHT + day * DAY_MS) // MINUTE_MS
    minutes = {
        start + minute: MinuteFacts(
            events=20 + robots,
            sessions=10 + robots,
            robots=robots,
            direct=4 + robots,
            names={"page_viewed": 20 + robots},
            null={"user_agent": nameless + (minute // STEP + day) % 3 - 1},
        )
        for minute in range(first, last, STEP)
    }
    watch.tell_minutes((start + last - STEP) * MINUTE_MS, minutes)


def test_robots_that_tell_their_names_are_no_fewer_people_without_one() -> None:
    watch = Watched()
    for day in range(8):
        visits(watch, day, 0, 1440, nameless=4, robots=0)
    visits(watch, 8, 0, 240, nameless=4, robots=15)
    visits(watch, 8, 240, 1440, nameless=4, robots=0)
    assert not [alert for alert in watch.alerts.values() if alert.subject == "user_agent"]
    visits(watch, 9, 0, 720, nameless=4, robots=0)
    visits(watch, 9, 720, 1440, nameless=12, robots=0)
    assert watch.alert("field_coverage").first_seen == "2025-03-08T12:00:00.000Z"


def busy(watch: Watched, day: int) -> None:
    """A busy site's night and morning; a crawler that tells its name comes for half an hour between two and half past
    three, at ten times the visitors' pace."""
    begins = 125 + 37 * day % 55
    start = (MIDNIGHT + day * DAY_MS) // MINUTE_MS
    minutes = {}
    for minute in range(600):
        robots = 2000 if begins <= minute < begins + 30 else 0
        null = {"referrer": 60 + (7 * minute + day) % 9 - 4 + robots}
        minutes[start + minute] = MinuteFacts(
            events=200 + robots,
            sessions=100 + robots,
            robots=robots,
            direct=30 + robots,
            identity_missing=4 + (3 * minute + day) % 5,
            names={"page_viewed": 200 + robots},
            null=null,
            robots_lack={"referrer": robots} if robots else {},
        )
    watch.tell_minutes((start + 600) * MINUTE_MS, minutes)


def test_a_crawler_that_tells_its_name_changes_no_share_whenever_it_comes() -> None:
    watch = Watched()
    for day in range(9):
        busy(watch, day)
    assert not [alert for alert in watch.alerts.values() if alert.kind.endswith("_coverage")]


def nameless(watch: Watched, day: int, first: int, last: int, robots: int, people: int = 3) -> None:
    """A hundred events by fifty visitors every five minutes, `people` of them without identity, and so many by robots that
    tell their name, but no identity."""
    start = (MIDNIGHT + day * DAY_MS) // MINUTE_MS
    minutes = {}
    for minute in range(first, last, STEP):
        without = people + (minute // STEP + day) % 3 - 1
        minutes[start + minute] = MinuteFacts(
            events=100 + robots,
            sessions=50,
            identity_missing=without + robots,
            null={"client_id": without + robots, "referrer": 40 + robots},
            robots_nameless=robots,
            robots_lack={"client_id": robots, "referrer": robots} if robots else {},
        )
    watch.tell_minutes((start + last - STEP) * MINUTE_MS, minutes)


def test_a_crawler_that_tells_its_name_but_no_identity_moves_no_share_and_no_volume() -> None:
    watch = Watched()
    for day in range(8):
        nameless(watch, day, 0, 1440, 0)
    nameless(watch, 8, 0, 60, 0)
    nameless(watch, 8, 60, 90, 400)
    nameless(watch, 8, 90, 1440, 0)
    assert [alert.kind for alert in watch.alerts.values() if alert.severity != "P2_NOTE"] == []
    nameless(watch, 9, 0, 60, 0)
    nameless(watch, 9, 60, 180, 0, people=40)
    assert watch.alert("identity_coverage").first_seen.startswith("2025-03-08T01:0")


def test_robots_that_tell_their_name_but_no_identity_and_do_not_stop_are_a_flood() -> None:
    watch = Watched()
    for day in range(8):
        nameless(watch, day, 0, 1440, 0)
    nameless(watch, 8, 0, 180, 100)
    (flood,) = [
        alert
        for alert in watch.alerts.values()
        if alert.kind == "bot_traffic" and alert.severity == "P1_HIGH"
    ]
    assert "2025-03-07T00:40:00.000Z" < flood.opened_at < "2025-03-07T01:10:00.000Z"


def shop(watch: Watched, day: int, first: int, last: int, *, events: int = 20, purchases: int = 4) -> None:
    """So many events and purchases every five minutes between two minutes of a day."""
    start = (MIDNIGHT + day * DAY_MS) // MINUTE_MS
    for minute in range(start + first, start + last, 60):
        times = range(minute, min(minute + 60, start + last), STEP)
        bought = [
            PurchaseFact(f"{at} {number}", at * MINUTE_MS + number, f"{number}", Decimal(20 + number))
            for at in times
            for number in range(purchases)
        ]
        seen = {at: MinuteFacts(events=events, sessions=events // 2, purchases=purchases) for at in times}
        watch.tell_minutes((times[-1] + STEP) * MINUTE_MS - 1, seen, *bought)


NOON = 720


def known_after(watch: Watched, day: int = 8) -> float | None:
    """How many minutes after noon it was known that nobody buys, if it was."""
    found = [alert for alert in watch.alerts.values() if alert.kind == "purchase_silence"]
    if not found:
        return None
    assert len(found) == 1
    opened = timestamps.parse(found[0].opened_at) or 0
    return (opened - MIDNIGHT - day * DAY_MS) / MINUTE_MS - NOON


@pytest.fixture
def busy_shop() -> Watched:
    watch = Watched()
    for day in range(8):
        shop(watch, day, 0, 1440)
    shop(watch, 8, 0, NOON)
    return watch


def test_nobody_buys_where_as_many_come_as_ever_is_known_in_minutes(busy_shop: Watched) -> None:
    shop(busy_shop, 8, NOON, NOON + 120, purchases=0)
    after = known_after(busy_shop)
    assert after is not None
    assert 10 <= after <= 20


def test_where_hardly_anybody_comes_that_nobody_buys_is_no_silence_of_purchases(busy_shop: Watched) -> None:
    shop(busy_shop, 8, NOON, NOON + 25, events=8, purchases=0)
    shop(busy_shop, 8, NOON + 25, 1440)
    assert known_after(busy_shop) is None


@pytest.mark.parametrize("restarts", [False, True])
def test_nobody_buys_once_they_come_again_is_known_as_soon_as_enough_have_come(
    busy_shop: Watched, *, restarts: bool
) -> None:
    shop(busy_shop, 8, NOON, NOON + 20, events=8, purchases=0)
    if restarts:
        busy_shop.restart()
    shop(busy_shop, 8, NOON + 20, NOON + 120, purchases=0)
    after = known_after(busy_shop)
    assert after is not None
    assert 20 <= after <= 28


def test_few_who_come_for_long_are_enough_to_know_that_nobody_buys(busy_shop: Watched) -> None:
    shop(busy_shop, 8, NOON, NOON + 120, events=10, purchases=0)
    after = known_after(busy_shop)
    assert after is not None
    assert 20 <= after <= 40


def test_a_quiet_evening_is_still_a_quiet_one_once_its_day_has_closed():
    """Events at a twentieth of what is usual, without a purchase, from 22:00 on: the close at 01:00 forgets none of it."""
    watch = Watched()
    for day in range(8):
        shop(watch, day, 0, 1440)
    shop(watch, 8, 0, 1320)
    shop(watch, 8, 1320, 1440, events=1, purchases=0)
    shop(watch, 9, 0, 240, events=1, purchases=0)
    (told,) = [alert for alert in watch.alerts.values() if alert.kind == "purchase_silence"]
    assert told.opened_at == "2025-03-08T03:01:00.000Z"
    assert told.baseline_median == pytest.approx(14.7, abs=0.1)


def test_a_purchase_in_the_calendars_last_minute_closes_its_day():
    last = 253_402_300_799_999 // MINUTE_MS
    watch = Watched()
    bought = PurchaseFact("t", last * MINUTE_MS, "c", Decimal(1))
    watch.tell_minutes(last * MINUTE_MS + 59_999, {last: MinuteFacts(events=1, purchases=1)}, bought)
    watch.end()
    assert watch.task.state.days["9999-12-31"].revision == 1
