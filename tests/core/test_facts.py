"""Facts add up: a zero, a `+`, no order; divided in two they are still the same."""

from copy import deepcopy
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.facts import MOST_KINDS, MOST_NOTED, REST, Facts, MinuteFacts, sample
from consumer.core.purchases import PurchaseFact

FIELDS = MinuteFacts.__struct_fields__
TABLES = [name for name in FIELDS if isinstance(getattr(MinuteFacts(), name), dict) and name != "claimed"]


def told(counts, purchases, voices_ahead, clients, taken_back):
    """Facts out of single counts (minute, field, name, count), transaction ids, voices, sampled clients and rejections
    that were taken back (minute, reason, revenue)."""
    facts = Facts(voices_ahead=voices_ahead, clients=clients)
    facts.purchases += [PurchaseFact(name, number, "", None) for number, name in enumerate(purchases)]
    for at, reason, claimed in taken_back:
        facts.take_back(at, reason, claimed)
    for at, field, name, count in counts:
        minute = facts.minute(at)
        value = getattr(minute, field)
        if field == "claimed":
            minute.claim(name, Decimal(count))
        elif isinstance(value, dict):
            minute.table(field)[name] = value.get(name, 0) + count
        else:
            setattr(minute, field, value + count)
    return facts


COUNTS = st.tuples(
    st.sampled_from([-1, 0, 1]), st.sampled_from(FIELDS), st.sampled_from("ab…"), st.integers(-3, 9)
)
FACTS = st.builds(
    told,
    st.lists(COUNTS, max_size=12),
    st.lists(st.sampled_from("tuv"), max_size=3),
    st.integers(0, 3),
    st.lists(st.integers(0, 2**32 - 1), max_size=2),
    st.lists(
        st.tuples(st.integers(-1, 2), st.sampled_from("ab"), st.none() | st.just(Decimal("0.5"))), max_size=3
    ),
)


def copied(facts):
    return msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=Facts)


def added(*several):
    total = Facts()
    for facts in several:
        total.add(copied(facts))
    return total


def content(facts):
    """What the facts say, without the order of anything."""
    purchases = sorted((p.id, p.at_ms) for p in facts.purchases)
    return facts.minutes, purchases, facts.voices_ahead, sorted(facts.clients), facts.taken_back


@given(FACTS)
def test_nothing_added_changes_nothing(facts):
    assert content(added(facts)) == content(added(facts, Facts())) == content(added(Facts(), facts))
    assert added(facts).minutes == facts.minutes


@given(FACTS, FACTS)
def test_the_order_of_adding_does_not_matter(one, other):
    assert content(added(one, other)) == content(added(other, one))


@given(FACTS, FACTS, FACTS)
def test_the_grouping_of_adding_does_not_matter(one, two, three):
    assert content(added(one, added(two, three))) == content(added(added(one, two), three))


@given(FACTS, FACTS)
def test_adding_leaves_what_is_added_as_it_was_and_shares_nothing_with_it(one, other):
    before = copied(other)
    total = copied(one)
    total.add(other)
    for minute in total.minutes.values():
        minute.events += 1
        for table in TABLES:
            minute.table(table)["changed"] = 1
        minute.claim("changed", Decimal(1))
    for at in total.taken_back:
        total.take_back(at, "changed", Decimal(1))
    total.purchases.clear()
    assert other == before


def test_every_field_of_a_minute_adds_up():
    one = MinuteFacts(1, 2, 3, 4, *({"a": n, "b": 1} for n in range(5, 13)), *range(13, 19))
    two = MinuteFacts(10, 20, -30, -40, *({"a": n, "c": 2} for n in range(50, 58)), *range(130, 190, 10))
    one.claimed, two.claimed = {"a": Decimal("0.1")}, {"a": Decimal("0.2"), "b": Decimal(1)}
    one.robots_lack, two.robots_lack = {"a": 1}, {"a": 2, "b": 3}
    one.robots_nameless, two.robots_nameless = 4, 5
    before, after = one.copy(), msgspec.msgpack.decode(msgspec.msgpack.encode(two), type=MinuteFacts)
    one.add(two)
    after.add_earlier(before)
    tables = ({"a": n + n + 45, "b": 1, "c": 2} for n in range(5, 13))
    assert one == MinuteFacts(
        11,
        22,
        -27,
        -36,
        *tables,
        *range(143, 209, 11),
        {"a": Decimal("0.3"), "b": Decimal(1)},
        {"a": 3, "b": 3},
        9,
    )
    assert after == one


