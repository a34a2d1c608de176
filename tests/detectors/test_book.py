"""One incident, one alert: opened once, updated, held back by its cause, and over when it is over."""

import msgspec
import pytest

from detectors.alerts import identity
from detectors.life import Entry
from detectors.purchases import COLLISION, INVALID
from tests.detectors.alert_shop import DAY, HOUR, MINUTE_MS, NOON, P0, P1, P2, Watch, at, found


@pytest.fixture
def watch():
    return Watch()


def test_an_incident_is_one_alert_however_often_it_is_seen(watch):
    watch.take(
        found("volume_silence", since=NOON - 30, severity=P0, value=0, message="first", day="2025-02-23")
    )
    watch.take(found("volume_silence", "standing", NOON + 5, since=NOON - 30, value=1, message="newer"))
    (alert,) = watch.alerts
    assert alert.id == identity("volume_silence", "", at(NOON - 30))
    assert (alert.first_seen, alert.opened_at, alert.state) == (at(NOON - 30), at(NOON), "open")
    assert (alert.value, alert.message, alert.day, alert.severity) == (1, "newer", "2025-02-23", P0)


def test_a_beginning_may_move_earlier_but_never_later(watch):
    watch.take(found("field_coverage", since=NOON - 30, subject="referrer"))
    watch.take(found("field_coverage", "standing", NOON + 5, since=NOON - 60, subject="referrer"))
    watch.take(found("field_coverage", "standing", NOON + 9, since=NOON - 20, subject="referrer"))
    (alert,) = watch.alerts
    assert (alert.first_seen, alert.opened_at) == (at(NOON - 60), at(NOON))


def test_what_is_resolved_is_over_and_keeps_its_numbers(watch):
    watch.take(found("volume_drop", value=7, message="half of them"))
    watch.take(found("volume_drop", "resolved", NOON + 60, message="as before"))
    (alert,) = watch.alerts
    assert (alert.state, alert.resolved_at) == ("resolved", at(NOON + 60))
    assert (alert.value, alert.message) == (7, "as before")
    watch.take(found("volume_drop", "standing", NOON + 70))
    assert watch.alerts == [alert]


def test_the_next_incident_of_a_condition_is_another_alert(watch):
    watch.take(found("volume_drop"))
    watch.take(found("volume_drop", "resolved", NOON + 60))
    watch.take(found("volume_drop", known=NOON + 90))
    assert [alert.state for alert in watch.alerts] == ["resolved", "open"]
    assert len({alert.id for alert in watch.alerts}) == 2


def test_the_same_incident_that_was_over_too_early_is_open_again(watch):
    watch.take(found("volume_drop", since=NOON - 10))
    watch.take(found("volume_drop", "resolved", NOON + 60))
    watch.take(found("volume_drop", known=NOON + 90, since=NOON - 10))
    (alert,) = watch.alerts
    assert (alert.state, alert.resolved_at, alert.opened_at) == ("open", None, at(NOON))


def test_an_alert_that_is_forgotten_within_one_batch_is_told_all_the_same(watch):
    watch.take(found("volume_drop"))
    watch.take(found("volume_drop", "resolved", NOON + 60))
    watch.take(minute=NOON + 40 * DAY)
    (name,) = watch.book.told
    assert watch.alerts == []
    assert watch.book.last_word(name).state == "resolved"


def test_conditions_with_different_subjects_are_different_incidents(watch):
    watch.take(*(found("field_coverage", subject=name) for name in ("user_agent", "referrer")))
    watch.take(found("field_coverage", "resolved", NOON + 5, subject="referrer"))
    assert {alert.subject: alert.state for alert in watch.alerts} == {
        "user_agent": "open",
        "referrer": "resolved",
    }


def test_a_collision_is_one_alert_by_its_transaction_id_and_expires_a_day_after_its_last_event(watch):
    watch.take(found(COLLISION, "happened", subject="ORD-1", severity=P0, count=2, day="2025-02-23"))
    watch.take(
        found(COLLISION, "happened", NOON + 60, subject="ORD-1", severity=P0, count=3, day="2025-02-23")
    )
    (alert,) = watch.alerts
    assert (alert.id, alert.count) == (identity(COLLISION, "ORD-1", ""), 3)
    watch.take(minute=NOON + 60 + DAY - 1)
    assert watch.states == {COLLISION: "open"}
    watch.take(minute=NOON + 60 + DAY + 3)
    assert (watch.alerts[0].state, watch.alerts[0].resolved_at) == ("expired", at(NOON + 60 + DAY))


