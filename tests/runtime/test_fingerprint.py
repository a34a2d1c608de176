"""What two processes of one group must have in common, and what not."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from consumer.contract_file import load_contract
from consumer.runtime.fingerprint import fingerprint
from consumer.settings import settings_of

CONTRACT = load_contract(None)


def made_with(document=None, contract=CONTRACT):
    return fingerprint(settings_of(document or {}, {}), contract)


def changed(document=None, contract=CONTRACT):
    before, after = made_with(), made_with(document, contract)
    return [name for name in before if before[name] != after[name]]


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"time": {"zone": "Europe/Berlin"}}, "[time]"),
        ({"sessions": {"gap_minutes": 20}}, "[sessions]"),
        ({"sessions": {"allowed_lateness_minutes": 30}}, "[sessions]"),
        ({"timestamps": {"max_age_days": 30}}, "[timestamps]"),
        ({"purchases": {"memory_days": 10}}, "[purchases]"),
        ({"watch": {"z": 4}}, "[watch]"),
        ({"topics": {"facts": "other.facts"}}, "[topics]"),
    ],
)
def test_a_setting_that_changes_numbers_is_seen_by_its_section(document, name):
    assert changed(document) == [name]


def test_whether_the_input_is_keyed_is_seen_and_leaves_all_else_as_it_was():
    keyed, not_keyed = made_with(), made_with({"input": {"keyed": False}})
    assert not_keyed.keys() - keyed.keys() == {"[input]"}
    assert {**not_keyed, **keyed} == {**keyed, "[input]": not_keyed["[input]"]}
    elsewhere = made_with({"input": {"keyed": False}, "topics": {"keyed": "other"}})
    assert elsewhere["[input]"] != not_keyed["[input]"]


@pytest.mark.parametrize(
    "document",
    [
        {"batch": {"max_events": 10}},
        {"log": {"level": "debug"}},
        {"deliver": {"out": "elsewhere"}},
        {"metrics": {"port": 1}},
        {"instance": "pod-3"},
        {"topics": {"replication_factor": 3}},
        {"topics": {"keyed": "other"}},
        {"input": {"start": "latest"}},
        {"kafka": {"bootstrap.servers": "elsewhere:9092"}},
    ],
)
def test_a_setting_that_changes_no_number_may_differ(document):
    assert changed(document) == []


def test_a_contract_is_known_by_what_it_says():
    assert changed(contract=replace(CONTRACT, version="9")) == ["contract"]
    assert changed(contract=replace(CONTRACT, event_names=CONTRACT.event_names | {"new"})) == ["contract"]


def test_a_comment_in_the_contract_changes_nothing(tmp_path):
    import consumer

    text = (Path(consumer.__file__).parent / "contract.yaml").read_text()
    (tmp_path / "contract.yaml").write_text(f"# ours\n{text}")
    assert changed(contract=load_contract(tmp_path / "contract.yaml")) == []


def test_every_process_comes_to_the_same(tmp_path):
    code = (
        "from consumer.contract_file import load_contract; from consumer.settings import Settings\n"
        "from consumer.runtime.fingerprint import fingerprint; print(fingerprint(Settings(), load_contract(None)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{made_with()}\n".encode()}
