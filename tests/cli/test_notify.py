"""`sluice notify test`: every receiver gets a message, and the person at the terminal what became of it."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from consumer.cli import notify
from consumer.cli.exits import ExitCode
from tests.runtime.notify.servers import OK, answer, http_server, nobody


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in a folder with a `sluice.toml` of this text."""

    def run(text, *arguments):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sluice.toml").write_text(text)
        return CliRunner().invoke(notify.command, ["test", *arguments])

    return run


def section(name, kind, url, **more):
    lines = [f"[receivers.{name}]", f'type = "{kind}"', f'url = "{url}"']
    return "\n".join([*lines, *(f'{key} = "{value}"' for key, value in more.items()), ""])


def without_times(text):
    return re.sub(r"\(\d+\.\d s\)", "(… s)", text)


def test_it_says_of_every_receiver_whether_it_was_reached(run):
    with http_server() as good, http_server(answer(404, b"no_team")) as gone, http_server() as beat:
        text = section("chat", "slack", good.url) + section("office", "teams", f"{gone.url}/hunter2")
        text += (
            section("lake", "webhook", f"http://127.0.0.1:{nobody()}") + f'[heartbeat]\nurl = "{beat.url}"\n'
        )
        result = run(text)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert without_times(result.stdout) == (
        "chat       slack         reached (… s)\n"
        "office     teams         not reached: HTTP 404: no_team (… s)\n"
        "lake       webhook       not reached: no connection: nothing listens there, or the name is not known (… s)\n"
        "heartbeat                reached (… s)\n"
    )
    assert good.taken[0].json()["text"] == "Test message: Sluice can reach you"
    assert len(beat.requests) == 1


def test_names_choose_and_all_reached_is_fine(run):
    with http_server() as one, http_server() as other:
        text = section("a", "slack", one.url) + section("b", "alertmanager", other.url)
        result = run(text, "b")
        assert result.exit_code == ExitCode.FINE
        assert one.requests == []
        assert other.taken[0].json()[0]["labels"]["alertname"] == "SluiceTest"
        result = run(text, "c")
        assert "'c' is none of: a, b" in result.output


def test_a_pager_s_test_incident_is_over_at_once(run):
    with http_server(answer(202)) as pager:
        result = run(section("on-call", "pagerduty", pager.url, routing_key="k" * 32))
    assert result.exit_code == ExitCode.FINE
    events = [request.json() for request in pager.taken]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"sluice/test"}
    assert events[0]["payload"]["severity"] == "info"


def test_a_message_that_is_refused_is_tried_in_its_simplest_form(run):
    with http_server(answer(400), OK) as chat:
        assert run(section("chat", "slack", chat.url)).exit_code == ExitCode.FINE
    assert len(chat.requests) == 2


def test_nobody_to_tell_and_a_service_that_is_none_are_one_sentence(run):
    result = run("")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stderr == (
        "Error: there is nobody to tell: add a receiver, such as [receivers.team-chat], see the README\n"
    )
    result = run(section("phone", "apprise", "nosuch://hunter2"))
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert "url is none that Apprise knows" in result.stderr
    assert "hunter2" not in result.output