def test_what_happened_is_known_from_its_earliest_evidence_in_whatever_order_it_comes(watch):
    for minute in (NOON + 9, NOON, NOON + 5):
        watch.take(found(INVALID, "happened", minute, since=minute - 1, severity=P2, day="2025-02-23"))
    (alert,) = watch.alerts
    assert alert.id == identity(INVALID, "", "2025-02-23")
    assert (alert.first_seen, alert.opened_at) == (at(NOON - 1), at(NOON))


def test_what_happened_without_a_day_joins_until_a_quiet_day_ends_it(watch):
    for hours in (0, 20, 40, 70):
        watch.take(found("duplicate_events", "happened", NOON + hours * HOUR, severity=P2, count=hours))
    assert [(alert.state, alert.count) for alert in watch.alerts] == [("expired", 40), ("open", 70)]
    assert [alert.opened_at for alert in watch.alerts] == [at(NOON), at(NOON + 70 * HOUR)]


def test_new_evidence_opens_what_had_expired_and_old_evidence_only_amends_it(watch):
    watch.take(found(COLLISION, "happened", subject="ORD-1", severity=P0, count=2))
    watch.take(minute=NOON + DAY + 5)
    watch.take(found(COLLISION, "happened", NOON - 60, subject="ORD-1", severity=P0, count=3))
    assert [(alert.state, alert.count) for alert in watch.alerts] == [("expired", 3)]
    watch.take(found(COLLISION, "happened", NOON + DAY + 9, subject="ORD-1", severity=P0, count=4))
    assert [(alert.state, alert.count) for alert in watch.alerts] == [("open", 4)]


def test_a_note_never_turns_into_a_page(watch):
    watch.take(found("bot_traffic", severity=P2))
    watch.take(found("bot_traffic", "standing", NOON + 30, severity=P1))
    note, page = watch.alerts
    assert (note.severity, note.state, note.caused_by) == (P2, "inhibited", page.id)
    assert (page.severity, page.opened_at, page.explains) == (P1, at(NOON + 30), [note.id])
    watch.take(found("bot_traffic", "resolved", NOON + 60))
    assert {alert.state for alert in watch.alerts} == {"resolved"}


def test_a_note_of_what_happened_and_the_alert_in_numbers_are_two_and_one_explains_the_other(watch):
    watch.take(found(INVALID, "happened", severity=P2, day="2025-02-23"))
    watch.take(found(INVALID, known=NOON + 20, since=NOON - 15, day="2025-02-23"))
    watch.take(found(INVALID, "happened", NOON + 30, severity=P2, day="2025-02-23", count=5))
    note, alert = watch.alerts
    assert (note.state, note.count, alert.state, alert.explains) == ("inhibited", 5, "open", [note.id])


def test_an_alert_that_becomes_a_page_is_the_same_one_and_open_again_if_somebody_had_put_it_away(watch):
    watch.take(found("identity_coverage"))
    watch.obey("acknowledge", watch.alerts[0].id)
    watch.take(found("identity_coverage", "standing", NOON + 30, severity=P0))
    (alert,) = watch.alerts
    assert (alert.severity, alert.state, alert.opened_at) == (P0, "open", at(NOON))
    watch.take(found("identity_coverage", "standing", NOON + 40, severity=P1))
    assert watch.alerts[0].severity == P0


def test_a_condition_that_steps_up_is_a_second_alert_that_names_the_first_and_is_not_held_back(watch):
    watch.take(found("field_coverage", subject="referrer", value=0.3))
    watch.take(found("field_coverage", known=NOON + 90, subject="referrer", value=0.6, evidence={"step": 1}))
    watch.take(found("field_coverage", "standing", NOON + 95, subject="referrer", value=0.7))
    first, second = watch.alerts
    assert (second.state, second.caused_by, second.value) == ("open", first.id, 0.7)
    assert (first.state, first.value, first.explains) == ("open", 0.3, None)
    watch.take(found("field_coverage", known=NOON + 97, subject="referrer", evidence={"step": 1}))
    assert len(watch.alerts) == 2
    watch.take(found("field_coverage", "resolved", NOON + 200, subject="referrer"))
    assert {alert.state for alert in watch.alerts} == {"resolved"}


def test_what_is_amended_gets_new_numbers_and_keeps_its_times_and_its_state(watch):
    watch.take(found("revenue_anomaly", layer="watch", day="2025-02-23", value="5.00"))
    watch.take(found("revenue_anomaly", "resolved", NOON + 60, day="2025-02-23"))
    (before,) = watch.alerts
    for day in ("2025-02-23", "2025-02-22"):
        watch.book.amend(found("revenue_anomaly", "standing", NOON + 999, day=day, value=day))
    (after,) = watch.alerts
    assert after.value == "2025-02-23"
    assert (after.first_seen, after.opened_at, after.resolved_at, after.state) == (
        before.first_seen,
        before.opened_at,
        before.resolved_at,
        "resolved",
    )


