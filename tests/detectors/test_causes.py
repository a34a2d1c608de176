"""What explains what, and what cannot be measured meanwhile."""

import pytest

from detectors.causes import CAUSES_OF, DEFAULT_FIELDS, ROWS, Fields, is_harmless, rank
from detectors.life import opened, resolved
from detectors.unmeasurable import unmeasurable
from tests.detectors.alert_shop import HOUR, MINUTE_MS, NOON, P0, P1, P2, found


def alert(kind, name=None, over=None, **fields):
    entry = opened(name or kind, found(kind, **fields))
    return (entry if over is None else resolved(entry, over * MINUTE_MS)).alert


def explains(cause, symptom, fields=DEFAULT_FIELDS):
    return rank(cause, symptom, fields) is not None


@pytest.mark.parametrize(
    ("cause", "subject", "symptom", "about"),
    [
        ("schema_field_missing", "referrer", "direct_share_shift", ""),
        ("field_coverage", "page_url", "direct_share_shift", ""),
        ("schema_field_renamed", "client_id", "identity_coverage", ""),
        ("schema_type_changed", "user_agent", "direct_share_shift", ""),
        ("schema_type_changed", "client_id", "sessions_anomaly", ""),
        ("identity_coverage", "", "conversion_shift", ""),
        ("schema_field_missing", "event_data", "purchase_silence", ""),
        ("schema_type_changed", "event_data.revenue", "purchase_invalid", ""),
        ("schema_field_missing", "event_data.items", "field_coverage", "event_data.items[].item_id"),
        ("field_coverage", "event_data.items", "field_coverage", "event_data.items[].item_id"),
        ("schema_field_missing", "user_agent", "field_coverage", "user_agent"),
        ("schema_field_missing", "timestamp", "timestamp_errors", ""),
        ("volume_silence", "", "purchase_silence", ""),
        ("volume_silence", "", "volume_drop", ""),
        ("volume_drop", "", "volume_silence", ""),
        ("unparseable_events", "", "volume_drop", ""),
        ("purchase_silence", "", "revenue_anomaly", ""),
        ("bot_traffic", "", "conversion_shift", ""),
        ("input_not_keyed", "", "sessions_anomaly", ""),
        ("purchases_anomaly", "", "revenue_anomaly", ""),
    ],
)
def test_a_cause_explains_its_symptoms(cause, subject, symptom, about):
    assert explains(alert(cause, "cause", subject=subject), alert(symptom, known=NOON + 5, subject=about))


@pytest.mark.parametrize(
    ("cause", "subject", "symptom", "about"),
    [
        ("schema_field_missing", "user_agent", "revenue_anomaly", ""),
        ("schema_field_missing", "referrer", "revenue_anomaly", ""),
        ("schema_field_missing", "user_agent", "field_coverage", "referrer"),
        ("schema_field_missing", "user", "field_coverage", "user_agent"),
        ("schema_unknown_event", "page_seen", "purchase_silence", ""),
        ("volume_silence", "", "field_coverage", "referrer"),
        ("direct_share_shift", "", "schema_field_missing", "referrer"),
        ("purchases_anomaly", "", "transaction_collision", "O"),
        ("field_coverage", "event_data.user_email", "revenue_anomaly", ""),
        ("field_coverage", "event_data.items[].item_price", "purchase_invalid", ""),
    ],
)
def test_what_is_not_in_the_table_explains_nothing(cause, subject, symptom, about):
    assert not explains(alert(cause, subject=subject), alert(symptom, known=NOON + 5, subject=about))


def test_an_unknown_event_explains_missing_purchases_if_it_is_the_purchase_event_renamed():
    silence = alert("purchase_silence")
    assert explains(alert("schema_unknown_event", subject="paid", severity=P0), silence)
    replaced = {"replaces": "checkout_completed"}
    assert explains(alert("schema_unknown_event", subject="paid", evidence=replaced), silence)
    assert not explains(alert("schema_unknown_event", evidence={"replaces": "page_viewed"}), silence)


def test_a_name_that_the_contract_knows_explains_only_that_the_old_one_is_not_there():
    renamed = alert("schema_field_renamed", subject="client_id", evidence={"renamed_to": "clientId"})
    assert is_harmless(renamed, DEFAULT_FIELDS)
    assert explains(renamed, alert("identity_coverage"))
    assert not explains(renamed, alert("sessions_anomaly"))
    assert not is_harmless(renamed, Fields(aliases=frozenset()))
    assert unmeasurable([renamed]) == {}


def test_a_fall_is_explained_by_what_takes_away_and_a_rise_by_what_adds():
    rise = alert("purchases_anomaly", absolute_change="12.50")
    fall = alert("purchases_anomaly", robust_z=-6.0)
    assert explains(alert("purchase_silence"), fall)
    assert not explains(alert("purchase_silence"), rise)
    assert explains(alert("duplicate_events"), rise)
    assert not explains(alert("duplicate_events"), fall)


def test_one_number_follows_from_another_only_the_same_way():
    fewer = alert("sessions_anomaly", absolute_change=-400)
    assert explains(fewer, alert("revenue_anomaly", absolute_change="-5000.00"))
    assert not explains(fewer, alert("revenue_anomaly", absolute_change="5000.00"))
    assert explains(fewer, alert("conversion_shift", absolute_change=0.01))


def test_what_begins_days_after_a_cause_that_goes_on_is_news_unless_something_is_gone_altogether():
    days_later = {"since": NOON + 4 * 24 * HOUR, "known": NOON + 4 * 24 * HOUR + 30}
    share = alert("direct_share_shift", **days_later)
    assert not explains(alert("field_coverage", subject="referrer"), share)
    assert explains(alert("schema_field_missing", subject="referrer"), share)


