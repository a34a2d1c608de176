"""The contract's document: what the default says, and one sentence for every broken one."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from open_data_contract_standard.model import OpenDataContractStandard

from consumer.contract_file import ContractError, load_contract
from consumer.contract_file.compile import compile_contract
from consumer.contract_file.located import Located, parse
from consumer.core.contract import PurchaseRole, Role

BAD = Path(__file__).with_name("bad_contracts")
DEFAULT = Path(__file__).parents[1] / "consumer" / "contract.yaml"

SMALL = """\
kind: DataContract
apiVersion: v3.1.0
id: small
version: 1.0.0
schema:
  - name: events
    properties:
      - name: client
        logicalType: string
        customProperties: [{property: role, value: identity}]
      - name: at
        logicalType: timestamp
        customProperties: [{property: role, value: timestamp}]
      - name: what
        logicalType: string
        quality: [{metric: invalidValues, arguments: {validValues: [seen]}, mustBe: 0}]
        customProperties: [{property: role, value: event_name}]
"""


def compiled(text):
    return compile_contract(parse(text.encode(), "contract.yaml"))


def refusal_of(case):
    with pytest.raises(ContractError) as raised:
        load_contract(Path(case.name))
    return str(raised.value)


@pytest.fixture(scope="module")
def default():
    return load_contract(None)


def test_the_default_is_valid_by_the_standards_own_schema():
    standard = files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    validator = jsonschema.validators.validator_for(json.loads(standard))(json.loads(standard))
    problems = [
        error.message for error in validator.iter_errors(yaml.safe_load(DEFAULT.read_text(encoding="utf-8")))
    ]
    assert problems == []


def test_the_default_is_what_the_standard_calls_a_contract():
    document = yaml.safe_load(DEFAULT.read_text("utf-8"))
    model = OpenDataContractStandard.model_validate(document)
    assert (
        model.model_dump(by_alias=True, exclude_unset=True) == document
    )  # nothing that the standard ignores
    assert re.fullmatch(r"v3\.1\.\d", document["apiVersion"])


def test_the_default_knows_the_fields_with_aliases_roles_and_severities(default):
    assert [(one.name, one.role, one.severity, one.aliases) for one in default.fields] == [
        ("client_id", Role.IDENTITY, "P0_BLOCKER", ("clientId",)),
        ("page_url", Role.PAGE_URL, "P1_HIGH", ()),
        ("referrer", Role.REFERRER, "P1_HIGH", ()),
        ("timestamp", Role.TIMESTAMP, "P0_BLOCKER", ()),
        ("event_name", Role.EVENT_NAME, "P0_BLOCKER", ()),
        ("event_data", Role.EVENT_DATA, "P0_BLOCKER", ()),
        ("user_agent", None, "P1_HIGH", ()),
    ]
    assert {one.name: set(one.types) for one in default.fields if one.types != {"string"}} == {
        "event_data": {"string", "object"}
    }
    assert default.label == "sluice-default 1.0.0"


def test_the_default_knows_the_event_names_and_what_a_purchase_holds(default):
    assert default.event_names == {
        "page_viewed",
        "email_filled_on_popup",
        "product_added_to_cart",
        "checkout_started",
        "checkout_completed",
    }
    assert default.purchase_event == "checkout_completed"
    assert [(one.name, set(one.types), one.severity) for one in default.purchase_fields] == [
        ("transaction_id", {"string", "integer"}, "P0_BLOCKER"),
        ("revenue", {"number"}, "P0_BLOCKER"),
        ("items", {"array"}, "P0_BLOCKER"),
        ("user_email", {"string"}, "P1_HIGH"),
    ]
    assert [one.name for one in default.item_fields] == [
        "item_id",
        "item_name",
        "item_variant",
        "quantity",
        "item_price",
    ]
    assert default.purchase_names == {role: role.value for role in PurchaseRole}


def test_the_default_knows_the_campaign_parameters_and_no_domains(default):
    assert " ".join(default.campaign_parameters) == (
        "utm_* gclid gbraid wbraid gad_source dclid gclsrc fbclid msclkid ttclid twclid li_fat_id yclid epik "
        "irclickid irgwc iradid im_ref clickid click_id affid sfdr_ptcid sfdr_hash sscid awc cto_pld"
    )
    assert default.own_domains == frozenset()


def test_personal_data_is_marked_in_the_default():
    text = DEFAULT.read_text("utf-8")
    assert re.search(r"name: user_email(\n +\w.*)+\n +classification: personal", text)


def test_a_file_of_ones_own_is_read_like_the_default(tmp_path, default):
    copy = tmp_path / "contract.yaml"
    copy.write_bytes(DEFAULT.read_bytes())
    assert load_contract(copy) == default


def test_a_contract_without_purchases_and_lists_takes_the_defaults(default):
    contract = compiled(SMALL)
    assert contract.purchase_event == ""
    assert contract.purchase_fields == contract.item_fields == ()
    assert contract.campaign_parameters == default.campaign_parameters
    assert [one.severity for one in contract.fields] == ["P0_BLOCKER"] * 3


def test_an_empty_campaign_list_means_none():
    assert (
        compiled(SMALL + "customProperties: [{property: campaignParameters, value: []}]").campaign_parameters
        == ()
    )


def test_domains_and_campaign_parameters_are_kept_in_lower_case():
    contract = compiled(
        SMALL
        + "customProperties:\n"
        + "  - {property: ownDomains, value: [Shop.Example., localhost]}\n"
        + "  - {property: campaignParameters, value: [UTM_*, GclId]}\n"
    )
    assert contract.own_domains == {"shop.example", "localhost"}
    assert contract.campaign_parameters == ("utm_*", "gclid")


def test_event_names_may_stand_as_an_enum():
    enum = "enum: [{value: seen}, {value: bought, description: A purchase.}]"
    text = SMALL.replace(
        "quality: [{metric: invalidValues, arguments: {validValues: [seen]}, mustBe: 0}]", enum
    )
    assert compiled(text).event_names == {"seen", "bought"}


def test_a_physical_name_is_the_name_on_the_wire():
    text = SMALL.replace("- name: client\n", "- name: client\n        physicalName: cid\n")
    assert compiled(text).fields[0].name == "cid"


def test_custom_properties_of_other_vendors_are_left_alone():
    text = SMALL + "customProperties: [{property: owner, value: me, vendor: catalog}]"
    assert compiled(text) == compiled(SMALL)


def test_every_broken_contract_has_its_sentence(golden, monkeypatch):
    monkeypatch.chdir(BAD)
    sentences = [f"{case.name}\n    {refusal_of(case)}\n" for case in sorted(BAD.iterdir())]
    golden.check("bad_contracts.txt", "".join(sentences))


@pytest.mark.parametrize("case", sorted(BAD.iterdir()), ids=lambda case: case.name)
def test_a_refusal_is_one_sentence_that_names_file_and_line(case, monkeypatch):
    monkeypatch.chdir(BAD)
    sentence = refusal_of(case)
    assert re.match(rf"{case.name}(, line \d+:| is empty;)", sentence)
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert len(sentence) < 300
    assert not re.search("pydantic|validation error|Traceback|Input should", sentence)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\n"
        + "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9) if i else '*a'}]\n" for i in range(40)),
        "[" * 100_000,
        "a: " * 1_000,
        "- " * 100_000,
        "{" * 50_000,
        "? " * 10_000,
        "x" * 300_000,
        "a: " + "9" * 10_000,
        "".join(f"k{i}: 1\n" for i in range(20_000)),
    ],
    ids=["bomb", "brackets", "colons", "dashes", "braces", "questions", "huge", "digits", "keys"],
)
def test_a_file_made_to_hurt_is_refused_within_seconds(text):
    with pytest.raises(ContractError):
        compiled(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "missing.yaml", tmp_path, Path("nul\0byte")):
        with pytest.raises(ContractError) as raised:
            load_contract(path)
        assert str(raised.value).startswith(f"{path} cannot be read")


def error_of(raw):
    """The sentence that the bytes are refused with, empty when they are a contract."""
    try:
        compile_contract(parse(raw, "contract.yaml"))
    except ContractError as error:
        return str(error)
    return ""


LINES = DEFAULT.read_text("utf-8").splitlines()
VALUES = st.sampled_from(
    ["", "[]", "{}", "null", "7", "1.5", "true", "x", "[x]", "{x: y}", "2025-02-23", '""', "[[", "&a", "!!x"]
)


@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), VALUES | st.none()), min_size=1, max_size=3))
def test_nothing_but_a_contract_or_one_sentence_comes_out_of_a_spoilt_one(changes):
    lines = list(LINES)
    for number, value in changes:
        head = re.match(r"(\s*(?:- )*[\w]+:|\s*- |)", lines[number])[0]
        lines[number] = "" if value is None else f"{head} {value}"
    assert error_of("\n".join(lines).encode()).isprintable()


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_the_same_holds_for_any_bytes(raw):
    assert error_of(raw).isprintable()


@pytest.mark.parametrize(
    ("lines", "personal"),
    [
        ("", False),
        ("        classification: public\n", False),
        ("        classification: Internal\n", False),
        ("        classification: restricted\n", True),
        ("        classification: personal\n", True),
        ("        tags: [pii]\n", True),
        ("        tags: [loyalty, GDPR]\n", True),
        ("        tags: [loyalty]\n", False),
    ],
)
def test_what_the_standard_calls_confidential_is_personal(lines, personal):
    contract = compiled(f"{SMALL}      - name: more\n        logicalType: string\n{lines}")
    assert {field.name: field.personal for field in contract.fields} == {
        "client": True,
        "at": False,
        "what": False,
        "more": personal,
    }


def test_the_default_marks_who_bought(default):
    assert {field.name for field in default.purchase_fields if field.personal} == {"user_email"}


def test_many_event_names_are_not_compared_each_with_each(monkeypatch):
    compared = []

    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            compared.append(other)
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    values = [Located(Name(f"name {number}"), "c.yaml", number) for number in range(500)]
    monkeypatch.setattr("consumer.contract_file.compile._enum", lambda _: values)
    contract = compile_contract(parse(SMALL.encode(), "c.yaml"))
    assert len(contract.event_names) > 500
    assert len(compared) < 5_000
