"""Settings: typed, documented, defaulted; what is wrong is said in one sentence with place and remedy."""

from __future__ import annotations

import logging
import re
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from consumer.runtime.kafka.client import consumer_config, producer_config
from consumer.settings import (
    Settings,
    SettingsError,
    load_settings,
    settings_example,
    settings_markdown,
    settings_of,
)
from consumer.settings.definitions import PLACES
from consumer.settings.kafka import OWNED
from consumer.settings.names import variable
from consumer.settings.table import DEFAULT
from consumer.settings.toml_file import key_lines
from consumer.settings.words import MASK

BAD = Path(__file__).with_name("bad_settings")
EXAMPLE = Path(__file__).parents[1] / "sluice.example.toml"


def load(tmp_path, text, environ=None):
    file = tmp_path / "sluice.toml"
    file.write_text(text, "utf-8")
    return load_settings(file, environ or {})


def values(settings):
    """All values, without where they came from."""
    return settings.model_dump()


def refusal_of(case):
    """The sentence for a file of `bad_settings`: TOML, or variables one a line."""
    if case.suffix == ".env":
        environ = dict(line.split("=", 1) for line in case.read_text().splitlines())
        with pytest.raises(SettingsError) as raised:
            load_settings(None, environ)
    else:
        with pytest.raises(SettingsError) as raised:
            load_settings(Path(case.name), {})
    return str(raised.value)


def test_without_a_file_and_variables_every_setting_has_its_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})
    assert values(settings) == values(Settings())
    assert {one.origin for one in settings.described()} == {DEFAULT}


def test_sluice_toml_of_the_current_folder_is_read_when_no_other_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sluice.toml").write_text('group = "here"\n')
    (tmp_path / "other.toml").write_text('group = "there"\n')
    assert load_settings(None, {}).group == "here"
    assert load_settings(Path("other.toml"), {}).group == "there"


def test_variables_win_over_the_file_and_every_value_knows_its_origin(tmp_path):
    text = 'group = "shop"\n\n[deliver]\nout = "a"\ninterval_seconds = 5\n'
    settings = load(tmp_path, text, {"SLUICE_DELIVER_OUT": "b", "PATH": "/bin"})
    assert (settings.group, settings.deliver.out, settings.deliver.interval_seconds) == ("shop", "b", 5.0)
    origins = {one.name: one.origin for one in settings.described()}
    assert origins["group"] == f"{tmp_path}/sluice.toml, line 1"
    assert origins["deliver.out"] == "SLUICE_DELIVER_OUT"
    assert origins["deliver.interval_seconds"] == f"{tmp_path}/sluice.toml, line 5"
    assert origins["log.level"] == DEFAULT


def test_every_setting_can_be_given_by_its_variable():
    given_values = {one.variable: one.value.strip('"') for one in Settings().described()}
    assert len(given_values) == len(Settings().described())
    assert values(settings_of({}, given_values)) == values(Settings())


@pytest.mark.parametrize("key", ['"security.protocol"', "security.protocol"])
def test_librdkafka_properties_pass_through_as_text_with_or_without_quotes(tmp_path, key):
    text = f'[kafka]\n{key} = "SSL"\n"socket.keepalive.enable" = true\n"linger.ms" = 5\n'
    settings = load(tmp_path, text, {"SLUICE_KAFKA_SASL_USERNAME": "me"})
    assert settings.kafka == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SSL",
        "socket.keepalive.enable": "true",
        "linger.ms": "5",
        "sasl.username": "me",
    }


def test_what_the_daemon_sets_in_any_case_is_refused_in_the_file():
    quiet = logging.getLogger("quiet")
    for config in (
        lambda user: consumer_config(user, "group", quiet),
        lambda user: producer_config(user, "id", 1_000_000, quiet),
    ):
        overruled = {name for name in config({}) if config({name: "mine"})[name] != "mine"}
        assert overruled - {"logger"} <= set(OWNED)


def test_secrets_are_shown_nowhere():
    secrets = {
        "sasl.password": "hunter2",
        "ssl.key.pem": "hunter2",
        "ssl.key.password": "hunter2",
        "sasl.oauthbearer.client.secret": "hunter2",
        "sasl.jaas.config": "hunter2",
        "sasl.oauthbearer.config": "principal=hunter2",
        "https.proxy": "http://me:hunter2@proxy:3128",
    }
    settings = settings_of({"kafka": secrets}, {})
    assert settings.kafka["sasl.password"] == "hunter2"
    described = settings.described()
    assert "hunter2" not in f"{settings!r} {settings} {described}"
    assert sum(MASK in one.value and one.secret for one in described) == len(secrets)


def test_variables_that_kubernetes_sets_for_a_service_named_sluice_are_none_of_ours():
    links = {
        "SLUICE_SERVICE_HOST": "10.0.0.11",
        "SLUICE_SERVICE_PORT": "9464",
        "SLUICE_SERVICE_PORT_METRICS": "9464",
        "SLUICE_PORT": "tcp://10.0.0.11:9464",
        "SLUICE_METRICS_PORT": "tcp://10.0.0.11:9464",
        "SLUICE_METRICS_PORT_9464_TCP": "tcp://10.0.0.11:9464",
        "SLUICE_METRICS_PORT_9464_TCP_ADDR": "10.0.0.11",
        "SLUICE_KAFKA_SERVICE_HOST": "10.0.0.12",
        "SLUICE_KAFKA_PORT_9092_TCP_PROTO": "tcp",
    }
    assert settings_of({}, links) == Settings()
    assert settings_of({}, {**links, "SLUICE_METRICS_PORT": "9000"}).metrics.port == 9000


