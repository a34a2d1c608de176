"""Each channel's own form of a message: within its limits on the worst day, and harmless whatever events held."""

from __future__ import annotations

import json
import re
from email import policy
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.notify import alertmanager, mail, pager, pagerduty, people, slack, teams, webhook
from reports.notify.backoff import LONGEST_SECONDS, pause_seconds
from reports.notify.hearing import Change
from reports.notify.message import Message
from reports.notify.notice import fitted, notice
from reports.render.summary import summarise
from tests.reports.notify.desk import P0, P1, START_MS, Desk
from tests.reports.sample_state import HOSTILE, alert, good_week, hostile, quarantined

HOSTILE_TEXTS = [
    HOSTILE,
    "<!channel> <@U123> <https://evil.example|bank> &lt;!here&gt;",
    "*bold* _it_ ~no~ `code` ```block``` > quote",
    "a\r\nBcc: everybody@evil.example\r\n\r\n<img src=x onerror=alert(1)>",
    "\x00\x1b]0;title\x07\u202e\u2066 \ud800",
    "A" * 100_000,
    "😀" * 5_000,
    "\n" * 500,
    "",
]


def of_one(event="opened", **fields):
    return Message("id-1", "one", "shop", START_MS, (Change(alert("a1", **fields), event),), key="a1")


def of_many(count, **fields):
    found = tuple(Change(alert(f"a{n}", **fields), "opened") for n in range(count))
    return Message("id-2", "many", "shop", START_MS, found, key="many-1")


def of_digest(receipts, alerts):
    known = {one.id: one for one in alerts}
    return Message("digest-1", "digest", "shop", START_MS, known=known, summary=summarise(receipts, alerts))


WORST = [
    of_one(),
    of_many(1_000, message="m" * 5_000, subject="s" * 5_000),
    of_many(1_000, message="\U0001f600" * 5_000, kind="k" * 5_000),
    *(
        of_one(message=text, subject=text, kind=text, id=text, day=text, first_seen=text)
        for text in HOSTILE_TEXTS
    ),
    *(of_many(60, message=text, subject=text, kind=text) for text in HOSTILE_TEXTS),
    of_digest(*quarantined()),
    of_digest(*hostile()),
    Message("t", "test", "shop", START_MS),
]


def texts_of(document):
    if isinstance(document, dict):
        for value in document.values():
            yield from texts_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from texts_of(value)
    elif isinstance(document, str):
        yield document


@pytest.mark.parametrize("message", WORST)
def test_slack_gets_no_more_than_it_takes_and_nothing_that_it_acts_upon(message):
    for payload in (slack.payload(message), slack.plain_payload(message)):
        for attachment in payload.get("attachments", []):
            assert 1 <= len(attachment["blocks"]) <= 50
            for block in attachment["blocks"]:
                for text in [block["text"]] if "text" in block else block["elements"]:
                    assert text["type"] == "plain_text"
                    assert 1 <= len(text["text"]) <= 3_000
        assert 1 <= len(payload["text"]) <= 4_000
        assert not any(re.search(r"[<>]|@(channel|here|all|everyone)", text) for text in texts_of(payload))
        assert len(msgspec.json.encode(payload)) < 100_000


@pytest.mark.parametrize("message", WORST)
def test_teams_gets_no_more_than_it_takes_and_no_markdown(message):
    for payload in (teams.payload(message), teams.plain_payload(message)):
        assert len(msgspec.json.encode(payload)) < 27_000
        (attachment,) = payload["attachments"]
        assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}


