"""The campaign in small: a minute of faults on real processes, and the same verdict as after the long one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tests.faults.feed import Sent
from tests.torture import __main__ as command
from tests.torture import table
from tests.torture.campaign import Options, Outcome, run
from tests.torture.faults import KINDS, ended_as_asked
from tests.torture.findings import Verdict
from tests.torture.load import Anywhere
from tests.torture.progress import Fault, Standstill, stood

QUICK = tuple(kind for kind in KINDS if kind not in ("broker's disk full", "connections slow"))


@pytest.mark.campaign
@pytest.mark.broker
@pytest.mark.timeout(600)
def test_a_minute_of_faults_loses_and_repeats_nothing_of_an_input_that_is_not_keyed(tmp_path):
    options = Options(
        faults=12, seed=7, minutes=1, processes=2, partitions=4, rate=150, day_seconds=20, pause_seconds=0.5,
        kinds=QUICK, unkeyed=True,
    )  # fmt: skip
    outcome = run(options, tmp_path)
    assert outcome.equal, table.show(outcome)
    assert outcome.faults
    assert all(line.compared for line in outcome.verdict.lines)


def test_an_input_that_is_not_keyed_has_a_clients_records_anywhere_under_others_keys():
    placed = Anywhere(1, 4)
    places = [placed(Sent(b"", b"client %d" % (number % 2))) for number in range(100)]
    assert {place.partition for place in places[::2]} == {0, 1, 2, 3}
    assert {place.key for place in places[2::2]} == {b"client 1"}


@pytest.mark.parametrize(
    ("code", "told", "broker_away", "fine"),
    [
        (0, "ended in order", False, True),
        (-15, "", False, True),
        (-15, "starting", False, False),
        (70, "stop takes too long", True, True),
        (70, "stop takes too long", False, False),
        (1, "stopped", True, False),
    ],
)
def test_a_process_that_does_not_end_as_asked_is_a_finding_unless_its_broker_was_away(
    code, told, broker_away, fine
):
    assert ended_as_asked(code, told, broker_away=broker_away) is fine


def test_a_standstill_belongs_to_the_fault_that_it_began_with():
    first, second, third = Fault("kill", 10, 12), Fault("cut", 12.5, 13), Fault("kill", 40, 41)
    standstills = [Standstill("t[0]", 10.5, 14.0), Standstill("t[1]", 39.5, 43.5), Standstill("t[1]", 90, 92)]
    found = stood([first, second, third], standstills)
    assert found["kill"].alone == [4.0]
    assert found["kill"].longest == 4.0
    assert found["cut"].longest == 0.0
    assert found["cut"].alone == []


@pytest.mark.parametrize(("wrong", "code"), [([], 0), (["it ended"], 1)])
def test_the_command_prints_a_table_and_ends_with_1_if_anything_is_wrong(monkeypatch, wrong, code):
    outcome = Outcome(Options(), Verdict(), [Fault("kill -9", 0, 1)], wrong=wrong)
    monkeypatch.setattr(command, "run", lambda *_: outcome)
    told = CliRunner().invoke(command.main, ["--faults", "1"])
    assert told.exit_code == code
    assert "| kill -9 | 1 |" in told.output


def test_a_verdict_with_one_difference_is_not_equal():
    verdict = Verdict()
    verdict.line("days").compared = 3
    assert verdict.equal
    verdict.line("files").differs("a row")
    assert not verdict.equal
    assert "a row" in verdict.table()
