"""A digest of several days: how they ended, what fired, what of it was true, how noisy the rules were."""

import re
from decimal import Decimal

import html5lib
import hypothesis
import pytest
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from detectors.alerts import Severity
from reports.deliver import digest_files
from reports.render import digest_html, digest_md
from reports.render.alert_record import judgement, was_held_back
from reports.render.digest import digest
from tests.reports.sample_state import alert, good_week, hostile, quarantined, receipt

FIRST, LAST = "2025-02-20", "2025-02-26"


def entry(state, by="", reason=""):
    return {"at": "2025-02-26T12:00:00.000Z", "state": state, "by": by, "reason": reason}


def said(name, *entries, **fields):
    return alert(name, evidence={"history": list(entries)}, **fields)


def month():
    """Two weeks, of which the second has a bad day and alerts of every fate."""
    receipts, alerts = quarantined()
    before = [receipt(f"2025-02-{day}", sessions=900, purchases=18) for day in (13, 14, 15, 16, 17)]
    silent = {
        "kind": "volume_silence",
        "subject": None,
        "severity": Severity.P0_BLOCKER,
        "state": "resolved",
        "resolved_at": "2025-02-23T10:40:00.000Z",
    }
    alerts += [
        said("g1", entry("silenced", "ann", "noise"), kind="bot_traffic", severity=Severity.P1_HIGH, opened_at="2025-02-22T10:41:00.000Z", subject=None),
        said("h1", entry("acknowledged", "bob", "release"), first_seen="2025-02-23T10:00:00.000Z", opened_at="2025-02-23T10:12:00.000Z", **silent),
        alert("h2", first_seen="2025-02-24T10:00:00.000Z", opened_at="2025-02-24T10:20:00.000Z", **silent | {"resolved_at": "2025-02-24T11:00:00.000Z"}),
        alert("z9", opened_at="2025-03-05T10:00:00.000Z"),
    ]  # fmt: skip
    return [*before, *receipts], alerts


STATES = {"month": month(), "nothing": ([], []), "hostile": hostile()}


@pytest.mark.parametrize("name", STATES)
def test_the_digest_is_as_people_read_it(golden, name):
    receipts, alerts = STATES[name]
    golden.check(f"digest_{name}.md", digest_files(receipts, alerts, FIRST, LAST)[digest_md.NAME])
    golden.check(f"digest_{name}.html", digest_files(receipts, alerts, FIRST, LAST)[digest_html.NAME])


@pytest.mark.parametrize("name", STATES)
def test_the_page_is_valid_html(name):
    page = digest_files(*STATES[name], FIRST, LAST)[digest_html.NAME]
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.decode())
    assert not list(document.iter("script"))


def test_the_days_are_counted_by_how_they_ended():
    told = digest(*month(), FIRST, LAST)
    assert [day for day, _ in told.days] == [f"2025-02-{n}" for n in range(20, 27)]
    assert digest_md.headline(told) == "7 days: 1 quarantined, 5 pass and 1 without events"


def test_the_mean_is_of_usable_days_only_and_stands_beside_as_many_days_before():
    told = {line.metric: line for line in digest(*month(), FIRST, LAST).metrics}
    usable = [good for good in good_week() if good.day >= FIRST]
    assert told["sessions"].value == Decimal(sum(r.metrics.sessions for r in usable)) / len(usable)
    assert told["sessions"].before == Decimal(950 + 970 + 5 * 900) / 7
    assert told["conversion_rate"].value == Decimal(sum(r.metrics.purchases for r in usable)) / Decimal(
        sum(r.metrics.sessions for r in usable)
    )
    assert digest(good_week(), [], "2025-02-20", "2025-02-24").metrics[0].before is None


def test_an_alert_belongs_to_the_range_in_which_it_was_known():
    told = digest(*month(), FIRST, LAST)
    assert "z9" not in {incident.alert.id for incident in told.incidents}
    assert digest(*month(), "2025-03-05", "2025-03-05").incidents[0].alert.id == "z9"


