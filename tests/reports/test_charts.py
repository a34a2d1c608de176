"""What is drawn, in numbers: the axis of days, the scale, lines with gaps, and stretches of time on them."""

from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.days import Hours
from reports.render import charts, html_parts, svg
from reports.render.axis import Axis
from reports.render.history import field_lines, funnel, hour_lines, whole_days
from reports.render.incidents import Incident
from reports.render.summary import MetricLine, summarise
from reports.render.times import times_in
from tests.reports.sample_state import COVERAGE, HOURS, NAMES, alert, good_week, receipt

BERLIN = [
    ("2025-03-29", receipt("2025-03-29", begins="2025-03-28T23:00:00.000Z")),
    ("2025-03-30", receipt("2025-03-30", begins="2025-03-29T23:00:00.000Z")),
    ("2025-03-31", receipt("2025-03-31", begins="2025-03-30T22:00:00.000Z")),
]


@pytest.mark.parametrize(
    ("moment", "at"),
    [
        ("2025-03-28T23:00:00.000Z", 0.0),
        ("2025-03-29T11:00:00.000Z", 0.5),
        ("2025-03-30T10:30:00.000Z", 1.5),  # 23 hours are this day
        ("2025-03-31T10:00:00.000Z", 2.5),
        ("2020-01-01T00:00:00.000Z", 0.0),
        ("2030-01-01T00:00:00.000Z", 3.0),
        ("yesterday", None),
        (None, None),
    ],
)
def test_an_instant_lies_in_its_day_also_where_the_clock_changes(moment, at):
    assert Axis(BERLIN).at(moment) == at


def test_days_without_a_receipt_take_their_place():
    axis = Axis([("2025-02-23", None), ("2025-02-24", None), ("2025-02-25", None)])
    assert axis.at("2025-02-24T12:00:00.000Z") == 1.5
    assert axis.weeks() == [1]
    assert axis.labels()[0] == (0, "23 Feb")


@given(st.lists(st.floats(0, 1e15), min_size=1))
def test_a_scale_holds_every_value(values):
    top = svg.top_of(values)
    assert max(values) <= top * (1 + 1e-9)
    assert all(0 <= svg.height_of(value, top) <= svg.HEIGHT for value in values)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_breaks_a_scale(value):
    assert svg.top_of([value]) > 0


def test_a_line_has_a_gap_where_nothing_is_known():
    assert svg.line("x", [(0, 1.0), (1, None), (2, 3.0), (3, 4.0)]) == '<path class="x" d="M0 1M2 3L3 4"/>'
    assert svg.line("x", [(0, None)]) == ""


def test_a_band_is_as_many_areas_as_it_has_runs():
    edges = [(0, (1.0, 9.0)), (1, (2.0, 8.0)), (2, None), (3, (1.0, 9.0))]
    assert svg.area("x", edges) == '<path class="x" d="M0 1L1 2L1 8L0 9ZM3 1L3 9Z"/>'


def test_a_picture_is_well_formed_whatever_its_texts():
    picture = svg.svg(3, '"<&>\x00', [svg.target(0, 1, "</title><script>"), svg.dots("a", [(1, 2)])])
    root = ET.fromstring(str(picture))  # noqa: S314 - made here
    assert root.attrib["aria-label"] == '"<&>\N{REPLACEMENT CHARACTER}'
    assert root[0][0].text == "</title><script>"


@given(st.floats(-5, 40), st.floats(-5, 40))
def test_a_stretch_stays_on_its_track(start, length):
    left, width = charts.place(start, start + abs(length), 28)
    assert 0 <= left <= 100
    assert 0 < width <= 100


def test_a_metric_shows_its_band_its_days_and_the_incidents_that_touch_it():
    receipts = good_week()
    summary = summarise(receipts, [])
    axis = Axis(summary.recent)
    lines = [MetricLine("sessions", Decimal(5), Decimal(10), Decimal(4)) for _ in axis.days]
    lines[1] = None
    marked = [
        Incident(
            alert(
                "a",
                first_seen="2025-02-19T12:00:00.000Z",
                resolved_at="2025-02-20T00:00:00.000Z",
                kind="volume_drop",
            ),
            (),
            new=False,
        )
    ]
    chart = charts.metric_chart("sessions", axis, summary.recent, lines, marked, "2025-02-24")
    root = ET.fromstring(str(chart.picture))  # noqa: S314 - made here
    (mark,) = [e for e in root if e.attrib["class"] == "incident p0"]
    assert (mark.attrib["x"], mark.attrib["width"]) == ("1.5", "0.5")
    (line,) = [e for e in root if e.attrib["class"] == "line"]
    assert line.attrib["d"].count("M") == 2
    titles = [e[0].text for e in root if e.attrib["class"] == "hit"]
    assert titles[0] == "Tue 2025-02-18: 5, usual 10 ± 4; pass"
    assert titles[1] == "2025-02-19: still filling"
    assert [label for _, label in chart.scale] == ["15", "7.5", "0"]


def test_hours_of_a_day_that_fills_reach_as_far_as_it_has_come():
    today = receipt("2025-02-25", status="open", watermark="2025-02-25T03:59:59.000Z")
    events = hour_lines(today, good_week())[0]
    assert (len(events.values), events.so_far) == (4, sum(HOURS.events[:3]))
    assert events.normal[5] == (110.0, 110.0, 110.0)
    assert hour_lines(today, good_week()[:2])[0].normal == []


