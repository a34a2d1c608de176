"""Least rights, over TLS: with exactly its own each role works; without one of them it says which, in one sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AclOperation, AdminClient, ResourceType

from consumer.cli import alerts, gate, rollup
from consumer.cli.broker_findings import look_at_broker
from consumer.cli.exits import ExitCode
from consumer.core.facts import Command
from consumer.runtime.client_log import silent
from consumer.runtime.kafka import commands, rights, topics
from consumer.runtime.kafka.commands import CommandError
from consumer.runtime.transport import Fatal
from consumer.settings import settings_of
from tests.faults.feed import send, troubled_shop
from tests.faults.verifier import verify
from tests.processes import PATIENCE_SECONDS
from tests.security.conftest import names_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.processes import Site
    from tests.security.secure_kafka import Grant

pytestmark = pytest.mark.broker

READ, WRITE, CREATE = AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE
TOPIC, GROUP, TRANSACTIONS = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID

TOPIC_RIGHTS = [
    (role, key, operation)
    for role, needs in rights.NEEDS.items()
    for key, operations in needs.items()
    for operation in operations
    if role != "deliver" and key != "valid"
]


def topic_rights(site: Site, role: str, *, keyed: bool = True) -> list[Grant]:
    needs = rights.needed(names_of(site, keyed=keyed), [role])
    return [(operation, TOPIC, topic) for topic, operations in needs.items() for operation in operations]


def all_rights(site: Site, role: str, *, keyed: bool = True) -> list[Grant]:
    """Those of the table in docs/security.md."""
    if role == "deliver":
        return [*topic_rights(site, role), (READ, GROUP, f"{site.group}-deliver")]
    return [
        *topic_rights(site, role, keyed=keyed),
        (READ, GROUP, site.group),
        (WRITE, TRANSACTIONS, f"{site.group}-*"),
    ]


def start(kafka, site, role, grants):
    return site.start("--roles", role, servers=kafka.secure, kafka=kafka.user(*grants))


def ends_with(process, sentence):
    assert process.exit_code() == ExitCode.NOT_POSSIBLE, process.told()
    assert sentence in process.said("stopped")[0]["reason"]
    assert len(process.words) == 1


def run(command, kafka, site, *arguments, grants):
    config = site.settings(kafka.secure, **kafka.user(*grants))
    return CliRunner().invoke(command, [*arguments, "--config", str(config)])


def order(kafka, site, grants):
    user = {"bootstrap.servers": kafka.secure, **kafka.user(*grants)}
    wish = Command("ack", "nothing", "ann", "seen", 0)
    commands.send(user, site.topic("facts"), wish, silent())


def test_the_documented_rights_are_those_that_are_needed():
    defaults = settings_of({"topics": {"valid": "events.valid"}}, {}).topics
    names = topics.Names(**{key: getattr(defaults, key) for key in topics.Names._fields})
    wanted = [
        f"| {role} | `{topic}` | {', '.join(operation.name for operation in operations)} |"
        for role in rights.NEEDS
        for topic, operations in rights.needed(names, [role]).items()
    ]
    document = (Path(__file__).parents[2] / "docs/security.md").read_text()
    table = document.partition("<!-- rights")[2].partition("<!-- end -->")[0].splitlines()[3:]
    assert [re.sub(r" \(where [^)]*\)", "", row) for row in table] == wanted


@pytest.mark.parametrize("keyed", [True, False])
def test_each_role_with_exactly_its_rights_gives_the_oracles_numbers_and_operators_have_theirs(
    kafka, site, keyed
):
    site.sections["input"] = {"keyed": keyed}
    send(site.servers, site.input, troubled_shop(1))
    for role in ("gate", "watch", "deliver"):
        start(kafka, site, role, all_rights(site, role, keyed=keyed))
    site.wait_until_caught_up()
    reads = topic_rights(site, "deliver")
    status = run(gate.command, kafka, site, "status", grants=reads)
    assert status.exit_code == ExitCode.FINE, status.output
    assert run(alerts.command, kafka, site, "list", grants=reads).exit_code == ExitCode.FINE
    order(kafka, site, grants=[(WRITE, TOPIC, site.topic("facts"))])
    with pytest.raises(CommandError, match=f"grant WRITE on the topic {site.topic('facts')}"):
        order(kafka, site, grants=reads)
    verify(site)
    blind = run(rollup.command, kafka, site, "--date", "latest", "--out", str(site.out), grants=reads[:1])
    assert f"may not read the topic {site.topic('alerts')}: grant READ" in blind.output


@pytest.mark.parametrize(("role", "key", "operation"), TOPIC_RIGHTS)
def test_each_right_on_a_topic_that_a_role_lacks_is_named(kafka, site, role, key, operation):
    lost = (operation, TOPIC, site.topic(key))
    user = kafka.user(*(grant for grant in topic_rights(site, role, keyed=False) if grant != lost))
    admin = AdminClient({"bootstrap.servers": kafka.secure, "log_level": 0, **user})
    with pytest.raises(Fatal) as raised:
        rights.demand(admin, names_of(site, keyed=False), [role])
    assert str(raised.value) == f"this user lacks rights: grant {operation.name} on the topic {lost[2]}"


def test_a_process_without_a_right_on_a_topic_ends_with_the_sentence(kafka, site):
    process = start(kafka, site, "gate", all_rights(site, "gate")[1:])
    ends_with(process, f"grant READ on the topic {site.input}")


def test_a_process_without_the_right_on_its_group_ends_with_the_sentence(kafka, site):
    process = start(kafka, site, "gate", [grant for grant in all_rights(site, "gate") if grant[1] != GROUP])
    ends_with(process, f"grant READ on the group {site.group}")


def test_a_process_without_the_right_to_transactions_ends_with_the_sentence(kafka, site):
    process = start(kafka, site, "watch", all_rights(site, "watch")[:-1])
    ends_with(process, f"grant WRITE on the transactional id {site.group}-")


def test_a_topic_that_is_missing_and_may_not_be_created_is_said(kafka, site):
    names = names_of(site)._replace(dead_letters=f"{site.prefix}other")
    grants = [(WRITE, TOPIC, names.dead_letters), *topic_rights(site, "gate")]
    user = kafka.user(*grants)
    admin = AdminClient({"bootstrap.servers": kafka.secure, "log_level": 0, **user})
    with pytest.raises(Fatal, match=f"grant CREATE on the topic {names.dead_letters}"):
        topics.create_missing(admin, names, topics.existing(admin), 1, ["gate"])
    kafka.grant(user["sasl.username"], [(CREATE, TOPIC, names.dead_letters)])
    (created,) = topics.create_missing(admin, names, topics.existing(admin), 1, ["gate"])
    assert created.topic == names.dead_letters


def test_a_deliverer_without_a_right_says_so_and_goes_on_once_it_has_it(kafka, site):
    group, *others = reversed(all_rights(site, "deliver"))
    user = kafka.user(others[0])
    process = site.start("--roles", "deliver", servers=kafka.secure, kafka=user)

    def says(sentence):
        return wait_until(
            lambda: [line for line in process.log if sentence in str(line.get("reason"))],
            PATIENCE_SECONDS,
            f"{sentence}: {process.told()}",
        )

    says(f"grant READ on the group {site.group}-deliver")
    kafka.grant(user["sasl.username"], [group])
    says(f"grant READ on the topic {others[1][2]}")
    kafka.grant(user["sasl.username"], others[1:])
    process.wait_until_ready()


def test_check_names_what_a_role_lacks(kafka, site):
    user = kafka.user(*topic_rights(site, "gate")[1:])
    document = {
        "kafka": {"bootstrap.servers": kafka.secure, **user},
        "topics": {key: value for key, value in names_of(site)._asdict().items() if value},
    }
    findings = look_at_broker(settings_of(document, {}), 10, ["gate"])
    assert findings.problems == [f"this user may not read the topic {site.input}; grant READ on it."]


def test_whoever_is_not_known_or_does_not_trust_the_broker_is_told(kafka, site, tmp_path):
    def findings(**kafka_settings):
        settings = settings_of({"kafka": {"bootstrap.servers": kafka.secure, **kafka_settings}}, {})
        return look_at_broker(settings, 5).problems

    user = kafka.user()
    (stranger,) = findings(**{**user, "sasl.password": "no"})
    assert "refuses the connection" in stranger
    assert "uthentication" in stranger
    del user["ssl.ca.location"]
    (distrust,) = findings(**user)
    assert "certificate" in distrust
