"""Files as records: equal to DictReader's rows, bounded, and not one line lost whatever the bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.core.record import NO_TIMESTAMP, StoredRecord
from consumer.core.rejection import TRUNCATED, Reason
from consumer.runtime.csv_rows import MOST_ROW_BYTES
from consumer.runtime.files import FileError, Unreadable, key_of, read_records
from consumer.runtime.lines import KEPT_BYTES, MOST_LINE_BYTES

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        "",
        '"',
        '""',
        ",",
        "\r",
        "\n",
        "\r\n",
        "\0",
        " ",
        "a,b",
        'a"b',
        '{"a": "b"}',
        "\ufeff",
        "\u2028",
        "\x85",
    ]
)


def read(folder, name, content, **options):
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return list(read_records([path], **options))


def values(items):
    return [json.loads(item.value()) for item in items if isinstance(item, StoredRecord)]


def rejections(items):
    return [
        (item.record.offset(), item.record.value(), item.rejection.reason)
        for item in items
        if isinstance(item, Unreadable)
    ]


@st.composite
def tables(draw):
    columns = ["first", *draw(st.lists(text, max_size=4, unique=True))]
    rows = draw(st.lists(st.lists(text, min_size=len(columns), max_size=len(columns)), max_size=6))
    written = io.StringIO()
    # with another line end, QUOTE_MINIMAL leaves a carriage return in a cell without quotes, and so breaks the row
    end, quoting = draw(
        st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), *((e, csv.QUOTE_ALL) for e in ("\r\n", "\n", "\r"))])
    )
    writer = csv.writer(written, lineterminator=end, quoting=quoting)
    writer.writerows([columns, *rows])
    content = draw(st.sampled_from(["", "\ufeff"])) + written.getvalue()
    return content if draw(st.booleans()) else content.rstrip("\r\n")


@same_folder
@given(content=tables(), name=st.sampled_from(["t.csv", "T.CSV.GZ"]))
def test_a_csv_row_is_the_object_that_dictreader_gives(tmp_path, content, name):
    path = tmp_path / name
    raw = content.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith("GZ") else raw)
    with io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="") as file:
        wanted = [{column: cell or None for column, cell in row.items()} for row in csv.DictReader(file)]
    items = list(read_records([path]))
    assert values(items) == wanted
    assert rejections(items) == []
    assert [list(event) for event in values(items)] == [list(event) for event in wanted]


PIECES = [
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r\n",
    b"\r",
    b"\n\n",
    b" ",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\0",
    b"{}",
    b'{"a":1}',
    b"a,b",
]


@settings(same_folder, max_examples=300)
@given(
    pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=5) | st.integers(0, 40), max_size=60),
    header=st.sampled_from([b"", b"a\n", b"a,b\n", b"a,a\n", b"a,b,c\r\n"]),
    name=st.sampled_from(["x.csv", "x.csv.gz", "x.ndjson", "x.jsonl.gz", "x.json"]),
)
def test_no_bytes_lose_a_line_or_raise_anything_but_file_error(tmp_path, pieces, header, name):
    words = [b"word-%d-%d;" % (i, piece) for i, piece in enumerate(pieces) if isinstance(piece, int)]
    body = iter(words)
    content = header + b"".join(next(body) if isinstance(piece, int) else piece for piece in pieces)
    try:
        items = read(tmp_path, name, content, identity_names=("a", "b"))
    except FileError:
        assert "csv" in name
        return
    if header or "csv" not in name:  # else the first words are names of columns
        found = b"".join(i.record.value() if isinstance(i, Unreadable) else i.value() for i in items)
        assert [word for word in words if word not in found] == []


@same_folder
@given(raw=st.binary(max_size=300), name=st.sampled_from(["x.csv.gz", "x.ndjson.gz"]))
def test_a_gz_that_is_no_gzip_is_said_or_cut_short(tmp_path, raw, name):
    path = tmp_path / name
    path.write_bytes(raw)
    if not b"\x1f\x8b".startswith(raw[:2]):
        with pytest.raises(FileError, match="is not gzip"):
            list(read_records([path]))
    else:
        reasons = [reason for _, _, reason in rejections(read_records([path]))]
        assert reasons == ([Reason.CUT_SHORT] if raw else [])


CSV = b"client_id,n\n" + b"".join(b'c%d,"row\n%d"\n' % (i % 7, i) for i in range(300))
NDJSON = b"".join(b'{"n": %d}\n' % i for i in range(300))


@pytest.mark.parametrize("content", [CSV, NDJSON])
def test_gzip_cut_anywhere_gives_all_before_the_cut_and_the_rest_as_one_rejection(tmp_path, content):
    ending = ".csv.gz" if content is CSV else ".ndjson.gz"
    packed = gzip.compress(content)
    path = tmp_path / f"x{ending}"
    whole = [item.value() for item in read(tmp_path, f"whole{ending}", content)]
    for cut in range(3, len(packed)):
        path.write_bytes(packed[:cut])
        *items, last = list(read_records([path]))
        assert isinstance(last, Unreadable)
        assert last.rejection.reason is Reason.CUT_SHORT
        assert [item.value() for item in items] == whole[: len(items)]
        unpacked = zlib.decompressobj(31).decompress(packed[:cut])
        assert unpacked.endswith(last.record.value())
        used = unpacked[: len(unpacked) - len(last.record.value())]
        assert used.count(b"\n") == (1 + 2 * len(items) if content is CSV and used else len(items))
        assert len(items) == len(read(tmp_path, f"used{ending}", used))


def test_a_cut_header_is_one_rejection(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"client_id")[:-8])
    assert rejections(read_records([path])) == [(1, b"client_id", Reason.CUT_SHORT)]


def test_damaged_gzip_is_reported_and_what_came_before_is_used(tmp_path):
    packed = bytearray(gzip.compress(NDJSON))
    packed[-5] ^= 1
    path = tmp_path / "x.ndjson.gz"
    path.write_bytes(packed)
    items = list(read_records([path]))
    assert len(values(items)) == 300
    assert rejections(items) == [(301, b"", Reason.CUT_SHORT)]


def test_several_gzip_members_are_one_file(tmp_path):
    path = tmp_path / "x.ndjson.gz"
    path.write_bytes(gzip.compress(NDJSON[:11]) + gzip.compress(NDJSON[11:]))
    assert values(read_records([path])) == [{"n": n} for n in range(300)]


BAD_ROWS = {
    "too few cells": (b"1\n", Reason.NOT_JSON, "1 cells"),
    "too many cells": (b"1,2,3\r\n", Reason.NOT_JSON, "3 cells"),
    "not UTF-8": (b"1,\xff\n", Reason.NOT_UTF8, "not UTF-8"),
    "not UTF-8, over two lines": (b'1,"\xff\n"\n', Reason.NOT_UTF8, "not UTF-8"),
    "a quote left open": (b'1,"2\n', Reason.NOT_JSON, "never closes it"),
    "a cell too large": (b"1," + b"x" * 131_073 + b"\n", Reason.TOO_BIG, "131072"),
}


@pytest.mark.parametrize(("raw", "reason", "words"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_cannot_be_read_costs_only_itself(tmp_path, raw, reason, words):
    items = read(tmp_path, "x.csv", b'a,b\n0,"x"\n' + raw + b'7,"8"\n\n9,10\n')
    assert values(items) == [{"a": "0", "b": "x"}, {"a": "7", "b": "8"}, {"a": "9", "b": "10"}]
    assert rejections(items) == [(3, raw, reason)]
    assert words in next(item.rejection.message for item in items if isinstance(item, Unreadable))


def test_bad_rows_among_thousands_of_good_ones_cost_only_themselves(tmp_path):
    rows = [
        b'%d,"%d"\n' % (n, n) for n in range(50_000)
    ]  # more than one piece of the file, and many times what is read at once
    bad = {400: b"1,2,3\n", 255: b"1,\xff\n", 256: b'"1\n', 30_000: b'1,"2\n', 49_999: b"1\n"}
    for number, raw in bad.items():
        rows[number] = raw
    items = read(tmp_path, "x.csv", b"a,b\n" + b"".join(rows))
    good = [item for item in items if isinstance(item, StoredRecord)]
    assert {(n + 2, raw) for n, raw in bad.items()} == {(line, raw) for line, raw, _ in rejections(items)}
    assert [item.offset() for item in good] == [n + 2 for n in range(50_000) if n not in bad]
    assert all(json.loads(item.value())["a"] == str(item.offset() - 2) for item in good)


def test_each_open_quote_costs_its_own_line_however_many_follow_each_other(tmp_path):
    bad = b'1,"2\n' * 60_000  # each is read again together with the next one
    assert len(rejections(read(tmp_path, "x.csv", b"a,b\n" + bad))) == 60_000


def test_a_quote_left_open_in_the_last_cell_does_not_swallow_the_rest_of_the_file(tmp_path):
    items = read(tmp_path, "x.csv", b'a,b\n1,"2\n3,4\n5,6\n')
    assert values(items) == [{"a": "3", "b": "4"}, {"a": "5", "b": "6"}]
    assert rejections(items) == [(2, b'1,"2\n', Reason.NOT_JSON)]


def test_text_behind_a_closed_quote_is_read_as_dictreader_reads_it(tmp_path):
    assert values(read(tmp_path, "x.csv", b'a,b\n"x"y,1\n')) == [{"a": "xy", "b": "1"}]


def test_a_row_of_very_many_lines_is_too_big_and_reading_goes_on(tmp_path):
    flood = b'"' + b'","\n' * (MOST_ROW_BYTES // 4 + 10)
    items = read(tmp_path, "x.csv", b"a,b\n" + flood + b'"\n1,2\n')
    assert rejections(items)[0][2] is Reason.TOO_BIG
    assert values(items)[-1] == {"a": "1", "b": "2"}


def test_columns_of_one_name_share_their_value_unless_they_contradict(tmp_path):
    items = read(tmp_path, "x.csv", b"a,b,a\n1,2,\n,3,4\n5,6,5\n7,8,9\n")
    assert values(items) == [{"a": "1", "b": "2"}, {"a": "4", "b": "3"}, {"a": "5", "b": "6"}]
    assert rejections(items) == [(5, b"7,8,9\n", Reason.NOT_JSON)]


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\xef\xbb\xbf", b"\n\r\n \n", b"a,b"])
def test_a_file_without_rows_has_no_records(tmp_path, content):
    assert read(tmp_path, "x.csv", content) == []


def test_an_empty_gz_has_no_records(tmp_path):
    (tmp_path / "x.ndjson.gz").write_bytes(b"")
    assert list(read_records([tmp_path / "x.ndjson.gz"])) == []


@pytest.mark.parametrize("header", [b'"a', b"a,\xff\n1,2\n", "a,b\n1,2\n".encode("utf-16"), b"x" * 131_073])
def test_a_header_that_cannot_be_read_is_a_file_error(tmp_path, header):
    with pytest.raises(FileError, match="first line"):
        read(tmp_path, "x.csv", header)


def test_a_record_tells_where_it_stands_and_has_no_log_time(tmp_path):
    items = read(tmp_path, "day.csv", b'\na,b\n\n1,"2\n"\n3,4\n', identity_names=("b",))
    assert [(i.topic(), i.partition(), i.offset(), i.key()) for i in items] == [
        ("day.csv", 0, 4, b"2\n"),
        ("day.csv", 0, 6, b"4"),
    ]
    assert {item.timestamp()[0] for item in items} == {NO_TIMESTAMP}


def test_a_line_of_ndjson_is_a_record_with_its_bytes_untouched(tmp_path):
    lines = [b'{"id": "a"} ', b"\xff\xfe", b"not json", b'{"a":\r1}']
    items = read(tmp_path, "x.jsonl", b"\xef\xbb\xbf" + lines[0] + b"\r\n\n \t\n" + b"\n".join(lines[1:]))
    assert [(item.offset(), item.value()) for item in items] == list(zip([1, 4, 5, 6], lines, strict=True))


@pytest.mark.parametrize("name", ["x.ndjson.gz", "x.csv.gz"])
def test_a_line_without_end_is_too_big_and_never_held_in_memory(tmp_path, name):
    head, tail = (b"a\n1\n", b"2\n") if "csv" in name else (b'{"a":"1"}\n', b'{"a":"2"}\n')
    path = tmp_path / name
    with gzip.open(path, "wb", 1) as file:
        file.write(head)
        for _ in range(100):
            file.write(b"x" * 1_048_576)
        file.write(b"\n" + tail)
    tracemalloc.start()
    items = list(read_records([path]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values(items) == [{"a": "1"}, {"a": "2"}]
    ((_, raw, reason),) = rejections(items)
    assert reason is Reason.TOO_BIG
    assert 0 < len(raw) <= KEPT_BYTES
    assert (TRUNCATED, b"104857601") in items[-2].record.headers()
    assert peak < 1.5 * MOST_LINE_BYTES


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "x.csv.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(b"a,b\n")
        for _ in range(200):
            file.write(b'some text,"more text"\n' * 1000)
    tracemalloc.start()
    count = sum(1 for _ in read_records([path]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 4_000_000


def test_every_file_is_looked_at_before_the_first_record(tmp_path):
    good = tmp_path / "a.csv"
    good.write_bytes(b"a\n1\n")
    for bad, words in {
        tmp_path / "b.csv": "there is no file",
        tmp_path / "b.txt": "must end in .csv, .ndjson, .jsonl, .json",
        Path("b"): "neither CSV nor NDJSON",
        tmp_path / "b.gz": "neither CSV nor NDJSON",
    }.items():
        with pytest.raises(FileError, match=words):
            read_records([good, bad])
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match="is a folder"):
        read_records([tmp_path / "folder.csv"])


def test_a_file_that_vanishes_is_a_file_error(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n1\n")
    records = read_records([path])
    path.unlink()
    with pytest.raises(FileError, match=r"cannot read .*a\.csv: No such file"):
        list(records)


def test_reading_tells_how_many_bytes_of_the_files_it_took(tmp_path):
    told = []
    for name in ("x.csv", "x.csv.gz"):
        told.clear()
        read(tmp_path, name, CSV * 50, on_bytes=told.append)
        assert sum(told) == (tmp_path / name).stat().st_size


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'{"client_id": "a", "clientId": "b"}', b"a"),
        (b'{"client_id": null, "clientId": "b"}', b"b"),
        (b'{"client_id": " ", "clientId": 7}', None),
        ('{"client_id": " ä "}'.encode(), " ä ".encode()),
        (b'["client_id"]', None),
        (b"not json", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_the_key_is_the_first_identity_that_is_a_text_and_not_blank(value, key):
    assert key_of(value, ["client_id", "clientId"]) == key


def test_csv_and_ndjson_give_an_event_the_same_key(tmp_path):
    rows = b"x,clientId,client_id\n1,b,\n2,b,a\n3,,\n4, ,\n"
    names = ("client_id", "clientId")
    items = read(tmp_path, "x.csv", rows, identity_names=names)
    again = read(tmp_path, "x.ndjson", b"\n".join(i.value() for i in items), identity_names=names)
    assert [i.key() for i in items] == [i.key() for i in again] == [b"b", b"a", None, None]
