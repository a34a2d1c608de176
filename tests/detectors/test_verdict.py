"""The verdict of a day is the worst of its checks, in any order; a note never changes it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.verdict import Check, worst

RESULTS = ["note", "pass", "at_risk", "quarantined"]
CHECKS = st.lists(st.builds(Check, st.just("rule"), st.sampled_from(RESULTS), st.just("why")), max_size=6)


def checks(*results):
    return [Check(f"rule {number}", result, "why") for number, result in enumerate(results)]


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ((), "pass"),
        (("note",), "pass"),
        (("pass",), "pass"),
        (("at_risk",), "at_risk"),
        (("quarantined",), "quarantined"),
        (("note", "note", "pass"), "pass"),
        (("pass", "at_risk", "note"), "at_risk"),
        (("at_risk", "at_risk"), "at_risk"),
        (("at_risk", "quarantined", "pass"), "quarantined"),
    ],
)
def test_the_verdict_is_the_worst_result_whatever_its_place(results, verdict):
    for order in itertools.permutations(results):
        assert worst(checks(*order)) == verdict


@given(CHECKS, CHECKS)
def test_more_checks_never_make_a_verdict_better(some, more):
    assert RESULTS.index(worst(some + more)) == max(RESULTS.index(worst(some)), RESULTS.index(worst(more)))
