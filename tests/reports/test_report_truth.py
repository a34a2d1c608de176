"""A report says all that is known, nothing that is not, and only what a reader can act on."""

import msgspec
import pytest

from consumer.core.days import HistoryEntry
from detectors.alerts import Severity
from detectors.verdict import Check
from reports.deliver import digest_files, render_files
from reports.render import digest_md, report_md
from reports.render.source import Source
from reports.render.summary import summarise
from tests.reports.sample_state import alert, good_week, hostile, quarantined, receipt

P1 = {"severity": Severity.P1_HIGH}
TODAY = receipt("2025-02-25", status="open", verdict="quarantined")
OF_TODAY = alert("t", day="2025-02-25", first_seen="2025-02-25T09:00:00.000Z")


def text_of(*state, day=None, source=Source.KAFKA):
    return report_md.render(summarise(*state, day, source)).decode()


# -- one state, one report ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_a_report_of_the_newest_closed_day_says_what_the_daily_report_says(name):
    state = [*good_week(), TODAY], [OF_TODAY]
    assert render_files(*state, "2025-02-24")[name] == render_files(*state)[name]
    assert "1 alert is open (P0, new)." in text_of(*state, day="2025-02-24")


def test_a_report_of_an_earlier_day_says_how_many_alerts_are_open_about_later_ones():
    state = [*good_week(), TODAY], [OF_TODAY, alert("u", day="2025-02-24", **P1)]
    told = text_of(*state, day="2025-02-20")
    assert "No alert about this day or before is open; 2 are open about later days (1 P0)." in told
    assert "2025-02-25" not in told
    earlier = alert("e", day="2025-02-19", first_seen="2025-02-19T09:00:00.000Z", **P1)
    told = text_of(state[0], [*state[1], earlier], day="2025-02-20")
    assert "1 alert is open (new); 2 more are open about later days (1 P0)." in told


def test_the_state_of_the_data_is_that_of_everything_whatever_day_is_reported():
    state = [*good_week(), TODAY], [OF_TODAY]
    for day in ("2025-02-20", "2025-02-24"):
        assert "State of the data: 2025-02-26 10:41 UTC" in text_of(*state, day=day)
    assert "so alerts tell also what came after this day" in text_of(*state, day="2025-02-20")
    assert "came after this day" not in text_of(*state)


# -- alerts that are no longer kept --------------------------------------------------------------------------------

FLAGGED = receipt(
    "2025-02-24",
    status="at_risk",
    sessions=200,
    normal=good_week()[-1].normal,
    checks=[Check("sessions_anomaly", "at_risk", "an alert")],
)


def test_where_alerts_are_no_longer_kept_nobody_says_that_none_fired():
    told = text_of([*good_week()[:-1], FLAGGED], [])
    assert "Alerts that fired about this day are no longer kept." in told
    assert "No alert" not in told
    assert "no rule takes that for more than chance" not in told
    assert "**Why:** an alert of `sessions_anomaly` that is no longer kept." in told
    digest = digest_files([*good_week()[:-1], FLAGGED], [], "2025-02-20", "2025-02-26")[
        digest_md.NAME
    ].decode()
    assert "Alerts that fired about 2025-02-24 are no longer kept." in digest
    assert "No alert" not in digest


def test_where_the_alert_is_there_nothing_is_missing_also_when_it_is_held_back():
    held = alert("a", kind="sessions_anomaly", state="inhibited", day="2025-02-24", caused_by="b", **P1)
    assert summarise([FLAGGED], [held]).lost == ()
    assert summarise([FLAGGED], [alert("a", kind="volume_drop", day="2025-02-24")]).lost == (
        "sessions_anomaly",
    )


# -- decisions ---------------------------------------------------------------------------------------------------

COLLIDED = [
    receipt(
        f"2025-02-2{n}",
        status="quarantined",
        checks=[Check("transaction_collision", "quarantined", "1 purchase shares an id", 1)],
    )
    for n in (5, 6)
]
EXPIRED = alert("a1", state="expired", evidence={"days": ["2025-02-25", "2025-02-26"]})


