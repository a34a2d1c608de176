"""What an older version wrote is read: its journal restores, and the days go on as if nothing had happened."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from consumer.core.wire import WireError, read_entry, read_facts
from tests.older_journals import FOLDER, Shop, events

JOURNALS = sorted(FOLDER.glob("*.msgpack.z"))

NUMBERS = ("status", "metrics", "counts", "verdict")


def written(path):
    return msgspec.msgpack.decode(zlib.decompress(path.read_bytes()))


def restored(path):
    kept = written(path)
    shop = Shop()
    for task, name in ((shop.gate, "gate"), (shop.watch, "watch")):
        for entry in kept[name]:
            task.replay(read_entry(entry))
        task.restored()
    return shop


def numbers(days):
    return {day: {name: receipt[name] for name in NUMBERS} for day, receipt in days.items()}


def test_journals_of_older_versions_are_kept():
    assert len(JOURNALS) >= 2


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.name.partition(".")[0])
def test_an_older_journal_restores_and_every_later_number_is_that_of_an_unbroken_run(path):
    values = events()
    unbroken, shop = Shop(), restored(path)
    unbroken.read(values)
    assert shop.gate.next_offset == len(values) // 2
    shop.read(values[len(values) // 2 :])
    ended = numbers(shop.end())
    whole = numbers(unbroken.end())
    assert len(ended) >= 2  # the days that the journal had begun, and those behind them
    assert ended == {day: whole[day] for day in ended}
    assert [day for day in whole if day not in ended] == sorted(whole)[: len(whole) - len(ended)]


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.name.partition(".")[0])
def test_facts_that_an_older_version_wrote_are_read(path):
    for record in written(path)["facts"]:
        read_facts(record)


@pytest.mark.parametrize("keep", [0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("task", ["gate", "watch"])
def test_a_journal_entry_that_was_cut_short_is_noticed(task, keep):
    *whole, last = written(JOURNALS[-1])[task]
    shop = Shop()
    target = shop.gate if task == "gate" else shop.watch
    for entry in whole:
        target.replay(read_entry(entry))
    with pytest.raises(WireError):
        target.replay(read_entry(last[: int(len(last) * keep)]))
