"""The scenarios themselves: what their quiet months promise of noise, and their faults of what they leave alone."""

from __future__ import annotations

import json
from itertools import islice
from random import Random
from statistics import fmean, pvariance

import pytest
from click.testing import CliRunner

from tests.scenarios import table
from tests.scenarios.__main__ import main
from tests.scenarios.catalogue import FAULTS
from tests.scenarios.core import Core, Page, Way
from tests.scenarios.event import DAY_MS, FIRST_DAY, HOUR_MS, MINUTE_MS, Event, data_of, midnight_ms
from tests.scenarios.injection import Patience, first_difference_ms
from tests.scenarios.month import Task, run_month
from tests.scenarios.real_month import RealDays, RealMonth
from tests.scenarios.shop_month import CRAWLER, ShopMonth
from tests.scenarios.trial import Plan, Run, fed, judge, plans

START_MS = midnight_ms(FIRST_DAY)


def days_of(seed, count, volume=1.0):
    return list(islice(ShopMonth(seed, volume).days(), count))


@pytest.fixture(scope="module")
def months():
    return {seed: days_of(seed, 10) for seed in range(3)}


@pytest.fixture(scope="module")
def quiet(months):
    """Three days as one list: what a trial changes."""
    return [event for day in months[0][:3] for event in day]


def injected(name, quiet, begin_ms, size=None, seed=1):
    fault = FAULTS[name]
    return fault.inject(quiet, begin_ms, fault.bands[-1][0] if size is None else size, Random(seed))


def test_the_same_seed_gives_the_same_events_and_another_one_others(months):
    assert days_of(0, 2) == months[0][:2]
    assert months[0][0] != months[1][0]


def test_a_month_is_as_large_as_it_says(months):
    events = fmean(len(day) for month in months.values() for day in month)
    purchases = fmean(sum(e.is_purchase for e in day) for month in months.values() for day in month)
    assert 3000 < events < 4000
    assert 17 < purchases < 21
    assert 3.2 < len(days_of(0, 1, volume=4.0)[0]) / len(months[0][0]) < 4.8


def test_a_day_holds_its_own_events_in_order_and_at_their_own_time(months):
    for number, day in enumerate(months[1]):
        times = [event.at_ms for event in day]
        assert times == sorted(times)
        assert START_MS + number * DAY_MS <= times[0]
        assert times[-1] < START_MS + (number + 1) * DAY_MS


def test_a_quiet_month_has_its_noise_the_days_vary_more_than_chance(months):
    for month in months.values():
        counts = [len(day) for day in month]
        assert pvariance(counts) > 3 * fmean(counts)


