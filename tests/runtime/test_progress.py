"""Progress: a bar for a person, seldom lines for a log."""

from __future__ import annotations

import io

from consumer.runtime.progress import progress


class Stopped:
    """A clock that moves only when told."""

    def __init__(self):
        self.seconds = 0.0

    def now_ms(self):
        return int(self.seconds * 1000)

    def monotonic(self):
        return self.seconds


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nobody_looking_gets_a_line_every_ten_seconds():
    log, clock = io.StringIO(), Stopped()
    with progress("Reading", 200, log, clock) as advance:
        for _ in range(20):
            clock.seconds += 2.5
            advance(10)
    assert log.getvalue() == "Reading: 20 %\nReading: 40 %\nReading: 60 %\nReading: 80 %\nReading: 100 %\n"


def test_short_work_says_nothing_to_a_log():
    log, clock = io.StringIO(), Stopped()
    with progress("Reading", 0, log, clock) as advance:
        clock.seconds = 9.9
        advance(10)
    assert log.getvalue() == ""


def test_a_person_sees_a_bar_that_is_gone_at_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    with progress("Reading [files]", 100, terminal) as advance:
        advance(40)
        advance(60)
    shown = terminal.getvalue()
    assert "Reading [files]" in shown
    assert "100%" in shown
    assert shown.endswith("\x1b[1A\x1b[2K")  # the cursor goes up, and the line is wiped
