"""Money is exact: what is an amount, how amounts add up, how they are shown."""

from decimal import Decimal, Inexact, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.money import add, exact, parse, subtract, two_decimals

AMOUNTS = st.integers(-(10**45) + 1, 10**45 - 1).map(lambda n: Decimal(n).scaleb(-30))
LARGEST_AMOUNT = Decimal("999999999999999.999999999999999999999999999999")
SMALLEST_AMOUNT = Decimal("1e-30")


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (10, "10"),
        (-10, "-10"),
        (0, "0"),
        (Decimal("4.20"), "4.20"),
        (Decimal("1e2"), "100"),
        (Decimal("-0.01"), "-0.01"),
        (10**15 - 1, "999999999999999"),
        (-(10**15) + 1, "-999999999999999"),
        (LARGEST_AMOUNT, "999999999999999.999999999999999999999999999999"),
        (SMALLEST_AMOUNT, "1e-30"),
        (Decimal("10e-31"), "1e-30"),
        (Decimal("1.00e14"), "1e14"),
        (Decimal("0e-500"), "0"),
        (Decimal("0e500"), "0"),
        (Decimal("-0"), "0"),
        (Decimal("1." + "0" * 100), "1"),
        (Decimal("1" + "0" * 100 + "e-100"), "1"),
    ],
)
def test_a_json_number_in_range_is_its_exact_amount(value, amount):
    assert parse(value) == Decimal(amount)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "10",
        "",
        [10],
        {"amount": 10},
        10.0,
        10**15,
        -(10**15),
        10**4000,
        Decimal("1e15"),
        Decimal("-1e15"),
        Decimal("1e-31"),
        Decimal("0.1000000000000000000000000000001"),
        Decimal("1." + "0" * 100 + "1"),
        Decimal("9" * 15 + "." + "9" * 31),
        Decimal("1e999999"),
        Decimal("1e-999999"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
    ],
)
def test_no_number_or_one_out_of_range_is_no_amount(value):
    assert parse(value) is None


@given(st.decimals(allow_nan=False) | st.integers() | AMOUNTS)
def test_what_is_parsed_is_the_number_itself_and_short(value):
    amount = parse(value)
    if amount is not None:
        assert amount == value
        assert len(amount.as_tuple().digits) <= 45
        assert len(f"{amount:f}".partition(".")[2]) <= 30


@pytest.mark.parametrize("zeros", [31, 1000, 1_000_000])
def test_an_amount_with_zeros_without_end_does_not_keep_them(zeros):
    assert len(str(parse(Decimal("10." + "0" * zeros)))) <= 46


@given(AMOUNTS, AMOUNTS)
def test_sums_and_differences_are_exact(a, b):
    assert Fraction(add(a, b)) == Fraction(a) + Fraction(b)
    assert Fraction(subtract(a, b)) == Fraction(a) - Fraction(b)
    assert subtract(add(a, b), b) == a


@given(st.lists(AMOUNTS, max_size=20), st.randoms())
def test_a_sum_does_not_depend_on_the_order(amounts, random):
    total = Decimal(0)
    for amount in amounts:
        total = add(total, amount)
    random.shuffle(amounts)
    again = Decimal(0)
    for amount in amounts:
        again = add(again, amount)
    assert again == total
    assert Fraction(total) == sum(map(Fraction, amounts))


@given(st.lists(st.sampled_from([Decimal(text) for text in ("5", "5.0", "5.00", "5.000", "0.125", "1e3")])))
def test_equal_amounts_are_one_text_however_they_were_written_and_no_digit_is_lost(amounts):
    total = Decimal(0)
    for amount in amounts:
        total = add(total, amount)
    text = exact(total)
    assert Decimal(text) == total
    assert text == exact(sum(map(Decimal, amounts), Decimal("0.000")))
    whole, decimals = text.split(".")
    assert len(decimals) == 2 or (len(decimals) > 2 and not decimals.endswith("0"))
    assert whole.isdigit()


def test_a_trillion_of_the_largest_amounts_and_one_of_the_smallest_add_up_exactly():
    many = Decimal("999999999999999999999999999.999999999999999999999999999999")
    assert add(many, SMALLEST_AMOUNT) == Decimal(10) ** 27
    assert Fraction(add(LARGEST_AMOUNT * 10, SMALLEST_AMOUNT)) == Fraction(LARGEST_AMOUNT * 10) + Fraction(
        1, 10**30
    )


def test_a_sum_that_would_lose_a_digit_raises():
    with pytest.raises(Inexact):
        add(Decimal("1e60"), SMALLEST_AMOUNT)


def test_the_surrounding_decimal_context_changes_nothing():
    with localcontext(prec=3):
        assert add(Decimal(123456), Decimal("0.01")) == Decimal("123456.01")
        assert subtract(Decimal(123456), Decimal("0.01")) == Decimal("123455.99")
        assert parse(Decimal("123456.01")) == Decimal("123456.01")
        assert two_decimals(Decimal("123456.014")) == "123456.01"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.00"),
        ("20408", "20408.00"),
        ("1e3", "1000.00"),
        ("0.005", "0.00"),
        ("0.015", "0.02"),
        ("0.025", "0.02"),
        ("0.0250000000000000000000000000001", "0.03"),
        ("-0.015", "-0.02"),
        ("2.675", "2.68"),
        ("999999999999999.995", "1000000000000000.00"),
    ],
)
def test_two_decimals_are_half_to_even(amount, shown):
    assert two_decimals(Decimal(amount)) == shown