def test_a_quiet_month_has_its_noise_hours_differ_and_nights_are_quiet(months):
    for month in months.values():
        hours = [0] * 24
        for day in month:
            for event in day:
                hours[event.at_ms // HOUR_MS % 24] += 1
        assert max(hours) > 2 * min(hours)


def test_a_quiet_month_has_its_noise_order_values_have_a_heavy_tail(months):
    values = sorted(
        data_of(e)["revenue"] for month in months.values() for day in month for e in day if e.is_purchase
    )
    assert fmean(values) > 1.2 * values[len(values) // 2]
    assert values[-1] > 4 * values[len(values) // 2]
    assert values[0] == 0


def test_a_quiet_month_has_its_noise_a_crawler_comes_for_half_an_hour_at_night(months):
    for month in months.values():
        nights = [[e.at_ms for e in day if e.fields["user_agent"] == CRAWLER] for day in month]
        crawled = [night for night in nights if night]
        assert crawled
        assert all(len(night) > 100 and night[-1] - night[0] <= 30 * MINUTE_MS for night in crawled)
        assert all(night[-1] % DAY_MS < 8 * HOUR_MS for night in crawled)


def test_a_quiet_month_has_its_noise_some_fields_are_empty_on_whole_visits(months):
    for month in months.values():
        for field in ("referrer", "user_agent", "client_id"):
            assert any(e.fields[field] is None for day in month for e in day)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_something_and_touches_nothing_before_its_minute(name, quiet):
    for hour in (3.5, 15.2):
        begin_ms = START_MS + int(hour * HOUR_MS)
        faulty = injected(name, quiet, begin_ms)
        before = [event for event in quiet if event.at_ms < begin_ms]
        assert all(one is other for one, other in zip(before, faulty, strict=False))
        first_ms = first_difference_ms(quiet, faulty)
        assert first_ms is not None
        assert first_ms >= begin_ms
        assert [e.at_ms for e in faulty] == sorted(e.at_ms for e in faulty)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_the_same_every_time_and_leaves_the_quiet_events_as_they_were(name, quiet):
    values = [event.value for event in quiet]
    begin_ms = START_MS + 10 * HOUR_MS
    once, again = injected(name, quiet, begin_ms), injected(name, quiet, begin_ms)
    assert [event.value for event in once] == [event.value for event in again]
    assert [event.value for event in quiet] == values


def test_sizes_are_what_they_say(quiet):
    begin_ms = quiet[0].at_ms
    lost = injected("half_lost", quiet, begin_ms, 0.5)
    assert 0.4 < len(lost) / len(quiet) < 0.6
    null = injected("identity_null", quiet, begin_ms, 0.3)
    assert 0.25 < sum(e.fields["client_id"] is None for e in null) / len(null) < 0.36
    doubled = injected("referrers_double", quiet, begin_ms, 2.0)
    before, after = (sum(e.fields["referrer"] is not None for e in some) for some in (quiet, doubled))
    assert 1.8 < after / before < 2.2
    silent = injected("outage", quiet, begin_ms, 3)
    assert silent[0].at_ms >= begin_ms + 3 * HOUR_MS


def test_purchases_lose_just_what_a_fault_takes(quiet):
    stopped = injected("purchases_stop", quiet, quiet[0].at_ms)
    assert len(stopped) == len(quiet) - sum(e.is_purchase for e in quiet)
    text = next(e for e in injected("revenue_as_text", quiet, quiet[0].at_ms) if e.is_purchase)
    assert data_of(text)["revenue"].startswith("$")
    reused = injected("ids_reused", quiet, quiet[len(quiet) // 2].at_ms)
    ids = [data_of(e)["transaction_id"] for e in reused if e.is_purchase]
    assert len(ids) - len(set(ids)) in {2, 3, 4}


def test_patience_waits_for_what_there_is_to_see(quiet):
    begin_ms = quiet[0].at_ms
    assert Patience(30).deadline_ms(begin_ms, quiet, quiet) == begin_ms + 30 * MINUTE_MS
    assert Patience(0, events=100).deadline_ms(begin_ms, quiet, quiet) == quiet[99].at_ms
    third = [e.at_ms for e in quiet if e.is_purchase][2]
    assert Patience(1, events=5, purchases=3).deadline_ms(begin_ms, quiet, quiet) == third
    garbage = injected("garbage", quiet, begin_ms, 0.02)
    tenth = [e.at_ms for e in garbage if e.raw is not None][9]
    assert Patience(0, faulty=10).deadline_ms(begin_ms, quiet, garbage) == tenth


def test_every_fault_and_size_is_tried_over_day_and_night():
    planned = plans(7, list(FAULTS), 4, (8, 20))
    assert len(planned) == 4 * sum(len(fault.bands) for fault in FAULTS.values())
    assert {plan.minute // 360 for plan in planned if plan.fault == "outage"} == {0, 1, 2, 3}
    assert all(8 <= plan.day <= 20 and plan.band[0] <= plan.size <= plan.band[1] for plan in planned)


def page(number, kind, minute):
    return Page(str(number), kind, "P1_HIGH", START_MS + minute * MINUTE_MS, 0, None, None, "")


def judged(pages, quiet_pages=(), crash=""):
    run = Run(
        Plan(0, "outage", (3, 5), 3, 8, 0),
        "file",
        START_MS,
        "",
        START_MS + 60 * MINUTE_MS,
        {p.id: p for p in pages},
        crash,
    )
    return judge(run, {p.id: p for p in quiet_pages})


def test_found_is_a_page_of_a_right_kind_after_the_fault_began_and_in_time():
    assert judged([page(1, "volume_silence", 20)]).outcome == "found"
    assert judged([page(1, "volume_silence", 20)]).minutes == 20
    assert judged([page(1, "volume_silence", 62)]).outcome == "late"
    assert judged([page(1, "garbage", 20)]).outcome == "missed"
    assert judged([]).outcome == "missed"
    assert judged([page(1, "volume_silence", 20)], crash="KeyError").outcome == "crashed"


def test_what_came_too_early_or_on_the_quiet_day_too_is_not_found():
    assert judged([page(1, "volume_silence", -1)]).outcome == "early"
    assert judged([page(1, "volume_silence", -1), page(2, "volume_silence", 9)]).outcome == "early"
    assert len(judged([page(1, "volume_silence", -1)]).early) == 1
    on_quiet_days = page(1, "volume_silence", 20)
    assert judged([on_quiet_days], [on_quiet_days]).outcome == "missed"


def test_further_pages_are_counted():
    trial = judged([page(1, "bot_traffic", 5), page(2, "volume_silence", 20), page(3, "volume_drop", 30)])
    assert [other.kind for other in trial.others] == ["bot_traffic", "volume_drop"]
    assert trial.found.kind == "volume_silence"


@pytest.mark.parametrize("way", Way)
def test_a_copy_of_the_core_goes_on_as_the_core_would(way, months):
    core = Core(way)
    core.feed(months[0][0], 30)
    copy = core.copy()
    for one in (core, copy):
        one.feed(months[0][1], 30)
    assert core.pages == copy.pages
    assert core._pipeline.watch.state == copy._pipeline.watch.state


def test_a_month_resampled_from_files_has_their_shape_and_new_clients_and_orders(tmp_path, months):
    lines = [event.value for day in months[0][:2] for event in day]
    file = tmp_path / "days.ndjson"
    file.write_bytes(b"\n".join(lines))
    real = RealDays([file])
    first, second = islice(RealMonth(real, 1).days(), 2)
    assert first == next(RealMonth(real, 1).days())
    assert 0.6 < len(first) / (len(lines) / 2) < 1.6
    ids = [data_of(e)["transaction_id"] for e in (*first, *second) if e.is_purchase]
    assert len(ids) == len(set(ids)) > 10
    old = {event.client for day in months[0][:2] for event in day if event.client}
    assert not old & {event.client for event in first}


def test_the_bench_runs_whole_and_writes_what_it_found(tmp_path):
    file = tmp_path / "found.json"
    arguments = ["--seeds", "1", "--days", "1", "--fault", "garbage", "--way", "file", "--jobs", "1"]
    result = CliRunner().invoke(main, [*arguments, "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert "| garbage | 0.04–0.2 of events | 1 |" in result.output
    (month,) = json.loads(file.read_bytes())
    assert len(month["trials"]) == 2
    assert month["days"] == 1
    assert month["events"] > 2000


def test_the_tables_tell_found_late_and_false():
    month = run_month(Task(0, (), days=1))
    trials = [judged([page(1, "volume_silence", m), page(2, "volume_drop", m + 1)]) for m in (10, 30, 90)]
    month = month._replace(trials=trials, quiet=[page(1, "volume_drop", 5)])
    assert "| outage | 3–5 hours | 3 | 2 | 1 | 0 | 0 | 0 | 20 | 28 | 0 of 2 | 2.0 |" in table.faults([month])
    assert "| volume_drop (P1) | 1 | 28.00 |" in table.quiet([month])
    assert "late: outage" in table.examples([month], 1)


def test_a_crash_of_the_core_is_a_result():
    broken = Event(START_MS, {"client_id": object()}, None)
    assert "TypeError" in fed(Core(Way.FILE), [broken], 1)
