"""Reads all topics and the daily files anew, and says of each number, dead letter, day, alert and file whether it is what
it must be. It shares no code with the product (a test holds it to that) and trusts nothing but the input topic, of which
`tests/oracle.sql` says what has to follow.

    python -m tests.torture.verifier SERVERS --prefix sluice. --input events --out reports
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter, defaultdict
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tests.oracle import OracleDay, six_decimals
from tests.torture.alerts import verify_alerts
from tests.torture.findings import Verdict
from tests.torture.truth import Place, digest, judged, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from tests.torture.findings import Line
    from tests.torture.truth import Truth

Receipt = dict[str, Any]
"""A receipt as it stands in JSON."""

CSV_COLUMNS = (
    "day,sessions,purchases,revenue,conversion_rate,direct_share,status,score,events,rejected,replays,late,"
    "identity_missing_rate,revision"
)
PASSED_DAY = "sluice-day"
TWO = Decimal("0.01")


class Topics(NamedTuple):
    """The topics' names; `valid` empty = passed events are not written."""

    input: str
    dead_letters: str
    valid: str
    days: str
    alerts: str


class Written(NamedTuple):
    """All records of each topic that the group writes, each partition in its order; of passed events none = they are not written."""

    dead_letters: Iterable[Message]
    passed: Iterable[Message] | None
    days: Iterable[Message]
    alerts: Iterable[Message]


def verify(servers: str, topics: Topics, out: Path | None) -> Verdict:
    """Everything that can be known of a group that has read all of its input and is stopped."""
    written = Written(
        read_all(servers, topics.dead_letters),
        read_all(servers, topics.valid) if topics.valid else None,
        read_all(servers, topics.days),
        read_all(servers, topics.alerts),
    )
    return compare(judged(read_all(servers, topics.input)), written, topics.input, out)


def compare(truth: Truth, written: Written, input_topic: str, out: Path | None) -> Verdict:
    """What was written with what had to be."""
    verdict = Verdict()
    verdict.line("input records, read to the log's end").compared = len(truth.records)
    verify_dead_letters(verdict, truth, written.dead_letters, input_topic)
    if written.passed is not None:
        verify_passed(verdict, truth, written.passed)
    receipts = verify_receipts(verdict, truth, written.days)
    alerts = verify_alerts(verdict, written.alerts)
    if out is not None:
        verify_files(verdict, receipts, alerts, out)
    return verdict


def verify_delivery(servers: str, topics: Topics, out: Path) -> Verdict:
    """Only whether the files say what the topics said last."""
    verdict = Verdict()
    receipts = {it["day"]: it for it in map(_receipt, read_all(servers, topics.days))}
    alerts = verify_alerts(Verdict(), read_all(servers, topics.alerts))
    verify_files(verdict, receipts, alerts, out)
    return verdict


def _receipt(message: Message) -> Receipt:
    receipt: Receipt = json.loads(message.value())
    return receipt


# ── dead letters and passed events ──────────────────────────────────────────────────────────────────────────────────


def verify_dead_letters(verdict: Verdict, truth: Truth, letters: Iterable[Message], topic: str) -> None:
    """Each record that cannot be used is there once, its bytes unchanged, with the reason; and no other."""
    line = verdict.line("dead letters: once each, bytes unchanged, the right reason")
    seen: set[Place] = set()
    for letter in letters:
        headers = dict(letter.headers() or [])
        place = (
            int(headers["__connect.errors.partition"] or b"-1"),
            int(headers["__connect.errors.offset"] or b"-1"),
        )
        record = truth.records.get(place)
        if record is None or headers["__connect.errors.topic"] != topic.encode():
            line.differs(f"a dead letter from {place}, where nothing lies")
            continue
        if place in seen:
            line.is_twice(f"{place}")
            continue
        seen.add(place)
        if record.digest != _as_it_came(letter):
            line.differs(f"{place} has other bytes")
        elif (headers["sluice.reason"] or b"").decode() != record.reason:
            line.differs(f"{place} is said to be {headers['sluice.reason']!r}, and is {record.reason}")
    for place, record in truth.records.items():
        line.compared += record.reason is not None
        if record.reason is not None and place not in seen:
            line.is_lost(f"{place}: {record.reason}")


OURS = ("__connect.errors.", "sluice.", "failureType", "errors", "timestamp", "component")


def _as_it_came(letter: Message) -> bytes:
    """What the record was recognised by before it became a dead letter: without the headers that say why."""
    return digest(letter, lambda name: name.startswith(OURS))