def test_a_day_that_nobody_decided_about_is_the_first_thing_said_also_on_a_good_day():
    days = [*good_week(), *COLLIDED, receipt("2025-02-27")]
    first, heading, item, *_ = text_of(days, [EXPIRED]).split("\n\n")
    assert first == "# 2025-02-27: pass, its numbers can be used"
    assert heading == "**2 days wait for your decision:**"
    assert item == (
        "- 2025-02-25 and 2025-02-26: transaction id `ORD-1042` stands for different orders. To let them through: "
        '`sluice gate release 2025-02-25 --reason "…"` and `sluice gate release 2025-02-26 --reason "…"`'
    )


def test_a_collision_waits_for_a_decision_until_its_days_are_released():
    told = text_of(COLLIDED, [EXPIRED])
    assert "No alert is open, 1 waits for a decision." in told
    assert "## Waiting for a decision\n\n- **P0** transaction id `ORD-1042`" in told
    assert "## Over" not in told
    history = [HistoryEntry(2, "released", "2025-02-27T01:00:00.000Z", "compared", "ada")]
    released = [msgspec.structs.replace(day, status="released", history=history) for day in COLLIDED]
    told = text_of(released, [EXPIRED])
    assert "## Over\n\n- **P0** transaction id `ORD-1042`" in told
    assert "decision" not in told


def test_a_digest_says_which_of_its_days_wait_for_a_decision():
    days = [*good_week(), *COLLIDED]
    told = digest_files(days, [EXPIRED], "2025-02-20", "2025-02-26")[digest_md.NAME].decode()
    assert told.split("\n\n")[1] == "**2 days wait for your decision:**"
    assert 'sluice gate release 2025-02-26 --reason "…"' in told
    assert (
        "decision" not in digest_files(days, [EXPIRED], "2025-02-18", "2025-02-24")[digest_md.NAME].decode()
    )


def test_many_days_that_wait_do_not_make_a_long_list():
    days = [receipt(f"2025-01-{n:02}", status="quarantined") for n in range(1, 29)]
    head = text_of(days, []).split("| metric")[0]
    assert "**28 days wait for your decision:**" in head
    assert '`sluice gate release DAY --reason "…"`' in head
    assert len(head) < 1_200


# -- incidents that are over, known aliases, causes ----------------------------------------------------------------

SILENCE = {
    "kind": "volume_silence",
    "layer": "watch",
    "subject": None,
    "metric": None,
    "day": "2025-02-24",
    "first_seen": "2025-02-24T12:32:00.000Z",
    "opened_at": "2025-02-24T12:39:00.000Z",
}
FLAG = {"status": "at_risk", "checks": [Check("volume_silence", "at_risk", "an alert")]}


def test_an_incident_that_is_over_is_told_as_over_with_what_to_do_now():
    over = alert("a", state="resolved", resolved_at="2025-02-24T17:57:00.000Z", **SILENCE)
    told = text_of([receipt("2025-02-24", **FLAG)], [over])
    assert "**What broke:** no events came, 2025-02-24 12:32 to 17:57 UTC, over (P0).  " in told
    assert "**What to do:** Find out what was down." in told
    assert "See whether the site is up" not in told
    assert "See whether the site is up" in text_of([receipt("2025-02-24", **FLAG)], [alert("a", **SILENCE)])


def test_a_new_name_that_the_contract_knows_asks_for_no_alias():
    renamed = {"kind": "schema_field_renamed", "subject": "client_id", **P1}
    known = alert("a", evidence={"renamed_to": "clientId"}, **renamed)
    assert "make it an alias" not in text_of(good_week(), [known])
    assert "the contract knows the new name" in text_of(good_week(), [known])
    unknown = alert("a", evidence={"renamed_to": "cid", "fix": "aliases: [cid]"}, **renamed)
    assert "make it an alias" in text_of(good_week(), [unknown])