def test_a_symptom_of_a_known_cause_is_held_back(watch):
    watch.take(found("schema_field_missing", subject="referrer"))
    watch.take(found("direct_share_shift", known=NOON + 60, layer="watch"))
    cause, symptom = watch.alerts
    assert (symptom.state, symptom.caused_by, cause.explains) == ("inhibited", cause.id, [symptom.id])
    assert cause.state == "open"


def test_a_cause_is_as_loud_as_what_it_explains_but_a_gates_severity_is_the_verdicts(watch):
    watch.take(found("purchase_silence", layer="watch"))
    watch.take(found("purchases_anomaly", known=NOON + 60, layer="watch", severity=P0))
    silence, purchases = watch.alerts
    assert (silence.severity, silence.state, purchases.state) == (P0, "open", "inhibited")
    watch.take(found("schema_field_missing", known=NOON + 70, subject="event_data"))
    watch.take(found("revenue_anomaly", known=NOON + 80, layer="watch", severity=P0))
    gate = next(alert for alert in watch.alerts if alert.kind == "schema_field_missing")
    assert gate.severity == P1


def test_a_symptom_that_was_first_goes_under_its_cause_and_its_times_stay(watch):
    watch.take(found("direct_share_shift", layer="watch"))
    watch.take(found("schema_field_missing", known=NOON + 20, since=NOON - 10, subject="referrer"))
    symptom, cause = watch.alerts
    assert (symptom.state, symptom.caused_by, symptom.opened_at) == ("inhibited", cause.id, at(NOON))


def test_both_in_one_minute_are_one_alert_in_either_order(watch):
    both = [found("direct_share_shift", layer="watch"), found("schema_field_missing", subject="referrer")]
    other = Watch()
    watch.take(*both)
    other.take(*reversed(both))
    assert watch.states == other.states == {"direct_share_shift": "inhibited", "schema_field_missing": "open"}


def test_a_symptom_that_outlives_its_cause_opens_by_itself_once(watch):
    watch.take(found("schema_field_missing", subject="timestamp", severity=P0))
    watch.take(found("timestamp_errors", known=NOON + 9))
    watch.take(found("schema_field_missing", "resolved", NOON + 60, subject="timestamp", severity=P0))
    watch.take(minute=NOON + 89)
    assert watch.states["timestamp_errors"] == "inhibited"
    watch.take(minute=NOON + 95)
    symptom = watch.of("timestamp_errors")
    assert (symptom.state, symptom.caused_by, symptom.opened_at) == ("open", None, at(NOON + 9))
    assert symptom.evidence["history"][-1]["at"] == at(NOON + 90)
    assert watch.of("schema_field_missing").explains is None


def test_a_shop_with_few_purchases_has_hours_for_the_next_one_after_events_are_back(watch):
    watch.take(found("volume_silence", severity=P0), found("purchase_silence", since=NOON - 99))
    watch.take(found("volume_silence", "resolved", NOON + 60, severity=P0))
    watch.take(minute=NOON + 60 + 239)
    assert watch.states["purchase_silence"] == "inhibited"
    watch.take(minute=NOON + 60 + 240)
    assert watch.states["purchase_silence"] == "open"


def test_what_is_counted_by_the_purchase_stands_by_itself_only_with_new_evidence(watch):
    watch.take(
        found("schema_type_changed", subject="event_data.revenue", severity=P0), found("purchase_invalid")
    )
    watch.take(found("schema_type_changed", "resolved", NOON + 60, subject="event_data.revenue"))
    watch.take(minute=NOON + 3 * DAY)
    assert watch.states["purchase_invalid"] == "inhibited"
    watch.take(found("purchase_invalid", "standing", NOON + 4 * DAY))
    assert watch.states["purchase_invalid"] == "open"


def test_a_symptom_that_ends_with_its_cause_never_opens(watch):
    watch.take(found("volume_silence", severity=P0))
    watch.take(found("purchase_silence", known=NOON + 9))
    watch.take(
        found("volume_silence", "resolved", NOON + 60), found("purchase_silence", "resolved", NOON + 60)
    )
    watch.take(minute=NOON + DAY)
    assert set(watch.states.values()) == {"resolved"}
    assert watch.of("volume_silence").explains == [watch.of("purchase_silence").id]


