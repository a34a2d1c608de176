"""Findings and a book to try them on: a test says only what matters to it."""

from __future__ import annotations

from consumer.tasks.draft import Draft
from detectors.alerts import Severity
from detectors.book import Book
from detectors.finding import Finding
from detectors.moment import DAY_MS, MINUTE_MS, text_of
from detectors.orders import Order

P0, P1, P2 = Severity.P0_BLOCKER, Severity.P1_HIGH, Severity.P2_NOTE

HOUR = 60
DAY = 24 * HOUR
NOON = 29_004_480 + 12 * HOUR
"""12:00 UTC on 23 February 2025, in minutes since the epoch."""


def at(minute):
    return text_of(minute * MINUTE_MS)


def found(kind, word="opened", known=NOON, since=None, subject="", severity=P1, layer="gate", **fields):
    since = known - 10 if since is None else since
    return Finding(kind, word, severity, layer, since, known, subject, **fields)


class Watch:
    """Keeps the table as the watch does: a new book for each batch, its draft merged when it is done."""

    def __init__(self, **options):
        self.table = {}
        self.now = NOON
        self._options = options
        self._begin()

    def _begin(self):
        self._draft = Draft(self.table)
        self.book = Book(self._draft, **self._options)

    def commit(self):
        self.load(self._draft.merged())

    def load(self, table):
        self.table = table
        self._begin()

    def take(self, *findings, minute=None):
        self.now = max([self.now, *(one.known_minute for one in findings)]) if minute is None else minute
        self.book.take(self.now, findings)

    def obey(self, action, target, at=None, reason="looked into", by="ann", **arguments):
        at_ms = (self.now if at is None else at) * MINUTE_MS
        return self.book.obey(Order(action, target, by, reason, at_ms, arguments))

    @property
    def alerts(self):
        entries = sorted(self._draft.merged().values(), key=lambda entry: entry.alert.opened_at)
        return [entry.alert for entry in entries]

    def of(self, kind, number=0):
        return [alert for alert in self.alerts if alert.kind == kind][number]

    @property
    def states(self):
        return {alert.kind: alert.state for alert in self.alerts}


__all__ = ["DAY", "DAY_MS", "HOUR", "MINUTE_MS", "NOON", "P0", "P1", "P2", "Watch", "at", "found"]