def verify_passed(verdict: Verdict, truth: Truth, passed: Iterable[Message]) -> None:
    """Exactly the events that were accepted are there, bytes unchanged, with their day; a key's in their order."""
    line = verdict.line("events passed on: exactly the accepted ones, bytes unchanged, their day")
    must = Counter(record.digest for record in truth.records.values() if record.reason is None)
    days = {record.digest: record.day for record in truth.records.values() if record.reason is None}
    line.compared = must.total()
    found: Counter[bytes] = Counter()
    for message in passed:
        headers = dict(message.headers() or [])
        known = digest(message, lambda name: name == PASSED_DAY)
        found[known] += 1
        if known not in must:
            line.differs(f"{(message.value() or b'')[:80]!r} was not accepted, or is changed")
        elif found[known] > must[known]:
            line.is_twice(f"{(message.value() or b'')[:80]!r}")
        elif (headers.get(PASSED_DAY) or b"").decode() != days[known]:
            line.differs(f"day {headers.get(PASSED_DAY)!r} instead of {days[known]}")
    for known, times in (must - found).items():
        for _ in range(times):
            line.is_lost(f"an event of {days[known]}")


# ── days ────────────────────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = {
    "events": lambda it: it["counts"]["events"],
    "sessions": lambda it: it["metrics"]["sessions"],
    "direct_sessions": lambda it: it["counts"]["direct_sessions"],
    "purchases": lambda it: it["metrics"]["purchases"],
    "revenue": lambda it: Decimal(it["metrics"]["revenue"]),
    "conversion_rate": lambda it: it["metrics"]["conversion_rate"],
    "direct_share": lambda it: it["metrics"]["direct_share"],
    "replays": lambda it: it["counts"]["replays"],
    "collisions": lambda it: it["counts"]["collisions"],
    "identity_missing": lambda it: it["counts"]["identity_missing"],
    "purchase_invalid": lambda it: it["counts"]["purchase_invalid"],
}
"""Where a receipt has each of the oracle's numbers."""

NEEDS = {"direct_sessions": "direct_share"}
"""Numbers that are not told while a metric is not measurable."""


def verify_receipts(verdict: Verdict, truth: Truth, messages: Iterable[Message]) -> dict[str, Receipt]:
    """The latest receipt of every day, compared with the oracle; and the revisions that led to it."""
    line = verdict.line("receipts: one a day and revision, revisions grow, a closed day stays closed")
    latest: dict[str, Receipt] = {}
    for message in messages:
        receipt = _receipt(message)
        day = receipt["day"]
        line.compared += 1
        if message.key() != day.encode():
            line.differs(f"{day} under the key {message.key()!r}")
        if day in latest:
            _compare_revisions(line, latest[day], receipt)
        latest[day] = receipt
    _compare_days(verdict, truth, latest)
    _compare_rejects(verdict, truth, latest)
    early = {day: receipt["counts"]["late"] - truth.late.get(day, 0) for day, receipt in latest.items()}
    verdict.notes["days closed"] = sum(bool(receipt["revision"]) for receipt in latest.values())
    verdict.notes["days that closed early and were amended later"] = sum(
        events > 0 for events in early.values()
    )
    verdict.notes["events that came too late for such a day"] = sum(
        max(0, events) for events in early.values()
    )
    return latest


def _compare_revisions(line: Line, before: Receipt, receipt: Receipt) -> None:
    day, then, now = receipt["day"], before["revision"], receipt["revision"]
    if now < then:
        line.differs(f"{day} went back from revision {then} to {now}")
    elif now == then and now:
        line.is_twice(f"{day} revision {now}, {'the same' if receipt == before else 'with other contents'}")
    if (receipt["status"] == "open") != (now == 0):
        line.differs(f"{day} is {receipt['status']} at revision {now}")
    if receipt["counts"]["events"] < before["counts"]["events"]:
        line.differs(f"{day} lost events from revision {then} to {now}")


def _compare_days(verdict: Verdict, truth: Truth, latest: dict[str, Receipt]) -> None:
    """One line for each number of a day."""
    lines = {name: verdict.line(f"days: {name.replace('_', ' ')}") for name in NUMBERS}
    nothing = OracleDay()
    for day in sorted(latest.keys() | {day for day, it in truth.days.items() if it.events}):
        right, receipt = truth.days.get(day, nothing), latest.get(day)
        for name, line in lines.items():
            line.compared += 1
            if receipt is None:
                line.is_lost(f"{day} has no receipt")
            elif NEEDS.get(name, name) in receipt["not_measurable"]:
                verdict.notes["metrics not measurable"] = verdict.notes.get("metrics not measurable", 0) + 1
            else:
                told, must = NUMBERS[name](receipt), getattr(right, name)
                if told != must:
                    line.differs(f"{day}: {told} instead of {must}")


