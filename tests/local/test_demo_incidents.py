"""What the demo says of its faults: which alert found which, how soon, and that nothing hostile reaches the terminal."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from consumer.local.demo_incidents import Sighting, Sightings, incidents
from consumer.local.shop_event import Injected
from detectors.alerts import Alert

DAY = date(2025, 3, 9)


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def alert(kind, opened_at, **more):
    fields = {
        "id": f"{kind} {opened_at}", "severity": "P1_HIGH", "layer": "watch", "metric": None, "subject": None,
        "day": "2025-03-09", "state": "open", "first_seen": opened_at, "message": "It broke. Mend it.",
    }  # fmt: skip
    return Alert(kind=kind, opened_at=opened_at, **(fields | more))


BROKEN = Injected("checkout_broken", DAY, 9, since_ms=at("2025-03-09T12:22:30"))
SILENT = alert("purchase_silence", "2025-03-09T14:42:00.000Z")


def test_minutes_go_from_the_faults_beginning_to_the_first_alert_of_its_kinds():
    later = alert("conversion_shift", "2025-03-09T15:00:00.000Z")
    other = alert("volume_drop", "2025-03-09T12:30:00.000Z")
    (found,) = incidents([BROKEN], [later, other, SILENT])
    assert (found.alert, found.minutes, found.words) == (SILENT, 140, "nobody could buy")


@pytest.mark.parametrize(
    "wrong",
    [
        alert("purchase_silence", "2025-03-09T12:22:00.000Z"),  # before there was anything to find
        alert("purchase_silence", "2025-03-10T12:23:00.000Z"),  # more than a day later
        alert("purchase_silence", "2025-03-09T14:42:00.000Z", caused_by="something else"),
        alert("schema_field_renamed", "2025-03-09T14:42:00.000Z"),
    ],
)
def test_what_no_alert_found_is_said_to_be_found_by_none(wrong):
    (missed,) = incidents([BROKEN], [wrong])
    assert (missed.alert, missed.minutes) == (None, None)


def test_an_alert_finds_one_fault_and_a_collision_only_by_its_own_id():
    again = BROKEN._replace(since_ms=BROKEN.since_ms + 60_000)
    assert [it.alert for it in incidents([again, BROKEN], [SILENT])] == [SILENT, None]
    collision = Injected("collision", DAY, 1, ("ORD-1",), at("2025-03-09T03:30:00"))
    others, own = (
        alert("transaction_collision", "2025-03-09T03:31:00.000Z", id=name, subject=name)
        for name in ("ORD-2", "ORD-1")
    )
    assert [it.alert for it in incidents([collision], [others, own])] == [own]


def test_faults_that_did_nothing_or_are_nothing_to_find_are_no_incidents():
    nothing = Injected("replay", DAY, 0)
    order = Injected("out_of_order", DAY, 9, since_ms=5)
    assert incidents([nothing, order], [SILENT]) == []


def test_an_alert_is_told_once_and_what_a_cause_explains_not_at_all():
    sightings = Sightings()
    symptom = alert("volume_drop", "2025-03-09T15:00:00.000Z", state="inhibited", caused_by="x")
    opened = {SILENT.id: SILENT}
    (told,) = sightings.news([BROKEN], opened)
    assert told.headline == "P1 purchase_silence, caught after 140 min: nobody could buy"
    opened |= {symptom.id: symptom}
    assert sightings.news([BROKEN], opened) == []
    assert [it.alert for it in sightings.known] == [SILENT]


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (SILENT, "It broke."),
        (alert("bot_traffic", "2025-03-09T14:42:00.000Z", message="\x1b[2J" + "x" * 999), "�[2J" + "x" * 215 + "…"),
        (
            alert(
                "direct_share_shift", "2025-03-09T14:42:00.000Z", state="resolved", absolute_change=-0.1,
                resolved_at="2025-03-09T18:43:00.000Z", message="It is back to normal.",
            ),
            "direct share moved, from 2025-03-09 14:42 UTC to 2025-03-09 18:43 UTC.",
        ),
    ],
)  # fmt: skip
def test_a_sighting_says_in_a_printable_sentence_what_it_is(told, sentence):
    assert Sighting(told, None).headline == f"P1 {told.kind}"
    assert Sighting(told, None).sentence == sentence
