"""`report.md`: the verdict first, short on a good day, and harmless whatever the events said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from consumer.core.days import HistoryEntry
from detectors.alerts import Severity
from detectors.verdict import Check
from reports.render import report_md
from reports.render.incidents import MOST_ALIKE
from reports.render.remedies import OTHERWISE, REMEDIES, remedy
from reports.render.summary import summarise
from tests.reports.sample_state import alert, good_week, hostile, quarantined, receipt


def render(*state):
    return report_md.render(summarise(*state))


def text_of(*state, day=None):
    return render(*state, day).decode()


def page_of(*state):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text_of(*state))


def open_day():
    fields = {"status": "open", "revision": 0, "closed_at": None, "history": []}
    return receipt("2025-02-18", sessions=120, purchases=2, **fields)


GOLDENS = {
    "good": (good_week(), []),
    "quarantined": quarantined(),
    "no_baseline": ([open_day()], []),
    "hostile": hostile(),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_the_report_is_as_people_read_it(golden, name):
    golden.check(f"report_{name}.md", render(*GOLDENS[name]))


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, "pass, its numbers can be used"),
        ({"status": "at_risk"}, "at risk, its numbers can be used with care"),
        ({"status": "quarantined"}, "quarantined, do not use its numbers"),
        ({"status": "released"}, "released by hand, its numbers can be used"),
        ({"status": "open", "verdict": "quarantined"}, "still open, so far quarantined"),
    ],
)
def test_the_first_line_is_the_verdict(fields, verdict):
    assert text_of([receipt("2025-02-24", **fields)], []).split("\n")[0] == f"# 2025-02-24: {verdict}"


def test_a_good_day_is_short():
    report = text_of(good_week(), [])
    assert len(report.splitlines()) < 16
    assert "##" not in report
    assert "No alert is open. All five metrics are within their usual range." in report
    assert "The 6 days before: 6 pass." in report


def test_the_newest_closed_day_is_reported_unless_another_is_asked_for():
    receipts = [*good_week(), receipt("2025-02-25", status="open", verdict="at_risk")]
    assert text_of(receipts, []).startswith("# 2025-02-24:")
    assert "Not closed yet: 2025-02-25 (so far at risk)." in text_of(receipts, [])
    assert text_of(receipts, [], day="2025-02-20").startswith("# 2025-02-20:")
    assert text_of(receipts, [], day="2024-01-01").startswith("# 2024-01-01: nothing is known of this day")


def test_a_day_that_is_still_filling_is_not_compared():
    receipts = [*good_week(), receipt("2025-02-25", status="open", sessions=12)]
    report = text_of(receipts, [], day="2025-02-25")
    assert "The day is still filling" in report
    assert re.search(r"\| sessions +\| +12 \| +– \| +\| +950 \|", report)


def test_what_broke_since_when_and_what_to_do_come_right_after_the_verdict():
    first, decide, _, broke, *_ = text_of(*quarantined()).split("\n\n")
    assert first == "# 2025-02-26: quarantined, do not use its numbers"
    assert decide == "**1 day waits for your decision:**"
    broke, do = broke.split("\n")
    assert broke == (
        "**What broke:** transaction id `ORD-1042` stands for different orders, since 2025-02-26 09:13 UTC (P0).  "
    )
    assert do.startswith(f"**What to do:** {REMEDIES['transaction_collision']}")


def test_a_day_that_fills_under_an_alert_is_told_in_the_first_line():
    filling = receipt("2025-02-25", status="open", verdict="at_risk")
    now = alert("a", severity=Severity.P1_HIGH, first_seen="2025-02-25T08:00:00.000Z")
    first = text_of([*good_week(), filling], [now]).split("\n")[0]
    assert (
        first
        == "# 2025-02-24: pass, its numbers can be used; but 2025-02-25, still filling, is at risk so far"
    )


def test_a_metric_beyond_its_band_is_told_with_what_may_be_why():
    report = text_of(*quarantined())
    assert "Low: sessions (310, usual 1,010 ± 120); no rule takes that for more than chance." in report
    assert "purchases (13, usual 22 ± 10)" not in report


def test_an_amended_day_says_so():
    report = text_of([receipt("2025-02-24", revision=4, late=7)], [])
    assert "- amended 3 times since it closed (revision 4): 7 events came late" in report


def test_the_loudest_alert_comes_first_and_a_note_is_told_in_its_own_words():
    report = text_of(*quarantined())
    assert report.index("- **P0** transaction id `ORD-1042`") < report.index("- **P1** `referrer` is missing")
    assert "Besides, 1 note:\n\n- `transaction_replay`: Transaction id ORD-1042 came 2 times" in report
    assert "**P2**" not in report


def test_a_symptom_stands_under_its_cause_and_not_by_itself():
    report = text_of(*quarantined())
    assert "Explains: direct share moved." in report
    assert "**P1** direct share" not in report


def test_an_alert_that_follows_from_another_names_it():
    alerts = [alert("a1"), alert("b2", kind="volume_drop", subject=None, metric="sessions", caused_by="a1")]
    assert "Follows from: transaction id `ORD-1042` stands for different orders." in text_of(
        good_week(), alerts
    )


def test_a_message_of_white_space_alone_does_not_split_its_item():
    assert "\n \n" not in text_of(good_week(), [alert("a1", message=" \n\u2028 ")])
    assert "<p>" not in page_of([], [alert("a1", message=" \n ")]).split("<ul>")[1].split("</ul>")[0]


def test_an_acknowledged_alert_is_shown_as_such():
    assert "(new, acknowledged)" in text_of(good_week(), [alert("a1", state="acknowledged")])


def test_a_quarantined_day_says_what_to_do():
    report = text_of(*quarantined())
    assert '`sluice gate release 2025-02-26 --reason "…"`' in report
    assert REMEDIES["transaction_collision"] in report


def test_what_to_do_is_said_once_for_each_kind():
    alerts = [alert(f"a{n}", subject=f"ORD-{n}") for n in range(5)]
    receipts, _ = quarantined()
    assert text_of(receipts, alerts).count(REMEDIES["transaction_collision"]) == 1


def test_the_reason_of_a_check_is_not_said_twice():
    told = "Transaction id ORD-1 came 2 times."
    day = receipt(
        "2025-02-26", status="quarantined", checks=[Check("transaction_collision", "quarantined", told)]
    )
    assert text_of([day], [alert("a1", message=told)]).count(told) == 1


def test_a_collision_that_is_over_is_still_named_on_each_of_its_days():
    checks = [Check("transaction_collision", "quarantined", "2 purchases share a transaction id", 2)]
    days = [receipt(f"2025-02-2{n}", status="quarantined", checks=checks) for n in (5, 6)]
    over = alert("a1", state="expired", day="2025-02-26", evidence={"days": ["2025-02-25", "2025-02-26"]})
    for day in ("2025-02-25", "2025-02-26"):
        assert "- **P0** transaction id `ORD-1042` stands for different orders" in text_of(
            days, [over], day=day
        )


def test_rejections_are_told_by_reason_the_most_frequent_first():
    report = text_of(*quarantined())
    rows = re.findall(r"^\| (.+?) +\| +(\d+) \| +(\S+) \|$", report, re.MULTILINE)
    assert rows == [
        ("transaction id with different contents", "2", "2,310.50"),
        ("invalid timestamp", "9", "–"),
        ("not JSON", "7", "–"),
        ("purchase without usable revenue", "1", "0.01"),
    ]
    assert "Rejected: 17 of 4,086 records (score 99.58)." in report
    assert "2,310.51 of revenue is in question." in report


def test_what_is_not_measurable_is_told_with_its_reason():
    assert "- direct share: the field referrer is missing since 08:00" in text_of(*quarantined())
    assert "no reason was recorded" in text_of([receipt("2025-02-24", sessions=None)], [])


def test_a_release_is_told_with_who_and_why():
    history = [
        HistoryEntry(1, "quarantined", "2025-02-25T01:00:00.000Z"),
        HistoryEntry(
            2, "released", "2025-02-25T01:00:00.000Z", "orders compared", "ada", "2025-02-25T09:12:00.000Z"
        ),
    ]
    report = text_of([receipt("2025-02-24", status="released", revision=2, history=history)], [])
    assert "- 2025-02-25 09:12 UTC, released by ada: orders compared" in report


def test_other_quarantined_days_are_not_forgotten():
    receipts = [*good_week(), receipt("2025-02-17", status="quarantined")]
    assert "**1 day waits for your decision:**\n\n- 2025-02-17: " in text_of(receipts, [])


def test_many_alerts_do_not_make_an_endless_report():
    alerts = [alert(f"a{n}", severity=Severity.P1_HIGH) for n in range(50)]
    report = text_of(good_week(), alerts)
    assert f"- … and {50 - MOST_ALIKE} × `transaction_collision` more in `alerts.json`" in report
    kinds = [alert(f"a{n}", severity=Severity.P1_HIGH, kind=f"kind_{n}") for n in range(50)]
    assert "and 22 others more in `alerts.json`" in text_of(good_week(), kinds)
    assert len(report) < 20_000
    assert len(text_of(good_week(), kinds)) < 20_000


def test_many_alerts_of_one_kind_do_not_hide_the_others():
    alerts = [alert(f"a{n:03}", subject=f"ORD-{n}") for n in range(300)]
    renamed = alert("z", kind="schema_field_renamed", severity=Severity.P1_HIGH, subject="referrer")
    report = text_of(good_week(), [*alerts, renamed])
    assert "**What broke on 2025-02-26:** 300 transaction ids stand for different orders, since" in report
    assert "- **P1** `referrer` was renamed" in report


def test_every_kind_of_alert_says_what_to_do():
    from detectors.rules import KINDS

    assert [kind for kind in KINDS if kind not in REMEDIES] == []
    assert remedy("a_kind_of_tomorrow") == OTHERWISE


def test_a_command_names_the_alert_itself():
    told = alert("69b3021609ea9a0121e7", kind="field_coverage", subject="referrer")
    assert 'sluice alerts accept 69b30216 --reason "…"' in text_of(good_week(), [told])
    assert "sluice alerts accept" not in text_of(good_week(), [alert("`x`", kind="field_coverage")])


def test_a_day_that_was_released_has_nothing_left_to_do():
    day = receipt(
        "2025-02-24", status="released", checks=[Check("transaction_collision", "quarantined", "two")]
    )
    over = alert("a", state="expired", day="2025-02-24")
    assert "**What to do:** Nothing more: the day was released, on record." in text_of([day], [over])


def test_a_hostile_day_has_the_same_sections_links_and_tags_as_a_harmless_one():
    page = page_of(*hostile())
    assert set(re.findall(r"<(\w+)", page)) <= {
        "h1",
        "h2",
        "p",
        "ul",
        "li",
        "strong",
        "code",
        "br",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert "href" not in page
    assert re.findall("<h2>(.*)</h2>", page) == [
        "Open alerts",
        "What puts it at risk",
        "Rejected and not counted",
        "Not measurable",
        "How its verdict changed",
        "The last days",
    ]
    assert all(line.isprintable() or "\u2060" in line for line in text_of(*hostile()).split("\n"))
    assert len(page) < 20_000


@given(st.text(), st.text())
def test_no_text_adds_structure_to_the_report(one, other):
    def page(message, subject):
        day = receipt(
            "2025-02-24",
            status="at_risk",
            rejected=1,
            rejects={"x" + subject: 1},
            checks=[Check("x" + subject, "at_risk", message + "x")],
            not_measurable={"revenue": message},
            contract=subject,
        )
        told = alert("a1", message="x" + message, subject="x" + subject, kind="k" + subject)
        shown = page_of([day], [told])
        return re.findall(r"</?(\w+)", shown)

    assert page(one, other) == page("message", "subject")


def test_who_put_an_alert_away_and_why_is_said():
    entry = {"at": "2025-02-26T11:00:00.000Z", "state": "acknowledged", "by": "*ann*", "reason": "known"}
    away = alert("a", day="2025-02-18", state="acknowledged", evidence={"history": [entry]})
    assert "Acknowledged by \\*ann\\*: known." in text_of(good_week(), [away])
    for history in ("hostile", [None, "x"], [{"state": "acknowledged", "by": 5}], []):
        strange = alert("a", day="2025-02-18", state="acknowledged", evidence={"history": history})
        assert ": known" not in text_of(good_week(), [strange])