def test_a_cause_that_is_over_explains_the_day_it_was_in_but_not_the_next_one(watch):
    watch.take(found("volume_silence", known=NOON, since=NOON - 180, severity=P0))
    watch.take(found("volume_silence", "resolved", NOON + 5, severity=P0))
    midnight = NOON + 12 * HOUR
    low = {"layer": "watch", "absolute_change": -400, "since": midnight - DAY}
    watch.take(found("sessions_anomaly", known=midnight + HOUR, **low))
    assert watch.states["sessions_anomaly"] == "inhibited"
    watch.take(minute=NOON + 5 + 30 * HOUR)
    assert watch.states["sessions_anomaly"] == "inhibited"
    watch.take(found("sessions_anomaly", "standing", midnight + HOUR + DAY, **low))
    assert watch.states["sessions_anomaly"] == "open"


def test_a_symptom_goes_from_a_cause_that_is_over_to_one_that_lives(watch):
    watch.take(found("volume_silence", severity=P0), found("volume_drop", layer="watch", since=NOON - 5))
    watch.take(found("purchase_silence", known=NOON + 9))
    watch.take(found("volume_silence", "resolved", NOON + 20))
    watch.take(minute=NOON + 300)
    symptom = watch.of("purchase_silence")
    assert (symptom.state, symptom.caused_by) == ("inhibited", watch.of("volume_drop").id)
    assert symptom.id not in (watch.of("volume_silence").explains or [])


def test_collisions_are_never_held_back_and_explain_missing_purchases_only_if_there_are_several(watch):
    watch.take(found("duplicate_events"), found("purchase_invalid"))
    watch.take(found("purchases_anomaly", layer="watch", known=NOON + 1, absolute_change=-9))
    watch.take(found("purchase_invalid", "resolved", NOON + 2))
    for number in range(3):
        collision = found(
            COLLISION, "happened", NOON + 30 + number, subject=f"O{number}", severity=P0, day="2025-02-23"
        )
        watch.take(collision)
    assert {alert.state for alert in watch.alerts if alert.kind == COLLISION} == {"open"}
    watch.take(found("revenue_anomaly", layer="watch", known=NOON + 40, absolute_change=-9))
    assert watch.of("revenue_anomaly").caused_by == watch.of(COLLISION).id


def test_a_flood_is_the_alert_that_came_first(watch):
    watch.take(found("identity_coverage"))
    watch.take(found("volume_spike", known=NOON + 10, layer="watch"), found("bot_traffic", known=NOON + 10))
    watch.take(found("conversion_shift", known=NOON + 60, layer="watch"))
    assert [kind for kind, state in watch.states.items() if state == "open"] == ["identity_coverage"]


def test_events_that_come_again_explain_that_there_are_more_even_if_that_was_known_first(watch):
    watch.take(found("volume_spike", layer="watch", since=NOON - 20, absolute_change=400))
    assert watch.states["volume_spike"] == "open"
    watch.take(found("duplicate_events", since=NOON, known=NOON + 5, absolute_change=0.5))
    assert watch.states == {"volume_spike": "inhibited", "duplicate_events": "open"}
    assert watch.of("duplicate_events").explains == [watch.of("volume_spike").id]


def test_an_operator_acknowledges_on_record(watch):
    watch.take(found("volume_drop"))
    watch.obey("acknowledge", watch.alerts[0].id, at=NOON + 5, reason="ann@shop.example knows\x1b[2J")
    watch.take(found("volume_drop", "standing", NOON + 9, evidence={"days": ["2025-02-23"]}))
    (alert,) = watch.alerts
    assert alert.state == "acknowledged"
    assert alert.evidence == {
        "days": ["2025-02-23"],
        "history": [{"at": at(NOON + 5), "state": "acknowledged", "by": "ann", "reason": "… knows?[2J"}],
    }


def test_a_silence_ends_when_event_time_passes_it(watch):
    watch.take(found("volume_drop"))
    watch.obey("silence", watch.alerts[0].id, until_ms=(NOON + 120) * MINUTE_MS)
    watch.take(minute=NOON + 119)
    assert watch.states == {"volume_drop": "silenced"}
    watch.take(minute=NOON + 500)
    assert watch.states == {"volume_drop": "open"}
    assert watch.alerts[0].evidence["history"][-1]["at"] == at(NOON + 120)


