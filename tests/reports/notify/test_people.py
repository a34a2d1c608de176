"""What people are told: what is new now, once, soon, and never more than they can read."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.notify import people
from reports.notify.hearing import GATHER_MS, SETTLE_MS
from reports.notify.message import MOST_AT_ONCE, MOST_IN_WINDOW, SUMMARY_GAP_MS, WINDOW_MS
from reports.notify.policy import Daily, Policy, QuietHours, Route
from tests.reports.notify.desk import HOUR_MS, MINUTE_MS, P0, P1, P2, START_MS, Desk
from tests.reports.sample_state import good_week

DAY_MS = 24 * HOUR_MS


def desk(**fields):
    return Desk(people.plan, Policy("ops", "shop", **fields))


def test_an_alert_is_told_when_it_opens_and_when_it_is_over_and_not_in_between():
    d = desk()
    d.opens("a")
    assert d.said(d.passes(HOUR_MS)) == [("opened", "a")]
    d.turns("a", "resolved")
    assert d.said(d.passes(HOUR_MS)) == [("resolved", "a")]
    assert d.passes(DAY_MS) == []


def test_it_is_told_within_seconds():
    d = desk()
    d.opens("a", severity=P0)
    d.look()
    assert d.wake_ms == START_MS + GATHER_MS


def test_a_note_is_told_to_nobody():
    d = desk()
    d.opens("a", severity=P2)
    assert d.passes(DAY_MS) == []


def test_what_a_cause_explains_is_not_sent_even_when_it_is_over():
    d = desk()
    d.opens("cause", explains=["symptom"])
    d.opens("symptom", kind="direct_share_shift")
    d.turns("symptom", "inhibited", caused_by="cause")
    d.passes(HOUR_MS)
    d.turns("symptom", "resolved")
    d.turns("cause", "resolved")
    d.passes(HOUR_MS)
    assert d.said() == [("opened", "cause"), ("resolved", "cause")]


def test_a_symptom_that_outlasts_its_cause_is_sent():
    d = desk()
    d.opens("symptom")
    d.turns("symptom", "inhibited")
    d.passes(HOUR_MS)
    d.turns("symptom", "open")
    assert d.said(d.passes(HOUR_MS)) == [("opened", "symptom")]


def test_a_silenced_alert_is_heard_of_again_only_after_its_silence():
    d = desk()
    d.opens("a")
    d.passes(MINUTE_MS)
    d.turns("a", "silenced")
    d.says("a", "more")
    assert d.passes(DAY_MS) == []
    d.turns("a", "open")
    assert d.said(d.passes(DAY_MS)) == [("updated", "a")]


def test_changed_numbers_are_told_at_most_once_an_interval():
    d = desk(update_ms=2 * HOUR_MS)
    d.opens("a")
    d.passes(MINUTE_MS)
    for number in range(12 * 60):
        d.says("a", f"{number} events")
        d.passes(MINUTE_MS)
    assert d.said() == [("opened", "a"), *[("updated", "a")] * 6]


def test_an_alert_that_becomes_a_page_is_told_at_once():
    d = desk()
    d.opens("a", severity=P1)
    d.passes(MINUTE_MS)
    d.opens("a", severity=P0)
    assert d.said(d.passes(MINUTE_MS)) == [("louder", "a")]


def test_an_acknowledgement_is_told_once():
    d = desk()
    d.opens("a")
    d.passes(MINUTE_MS)
    d.turns("a", "acknowledged")
    assert d.said(d.passes(HOUR_MS)) == [("acknowledged", "a")]


def test_what_somebody_looks_after_before_anybody_was_told_is_told_as_that():
    d = desk()
    d.opens("a", severity=P0)
    d.turns("a", "acknowledged")
    assert d.said(d.passes(HOUR_MS)) == [("acknowledged", "a")]
    d.turns("a", "resolved")
    assert d.said(d.passes(HOUR_MS)) == [("resolved", "a")]


def test_an_alert_that_opens_again_is_told_again():
    d = desk()
    d.opens("a")
    d.passes(MINUTE_MS)
    d.turns("a", "resolved")
    d.passes(MINUTE_MS)
    d.turns("a", "open")
    assert d.said(d.passes(HOUR_MS)) == [("opened", "a")]
    assert len({message.id for message in d.sent}) == 3


def test_what_opened_and_ended_while_nobody_could_be_told_is_told_as_over():
    d = desk()
    d.refuses = True
    d.opens("a", severity=P0)
    d.passes(HOUR_MS)
    d.turns("a", "resolved")
    d.passes(HOUR_MS)
    d.refuses = False
    assert d.said(d.passes(MINUTE_MS)) == [("resolved", "a")]


# ── the past ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_start_tells_in_one_summary_what_still_stands_and_nothing_of_what_is_over():
    d = desk()
    for day in range(1, 41):
        d.opens(f"old{day}", at_ms=START_MS - day * DAY_MS)
        if day > 3:
            d.turns(f"old{day}", "resolved", at_ms=START_MS - (day - 1) * DAY_MS)
    (message,) = d.passes(DAY_MS)
    assert message.kind == "many"
    assert {change.alert.id for change in message.changes} == {"old1", "old2", "old3"}


@pytest.mark.parametrize("opened_minutes_ago", [92, 60, 1])
def test_whoever_is_told_of_things_only_since_an_alert_stood_is_not_told_that_it_is_over(opened_minutes_ago):
    d = desk()
    d.opens("a", severity=P0, at_ms=START_MS - opened_minutes_ago * MINUTE_MS)
    d.passes(GATHER_MS // 2)
    d.turns("a", "resolved", at_ms=START_MS)
    assert d.passes(DAY_MS) == []


def test_whoever_was_told_on_a_first_start_that_an_old_alert_stands_is_told_that_it_is_over():
    d = desk()
    d.opens("a", severity=P0, at_ms=START_MS - DAY_MS)
    d.passes(SETTLE_MS)
    d.turns("a", "resolved")
    assert d.said(d.passes(DAY_MS)) == [("resolved", "a")]


def test_a_backlog_that_opens_and_resolves_in_passing_wakes_nobody():
    d = desk()
    for day in range(200):
        at_ms = START_MS - (300 - day) * DAY_MS
        d.opens("a", at_ms=at_ms, severity=P0)
        d.passes(SETTLE_MS // 2)
        d.turns("a", "resolved", at_ms=at_ms)
        d.passes(1000)
    assert d.sent == []


def test_what_opened_while_no_process_ran_is_told_after_it_settled():
    d = desk()
    d.now_ms += 2 * DAY_MS
    d.opens("a", severity=P0, at_ms=d.now_ms - DAY_MS)
    d.restarts()
    assert d.said(d.passes(SETTLE_MS - 1)) == []
    assert d.said(d.passes(1)) == [("opened", "a")]


def test_what_was_told_is_not_told_again_after_a_restart():
    d = desk()
    d.opens("a", "b")
    d.passes(MINUTE_MS)
    d.turns("b", "resolved")
    d.passes(MINUTE_MS)
    d.restarts()
    assert d.passes(DAY_MS) == []


def test_a_kill_before_the_record_sends_the_same_message_under_the_same_id():
    d = desk()
    d.opens("a")
    d.look()
    d.now_ms += GATHER_MS
    first = d.look(recorded=False)
    d.restarts()
    (second,) = d.passes(MINUTE_MS)
    assert first.id == second.id
    assert d.passes(DAY_MS) == []


# ── the worst day ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_hundreds_at_once_are_one_summary():
    d = desk()
    d.opens(*(f"a{n}" for n in range(400)), severity=P0)
    (message,) = d.passes(HOUR_MS)
    assert message.kind == "many"
    assert len(message.changes) == 400


def test_a_storm_that_goes_on_for_hours_is_a_few_messages():
    d = desk()
    for minute in range(180):
        d.opens(*(f"a{minute}-{n}" for n in range(4)))
        d.passes(MINUTE_MS)
    d.passes(HOUR_MS)
    singles = [message for message in d.sent if message.kind == "one"]
    assert sorted(d.said()) == sorted(("opened", name) for name in d.alerts)
    assert len(d.sent) <= (MOST_IN_WINDOW + 2) * 3 * HOUR_MS // WINDOW_MS
    assert len(singles) < len(d.alerts) / 2


def test_a_page_in_a_storm_waits_for_a_minute_at_most():
    d = desk()
    d.opens(*(f"a{n}" for n in range(50)))
    d.passes(GATHER_MS)
    d.opens(*(f"b{n}" for n in range(50)), severity=P0)
    d.passes(MINUTE_MS)
    assert [len(message.changes) for message in d.sent] == [50, 50]


def test_a_few_at_once_are_told_one_by_one():
    d = desk()
    d.opens(*(f"a{n}" for n in range(MOST_AT_ONCE)))
    assert [message.kind for message in d.passes(MINUTE_MS)] == ["one"] * MOST_AT_ONCE


# ── routes and hours ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("route", "told"),
    [
        (Route(), {"gate", "revenue"}),
        (Route(severities=frozenset({P2})), {"note"}),
        (Route(kinds=("schema_*",)), {"gate"}),
        (Route(metrics=("revenue", "purchases")), {"revenue"}),
        (Route(kinds=("revenue_anomaly",), metrics=("sessions",)), set()),
    ],
)
def test_a_route_takes_by_severity_kind_and_metric(route, told):
    d = desk(route=route)
    d.opens("gate")
    d.opens("revenue", kind="revenue_anomaly", metric="revenue", layer="watch", severity=P0)
    d.opens("note", severity=P2, kind="transaction_replay", metric="purchases")
    assert {name for _, name in d.said(d.passes(HOUR_MS))} == told


NIGHT = QuietHours(22 * 60, 7 * 60, ZoneInfo("Europe/Berlin"))
"""From 21:00 to 06:00 UTC in winter."""


def test_quiet_hours_hold_a_p1_until_their_end_and_let_a_p0_through():
    d = desk(quiet=NIGHT)
    d.passes(12 * HOUR_MS)  # 22:00 UTC
    d.opens("loud", severity=P0)
    d.opens("quiet1", "quiet2", "quiet3", severity=P1)
    d.passes(MINUTE_MS)
    d.turns("quiet3", "resolved")
    d.turns("loud", "resolved")
    assert d.said(d.passes(HOUR_MS)) == [("resolved", "loud")]
    (morning,) = d.passes(7 * HOUR_MS)
    assert morning.at_ms == START_MS + 20 * HOUR_MS
    assert sorted(d.said([morning])) == [("opened", "quiet1"), ("opened", "quiet2"), ("resolved", "quiet3")]


def test_a_restart_in_quiet_hours_loses_nothing_and_wakes_nobody():
    d = desk(quiet=NIGHT)
    d.passes(12 * HOUR_MS)
    d.opens("a", "b")
    d.passes(4 * HOUR_MS)
    d.turns("b", "resolved")
    d.restarts()
    (morning,) = d.passes(8 * HOUR_MS)
    assert morning.at_ms >= START_MS + 20 * HOUR_MS
    assert sorted(d.said([morning])) == [("opened", "a"), ("resolved", "b")]


@given(
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Auckland", "Africa/Casablanca"]),
    st.integers(1_700_000_000_000, 1_800_000_000_000),
)
def test_quiet_hours_end_within_a_day_and_are_over_at_their_end(begin, end, zone, at_ms):
    quiet = QuietHours(begin, end, ZoneInfo(zone))
    until = quiet.end_ms(at_ms)
    if until is not None:
        assert at_ms < until <= at_ms + 25 * HOUR_MS
        if (end - begin) % 1440 < 22 * 60:
            assert quiet.end_ms(until + HOUR_MS) is None or quiet.end_ms(until) is None


# ── the digest ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_digest_comes_once_a_day_with_the_notes():
    d = Desk(people.plan, Policy("ops", digest=Daily(8 * 60, UTC)), receipts=good_week())
    d.opens("note", severity=P2)
    sent = d.passes(3 * DAY_MS)
    assert [message.kind for message in sent] == ["digest"] * 3
    assert [message.id for message in sent] == [f"digest-2025-02-{day}" for day in (27, 28)] + [
        "digest-2025-03-01"
    ]
    d.restarts()
    assert d.passes(HOUR_MS) == []


def test_a_digest_that_was_missed_comes_late_but_not_the_next_night():
    def started(hours_late):
        d = Desk(people.plan, Policy("ops", digest=Daily(8 * 60, UTC)), receipts=good_week())
        d.now_ms += 22 * HOUR_MS + hours_late * HOUR_MS
        return [message.id for message in d.passes(1)]

    assert started(3) == ["digest-2025-02-27"]
    assert started(13) == []


# ── laws ────────────────────────────────────────────────────────────────────────────────────────────────────────────

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("opens"), st.integers(0, 5), st.sampled_from([P0, P1])),
        st.tuples(st.just("turns"), st.integers(0, 5), st.sampled_from(["open", "acknowledged", "resolved"])),
        st.tuples(st.just("passes"), st.integers(0, 3 * HOUR_MS), st.none()),
        st.tuples(st.just("restarts"), st.none(), st.none()),
        st.tuples(st.just("refuses"), st.booleans(), st.none()),
    ),
    max_size=30,
)


def drive(d, steps):
    for step, first, second in steps:
        if step == "opens" and f"a{first}" not in d.alerts:
            d.opens(f"a{first}", severity=second)
        elif step == "turns" and f"a{first}" in d.alerts:
            d.turns(f"a{first}", second)
        elif step == "passes":
            d.passes(first)
        elif step == "restarts":
            d.restarts()
        elif step == "refuses":
            d.refuses = first
    d.refuses = False
    d.passes(2 * HOUR_MS + SUMMARY_GAP_MS)


@given(STEPS)
def test_whatever_happens_people_know_in_the_end_what_stands_and_what_is_over(steps):
    d = desk()
    drive(d, steps)
    last = {name: event for event, name in d.said()}
    assert set(last) == set(d.alerts)
    assert {name for name, event in last.items() if event == "resolved"} == {
        name for name, alert in d.alerts.items() if alert.state == "resolved"
    }


@given(STEPS)
def test_no_message_id_comes_twice_and_no_event_of_an_alert_twice_in_a_row(steps):
    d = desk()
    drive(d, steps)
    ids = [message.id for message in d.sent]
    assert len(ids) == len(set(ids))
    last: dict[str, str] = {}
    for event, name in d.said():
        assert last.get(name) != event or event == "updated"
        last[name] = event