def _compare_rejects(verdict: Verdict, truth: Truth, latest: dict[str, Receipt]) -> None:
    """All days together name each dead letter's reason as often as there are such dead letters (the day of one that has
    no time of its own depends on arrival); what a receipt works out of its own counts is right."""
    line = verdict.line("days: rejected records by reason, over all days")
    must = Counter(record.reason for record in truth.records.values() if record.reason is not None)
    told: Counter[str] = Counter()
    for receipt in latest.values():
        told.update(receipt["rejects"])
    line.compared = must.total()
    for reason in must.keys() | told.keys():
        if must[reason] != told[reason]:
            line.differs(f"{reason}: {told[reason]} instead of {must[reason]}")
    own = verdict.line("days: score and rates follow from the day's own counts")
    for day, receipt in latest.items():
        own.compared += 1
        counts = receipt["counts"]
        events, rejected = counts["events"], counts["rejected"]
        records = events + rejected - counts["purchase_invalid"]
        score = Decimal(100 * (records - rejected)) / records if records else Decimal(100)
        if Decimal(receipt["score"]) != score.quantize(TWO, ROUND_DOWN):
            own.differs(f"{day}: score {receipt['score']} instead of {score}")
        if rejected != sum(receipt["rejects"].values()):
            own.differs(f"{day}: {rejected} rejected, by reason {receipt['rejects']}")
        if receipt["identity_missing_rate"] != six_decimals(counts["identity_missing"], events):
            own.differs(f"{day}: identity missing {receipt['identity_missing_rate']}")


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def verify_files(
    verdict: Verdict, receipts: dict[str, Receipt], alerts: dict[str, dict[str, Any]], out: Path
) -> None:
    """The files say what the topics said last."""
    rows = verdict.line("daily_metrics.csv: a row for each receipt, equal to it")
    rows.compared = len(receipts)
    text = _text(rows, out / "daily_metrics.csv")
    header, *told = text.splitlines() or [""]
    if header != CSV_COLUMNS:
        rows.differs(f"header {header}")
    by_day = Counter(line.partition(",")[0] for line in told)
    if by_day.total() > len(by_day):
        rows.is_twice("a day has several rows", by_day.total() - len(by_day))
    found = {row[0]: row for row in csv.reader(told) if row}
    for day in receipts.keys() | found.keys():
        must = _row(receipts[day]) if day in receipts else None
        if day not in found:
            rows.is_lost(day)
        elif found[day] != must:
            rows.differs(f"{day}: {found[day]} instead of {must}")
    _verify_alerts_file(verdict, alerts, out)
    report = verdict.line("reports: they name a day, no half file is left behind")
    for name in ("report.md", "report.html"):
        report.compared += 1
        words = _text(report, out / name)
        if receipts and not any(day in words for day in receipts):
            report.differs(f"{name} names no day")
    for leftover in out.glob(".*"):
        report.differs(f"{leftover.name} was left behind")


def _verify_alerts_file(verdict: Verdict, alerts: dict[str, dict[str, Any]], out: Path) -> None:
    line = verdict.line("alerts.json: each alert's last state")
    line.compared = len(alerts)
    text = _text(line, out / "alerts.json")
    try:
        told = json.loads(text, parse_float=Decimal)["alerts"] if text else []
    except ValueError as error:
        line.differs(f"it is no JSON: {error}")
        return
    by_id: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for alert in told:
        by_id[alert["id"]].append(alert)
    for name in alerts.keys() | by_id.keys():
        found = by_id.get(name, [])
        if not found:
            line.is_lost(name)
        elif len(found) > 1:
            line.is_twice(name, len(found) - 1)
        elif found[0] != alerts.get(name):
            line.differs(f"{found[0]} instead of {alerts.get(name)}")


def _text(line: Line, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        line.is_lost(f"{path.name} cannot be read: {error}")
        return ""


def _row(receipt: Receipt) -> list[str]:
    metrics, counts = receipt["metrics"], receipt["counts"]
    revenue = metrics["revenue"]
    if revenue is not None:
        revenue = f"{Decimal(revenue).quantize(TWO, ROUND_HALF_EVEN):f}"
    cells = (
        receipt["day"],
        metrics["sessions"],
        metrics["purchases"],
        revenue,
        metrics["conversion_rate"],
        metrics["direct_share"],
        receipt["status"],
        receipt["score"],
        counts["events"],
        counts["rejected"],
        counts["replays"],
        counts["late"],
        receipt["identity_missing_rate"],
        receipt["revision"],
    )
    return ["" if cell is None else str(cell) for cell in cells]


@click.command()
@click.argument("servers")
@click.option("--prefix", default="sluice.", show_default=True, help="Of the topics days and alerts.")
@click.option("--input", "given", default="events", show_default=True, help="The input topic.")
@click.option("--dead-letters", default="events.dlq", show_default=True, help="Their topic.")
@click.option("--valid", default="", help="The topic of passed events; none = they are not written.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the daily files.")
def main(servers: str, prefix: str, given: str, dead_letters: str, valid: str, out: Path | None) -> None:
    """Verifies a group that has read all of its input; exit code 1 if anything differs."""
    topics = Topics(given, dead_letters, valid, f"{prefix}days", f"{prefix}alerts")
    verdict = verify(servers, topics, out)
    click.echo(verdict.table())
    sys.exit(not verdict.equal)


if __name__ == "__main__":
    main()
