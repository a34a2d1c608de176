"""DuckDB over the same files as `sluice backfill`, each read once: every column, the timestamps, and the JSON of purchases.

It counts events and purchases and adds up revenue by day, no more: no sessions, no transaction ids that repeat, nothing
is checked. A program of its own, so that its start counts as that of `sluice backfill` does. Prints one JSON line.

    python -m tests.bench.duck FILE THREADS        0 threads: as many as DuckDB takes by itself
"""

from __future__ import annotations

import sys

import click
import duckdb
import msgspec

COLUMNS = ("client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent")
TYPES = "{" + ", ".join(f"{name}: 'VARCHAR'" for name in COLUMNS) + "}"
READERS = {".ndjson": "read_json(?, format = 'newline_delimited'", ".csv": "read_csv(?, header = true"}
QUERY = """
select substr(timestamp, 1, 10) as day,
       count(*)                 as events,
       count(*) filter (event_name = 'checkout_completed') as purchases,
       coalesce(sum((event_data ->> '$.revenue')::decimal(18, 2))
                filter (event_name = 'checkout_completed'), 0)::varchar as revenue,
       count(client_id) + count(page_url) + count(referrer) + count(user_agent) as filled,
       max(timestamp::timestamptz)::varchar as latest
from {reader}, columns = {types})
group by day order by day
"""


class DuckDay(msgspec.Struct, frozen=True):
    """What DuckDB says of a day."""

    events: int
    purchases: int
    revenue: str


def read(path: str, threads: int) -> dict[str, DuckDay]:
    """The days of a file, whose name has to end as its format is called."""
    connection = duckdb.connect(config={"threads": threads} if threads else {})
    reader = READERS[path[path.rindex(".") :]]
    rows = connection.execute(QUERY.format(reader=reader, types=TYPES), [path]).fetchall()
    return {day: DuckDay(events, purchases, revenue) for day, events, purchases, revenue, *_ in rows}


if __name__ == "__main__":
    click.echo(msgspec.json.encode(read(sys.argv[1], int(sys.argv[2]))))
