"""Receivers in the settings: by file, by variable, by files of secrets; typed by what they are; secrets are shown nowhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.runtime.clock import SystemClock
from consumer.runtime.notify.channels import channels_of
from consumer.settings import Settings, SettingsError, load_settings, receivers_markdown, settings_of
from consumer.settings.receiver_source import receivers_of
from consumer.settings.receiver_table import EXAMPLES
from consumer.settings.receivers import NEEDED, TYPES
from consumer.settings.words import MASK

README = Path(__file__).parents[1] / "README.md"

LEAST = {
    "slack": {"url": "https://hooks.slack.com/services/T0/B0/hunter2"},
    "teams": {"url": "https://prod-1.westeurope.logic.azure.com/workflows/hunter2?sig=hunter2"},
    "webhook": {
        "url": "https://me:hunter2@example.com/x?key=hunter2",
        "token": "hunter2",
        "secret": "hunter2",
    },
    "email": {
        "server": "smtp.example.com:587",
        "sender": "sluice@example.com",
        "to": ["a@example.com", "b@example.com"],
        "password": "hunter2",
    },
    "pagerduty": {"routing_key": "hunter2" + 25 * "x"},
    "alertmanager": {"url": "http://me:hunter2@alertmanager:9093", "token": "hunter2"},
    "apprise": {"url": "tgram://hunter2/1"},
}
"""The least that a receiver of each type needs, and all secrets that it may have."""


def of(document, environ=None):
    return settings_of({"receivers": document}, environ or {})


def test_there_is_nobody_to_tell_unless_somebody_is_named():
    assert Settings().receivers == {}


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_works_with_the_least_that_it_needs(kind):
    least = {key: LEAST[kind][key] for key in NEEDED[kind]}
    receiver = of({"ops": {"type": kind, **least}}).receivers["ops"]
    assert type(receiver) is TYPES[kind]
    assert receiver.severities == ["P0_BLOCKER", "P1_HIGH"]


@pytest.mark.parametrize("kind", TYPES)
def test_secrets_of_receivers_are_shown_nowhere(kind):
    settings = of({"ops": {"type": kind, **LEAST[kind]}})
    described = settings.described()
    assert "hunter2" not in f"{settings!r} {settings} {described}"
    assert any(MASK in one.value and one.secret for one in described)


@pytest.mark.parametrize("key", ["short", "k" * 33, "https://events.pagerduty.com/integration/x", "ä" * 32])
def test_a_pagers_key_that_cannot_be_one_is_found_out_at_the_start_and_not_at_the_first_incident(key):
    with pytest.raises(SettingsError) as raised:
        of({"ops": {"type": "pagerduty", "routing_key": key}})
    assert "must be the 32 letters and digits" in str(raised.value)
    assert key not in str(raised.value)


def test_a_secret_address_shows_where_it_leads():
    shown = {one.name: one.value for one in of({"ops": {"type": "slack", **LEAST["slack"]}}).described()}
    assert shown["receivers.ops.url"] == f'"https://hooks.slack.com/{MASK}"'


@pytest.mark.parametrize("kind", TYPES)
def test_every_setting_of_a_receiver_can_be_given_by_its_variable(kind):
    written = {one.name: one for one in of({"on-call": {"type": kind, **LEAST[kind]}}).described()}
    environ = {}
    for key, value in LEAST[kind].items():
        one = written[f"receivers.on-call.{key}"]
        environ[one.variable] = ", ".join(value) if isinstance(value, list) else str(value)
    environ[written["receivers.on-call.type"].variable] = kind
    assert all(name.startswith("SLUICE_RECEIVERS_ON_CALL_") for name in environ)
    assert of({}, environ).receivers == of({"on-call": {"type": kind, **LEAST[kind]}}).receivers


def test_a_variable_wins_over_the_file_and_every_value_knows_its_origin(tmp_path):
    file = tmp_path / "sluice.toml"
    file.write_text(
        '[receivers.ops]\ntype = "slack"\nurl = "https://a.example/x"\nquiet_hours = "22:00-07:00"\n'
    )
    environ = {"SLUICE_RECEIVERS_OPS_URL": "https://b.example/x", "SLUICE_RECEIVERS_OPS_SEVERITIES": "P0,P2"}
    settings = load_settings(file, environ)
    receiver = settings.receivers["ops"]
    assert (receiver.url, receiver.severities) == ("https://b.example/x", ["P0_BLOCKER", "P2_NOTE"])
    origins = {one.name: one.origin for one in settings.described()}
    assert origins["receivers.ops.quiet_hours"] == f"{file}, line 4"
    assert origins["receivers.ops.url"] == "SLUICE_RECEIVERS_OPS_URL"
    assert origins["receivers.ops.kinds"] == "default"


def test_secrets_come_from_files_without_their_line_end(tmp_path):
    file = tmp_path / "secret"
    file.write_text("https://hooks.slack.com/services/T0/B0/x\n")
    assert of({"ops": {"type": "slack", "url_file": str(file)}}).receivers["ops"].url.endswith("/x")
    environ = {"SLUICE_HEARTBEAT_URL_FILE": str(file), "SLUICE_RECEIVERS_OPS_TYPE": "slack"}
    environ["SLUICE_RECEIVERS_OPS_URL_FILE"] = str(file)
    settings = settings_of({}, environ)
    assert settings.heartbeat.url == settings.receivers["ops"].url


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * 20_000])
def test_a_file_that_holds_no_secret_is_refused_without_repeating_it(tmp_path, content):
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        of({"ops": {"type": "pagerduty", "routing_key_file": str(file)}})
    assert str(raised.value).startswith("settings: [receivers.ops] routing_key_file names a file that ")
    assert "two" not in str(raised.value)


def test_a_wrong_secret_is_not_repeated():
    for key, value in (("url", "hunter2"), ("token", 7), ("url", ["hunter2"])):
        with pytest.raises(SettingsError) as raised:
            of({"ops": {"type": "webhook", **LEAST["webhook"], key: value}})
        assert "hunter2" not in str(raised.value)
        assert f"[receivers.ops] {key} " in str(raised.value)


def test_the_examples_can_be_read_and_used(tmp_path):
    text = "\n".join(
        line.removeprefix("# ")
        for line in EXAMPLES.splitlines()
        if line.startswith(
            (
                "# [",
                "# type",
                "# url =",
                "# quiet",
                "# sever",
                "# metrics",
                "# server",
                "# user",
                "# sender",
                "# to",
            )
        )
    )
    document = tomllib.loads(text)["receivers"]
    document["team-chat"]["url"] = LEAST["slack"]["url"]
    document["on-call"] |= LEAST["pagerduty"]
    assert set(of(document).receivers) == {"team-chat", "on-call", "finance", "prometheus"}


def test_the_readme_s_example_can_be_used_as_it_stands(tmp_path):
    text = README.read_text("utf-8")
    (example,) = re.findall(r"```toml\n(\[receivers\..*?)```", text, re.DOTALL)
    for name in set(re.findall(r"/run/secrets/(\w+)", example)):
        (tmp_path / name).write_text(f"{'k' * 32}\n" if name == "pagerduty" else "https://secret.example/x\n")
    file = tmp_path / "sluice.toml"
    file.write_text(example.replace("/run/secrets", str(tmp_path)))
    settings = load_settings(file, {})
    assert {receiver.type for receiver in settings.receivers.values()} == set(TYPES)
    assert settings.heartbeat.url == "https://secret.example/x"
    assert set(channels_of(settings, SystemClock())) == set(settings.receivers)


def test_the_reference_has_every_setting_of_every_type():
    table = receivers_markdown()
    for kind, model in TYPES.items():
        for key in model.model_fields:
            rows = [row for row in table.splitlines() if row.startswith(f"| `{key}` |")]
            assert any("| all |" in row or kind in row.split("|")[2] for row in rows), (kind, key)
    assert all(field.description for model in TYPES.values() for field in model.model_fields.values())


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.lists(st.text(max_size=5))
)
KEYS = st.sampled_from(sorted({key for model in TYPES.values() for key in model.model_fields})) | st.text(
    max_size=8
)
TABLES = st.dictionaries(
    KEYS, st.sampled_from([*TYPES, "https://a.example/", "22:00-07:00"]) | SCALARS, max_size=8
)


@given(
    st.dictionaries(st.sampled_from(["ops", "a-b"]) | st.text(max_size=5), TABLES | SCALARS, max_size=3)
    | SCALARS,
    st.dictionaries(
        st.sampled_from(["SLUICE_RECEIVERS_OPS_URL", "SLUICE_RECEIVERS_OPS_TYPE", "SLUICE_RECEIVERS_A_B_TO"])
        | st.text(max_size=8).map("SLUICE_RECEIVERS_{}".format),
        st.text(max_size=10),
        max_size=2,
    ),
)
def test_nothing_but_receivers_or_one_sentence_comes_out_of_anything(document, environ):
    said = ""
    try:
        receivers_of({"receivers": document}, environ, {}, "file")
    except SettingsError as error:
        said = str(error)
    assert said.isprintable()
    assert not said or said.endswith(".")