def test_what_an_operator_chose_for_a_symptom_counts_as_soon_as_it_is_freed(watch):
    watch.take(found("volume_silence", severity=P0), found("purchase_silence", since=NOON - 5))
    watch.obey("acknowledge", watch.of("purchase_silence").id)
    assert watch.states["purchase_silence"] == "inhibited"
    watch.take(found("volume_silence", "resolved", NOON + 1))
    watch.take(minute=NOON + 300)
    assert watch.states["purchase_silence"] == "acknowledged"


def test_an_accepted_level_resolves_every_step_of_it_and_tells_the_detectors(watch):
    watch.take(found("direct_share_shift", layer="watch", metric="direct_share", day="2025-02-23"))
    watch.take(found("direct_share_shift", known=NOON + 60, layer="watch", evidence={"step": 1}))
    told = watch.obey("accept", watch.alerts[0].id, reason="new campaign", **{"from": "2025-02-22"})
    assert told == ("direct_share_shift", "", "direct_share", "2025-02-22", "ann", "new campaign")
    assert {alert.state for alert in watch.alerts} == {"resolved"}
    assert watch.alerts[0].evidence["accepted"] == "accepted by ann: new campaign"
    watch.take(found("direct_share_shift", "standing", NOON + 70, layer="watch"))
    assert {alert.state for alert in watch.alerts} == {"resolved"}


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("silence", {}),
        ("silence", {"until_ms": "tomorrow"}),
        ("silence", {"until_ms": NOON * MINUTE_MS - 1}),
        ("silence", {"until_ms": 10**18}),
        ("frobnicate", {}),
        ("release", {}),
    ],
)
def test_an_order_that_does_not_fit_changes_nothing(watch, action, arguments):
    watch.take(found("volume_drop"))
    before = watch.alerts
    watch.commit()
    assert watch.obey(action, before[0].id, **arguments) is None
    assert watch.obey("acknowledge", "nobody") is None
    assert (watch.alerts, watch.book.told) == (before, set())


def test_orders_on_what_is_over_and_acceptance_of_what_only_happened_change_nothing(watch):
    watch.take(found("volume_drop"), found(COLLISION, "happened", subject="O", severity=P0))
    watch.take(found("volume_drop", "resolved", NOON + 5))
    before = watch.alerts
    watch.obey("acknowledge", watch.of("volume_drop").id)
    assert watch.obey("accept", watch.of(COLLISION).id) is None
    assert watch.alerts == before


def test_an_alert_that_has_been_over_for_long_leaves_the_table(watch):
    watch.take(found("volume_drop"))
    watch.take(found("volume_drop", "resolved", NOON + 5))
    watch.take(minute=NOON + 36 * DAY)
    assert watch.alerts == []


def test_only_what_changed_is_told(watch):
    watch.take(found("volume_drop"), found(COLLISION, "happened", subject="O", severity=P0))
    watch.commit()
    watch.take(minute=NOON + 5)
    assert watch.book.told == set()
    watch.take(found("volume_drop", "standing", NOON + 9))
    assert watch.book.told == {watch.of("volume_drop").id}


def test_the_alerts_of_a_day_are_those_whose_incidents_touch_it(watch):
    watch.take(found("volume_drop", since=NOON - 60))
    watch.take(found("volume_drop", "resolved", NOON + 60))
    watch.take(found("field_coverage", known=NOON + 30, subject="x"))
    kinds = [
        [alert.kind for alert in watch.book.between(start * MINUTE_MS, end * MINUTE_MS)]
        for start, end in ((NOON - DAY, NOON - 60), (NOON, NOON + 10), (NOON + 30, NOON + 99), (NOON + 90, NOON + 99))
    ]  # fmt: skip
    assert kinds == [[], ["volume_drop"], ["volume_drop", "field_coverage"], ["field_coverage"]]


def test_an_entry_from_a_journal_that_knew_only_the_alert_and_its_last_evidence_goes_on():
    before = Watch()
    before.take(found(COLLISION, "happened", subject="ORD-1", severity=P0))
    (alert,) = before.alerts
    packed = msgspec.msgpack.encode({"alert": alert, "last_ms": NOON * MINUTE_MS})
    watch = Watch()
    watch.load({alert.id: msgspec.msgpack.decode(packed, type=Entry)})
    watch.take(minute=NOON + DAY)
    assert [one.state for one in watch.alerts] == ["expired"]


def test_numbers_that_no_calendar_holds_raise_nothing(watch):
    for known in (-(10**15), 10**15):
        for word in ("opened", "standing", "happened", "resolved"):
            watch.take(found("volume_drop", word, known, since=-known), minute=NOON)
    watch.commit()
    watch.take(minute=10**15)
    watch.commit()