@given(FACTS, FACTS)
def test_adding_what_was_counted_before_is_adding_to_a_copy_of_it(earlier, later):
    for minute, facts in copied(later).minutes.items():
        before = earlier.minute(minute)
        told, total = copied(earlier), before.copy()
        total.add(facts)
        facts.add_earlier(before)
        assert facts == total
        assert [list(table) for table in facts.tables()] == [list(table) for table in total.tables()]
        for table in TABLES:
            facts.table(table)["changed"] = 1
        facts.claim("changed", Decimal(1))
        assert earlier == told


def test_every_table_of_a_minute_is_among_its_tables():
    minute = MinuteFacts()
    tables = [minute.table(name) for name in TABLES]
    assert len(tables) == len(minute.tables())
    assert all(mine is theirs for mine, theirs in zip(tables, minute.tables(), strict=True))


def test_a_minute_that_was_asked_for_once_is_the_same_again():
    facts = Facts()
    facts.minute(5).events += 1
    facts.minute(5).events += 1
    assert facts == Facts({5: MinuteFacts(2)})


def test_facts_share_no_default_with_each_other():
    minute = Facts().minute(5)
    for table in TABLES:
        minute.table(table)["a"] = 1
    minute.claim("a", Decimal(1))
    assert Facts().minute(5) == MinuteFacts()


@pytest.mark.parametrize(
    "write",
    [
        lambda table: table.update(a=1),
        lambda table: table.setdefault("a", 1),
        lambda table: table.__setitem__("a", 1),
        lambda table: table.__ior__({"a": 1}),
    ],
)
def test_nobody_writes_to_the_table_that_all_minutes_share(write):
    with pytest.raises(TypeError):
        write(MinuteFacts().kinds)
    assert MinuteFacts().kinds == {}


def test_a_copy_of_a_minute_takes_no_more_room_than_the_minute():
    minute = MinuteFacts(3, names={"a": 3})
    for copy in (minute.copy(), deepcopy(minute)):
        assert copy == minute
        assert msgspec.json.encode(copy) == msgspec.json.encode(minute)


def pieces(facts):
    return len(facts.minutes) + len(facts.purchases) + len(facts.taken_back)


@given(FACTS)
def test_two_halves_add_up_to_the_whole(facts):
    halves = facts.halves()
    if halves is None:
        assert pieces(facts) < 2
    else:
        assert content(added(*halves)) == content(facts)
        for half in halves:
            assert 0 < pieces(half) < pieces(facts)


@given(FACTS)
def test_purchases_keep_the_order_in_which_they_came_when_divided(facts):
    halves = facts.halves()
    if halves is not None:
        assert halves[0].purchases + halves[1].purchases == facts.purchases


@pytest.mark.parametrize(("table", "most"), [("null", MOST_NOTED), ("kinds", MOST_KINDS)])
def test_a_minute_keeps_so_many_names_and_counts_the_rest_together(table, most):
    minute = MinuteFacts()
    for number in [*range(most + 10), 0]:
        minute.note(table, f"{number}", most)
    counts = getattr(minute, table)
    assert (len(counts), counts["0"], counts[REST]) == (most + 1, 2, 10)


def test_facts_of_yesterday_read_today_and_what_is_not_there_takes_no_room():
    assert msgspec.json.encode(MinuteFacts(3, names={"a": 3})) == b'{"events":3,"names":{"a":3}}'
    assert msgspec.json.decode(b'{"events":3}', type=MinuteFacts).kinds == {}
    assert msgspec.json.decode(b'{"minutes":{}}', type=Facts).clients == []


def test_one_client_in_sixteen_is_in_the_sample_and_always_by_the_same_number():
    numbers = [number for n in range(16_000) for number in sample([f"client {n}"])]
    assert 900 < len(numbers) == len(set(numbers)) < 1100
    assert (
        sample(f"client {n}" for n in range(300)) == numbers[: len(sample(f"client {n}" for n in range(300)))]
    )
