"""Exact amounts of money: decimal all the way, never binary floating point.

An amount is a `Decimal` with at most 30 digits after the point and below 10^15, so sums under `EXACT`
(precision 80, inexact results trapped) are exact for any number of purchases that fits in memory.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

EXACT = Context(prec=80, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""Arithmetic that raises rather than lose a digit."""

LARGEST = Decimal(10) ** 15
MOST_DECIMALS = 30

_CENT = Decimal("0.01")
_CENTS = 2
_ROUNDING = Context(prec=80, rounding=ROUND_HALF_EVEN)


def parse(value: object) -> Decimal | None:
    """The exact amount of a JSON number, or None when it is no number or out of the range above.

    >>> parse(10), parse(Decimal("4.20"))
    (Decimal('10'), Decimal('4.20'))
    >>> parse("10") is None, parse(True) is None, parse(10**15) is None
    (True, True, True)
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, int):
        return Decimal(value) if -LARGEST < value < LARGEST else None
    if not value.is_finite() or not -MOST_DECIMALS <= value.adjusted() < 15:  # noqa: PLR2004 - LARGEST has 15 zeros
        return Decimal(0) if value.is_zero() else None
    if _decimals(value) <= MOST_DECIMALS:
        return value
    shortest = _ROUNDING.normalize(value)  # zeros at the end can be a million: they are not kept
    return shortest if _decimals(shortest) <= MOST_DECIMALS and shortest == value else None


def is_amount(value: Decimal) -> bool:
    """Whether it is an amount as `parse` gives them, which sums take in without losing a digit.

    >>> is_amount(Decimal("4.20")), is_amount(Decimal("1e400")), is_amount(Decimal("NaN")), is_amount(Decimal("1e-31"))
    (True, False, False, False)
    """
    amount = parse(value)
    return amount is not None and amount == value


def _decimals(finite: Decimal) -> int:
    exponent = finite.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def add(a: Decimal, b: Decimal) -> Decimal:
    """a + b, exactly."""
    return EXACT.add(a, b)


def subtract(a: Decimal, b: Decimal) -> Decimal:
    """a - b, exactly."""
    return EXACT.subtract(a, b)


def exact(amount: Decimal) -> str:
    """The amount with every digit that counts and two decimals at least: one text for equal amounts, however they were
    written or added up.

    >>> exact(Decimal("5")), exact(Decimal("5.1250")), exact(Decimal("0E-30")), exact(Decimal("1E+3"))
    ('5.00', '5.125', '0.00', '1000.00')
    """
    shortest = EXACT.normalize(amount)
    return f"{EXACT.quantize(amount, _CENT) if _decimals(shortest) <= _CENTS else shortest:f}"


def two_decimals(amount: Decimal) -> str:
    """The amount for people and files: two decimals, half to even (exact amounts stay in `sluice.days`).

    >>> two_decimals(Decimal("20408")), two_decimals(Decimal("0.125"))
    ('20408.00', '0.12')
    """
    return f"{_ROUNDING.quantize(amount, _CENT):f}"
