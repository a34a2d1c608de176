"""What the demo shows: true at its end, whole on terminals of every width, plain where nobody looks."""

from __future__ import annotations

import io
import shlex
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from consumer.core.days import Counts, Metrics, Receipt
from consumer.local.demo_check import Comparison
from consumer.local.demo_incidents import Incident, Sighting
from consumer.local.demo_leftovers import FILES, Leftovers, leftovers, next_steps, while_it_lasts
from consumer.local.demo_report import Ending, opening, report
from consumer.local.demo_screen import LiveScreen, PlainScreen
from consumer.local.demo_standing import Process, Standing, picture
from consumer.local.shop_event import Injected
from detectors.alerts import Alert

AT = 1_741_522_920_000  # 2025-03-09 12:22 UTC

FOUND = Alert(
    "1", "P1_HIGH", "purchase_silence", "watch", None, None, "2025-03-09", "open", "2025-03-09T12:20:00.000Z",
    "2025-03-09T14:42:00.000Z", message="No \x1b[2Jpurchase came. Try an order.",
)  # fmt: skip
INCIDENTS = [
    Incident(Injected("checkout_broken", date(2025, 3, 9), 9, since_ms=AT), AT, FOUND),
    Incident(Injected("tracking_down", date(2025, 3, 9), 9, since_ms=AT), AT),
]


def receipt(day, status="pass", direct_share="0.40"):
    return Receipt(
        day, 1, status, "pass", Metrics(4_221, 1_142, "1252440.99", "0.033600", direct_share),
        Counts(9_000, 0, 0, 0, 0, 0, 0, 0), "100.00", None, {}, [], "c", "UTC", None, None,
    )  # fmt: skip


RECEIPTS = [
    receipt("2025-03-08"),
    msgspec.structs.replace(
        receipt("2025-03-09", "quarantined", None), not_measurable={"direct_share": "no \x1breferrer"}
    ),
]
RIGHT = Comparison("an uninterrupted run", 12)

ENDING = Ending(
    days=["2025-03-08", "2025-03-09"],
    receipts=RECEIPTS,
    alerts=[FOUND],
    incidents=INCIDENTS,
    letters={"not_json": 2},
    repeated=0,
    comparisons=[RIGHT],
    sent=5,
    counted=5,
    killed="Process 2 was killed.",
)
LEFT = Leftovers(Path("my out"), list(FILES), ".venv/bin/sluice", "2025-03-09", "nobody could buy")


class StillClock:
    def now_ms(self):
        return 0

    def monotonic(self):
        return 0.0


def drawn(*what, width=80):
    stream = io.StringIO()
    PlainScreen(stream, StillClock(), width).say(*what)
    return stream.getvalue()


def words(text):
    """A text without its line breaks."""
    return " ".join(text.split())


def test_the_beginning_says_what_this_is():
    text = words(drawn(*opening(7, 14, 8, 2)))
    assert text.startswith(
        "Sluice counts a site's events on Kafka exactly once, gives every day a verdict, and "
    )
    assert "(seed 7): 14 days, 8 things that go wrong, 2 processes, one kill -9." in text


def test_the_end_says_what_was_found_and_how_soon_and_what_was_not():
    text = drawn(*report(ENDING, 80))
    rows = [line.split() for line in text.splitlines()]
    assert ["nobody", "could", "buy", "03-09", "12:22", "P1", "purchase_silence", "140", "min"] in rows
    assert ["no", "event", "arrived", "at", "all", "03-09", "12:22", "none"] in rows
    assert ["2025-03-09", "4,221", "1,142", "1,252,440.99", "3.36", "%", "–", "quarantined"] in rows
    assert "2025-03-09: direct share is not measurable, no �referrer" in text
    assert "Still open: No �[2Jpurchase came. Try an order." in text