def test_what_the_day_came_to_when_it_closed_belongs_to_it():
    day = receipt(LAST, ends="2025-02-27T00:00:00.000Z", closed_at="2025-02-27T01:00:00.000Z")
    late = alert("a", opened_at="2025-02-27T01:00:00.000Z")
    assert [i.alert.id for i in digest([day], [late], LAST, LAST).incidents] == ["a"]
    assert digest([day], [alert("a", opened_at="2025-02-27T01:01:00.000Z")], LAST, LAST).incidents == ()


def test_the_rules_are_counted_by_what_became_of_their_alerts():
    rules = {rule.kind: rule for rule in digest(*month(), FIRST, LAST).rules}
    silence = rules["volume_silence"]
    assert (silence.pages, silence.alerts, silence.confirmed, silence.unanswered) == (2, 0, 1, 1)
    assert (silence.median_to_detection, silence.median_lasted) == (16, 50)
    assert rules["bot_traffic"].silenced == 1
    assert (rules["direct_share_shift"].held_back, rules["direct_share_shift"].fired) == (1, 0)
    assert rules["transaction_replay"].notes == 1


def test_a_rule_that_was_silenced_or_fires_without_anybody_finding_it_true_is_noisy():
    rules = {rule.kind: rule for rule in digest(*month(), FIRST, LAST).rules}
    assert [kind for kind, rule in rules.items() if rule.is_noisy] == ["bot_traffic"]
    often = [alert(f"a{n}", kind="volume_drop") for n in range(3)]
    assert digest([], often, LAST, LAST).rules[0].is_noisy
    assert not digest([], often[:2], LAST, LAST).rules[0].is_noisy


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        (None, "unanswered"),
        ({"history": "hostile"}, "unanswered"),
        ({"history": [None, entry("silenced")]}, "unanswered"),  # its silence ended, nobody said so
        ({"history": [entry("acknowledged", "ann")]}, "confirmed"),
        ({"history": [entry("acknowledged", "ann"), entry("silenced", "ann")]}, "silenced"),
        ({"history": [entry("silenced", "ann")], "accepted": "accepted by ann: new shop"}, "accepted"),
    ],
)
def test_what_people_said_last_decides(evidence, told):
    assert judgement(alert("a", evidence=evidence)) == told


def test_a_symptom_is_one_also_after_it_is_over():
    held = said(
        "a", entry("inhibited", reason="a cause is known"), entry("resolved"), state="resolved", caused_by="b"
    )
    assert was_held_back(held)
    freed = said("a", entry("inhibited"), entry("open"), entry("resolved"), state="resolved", caused_by="b")
    assert not was_held_back(freed)
    assert not was_held_back(alert("a"))


PIECES = (
    "<",
    ">",
    "&",
    '"',
    "`",
    "|",
    "*",
    "[x](y)",
    "</td>",
    "<script>",
    "\n",
    "# h",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    "@all",
    "a",
)
texts = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))


def shapes(one, other):
    """The structure of both files with two texts wherever one from outside may stand."""
    day = receipt(LAST, rejected=1, rejects={"x" + one: 1}, claimed={"x" + one: "1.5"})
    fields = {"kind": "k" + one, "subject": "x" + other, "message": other}
    told = said("a", entry("silenced", "b" + one, other), state="silenced", **fields)
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(
        digest_files([day], [told], FIRST, LAST)[digest_html.NAME].decode()
    )
    shown = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(digest_files([day], [told], FIRST, LAST)[digest_md.NAME].decode())
    )
    return [element.tag for element in page.iter()], re.findall(r"</?\w+", shown)


HARMLESS = shapes("one", "other")


@hypothesis.settings(max_examples=30)
@hypothesis.given(texts, texts)
def test_no_text_adds_structure_to_a_digest(one, other):
    assert shapes(one, other) == HARMLESS


def test_a_range_at_the_beginning_of_the_calendar_is_no_error():
    digest_files([receipt("0001-01-01")], [], "0001-01-01", "0001-01-02")[digest_md.NAME]
