"""The shop in the present: what has happened by now at once, what comes when its time has come."""

from datetime import UTC, datetime
from itertools import islice

from consumer.local.traffic import Traffic, TrafficOptions

OPTIONS = TrafficOptions(days=3, sessions_per_day=300, purchases_per_day=20)


class SetClock:
    """A clock that only moves when somebody waits."""

    def __init__(self, at):
        self.ms = round(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000)

    def now_ms(self):
        return self.ms

    def monotonic(self):
        return self.ms / 1000

    def wait(self, seconds):
        assert seconds > 0
        self.ms += round(seconds * 1000) + 1


def test_the_past_is_whole_days_since_a_monday_up_to_now_and_the_rest_comes_in_its_time():
    clock = SetClock("2026-11-25T10:30:00")  # a Wednesday
    traffic = Traffic(OPTIONS, clock)
    past, now = list(traffic.past()), clock.now_ms()
    begins = {datetime.fromtimestamp(event.at_ms / 1000, UTC).date().isoformat() for event in past}
    assert sorted(begins) == [f"2026-11-{number}" for number in range(16, 26)]
    assert max(event.at_ms for event in past) <= now
    for event in islice(traffic.live(clock.wait), 50):
        assert now < event.at_ms <= clock.now_ms()
        assert clock.now_ms() - event.at_ms < 40_000  # those that are sent late on purpose


def test_a_later_start_in_the_same_week_goes_on_with_the_same_shop():
    first = Traffic(OPTIONS, SetClock("2026-11-24T08:00:00"))
    second = Traffic(OPTIONS, SetClock("2026-11-24T09:00:00"))
    earlier, later = ([event.value() for event in traffic.past()] for traffic in (first, second))
    assert later[: len(earlier)] == earlier
    assert len(later) > len(earlier)


def test_something_goes_wrong_in_the_last_days_and_today():
    traffic = Traffic(OPTIONS, SetClock("2026-11-25T23:59:00"))
    faults = {(event.fault, event.day.isoformat()) for event in traffic.past() if event.fault}
    assert {("collision", "2026-11-24"), ("collision", "2026-11-22")} <= faults
    assert {("garbage", "2026-11-25"), ("invalid_purchase", "2026-11-25")} <= faults