def test_a_note_explains_no_more_than_notes():
    assert not explains(alert("purchase_invalid", severity=P2), alert("purchases_anomaly", severity=P1))
    assert explains(alert("bot_traffic", severity=P2), alert("conversion_shift", severity=P2))
    assert explains(alert("purchase_silence", severity=P1), alert("purchases_anomaly", severity=P0))


def test_times_must_fit():
    share = alert("direct_share_shift", since=NOON - HOUR, known=NOON)
    began_later = alert(
        "schema_field_missing", subject="referrer", since=NOON + 2 * HOUR, known=NOON + 3 * HOUR
    )
    was_over = alert(
        "schema_field_missing",
        subject="referrer",
        since=NOON - 5 * HOUR,
        known=NOON - 4 * HOUR,
        over=NOON - 2 * HOUR,
    )
    was_still_on = alert(
        "schema_field_missing",
        subject="referrer",
        since=NOON - 5 * HOUR,
        known=NOON - 4 * HOUR,
        over=NOON - 30,
    )
    assert [explains(cause, share) for cause in (began_later, was_over, was_still_on)] == [False, False, True]


def test_the_more_specific_cause_ranks_first():
    share = alert("direct_share_shift")
    field = rank(alert("schema_field_missing", subject="referrer"), share, DEFAULT_FIELDS)
    flood = rank(alert("bot_traffic"), share, DEFAULT_FIELDS)
    sessions = rank(alert("sessions_anomaly"), share, DEFAULT_FIELDS)
    assert field < flood < sessions


@pytest.mark.parametrize(
    ("kind", "subject"), [("identity_coverage", ""), ("schema_field_missing", "event_name")]
)
def test_events_without_identity_or_name_explain_fields_that_come_empty_only_where_both_begin_within_hours(
    kind, subject
):
    cause = alert(kind, subject=subject)
    assert explains(cause, alert("field_coverage", subject="referrer", since=NOON + 200, known=NOON + 230))
    assert not explains(
        cause, alert("field_coverage", subject="referrer", since=NOON + 300, known=NOON + 320)
    )


@pytest.mark.parametrize(
    ("kind", "subject", "silence"),
    [
        ("schema_field_missing", "timestamp", "volume_silence"),
        ("unparseable_events", "", "volume_silence"),
        ("purchase_invalid", "", "purchase_silence"),
        ("schema_type_changed", "event_data.revenue", "purchase_silence"),
    ],
)
def test_what_touches_a_few_events_explains_no_silence(kind, subject, silence):
    told = alert(silence, known=NOON + 30)
    assert not explains(alert(kind, subject=subject, value=0.06), told)
    assert explains(alert(kind, subject=subject, value=0.9), told)


def test_fewer_sessions_explain_a_silence_that_follows_and_more_sessions_do_not():
    silence = alert("volume_silence", since=NOON + 50, known=NOON + 60)
    assert explains(alert("sessions_anomaly", relative_change=-0.5), silence)
    assert not explains(alert("sessions_anomaly", relative_change=0.5), silence)


@pytest.mark.parametrize("kind", ["volume_spike", "bot_traffic"])
def test_a_flood_explains_fields_that_come_empty_as_long_as_it_stands(kind):
    late = alert("field_coverage", subject="referrer", since=NOON + 600, known=NOON + 620)
    assert explains(alert(kind), late)


@pytest.mark.parametrize("kind", sorted(CAUSES_OF))
def test_nothing_explains_itself(kind):
    assert not explains(alert(kind, "one"), alert(kind, "one"))
    assert not explains(alert(kind, "one"), alert(kind, "other", known=NOON + 5))


def test_only_rows_that_say_so_go_both_ways():
    for row in ROWS:
        for cause in row.causes:
            assert row.mutual or row.field or cause not in row.symptoms


@pytest.mark.parametrize(
    ("kind", "subject", "lost"),
    [
        ("schema_field_missing", "referrer", {"direct_share"}),
        ("schema_field_renamed", "client_id", {"sessions", "conversion_rate", "direct_share"}),
        ("schema_field_missing", "event_data", {"purchases", "revenue", "conversion_rate"}),
        ("schema_field_renamed", "event_data.revenue", {"purchases", "revenue", "conversion_rate"}),
        ("schema_field_missing", "event_data.user_email", set()),
        ("schema_field_missing", "event_data.items[].item_id", set()),
        (
            "schema_field_missing",
            "timestamp",
            {"sessions", "purchases", "revenue", "conversion_rate", "direct_share"},
        ),
        ("schema_field_missing", "user_agent", set()),
        ("field_coverage", "referrer", set()),
    ],
)
def test_what_is_gone_makes_unmeasurable_what_is_made_of_it(kind, subject, lost):
    assert unmeasurable([alert(kind, subject=subject)]).keys() == lost


def test_the_reason_is_a_sentence_of_the_earliest_alert_and_harmless():
    later = alert("schema_field_missing", subject="referrer", since=NOON + 5, known=NOON + 6)
    first = alert("schema_field_renamed", subject="page_url", since=NOON - 9)
    assert unmeasurable([later, first]) == {
        "direct_share": "page_url came under another name since 2025-02-23 11:51 UTC"
    }
    hostile = Fields(referrer="a\x1b[2J")
    gone = alert("schema_field_missing", subject="a\x1b[2J", since=NOON)
    assert unmeasurable([gone], hostile) == {"direct_share": "a?[2J is missing since 2025-02-23 12:00 UTC"}
