"""`sluice check`: everything that is given is shown, secrets are not, and what is wrong is said in words."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from consumer.cli import check
from consumer.cli.broker_findings import look_at_broker
from consumer.cli.exits import ExitCode
from consumer.settings import settings_of

NOBODY = "127.0.0.1:1"
"""An address at which nothing listens."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in an empty folder with a `sluice.toml` of this text."""

    def run(text, **variables):
        monkeypatch.setattr(check, "TIMEOUT_SECONDS", 0.5)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sluice.toml").write_text(text)
        return CliRunner().invoke(check.command, [], env=variables)

    return run


def test_a_newcomer_reads_what_is_set_what_the_contract_says_and_what_is_wrong(run, golden):
    result = run(
        f'[kafka]\nbootstrap.servers = "{NOBODY}"\n\n[deliver]\nout = "a"\n', SLUICE_DELIVER_OUT="daily"
    )
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    golden.check("check.txt", result.stdout)
    assert result.stderr == ""


def test_the_help_names_the_exit_codes(run):
    help_text = CliRunner().invoke(check.command, ["--help"]).output
    assert "\n  Exit codes: 0 all is fine, 3 something is wrong, 64 wrong usage.\n" in help_text


def test_no_secret_is_printed_and_librdkafka_prints_nothing_by_itself(run, capfd):
    text = f'[kafka]\n"bootstrap.servers" = "{NOBODY}"\n"security.protocol" = "SASL_PLAINTEXT"\n"sasl.mechanism" = "PLAIN"\n'
    login = {"SLUICE_KAFKA_SASL_USERNAME": "me", "SLUICE_KAFKA_SASL_PASSWORD": "hunter2"}
    result = run(text, SLUICE_KAFKA_DEBUG="all", **login)
    assert "hunter2" not in result.output
    assert '"sasl.password" = "********"' in result.output
    assert capfd.readouterr() == ("", "")


def test_a_receiver_that_cannot_be_used_is_wrong_and_its_secret_is_not_printed(run):
    result = run(
        f'[kafka]\nbootstrap.servers = "{NOBODY}"\n[receivers.ops]\ntype = "apprise"\nurl = "nosuch://hunter2"\n'
    )
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert "[receivers.ops] url is none that Apprise knows" in result.stdout
    assert "hunter2" not in result.output


def test_settings_that_cannot_be_read_are_one_sentence_on_standard_error(run):
    result = run('[delivery]\nout = "daily"\n')
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stdout == ""
    assert (
        result.stderr
        == "Error: sluice.toml, line 1: there is no section delivery; perhaps [deliver] is meant.\n"
    )


def test_a_broken_contract_does_not_hide_a_broken_connection(run, tmp_path):
    (tmp_path / "contract.yaml").write_text("kind: Deployment\n")
    result = run(f'[kafka]\n"bootstrap.servers" = "{NOBODY}"\n[contract]\npath = "contract.yaml"\n')
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    verdict = result.stdout.partition("2 things are wrong:\n")[2]
    assert "1. contract.yaml, line 1: this is no Open Data Contract Standard document" in verdict
    assert f"2. no Kafka broker answers at {NOBODY}" in verdict


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        (
            '"fetch.queue.bakcoff.ms" = 5',
            '[kafka] has "fetch.queue.bakcoff.ms", which librdkafka does not know',
        ),
        ('"security.protocol" = "TLS"', "[kafka] has a property that librdkafka refuses"),
        ('"socket.timeout.ms" = "long"', "[kafka] has a property that librdkafka refuses"),
        (
            '"security.protocol" = "SSL"\n"ssl.ca.location" = "/nowhere"',
            "[kafka] has a property that librdkafka",
        ),
        (
            '"security.protocol" = "SASL_SSL"\n"sasl.mechanism" = "PLAIN"',
            "sasl.username and sasl.password must be set",
        ),
    ],
)
def test_what_librdkafka_refuses_is_one_sentence(run, properties, sentence):
    result = run(f"[kafka]\n{properties}\n")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    last = result.stdout.splitlines()[-1]
    assert last.startswith("Wrong: ")
    assert "[kafka]" in last
    assert sentence in last
    assert "KafkaError" not in result.output


@pytest.mark.parametrize(
    "line", ['"sesion.timeout.ms" = 5', '"session.timeout.ms" = -5', '"security.protocol" = "TLS"']
)
def test_the_line_of_what_librdkafka_refuses_is_said(run, line):
    last = run(f'[kafka]\n"client.id" = "me"\n{line}\n').stdout.splitlines()[-1]
    assert last.startswith("Wrong: sluice.toml, line 3: [kafka] has ")


def test_an_address_that_no_one_knows_is_named(run):
    result = run('[kafka]\n"bootstrap.servers" = "nowhere.invalid:9092"\n')
    assert "no Kafka broker answers at nowhere.invalid:9092" in result.stdout


def settings_for(broker, prefix, **topics):
    names = ("input", "dead_letters", "facts", "journal", "days", "alerts")
    document = {
        "kafka": {"bootstrap.servers": broker.bootstrap_servers},
        "topics": {**{name: prefix + name for name in names}, **topics},
    }
    return settings_of(document, {})


def create(admin, **partitions):
    from confluent_kafka.admin import NewTopic

    topics = [NewTopic(name, number, 1) for name, number in partitions.items()]
    for future in admin.create_topics(topics).values():
        future.result(timeout=20)


@pytest.fixture
def admin(broker):
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})


@pytest.mark.broker
def test_a_missing_input_topic_is_wrong_and_what_run_will_create_is_said(broker, topic_prefix):
    findings = look_at_broker(settings_for(broker, topic_prefix), 10)
    assert [problem.partition(";")[0] for problem in findings.problems] == [
        f"the input topic {topic_prefix}input does not exist"
    ]
    others = ", ".join(topic_prefix + name for name in ("dead_letters", "facts", "journal", "days", "alerts"))
    assert f"run will create {others}" in findings.facts


@pytest.mark.broker
def test_with_an_input_topic_and_a_broker_all_is_fine(broker, topic_prefix, admin, run):
    create(admin, **{f"{topic_prefix}input": 3})
    result = run(
        "",
        SLUICE_KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers,
        SLUICE_TOPICS_INPUT=f"{topic_prefix}input",
        SLUICE_TOPICS_FACTS=f"{topic_prefix}facts",
    )
    assert f"input topic {topic_prefix}input: 3 partitions" in result.stdout
    assert result.stdout.endswith("\nAll is fine.\n")
    assert (result.exit_code, result.stderr) == (ExitCode.FINE, "")


@pytest.mark.broker
def test_a_topic_that_cannot_serve_and_too_many_copies_are_said(broker, topic_prefix, admin):
    create(admin, **{f"{topic_prefix}input": 1, f"{topic_prefix}facts": 2})
    findings = look_at_broker(settings_for(broker, topic_prefix, replication_factor=9), 10)
    assert len(findings.problems) == 2
    assert "replication_factor is 9" in findings.problems[0]
    assert f"the topic {topic_prefix}facts must have 1 partition and has 2" in findings.problems[1]
