"""`daily_metrics.csv`: one row a day, exact, stable, and no cell that a spreadsheet would run."""

import csv
import io
import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.days import METRICS
from reports.render.daily_metrics_csv import HEADER, render
from tests.reports.sample_state import good_week, quarantined, receipt


def rows(receipts):
    return list(csv.DictReader(io.StringIO(render(receipts).decode(), newline="")))


def test_the_file_is_as_others_read_it(golden):
    golden.check("daily_metrics.csv", render(quarantined()[0]))


def test_without_a_day_there_is_the_header_alone(golden):
    golden.check("daily_metrics_empty.csv", render([]))


def test_any_order_of_receipts_gives_the_same_bytes():
    receipts = good_week()
    expected = render(receipts)
    for seed in range(5):
        random.Random(seed).shuffle(receipts)
        assert render(receipts) == expected


def test_rows_go_from_the_oldest_to_the_newest_day():
    days = [row["day"] for row in rows(reversed(good_week()))]
    assert days == sorted(days)


def test_revenue_is_exact_to_the_cent_however_large():
    (row,) = rows([receipt("2025-02-24", revenue="12345678901234567890.125")])
    assert row["revenue"] == "12345678901234567890.12"


def test_what_is_not_measurable_is_empty_and_never_zero():
    (row,) = rows([receipt("2025-02-24", **dict.fromkeys(METRICS))])
    assert [row[metric] for metric in METRICS] == [""] * 5
    (row,) = rows([receipt("2025-02-24", sessions=0, purchases=0, revenue="0", conversion_rate=None)])
    assert [row[metric] for metric in METRICS] == ["0", "0", "0.00", "", "0.400000"]


@given(st.sampled_from(["day", "status", "score"]), st.text())
def test_no_cell_can_be_a_formula_or_break_its_row(column, text):
    data = render([msgspec.structs.replace(receipt("2025-02-24"), **{column: text})]).decode()
    header, row = csv.reader(io.StringIO(data, newline=""))
    assert tuple(header) == HEADER
    assert len(row) == len(HEADER)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert data.count("\n") == 2
    assert "\r" not in data
