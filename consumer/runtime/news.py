"""What the watch found, as lines of the log: days that were judged, alerts that opened or ended. No names out of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.alerts import LIVE, Severity

if TYPE_CHECKING:
    from consumer.core.daybook import Day
    from consumer.runtime.logs import Logger
    from consumer.tasks.task import Decision
    from consumer.tasks.watch_state import WatchChanges
    from detectors.alerts import Alert


class News:
    """Tells each change of a status once. What stood before this process took over is told with its first change."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._days: dict[str, str] = {}
        self._alerts: dict[str, str] = {}

    def hear(self, decision: Decision) -> None:
        """A committed batch of the watch. Its changes hold entries that were only re-written, too: those have no
        output."""
        changes: WatchChanges = decision.changes
        written = {output.key for output in decision.outputs}
        for name, day in changes.days.put.items():
            if name.encode() in written:
                self._day(name, day)
        for name, entry in changes.alerts.put.items():
            if name.encode() in written:
                self._alert(entry.alert)

    def _day(self, name: str, day: Day) -> None:
        status = day.status()
        if status != self._days.get(name, "open"):
            tell = self._log.info if status in ("pass", "released") else self._log.warning
            tell("day judged", day=name, status=status, revision=day.revision, events=day.events)
        self._days[name] = status

    def _alert(self, alert: Alert) -> None:
        if alert.state != self._alerts.get(alert.id):
            loud = alert.state == "open" and alert.severity is not Severity.P2_NOTE
            (self._log.warning if loud else self._log.info)(
                "alert",
                state=alert.state,
                kind=alert.kind,
                severity=alert.severity.value,
                metric=alert.metric,
                day=alert.day,
                opened_at=alert.opened_at,
                id=alert.id,
            )
        self._alerts[alert.id] = alert.state
        if alert.state not in LIVE:
            self._alerts.pop(alert.id)
