"""The latest receipts and alerts, as they come out of `sluice.days` and `sluice.alerts`, made into files.

No Kafka and no clock: whoever reads the topics tells it each record, and asks for the files.
"""

from __future__ import annotations

import re
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from consumer.core.days import Receipt
from detectors.alerts import Alert
from reports.render import alerts_json, daily_metrics_csv, digest_html, digest_md, report_html, report_md
from reports.render.digest import digest
from reports.render.source import Source
from reports.render.summary import concerns, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

V = TypeVar("V")

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,30})?", re.ASCII)
_MOST = 10**18
_HOURS = 24
_DEEPEST = 16
"""Levels of an alert's evidence. Ours has three; a deeper one could exhaust the stack when it is written."""

_receipts = msgspec.json.Decoder(Receipt)
_alerts = msgspec.json.Decoder(Alert)


def render_files(
    receipts: Collection[Receipt],
    alerts: Collection[Alert],
    day: str | None = None,
    source: Source = Source.KAFKA,
    unplaced: Mapping[str, int] | None = None,
) -> dict[str, bytes]:
    """The files by name. With a `day` (ISO date) the rows go up to it, the alerts are those of it, of earlier days, and
    of no day that had begun by then, and the report is about it; without one: everything, and the report's own choice.
    A report of the newest closed day is the same, whether it was asked for or chosen. `unplaced`: what was rejected by
    reason, for where no day is known."""
    rows, listed = receipts, alerts
    if day is not None:
        rows = [receipt for receipt in receipts if receipt.day <= day]
        ends = next((receipt.ends for receipt in receipts if receipt.day == day), None)
        listed = [alert for alert in alerts if concerns(alert, day, ends)]
    summary = summarise(receipts, alerts, day, source)
    return {
        daily_metrics_csv.NAME: daily_metrics_csv.render(rows),
        alerts_json.NAME: alerts_json.render(listed, alerts_json.generated_at(rows, listed)),
        report_md.NAME: report_md.render(summary, unplaced),
        report_html.NAME: report_html.render(summary, unplaced),
    }


def digest_files(
    receipts: Collection[Receipt],
    alerts: Collection[Alert],
    first: str,
    last: str,
    source: Source = Source.KAFKA,
) -> dict[str, bytes]:
    """The files of a digest by name, of the days from `first` to `last` (ISO dates)."""
    told = digest(receipts, alerts, first, last, source)
    return {
        digest_md.NAME: digest_md.render(told),
        digest_html.NAME: digest_html.render(told, receipts, alerts),
    }


class Deliverer:
    """Keeps the latest receipt of each day and the latest state of each alert.

    `version` grows with every change of either. A record that is no receipt or alert of ours is kept out and counted in `unusable`; what was known of its key
    before stays. It never raises: one bad record must not stop the files.
    """

    def __init__(self, source: Source = Source.KAFKA) -> None:
        self.source = source
        self._receipts: dict[str, Receipt] = {}
        self._alerts: dict[str, Alert] = {}
        self.changed = True
        self.version = 0
        self.unusable = 0

    @property
    def receipts(self) -> Collection[Receipt]:
        """The latest receipt of every day, in no particular order."""
        return self._receipts.values()

    @property
    def alerts(self) -> Collection[Alert]:
        """The latest state of every alert, in no particular order."""
        return self._alerts.values()

    def snapshot(self) -> tuple[dict[str, Alert], list[Receipt]]:
        """The alerts by id and the receipts as they are now; later records change neither."""
        return dict(self._alerts), list(self._receipts.values())

    def clear(self) -> None:
        """Forgets everything: both topics will be read again from their start."""
        self._receipts.clear()
        self._alerts.clear()
        self._turn()
        self.unusable = 0

    def see_day(self, key: bytes | None, value: bytes | None) -> None:
        """Takes in a record of `sluice.days`; no value = the day is gone."""
        self._see(self._receipts, key, value, read_receipt)

    def see_alert(self, key: bytes | None, value: bytes | None) -> None:
        """Takes in a record of `sluice.alerts`; no value = the alert is gone."""
        self._see(self._alerts, key, value, read_alert)

    def files(self, day: str | None = None, unplaced: Mapping[str, int] | None = None) -> dict[str, bytes]:
        """The files by name, see `render_files`."""
        return render_files(self.receipts, self.alerts, day, self.source, unplaced)

    def digest(self, first: str, last: str) -> dict[str, bytes]:
        """The files of a digest by name, see `digest_files`."""
        return digest_files(self.receipts, self.alerts, first, last, self.source)

    def delivered(self) -> None:
        """The files are where they belong: nothing has changed since, until the next record."""
        self.changed = False

    def _see(
        self,
        table: dict[str, V],
        key: bytes | None,
        value: bytes | None,
        read: Callable[[str, bytes], V | None],
    ) -> None:
        name = (key or b"").decode("utf-8", "replace")
        if value is None:
            if table.pop(name, None) is not None:
                self._turn()
            return
        seen = read(name, value)
        if seen is None:
            self.unusable += 1
        elif table.get(name) != seen:
            table[name] = seen
            self._turn()

    def _turn(self) -> None:
        self.changed = True
        self.version += 1


def read_receipt(key: str, value: bytes) -> Receipt | None:
    """A record's receipt; None unless it is one whose day is its key and whose numbers are numbers."""
    receipt = _decoded(_receipts, value)
    if receipt is None or receipt.day != key or not _is_day(key):
        return None
    metrics = receipt.metrics
    texts = (
        receipt.score,
        metrics.revenue,
        metrics.conversion_rate,
        metrics.direct_share,
        receipt.identity_missing_rate,
    )
    if not all(text is None or _NUMBER.fullmatch(text) for text in texts):
        return None
    counts = (metrics.sessions, metrics.purchases)
    if not all(count is None or 0 <= count < _MOST for count in counts):
        return None
    return receipt if _is_sound(receipt) else None


def _is_sound(receipt: Receipt) -> bool:
    """Whether what people look at besides are numbers as well."""
    texts = (*receipt.coverage.values(), *receipt.claimed.values())
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return False
    hours = receipt.hours
    columns = () if hours is None else (hours.events, hours.sessions, hours.purchases)
    if not all(len(column) == _HOURS and all(-_MOST < n < _MOST for n in column) for column in columns):
        return False
    normal = [x for one in receipt.normal.values() for x in (one.median, one.scale, one.z)]
    return all(isfinite(x) and abs(x) < _MOST for x in normal)


def read_alert(key: str, value: bytes) -> Alert | None:
    """A record's alert; None unless it is one whose id is its key."""
    alert = _decoded(_alerts, value)
    if alert is None or alert.id != key or not (alert.day is None or _is_day(alert.day)):
        return None
    return alert if _is_shallow(alert.evidence, _DEEPEST) else None


def _decoded(decoder: msgspec.json.Decoder[V], value: bytes) -> V | None:
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _is_shallow(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in value)