def test_every_bad_file_has_its_sentence(golden, monkeypatch):
    monkeypatch.chdir(BAD)
    sentences = [f"{case.name}\n    {refusal_of(case)}\n" for case in sorted(BAD.iterdir())]
    golden.check("bad_settings.txt", "".join(sentences))


@pytest.mark.parametrize("case", sorted(BAD.iterdir()), ids=lambda case: case.name)
def test_a_refusal_is_one_sentence_that_names_its_place(case, monkeypatch):
    monkeypatch.chdir(BAD)
    sentence = refusal_of(case)
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert len(sentence) < 300
    if case.suffix == ".env":
        assert case.read_text().split("=")[0] in sentence
    else:
        assert re.match(rf"{case.name}, line \d+", sentence)
    assert not re.search("pydantic|validation error|Traceback|Input should", sentence)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    huge = tmp_path / "huge.toml"
    huge.write_text("#" * 300_000)
    for path in (tmp_path / "missing.toml", tmp_path, huge, Path("nul\0byte")):
        with pytest.raises(SettingsError) as raised:
            load_settings(path, {})
        assert str(raised.value).startswith(str(path))
        assert "--config" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "9" * 10_000, "a = [\n" + "1,\n" * 50_000 + "]"],
    ids=["deep", "wide", "long"],
)
def test_a_file_made_to_hurt_is_refused_at_once(tmp_path, text):
    with pytest.raises(SettingsError):
        load(tmp_path, text)


def test_the_line_of_a_setting_is_right_after_values_of_several_lines(tmp_path):
    text = '[kafka]\nclient.rack = """\n[topics]\ninput = "no"\n"""\n\n# here\n[topics]\r\ninput = ""\n'
    with pytest.raises(SettingsError, match="line 9:"):
        load(tmp_path, text)


def test_every_setting_has_a_sentence_and_a_variable_of_its_own():
    described = Settings().described()
    assert all(one.description.endswith(".") and one.description[0].isupper() for one in described)
    names = [variable(name) for name in PLACES.fields]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"SLUICE_[A-Z_]+", name) for name in names)


def test_settings_do_not_change_after_the_start():
    with pytest.raises(ValueError, match="frozen"):
        Settings().deliver.out = "elsewhere"


def test_the_example_has_every_setting_at_its_default(tmp_path, request):
    if request.config.getoption("--update-goldens"):
        EXAMPLE.write_text(settings_example(), "utf-8")
    assert EXAMPLE.read_text("utf-8") == settings_example()
    settings = load_settings(EXAMPLE, {})
    assert values(settings) == values(Settings())
    assert DEFAULT not in {one.origin for one in settings.described()}


def test_the_reference_names_every_setting_once():
    table = settings_markdown()
    assert table.count("\n") == len(Settings().described()) + 2
    for one in Settings().described():
        assert table.count(f"`{one.variable}`") == 1


def test_a_setting_as_shown_can_be_read_back(tmp_path):
    for odd in ('C:\\temp\\"x"', "Zürich/reports", "\\"):
        settings = settings_of({"deliver": {"out": odd}}, {})
        shown = next(one for one in settings.described() if one.name == "deliver.out")
        assert values(load(tmp_path, f"[deliver]\n{shown.assignment}\n")) == values(settings)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.binary(max_size=3)
)
NAMES = st.sampled_from([*PLACES.intros, *(key for _, key in PLACES.fields), "enable.auto.commit"]) | st.text(
    max_size=12
)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=6,
)
ENVIRONS = st.dictionaries(
    st.sampled_from([variable(name) for name in PLACES.fields]) | st.text(max_size=8).map("SLUICE_{}".format),
    st.text(max_size=12),
    max_size=3,
)


def error_of(call, *arguments):
    """The sentence that the call refuses its arguments with, empty when it takes them."""
    try:
        call(*arguments)
    except SettingsError as error:
        return str(error)
    return ""


@given(DOCUMENTS, ENVIRONS)
def test_nothing_but_settings_or_one_sentence_comes_out_of_any_document(document, environ):
    assert error_of(lambda: settings_of(document, environ).described()).isprintable()


@given(DOCUMENTS)
def test_the_same_holds_for_any_toml_file(tmp_path_factory, document):
    try:
        text = tomli_w.dumps(document).encode("utf-8", "replace").decode()
    except (TypeError, ValueError, AttributeError):
        return  # not everything in a document can be written as TOML
    assert error_of(load, tmp_path_factory.getbasetemp(), text).isprintable()


@given(st.binary(max_size=200))
def test_the_same_holds_for_any_bytes(tmp_path_factory, raw):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(raw)
    assert error_of(load_settings, file, {}).isprintable()


def test_a_long_header_is_not_read_again_with_every_line(monkeypatch):
    read, loads = [], tomllib.loads

    def counting(text):
        read.append(len(text))
        return loads(text)

    monkeypatch.setattr("consumer.settings.toml_file.tomllib.loads", counting)
    text = f"[{'a' * 10_000}]\n" + "".join(f"b{number} = 1\n" for number in range(500))
    assert key_lines(text)["a" * 10_000, "b499"] == 501
    assert sum(read) < 2 * len(text)
