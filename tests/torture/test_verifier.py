"""The verifier finds everything in order that is in order, notices each thing that is not, and knows nothing of the product."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from zlib import crc32

import pytest

from consumer.contract_file import load_contract
from consumer.core.record import StoredRecord
from consumer.runtime.options import gate_options, watch_options
from consumer.settings import Settings
from consumer.tasks.pipeline import Pipeline
from reports.deliver import Deliverer
from reports.sinks import directory
from tests.torture.load import NUMBER, Shop
from tests.torture.truth import judged
from tests.torture.verifier import Written, compare

RECORDS = 4_500
PARTITIONS = 2
BATCH = 200
LOG_MS = 1_790_000_000_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """What a load comes to in memory, by topic, and the folder of its files."""
    settings, contract = Settings(topics={"valid": "events.valid"}), load_contract(None)
    pipeline = Pipeline(
        gate_options(settings, contract, "test"), watch_options(settings, contract), PARTITIONS
    )
    topics, deliverer, partitions = defaultdict(list), Deliverer(), defaultdict(list)
    countdown = iter(range(RECORDS))
    records = Shop(1, 300).until(lambda: next(countdown, None) is None)
    for number, (_, (value, key)) in enumerate(records):
        partition = crc32(key or b"") % PARTITIONS
        record = StoredRecord(
            value, key, topic="events", partition=partition, offset=len(partitions[partition]),
            timestamp_ms=LOG_MS + number, headers=[(NUMBER, b"%d" % number)],
        )  # fmt: skip
        partitions[partition].append(record)
        topics["events"].append(record)
    for start in range(0, len(topics["events"]), BATCH):
        for partition, records in partitions.items():
            some = records[start : start + BATCH]
            for output in pipeline.feed(some, wall_ms=LOG_MS + start, partition=partition):
                topics[output.topic].append(output_record(output))
    for record in topics["sluice.days"]:
        deliverer.see_day(record.key(), record.value())
    for record in topics["sluice.alerts"]:
        deliverer.see_alert(record.key(), record.value())
    topics["truth"] = judged(topics["events"])
    out = tmp_path_factory.mktemp("out")
    directory.write(out, deliverer.files())
    return topics, out


def output_record(output):
    value = output.value() if callable(output.value) else output.value
    return StoredRecord(value, output.key, topic=output.topic, headers=output.headers)


def verdict_on(topics, out, **changed):
    """With some topics changed."""
    names = {"dead_letters": "events.dlq", "passed": "events.valid", "days": "sluice.days"}
    given = {name: topics[topic] for name, topic in {**names, "alerts": "sluice.alerts"}.items()} | changed
    return compare(topics["truth"], Written(**given), "events", out)


def wrong(verdict):
    return {line.what.partition(":")[0]: line for line in verdict.lines if not line.equal}


def test_what_is_in_order_is_found_so_and_all_of_it_is_looked_at(everything):
    verdict = verdict_on(*everything)
    assert wrong(verdict) == {}, verdict.table()
    assert all(line.compared for line in verdict.lines), verdict.table()


def test_the_load_has_dead_letters_of_all_kinds(everything):
    topics, _ = everything
    reasons = {dict(letter.headers())["sluice.reason"] for letter in topics["events.dlq"]}
    assert len(reasons) >= 10


def again(record, **changes):
    """A copy with something changed."""
    parts = {"value": record.value(), "key": record.key(), "headers": record.headers()} | changes
    value, key = parts.pop("value"), parts.pop("key")
    return StoredRecord(value, key, topic=record.topic(), **parts)


def with_header(record, name, value):
    return again(record, headers=[(n, value if n == name else v) for n, v in record.headers()])


@pytest.mark.parametrize(
    ("topic", "name", "line"),
    [("events.dlq", "dead_letters", "dead letters"), ("events.valid", "passed", "events passed on")],
)
class TestRecords:
    def test_one_that_is_missing_is_lost(self, everything, topic, name, line):
        topics, out = everything
        found = wrong(verdict_on(topics, out, **{name: topics[topic][1:]}))
        assert found.keys() == {line}
        assert found[line].lost == 1

    def test_one_too_many_is_there_twice(self, everything, topic, name, line):
        topics, out = everything
        found = wrong(verdict_on(topics, out, **{name: [*topics[topic], topics[topic][3]]}))
        assert found.keys() == {line}
        assert found[line].twice == 1

    @pytest.mark.parametrize("part", ["value", "key"])
    def test_other_bytes_differ(self, everything, topic, name, line, part):
        topics, out = everything
        changed = again(topics[topic][0], **{part: b"other"})
        found = wrong(verdict_on(topics, out, **{name: [changed, *topics[topic][1:]]}))
        assert found.keys() == {line}
        assert found[line].differing == 1

    def test_a_lost_foreign_header_differs(self, everything, topic, name, line):
        topics, out = everything
        changed = with_header(topics[topic][0], NUMBER, b"other")
        assert wrong(verdict_on(topics, out, **{name: [changed, *topics[topic][1:]]})).keys() == {line}


def test_another_reason_and_another_day_differ(everything):
    topics, out = everything
    letter = with_header(topics["events.dlq"][0], "sluice.reason", b"tombstone")
    assert "dead letters" in wrong(verdict_on(topics, out, dead_letters=[letter, *topics["events.dlq"][1:]]))
    event = with_header(topics["events.valid"][0], "sluice-day", b"2025-03-09")
    assert "events passed on" in wrong(verdict_on(topics, out, passed=[event, *topics["events.valid"][1:]]))


def receipt_with(record, **changes):
    """The receipt with something else in it: `counts__events=1` for what is inside of a part."""
    receipt = json.loads(record.value())
    for name, value in changes.items():
        part, _, inner = name.partition("__")
        if inner:
            receipt[part][inner] = value
        else:
            receipt[part] = value
    return again(record, value=json.dumps(receipt).encode())


NUMBERS = {
    "events": "counts__events",
    "sessions": "metrics__sessions",
    "direct sessions": "counts__direct_sessions",
    "purchases": "metrics__purchases",
    "conversion rate": "metrics__conversion_rate",
    "direct share": "metrics__direct_share",
    "replays": "counts__replays",
    "collisions": "counts__collisions",
    "identity missing": "counts__identity_missing",
    "purchase invalid": "counts__purchase_invalid",
}


@pytest.mark.parametrize(("number", "place"), NUMBERS.items())
def test_a_day_of_which_one_number_is_off_differs(everything, number, place):
    topics, out = everything
    last = topics["sluice.days"][-1]
    part, _, inner = place.partition("__")
    told = json.loads(last.value())[part][inner]
    other = told + 1 if isinstance(told, int) else "0.123456"
    verdict = verdict_on(
        topics, out, days=[*topics["sluice.days"][:-1], receipt_with(last, **{place: other})]
    )
    assert f"days: {number}" in {line.what for line in verdict.lines if not line.equal}


def test_a_day_that_closed_early_is_told_but_no_difference(everything):
    topics, out = everything
    days = topics["sluice.days"]
    told = "events that came too late for such a day"
    assert verdict_on(topics, out).notes[told] == 0
    first = json.loads(days[0].value())["day"]
    at = max(number for number, record in enumerate(days) if record.key() == first.encode())
    late = json.loads(days[at].value())["counts"]["late"]
    changed = receipt_with(days[at], counts__late=topics["truth"].late.get(first, 0) + 7)
    assert late <= topics["truth"].late.get(first, 0)
    verdict = verdict_on(topics, out, days=[*days[:at], changed, *days[at + 1 :]])
    assert verdict.notes[told] == 7
    assert wrong(verdict).keys() == {"daily_metrics.csv"}


def test_a_cent_of_revenue_differs(everything):
    topics, out = everything
    last = topics["sluice.days"][-1]
    changed = receipt_with(last, metrics__revenue="0.01")
    verdict = verdict_on(topics, out, days=[*topics["sluice.days"][:-1], changed])
    assert "days: revenue" in {line.what for line in verdict.lines if not line.equal}


def test_a_day_without_a_receipt_is_lost(everything):
    topics, out = everything
    day = topics["sluice.days"][0].key()
    rest = [record for record in topics["sluice.days"] if record.key() != day]
    verdict = verdict_on(topics, out, days=rest)
    assert sum(line.lost for line in verdict.lines) >= len(NUMBERS)


def closed(topics):
    return next(record for record in topics["sluice.days"] if json.loads(record.value())["revision"])


def test_a_revision_that_comes_twice_goes_back_or_opens_again_is_noticed(everything):
    topics, out = everything
    days, first = topics["sluice.days"], closed(topics)
    at = days.index(first)
    for more in (first, receipt_with(first, revision=0, status="open"), receipt_with(first, status="open")):
        verdict = verdict_on(topics, out, days=[*days[: at + 1], more, *days[at + 1 :]])
        assert "receipts" in wrong(verdict)


def test_a_reject_that_no_day_tells_of_differs(everything):
    topics, out = everything
    last = topics["sluice.days"][-1]
    receipt = json.loads(last.value())
    assert receipt["rejects"]
    changed = receipt_with(last, rejects={})
    verdict = verdict_on(topics, out, days=[*topics["sluice.days"][:-1], changed])
    assert "days: rejected records by reason, over all days" in {
        line.what for line in verdict.lines if not line.equal
    }


def alert_with(record, **changes):
    return again(record, value=json.dumps({**json.loads(record.value()), **changes}).encode())


def test_an_alert_that_is_told_twice_or_lives_twice_is_noticed(everything):
    topics, out = everything
    alerts = topics["sluice.alerts"]
    last = alerts[-1]
    assert wrong(verdict_on(topics, out, alerts=[*alerts, last])).keys() == {"alerts"}
    other = again(alert_with(last, id="other", caused_by=None), key=b"other")
    found = wrong(verdict_on(topics, out, alerts=[*alerts, other]))
    assert {"alerts", "alerts.json"} <= found.keys()


@pytest.mark.parametrize(
    "changes", [{"state": "gone"}, {"opened_at": "2025-01-01T00:00:00.000Z"}, {"kind": "other"}, {"x": 1}]
)
def test_an_alert_that_is_none_is_noticed(everything, changes):
    topics, out = everything
    more = alert_with(topics["sluice.alerts"][-1], message="again", **changes)
    assert "alerts" in wrong(verdict_on(topics, out, alerts=[*topics["sluice.alerts"], more]))


@pytest.mark.parametrize("name", ["daily_metrics.csv", "alerts.json", "report.md", "report.html"])
def test_a_file_that_is_missing_or_stale_is_noticed(everything, tmp_path, name):
    topics, out = everything
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    for wrong_text in (None, b"", b"stale\n"):
        for known, text in files.items():
            (tmp_path / known).write_bytes(text)
        if wrong_text is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(wrong_text)
        assert not verdict_on(topics, tmp_path).equal, (name, wrong_text)


def test_half_a_file_and_a_changed_row_are_noticed(everything, tmp_path):
    topics, out = everything
    for path in out.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / ".report.md.sluice-tmp").write_bytes(b"half")
    assert wrong(verdict_on(topics, tmp_path)).keys() == {"reports"}
    (tmp_path / ".report.md.sluice-tmp").unlink()
    rows = (tmp_path / "daily_metrics.csv").read_text().splitlines()
    rows[1] = (
        rows[1].replace(",pass,", ",open,").replace(",quarantined,", ",pass,").replace(",at_risk,", ",pass,")
    )
    (tmp_path / "daily_metrics.csv").write_text("\n".join(rows) + "\n")
    assert wrong(verdict_on(topics, tmp_path)).keys() == {"daily_metrics.csv"}


def test_the_verifier_shares_no_code_with_the_product():
    """Whatever it imports, and whatever that imports."""
    look = "import sys, tests.torture.verifier; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"tests", "duckdb", "confluent_kafka"} <= set(found)
    assert not {"consumer", "detectors", "reports"} & set(found)