class Tags(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found |= {tag, *(f"{tag}.{name}" for name, _ in attrs)}


@pytest.mark.parametrize("message", WORST)
def test_a_mail_has_one_line_of_subject_and_no_element_that_is_not_ours(message):
    made = mail.mail(message)
    assert made.subject.isprintable()
    assert len(made.subject) <= 150
    assert re.fullmatch("[0-9a-f]+", made.id)
    ours = {"html", "head", "meta", "body", "h2", "h3", "p"}
    assert Tags(made.html).found <= ours | {"meta.charset", "body.style", "h2.style", "h3.style", "p.style"}
    assert len(made.html) + len(made.text) < 500_000
    assert policy.SMTP.header_store_parse("Subject", made.subject)


FROM_KAFKA = [message for message in WORST if "\\ud800" not in repr(message.changes)]
"""JSON cannot hold half a surrogate pair, so no alert of a topic can either."""


@pytest.mark.parametrize("message", FROM_KAFKA)
def test_a_webhook_gets_valid_json_of_bounded_size_that_says_what_is_missing(message):
    for payload in (webhook.payload(message), webhook.plain_payload(message)):
        body = msgspec.json.encode(payload)
        assert len(body) < 300_000
        read = json.loads(body)
        assert len(read["changes"]) + read["more"] == len(message.changes)


@pytest.mark.parametrize("message", [message for message in WORST if message.changes])
def test_pagerduty_gets_no_more_than_it_takes(message):
    for document in (pagerduty.event(message, "k" * 32), pagerduty.plain_event(message, "k" * 32)):
        payload = document["payload"]
        assert 1 <= len(payload["summary"]) <= 1_024
        assert payload["summary"].isprintable()
        assert payload["severity"] in ("critical", "error", "warning", "info")
        assert payload["source"]
        assert len(json.dumps(document)) < 512_000
        assert 1 <= len(document["dedup_key"]) <= 255


def test_an_end_names_only_its_key():
    resolve = Message("r", "one", "shop", START_MS, action="resolve", key="a1")
    assert pagerduty.event(resolve, "key") == {
        "routing_key": "key",
        "event_action": "resolve",
        "dedup_key": "shop/a1",
    }


def test_two_installations_that_tell_one_pager_of_the_same_events_end_only_their_own_incidents():
    keys = [
        pagerduty.event(Message("r", "one", site, START_MS, action="resolve", key="a1"), "key")["dedup_key"]
        for site in ("shop", "staging", "long " * 60 + "name")
    ]
    assert len({*keys}) == len(keys)
    assert all(key.endswith("/a1") for key in keys)


def test_what_does_not_fit_is_counted():
    told = fitted(notice(of_many(1_000)), 1_000)
    assert sum(map(len, told.lines)) <= 1_100
    assert re.search(r"… and [\d,]+ more lines?: all of it is in alerts.json", told.lines[-1])


def test_a_summary_says_the_loudest_first_and_counts_the_rest_by_kind():
    d = Desk(people.plan)
    d.opens(*(f"a{n}" for n in range(100)), severity=P1)
    d.opens("page", severity=P0, kind="transaction_collision", metric="purchases")
    (message,) = d.passes(60_000)
    told = notice(message)
    assert told.title == "[P0] 101 alerts open"
    assert told.lines[1].startswith("[P0] transaction_collision page (since ")
    assert told.lines[-1] == "… and 76 more: 76 schema_field_missing"


def test_what_happened_is_not_said_to_be_mended_because_no_more_of_it_came_for_a_day():
    day = alert("a1", kind="transaction_collision", layer="gate", severity=P0, state="expired")
    told = notice(Message("a1-resolved-1", "one", "shop", START_MS, (Change(day, "resolved"),), key="a1"))
    assert told.title == "[P0] no more of it for a day: transaction_collision ORD-1042"
    assert told.lines[-1].startswith("It did not happen again; nothing says that it is mended.")
    assert "`sluice gate status`" in told.lines[-1]
    lasting = msgspec.structs.replace(day, state="resolved")
    told = notice(Message("a1-resolved-1", "one", "shop", START_MS, (Change(lasting, "resolved"),), key="a1"))
    assert told.title.startswith("[P0] over: ")
    assert "mended" not in told.text()


def test_a_storm_tells_a_pager_of_which_kinds_it_is():
    d = Desk(pager.plan)
    d.opens(*(f"a{n}" for n in range(20)), severity=P0, kind="transaction_collision")
    d.opens("silence", severity=P0, kind="volume_silence")
    (message,) = d.passes(60_000)
    summary = pagerduty.event(message, "k" * 32)["payload"]["summary"]
    assert summary == "[P0] 21 alerts open: 20 transaction_collision, 1 volume_silence"


def test_the_words_of_every_channel_are_these(golden):
    receipts, alerts = quarantined()
    known = {one.id: one for one in alerts}
    found = [Change(known["b2"], "opened"), Change(known["e5"], "resolved")]
    messages = [
        Message("b2-opened-0", "one", "shop", START_MS, (found[0],), key="b2", known=known),
        Message("e5-resolved-1", "one", "shop", START_MS, (found[1],), key="e5", known=known),
        Message("many-1", "many", "shop", START_MS, tuple(found), key="many-1", known=known),
        of_digest(receipts, alerts),
        Message("test", "test", "shop", START_MS),
    ]
    golden.check("notices.txt", "\n────\n".join(notice(message).text() for message in messages) + "\n")
    golden.check("notice_slack.json", _pretty(slack.payload(messages[2])))
    golden.check("notice_teams.json", _pretty(teams.payload(messages[2])))
    golden.check("notice_mail.html", mail.mail(messages[0]).html)
    golden.check("notice_webhook.json", _pretty(webhook.payload(messages[2])))
    golden.check("notice_pagerduty.json", _pretty(pagerduty.event(messages[0], "<routing key>")))
    standing = Message(
        "s", "standing", "shop", START_MS, (found[0],), ended=((known["e5"], P1),), known=known
    )
    golden.check("notice_alertmanager.json", _pretty(alertmanager.bodies(standing, 60_000)[0]))


def _pretty(document):
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_harmless_in_every_channel(message, subject, kind):
    told = of_one(message=message, subject=subject, kind=kind)
    for text in texts_of(slack.payload(told)):
        assert not re.search(r"[<>]|@\w", text)
    assert Tags(mail.mail(told).html).found & {"script", "img", "a", "style", "link", "iframe"} == set()
    assert notice(told).title.isprintable()
    assert all(line.isprintable() for line in notice(told).lines)


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 10_000_000))
def test_a_pause_is_bounded_and_no_shorter_than_the_server_asks(failures, chance, asked):
    pause = pause_seconds(failures, chance, asked)
    assert min(asked or 0, 3_600) <= pause <= max(LONGEST_SECONDS, 3_600)
    assert pause >= 0.5


def test_pauses_grow():
    pauses = [pause_seconds(failures, 1.0) for failures in range(1, 12)]
    assert pauses == sorted(pauses)
    assert len(good_week()) == 7
