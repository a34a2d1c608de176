"""Reads every topic anew after all is done, and says whether anything was lost or counted twice.

It trusts nothing but the input topic: the batch oracle judges what lies there, and everything else has to agree.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consumer.core.days import Receipt
from consumer.core.rejection import UNPARSEABLE
from consumer.core.wire import read_entry
from consumer.tasks.task import Chain
from tests.day_numbers import NOTHING, expected, numbers_of_receipt
from tests.oracle import JudgedRecord, dead_letters, judge
from tests.processes import PATIENCE_SECONDS
from tests.topic_reader import read_committed
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

    from consumer.core.wire import TaskName
    from tests.oracle import OracleDay
    from tests.processes import Site

Place = tuple[int, int]
"""Partition and offset in the input topic."""


class Truth(NamedTuple):
    """What lies in the input topic, and what has to follow from it."""

    inputs: dict[Place, Message]
    days: dict[str, OracleDay]
    reasons: dict[str, int]


def verify(site: Site) -> Truth:
    """Everything that can be known of a site that has caught up; its processes are stopped on the way."""
    truth = truth_of(site)
    verify_files(site, truth)
    site.stop()
    verify_days(site, truth)
    verify_dead_letters(site, truth)
    verify_journal(site)
    return truth


def truth_of(site: Site) -> Truth:
    """What the oracle makes of the input topic."""
    inputs = read_committed(site.servers, site.input)
    records = [judged(message) for message in inputs]
    by_place = {(message.partition(), message.offset()): message for message in inputs}
    return Truth(by_place, expected(judge(records)), dead_letters(records))


def judged(message: Message) -> JudgedRecord:
    """A record for the oracle. The order between partitions means nothing: a client is in one of them."""
    return JudgedRecord(message.value(), message.offset(), message.partition(), message.timestamp()[1])


def receipts(site: Site) -> dict[str, Receipt]:
    """The latest receipt of every day. A revision never goes back, and a closed day never opens again."""
    latest: dict[str, Receipt] = {}
    for message in read_committed(site.servers, site.topic("days")):
        receipt = msgspec.json.decode(message.value(), type=Receipt)
        assert message.key() == receipt.day.encode()
        before = latest.get(receipt.day)
        if before is not None:
            assert receipt.revision >= before.revision
            assert before.status == "open" or receipt.status != "open"
        latest[receipt.day] = receipt
    return latest


def verify_days(site: Site, truth: Truth) -> None:
    """The receipts say what the oracle says."""
    told = {day: numbers_of_receipt(receipt) for day, receipt in receipts(site).items()}
    assert {day: it for day, it in told.items() if it != NOTHING} == truth.days


def verify_files(site: Site, truth: Truth) -> None:
    """`daily_metrics.csv` comes to say what the oracle says."""
    wanted = {day: _row(numbers) for day, numbers in truth.days.items()}
    wait_until(
        lambda: rows(site) == wanted,
        PATIENCE_SECONDS,
        lambda: f"{wanted} in the file; it says {rows(site)}\n{site.told()}",
    )


def _row(numbers: OracleDay) -> tuple[str | None, ...]:
    revenue = f"{numbers.revenue.quantize(Decimal('0.01')):f}"
    counts = map(str, (numbers.events, numbers.sessions, numbers.purchases))
    return (*counts, revenue, numbers.conversion_rate or "", numbers.direct_share or "", str(numbers.replays))


def rows(site: Site) -> dict[str, tuple[str | None, ...]]:
    """The file's rows by day: events, sessions, purchases, revenue, conversion, direct share, replays."""
    columns = ("events", "sessions", "purchases", "revenue", "conversion_rate", "direct_share", "replays")
    try:
        text = (site.out / "daily_metrics.csv").read_text()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {row["day"]: tuple(row[name] for name in columns) for row in csv.DictReader(text.splitlines())}


# ── dead letters ────────────────────────────────────────────────────────────────────────────────────────────────


def verify_dead_letters(site: Site, truth: Truth) -> None:
    """Every record that cannot be used is there once, with its bytes and with the right reason."""
    letters = read_committed(site.servers, site.topic("dead_letters"))
    verify_letters(site, letters, truth)


def verify_letters(site: Site, letters: Sequence[Message], truth: Truth) -> None:
    """See `verify_dead_letters`."""
    places = Counter(origin(letter) for letter in letters)
    assert not [place for place, times in places.items() if times > 1], "a dead letter came twice"
    for letter in letters:
        record = truth.inputs[origin(letter)]
        assert (letter.key(), letter.value()) == (record.key(), record.value())
        assert letter.partition() is not None
        verify_headers(letter, site.input)
        assert dead_letters([judged(record)]) == {reason_of(letter): 1}
    assert Counter(map(reason_of, letters)) == truth.reasons


def headers_of(message: Message) -> dict[str, str]:
    """The headers as text; a name that comes twice is an error."""
    headers = message.headers() or []
    names = [name for name, _ in headers]
    assert len(names) == len(set(names)), names
    return {name: (value or b"").decode() for name, value in headers}


def origin(letter: Message) -> Place:
    """Where in the input topic the record lies."""
    headers = headers_of(letter)
    return int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])


def reason_of(letter: Message) -> str:
    """Why the record became a dead letter."""
    return headers_of(letter)["sluice.reason"]


def verify_headers(letter: Message, input_topic: str) -> None:
    """All the headers that readers of Kafka Connect's and Snowplow's dead letters look for, fitting together."""
    headers, reason = headers_of(letter), reason_of(letter)
    unparseable = reason in UNPARSEABLE
    assert headers["__connect.errors.topic"] == input_topic
    assert headers["__connect.errors.stage"] == ("VALUE_CONVERTER" if unparseable else "TRANSFORMATION")
    assert headers["__connect.errors.exception.class.name"] == f"sluice.{reason}"
    assert headers["failureType"] == ("ParsingError" if unparseable else "ValidationError")
    (error,) = json.loads(headers["errors"])
    assert error.keys() == {"message", "path", "keyword", "targets", "source"}
    assert error["message"] == headers["__connect.errors.exception.message"]
    assert headers["timestamp"].endswith("Z")
    assert headers["componentName"] == "sluice"
    assert headers["componentVersion"]


# ── journal ─────────────────────────────────────────────────────────────────────────────────────────────────────


def verify_journal(site: Site) -> None:
    """Each journal is one unbroken chain that ends where the group's offset stands."""
    chains: dict[int, Chain] = {}
    for message in read_committed(site.servers, site.topic("journal")):
        number = message.partition()
        chain = chains.setdefault(number, Chain(journal_of(site, number)[0]))
        chain.follow(read_entry(message.value()))
    committed = site.committed()
    for number, chain in chains.items():
        chain.finish()
        where = journal_of(site, number)[1]
        assert chain.next_offset == committed[where], f"journal {number} and the group disagree"
    assert len(chains) == len(committed)


def journal_of(site: Site, number: int) -> tuple[TaskName, tuple[str, int]]:
    """Whose journal partition it is, and which partition that task reads."""
    if number == 0:
        return "watch", (site.topic("facts"), 0)
    if site.keyed:
        return "gate", (site.input, number - 1)
    if number % 2:
        return "keyed gate", (site.topic("keyed"), number // 2)
    return "keyer", (site.input, number // 2 - 1)
