"""Whatever a stream holds: scoring is pure, snapshots answer the same, memory is bounded, numbers are finite."""

from __future__ import annotations

from math import isfinite

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.fields import FieldMinute
from detectors.schema_watch import SchemaState, SchemaWatch
from tests.detectors.schema_noise import EXPECT

counts = st.integers(-2, 10**6)
names = st.one_of(
    st.sampled_from(
        [
            *(field.path for field in EXPECT.fields),
            *EXPECT.event_names,
            *(
                "clientId",
                "event_data.order",
                "…",
                "a\x1fword",
                "timestamp_missing",
                "not_json",
                "purchase_id",
            ),
        ]
    ),
    st.text(max_size=300),
)
table = st.dictionaries(names, counts, max_size=6)
minutes = st.builds(
    FieldMinute,
    minute=st.integers(1, 90),
    events=counts,
    purchases=counts,
    items=counts,
    sessions=counts,
    robots=counts,
    replays=counts,
    repeated=counts,
    stale=counts,
    ahead=counts,
    absent=table,
    retyped=table,
    aliased=table,
    unknown=table,
    names=table,
    kinds=table,
    rejected=table,
)
ordinary = st.builds(
    lambda gap, n: FieldMinute(gap, n, names={"page_viewed": n}), st.integers(1, 90), st.integers(0, 400)
)


@settings(max_examples=40)
@given(st.lists(st.one_of(ordinary, minutes), max_size=40))
def test_any_stream_is_scored_purely_survives_a_snapshot_and_gives_finite_numbers(
    drawn: list[FieldMinute],
) -> None:
    watch, now = SchemaWatch(EXPECT), 0
    for minute in drawn:
        now += minute.minute
        minute.minute = now
        before = msgspec.msgpack.encode(watch.state)
        foretold = watch.score_one(minute)
        assert msgspec.msgpack.encode(watch.state) == before
        twin = SchemaWatch(EXPECT, msgspec.msgpack.decode(before, type=SchemaState))
        said = watch.update(minute)
        assert said == foretold == twin.update(minute)
        for finding in said:
            assert finding.message
            assert finding.since_minute < finding.known_minute == now + 1
            numbers = (finding.value, finding.baseline_median, finding.absolute_change)
            assert all(isfinite(x) for x in numbers if isinstance(x, float))
            assert len(finding.message) < 1500


@given(
    st.lists(
        st.tuples(st.integers(1, 90), st.integers(0, 400), st.integers(0, 9), st.booleans()), max_size=40
    )
)
def test_minutes_that_are_passed_over_count_as_if_each_had_been_looked_at(
    drawn: list[tuple[int, int, int, bool]],
) -> None:
    watch, now, events, purchases, lost = SchemaWatch(EXPECT), 0, 0, 0, 0
    for gap, more, bought, odd in drawn:
        now += gap
        absent = {"page_url": min(more, 1)} if odd else {}
        watch.update(FieldMinute(now, more, purchases=bought, absent=absent))
        events, purchases, lost = events + more, purchases + bought, lost + sum(absent.values())
    watch.update(FieldMinute(now + 60))

    def told(path: str) -> tuple[int, int]:
        share = watch.state.fields[path].lost
        hours = [(hits, trials) for _, hits, trials in share.hours]
        days = [(day.hits, day.trials) for day in share.days]
        return sum(hits for hits, _ in hours + days), sum(trials for _, trials in hours + days)

    assert watch.state.fields["page_url"].lost.open is not None or told("page_url") == (lost, events)
    assert told("consent") == (0, events)
    assert told("event_data.revenue") == (0, purchases)
    tally = watch.state.tallies["duplicate_events"].share
    assert sum(cell[2] for cell in tally.hours) + sum(day.trials for day in tally.days) == events


def test_a_minute_that_was_judged_is_not_judged_again() -> None:
    watch = SchemaWatch(EXPECT)
    watch.update(FieldMinute(5, 3))
    before = msgspec.msgpack.encode(watch.state)
    assert watch.update(FieldMinute(5, 3, absent={"page_url": 3})) == []
    assert watch.update(FieldMinute(4, 3)) == []
    assert msgspec.msgpack.encode(watch.state) == before


def test_hostile_names_do_not_grow_the_memory_without_end() -> None:
    watch, sizes = SchemaWatch(EXPECT), []
    for now in range(3000):
        flood = {f"{now}-{i}-" + "x" * 300: 1 for i in range(5)}
        watch.update(
            FieldMinute(now, 5, names=flood, unknown=flood, kinds={f"{k}\x1fword": 1 for k in flood})
        )
        sizes.append(len(msgspec.msgpack.encode(watch.state)))
    assert max(sizes) < 250_000
    assert sizes[-1] < 1.1 * sizes[1000]


def test_of_a_flood_of_event_names_the_first_twenty_are_told_and_the_rest_as_one() -> None:
    watch, said = SchemaWatch(EXPECT), []
    for now in range(120):
        said += watch.update(FieldMinute(now, 300, names={f"name{i}": 3 for i in range(100)}))
    opened = [f.subject for f in said if f.kind == "schema_unknown_event" and f.word == "opened"]
    assert len(opened) == len(set(opened)) == 21
    assert "…" in opened