def test_what_costs_nothing_is_not_what_broke_where_something_else_did():
    renamed = alert(
        "a", kind="schema_field_renamed", subject="client_id", evidence={"renamed_to": "clientId"}, **P1
    )
    empty = alert("b", kind="field_coverage", subject="referrer", **P1)
    assert "**What broke on 2025-02-26:** `referrer`" in text_of(good_week(), [renamed, empty])
    assert "**What broke on 2025-02-26:** `client_id`" in text_of(good_week(), [renamed])


def test_what_puts_a_day_at_risk_is_told_causes_first_and_what_to_do_only_there():
    rules = ("direct_share_shift", "field_coverage", "schema_field_renamed")
    day = receipt(
        "2025-02-26", status="at_risk", checks=[Check(rule, "at_risk", "an alert") for rule in rules]
    )
    of = {"subject": "referrer", "day": "2025-02-26", **P1}
    cause = alert("c", kind="schema_field_renamed", evidence={"renamed_to": "ref"}, **of)
    held = {"state": "inhibited", "caused_by": "c"}
    symptoms = [
        alert("s", kind="direct_share_shift", absolute_change=0.2, **of | held),
        alert("f", kind="field_coverage", absolute_change=0.2, **of | held),
    ]
    told = text_of([day], [cause, *symptoms]).split("## What puts it at risk\n\n")[1].split("\n\n")[0]
    assert told.split("\n") == [
        "- `schema_field_renamed`, at risk: `referrer` was renamed to `ref`",
        "- `direct_share_shift`, at risk: direct share rose; follows from: `referrer` was renamed to `ref`",
        "- `field_coverage`, at risk: `referrer` is empty more often than normal; follows from: `referrer` was renamed to `ref`",
    ]


def test_colliding_purchases_are_told_in_their_number():
    day = receipt("2025-02-26", status="quarantined", collisions=6000)
    told = text_of([day], [alert(f"a{n}", subject=f"X{n}") for n in range(20)] + [alert("rest", subject="")])
    assert "**What broke:** more than 20 transaction ids stand for different orders, since" in told
    assert (
        "6,000 purchases are not counted because their transaction ids came with different contents" in told
    )
    one = text_of([receipt("2025-02-26", collisions=1)], [])
    assert "1 purchase is not counted because its transaction id came with different contents" in one


def test_a_note_is_told_in_its_own_words_once_for_each_kind():
    notes = [
        alert(f"n{n}", kind="bot_traffic", severity=Severity.P2_NOTE, opened_at=f"2025-02-24T0{n}:00:00.000Z", message=f"{n} robots")
        for n in range(3)
    ]  # fmt: skip
    told = text_of(good_week(), notes)
    assert "Besides, 3 notes:\n\n- `bot_traffic`: 2 robots (3 such notes; this is the latest)\n\n" in told


def test_a_metric_without_a_usual_range_is_named_and_the_others_are_still_told():
    day = good_week()[-1]
    normal = {metric: known for metric, known in day.normal.items() if metric != "direct_share"}
    told = text_of([*good_week()[:-1], msgspec.structs.replace(day, normal=normal)], [])
    assert "The four metrics that can be compared are within the usual range." in told
    assert "Direct share has no usual range: too few of the last days can be trusted." in told


# -- where it comes from -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [quarantined(), hostile(), (COLLIDED, [EXPIRED])])
def test_what_was_made_of_files_names_no_command_that_needs_kafka(state):
    coverage = alert("69b3021609ea9a0121e7", kind="field_coverage", **P1)
    files = render_files(state[0], [*state[1], coverage], source=Source.FILES)
    files |= digest_files(state[0], [*state[1], coverage], "2025-02-20", "2025-02-26", Source.FILES)
    for name, content in files.items():
        for command in (b"gate release", b"sluice alerts", b"sluice.days", b"dead-letter topic"):
            assert command not in content, name
    assert (
        b"sluice dlq list --file dead_letters.ndjson"
        in render_files(*quarantined(), source=Source.FILES)["report.md"]
    )


