"""`report.html`: one page that needs nothing else, valid, readable by all, and harmless whatever the events said."""

import re
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import html5lib
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.alerts import Severity
from detectors.verdict import Check
from reports.render import escape, report_html
from reports.render.summary import summarise
from tests.reports.sample_state import HOSTILE, HOURS, alert, good_week, hostile, quarantined, receipt

MOST_BYTES = 500_000
SVG = "{http://www.w3.org/2000/svg}svg"


def render(*state):
    return report_html.render(summarise(*state))


def long_state():
    """More than a report shows: two years of days, and hundreds of alerts."""
    days = [receipt(f"{2024 + n // 336}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}") for n in range(670)]
    coverage = {f"field_{n}": f"0.{n:03}000" for n in range(1, 60)}
    days = [*days, receipt("2025-12-28", coverage=coverage, names={f"event {n}": n for n in range(20)})]
    alerts = [
        alert(f"a{n}", severity=Severity.P1_HIGH, subject=f"ORD-{n}", first_seen="2025-12-20T00:00:00.000Z")
        for n in range(400)
    ]
    return days, alerts


def flooded_state():
    """A day on which everything fires, thousands of times, and each alert explains thousands."""
    day = receipt("2025-12-28", status="quarantined", rejects={f"reason_{n}": n for n in range(500)})
    day = replace(
        day,
        checks=[Check(f"rule_{n}", "at_risk", HOSTILE) for n in range(500)],
        names={HOSTILE[:n]: n for n in range(200)},
    )
    alerts = [
        alert(
            f"a{n:04}",
            kind=("transaction_collision", "volume_silence", "field_coverage", f"kind_{n}")[n % 4],
            subject=HOSTILE * 5,
            message=HOSTILE * 50,
            state=("open", "resolved", "expired", "inhibited")[n // 4 % 4],
            first_seen=f"2025-12-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00.000Z",
            resolved_at=f"2025-12-{n % 28 + 1:02}T23:59:00.000Z",
            day="2025-12-28",
            explains=[f"a{m:04}" for m in range(4000)] if n % 100 == 0 else None,
        )
        for n in range(4000)
    ]
    return [*long_state()[0][:-1], day], alerts


STATES = {
    "good": (good_week(), []),
    "quarantined": quarantined(),
    "hostile": hostile(),
    "nothing": ([], []),
    "one open day": (
        [receipt("2025-02-18", status="open", revision=0, watermark="2025-02-18T09:30:00.000Z")],
        [],
    ),
    "long": long_state(),
    "flooded": flooded_state(),
}


def parsed(page):
    """The document; raises where a browser would have to guess."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.decode())


def shape(page):
    return [
        (element.tag, *sorted(element.attrib))
        for element in parsed(page).iter()
        if isinstance(element.tag, str)
    ]


def text(element):
    return " ".join("".join(element.itertext()).split())


@pytest.mark.parametrize("name", ["good", "quarantined", "hostile", "nothing"])
def test_the_page_is_as_people_read_it(golden, name):
    golden.check(f"report_{name}.html", render(*STATES[name]))


@pytest.mark.parametrize("name", STATES)
def test_the_page_is_valid_html(name):
    document = parsed(render(*STATES[name]))
    ids = [element.attrib["id"] for element in document.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    for element in document.iter():
        for named in element.attrib.get("aria-labelledby", "").split():
            assert named in ids


@pytest.mark.parametrize("name", STATES)
def test_the_page_needs_nothing_else_and_runs_nothing(name):
    document = parsed(render(*STATES[name]))
    tags = {element.tag for element in document.iter() if isinstance(element.tag, str)}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base", "audio", "video"}
    assert not [a for element in document.iter() for a in element.attrib if a.startswith("on")]
    links = [e.attrib.get("href") for e in document.iter() if "href" in e.attrib] + [
        e.attrib["src"] for e in document.iter() if "src" in e.attrib
    ]
    assert set(links) <= {"data:,", "#metrics"}
    css = next(text(e) for e in document.iter("style"))
    assert "url(" not in css
    assert "@import" not in css
    assert b"default-src 'none'" in render(*STATES[name])


@pytest.mark.parametrize("name", STATES)
def test_the_page_opens_fast(name):
    assert len(render(*STATES[name])) < MOST_BYTES / 2


def test_the_same_state_gives_the_same_bytes_in_whatever_order_it_was_read():
    receipts, alerts = quarantined()
    assert render(receipts[::-1], alerts[::-1]) == render(receipts, alerts)


def test_headings_are_an_outline():
    levels = [
        int(e.tag[1]) for e in parsed(render(*quarantined())).iter() if re.fullmatch(r"h\d", str(e.tag))
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_says_in_words_what_it_shows():
    pictures = list(parsed(render(*quarantined())).iter(SVG))
    assert len(pictures) >= 8
    assert all(e.attrib["role"] == "img" and len(e.attrib["aria-label"]) > 10 for e in pictures)
    assert pictures[0].attrib["aria-label"] == (
        "sessions from 2025-02-18 to 2025-02-26: between 310 and 1,070, 1 day outside the band"
    )


def test_what_broke_since_when_and_what_to_do_stand_at_the_top():
    document = parsed(render(*quarantined()))
    header = next(document.iter("header"))
    assert text(next(header.iter("h1"))) == "Quarantined, do not use its numbers"
    terms = dict(zip(map(text, header.iter("dt")), map(text, header.iter("dd")), strict=True))
    assert list(terms) == ["What broke", "Since", "What to do"]
    assert terms["What broke"] == "Transaction id ORD-1042 stands for different orders P0"
    assert terms["Since"] == "2025-02-26 09:13 UTC"
    assert terms["What to do"].startswith("Find out in the shop's own orders which purchase is the true one.")
    assert text(next(header.iter("li"))).endswith('through: sluice gate release 2025-02-26 --reason "…"')


def test_a_good_day_has_nothing_to_do():
    header = next(parsed(render(*STATES["good"])).iter("header"))
    assert not list(header.iter("dl"))
    assert "All five metrics are within their usual range." in text(header)


def test_hours_are_those_of_the_day_that_is_still_filling_beside_what_is_usual_by_then():
    today = receipt("2025-02-25", status="open", watermark="2025-02-25T14:20:00.000Z", hours=HOURS)
    page = render([*good_week(), today], []).decode()
    assert "2025-02-25 by hour" in page
    assert "the hours up to 14:00 are over" in page
    so_far = sum(HOURS.events[:14])
    assert f"events by hour: {so_far:,} in the hours that are over, {so_far:,} is usual by then" in page


def test_receipts_of_an_older_version_are_shown_without_what_they_lack():
    old = {
        "begins": None,
        "ends": None,
        "hours": None,
        "names": {},
        "coverage": {},
        "normal": {},
        "claimed": {},
    }
    page = render([receipt(f"2025-02-2{n}", **old) for n in range(5)], [])
    parsed(page)
    for section in ("by hour", "Funnel", "Coverage of fields"):
        assert section not in page.decode()


def test_a_hostile_day_has_the_structure_of_a_harmless_one_and_shows_its_words():
    page = render(*hostile())
    tags = {element.tag for element in parsed(page).iter()}
    assert "script" not in tags
    shown = text(parsed(page))
    assert "<script>alert(1)</script>" in shown
    assert all(line.isprintable() for line in page.decode().split("\n"))


PIECES = (
    "<", ">", "&", "&lt;", '"', "'", "</title>", "</style>", "<!--", "-->", "]]>", "<script>", "</svg>", "{{ x }}", "{% x %}",
    "javascript:", "\x00", "\n", "\u2028", "\u202e", "\ud800", "a", "style=", "é", "\\", "`",
)  # fmt: skip
texts = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))


def told(message, subject):
    """A page that shows both texts wherever one from outside may stand."""
    day = receipt(
        "2025-02-24",
        status="at_risk",
        rejected=1,
        direct_share=None,
        rejects={"x" + subject: 1},
        checks=[Check("x" + subject, "at_risk", message + "x")],
        not_measurable={"direct_share": "x" + message},
        contract=subject,
        names={"x" + subject: 5},
        coverage={"x" + subject: "0.5"},
    )
    fields = {"message": "x" + message, "subject": "x" + subject, "kind": "k" + subject}
    return render([day], [alert("a1", **fields, evidence={"renamed_to": message})])


HARMLESS = shape(told("message", "subject"))


@hypothesis.settings(max_examples=50)
@hypothesis.example("</code><script>", "</title>")
@given(texts, texts)
def test_no_text_adds_structure_to_the_page(one, other):
    assert shape(told(one, other)) == HARMLESS


def test_what_is_shown_is_the_text_itself():
    page = parsed(render(good_week(), [alert("a", message=HOSTILE)]))
    assert any(escape.terminal(HOSTILE, 700) == text(e) for e in page.iter("p"))


# -- colours that everybody can read -----------------------------------------------------------------------------


def palettes():
    """The colours by name: light, dark, printed."""
    css = files("reports.render").joinpath("templates/report.css").read_text()
    blocks = re.findall(r":root\s*\{([^}]*)\}", css)
    assert len(blocks) == 3
    return [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})", block)) for block in blocks]


def contrast(one, other):
    """The contrast ratio of WCAG 2.2."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("number", range(3))
def test_texts_stand_out_from_what_they_lie_on(number):
    colours = palettes()[number]
    on = {
        "text": ("page", "card", "grid", "bad-soft"),
        "dim": ("page", "card", "grid"),
        "accent": ("card",),
        "risk": ("card", "risk-soft"),
        "bad": ("card", "bad-soft"),
        "good": ("card",),
        "calm": ("card",),
    }
    for fore, backs in on.items():
        for back in backs:
            assert contrast(colours[fore], colours[back]) >= 4.5, (fore, back)


@pytest.mark.parametrize("number", range(3))
def test_marks_stand_out_from_the_card(number):
    colours = palettes()[number]
    for mark in ("accent", "good", "alarm", "calm", "warn"):
        assert contrast(colours[mark], colours["card"]) >= (2.7 if mark == "warn" else 3), mark


def test_every_class_of_the_page_has_a_style_or_says_a_state():
    folder = Path(str(files("reports.render").joinpath("templates")))
    css = (folder / "report.css").read_text()
    told = re.findall(
        r'class="([\w -]+)"', (folder / "report.html").read_text() + (folder / "parts.html").read_text()
    )
    assert [name for names in told for name in names.split() if f".{name}" not in css] == []
