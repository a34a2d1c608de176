"""Files that a person writes: contracts and settings. Refused with a sentence, or read."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

from consumer.contract_file.compile import compile_contract
from consumer.contract_file.located import ContractError, parse
from consumer.settings import SettingsError, load_settings, settings_example
from tests.fuzz.oracle import sentence
from tests.fuzz.target import Scratch, Target

if TYPE_CHECKING:
    from tests.fuzz.grammar import Grammar

SMALL_CONTRACT = """\
kind: DataContract
apiVersion: v3.1.0
id: shop
version: 1.0.0
status: active
customProperties:
  - {property: purchaseEvent, value: bought}
  - {property: ownDomains, value: [shop.example]}
  - {property: campaignParameters, value: [utm_*, gclid]}
schema:
  - name: events
    properties:
      - name: client_id
        logicalType: string
        customProperties: [{property: role, value: identity}, {property: aliases, value: [clientId]}]
      - name: timestamp
        logicalType: timestamp
        customProperties: [{property: role, value: timestamp}, {property: severity, value: P1_HIGH}]
      - name: event_name
        logicalType: string
        customProperties: [{property: role, value: event_name}]
        quality: [{metric: invalidValues, arguments: {validValues: [seen, bought]}}]
      - name: event_data
        logicalType: object
        customProperties: [{property: role, value: event_data}, {property: jsonTypes, value: [string, object]}]
        properties:
          - {name: id, logicalType: string, customProperties: [{property: role, value: transaction_id}]}
          - {name: sum, logicalType: number, customProperties: [{property: role, value: revenue}]}
          - name: items
            logicalType: array
            customProperties: [{property: role, value: items}]
            items: {logicalType: object, properties: [{name: item_id, logicalType: string}]}
"""


class Text(Target):
    """A file of lines: some are left out, doubled, moved, indented, or get another value."""

    def altered(self, grammar: Grammar, text: str, between: str) -> bytes:
        """The text with some lines changed; `between` stands between a name and its value."""
        lines = text.splitlines()
        for _ in range(grammar.pick((0, 1, 1, 2, 4))):
            at = grammar.rng.randrange(len(lines))
            name, found, _ = lines[at].partition(between)
            match grammar.rng.randint(0, 6):
                case 0 if len(lines) > 1:
                    del lines[at]
                case 1:
                    lines.insert(at, grammar.pick(lines))
                case 2:
                    lines[at] = grammar.pick(("  ", "\t", "- ", "# ")) + lines[at]
                case 3 | 4 if found:
                    lines[at] = f"{name}{between} {self.value(grammar)}"
                case 5:
                    lines[at] = lines[at].replace(grammar.pick(name.split() or [""]), grammar.text(), 1)
                case _:
                    lines.insert(at, f"{grammar.text()}{between} {self.value(grammar)}")
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    def value(self, grammar: Grammar) -> str:
        """A value of that language, or none of it."""
        odd = grammar.pick(
            ("2025-02-30", "1:30", "0b11", "0o17", "~", "yes", ".inf", "&a 1", "*a", "!!python/x 1")
        )
        return grammar.pick((grammar.text(), grammar.json(), grammar.number(), odd))


class ContractFile(Text):
    """Contract files: refused with a sentence, or compiled."""

    name = "contract"
    share = 1

    def draw(self, grammar: Grammar) -> bytes:
        return self.altered(grammar, SMALL_CONTRACT, ":")

    def run(self, data: bytes) -> None:
        try:
            compile_contract(parse(data, "contract.yaml"))
        except ContractError as error:
            sentence(str(error))


RECEIVERS = ("slack", "teams", "webhook", "email", "pagerduty", "alertmanager", "apprise")
RECEIVER_KEYS = (
    "url",
    "type",
    "to",
    "severities",
    "metrics",
    "kinds",
    "server",
    "routing_key",
    "quiet_hours",
    "digest",
)


class SettingsFile(Text):
    """Settings files: refused with a sentence, or read."""

    name = "settings"
    share = 10

    def __init__(self) -> None:
        self._file = Scratch("sluice.toml")
        self._known = {
            name: section
            for name, section in tomllib.loads(settings_example()).items()
            if isinstance(section, dict) and name != "receivers"
        }

    def draw(self, grammar: Grammar) -> bytes:
        lines = ['group = "sluice"'] if grammar.often(0.3) else []
        for name in grammar.rng.sample(list(self._known), grammar.rng.randint(1, 3)):
            keys = self._known[name]
            lines.append(f"[{name}]")
            chosen = grammar.rng.sample(list(keys), min(len(keys), grammar.rng.randint(0, 3)))
            lines += [f"{json.dumps(key)} = {self._given(grammar, keys[key])}" for key in chosen]
        if grammar.often(0.3):
            lines += ["[receivers.ops]", f'type = "{grammar.pick(RECEIVERS)}"']
            for key in grammar.rng.sample(RECEIVER_KEYS, grammar.rng.randint(0, 4)):
                url = grammar.pick(("https://example.com/hook", "ann@example.com", grammar.text()))
                lines.append(f"{key} = {self._given(grammar, url)}")
        text = "\n".join(lines)
        return (
            self.altered(grammar, text, "=") if grammar.often(0.3) else text.encode("utf-8", "surrogatepass")
        )

    def _given(self, grammar: Grammar, known: object) -> str:
        """A value as it is, one of its type, or one of another."""
        if grammar.often(0.4):
            return json.dumps(known)
        if grammar.often(0.3):
            return self.value(grammar)
        match known:
            case bool():
                return grammar.pick(("true", "false"))
            case int() | float():
                return str(
                    grammar.pick((0, 1, -1, 3, 500, 10**6, 10**18, 2**63, 0.5, 1e300, "inf", "nan", -0.0))
                )
            case list():
                return json.dumps([grammar.text(), grammar.text()])
            case _:
                return json.dumps(grammar.text())

    def run(self, data: bytes) -> None:
        environ = {"SLUICE_GROUP": data[:40].decode("utf-8", "replace")} if data[:1] == b"g" else {}
        try:
            load_settings(self._file.holding(data), environ)
        except SettingsError as error:
            sentence(str(error))