def test_the_funnel_goes_from_sessions_to_purchases_the_most_usual_event_first():
    today = receipt(
        "2025-02-25", sessions=100, purchases=2, names={"checkout_completed": 9, "page_viewed": 3, "odd": 1}
    )
    steps = funnel(today, good_week())
    assert [step.name for step in steps] == [
        "sessions",
        "page_viewed",
        "checkout_completed",
        "odd",
        "purchases counted",
    ]
    assert steps[1].per_100 == 3.0
    assert steps[1].usual_per_100 == pytest.approx(100 * NAMES["page_viewed"] / 1010)
    assert steps[3].usual_per_100 == 0


def test_a_day_without_sessions_has_a_funnel_without_rates():
    steps = funnel(receipt("2025-02-25", sessions=0, purchases=0), good_week())
    assert all(step.per_100 is None for step in steps)


def test_fields_that_moved_most_come_first():
    today = receipt("2025-02-25", coverage={**COVERAGE, "referrer": "0.9", "client_id": "nothing"})
    lines = field_lines(today, good_week(), [("2025-02-25", today)])
    assert (lines[0].path, lines[0].now, lines[0].usual) == ("referrer", 0.9, 0.262)
    assert next(line.now for line in lines if line.path == "client_id") is None


def marks_of(marked, days=28):
    axis = Axis([(f"2025-02-{n + 1:02}", None) for n in range(days)])
    chart = charts.metric_chart(
        "sessions", axis, [(day, None) for day in axis.days], [None] * days, marked, None
    )
    root = ET.fromstring(str(chart.picture))  # noqa: S314 - made here
    return [
        (e.attrib["class"], float(e.attrib["x"]), float(e.attrib["width"]))
        for e in root
        if e.attrib["class"].startswith("incident")
    ]


def incident(name="a", **fields):
    return Incident(alert(name, **{"kind": "volume_drop", "state": "resolved", **fields}), (), new=False)


def test_no_number_of_incidents_makes_a_chart_that_does_not_open():
    many = [
        incident(
            f"a{n}",
            first_seen=f"2025-02-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00.000Z",
            resolved_at=f"2025-02-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:30.000Z",
        )
        for n in range(5000)
    ]
    assert 0 < len(marks_of(many)) <= charts.MOST_MARKS


def test_incidents_that_overlap_are_not_darker_where_they_do():
    two = [
        incident("a", first_seen="2025-02-03T00:00:00.000Z", resolved_at="2025-02-05T00:00:00.000Z"),
        incident("b", first_seen="2025-02-04T00:00:00.000Z", resolved_at="2025-02-06T00:00:00.000Z"),
    ]
    assert marks_of(two) == [("incident p0", 2.0, 3.0)]


def test_a_collision_marks_the_days_on_which_its_purchases_lie_and_none_between():
    far = incident(
        kind="transaction_collision",
        first_seen="2025-02-03T10:00:00.000Z",
        opened_at="2025-02-23T10:00:00.000Z",
        day="2025-02-23",
        evidence={"days": ["2025-02-03", "2025-02-23"]},
    )
    assert marks_of([far]) == [("incident p0", 2.0, 1.0), ("incident p0", 22.0, 1.0)]


def test_a_dot_has_a_length_so_that_paper_shows_it_whatever_its_end():
    assert svg.dots("quarantined", [(1, 2)]) == '<path class="dot quarantined" d="M1 2h.01"/>'


def test_an_hour_that_a_day_does_not_have_is_told_as_such():
    line = hour_lines(receipt("2025-03-09", hours=HOURS), good_week())[0]
    told = [e[0].text for e in ET.fromstring(str(charts.hour_chart(line, [2]).picture)) if len(e)]  # noqa: S314 - made here
    assert told[2] == "02:00 to 03:00: there is no such hour on this day, the clock was put forward"
    assert told[3].startswith("03:00 to 04:00: 90 events; usual")


@pytest.mark.parametrize(
    ("zone", "day", "missing"),
    [
        ("America/New_York", "2025-03-09", [2]),
        ("America/New_York", "2025-11-02", []),
        ("Europe/Berlin", "2025-03-30", [2]),
        ("Africa/Cairo", "2025-04-25", [0]),
        ("UTC", "2025-03-09", []),
    ],
)
def test_the_hours_that_a_day_does_not_have_are_known(zone, day, missing):
    assert [hour for hour in range(24) if not times_in(zone).has_hour(day, hour)] == missing


def test_a_first_day_that_begins_in_its_middle_says_nothing_of_normal_hours():
    part = [0] * 12 + [100] * 12
    first = receipt("2025-02-17", hours=Hours(part, part, part))
    known = {one.day: one for one in [first, *good_week()]}
    assert min(whole_days(known)) == "2025-02-18"
    assert whole_days({one.day: one for one in good_week()}).keys() == {one.day for one in good_week()}


def test_no_date_reaches_out_of_a_narrow_chart():
    axis = Axis([(f"2025-03-{n:02}", None) for n in range(3, 18)])
    *inside, last = html_parts.dates(axis)
    assert [label for _, room, label in inside if room == 0] == ["3 Mar", "10 Mar"]
    assert (last[1], last[2]) == (-1.0, "17 Mar")
