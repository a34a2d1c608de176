"""Purchases that do not add up: one invalid puts a day at risk, one collision quarantines it, a replay is a note."""

import pytest

from detectors.purchases import COLLISION, INVALID, REPLAY, judge_collisions, judge_invalid, judge_replays

JUDGES = [
    (judge_invalid, INVALID, "at_risk"),
    (judge_collisions, COLLISION, "quarantined"),
    (judge_replays, REPLAY, "note"),
]


@pytest.mark.parametrize(("judge", "rule", "result"), JUDGES)
@pytest.mark.parametrize("count", [1, 2, 10**9])
def test_one_is_enough_and_the_reason_names_how_many(judge, rule, result, count):
    check = judge(count)
    assert (check.rule, check.result, check.count) == (rule, result, count)
    assert str(count) in check.reason.replace(",", "")


@pytest.mark.parametrize(("judge", "rule", "result"), JUDGES)
def test_a_rule_that_stays_quiet_says_why(judge, rule, result):
    check = judge(0)
    assert (check.rule, check.result, check.count) == (rule, "pass", 0)
    assert check.reason