def test_where_every_record_was_rejected_that_is_what_is_said():
    files = render_files([], [], source=Source.FILES, unplaced={"not_json": 7, "no <b> reason": 1})
    told = files["report.md"].decode()
    assert told.startswith("# No day: all 8 records were rejected\n")
    assert "| not JSON        |     7 |" in told
    assert "sluice dlq list --file dead_letters.ndjson" in told
    page = files["report.html"].decode()
    assert "<h1>No day: every record was rejected</h1>" in page
    assert "not JSON" in page
    assert "<b> reason" not in page


# -- times ---------------------------------------------------------------------------------------------------------


def test_times_are_those_of_the_zone_in_which_the_days_are_cut():
    day = receipt(
        "2025-03-07",
        time_zone="Asia/Kathmandu",
        begins="2025-03-06T18:15:00.000Z",
        ends="2025-03-07T18:15:00.000Z",
        watermark="2025-03-07T19:15:00.000Z",
        closed_at="2025-03-07T19:15:00.000Z",
        **FLAG,
    )
    began = SILENCE | {"day": "2025-03-07", "first_seen": "2025-03-06T18:15:00.000Z"}
    told = text_of([day], [alert("a", **began | {"opened_at": "2025-03-06T18:20:00.000Z"})])
    assert "no events came, since 2025-03-07 00:00 UTC+05:45 (P0)" in told
    assert "days and times in Asia/Kathmandu (but in UTC where the sentence of an alert says so)" in told
    assert "State of the data: 2025-03-08 01:00 UTC+05:45." in told


@pytest.mark.parametrize("zone", ["Nowhere/At_All", "../etc/passwd", "", "a\x00b", "A" * 5000, "America"])
def test_a_zone_that_is_none_is_told_in_utc(zone):
    assert "State of the data: 2025-02-24 23:59 UTC." in text_of([receipt("2025-02-24", time_zone=zone)], [])


# -- digests -------------------------------------------------------------------------------------------------------

MIDNIGHT = "2025-02-25T00:00:00.000Z"
TWO_DAYS = [
    receipt("2025-02-24", ends=MIDNIGHT, closed_at="2025-02-25T01:00:00.000Z"),
    receipt(
        "2025-02-25", begins=MIDNIGHT, ends="2025-02-26T00:00:00.000Z", closed_at="2025-02-26T01:00:00.000Z"
    ),
]


@pytest.mark.parametrize(
    ("first_seen", "opened_at", "day"),
    [
        ("2025-02-24T23:59:00.000Z", "2025-02-24T23:59:00.000Z", "2025-02-24"),
        ("2025-02-24T23:56:00.000Z", "2025-02-25T00:30:00.000Z", "2025-02-24"),
        ("2025-02-24T00:00:00.000Z", "2025-02-25T01:00:00.000Z", "2025-02-24"),
        (MIDNIGHT, MIDNIGHT, "2025-02-25"),
        (MIDNIGHT, "2025-02-25T00:03:00.000Z", "2025-02-25"),
        ("2025-02-24T23:56:00.000Z", "2025-02-25T01:01:00.000Z", "2025-02-25"),
        ("2025-02-01T00:00:00.000Z", "2025-02-25T12:00:00.000Z", "2025-02-25"),
    ],
)
def test_an_alert_belongs_to_one_of_two_ranges_that_follow_each_other(first_seen, opened_at, day):
    fired = alert("a", first_seen=first_seen, opened_at=opened_at)
    known = {
        one: "1 alert fired" in digest_files(TWO_DAYS, [fired], one, one)[digest_md.NAME].decode()
        for one in ("2025-02-24", "2025-02-25")
    }
    assert known == {one: one == day for one in known}


def test_a_digest_says_of_how_many_days_its_means_are():
    told = digest_files(good_week(), [], "2025-02-22", "2025-02-25")[digest_md.NAME].decode()
    assert "| mean of a usable day | 3 of 4 days | 4 of the 4 days before |" in told


def test_days_before_the_first_event_are_not_days_without_events():
    told = digest_files(good_week(), [], "2025-02-16", "2025-02-26")[digest_md.NAME].decode()
    assert told.startswith(
        "# 2025-02-16 to 2025-02-26: 11 days: 7 pass, 2 without events and 2 before the first event\n"
    )