def test_the_end_says_that_all_is_equal_only_when_it_is():
    good = words(drawn(*report(ENDING, 80)))
    assert "Process 2 was killed. 5 events were sent and 5 are counted, each exactly once." in good
    assert "12 values compared: 12 with an uninterrupted run. All are equal." in good
    assert "2 dead letters, each once: 2 not_json." in good
    assert "WRONG" not in good
    wrong = Comparison("the books")
    wrong.compare("sessions", 1, 2, "2025-03-08")
    bad = drawn(*report(replace(ENDING, comparisons=[RIGHT, wrong], counted=6, repeated=1), 90))
    assert "5 events were sent and 6 are counted, which is WRONG" in words(bad)
    assert "1 DIFFER." in bad
    assert "All are equal" not in bad
    assert "2 dead letters, 1 MORE THAN ONCE" in bad
    assert [line.split()[0] for line in bad.splitlines() if line.rstrip().endswith("WRONG")] == ["2025-03-08"]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_nothing_is_cut_off_on_a_terminal_of_any_width(width):
    standing = Standing(RECEIPTS, 99_999, 88_888, 77.7, (Process("process 1", 4_194_304, ("events[0]",)),))
    for what in (report(ENDING, width), [picture(standing, width, 24)], opening(7, 14, 8, 2)):
        text = drawn(*what, width=width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
        assert "2025-03-09" in text or "Sluice" in text


def test_the_picture_fits_into_a_low_terminal_and_shows_the_newest_days():
    receipts = [receipt(f"2025-03-{day:02}") for day in range(1, 32)]
    processes = (Process("process 1", 1, ("events[0]",), "127.0.0.1:9464"), Process("process 2", 2))
    text = drawn(picture(Standing(receipts, 9, 8, 7.0, processes), 80, 24))
    assert text.count("\n") < 24
    assert ("2025-03-31" in text, "2025-03-01" in text) == (True, False)
    assert "8 of 9 events counted, 7 a second" in text
    assert "http://127.0.0.1:9464/metrics" in text
    assert "process 2 pid 2  no partition" in text
    assert "the shop has sent 9 events" in drawn(picture(Standing(sent=9, sending=0.5), 80, 24))


def test_commands_can_be_copied_whole_whatever_the_width():
    commands = [command for _, command in next_steps(LEFT)]
    assert [shlex.split(command)[1] for command in commands] == ["report", "backfill", "demo"]
    assert shlex.split(commands[1])[-1] == "my out/again"
    *_, (_, last) = next_steps(replace(LEFT, another=8))
    assert last == ".venv/bin/sluice demo --seed 8"
    live = ["127.0.0.1:9464"]
    text = drawn(*leftovers(LEFT), *while_it_lasts("sluice", live, 77, Path("x.toml")), width=50)
    for command in (*commands, "kill -9 77", "sluice alerts list --config x.toml"):
        assert f"  {command}\n" in text
    for name in FILES:
        assert name in text
    assert "opened in your browser" in words(drawn(*leftovers(replace(LEFT, opened=True))))
    assert "opened in your browser" not in words(text)


def test_plain_lines_tell_when_a_day_closes_and_when_it_becomes_another_and_what_is_found():
    stream = io.StringIO()
    screen = PlainScreen(stream, StillClock())
    with screen:
        for status in ("open", "pass", "pass", "quarantined"):
            screen.show(Standing((receipt("2025-03-08", status),)))
        screen.sighted(Sighting(FOUND, INCIDENTS[0]))
        screen.say(*report(ENDING, screen.width))
    said = [line.split(" s  ")[1] for line in stream.getvalue().splitlines()[:3]]
    assert said == [
        f"2025-03-08 closed: pass, 4,221 sessions, 1,142 purchases, {Decimal('1252440.99'):,} revenue",
        "2025-03-08 was pass and is now quarantined (revision 1)",
        "P1 purchase_silence, caught after 140 min: nobody could buy: No �[2Jpurchase came.",
    ]
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("variables", "colours"), [({"NO_COLOR": "1"}, False), ({}, True)])
def test_a_terminal_gets_colours_unless_it_says_no(monkeypatch, variables, colours):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (variables | {"TERM": "xterm-256color", "TTY_COMPATIBLE": "1"}).items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    with LiveScreen(stream, StillClock()) as screen:
        screen.sighted(Sighting(FOUND, INCIDENTS[0]))
        screen.show(Standing(RECEIPTS, 9, 8, 7.0))
        screen.happened("begun")
    shown = stream.getvalue()
    assert "caught after 140 min" in shown
    assert "No �[2Jpurchase came." in shown
    assert "quarantined" in shown
    assert ("\x1b[33m" in shown) == colours
