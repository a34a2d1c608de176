"""What a pager is told: an incident an alert, begun once, acknowledged and ended under the same key."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from reports.notify import pager
from reports.notify.policy import Policy, QuietHours
from tests.reports.notify.desk import HOUR_MS, MINUTE_MS, P0, P1, START_MS, Desk, Pager

DAY_MS = 24 * HOUR_MS


def desk(**fields):
    return Desk(pager.plan, Policy("ops", "shop", **fields))


def acts(messages):
    return [(message.action, message.key) for message in messages]


def test_trigger_acknowledge_and_resolve_have_the_alerts_id_as_their_key():
    d = desk()
    d.opens("a", severity=P0)
    d.passes(MINUTE_MS)
    d.turns("a", "acknowledged")
    d.passes(MINUTE_MS)
    d.turns("a", "resolved")
    d.passes(MINUTE_MS)
    assert acts(d.sent) == [("trigger", "a"), ("acknowledge", "a"), ("resolve", "a")]


def test_what_is_held_back_or_silenced_ends_its_incident_and_begins_it_anew_if_it_is_heard_again():
    d = desk()
    d.opens("a")
    d.passes(MINUTE_MS)
    d.turns("a", "inhibited")
    d.passes(MINUTE_MS)
    d.turns("a", "open")
    d.passes(MINUTE_MS)
    assert acts(d.sent) == [("trigger", "a"), ("resolve", "a"), ("trigger", "a")]


def test_what_becomes_a_page_pages_again_also_when_it_was_acknowledged():
    d = desk()
    d.opens("a", severity=P1)
    d.passes(MINUTE_MS)
    d.turns("a", "acknowledged")
    d.passes(MINUTE_MS)
    d.turns("a", "open", severity=P0)
    d.passes(MINUTE_MS)
    assert acts(d.sent)[2:] == [("resolve", "a"), ("trigger", "a")]


def test_what_somebody_looks_after_already_pages_nobody():
    d = desk()
    d.opens("a")
    d.turns("a", "acknowledged")
    assert d.passes(DAY_MS) == []


def test_what_is_over_before_it_was_told_pages_nobody():
    d = desk(quiet=QuietHours(0, 23 * 60, ZoneInfo("UTC")))
    d.opens("a", severity=P1)
    d.passes(HOUR_MS)
    d.turns("a", "resolved")
    assert d.passes(DAY_MS) == []


def test_what_may_have_been_taken_is_ended_after_a_kill():
    d = desk()
    d.opens("a", severity=P0)
    d.look()
    d.now_ms += MINUTE_MS
    assert d.look(recorded=False) is not None
    d.restarts()
    d.turns("a", "resolved")
    assert acts(d.passes(HOUR_MS)) == [("resolve", "a")]


def test_what_may_have_been_taken_and_still_stands_is_told_again_at_once():
    d = desk()
    d.opens("a", severity=P0)
    d.look()
    d.now_ms += MINUTE_MS
    assert d.look(recorded=False, taken=False) is None
    d.restarts()
    assert acts([d.look()]) == [("trigger", "a")]
    assert d.passes(HOUR_MS) == []


def test_an_alert_that_is_gone_ends_its_incident():
    d = desk()
    d.opens("a")
    d.passes(MINUTE_MS)
    d.alerts.clear()
    assert acts(d.passes(MINUTE_MS)) == [("resolve", "a")]


def test_new_numbers_are_told_once_an_interval_and_not_while_somebody_looks_after_it():
    d = desk(update_ms=HOUR_MS)
    d.opens("a")
    d.passes(MINUTE_MS)
    for number in range(120):
        d.says("a", f"{number} events")
        d.passes(MINUTE_MS)
    assert acts(d.sent) == [("trigger", "a")] * 3 or acts(d.sent) == [("trigger", "a")] * 2
    d.turns("a", "acknowledged")
    d.passes(MINUTE_MS)
    before = len(d.sent)
    d.says("a", "more")
    d.passes(DAY_MS)
    assert len(d.sent) == before


def test_hundreds_at_once_are_one_incident_that_ends_with_the_last_of_them():
    d = desk()
    names = [f"a{n}" for n in range(300)]
    d.opens(*names, severity=P0)
    (first,) = d.passes(HOUR_MS)
    assert first.action == "trigger"
    for name in names[:-1]:
        d.turns(name, "resolved")
    assert [message.action for message in d.passes(4 * HOUR_MS)] == ["trigger"]  # the new numbers
    d.turns(names[-1], "resolved")
    assert acts(d.passes(HOUR_MS)) == [("resolve", first.key)]


def test_a_storm_that_goes_on_joins_its_incident_and_a_louder_one_does_not():
    d = desk()
    d.opens(*(f"a{n}" for n in range(20)), severity=P1)
    (first,) = d.passes(MINUTE_MS)
    d.opens(*(f"b{n}" for n in range(20)), severity=P1)
    assert {message.key for message in d.passes(15 * MINUTE_MS)} == {first.key}
    d.opens(*(f"c{n}" for n in range(20)), severity=P0)
    assert first.key not in {message.key for message in d.passes(MINUTE_MS)}


def test_quiet_hours_hold_what_begins_but_not_what_ends():
    d = desk(quiet=QuietHours(22 * 60, 7 * 60, ZoneInfo("UTC")))
    d.opens("a")
    d.passes(13 * HOUR_MS)  # 23:00
    d.turns("a", "resolved")
    d.opens("b")
    assert acts(d.passes(HOUR_MS)) == [("resolve", "a")]
    (morning,) = d.passes(8 * HOUR_MS)
    assert morning.at_ms == START_MS + 21 * HOUR_MS


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("opens"), st.integers(0, 30), st.sampled_from([P0, P1])),
        st.tuples(
            st.just("turns"),
            st.integers(0, 30),
            st.sampled_from(["open", "acknowledged", "resolved", "inhibited", "silenced"]),
        ),
        st.tuples(st.just("passes"), st.integers(0, HOUR_MS), st.none()),
        st.tuples(st.just("restarts"), st.none(), st.none()),
        st.tuples(st.just("kill"), st.booleans(), st.none()),
        st.tuples(st.just("lost"), st.booleans(), st.none()),
        st.tuples(st.just("gone"), st.integers(0, 30), st.none()),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_exactly_what_is_open_stands_as_an_incident_in_the_end(steps):
    d = desk()
    for step, first, second in steps:
        if step == "opens" and f"a{first}" not in d.alerts:
            d.opens(f"a{first}", severity=second)
        elif step == "turns" and f"a{first}" in d.alerts:
            d.turns(f"a{first}", second)
        elif step == "passes":
            d.passes(first)
        elif step == "gone":
            d.alerts.pop(f"a{first}", None)
        elif step == "restarts":
            d.restarts()
        elif step == "kill":  # while a message was on its way: it was taken or not, and that is not on record
            d.look(recorded=False, taken=first)
            d.restarts()
        elif step == "lost":  # the answer, of a server that took the message or did not
            d.look(recorded=False, taken=first)
    d.passes(2 * HOUR_MS)
    service = Pager()
    for message in d.sent:
        service.takes(message)
    standing: dict[str, set[str]] = {}
    for name, told in d.knowledge.told.items():
        if told.live:
            standing.setdefault(told.thread or name, set()).add(name)
    assert set(service.incidents) == set(standing)
    open_now = {name for name, alert in d.alerts.items() if alert.state == "open"}
    shown = {name for names in standing.values() for name in names}
    assert open_now <= shown
    for key, names in standing.items():
        states = {d.alerts[name].state for name in names if name in d.alerts}
        assert states & {"open", "acknowledged"}
        if "open" in states:
            assert service.incidents[key] == "triggered"
        else:
            assert service.incidents[key] == "acknowledged"
