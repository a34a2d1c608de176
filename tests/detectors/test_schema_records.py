"""Renames are matched by time, number and kind; notes stay notes; robots are a note, and an alert when they flood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from detectors.alerts import Severity
from detectors.fields import Expectations, FieldMinute
from detectors.schema_rename import Keys, find, learn
from detectors.schema_robots import RobotState, update_robots
from detectors.schema_watch import SchemaWatch

if TYPE_CHECKING:
    from detectors.finding import Finding

PATHS = frozenset({"client_id", "page_url"})
NONE: frozenset[str] = frozenset()


def keys(*minutes: FieldMinute) -> Keys:
    known = Keys()
    for minute in minutes:
        learn(known, minute, PATHS)
    return known


def test_a_key_that_was_there_before_took_nobodys_place() -> None:
    known = keys(FieldMinute(10, unknown={"debug": 5}), FieldMinute(100, unknown={"debug": 12}))
    assert find(known, "client_id", 100, 12, NONE).word == "none"


def test_a_key_with_values_of_another_kind_took_nobodys_place() -> None:
    was = FieldMinute(1, kinds={"client_id\x1fuuid": 9, "page_url\x1furl": 9})
    known = keys(was, FieldMinute(100, unknown={"link": 12}, kinds={"link\x1furl": 1}))
    assert find(known, "client_id", 100, 12, NONE).word == "none"
    assert find(known, "page_url", 100, 12, NONE).word == "sure"


def test_of_two_new_keys_the_one_with_the_likest_name_took_the_place() -> None:
    known = keys(FieldMinute(100, unknown={"clientId": 12, "pageUrl": 12}))
    assert find(known, "client_id", 100, 12, NONE).key == "clientId"
    assert find(known, "page_url", 100, 12, frozenset({"clientId"})).key == "pageUrl"


def test_a_new_key_that_comes_less_often_is_waited_for_and_a_rare_one_is_not() -> None:
    known = keys(FieldMinute(100, unknown={"clientId": 5, "debug": 1}))
    assert find(known, "client_id", 100, 12, NONE) == ("clientId", "perhaps")
    assert find(known, "client_id", 100, 40, NONE).word == "none"


def test_a_key_inside_items_is_no_new_name_for_one_outside() -> None:
    known = keys(FieldMinute(100, unknown={"event_data.items[].client": 12}))
    assert find(known, "client_id", 100, 12, NONE).word == "none"


def said(kind: str, minutes: list[FieldMinute]) -> list[Finding]:
    watch = SchemaWatch(Expectations((), frozenset(), "checkout_completed"))
    return [finding for minute in minutes for finding in watch.update(minute) if finding.kind == kind]


def test_three_unparseable_records_in_a_day_are_a_note_and_two_are_nothing() -> None:
    def at(*when: int) -> list[FieldMinute]:
        return [
            FieldMinute(now, 3, rejected={"not_json": 1} if now in when else {}) for now in range(3 * 1440)
        ]

    assert said("unparseable_events", at(1500, 1900)) == []
    notes = said("unparseable_events", at(1500, 1900, 2400))
    assert [(f.word, f.severity, f.count, f.since_minute) for f in notes] == [
        ("happened", Severity.P2_NOTE, 3, 1500)
    ]


def test_a_replayed_purchase_is_a_note_and_many_are_an_alert_beside_it() -> None:
    quiet = [FieldMinute(60 * hour, 100, purchases=2) for hour in range(72)]
    one = said("transaction_replay", [*quiet, FieldMinute(60 * 73, 100, purchases=2, replays=1)])
    assert [(f.word, f.severity) for f in one] == [("happened", Severity.P2_NOTE)]
    many = [FieldMinute(60 * 73 + i, 100, purchases=2, replays=2) for i in range(9)]
    alerts = [f for f in said("transaction_replay", [*quiet, *many]) if f.severity == Severity.P1_HIGH]
    assert [f.word for f in alerts] == ["opened"]


def test_purchases_that_are_invalid_from_the_first_on_need_no_history_to_be_an_alert() -> None:
    bad = [FieldMinute(20 * i, 1, purchases=1, rejected={"purchase_revenue": 1}) for i in range(12)]
    alerts = [f for f in said("purchase_invalid", bad) if f.severity == Severity.P1_HIGH]
    assert [(f.word, f.count, f.since_minute) for f in alerts[:1]] == [("opened", 10, 0)]
    good = [FieldMinute(2000 + 20 * i, 1, purchases=1) for i in range(60)]
    alerts = [f for f in said("purchase_invalid", [*bad, *good]) if f.severity == Severity.P1_HIGH]
    assert [f.word for f in alerts if f.word != "standing"] == ["opened", "resolved"]


@pytest.mark.parametrize(
    ("reasons", "count"),
    [
        (["purchase_revenue"] * 3, None),
        (["purchase_revenue"] * 4, 4),
        (["purchase_items"] * 3, 3),
        (["purchase_revenue", "purchase_id", "purchase_revenue"], 3),
    ],
)
def test_three_orders_of_nothing_in_a_row_are_chance_and_three_of_other_kinds_are_not(reasons, count) -> None:
    quiet = [
        FieldMinute(60 * hour, 100, purchases=1, rejected={"purchase_revenue": 1} if hour % 60 == 30 else {})
        for hour in range(240)
    ]
    bad = [
        FieldMinute(60 * (240 + i), 100, purchases=1, rejected={reason: 1})
        for i, reason in enumerate(reasons)
    ]
    alerts = [f for f in said("purchase_invalid", [*quiet, *bad]) if f.word == "opened"]
    assert [f.count for f in alerts] == ([] if count is None else [count])


def test_some_invalid_purchases_among_the_first_are_no_alert() -> None:
    mixed = [
        FieldMinute(20 * i, 1, purchases=1, rejected={"purchase_revenue": 1} if i % 3 else {})
        for i in range(40)
    ]
    assert said("purchase_invalid", mixed) == []


def test_a_level_of_invalid_purchases_that_a_person_accepted_is_no_alert_again() -> None:
    watch = SchemaWatch(Expectations((), frozenset(), "checkout_completed"))
    bad = [FieldMinute(20 * i, 1, purchases=1, rejected={"purchase_revenue": 1}) for i in range(200)]
    words = [f.word for minute in bad[:20] for f in watch.update(minute)]
    assert words[:1] == ["opened"]
    assert watch.accept("purchase_invalid", "")
    assert [f for minute in bad[20:] for f in watch.update(minute)] == []


def test_old_events_that_are_sent_again_are_seen_by_coming_late() -> None:
    quiet = [FieldMinute(now, 3) for now in range(3 * 1440)]
    late = [FieldMinute(3 * 1440 + i, 3, stale=9) for i in range(30)]
    alerts = [f for f in said("duplicate_events", [*quiet, *late]) if f.word == "opened"]
    assert [f.since_minute for f in alerts] == [3 * 1440]


def robots(rows: list[tuple[int, int]]) -> list[tuple[str, str]]:
    state = RobotState()
    found = [f for now, (some, all_) in enumerate(rows) for f in update_robots(state, now, some, all_)]
    return [(f.word, f.severity.value) for f in found]


def test_a_tenth_robots_is_a_note_and_a_flood_is_an_alert_with_an_end() -> None:
    quiet = [(0, 1)] * 3 * 1440
    assert robots(quiet) == []
    assert robots([*quiet, *[(1, 2)] * 400])[0] == ("happened", "P2_NOTE")
    flood = robots([*quiet, *[(5, 6)] * 60, *quiet])
    words = [word for word, severity in flood if severity == "P1_HIGH"]
    assert words[0] == "opened"
    assert words.index("resolved") == len(words) - 1 <= 2


def test_a_crawler_of_half_an_hour_is_no_flood_however_fast_it_is() -> None:
    quiet = [(0, 2)] * 3 * 1440
    assert ("opened", "P1_HIGH") not in robots([*quiet, *[(10, 12)] * 35, *quiet])


def test_robots_that_go_on_are_a_flood_within_the_hour_though_a_crawler_comes_faster_every_night() -> None:
    night = [(0, 2)] * 1410 + [(10, 12)] * 30
    found = robots([*night * 4, *[(0, 2)] * 600, *[(3, 5)] * 60])
    assert ("opened", "P1_HIGH") in found


def test_a_site_that_always_has_many_robots_is_not_flooded_by_them() -> None:
    assert ("opened", "P1_HIGH") not in robots([(2, 3)] * 5 * 1440)
